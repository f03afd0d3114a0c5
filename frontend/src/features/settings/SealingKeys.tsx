import { type KeyState, listSealingKeys, resealSecrets, type SealingKey } from "@guard-proxy/client";
import { Badge, Code, Stack, Table, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { ConfirmModal } from "@/components/ConfirmModal";
import { Loaded } from "@/components/Loaded";
import { ProblemAlert } from "@/components/ProblemAlert";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";

const STATES: Record<KeyState, [string, string]> = {
  primary: ["green", "seals"],
  old: ["yellow", "old"],
  missing: ["red", "missing"],
};

/** The keys that seal secrets, how much is under each, and what to do about those that are not the newest. */
export function SealingKeys() {
  const queries = useQueryClient();
  const { can } = useMe();
  const query = useQuery({ queryKey: keys.all("sealing-keys"), queryFn: ({ signal }) => call(listSealingKeys({ signal })) });
  const [asking, setAsking] = useState(false);
  const reseal = useMutation({
    mutationFn: () => call(resealSecrets()),
    onSuccess: ({ resealed, items }) => {
      queries.setQueryData(keys.all("sealing-keys"), { items, total: items.length });
      notifications.show({ message: resealed === 1 ? "1 secret is sealed anew" : `${resealed} secrets are sealed anew` });
    },
    onSettled: () => setAsking(false),
  });
  const left = query.data?.items.some((key) => key.state === "old" && sealed(key) > 0);
  return (
    <Loaded query={query}>
      {({ items }) => (
        <Stack gap="xs">
          <Table.ScrollContainer minWidth={420}>
            <Table withRowBorders={false} verticalSpacing={2} aria-label="Sealing keys">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Key</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th ta="right">Authenticators</Table.Th>
                  <Table.Th ta="right">Signing keys</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map((key) => (
                  <Row key={key.id} sealing={key} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
          {items.map((key) => {
            const advice = adviceOf(key);
            return advice && <Text key={key.id} size="sm">{`Key ${key.id} ${advice}`}</Text>;
          })}
          <ProblemAlert error={reseal.error} />
          <ActionButton
            variant="default"
            size="xs"
            onClick={() => setAsking(true)}
            style={{ alignSelf: "flex-start" }}
            disabledReason={
              can("update", "setting").disabledReason ?? (left ? undefined : "Nothing is sealed under an old key that is there.")
            }
          >
            Seal anew
          </ActionButton>
          <ConfirmModal
            opened={asking}
            onClose={() => setAsking(false)}
            onConfirm={() =>
              reseal.mutateAsync().then(
                () => undefined,
                () => undefined,
              )
            }
            title="Seal secrets anew?"
            confirm="Seal anew"
          >
            What older keys sealed is sealed under the newest one. Nobody is kept waiting; when it is done, older keys can be taken out of
            the settings.
          </ConfirmModal>
        </Stack>
      )}
    </Loaded>
  );
}

function Row({ sealing: { id, state, authenticators, signing_keys } }: { sealing: SealingKey }) {
  const [color, words] = STATES[state];
  return (
    <Table.Tr>
      <Table.Td>
        <Code>{id}</Code>
      </Table.Td>
      <Table.Td>
        <Badge miw={96} variant="light" color={color} tt="none">
          {words}
        </Badge>
      </Table.Td>
      <Table.Td ta="right">{authenticators}</Table.Td>
      <Table.Td ta="right">{signing_keys}</Table.Td>
    </Table.Tr>
  );
}

function sealed({ authenticators, signing_keys }: SealingKey): number {
  return authenticators + signing_keys;
}

function adviceOf(key: SealingKey): string | undefined {
  if (key.state === "missing")
    return "is not in the settings: put its line back below the first one of auth.key_file and restart. Where it is lost, take the authenticator off these people.";
  if (key.state === "primary") return undefined;
  return sealed(key) > 0 ? "is still needed: seal anew." : "has sealed nothing that is there: its line can be taken out of auth.key_file.";
}
