import { changePassword } from "@guard-proxy/client";
import { Button, PasswordInput, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { session } from "@/auth/session";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { call } from "@/lib/api";
import { applyProblem } from "@/lib/apply-problem";
import { keys } from "@/lib/keys";
import { LEAST, MOST, passwordFault } from "@/lib/password";

export function Password({ email }: { email: string }) {
  const queries = useQueryClient();
  const form = useForm({
    mode: "controlled",
    initialValues: { password: "", new: "", again: "" },
    validate: {
      new: passwordFault,
      again: (again, { new: chosen }) => (again === chosen ? null : "Not the same."),
    },
  });

  // Without variables: the form stays, and they would stay with it.
  const change = useMutation({
    mutationFn: async () => {
      const { password, new: chosen } = form.getValues();
      session.take(await call(changePassword({ body: { password, new: chosen } })));
    },
    onSuccess: () => {
      form.reset();
      notifications.show({ message: "Your password is changed; your other sessions are over" });
      void queries.invalidateQueries({ queryKey: keys.all("sessions") });
    },
    onError: (refused) => applyProblem(form, refused),
  });

  return (
    <form onSubmit={form.onSubmit(() => change.mutate())}>
      <UnsavedGuard dirty={form.isDirty()} />
      <Stack maw={420}>
        <ProblemAlert error={change.error} withErrors={false} />
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
        <Button type="submit" loading={change.isPending} style={{ alignSelf: "flex-start" }}>
          Change the password
        </Button>
      </Stack>
    </form>
  );
}
