import { Alert, Button, Divider } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { methodsQuery } from "./methods";

/** What the provider's way back can say; what is not known here is told as it is. */
const WORDS: Record<string, string> = {
  sso_off: "Single sign-on is not set up.",
  sso_away: "The provider of single sign-on does not answer. Try again in a moment.",
  sso_attempt: "This sign-in was begun in another browser, is too old, or was used already. Begin again.",
  sso_refused: "The provider refused the sign-in.",
  sso_untrue: "What the provider answered could not be verified. The log of Guard Proxy says why.",
  sso_no_role: "None of your groups has a role here. Ask an administrator.",
  sso_unknown: "There is no account for you here. Ask an administrator.",
  sso_no_email: "The provider does not tell your e-mail address.",
  sso_email_unverified: "The provider has not verified your e-mail address.",
  sso_email_taken: "Somebody here has your e-mail address already. An administrator can link the two.",
  sso_disabled: "Your account is disabled.",
  too_many: "Too many attempts. Try again in a minute.",
};

export function SsoError({ code }: { code: string | undefined }) {
  if (!code) return null;
  return (
    <Alert color="red" variant="light" title="Not signed in" role="alert">
      {WORDS[code] ?? `Single sign-on failed (${code}).`}
    </Alert>
  );
}

type Props = {
  back?: string | undefined;
  /** In another tab, which tells this one. */
  elsewhere?: boolean;
};

/** A way to the provider, where there is one. */
export function SingleSignOn({ back, elsewhere }: Props) {
  const sso = useQuery(methodsQuery).data?.sso;
  if (!sso) return null;
  const href = back ? `${sso.begin}?return_to=${encodeURIComponent(back)}` : sso.begin;
  return (
    <>
      <Divider label="or" />
      <Button component="a" href={href} target={elsewhere ? "_blank" : undefined} variant="default">
        Sign in with {sso.name}
        {elsewhere && ", in a new tab"}
      </Button>
    </>
  );
}
