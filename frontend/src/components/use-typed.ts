import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useState } from "react";

/** The text of a filter as it is typed; told on when typing pauses for so many milliseconds. */
export function useTyped(value: string, tell: (text: string) => void, pause: number) {
  const [text, setText] = useState(value);
  const later = useDebouncedCallback(tell, pause);
  // The address may change by itself: back, or a link.
  useEffect(() => setText(value), [value]);
  const set = (next: string) => {
    setText(next);
    later(next);
  };
  return [text, set] as const;
}
