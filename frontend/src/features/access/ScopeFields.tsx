import { SegmentedControl, Stack, TagsInput, Text } from "@mantine/core";
import { type ScopeForm, scopeFault } from "./bindings";

type Props = {
  value: ScopeForm;
  onChange: (value: ScopeForm) => void;
  /** What it is the scope of. */
  label: string;
  error?: string | undefined;
  /** Faults of one's own are told when it was tried to be saved. */
  tried: boolean;
};

export function ScopeFields({ value, onChange, label, error, tried }: Props) {
  const set = (change: Partial<ScopeForm>) => onChange({ ...value, ...change });
  const fault = error ?? (tried ? scopeFault(value) : null);
  return (
    <Stack gap={6}>
      <SegmentedControl
        size="xs"
        aria-label={`Where ${label} holds`}
        data={[
          { value: "everywhere", label: "Everywhere" },
          { value: "some", label: "For some vhosts" },
        ]}
        value={value.limited ? "some" : "everywhere"}
        onChange={(next) => set({ limited: next === "some" })}
        style={{ alignSelf: "flex-start" }}
      />
      {value.limited && (
        <>
          <TagsInput
            size="xs"
            label="Vhosts, by name"
            placeholder="shop"
            value={value.vhosts}
            onChange={(vhosts) => set({ vhosts })}
            acceptValueOnBlur
          />
          <TagsInput
            size="xs"
            label="Vhosts, by label"
            placeholder="team=web"
            value={value.labels}
            onChange={(labels) => set({ labels })}
            acceptValueOnBlur
          />
          <TagsInput
            size="xs"
            label="Vhosts, by hostnames"
            description="All of a vhost's must be covered; *.example.com stands for everything under it."
            placeholder="*.shop.example.com"
            value={value.hostnames}
            onChange={(hostnames) => set({ hostnames })}
            acceptValueOnBlur
          />
          <Text size="xs">A vhost is in it by any one of these.</Text>
        </>
      )}
      {fault && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert">
          {fault}
        </Text>
      )}
    </Stack>
  );
}
