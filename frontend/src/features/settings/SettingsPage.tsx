import { ready, type Status } from "@guard-proxy/client";
import { Alert, Anchor, Badge, Code, List, Paper, SimpleGrid, Stack, Table, Text, Title } from "@mantine/core";
import { IconAlertOctagon } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useMe } from "@/auth/use-me";
import { Facts } from "@/components/Facts";
import { LinkButton } from "@/components/LinkButton";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { useStatus } from "@/live/use-live";
import { SealingKeys } from "./SealingKeys";

/** What runs here. Settings themselves are a file on the server, so that nobody changes by the panel where the panel listens. */
export function SettingsPage() {
  const { data, error, refetch } = useStatus();
  return (
    <>
      <PageHeader title="Settings" about="What runs here, and where its settings are." />
      {!data && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        {data && <Engines status={data} />}
        {data && <Versions status={data} />}
        <Server />
        <Where />
        <Metrics />
        <Keys />
      </SimpleGrid>
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Title order={2} size="h4" mb="xs">
        {title}
      </Title>
      {children}
    </Paper>
  );
}

function Up({ up }: { up: boolean }) {
  return (
    <Badge variant="light" color={up ? "green" : "red"} tt="none">
      {up ? "up" : "away"}
    </Badge>
  );
}

function Engines({ status: { engines, live, head } }: { status: Status }) {
  return (
    <Part title="Engines">
      {engines.problems.length > 0 && (
        <Alert color="red" variant="outline" icon={<IconAlertOctagon aria-hidden />} title="They have a problem" mb="xs">
          <List size="sm">
            {engines.problems.map((words) => (
              <List.Item key={words}>{words}</List.Item>
            ))}
          </List>
        </Alert>
      )}
      <Facts
        facts={[
          ["HAProxy", <Up key="haproxy" up={engines.haproxy_up} />],
          ["guard-spoa", <Up key="spoa" up={engines.spoa_up} />],
          ["Validator", <Up key="validator" up={engines.validator_up} />],
          ["Rule sets loaded", engines.applications],
          ["Live revision", live === head ? live : `${live}, of ${head}`],
          ["Structure", engines.structure && <Code key="structure">{engines.structure}</Code>],
        ]}
      />
      {!engines.validator_up && <Text size="sm">While the validator is away, writes are accepted unjudged and may be refused later.</Text>}
      <Anchor component={Link} to="/changes/deployments" size="sm">
        Deployments
      </Anchor>
    </Part>
  );
}

const NAMES: Record<string, string> = {
  guard_proxy: "Guard Proxy",
  guard_spoa: "guard-spoa",
  haproxy: "HAProxy",
  coraza: "Coraza",
  crs: "OWASP Core Rule Set",
  templates: "Templates",
};

function Versions({ status: { engines, deployment } }: { status: Status }) {
  const versions = { ...deployment?.made_with, ...engines.versions };
  return (
    <Part title="Versions">
      <Table withRowBorders={false} verticalSpacing={2}>
        <Table.Tbody>
          {Object.entries(versions).map(([name, version]) => (
            <Table.Tr key={name}>
              <Table.Th scope="row" fw={400}>
                {NAMES[name] ?? name}
              </Table.Th>
              <Table.Td style={{ overflowWrap: "anywhere" }}>{version}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Part>
  );
}

function Server() {
  const { data, error } = useQuery({
    queryKey: ["ready"],
    // 503 has the same fields: what is away is what one wants to know.
    queryFn: async ({ signal }) => {
      const { data, error } = await ready({ signal });
      return (data ?? error) as { status: string; database: string } | undefined;
    },
    refetchInterval: 15_000,
  });
  return (
    <Part title="Server">
      {error && <ProblemAlert error={error} />}
      <Facts
        facts={[
          ["Ready", data && <Up key="ready" up={data.status === "ok" || data.status === "ready"} />],
          ["Database", data?.database],
          ["Address", location.origin],
        ]}
      />
      <Text size="sm">
        Balancers ask <Code>/ready</Code>: 503 only while the database is away.
      </Text>
    </Part>
  );
}

function Where() {
  return (
    <Part title="Where settings are">
      <Stack gap="xs">
        <Text size="sm">
          In <Code>/etc/guard-proxy/guard-proxy.toml</Code> on the server, or in the file that <Code>--config</Code> names; the environment
          (<Code>GUARD_PROXY_API__LISTEN</Code>) wins. They are read at the start. The API does not change them.
        </Text>
        <List size="sm">
          <List.Item>
            <Code>guard-proxy check</Code> judges settings and templates with the engines.
          </List.Item>
          <List.Item>
            <Code>guard-proxy doctor</Code> says what is wrong around an installation, and what to do.
          </List.Item>
        </List>
      </Stack>
    </Part>
  );
}

function Metrics() {
  const { can } = useMe();
  const may = can("read", "metrics");
  return (
    <Part title="Metrics">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">
          Prometheus reads <Code>{`${location.origin}/metrics`}</Code> with a token that may read metrics, as{" "}
          <Code>Authorization: Bearer</Code>
          {"; "}or the loopback listener of the settings, without one.
        </Text>
        {!may.allowed && <Text size="sm">{may.disabledReason}</Text>}
        <LinkButton to="/tokens" variant="default" size="xs" disabledReason={can("create", "token").disabledReason}>
          Make a token for it
        </LinkButton>
      </Stack>
    </Part>
  );
}

function Keys() {
  const { can } = useMe();
  const may = can("read", "setting");
  return <Part title="Keys that seal secrets">{may.allowed ? <SealingKeys /> : <Text size="sm">{may.disabledReason}</Text>}</Part>;
}
