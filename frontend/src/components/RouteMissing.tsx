import { Anchor } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "./EmptyState";
import { PageHeader } from "./PageHeader";

export function RouteMissing() {
  return (
    <>
      <PageHeader title="Not found" />
      <EmptyState
        title="There is nothing at this address"
        action={
          <Anchor component={Link} to="/">
            Overview
          </Anchor>
        }
      >
        It may have been deleted, or you may not see it.
      </EmptyState>
    </>
  );
}
