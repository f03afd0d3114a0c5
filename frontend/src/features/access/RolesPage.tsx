import type { Role, RoleRow } from "@guard-proxy/client";
import { Badge, Box, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { rolesQuery } from "@/auth/use-me";
import { Loaded } from "@/components/Loaded";
import { PageHeader } from "@/components/PageHeader";
import classes from "./RolesPage.module.css";

const ACTIONS = ["read", "create", "update", "delete"] as const;
const COLORS: Record<Role, string> = { viewer: "gray", operator: "blue", editor: "violet", admin: "red" };

/** The server's own table: the least role for each cell. */
export function RolesPage() {
  const query = useQuery(rolesQuery);
  return (
    <>
      <PageHeader
        title="What roles may do"
        parents={[{ label: "Users", to: "/users" }]}
        about="Each cell is the least role that may. Every role may what the ones before it may: viewer, operator, editor, admin."
      />
      <Loaded query={query}>
        {({ items }) => (
          <Box className={classes.box} role="region" aria-label="What roles may do" tabIndex={0}>
            <Table className={classes.table} stickyHeader>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>What</Table.Th>
                  {ACTIONS.map((action) => (
                    <Table.Th key={action}>{action === "update" ? "change" : action}</Table.Th>
                  ))}
                  <Table.Th>For some vhosts</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map((row) => (
                  <Row key={row.kind} row={row} />
                ))}
              </Table.Tbody>
            </Table>
          </Box>
        )}
      </Loaded>
    </>
  );
}

function Row({ row }: { row: RoleRow }) {
  return (
    <Table.Tr>
      <Table.Th scope="row">
        {row.kind.replaceAll("_", " ")}
        <Text size="xs" c="dimmed" fw={400}>
          {row.about}
        </Text>
      </Table.Th>
      {ACTIONS.map((action) => {
        const least = row[action];
        return (
          <Table.Td key={action}>
            {least ? (
              <Badge variant="light" color={COLORS[least]} tt="none" miw="max-content">
                {least}
              </Badge>
            ) : (
              <Text size="sm">nobody</Text>
            )}
          </Table.Td>
        );
      })}
      <Table.Td>{row.scoped ? "yes" : "only everywhere"}</Table.Td>
    </Table.Tr>
  );
}
