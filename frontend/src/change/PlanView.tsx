import type { EngineVerdict, Plan } from "@guard-proxy/client";
import { Accordion, Alert, Anchor, Badge, Code, Group, List, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Some } from "@/components/Some";
import { StatusBadge } from "@/components/StatusBadge";
import { UnifiedDiff } from "@/components/UnifiedDiff";
import type { Working } from "@/working/working";
import { distinct } from "./errors";
import { approval, differs } from "./model";
import { bytes, laneWords, objectPath } from "./words";

/** What committing would do, most weighty first. */
export function PlanView({ plan }: { plan: Plan }) {
  const needs = approval(plan);
  return (
    <Stack gap="lg">
      <Problems plan={plan} />
      {needs.required && (
        <Alert color="yellow" variant="light" title="Somebody else has to approve it" icon={<IconAlertTriangle aria-hidden />}>
          {needs.vhosts.length > 0 && (
            <>
              It touches protected vhosts: {needs.vhosts.join(", ")}
              {needs.more > 0 && ` and ${needs.more} more`}.
            </>
          )}
        </Alert>
      )}
      {(plan.errors.length === 0 || differs(plan)) && <Effects plan={plan} />}
    </Stack>
  );
}

function Effects({ plan }: { plan: Plan }) {
  // As the plan is about them: what is new there is nowhere else.
  const search: Working = { change_set: plan.source.kind === "change_set" ? plan.source.id : undefined };
  return (
    <>
      <Part title="Risk">
        <Group gap="xs">
          <StatusBadge state={plan.risk.class} />
          {plan.risk.reasons.length === 0 && <Text size="sm">Nothing makes protection weaker.</Text>}
        </Group>
        <Some items={plan.risk.reasons} what="reasons">
          {(shown) => (
            <List size="sm">
              {shown.map((reason) => (
                <List.Item key={`${reason.code} ${reason.pointer}`}>
                  {reason.message} <StatusBadge state={reason.class} />
                </List.Item>
              ))}
            </List>
          )}
        </Some>
      </Part>
      <Changes plan={plan} />
      <Part title={`Vhosts treated otherwise: ${plan.vhosts.total}`}>
        <Group gap={6}>
          <Some items={plan.vhosts.names} what="names">
            {(shown) =>
              shown.map((name) => (
                <Anchor key={name} component={Link} to={`/vhosts/${name}`} search={search as never} target="_blank" size="sm">
                  {name}
                </Anchor>
              ))
            }
          </Some>
          {plan.vhosts.total > plan.vhosts.names.length && <Text size="sm">and {plan.vhosts.total - plan.vhosts.names.length} more</Text>}
        </Group>
      </Part>
      <Part title="How it reaches traffic">
        {plan.lanes.length === 0 && <Text size="sm">Nothing has to be brought to a node.</Text>}
        {[...new Set(plan.lanes.map(({ lane }) => lane))].map((lane) => (
          <div key={lane}>
            <Text size="sm">
              <b>{lane}</b>: {laneWords(lane)}
            </Text>
            <List size="sm">
              {plan.lanes
                .filter((one) => one.lane === lane)
                .map(({ reason }) => (
                  <List.Item key={reason}>{reason}</List.Item>
                ))}
            </List>
          </div>
        ))}
        <Text size="sm">{costWords(plan)}</Text>
      </Part>
      <Part title="What the engines say">
        {plan.engines.map((one) => (
          <Engine key={one.engine} {...one} />
        ))}
      </Part>
      <Files plan={plan} />
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Stack gap={4} component="section">
      <Title order={3} size="h5">
        {title}
      </Title>
      {children}
    </Stack>
  );
}

