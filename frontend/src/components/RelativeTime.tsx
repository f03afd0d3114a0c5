import { Text, Tooltip } from "@mantine/core";
import { useEffect, useState } from "react";

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function relativeWords(at: number, now: number): string {
  const seconds = Math.round((at - now) / 1000);
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return Math.abs(seconds) < 10 ? "now" : relative.format(seconds, "second");
}

/** `3 minutes ago`, with the moment itself as tooltip and for programs. */
export function RelativeTime({ at, none = "never" }: { at: string | null | undefined; none?: string }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  if (!at) return <>{none}</>;
  const date = new Date(at);
  return (
    <Tooltip label={absolute.format(date)} events={{ hover: true, focus: true, touch: true }}>
      <Text component="time" inherit span dateTime={at} style={{ whiteSpace: "nowrap" }}>
        {relativeWords(date.getTime(), now)}
      </Text>
    </Tooltip>
  );
}
