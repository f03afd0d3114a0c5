import type { Deployment } from "@guard-proxy/client";
import { Alert, Code, Group, Loader, Stack, Text, Timeline } from "@mantine/core";
import { IconCheck, IconX } from "@tabler/icons-react";
import { StatusBadge } from "@/components/StatusBadge";
import type { Progress } from "./use-deployment";
import { duration } from "./words";

/** A revision on its way to traffic, step by step, to its end. See `useProgress`. */
export function DeploymentProgress({ revision, end, deployment, said }: Progress & { revision: number }) {
  return (
    <Stack gap="md">
      <div role="status" aria-live="polite">
        {end === "live" && (
          <Alert color="green" variant="light" icon={<IconCheck aria-hidden />} title={`Revision ${revision} is live and proven`} />
        )}
        {end === undefined && (
          <Group gap="xs">
            <Loader size="sm" />
            <Text>Revision {revision} is on its way</Text>
            {deployment && <StatusBadge state={deployment.state} />}
          </Group>
        )}
      </div>
      {end === "refused" && (
        <Alert color="red" icon={<IconX aria-hidden />} title={`Revision ${revision} was refused`} role="alert">
          <Text size="sm">It was taken back; traffic goes on as before. What you wrote is kept as a change set.</Text>
          {deployment?.errors.map((one) => (
            <Text size="sm" key={`${one.pointer} ${one.code}`}>
              <Code>{one.pointer}</Code> {one.detail}
            </Text>
          ))}
        </Alert>
      )}
      {said && (
        <Code block style={{ whiteSpace: "pre-wrap" }}>
          {said}
        </Code>
      )}
      {deployment && <Steps deployment={deployment} />}
    </Stack>
  );
}

/** @public */
export function Steps({ deployment }: { deployment: Deployment }) {
  return (
    <Timeline bulletSize={20} lineWidth={2} active={deployment.steps.length}>
      {deployment.steps.map((step) => (
        <Timeline.Item
          key={`${step.started_at} ${step.name}`}
          color={step.ok ? "green" : "red"}
          bullet={step.ok ? <IconCheck size={12} aria-label="done" /> : <IconX size={12} aria-label="failed" />}
          title={
            <Text size="sm" fw={600}>
              {step.name}{" "}
              <Text span size="xs" c="dimmed">
                {duration(step.took_us)}
              </Text>
            </Text>
          }
        >
          <Text size="xs" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
            {step.detail}
          </Text>
        </Timeline.Item>
      ))}
    </Timeline>
  );
}
