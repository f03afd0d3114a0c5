import { Button, type ButtonProps } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import { ActionButton } from "./ActionButton";

const RouterButton = createLink(Button<"a">);

type Props = ButtonProps & {
  to: string;
  search?: Record<string, unknown>;
  children: React.ReactNode;
  disabledReason?: string | undefined;
};

/** A link that looks like a button; where it may not be used it says why. */
export function LinkButton({ to, search, disabledReason, ...rest }: Props) {
  if (disabledReason) return <ActionButton {...rest} disabledReason={disabledReason} />;
  return <RouterButton component="a" to={to} search={search as never} {...rest} />;
}
