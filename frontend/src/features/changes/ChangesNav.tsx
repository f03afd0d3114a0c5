import { Badge, Group } from "@mantine/core";
import { useLocation } from "@tanstack/react-router";
import { useMe } from "@/auth/use-me";
import { LinkButton } from "@/components/LinkButton";
import { useToReview } from "./queries";

const PLACES = [
  { to: "/changes", label: "History" },
  { to: "/changes/mine", label: "My change sets" },
  { to: "/changes/review", label: "To approve" },
  { to: "/changes/deployments", label: "Deployments" },
] as const;

/** The four lists about changes. What waits for the reader is counted on each of them. */
export function ChangesNav() {
  const { pathname } = useLocation();
  const { can } = useMe();
  const waiting = useToReview(can("update", "approval").allowed);
  return (
    <Group component="nav" aria-label="Changes" gap={4} mb="md">
      {PLACES.map(({ to, label }) => {
        const here = pathname === to;
        const count = to === "/changes/review" ? waiting : "";
        return (
          <LinkButton
            key={to}
            to={to}
            size="compact-md"
            variant={here ? "light" : "subtle"}
            {...(here && { "aria-current": "page" })}
            rightSection={
              count && (
                <Badge size="sm" color="yellow" variant="filled" aria-label={`${count} wait`}>
                  {count}
                </Badge>
              )
            }
          >
            {label}
          </LinkButton>
        );
      })}
    </Group>
  );
}
