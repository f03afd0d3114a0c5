import type { Status } from "@guard-proxy/client";
import { Paper, SimpleGrid, Skeleton, Stack, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useMe } from "@/auth/use-me";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { headline } from "@/live/headline";
import { useStatus } from "@/live/use-live";

// How things stand is there first; what is asked for besides comes behind.
const Details = lazy(() => import("./Details"));

export function OverviewPage() {
  const { me, can } = useMe();
  const { data, error, refetch } = useStatus();
  const may = can("read", "status");
  return (
    <>
      <PageHeader title="Overview" about={data && `${headline(data).words}.`} />
      {data ? (
        <Shown status={data} />
      ) : me && !may.allowed ? (
        <EmptyState title="Not for you to see">{may.disabledReason}</EmptyState>
      ) : error ? (
        <ProblemAlert error={error} onRetry={() => void refetch()} />
      ) : (
        <Skeleton height={320} aria-busy />
      )}
    </>
  );
}

function Shown({ status }: { status: Status }) {
  const { counts } = status;
  return (
    <Stack gap="xl">
      <SimpleGrid cols={{ base: 2, md: 4 }}>
        <Figure label="Live revision" value={status.live} to="/changes" />
        <Figure label="Vhosts" value={counts.vhosts} to="/vhosts" />
        <Figure label="Policies" value={counts.policies} to="/policies" />
        <Figure label="IP lists" value={counts.ip_lists} to="/ip-lists" />
      </SimpleGrid>
      <Suspense fallback={<Skeleton height={320} />}>
        <Details status={status} />
      </Suspense>
    </Stack>
  );
}

function Figure({ label, value, to }: { label: string; value: number; to: string }) {
  return (
    <Paper withBorder p="md" component={Link} to={to} c="inherit" td="none">
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text size="xl" fw={700}>
        {value}
      </Text>
    </Paper>
  );
}
