import { changePassword } from "@guard-proxy/client";
import { Button, PasswordInput, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { session } from "@/auth/session";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { call } from "@/lib/api";
import { applyProblem } from "@/lib/apply-problem";
import { keys } from "@/lib/keys";
import { LEAST, MOST, passwordFault } from "@/lib/password";

export function Password({ email }: { email: string }) {
  const queries = useQueryClient();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const form = useForm({
    mode: "controlled",
    initialValues: { password: "", new: "", again: "" },
    validate: {
      new: passwordFault,
      again: (again, { new: chosen }) => (again === chosen ? null : "Not the same."),
    },
  });

  const submit = async ({ password, new: chosen }: typeof form.values) => {
    setBusy(true);
    setError(undefined);
    try {
      session.take(await call(changePassword({ body: { password, new: chosen } })));
      form.reset();
      notifications.show({ message: "Your password is changed; your other sessions are over" });
      void queries.invalidateQueries({ queryKey: keys.all("sessions") });
    } catch (refused) {
      applyProblem(form, refused);
      setError(refused);
    } finally {
      setBusy(false);
    }
  };

  return (
    <form onSubmit={form.onSubmit((values) => void submit(values))}>
      <UnsavedGuard dirty={form.isDirty() && !busy} />
      <Stack maw={420}>
        {Boolean(error) && <ProblemAlert error={error} withErrors={false} />}
        {/* Whose it is: password managers look for it. */}
        <input type="hidden" name="username" autoComplete="username" value={email} readOnly />
        <PasswordInput label="Password of now" autoComplete="current-password" required {...form.getInputProps("password")} />
        <PasswordInput
          label="New password"
          description={`${LEAST} to ${MOST} bytes; a sentence is good.`}
          autoComplete="new-password"
          required
          {...form.getInputProps("new")}
        />
        <PasswordInput label="New password once more" autoComplete="new-password" required {...form.getInputProps("again")} />
        <Button type="submit" loading={busy} style={{ alignSelf: "flex-start" }}>
          Change the password
        </Button>
      </Stack>
    </form>
  );
}
