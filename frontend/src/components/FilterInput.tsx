import { CloseButton, TextInput } from "@mantine/core";
import { fromLocal, toLocal } from "@/lib/local-time";
import { useTyped } from "./use-typed";

type Props = {
  label: string;
  placeholder?: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  width?: number | string;
};

/** One filter of a list, told on when typing pauses. */
export function FilterInput({ label, placeholder, value = "", onChange, width = 190 }: Props) {
  const [text, set] = useTyped(value, (next) => onChange(next.trim() || undefined), 300);
  return (
    <TextInput
      label={label}
      placeholder={placeholder}
      value={text}
      onChange={(event) => set(event.currentTarget.value)}
      rightSection={text ? <CloseButton size="sm" aria-label={`Clear ${label}`} onClick={() => set("")} /> : null}
      w={width}
      size="xs"
      autoComplete="off"
      spellCheck={false}
    />
  );
}

/** A moment, shown in the reader's own time and kept in UTC. */
export function MomentInput({ label, value, onChange }: Pick<Props, "label" | "value" | "onChange">) {
  return (
    <TextInput
      type="datetime-local"
      label={label}
      value={toLocal(value)}
      onChange={(event) => onChange(fromLocal(event.currentTarget.value) ?? undefined)}
      w={190}
      size="xs"
    />
  );
}
