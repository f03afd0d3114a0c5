import { listUsers, type User } from "@guard-proxy/client";
import { Badge, Group, Text } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { LinkButton } from "@/components/LinkButton";
import { PageHeader } from "@/components/PageHeader";
import { RelativeTime } from "@/components/RelativeTime";
import { SearchInput } from "@/components/SearchInput";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { usePages } from "@/lib/use-pages";
import { bindingWords } from "./bindings";
import { InviteModal } from "./InviteModal";
import { isLocal, SOURCES, sourceOf } from "./user";

const route = getRouteApi("/_app/users/");

const columns: Column<User>[] = [
  { id: "email", header: "E-mail address", cell: (user) => user.email },
  { id: "title", header: "Name", width: 180, hideBelow: "md", cell: (user) => user.title },
  {
    id: "roles",
    header: "Roles",
    hideBelow: "xs",
    cell: (user) => (
      <Text size="sm" lineClamp={2}>
        {user.roles.map(bindingWords).join(" · ") || "none"}
      </Text>
    ),
  },
  { id: "state", header: "State", width: 200, cell: (user) => <UserState user={user} /> },
  { id: "source", header: "Comes by", width: 130, hideBelow: "md", cell: (user) => SOURCES[sourceOf(user)] },
  { id: "totp", header: "Authenticator", width: 120, hideBelow: "md", cell: (user) => isLocal(user) && (user.totp ? "yes" : "no") },
  { id: "created", header: "Since", width: 130, hideBelow: "sm", cell: (user) => <RelativeTime at={user.created_at} /> },
];

export function UserState({ user }: { user: User }) {
  const [color, words] = user.disabled ? ["gray", "disabled"] : user.ready ? ["green", "can sign in"] : ["yellow", "invited, no password"];
  return (
    <Badge variant="light" color={color} tt="none">
      {words}
    </Badge>
  );
}

export function UsersPage() {
  const { q } = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const may = can("read", "user");
  const query = { q, limit: 100 };
  const pages = usePages(
    keys.list("users", query),
    (cursor, signal) => call(listUsers({ query: { ...query, cursor }, signal })),
    may.allowed,
  );
  const [inviting, setInviting] = useState(false);
  return (
    <>
      <PageHeader
        title="Users"
        about="People who may sign in, and what they may do. Pipelines have tokens."
        actions={
          <>
            <LinkButton to="/users/roles" variant="default">
              What roles may do
            </LinkButton>
            <ActionButton onClick={() => setInviting(true)} disabledReason={can("create", "user").disabledReason}>
              Invite
            </ActionButton>
          </>
        }
      />
      <Group mb="sm">
        <SearchInput
          label="Search by address or name"
          value={q}
          onChange={(next) => void navigate({ search: { q: next }, replace: true })}
        />
      </Group>
      <DataTable
        label="Users"
        columns={columns}
        pages={pages}
        rowKey={(user) => user.id}
        rowLink={(user) => `/users/${user.id}`}
        permission={may}
        empty={<EmptyState title={q ? "Nobody has this in their address or name" : "Nobody yet"} />}
      />
      {inviting && <InviteModal onClose={() => setInviting(false)} />}
    </>
  );
}
