import { listTokens, revokeToken, type TokenInfo } from "@guard-proxy/client";
import { Badge, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { ConfirmModal } from "@/components/ConfirmModal";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { usePages } from "@/lib/use-pages";
import { bindingWords, permitWords } from "./bindings";
import { TokenModal } from "./TokenModal";

export function TokensPage() {
  const queries = useQueryClient();
  const { can } = useMe();
  const may = can("read", "token");
  const revoking = can("delete", "token").disabledReason;
  const pages = usePages(
    keys.list("tokens"),
    async (_, signal) => ({ ...(await call(listTokens({ signal }))), next_cursor: null }),
    may.allowed,
  );
  const [creating, setCreating] = useState(false);
  const [doomed, setDoomed] = useState<TokenInfo>();
  const [error, setError] = useState<unknown>();

  const revoke = async (token: TokenInfo) => {
    setError(undefined);
    try {
      await call(revokeToken({ path: { token: token.id } }));
    } catch (refused) {
      setError(refused);
    }
    setDoomed(undefined);
    void queries.invalidateQueries({ queryKey: keys.all("tokens") });
  };

  const columns: Column<TokenInfo>[] = [
    { id: "name", header: "Name", width: 170, cell: (token) => <b>{token.name}</b> },
    {
      id: "may",
      header: "May",
      cell: (token) => (
        <Stack gap={0}>
          {[...token.roles.map(bindingWords), ...token.permits.map(permitWords)].map((words) => (
            <Text key={words} size="sm" style={{ overflowWrap: "anywhere" }}>
              {words}
            </Text>
          ))}
        </Stack>
      ),
    },
    {
      id: "networks",
      header: "From",
      width: 170,
      hideBelow: "md",
      cell: (token) => (
        <Text size="sm" lineClamp={2}>
          {token.networks.join(", ") || "anywhere"}
        </Text>
      ),
    },
    { id: "expires", header: "Ends", width: 130, hideBelow: "sm", cell: (token) => <Ends token={token} /> },
    { id: "used", header: "Last used", width: 130, hideBelow: "sm", cell: (token) => <RelativeTime at={token.last_used_at} /> },
    { id: "by", header: "Made by", width: 170, hideBelow: "lg", cell: (token) => token.created_by },
    {
      id: "revoke",
      header: "",
      width: 100,
      cell: (token) => (
        <ActionButton
          size="compact-sm"
          variant="subtle"
          color="red"
          disabledReason={revoking}
          onClick={() => setDoomed(token)}
          aria-label={`Revoke ${token.name}`}
        >
          Revoke
        </ActionButton>
      ),
    },
  ];
  return (
    <>
      <PageHeader
        title="Tokens"
        about="For pipelines and programs: each with no more than it needs. People sign in."
        actions={
          <ActionButton onClick={() => setCreating(true)} disabledReason={can("create", "token").disabledReason}>
            New token
          </ActionButton>
        }
      />
      {Boolean(error) && <ProblemAlert error={error} />}
      <DataTable
        label="Tokens"
        columns={columns}
        pages={pages}
        rowKey={(token) => token.id}
        permission={may}
        empty={<EmptyState title="No tokens yet">A pipeline that changes IP lists wants one with just that permit.</EmptyState>}
      />
      {creating && <TokenModal onClose={() => setCreating(false)} />}
      <ConfirmModal
        opened={doomed !== undefined}
        onClose={() => setDoomed(undefined)}
        onConfirm={() => (doomed ? revoke(doomed) : undefined)}
        title={`Revoke ${doomed?.name ?? ""}?`}
        confirm="Revoke"
        dangerous
        {...(doomed && { typed: doomed.name })}
      >
        It is good for nothing at once, also for streams that are open. That cannot be undone: whoever uses it needs another.
      </ConfirmModal>
    </>
  );
}

function Ends({ token: { expires_at } }: { token: TokenInfo }) {
  if (!expires_at) return <>never</>;
  if (Date.parse(expires_at) > Date.now()) return <RelativeTime at={expires_at} />;
  return (
    <Badge variant="light" color="gray" tt="none">
      expired
    </Badge>
  );
}
