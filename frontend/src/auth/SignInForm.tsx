import { isProblem } from "@guard-proxy/client";
import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { ProblemAlert } from "@/components/ProblemAlert";
import { session } from "./session";

type Props = {
  email?: string | undefined;
  /** What was said before anything was tried here. */
  said?: ReactNode;
};

/** By password, and the authenticator's code where one is wanted. */
export function SignInForm({ email = "", said }: Props) {
  const [wantsCode, setWantsCode] = useState(false);
  const code = useRef<HTMLInputElement>(null);
  const form = useForm({ mode: "uncontrolled", initialValues: { email, password: "", totp: "" } });

  useEffect(() => {
    if (wantsCode) code.current?.focus();
  }, [wantsCode]);

  const signIn = useMutation({
    mutationFn: ({ email, password, totp }: typeof form.values) =>
      session.signIn({ email: email.trim(), password, totp: wantsCode ? totp.replaceAll(" ", "") : null }),
    onError: (refused) => isProblem(refused, "totp_required") && setWantsCode(true),
  });
  const error = isProblem(signIn.error, "totp_required") ? null : signIn.error;

  return (
    <>
      {error ? <ProblemAlert error={error} /> : said}
      <form onSubmit={form.onSubmit((values) => signIn.mutate(values))}>
        <Stack>
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="username"
            required
            autoFocus={!email}
            key={form.key("email")}
            {...form.getInputProps("email")}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            required
            autoFocus={Boolean(email)}
            data-autofocus={email ? true : undefined}
            key={form.key("password")}
            {...form.getInputProps("password")}
          />
          {wantsCode && (
            <TextInput
              ref={code}
              label="Code"
              description="Six digits of your authenticator, or a recovery code."
              autoComplete="one-time-code"
              required
              key={form.key("totp")}
              {...form.getInputProps("totp")}
            />
          )}
          <Button type="submit" loading={signIn.isPending}>
            Sign in
          </Button>
        </Stack>
      </form>
    </>
  );
}
