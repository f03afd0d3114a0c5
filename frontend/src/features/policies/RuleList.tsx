import type { CustomRuleRepresentation, PolicyRepresentation } from "@guard-proxy/client";
import { ActionIcon, Anchor, Code, Group, Skeleton, Stack, Table, Text } from "@mantine/core";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { useSaving } from "@/change/use-saving";
import { ActionButton } from "@/components/ActionButton";
import { EmptyState } from "@/components/EmptyState";
import { LinkButton } from "@/components/LinkButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { StatusBadge } from "@/components/StatusBadge";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { rulesQuery } from "./policy";
import { moved } from "./rule";

export function RuleList({ policy }: { policy: PolicyRepresentation }) {
  const { can } = useMe();
  const query = useQuery(rulesQuery(policy.name));
  const saving = useSaving({ resource: "policies", root: `/policies/${policy.name}` });
  /** Ids in another order than the server's. */
  const [order, setOrder] = useState<{ ids: number[]; etag: string }>();
  const reads = can("read", "custom_rule");
  const may = can("update", "custom_rule");
  if (!reads.allowed) return <EmptyState title="Not for you to see">{reads.disabledReason}</EmptyState>;
  if (query.error) return <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton height={200} />;

  const rules = order ? order.ids.flatMap((id) => query.data.filter((rule) => rule.id === id)) : query.data;
  const move = (id: number, by: -1 | 1) => {
    const ids = moved(
      rules.map((rule) => rule.id),
      id,
      by,
    );
    setOrder({ ids, etag: order?.etag ?? policy.meta.etag });
  };
  const saveOrder = async () => {
    if (!order) return;
    const value = { custom_rules: rules.map(({ meta: _, ...rule }) => rule) };
    const operations = [{ method: "PATCH" as const, path: `/policies/${policy.name}`, value, if_match: order.etag }];
    if (await saving.save({ operations, message: `Policy ${policy.name}: order of custom rules` })) setOrder(undefined);
  };
  return (
    <Stack gap="sm">
      <UnsavedGuard dirty={order !== undefined} />
      <Text size="sm" c="dimmed">
        Rules of your own, in SecLang, in this order: before the Core Rule Set or after it.
      </Text>
      <Group>
        <LinkButton to={`/policies/${policy.name}/new-rule`} disabledReason={can("create", "custom_rule").disabledReason}>
          New rule
        </LinkButton>
        <ActionButton
          variant="default"
          loading={saving.busy}
          onClick={() => void saveOrder()}
          disabledReason={may.disabledReason ?? (order ? undefined : "The order is as the server has it.")}
        >
          Save the order
        </ActionButton>
        {order && (
          <ActionButton variant="subtle" onClick={() => setOrder(undefined)}>
            Undo
          </ActionButton>
        )}
      </Group>
      {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
      {rules.length === 0 ? (
        <EmptyState title="No custom rules">The Core Rule Set is enough for most sites.</EmptyState>
      ) : (
        <Rules policy={policy.name} rules={rules} move={move} disabledReason={may.disabledReason} />
      )}
    </Stack>
  );
}

type RulesProps = {
  policy: string;
  rules: CustomRuleRepresentation[];
  move: (id: number, by: -1 | 1) => void;
  disabledReason: string | undefined;
};

function Rules({ policy, rules, move, disabledReason }: RulesProps) {
  return (
    <Table.ScrollContainer minWidth={560}>
      <Table aria-label="Custom rules">
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={90}>Id</Table.Th>
            <Table.Th>Rule</Table.Th>
            <Table.Th w={120}>Place</Table.Th>
            <Table.Th w={110}>State</Table.Th>
            <Table.Th w={90}>Order</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rules.map((rule, index) => (
            <Table.Tr key={rule.id}>
              <Table.Td>
                <Anchor component={Link} to={`/policies/${policy}/rules/${rule.id}`} size="sm">
                  {rule.id}
                </Anchor>
              </Table.Td>
              <Table.Td>
                <Code style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>{shortened(rule.seclang)}</Code>
              </Table.Td>
              <Table.Td>{rule.placement === "before" ? "before the CRS" : "after the CRS"}</Table.Td>
              <Table.Td>{rule.enabled ? "in force" : <StatusBadge state="disabled" />}</Table.Td>
              <Table.Td>
                <Group gap={2} wrap="nowrap">
                  <Step
                    up
                    label={`Move ${rule.id} up`}
                    disabled={index === 0 || Boolean(disabledReason)}
                    onClick={() => move(rule.id, -1)}
                  />
                  <Step
                    label={`Move ${rule.id} down`}
                    disabled={index === rules.length - 1 || Boolean(disabledReason)}
                    onClick={() => move(rule.id, 1)}
                  />
                </Group>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Step({ up = false, label, disabled, onClick }: { up?: boolean; label: string; disabled: boolean; onClick: () => void }) {
  const Icon = up ? IconArrowUp : IconArrowDown;
  return (
    <ActionIcon variant="subtle" aria-label={label} disabled={disabled} onClick={onClick}>
      <Icon size={16} aria-hidden />
    </ActionIcon>
  );
}

function shortened(seclang: string): string {
  const lines = seclang.trim().split("\n");
  const text = lines.slice(0, 3).join("\n");
  return lines.length > 3 || text.length > 300 ? `${text.slice(0, 300)} …` : text;
}
