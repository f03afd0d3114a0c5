import { Anchor } from "@mantine/core";
import { Link } from "@tanstack/react-router";

type Props = { to: string; search?: Record<string, unknown> | undefined; children: React.ReactNode };

/** A link in a text: underlined, since colour alone tells nobody enough. */
export function TextLink({ to, search, children }: Props) {
  return (
    <Anchor component={Link} to={to} search={search as never} inherit underline="always">
      {children}
    </Anchor>
  );
}
