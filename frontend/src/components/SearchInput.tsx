import { CloseButton, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useEffect, useState } from "react";

type Props = {
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  label: string;
  placeholder?: string;
};

/** A page's search: `/` brings the keyboard here. Told on when typing pauses. */
export function SearchInput({ value = "", onChange, label, placeholder }: Props) {
  const [text, setText] = useState(value);
  const tell = useDebouncedCallback((next: string) => onChange(next || undefined), 250);
  // The address may change by itself: back, or a link.
  useEffect(() => setText(value), [value]);
  const set = (next: string) => {
    setText(next);
    tell(next);
  };
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
