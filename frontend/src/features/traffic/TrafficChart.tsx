import type { TrafficPoint } from "@guard-proxy/client";
import { Group, Stack, Text } from "@mantine/core";
import { EmptyState } from "@/components/EmptyState";
import { COLUMNS, type Count, TrafficTable, words } from "./TrafficTable";

/** Each has a strip and a scale of its own: where the colours look alike, the words still tell them apart, and few blocks are seen among many requests. */
const STRIPS: { count: Count; label: string; color: string; always?: true }[] = [
  { count: "forwarded", label: "Forwarded", color: "blue", always: true },
  { count: "blocked", label: "Blocked", color: "red", always: true },
  { count: "detected", label: "Detected, not blocked", color: "orange", always: true },
  { count: "server_errors", label: "Answered with 5xx", color: "grape" },
  { count: "failed", label: "Without a verdict", color: "red" },
];
const MINUTES = 60;
const HEIGHT = 20;
const AXIS = { borderBottom: "1px solid var(--mantine-color-default-border)" };

/** An hour by the minute. A minute without traffic is a line; one that was not observed, a gap. */
export function TrafficChart({ points, now }: { points: TrafficPoint[]; now: number }) {
  const sum = (count: Count) => points.reduce((sum, point) => sum + point[count], 0);
  if (COLUMNS.every(([count]) => sum(count) === 0)) return <EmptyState title="No traffic in the last hour" />;
  const place = ({ at }: TrafficPoint) => MINUTES - 1 - Math.floor((now - Date.parse(at)) / 60_000);
  return (
    <Stack gap="sm">
      {STRIPS.filter(({ count, always }) => always || sum(count) > 0).map(({ count, label, color }) => {
        const most = Math.max(...points.map((point) => point[count]));
        const said = `${label}: ${words(sum(count))}${most > 0 ? `, at most ${words(most)} in a minute` : ""}`;
        return (
          <div key={count}>
            <Text size="sm">{said}</Text>
            <svg
              role="img"
              aria-label={`By the minute. ${said}`}
              viewBox={`0 0 ${MINUTES} ${HEIGHT}`}
              preserveAspectRatio="none"
              width="100%"
              height={40}
              style={AXIS}
            >
              {points.map((point) => {
                const height = 1 + ((HEIGHT - 1) * point[count]) / Math.max(most, 1);
                const style = { fill: `var(--mantine-color-${color}-filled)` };
                return <rect key={point.at} x={place(point)} y={HEIGHT - height} width={0.8} height={height} style={style} />;
              })}
            </svg>
          </div>
        );
      })}
      <Group justify="space-between" c="dimmed" fz="xs">
        <span>an hour ago</span>
        <span>now</span>
      </Group>
      <TrafficTable points={points} />
    </Stack>
  );
}
