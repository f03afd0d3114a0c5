import { Group, Skeleton, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { useSaving } from "@/change/use-saving";
import { ActionButton } from "@/components/ActionButton";
import { EmptyState } from "@/components/EmptyState";
import { InRevision } from "@/components/InRevision";
import { LinkButton } from "@/components/LinkButton";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { StatusBadge } from "@/components/StatusBadge";
import { UsedBy } from "@/features/used/UsedBy";
import { inUse, useUsersOfPolicy } from "@/features/used/use-users";
import { ExclusionList } from "./ExclusionList";
import { PolicySettings } from "./PolicySettings";
import { policyQuery } from "./policy";
import { RuleList } from "./RuleList";

const route = getRouteApi("/_app/policies/$policy/");
const PARENTS = [{ label: "Policies", to: "/policies" }];

export function PolicyPage() {
  const { policy: name } = route.useParams();
  const { tab = "settings" } = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const query = useQuery(policyQuery(name));
  const policy = query.data;
  const users = useUsersOfPolicy(name);
  const saving = useSaving({ resource: "policies", root: `/policies/${name}` });
  // Another number draws the form anew, with what the server has.
  const [saved, setSaved] = useState(0);

  const remove = async () => {
    const operations = [{ method: "DELETE" as const, path: `/policies/${name}`, if_match: policy?.meta.etag ?? "*" }];
    if (await saving.save({ operations, message: `Policy ${name} deleted` })) await navigate({ to: "/policies", ignoreBlocker: true });
  };
  const reads = can("read", "policy");
  if (!policy) {
    return (
      <>
        <PageHeader title={name} parents={PARENTS} />
        {query.error && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
        {query.isPending && (reads.allowed ? <Skeleton height={400} /> : <EmptyState title="Not yet">{reads.disabledReason}</EmptyState>)}
      </>
    );
  }
  return (
    <>
      <PageHeader
        title={policy.name}
        parents={PARENTS}
        about={
          <Group gap="xs">
            <StatusBadge state={policy.mode} />
            {policy.title && <Text fw={500}>{policy.title}</Text>}
            <span>
              Changed <RelativeTime at={policy.meta.updated_at} /> <InRevision revision={policy.meta.revision} />
            </span>
          </Group>
        }
        actions={
          <>
            <LinkButton
              variant="default"
              to="/policies/new"
              search={{ copy: policy.name }}
              disabledReason={can("create", "policy").disabledReason}
            >
              Copy
            </LinkButton>
            <ActionButton
              variant="default"
              loading={saving.busy}
              onClick={() => void remove()}
              disabledReason={can("delete", "policy").disabledReason ?? inUse(users)}
            >
              Delete
            </ActionButton>
          </>
        }
      />
      {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
      <Tabs
        value={tab}
        onChange={(next) => void navigate({ search: { tab: next === "settings" ? undefined : (next as typeof tab) }, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="settings">Settings</Tabs.Tab>
          <Tabs.Tab value="exclusions">Exclusions ({policy.exclusions.length})</Tabs.Tab>
          <Tabs.Tab value="rules">Custom rules ({policy.custom_rules.length})</Tabs.Tab>
          <Tabs.Tab value="used">Used by ({users.total ?? "…"})</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="settings">
          <PolicySettings key={`${name} ${saved}`} policy={policy} onSaved={() => setSaved(saved + 1)} />
        </Tabs.Panel>
        <Tabs.Panel value="exclusions">
          <ExclusionList policy={policy} />
        </Tabs.Panel>
        <Tabs.Panel value="rules">
          <RuleList policy={policy} />
        </Tabs.Panel>
        <Tabs.Panel value="used">
          <UsedBy users={users} none="Choose it in a vhost, or in a path of one: until then it treats nobody." />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
