import { Button } from "@mantine/core";
import { type ReactNode, useState } from "react";

type Props<T> = {
  items: T[];
  /** Draws those that are shown. */
  children: (shown: T[]) => ReactNode;
  /** What they are: `objects`. */
  what: string;
  /** So many at first. */
  most?: number;
};

/** The first of many, and all of them when asked for: what comes after them is not pushed out of sight. */
export function Some<T>({ items, children, what, most = 10 }: Props<T>) {
  const [all, setAll] = useState(false);
  return (
    <>
      {children(all ? items : items.slice(0, most))}
      {items.length > most && !all && (
        <Button variant="subtle" size="compact-sm" w="fit-content" onClick={() => setAll(true)}>
          Show all {items.length} {what}
        </Button>
      )}
    </>
  );
}
