import { Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";

export function EmptyState({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" py="xl" ta="center">
      <Text fw={600}>{title}</Text>
      {children && (
        <Text c="dimmed" component="div" maw={480}>
          {children}
        </Text>
      )}
      {action}
    </Stack>
  );
}
