import { Alert } from "@mantine/core";
import { Door } from "./Door";
import { SignInForm } from "./SignInForm";
import { SingleSignOn, SsoError } from "./SingleSignOn";
import { useSession } from "./use-session";

/** After the sign-in the route's guard leads on: see `routes/sign-in.tsx`. */
export function SignInPage({ failed, back }: { failed?: string | undefined; back?: string | undefined }) {
  const state = useSession();
  return (
    <Door title="Sign in">
      {state.status === "out" && state.why === "expired" && (
        <Alert color="blue" variant="light">
          Your session is over. After signing in you are back where you were.
        </Alert>
      )}
      <SignInForm said={<SsoError code={failed} />} />
      <SingleSignOn back={back} />
    </Door>
  );
}
