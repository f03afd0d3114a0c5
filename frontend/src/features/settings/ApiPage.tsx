import { Button, Code, Group, List, Paper, Stack, Text, Title } from "@mantine/core";
import { IconExternalLink } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { useMe } from "@/auth/use-me";
import { CopyButton } from "@/components/CopyButton";
import { LinkButton } from "@/components/LinkButton";
import { PageHeader } from "@/components/PageHeader";

const CURL = `read -rs GUARD_PROXY_TOKEN
curl -H "Authorization: Bearer $GUARD_PROXY_TOKEN" ${location.origin}/api/v1/status`;

const CLIENT = `import { createGuardProxy, listVhosts, paginate } from "@guard-proxy/client";

const client = createGuardProxy({ baseUrl: "${location.origin}", token: process.env.GUARD_PROXY_TOKEN });
for await (const vhost of paginate(listVhosts, { client, query: { enabled: true } })) {
  console.log(vhost.name, vhost.hostnames);
}`;

/** Everything that the panel does, programs can do, too. */
export function ApiPage() {
  const { can } = useMe();
  return (
    <>
      <PageHeader
        title="API"
        about="The panel shows what the API has, and has nothing of its own: whatever is done here, a program can do."
        actions={
          <Button component="a" href="/docs/" target="_blank" rel="noreferrer" rightSection={<IconExternalLink size={16} aria-hidden />}>
            Swagger UI
          </Button>
        }
      />
      <Stack maw={820}>
        <Part title="Look at it, try it">
          <Text size="sm">
            Swagger UI has every operation, with its fields, bounds and problems. It opens in a tab of its own: what it sends it sends with
            the token that you give it there (Authorize), not with your session.
          </Text>
          <Group gap="xs">
            <Button component="a" href="/docs/" target="_blank" rel="noreferrer" variant="default" size="xs">
              Open /docs
            </Button>
            <Button component="a" href="/api/v1/openapi.json" target="_blank" rel="noreferrer" variant="default" size="xs">
              OpenAPI document
            </Button>
          </Group>
        </Part>
        <Part title="A token">
          <List size="sm" type="ordered">
            <List.Item>Make one for each program, with the permits that it needs, the networks it comes from, and an end.</List.Item>
            <List.Item>It is shown once. Keep it where the program reads it, not in git.</List.Item>
            <List.Item>Send it as Authorization: Bearer.</List.Item>
          </List>
          <LinkButton to="/tokens" variant="default" size="xs" disabledReason={can("create", "token").disabledReason}>
            Tokens
          </LinkButton>
          <Sample text={CURL} label="the commands" />
        </Part>
        <Part title="TypeScript client">
          <Text size="sm">
            <Code>@guard-proxy/client</Code> has a function for each operation, typed problems, paging, the stream, and waiting until a
            change is live and proven. It is what this panel is made with; for Node 20 or newer and for browsers.
          </Text>
          <Sample text="npm install @guard-proxy/client" label="the command" />
          <Sample text={CLIENT} label="the example" />
        </Part>
        <Part title="Policies as code">
          <Text size="sm">
            <Code>guard-proxy export</Code>, <Code>plan</Code> and <Code>apply</Code> bring a folder of YAML to the server as one revision,
            planned and proven as here.
          </Text>
        </Part>
      </Stack>
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Stack gap="sm" align="stretch">
        <Title order={2} size="h4">
          {title}
        </Title>
        {children}
      </Stack>
    </Paper>
  );
}

function Sample({ text, label }: { text: string; label: string }) {
  return (
    <Group gap={4} wrap="nowrap" align="flex-start">
      <Code block style={{ flex: 1, whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
        {text}
      </Code>
      <CopyButton value={text} label={`Copy ${label}`} />
    </Group>
  );
}
