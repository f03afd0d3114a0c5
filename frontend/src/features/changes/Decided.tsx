import type { ChangeSet } from "@guard-proxy/client";
import { Alert, Anchor, Code, List, Stack, Text } from "@mantine/core";
import { IconCheck, IconHourglass, IconX } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { RelativeTime } from "@/components/RelativeTime";
import { authorWords } from "./words";

/** What others said of it: an engine that refused it, a person who decided, or that nobody has yet. */
export function Decided({ changeSet, own }: { changeSet: ChangeSet; own: boolean }) {
  const { state, refusal, approval } = changeSet;
  return (
    <>
      {refusal && (state === "refused" || state === "open") && (
        <Alert
          color="red"
          variant="outline"
          icon={<IconX aria-hidden />}
          title={state === "refused" ? "It was committed, refused, and taken back" : "It was refused before"}
          role="alert"
        >
          <Stack gap="xs">
            {refusal.said ? (
              <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
                {refusal.said}
              </Code>
            ) : (
              <Text size="sm">What was said is about vhosts that you do not see.</Text>
            )}
            {refusal.errors.length > 0 && (
              <List size="sm">
                {refusal.errors.map((one) => (
                  <List.Item key={`${one.pointer} ${one.code}`} style={{ overflowWrap: "anywhere" }}>
                    {one.pointer && <Code>{one.pointer}</Code>} {one.detail}
                  </List.Item>
                ))}
              </List>
            )}
            <Text size="sm">
              Traffic goes on as before.{" "}
              <Anchor component={Link} to={`/changes/deployments/${refusal.deployment}`} underline="always" inherit>
                The deployment
              </Anchor>
            </Text>
          </Stack>
        </Alert>
      )}
      {approval && <Approval changeSet={changeSet} own={own} />}
    </>
  );
}

function Approval({ changeSet: { state, approval }, own }: { changeSet: ChangeSet; own: boolean }) {
  if (!approval) return null;
  const { decision, vhosts } = approval;
  const about = `It touches what is protected: ${vhosts.join(", ")}.`;
  if (state === "awaiting_approval") {
    return (
      <Alert color="yellow" variant="light" icon={<IconHourglass aria-hidden />} title="It waits for approval; nothing of it is in force">
        <Text size="sm">
          {about}{" "}
          {own
            ? "Any editor or administrator decides who could have made all of it and had no part in it: not you, and no token."
            : "You may decide, if you could have made all of it yourself."}{" "}
          Asked for <RelativeTime at={approval.requested_at} />.
        </Text>
      </Alert>
    );
  }
  if (!decision) return null;
  return (
    <Alert
      color={decision.approved ? "green" : "red"}
      variant="light"
      icon={decision.approved ? <IconCheck aria-hidden /> : <IconX aria-hidden />}
      title={`${authorWords(decision.by)} said ${decision.approved ? "yes" : "no"}`}
    >
      <Text size="sm" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
        {decision.reason || "No reason was given."} <RelativeTime at={decision.at} />
      </Text>
      <Text size="sm">{afterwards(state, about)}</Text>
    </Alert>
  );
}

function afterwards(state: ChangeSet["state"], about: string): string {
  if (state === "approved") return `${about} Its owner can commit it; an edit ends the approval.`;
  if (state === "open") return "Mend it, then commit it again: it is asked for anew.";
  return about;
}
