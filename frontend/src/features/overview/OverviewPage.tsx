import { Paper, SimpleGrid, Text } from "@mantine/core";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { useStatus } from "@/live/use-live";

export function OverviewPage() {
  const { data, error, refetch } = useStatus();
  return (
    <>
      <PageHeader title="Overview" />
      {!data && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {data && (
        <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }}>
          <Figure label="Live revision" value={data.live} />
          <Figure label="Vhosts" value={data.counts.vhosts} />
          <Figure label="Policies" value={data.counts.policies} />
          <Figure label="IP lists" value={data.counts.ip_lists} />
        </SimpleGrid>
      )}
    </>
  );
}

function Figure({ label, value }: { label: string; value: number }) {
  return (
    <Paper withBorder p="md">
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text size="xl" fw={700}>
        {value}
      </Text>
    </Paper>
  );
}
