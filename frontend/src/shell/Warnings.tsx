import { Alert, List, Stack, Text } from "@mantine/core";
import { IconAlertOctagon } from "@tabler/icons-react";
import { RelativeTime } from "@/components/RelativeTime";
import { Some } from "@/components/Some";
import { TextLink } from "@/components/TextLink";
import { useStatus } from "@/live/use-live";

const FEW = 3;

/** What is not as it should be, the worst first; of each kind a few, so that many of one do not hide another. */
export function Warnings() {
  const status = useStatus().data;
  if (!status) return null;
  const { refused, unproven, engines, deployment, mode_overrides: emergencies } = status;
  const retried = deployment?.state === "retrying" ? deployment : undefined;
  if (refused.length + unproven.length + emergencies.length + engines.problems.length === 0 && !retried) return null;
  return (
    <Stack gap="xs" mb="md">
      {engines.problems.length > 0 && (
        <Loud title="The data plane has a problem">
          <List size="sm">
            {engines.problems.map((words) => (
              <List.Item key={words}>{words}</List.Item>
            ))}
          </List>
        </Loud>
      )}
      <Some items={refused} what="refused revisions" most={FEW}>
        {(shown) =>
          shown.map((one) => (
            <Loud key={one.revision} title={`Revision ${one.revision} was refused`}>
              <Text size="sm" ff="monospace" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
                {one.said}
              </Text>
              <Text size="sm">
                Traffic goes on with revision {status.live}.{" "}
                <TextLink to={`/changes/deployments/${one.deployment}`}>Look at its deployment</TextLink>. What was refused is kept as a
                change set of who wrote it:{" "}
                <TextLink to="/changes/mine" search={{ state: "refused" }}>
                  mend it
                </TextLink>
                .
              </Text>
            </Loud>
          ))
        }
      </Some>
      {unproven.length > 0 && (
        <Loud title={unproven.length === 1 ? "A vhost is unproven" : `${unproven.length} vhosts are unproven`}>
          <Text size="sm">The last probe saw something else than what is configured.</Text>
          <Some items={unproven} what="vhosts">
            {(shown) => (
              <List size="sm">
                {shown.map((name) => (
                  <List.Item key={name}>
                    <TextLink to={`/vhosts/${name}`} search={{ tab: "proof" }}>
                      {name}
                    </TextLink>
                  </List.Item>
                ))}
              </List>
            )}
          </Some>
        </Loud>
      )}
      <Some items={emergencies} what="emergency modes" most={FEW}>
        {(shown) =>
          shown.map((one) => (
            <Loud key={one.vhost} title={`Vhost ${one.vhost} is in emergency mode: ${one.mode}`}>
              <Text size="sm">
                {one.reason} ({one.author}). It ends by itself <RelativeTime at={one.until} />;{" "}
                <TextLink to={`/vhosts/${one.vhost}`}>look at the vhost</TextLink>.
              </Text>
            </Loud>
          ))
        }
      </Some>
      {retried && (
        <Loud title={`Revision ${retried.revision} could not be brought to the node yet; it is tried again`}>
          <Text size="sm">{retried.said}</Text>
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
