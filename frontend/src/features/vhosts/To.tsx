import { Anchor } from "@mantine/core";
import { Link } from "@tanstack/react-router";

/** A link in a text. */
export function To({ to, children }: { to: string; children: React.ReactNode }) {
  return (
    <Anchor component={Link} to={to} inherit>
      {children}
    </Anchor>
  );
}
