import type { EngineStatus } from "@guard-proxy/client";
import { Badge, Code, List, Text } from "@mantine/core";
import { Facts } from "@/components/Facts";
import { Part } from "@/components/Part";

export function Engines({ engines, made }: { engines: EngineStatus; made: Record<string, string> }) {
  const { versions } = engines;
  const others = Object.entries({ ...made, ...versions }).filter(([name]) => !KNOWN.has(name));
  return (
    <Part title="Engines">
      <Facts
        facts={[
          ["HAProxy", <Engine key="haproxy" up={engines.haproxy_up} version={versions.haproxy} />],
          ["guard-spoa", <Engine key="spoa" up={engines.spoa_up} version={versions.guard_spoa} />],
          ["Validator", <Engine key="validator" up={engines.validator_up} version={undefined} />],
          ["Coraza", versions.coraza ?? "not known"],
          ["Core Rule Set", versions.crs ?? "not known"],
          ["Guard Proxy", made.guard_proxy ?? "not known"],
          ["Rule sets loaded", engines.applications],
          ["Structure", <Code key="structure">{engines.structure || "none"}</Code>],
          ...others.map(([name, version]): [string, string] => [name, version]),
        ]}
      />
      {engines.problems.length > 0 && (
        <List size="sm">
          {engines.problems.map((words) => (
            <List.Item key={words}>{words}</List.Item>
          ))}
        </List>
      )}
    </Part>
  );
}

const KNOWN = new Set(["haproxy", "guard_spoa", "coraza", "crs", "guard_proxy", "templates"]);

function Engine({ up, version }: { up: boolean; version: string | undefined }) {
  return (
    <>
      <Badge color={up ? "green" : "red"} variant="light" tt="none">
        {up ? "up" : "away"}
      </Badge>{" "}
      <Text span size="sm">
        {version}
      </Text>
    </>
  );
}
