import type { VhostRepresentation } from "@guard-proxy/client";
import { Code, List, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Facts } from "@/components/Facts";
import { Part } from "@/components/Part";
import { TextLink } from "@/components/TextLink";
import { ipListQuery } from "../queries";

export function AccessTab({ vhost: { access, client_ip } }: { vhost: VhostRepresentation }) {
  return (
    <Stack gap="lg">
      <Text size="sm">The first that applies decides, from the top.</Text>
      <Part title="Denied" about="Clients on these lists get 403.">
        <Lists names={access.deny} none="Nobody is denied." />
      </Part>
      <Part title="Allowed only" about="Clients on none of these get 403.">
        <Lists names={access.allow_only} none="Everybody is let in." />
      </Part>
      <Part title="Trusted" about="Clients on these skip the WAF. Limits still hold.">
        <Lists names={access.trust} none="Everybody is inspected." />
      </Part>
      <Part title="The client's address" about="Lists, limits and events are about the address found so.">
        {client_ip.trusted_proxies.length === 0 ? (
          <Text size="sm">It is the connection's: no proxy in front is trusted.</Text>
        ) : (
          <Facts
            facts={[
              ["Header", <Code key="header">{client_ip.header}</Code>],
              [
                "Believed from",
                <Text key="proxies" size="sm" ff="monospace">
                  {client_ip.trusted_proxies.join(", ")}
                </Text>,
              ],
            ]}
          />
        )}
      </Part>
    </Stack>
  );
}

function Lists({ names, none }: { names: string[]; none: string }) {
  if (names.length === 0) return <Text size="sm">{none}</Text>;
  return (
    <List size="sm">
      {names.map((name) => (
        <List.Item key={name}>
          <TextLink to={`/ip-lists/${name}`}>{name}</TextLink> <Count name={name} />
        </List.Item>
      ))}
    </List>
  );
}

function Count({ name }: { name: string }) {
  const list = useQuery(ipListQuery(name)).data;
  if (!list) return null;
  return (
    <Text span size="sm" c="dimmed">
      {list.entry_count === 1 ? "1 entry" : `${list.entry_count} entries`}
      {list.title && `, ${list.title}`}
    </Text>
  );
}
