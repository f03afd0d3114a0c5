import { Alert, Checkbox, Code, Group, Stack, Text } from "@mantine/core";
import { IconEye } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { CopyButton } from "@/components/CopyButton";

type Props = {
  title: string;
  /** What is shown this one time. */
  value: string;
  label: string;
  children?: ReactNode;
  kept: boolean;
  onKept: (kept: boolean) => void;
};

/** A secret that is shown once: whoever closes it says that they have it. */
export function Once({ title, value, label, children, kept, onKept }: Props) {
  return (
    <Alert color="yellow" variant="light" icon={<IconEye aria-hidden />} title={title}>
      <Stack gap="xs">
        <Text size="sm">It is shown this once: copy it now.</Text>
        <Group gap={4} wrap="nowrap" align="flex-start">
          <Code block style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap", flex: 1 }} aria-label={label}>
            {value}
          </Code>
          <CopyButton value={value} label={`Copy ${label}`} />
        </Group>
        {children}
        <Checkbox label="I have copied it" checked={kept} onChange={(event) => onKept(event.currentTarget.checked)} />
      </Stack>
    </Alert>
  );
}

/** The page by which somebody chooses a password. What is behind `#` browsers send to nobody. */
export function setupLink(token: string, email: string): string {
  return `${location.origin}/setup#${new URLSearchParams({ token, email })}`;
}
