import { SegmentedControl } from "@mantine/core";

type Props = { value: boolean | undefined; onChange: (enabled: boolean | undefined) => void };

export function EnabledFilter({ value, onChange }: Props) {
  return (
    <SegmentedControl
      aria-label="Enabled or not"
      value={value === undefined ? "all" : value ? "enabled" : "disabled"}
      onChange={(next) => onChange(next === "all" ? undefined : next === "enabled")}
      data={[
        { value: "all", label: "All" },
        { value: "enabled", label: "Enabled" },
        { value: "disabled", label: "Disabled" },
      ]}
    />
  );
}
