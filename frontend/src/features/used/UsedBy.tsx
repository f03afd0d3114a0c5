import { Anchor, Badge, Button, Group, List, Skeleton, Stack, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "@/components/EmptyState";
import { ProblemAlert } from "@/components/ProblemAlert";
import type { Users } from "./use-users";

/** The vhosts that use a policy or an IP list, and for what. */
export function UsedBy({ users, none }: { users: Users; none: string }) {
  if (users.error) return <ProblemAlert error={users.error} onRetry={users.again} />;
  if (users.loading) return <Skeleton height={80} />;
  return (
    <Stack gap="sm">
      {users.users.length === 0 && <EmptyState title="No vhost uses it">{none}</EmptyState>}
      {users.users.length > 0 && (
        <Table.ScrollContainer minWidth={320}>
          <Table aria-label="Used by">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Vhost</Table.Th>
                <Table.Th>For</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {users.users.map(({ vhost, how }) => (
                <Table.Tr key={vhost.name}>
                  <Table.Td>
                    <Group gap={6}>
                      <Anchor component={Link} to={`/vhosts/${vhost.name}`} size="sm">
                        {vhost.name}
                      </Anchor>
                      {!vhost.enabled && (
                        <Badge color="gray" variant="light" tt="none">
                          disabled
                        </Badge>
                      )}
                      {vhost.protected && (
                        <Badge color="yellow" variant="light" tt="none">
                          protected
                        </Badge>
                      )}
                    </Group>
                  </Table.Td>
                  <Table.Td>
                    <List size="sm" listStyleType="none">
                      {how.map((words) => (
                        <List.Item key={words}>{words}</List.Item>
                      ))}
                    </List>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {users.hasMore && (
        <Group gap="sm">
          <Text size="sm" role="status">
            {users.users.length} of {users.total}
          </Text>
          <Button size="xs" variant="default" loading={users.loadingMore} onClick={users.more}>
            Show more
          </Button>
        </Group>
      )}
    </Stack>
  );
}
