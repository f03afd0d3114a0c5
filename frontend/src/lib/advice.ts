import type { Problem } from "@guard-proxy/client";

/** What to do about a problem, where its detail does not say. */
export function advice({ code, deployment }: Pick<Problem, "code" | "deployment">): string | undefined {
  switch (code) {
    case "unauthenticated":
      return "Sign in again.";
    case "forbidden":
      return "Ask an administrator for the role, or for a scope that has it.";
    case "precondition_failed":
    case "already_exists":
      return "Somebody changed it meanwhile. Look at both versions before writing again.";
    case "plan_changed":
      return "Make a new plan, look at it, and apply that.";
    case "refused":
      return deployment
        ? "It was taken back; what you wrote is kept as a change set. Mend it and commit it again."
        : "Nothing was committed. Mend what the engine names and save again.";
    case "too_many":
      return "Wait a moment, then try again.";
    case "took_too_long":
      return "Whether it was done is not known: look before you do it again.";
    case "unavailable":
      return "Traffic goes on as it was. Try again in a moment.";
    case "internal":
      return "Give the request id to whoever runs Guard Proxy: it finds the cause in the log.";
    default:
      return undefined;
  }
}
