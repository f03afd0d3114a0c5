import { Stack, Textarea, TextInput } from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import type { ListValues } from "./ip-list";

export function ListFields({ form, named, disabled }: { form: UseFormReturnType<ListValues>; named: boolean; disabled: boolean }) {
  return (
    <Stack gap="sm">
      {!named && (
        <TextInput
          label="Name"
          description="How it is referred to, everywhere; it never changes. Letters a to z, digits and hyphens."
          required
          maxLength={63}
          autoComplete="off"
          spellCheck={false}
          maw={420}
          disabled={disabled}
          {...form.getInputProps("name")}
        />
      )}
      <TextInput label="Title" maxLength={200} maw={420} disabled={disabled} {...form.getInputProps("title")} />
      <Textarea
        label="Description"
        autosize
        minRows={2}
        maxRows={10}
        maxLength={4000}
        disabled={disabled}
        {...form.getInputProps("description")}
      />
    </Stack>
  );
}
