import { Anchor, Breadcrumbs, Group, Stack, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";

type Props = {
  title: string;
  /** Above the title, from the outermost on. */
  parents?: { label: string; to: string; search?: Record<string, unknown> }[];
  about?: ReactNode;
  actions?: ReactNode;
};

/** The head of each page; also the browser's title. */
export function PageHeader({ title, parents = [], about, actions }: Props) {
  useEffect(() => {
    document.title = `${title} · Guard Proxy`;
  }, [title]);
  return (
    <Stack gap={4} mb="md">
      {parents.length > 0 && (
        <Breadcrumbs component="nav" aria-label="Breadcrumbs">
          {parents.map(({ label, to, search }) => (
            <Anchor key={label} component={Link} to={to} search={search as never} size="sm">
              {label}
            </Anchor>
          ))}
          <Text size="sm" aria-current="page">
            {title}
          </Text>
        </Breadcrumbs>
      )}
      <Group justify="space-between" align="flex-start">
        <Title order={1} size="h2" style={{ overflowWrap: "anywhere" }}>
          {title}
        </Title>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {about && (
        <Text c="dimmed" component="div">
          {about}
        </Text>
      )}
    </Stack>
  );
}
