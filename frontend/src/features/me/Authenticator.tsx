import { beginTotp, confirmTotp, disableTotp, type TotpBegun } from "@guard-proxy/client";
import { Anchor, Badge, Button, Code, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { session } from "@/auth/session";
import { meQuery } from "@/auth/use-me";
import { CopyButton } from "@/components/CopyButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { Once } from "@/features/access/Once";
import { call } from "@/lib/api";
import { Hint } from "./MePage";
import { QrCode } from "./QrCode";

type Step = { at: "rest" } | { at: "password" } | { at: "scan"; begun: TotpBegun } | { at: "codes"; codes: string[] } | { at: "off" };

/** A second factor: begun with the password, counted from when its first code was given. */
export function Authenticator({ on }: { on: boolean }) {
  const queries = useQueryClient();
  const [step, setStep] = useState<Step>({ at: "rest" });
  const [kept, setKept] = useState(false);
  const rest = () => setStep({ at: "rest" });
  const again = () => queries.invalidateQueries({ queryKey: meQuery.queryKey });

  if (step.at === "password") {
    return (
      <Ask
        fields={["password"]}
        go="Go on"
        onCancel={rest}
        run={async ({ password }) => setStep({ at: "scan", begun: await call(beginTotp({ body: { password } })) })}
      >
        Your password once more: that you are signed in is not enough for this.
      </Ask>
    );
  }
  if (step.at === "scan") {
    return (
      <Stack>
        <Text size="sm">Scan this with your authenticator, then give the code that it shows.</Text>
        <Group align="flex-start">
          <QrCode text={step.begun.uri} label="QR code for your authenticator" />
          <Stack gap={4} maw={360}>
            <Text size="sm">It cannot scan? Type this:</Text>
            <Group gap={4} wrap="nowrap">
              <Code style={{ overflowWrap: "anywhere" }}>{step.begun.secret}</Code>
              <CopyButton value={step.begun.secret} label="Copy the secret" />
            </Group>
            <Anchor href={step.begun.uri} size="sm">
              Open it on this device
            </Anchor>
          </Stack>
        </Group>
        <Ask
          fields={["code"]}
          go="Confirm"
          onCancel={rest}
          run={async ({ code }) => {
            const { recovery_codes, ...signedIn } = await call(confirmTotp({ body: { code: code.replaceAll(" ", "") } }));
            session.take(signedIn);
            setKept(false);
            setStep({ at: "codes", codes: recovery_codes });
            void again();
          }}
        >
          It counts from then on; your other sessions end.
        </Ask>
      </Stack>
    );
  }
  if (step.at === "codes") {
    return (
      <Stack>
        <Once title="Your recovery codes" label="the recovery codes" value={step.codes.join("\n")} kept={kept} onKept={setKept}>
          <Text size="sm">Each stands in for the authenticator once, where that is lost. Keep them where it is not.</Text>
        </Once>
        <Button onClick={rest} disabled={!kept} style={{ alignSelf: "flex-start" }}>
          Done
        </Button>
      </Stack>
    );
  }
  if (step.at === "off") {
    return (
      <Ask
        fields={["password", "code"]}
        go="Take it off"
        dangerous
        onCancel={rest}
        run={async ({ password, code }) => {
          session.take(await call(disableTotp({ body: { password, code: code.replaceAll(" ", "") } })));
          notifications.show({ message: "The authenticator is off" });
          rest();
          void again();
        }}
      >
        Then your password alone signs you in. The code can be a recovery code.
      </Ask>
    );
  }
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <Badge variant="light" color={on ? "green" : "yellow"} tt="none">
          {on ? "on" : "off"}
        </Badge>
        <Text size="sm">{on ? "A code is asked for beside the password." : "Your password alone signs you in."}</Text>
      </Group>
      {on ? (
        <Button variant="default" onClick={() => setStep({ at: "off" })} style={{ alignSelf: "flex-start" }}>
          Take it off
        </Button>
      ) : (
        <Button onClick={() => setStep({ at: "password" })} style={{ alignSelf: "flex-start" }}>
          Set up an authenticator
        </Button>
      )}
    </Stack>
  );
}

type AskProps = {
  fields: ("password" | "code")[];
  go: string;
  dangerous?: boolean;
  run: (given: { password: string; code: string }) => Promise<void>;
  onCancel: () => void;
  children: ReactNode;
};

function Ask({ fields, go, dangerous, run, onCancel, children }: AskProps) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const submit = useMutation({ mutationFn: () => run({ password, code }) });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit.mutate();
      }}
    >
      <Stack maw={420}>
        <Hint>{children}</Hint>
        <ProblemAlert error={submit.error} />
        {fields.includes("password") && (
          <PasswordInput
            label="Your password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
        )}
        {fields.includes("code") && (
          <TextInput
            label="Code"
            description="Six digits of your authenticator."
            autoComplete="one-time-code"
            inputMode={dangerous ? "text" : "numeric"}
            required
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
          />
        )}
        <Group>
          <Button type="submit" loading={submit.isPending} color={dangerous ? "red" : undefined}>
            {go}
          </Button>
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
