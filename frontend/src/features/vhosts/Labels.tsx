import { Badge, Group } from "@mantine/core";

export function Labels({ labels }: { labels: Record<string, string> }) {
  return (
    <Group gap={4}>
      {Object.entries(labels).map(([key, value]) => (
        <Badge key={key} variant="default" tt="none" fw={400} maw="100%" style={{ flexShrink: 0 }} title={`${key}:${value}`}>
          {key}:{value}
        </Badge>
      ))}
    </Group>
  );
}
