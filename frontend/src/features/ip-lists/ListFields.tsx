import { Stack } from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import { NameFields } from "@/components/NameFields";
import type { ListValues } from "./ip-list";

export function ListFields(props: { form: UseFormReturnType<ListValues>; named: boolean; disabled: boolean }) {
  return (
    <Stack gap="sm">
      <NameFields {...props} />
    </Stack>
  );
}
