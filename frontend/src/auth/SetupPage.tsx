import { setUp } from "@guard-proxy/client";
import { Alert, Anchor, Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ProblemAlert } from "@/components/ProblemAlert";
import { call } from "@/lib/api";
import { applyProblem } from "@/lib/apply-problem";
import { LEAST, MOST, passwordFault } from "@/lib/password";
import { Door } from "./Door";

export function SetupPage() {
  const [given] = useState(() => fromLink(location.hash));
  const form = useForm({
    mode: "uncontrolled",
    initialValues: { token: given.token, email: given.email, password: "", again: "" },
    validate: {
      password: passwordFault,
      again: (again, { password }) => (again === password ? null : "Not the same."),
    },
  });

  const choose = useMutation({
    mutationFn: ({ token, email, password }: typeof form.values) =>
      call(setUp({ body: { token: token.trim(), email: email.trim(), password } })),
    onError: (refused) => applyProblem(form, refused),
  });

  if (choose.isSuccess) {
    return (
      <Door title="Password chosen">
        <Alert color="green" variant="light">
          You can sign in now.
        </Alert>
        <Button component={Link} to="/sign-in">
          Sign in
        </Button>
      </Door>
    );
  }
  return (
    <Door title="Choose a password">
      <Text size="sm">By a link that is good once, for an hour. Sessions of before end.</Text>
      <ProblemAlert error={choose.error} withErrors={false} />
      <form onSubmit={form.onSubmit((values) => choose.mutate(values))}>
        <Stack>
          {!given.token && (
            <TextInput
              label="The link's token"
              description="As the server, or whoever invited you, printed it."
              required
              autoComplete="off"
              key={form.key("token")}
              {...form.getInputProps("token")}
            />
          )}
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="username"
            required
            key={form.key("email")}
            {...form.getInputProps("email")}
          />
          <PasswordInput
            label="Password"
            description={`${LEAST} to ${MOST} bytes; a sentence is good.`}
            autoComplete="new-password"
            required
            key={form.key("password")}
            {...form.getInputProps("password")}
          />
          <PasswordInput label="Once more" autoComplete="new-password" required key={form.key("again")} {...form.getInputProps("again")} />
          <Button type="submit" loading={choose.isPending}>
            Choose this password
          </Button>
          <Anchor component={Link} to="/sign-in" size="sm">
            I have one: sign in
          </Anchor>
        </Stack>
      </form>
    </Door>
  );
}

function fromLink(hash: string): { token: string; email: string } {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  return { token: given.get("token") ?? "", email: given.get("email") ?? "" };
}
