import { Textarea, TextInput } from "@mantine/core";

type Props = {
  form: { getInputProps(path: "name" | "title" | "description"): object };
  /** It has its name, which never changes. */
  named: boolean;
  disabled?: boolean;
};

/** What every configured object begins with. */
export function NameFields({ form, named, disabled }: Props) {
  return (
    <>
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
    </>
  );
}
