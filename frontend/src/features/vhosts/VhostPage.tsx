import { isProblem, type VhostRepresentation } from "@guard-proxy/client";
import { Alert, Badge, Group, Skeleton, Stack, Tabs, Text, Tooltip } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMe } from "@/auth/use-me";
import { EmptyState } from "@/components/EmptyState";
import { InRevision } from "@/components/InRevision";
import { LinkButton } from "@/components/LinkButton";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { StatusBadge } from "@/components/StatusBadge";
import { TextLink } from "@/components/TextLink";
import { TrafficPart } from "@/features/traffic/TrafficPart";
import { EmergencyMode } from "./EmergencyMode";
import { Labels } from "./Labels";
import { proofQuery, vhostQuery } from "./queries";
import { TABS, type Tab } from "./tabs";
import { AccessTab } from "./tabs/AccessTab";
import { JsonTab } from "./tabs/JsonTab";
import { LimitsTab } from "./tabs/LimitsTab";
import { PolicyTab } from "./tabs/PolicyTab";
import { ProofTab } from "./tabs/ProofTab";
import { RoutingTab } from "./tabs/RoutingTab";
import { UpstreamTab } from "./tabs/UpstreamTab";
import { VhostActions } from "./VhostActions";
import { DISABLED, PROTECTED } from "./words";

const route = getRouteApi("/_app/vhosts/$vhost/");
const PARENTS = [{ label: "Vhosts", to: "/vhosts" }];

export function VhostPage() {
  const { vhost: name } = route.useParams();
  const { can } = useMe();
  const { data: vhost, error, refetch } = useQuery(vhostQuery(name));
  const may = can("read", "vhost");

  if (vhost) return <Shown vhost={vhost} />;
  return (
    <>
      <PageHeader title={name} parents={PARENTS} />
      {isProblem(error, "not_found") ? (
        <EmptyState
          title="There is no such vhost"
          action={
            <LinkButton to="/vhosts" variant="default">
              All vhosts
            </LinkButton>
          }
        >
          Or it is not yours to see.
        </EmptyState>
      ) : isProblem(error, "forbidden") || !may.allowed ? (
        <EmptyState title="Not for you to see">{may.disabledReason}</EmptyState>
      ) : error ? (
        <ProblemAlert error={error} onRetry={() => void refetch()} />
      ) : (
        <Skeleton height={320} aria-busy />
      )}
    </>
  );
}

function Shown({ vhost }: { vhost: VhostRepresentation }) {
  const { tab = "routing" } = route.useSearch();
  const navigate = route.useNavigate();
  const { data: status, error } = useQuery(proofQuery(vhost.name));
  return (
    <>
      <PageHeader title={vhost.title || vhost.name} parents={PARENTS} actions={<VhostActions vhost={vhost} />} about={vhost.description} />
      <Stack gap="md">
        <Group gap="xs">
          {status && <StatusBadge state={status.state} />}
          {!vhost.enabled && <StatusBadge state="disabled" />}
          {vhost.protected && (
            <Tooltip label={PROTECTED} multiline maw={320} events={{ hover: true, focus: true, touch: true }}>
              <Badge variant="light" color="blue" tt="none" tabIndex={0}>
                protected
              </Badge>
            </Tooltip>
          )}
          <Labels labels={vhost.labels} />
          <Text size="sm" c="dimmed">
            {vhost.title && vhost.title !== vhost.name && <>{vhost.name}, </>}
            policy <TextLink to={`/policies/${vhost.policy}`}>{vhost.policy}</TextLink>, changed <RelativeTime at={vhost.meta.updated_at} />{" "}
            <InRevision revision={vhost.meta.revision} />
          </Text>
        </Group>
        {isProblem(error, "not_found") && (
          <Alert color="blue" variant="light" title="It is only staged" role="status">
            Nothing of it is live: it has no proof, no traffic, and no state of its servers.
          </Alert>
        )}
        {status && !status.live && (
          <Alert color="blue" variant="light" title="Not live yet as it is here" role="status">
            Traffic is treated as of revision {status.live_revision}.
          </Alert>
        )}
        {status && <EmergencyMode vhost={vhost.name} current={status.mode_override} />}
        {!vhost.enabled && (
          <Alert color="gray" variant="light" title="It is disabled">
            {DISABLED}
          </Alert>
        )}
        <Tabs
          value={tab}
          onChange={(next) => void navigate({ search: next === "routing" ? {} : { tab: next as Tab }, replace: true })}
          keepMounted={false}
        >
          <Tabs.List mb="md">
            {TABS.map(({ value, label }) => (
              <Tabs.Tab key={value} value={value}>
                {label}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          {TABS.map(({ value }) => (
            <Tabs.Panel key={value} value={value}>
              <Content tab={value} vhost={vhost} />
            </Tabs.Panel>
          ))}
        </Tabs>
      </Stack>
    </>
  );
}

function Content({ tab, vhost }: { tab: Tab; vhost: VhostRepresentation }) {
  switch (tab) {
    case "routing":
      return <RoutingTab vhost={vhost} />;
    case "upstream":
      return <UpstreamTab vhost={vhost} />;
    case "access":
      return <AccessTab vhost={vhost} />;
    case "policy":
      return <PolicyTab vhost={vhost} />;
    case "limits":
      return <LimitsTab vhost={vhost} />;
    case "traffic":
      return <TrafficPart vhost={vhost.name} />;
    case "proof":
      return <ProofTab vhost={vhost.name} />;
    case "json":
      return <JsonTab vhost={vhost} />;
  }
}