function Problems({ plan }: { plan: Plan }) {
  const lockOuts = plan.risk.reasons.filter(({ code }) => code === "locks_out_caller");
  return (
    <>
      {lockOuts.length > 0 && (
        <Alert color="red" title="This is you: you would lock yourself out" icon={<IconAlertTriangle aria-hidden />} role="alert">
          {lockOuts.map(({ pointer, message }) => (
            <Text size="sm" key={pointer}>
              {message}
            </Text>
          ))}
        </Alert>
      )}
      {plan.conflicts.length > 0 && (
        <Alert color="red" title="Somebody else changed the same" role="alert">
          <List size="sm">
            {plan.conflicts.map((one) => (
              <List.Item key={`${one.kind}/${one.name}${one.element}`}>
                {one.kind.replace("_", " ")} {one.name}
                {one.element}: {one.fields.join(", ")} (revision {one.theirs_revision})
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      {plan.errors.length > 0 && (
        <Alert color="red" title="It would be refused" role="alert">
          <List size="sm">
            {distinct(plan.errors).map((one) => (
              <List.Item key={`${one.pointer} ${one.code}`}>
                {one.pointer && <Code>{one.pointer}</Code>} {one.line ? `line ${one.line}: ` : ""}
                {one.detail}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      {plan.findings.length > 0 && (
        <Alert color="yellow" variant="light" title="Findings">
          <List size="sm">
            {plan.findings.map((one) => (
              <List.Item key={`${one.pointer} ${one.code}`}>
                <StatusBadge state={one.severity} /> {one.message} {one.pointer && <Code>{one.pointer}</Code>}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
    </>
  );
}

function Changes({ plan: { diff } }: { plan: Plan }) {
  return (
    <Part title="What changes">
      <Some items={diff.changes} what="objects">
        {(shown) => shown.map((object) => <Changed key={`${object.kind}/${object.name}`} object={object} />)}
      </Some>
      {diff.left_out > 0 && <Text size="sm">and {diff.left_out} more objects</Text>}
    </Part>
  );
}

function Changed({ object }: { object: Plan["diff"]["changes"][number] }) {
  return (
    <div>
      <Text size="sm" fw={600}>
        {objectPath(object.kind)} {object.name}: {object.change}
      </Text>
      <List size="sm">
        {object.fields.map((field) => (
          <List.Item key={field.pointer} style={{ overflowWrap: "anywhere" }}>
            {field.words}
          </List.Item>
        ))}
        {object.fields_left_out > 0 && <List.Item>and {object.fields_left_out} more</List.Item>}
      </List>
    </div>
  );
}

function Engine({ engine, answer, said }: EngineVerdict) {
  return (
    <div>
      <Group gap="xs">
        <Text size="sm">{engine}</Text>
        <StatusBadge state={answer} />
      </Group>
      {said && (
        <Code block style={{ whiteSpace: "pre-wrap" }}>
          {said}
        </Code>
      )}
    </div>
  );
}

function Files({ plan: { files } }: { plan: Plan }) {
  if (files.length === 0) return null;
  return (
    <Part title="Files of a node">
      <Accordion variant="separated" multiple>
        {files.map((file) => (
          <Accordion.Item key={file.path} value={file.path}>
            <Accordion.Control>
              <Group gap="xs">
                <Text size="sm" ff="monospace">
                  {file.path}
                </Text>
                <Badge variant="light" color="gray" tt="none">
                  {file.change}, +{file.added} −{file.removed}
                </Badge>
              </Group>
            </Accordion.Control>
            <Accordion.Panel>
              <UnifiedDiff diff={file.diff} label={`${file.path}, before and after`} />
              {file.truncated && <Text size="sm">It goes on; this is the beginning.</Text>}
            </Accordion.Panel>
          </Accordion.Item>
        ))}
      </Accordion>
    </Part>
  );
}

function costWords({ cost }: Plan): string {
  const said = [];
  if (cost.map_entries > 0) said.push(`${cost.map_entries} map entries`);
  if (cost.rulesets_to_load > 0) {
    said.push(
      `${cost.rulesets_to_load} rule sets to load, about ${cost.warm_up_ms} ms and ${bytes(cost.memory_bytes)} while both are there`,
    );
  }
  return said.length > 0 ? `Cost for a node: ${said.join("; ")}.` : "It costs a node nothing to speak of.";
}
