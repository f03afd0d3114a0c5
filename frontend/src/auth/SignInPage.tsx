import { isProblem } from "@guard-proxy/client";
import { Alert, Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { ProblemAlert } from "@/components/ProblemAlert";
import { Door } from "./Door";
import { SingleSignOn, SsoError } from "./SingleSignOn";
import { session } from "./session";
import { useSession } from "./use-session";

/** After the sign-in the route's guard leads on: see `routes/sign-in.tsx`. */
export function SignInPage({ failed, back }: { failed?: string | undefined; back?: string | undefined }) {
  const state = useSession();
  const [wantsCode, setWantsCode] = useState(false);
  const code = useRef<HTMLInputElement>(null);
  const form = useForm({ mode: "uncontrolled", initialValues: { email: "", password: "", totp: "" } });

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
    <Door title="Sign in">
      {state.status === "out" && state.why === "expired" && (
        <Alert color="blue" variant="light">
          Your session is over. After signing in you are back where you were.
        </Alert>
      )}
      {error ? <ProblemAlert error={error} /> : <SsoError code={failed} />}
      <form onSubmit={form.onSubmit((values) => signIn.mutate(values))}>
        <Stack>
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="username"
            required
            autoFocus
            key={form.key("email")}
            {...form.getInputProps("email")}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            required
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
      <SingleSignOn back={back} />
    </Door>
  );
}
