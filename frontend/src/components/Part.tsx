import { Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

export function Part({ title, about, children }: { title: string; about?: ReactNode; children: ReactNode }) {
  return (
    <Stack gap="xs" component="section">
      <div>
        <Title order={2} size="h4">
          {title}
        </Title>
        {about && (
          <Text size="sm" c="dimmed">
            {about}
          </Text>
        )}
      </div>
      {children}
    </Stack>
  );
}
