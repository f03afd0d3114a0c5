import { CloseButton, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useState } from "react";

type Props = {
  label: string;
  placeholder?: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  width?: number | string;
};

/** One filter of a list, told on when typing pauses. */
export function FilterInput({ label, placeholder, value = "", onChange, width = 190 }: Props) {
  const [text, setText] = useState(value);
  const tell = useDebouncedCallback((next: string) => onChange(next.trim() || undefined), 300);
  // The address may change by itself: back, or a link.
  useEffect(() => setText(value), [value]);
  const set = (next: string) => {
    setText(next);
    tell(next);
  };
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
      onChange={(event) => onChange(toUtc(event.currentTarget.value))}
      w={190}
      size="xs"
    />
  );
}

export function toLocal(moment: string | undefined | null): string {
  const date = new Date(moment ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function toUtc(local: string): string | undefined {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
