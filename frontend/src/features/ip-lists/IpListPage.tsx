import { Group, Skeleton, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { useSaving } from "@/change/use-saving";
import { ActionButton } from "@/components/ActionButton";
import { InRevision } from "@/components/InRevision";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { UsedBy } from "@/features/used/UsedBy";
import { inUse, useUsersOfList } from "@/features/used/use-users";
import { Entries } from "./Entries";
import { ipListQuery } from "./ip-list";
import { ListSettings } from "./ListSettings";

const route = getRouteApi("/_app/ip-lists/$list/");
const PARENTS = [{ label: "IP lists", to: "/ip-lists" }];

export function IpListPage() {
  const { list: name } = route.useParams();
  const { tab = "entries", find } = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const query = useQuery(ipListQuery(name));
  const list = query.data;
  const users = useUsersOfList(name);
  const saving = useSaving({ resource: "ip-lists", root: `/ip-lists/${name}` });
  const [saved, setSaved] = useState(0);

  const remove = async () => {
    const operations = [{ method: "DELETE" as const, path: `/ip-lists/${name}`, if_match: list?.meta.etag ?? "*" }];
    if (await saving.save({ operations, message: `IP list ${name} deleted` })) await navigate({ to: "/ip-lists", ignoreBlocker: true });
  };
  if (!list) {
    return (
      <>
        <PageHeader title={name} parents={PARENTS} />
        {query.error ? <ProblemAlert error={query.error} onRetry={() => void query.refetch()} /> : <Skeleton height={400} />}
      </>
    );
  }
  return (
    <>
      <PageHeader
        title={list.name}
        parents={PARENTS}
        about={
          <Group gap="xs">
            {list.title && <Text fw={500}>{list.title}</Text>}
            <span>
              Changed <RelativeTime at={list.meta.updated_at} /> <InRevision revision={list.meta.revision} />
            </span>
          </Group>
        }
        actions={
          <ActionButton
            variant="default"
            loading={saving.busy}
            onClick={() => void remove()}
            disabledReason={can("delete", "ip_list").disabledReason ?? inUse(users)}
          >
            Delete
          </ActionButton>
        }
      />
      {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
      <Tabs
        value={tab}
        onChange={(next) => void navigate({ search: { tab: next === "entries" ? undefined : (next as typeof tab) }, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="entries">Entries ({list.entry_count})</Tabs.Tab>
          <Tabs.Tab value="used">Used by ({users.total ?? "…"})</Tabs.Tab>
          <Tabs.Tab value="settings">Settings</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="entries">
          <Entries
            list={list}
            users={users}
            find={find}
            onFind={(next) => void navigate({ search: (before) => ({ ...before, find: next }), replace: true })}
          />
        </Tabs.Panel>
        <Tabs.Panel value="used">
          <UsedBy users={users} none="Name it in a vhost's access, to deny, to allow only, or to trust." />
        </Tabs.Panel>
        <Tabs.Panel value="settings">
          <ListSettings key={`${name} ${saved}`} list={list} onSaved={() => setSaved(saved + 1)} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
