import { Alert, Code, List, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { distinct } from "@/change/errors";
import { ProblemAlert } from "@/components/ProblemAlert";
import { changeSetPlanQuery } from "@/features/changes/queries";
import { kindWords } from "@/lib/objects";

const SHOWN = 3;

/** What the change set would be refused for as it is in this version, whoever brought it there. */
export function InTheWay({ id, version }: { id: string; version: number }) {
  const { data: plan, error, refetch } = useQuery(changeSetPlanQuery(id, version));
  if (error) {
    return (
      <Stack gap={4} mt="xs">
        <Text size="sm">All of it is staged; whether it could be committed was not found out.</Text>
        <ProblemAlert error={error} onRetry={() => void refetch()} />
      </Stack>
    );
  }
  if (!plan) return null;
  return (
    <>
      <Some title="Somebody else changed the same: bring it onto the newest revision, on its own page">
        {plan.conflicts.map(({ kind, name, element, fields }) => (
          <List.Item key={`${kind} ${name}${element}`} style={{ overflowWrap: "anywhere" }}>
            {kindWords(kind)} {name}
            {element}: {fields.join(", ")}
          </List.Item>
        ))}
      </Some>
      <Some title="As it is, it would be refused">
        {distinct(plan.errors).map(({ pointer, code, line, column, detail }) => (
          <List.Item key={`${pointer} ${code} ${line} ${column}`} style={{ overflowWrap: "anywhere" }}>
            <Code>{pointer}</Code> {detail}
          </List.Item>
        ))}
      </Some>
    </>
  );
}

function Some({ title, children }: { title: string; children: ReactNode[] }) {
  if (children.length === 0) return null;
  return (
    <Alert color="red" variant="light" title={title} role="alert" mt="xs" p="xs">
      <List size="sm">
        {children.slice(0, SHOWN)}
        {children.length > SHOWN && <List.Item>and {children.length - SHOWN} more</List.Item>}
      </List>
    </Alert>
  );
}
