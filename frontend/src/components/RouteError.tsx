import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { PageHeader } from "./PageHeader";
import { ProblemAlert } from "./ProblemAlert";

/** A page that could not be read or drawn; the shell around it stays. */
export function RouteError({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <>
      <PageHeader title="This page could not be shown" />
      <ProblemAlert
        error={error}
        onRetry={() => {
          reset();
          void router.invalidate();
        }}
      />
    </>
  );
}
