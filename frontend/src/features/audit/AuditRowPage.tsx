import { type AuditRecord, getAuditRow } from "@guard-proxy/client";
import { Alert, Anchor, Box, Code, Group, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMe } from "@/auth/use-me";
import { CopyButton } from "@/components/CopyButton";
import { EmptyState } from "@/components/EmptyState";
import { Facts } from "@/components/Facts";
import { LinkButton } from "@/components/LinkButton";
import { Loaded } from "@/components/Loaded";
import { PageHeader } from "@/components/PageHeader";
import { RelativeTime } from "@/components/RelativeTime";
import { call } from "@/lib/api";
import { same } from "@/lib/conflict";
import { keys } from "@/lib/keys";
import classes from "./AuditRowPage.module.css";
import { flood, isOthers, pageOf } from "./words";

const route = getRouteApi("/_app/audit/$row");

export function AuditRowPage() {
  const id = Number(route.useParams().row);
  const { can } = useMe();
  const may = can("read", "audit");
  const query = useQuery({
    queryKey: keys.one("audit", id),
    queryFn: ({ signal }) => call(getAuditRow({ path: { id }, signal })),
    enabled: may.allowed,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <>
      <PageHeader
        title={`Audit row ${id}`}
        parents={[{ label: "Audit", to: "/audit" }]}
        actions={
          <>
            <LinkButton to={`/audit/${id - 1}`} variant="default" disabledReason={id <= 1 ? "It is the first row." : undefined}>
              The row before
            </LinkButton>
            <LinkButton to={`/audit/${id + 1}`} variant="default">
              The row after
            </LinkButton>
          </>
        }
      />
      {may.allowed ? (
        <Loaded query={query}>{(row) => <Row row={row} />}</Loaded>
      ) : (
        <EmptyState title="Not for you to see">{may.disabledReason}</EmptyState>
      )}
    </>
  );
}

function Row({ row }: { row: AuditRecord }) {
  const sum = flood(row);
  const page = pageOf(row);
  return (
    <>
      {sum && (
        <Alert color="red" variant="light" mb="md" title={`This row stands for ${sum.more} more`}>
          {isOthers(row) ? "They came from more sources than are counted one by one. " : "The first of them has a row of its own. "}
          {sum.from && (
            <>
              Between {new Date(sum.from).toLocaleString()} and {new Date(sum.to).toLocaleString()}.
            </>
          )}
        </Alert>
      )}
      <Facts
        facts={[
          ["When", <When key="at" at={row.at} />],
          ["Who", <Filter key="who" search={{ author: row.author }} words={row.author} />],
          ["Did", <Filter key="did" search={{ action: [row.action] }} words={row.action} />],
          [
            "To",
            <Group key="to" gap={6}>
              <Text size="sm">
                {row.kind.replaceAll("_", " ")}{" "}
                {page ? (
                  <Anchor component={Link} to={page} underline="always" inherit>
                    {row.name}
                  </Anchor>
                ) : (
                  row.name
                )}
              </Text>
              {row.name && (
                <Anchor component={Link} to="/audit" search={{ object: `${row.kind}/${row.name}` } as never} size="xs">
                  all rows about it
                </Anchor>
              )}
            </Group>,
          ],
          ["Object id", row.object_id && <Code key="oid">{row.object_id}</Code>],
          [
            "Revision",
            row.revision !== null && (
              <Anchor key="revision" component={Link} to={`/changes/revisions/${row.revision}`} underline="always" inherit>
                {row.revision}
              </Anchor>
            ),
          ],
          ["From", row.address],
          [
            "Request",
            row.request_id && (
              <Group key="request" gap={4}>
                <Code>{row.request_id}</Code>
                <CopyButton value={row.request_id} label="Copy the request id" />
                <Anchor component={Link} to="/audit" search={{ q: row.request_id } as never} size="xs">
                  all rows of it
                </Anchor>
              </Group>
            ),
          ],
          [
            "Hash",
            <Code key="hash" style={{ overflowWrap: "anywhere" }}>
              {row.hash}
            </Code>,
          ],
        ]}
      />
      <Title order={2} size="h4" mb="xs">
        Before and after
      </Title>
      <Sides before={row.before} after={row.after} />
    </>
  );
}

function When({ at }: { at: string }) {
  return (
    <>
      {new Date(at).toLocaleString()} (<RelativeTime at={at} />)
    </>
  );
}

function Filter({ search, words }: { search: Record<string, unknown>; words: string }) {
  return (
    <Anchor component={Link} to="/audit" search={search as never} underline="always" inherit>
      {words}
    </Anchor>
  );
}

type Value = Record<string, unknown> | null;

function Sides({ before, after }: { before: Value; after: Value }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  if (names.length === 0) return <Text size="sm">The row has neither: what was done is all that there is to say.</Text>;
  return (
    <Box className={classes.box} role="region" aria-label="Before and after" tabIndex={0}>
      <Table layout="fixed" className={classes.table}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={150}>Field</Table.Th>
            <Table.Th>Before</Table.Th>
            <Table.Th>After</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {names.map((name) => {
            const differs = !same(before?.[name], after?.[name]);
            return (
              <Table.Tr key={name}>
                <Table.Th scope="row" className={classes.name}>
                  {name}
                </Table.Th>
                <Table.Td className={differs && before ? classes.removed : undefined}>
                  <Shown there={before !== null && name in before} value={before?.[name]} />
                </Table.Td>
                <Table.Td className={differs && after ? classes.added : undefined}>
                  <Shown there={after !== null && name in after} value={after?.[name]} />
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Box>
  );
}

function Shown({ there, value }: { there: boolean; value: unknown }) {
  if (!there) return <Text size="xs">(not there)</Text>;
  if (value === "(secret)") return <Text size="xs">masked: it is a secret, and in no log</Text>;
  return <pre className={classes.value}>{typeof value === "string" ? value || '""' : JSON.stringify(value, null, 1)}</pre>;
}
