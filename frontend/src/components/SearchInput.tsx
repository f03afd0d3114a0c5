import { CloseButton, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useTyped } from "./use-typed";

type Props = {
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  label: string;
  placeholder?: string;
};

/** A page's search: `/` brings the keyboard here. Told on when typing pauses. */
export function SearchInput({ value = "", onChange, label, placeholder }: Props) {
  const [text, set] = useTyped(value, (next) => onChange(next || undefined), 250);
  return (
    <TextInput
      type="search"
      data-search
      aria-label={label}
      placeholder={placeholder ?? label}
      leftSection={<IconSearch size={16} aria-hidden />}
      rightSection={text ? <CloseButton size="sm" aria-label="Clear the search" onClick={() => set("")} /> : null}
      value={text}
      onChange={(event) => set(event.currentTarget.value)}
      style={{ flex: "1 1 14rem", maxWidth: "24rem" }}
    />
  );
}
