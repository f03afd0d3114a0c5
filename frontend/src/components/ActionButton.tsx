import { Button, type ButtonProps, Tooltip } from "@mantine/core";
import type { ComponentPropsWithoutRef } from "react";

type Props = ButtonProps &
  Omit<ComponentPropsWithoutRef<"button">, keyof ButtonProps> & {
    /** Why it may not be used now; undefined: it may. */
    disabledReason?: string | undefined;
  };

/** A button that says why it may not be used, instead of hiding. It keeps the focus, so that the reason is heard, too. */
export function ActionButton({ disabledReason, onClick, ...rest }: Props) {
  // One tree for both: a button that may be used from now on keeps the focus.
  return (
    <Tooltip label={disabledReason} disabled={!disabledReason} multiline maw={320} events={{ hover: true, focus: true, touch: true }}>
      <Button
        {...rest}
        data-disabled={disabledReason ? true : undefined}
        aria-disabled={disabledReason ? true : undefined}
        onClick={disabledReason ? (event) => event.preventDefault() : onClick}
      />
    </Tooltip>
  );
}
