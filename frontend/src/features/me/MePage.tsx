import type { Me } from "@guard-proxy/client";
import { Alert, List, Paper, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { meQuery } from "@/auth/use-me";
import { Facts } from "@/components/Facts";
import { LinkButton } from "@/components/LinkButton";
import { Loaded } from "@/components/Loaded";
import { PageHeader } from "@/components/PageHeader";
import { RelativeTime } from "@/components/RelativeTime";
import { bindingWords } from "@/features/access/bindings";
import { isLocal, SOURCES, sourceOf } from "@/features/access/user";
import { Authenticator } from "./Authenticator";
import { Password } from "./Password";
import { Sessions } from "./Sessions";

export function MePage() {
  const query = useQuery(meQuery);
  return (
    <>
      <PageHeader title="My account" />
      <Loaded query={query}>{(me) => <Account me={me} />}</Loaded>
    </>
  );
}

function Account({ me }: { me: Me }) {
  const { user } = me;
  return (
    <Stack maw={820}>
      <Part title="Profile">
        <Facts
          facts={[
            ["E-mail address", user?.email ?? me.label],
            ["Name", user?.title],
            ["You come by", user && SOURCES[sourceOf(user)]],
            ["Since", user && <RelativeTime key="since" at={user.created_at} />],
            [
              "Roles",
              <List key="roles" size="sm" listStyleType="none">
                {me.roles.map((binding) => (
                  <List.Item key={bindingWords(binding)}>{bindingWords(binding)}</List.Item>
                ))}
              </List>,
            ],
          ]}
        />
        {user && !isLocal(user) && (
          <Hint>Your password, and what is asked for beside it, are with the provider; your roles are those of your groups.</Hint>
        )}
        <LinkButton to="/users/roles" variant="default" size="xs" style={{ alignSelf: "flex-start" }}>
          What roles may do
        </LinkButton>
      </Part>
      {user ? (
        <>
          {isLocal(user) && (
            <>
              <Part title="Password">
                <Password email={user.email} />
              </Part>
              <Part title="Authenticator">
                <Authenticator on={user.totp} />
              </Part>
            </>
          )}
          <Part title="Sessions">
            <Sessions />
          </Part>
        </>
      ) : (
        <Alert color="gray" variant="light">
          You are here by a token: it has no password and no sessions.
        </Alert>
      )}
    </Stack>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Stack gap="sm">
        <Title order={2} size="h4">
          {title}
        </Title>
        {children}
      </Stack>
    </Paper>
  );
}

export function Hint({ children }: { children: ReactNode }) {
  return (
    <Text size="sm" c="dimmed">
      {children}
    </Text>
  );
}
