import type { Status } from "@guard-proxy/client";
import { Badge, Button, Group, Paper, Stack, Text } from "@mantine/core";
import { IconCircleCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { Part } from "@/components/Part";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { TextLink } from "@/components/TextLink";
import { attention, few, type Item } from "./attention";
import { POLICIES_LOOKED_AT, policiesQuery, refusedQuery, reviewsQuery, waitingQuery } from "./queries";

/** Of each kind. */
const SHOWN = 4;
const TONES = { red: "mend", yellow: "decide", blue: "know" } as const;

/** What somebody should look at, each with where to go. */
export function Attention({ status }: { status: Status }) {
  const { can } = useMe();
  const [all, setAll] = useState(false);
  const refused = useQuery({ ...refusedQuery, enabled: can("read", "change_set").allowed });
  const waiting = useQuery({ ...waitingQuery, enabled: can("read", "change_set").allowed });
  const reviews = useQuery({ ...reviewsQuery, enabled: can("read", "approval").allowed });
  const policies = useQuery({ ...policiesQuery, enabled: can("read", "policy").allowed });
  const error = refused.error ?? waiting.error ?? reviews.error ?? policies.error;
  const items = attention({
    status,
    refused: refused.data?.items ?? [],
    waiting: waiting.data?.items ?? [],
    reviews: reviews.data?.items ?? [],
    policies: policies.data?.items ?? [],
    now: Date.now(),
  });
  const shown = all ? items : few(items, SHOWN);
  const looking = [refused, waiting, reviews, policies].some((one) => one.isLoading);
  const more = (policies.data?.total ?? 0) > POLICIES_LOOKED_AT;
  return (
    <Part
      title="Wants attention"
      about={more ? `Of exclusions those of the ${POLICIES_LOOKED_AT} policies that were changed last are looked at.` : undefined}
    >
      {error && <ProblemAlert error={error} />}
      {items.length === 0 && !error && (
        <Group gap="xs">
          {!looking && <IconCircleCheck size={18} aria-hidden color="var(--mantine-color-green-text)" />}
          <Text size="sm">{looking ? "Looking" : "Nothing."}</Text>
        </Group>
      )}
      <Stack gap="xs" component="ul" style={{ listStyle: "none", padding: 0, margin: 0 }}>
        {shown.map((item) => (
          <Shown key={item.id} item={item} />
        ))}
      </Stack>
      {shown.length < items.length && (
        <Button variant="subtle" size="compact-sm" w="fit-content" onClick={() => setAll(true)}>
          Show all {items.length}
        </Button>
      )}
    </Part>
  );
}

function Shown({ item: { tone, title, about, to, search, at } }: { item: Item }) {
  return (
    <Paper component="li" withBorder p="sm">
      <Group gap="sm" wrap="nowrap" align="flex-start">
        <Badge color={tone} variant="light" tt="none" miw={64}>
          {TONES[tone]}
        </Badge>
        <div style={{ minWidth: 0, flex: 1 }}>
          <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
            <TextLink to={to} search={search}>
              {title}
            </TextLink>
          </Text>
          <Text size="sm" c="dimmed" lineClamp={3} style={{ overflowWrap: "anywhere" }}>
            {about}
          </Text>
        </div>
        {at && (
          <Text size="sm" c="dimmed">
            <RelativeTime at={at} />
          </Text>
        )}
      </Group>
    </Paper>
  );
}
