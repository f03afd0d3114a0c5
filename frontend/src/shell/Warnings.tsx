import { Alert, Anchor, List, Stack, Text } from "@mantine/core";
import { IconAlertOctagon } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { RelativeTime } from "@/components/RelativeTime";
import { useStatus } from "@/live/use-live";

const SHOWN = 10;

/** Above every page while something is refused, unproven, away or in emergency mode: it cannot be closed, only mended. */
export function Warnings() {
  const status = useStatus().data;
  if (!status) return null;
  const { refused, unproven, engines, deployment, mode_overrides: emergencies } = status;
  const retried = deployment?.state === "retrying" ? deployment : undefined;
  if (refused.length + unproven.length + emergencies.length + engines.problems.length === 0 && !retried) return null;
  return (
    <Stack gap="xs" mb="md">
      {unproven.length > 0 && (
        <Loud title={unproven.length === 1 ? "A vhost is unproven" : `${unproven.length} vhosts are unproven`}>
          <Text size="sm">The last probe saw something else than what is configured.</Text>
          <List size="sm">
            {unproven.slice(0, SHOWN).map((name) => (
              <List.Item key={name}>
                <Anchor component={Link} to={`/vhosts/${name}`} inherit>
                  {name}
                </Anchor>
              </List.Item>
            ))}
            {unproven.length > SHOWN && <List.Item>and {unproven.length - SHOWN} more</List.Item>}
          </List>
        </Loud>
      )}
      {emergencies.map((one) => (
        <Loud key={one.vhost} title={`Vhost ${one.vhost} is in emergency mode: ${one.mode}`}>
          <Text size="sm">
            {one.reason} ({one.author}). It ends by itself <RelativeTime at={one.until} />;{" "}
            <Anchor component={Link} to={`/vhosts/${one.vhost}`} inherit>
              look at the vhost
            </Anchor>
            .
          </Text>
        </Loud>
      ))}
      {refused.map((one) => (
        <Loud key={one.revision} title={`Revision ${one.revision} was refused`}>
          <Text size="sm" ff="monospace" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
            {one.said}
          </Text>
          <Text size="sm">
            Traffic goes on with revision {status.live}. What was refused is kept as a change set:{" "}
            <Anchor component={Link} to="/changes" inherit underline="always">
              mend it
            </Anchor>
            .
          </Text>
        </Loud>
      ))}
      {retried && (
        <Loud title={`Revision ${retried.revision} could not be brought to the node yet; it is tried again`}>
          <Text size="sm">{retried.said}</Text>
        </Loud>
      )}
      {engines.problems.length > 0 && (
        <Loud title="The data plane has a problem">
          <List size="sm">
            {engines.problems.map((words) => (
              <List.Item key={words}>{words}</List.Item>
            ))}
          </List>
        </Loud>
      )}
    </Stack>
  );
}

function Loud({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <Alert color="red" variant="outline" icon={<IconAlertOctagon aria-hidden />} title={title} role="alert">
      <Stack gap={4}>{children}</Stack>
    </Alert>
  );
}
