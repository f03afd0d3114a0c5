import { Alert, Anchor, Button, Code, Group, List, Stack, Text } from "@mantine/core";
import { IconAlertCircle } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { advice } from "@/lib/advice";
import { asProblem } from "@/lib/api";
import { CopyButton } from "./CopyButton";

type Props = {
  error: unknown;
  /** For errors that are shown at their fields already. */
  withErrors?: boolean;
  onRetry?: () => void;
};

/** What went wrong, where, what to do, and the request id by which the server's log has it. */
export function ProblemAlert({ error, withErrors = true, onRetry }: Props) {
  if (!error) return null;
  const problem = asProblem(error);
  const hint = advice(problem);
  return (
    <Alert color="red" variant="light" icon={<IconAlertCircle aria-hidden />} title={problem.title} role="alert">
      <Stack gap="xs">
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {problem.detail}
        </Text>
        {problem.said && (
          <Code block style={{ whiteSpace: "pre-wrap" }}>
            {problem.said}
          </Code>
        )}
        {withErrors && problem.errors.length > 0 && (
          <List size="sm">
            {problem.errors.map((one) => (
              <List.Item key={`${one.pointer} ${one.code} ${one.detail}`}>
                {one.pointer && (
                  <>
                    <Code>{one.pointer}</Code>{" "}
                  </>
                )}
                {one.line ? `line ${one.line}${one.column ? `, column ${one.column}` : ""}: ` : ""}
                {one.detail}
              </List.Item>
            ))}
          </List>
        )}
        {problem.used_by && problem.used_by.length > 0 && (
          <Text size="sm">
            Used by{" "}
            {problem.used_by.map((name, i) => (
              <span key={name}>
                {i > 0 && ", "}
                <Anchor component={Link} to={`/vhosts/${name}`} inherit underline="always">
                  {name}
                </Anchor>
              </span>
            ))}
          </Text>
        )}
        {hint && <Text size="sm">{hint}</Text>}
        <Group gap="xs">
          {onRetry && (
            <Button size="xs" variant="default" onClick={onRetry}>
              Try again
            </Button>
          )}
          {problem.request_id && (
            <Group gap={4}>
              <Text size="xs">
                Request <Code>{problem.request_id}</Code>
              </Text>
              <CopyButton value={problem.request_id} label="Copy the request id" />
            </Group>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}
