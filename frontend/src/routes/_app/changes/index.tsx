import { createFileRoute } from "@tanstack/react-router";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";

export const Route = createFileRoute("/_app/changes/")({
  component: () => (
    <>
      <PageHeader title="Changes" />
      <EmptyState title="This page is not there yet">The API has it: see API in the navigation.</EmptyState>
    </>
  ),
});
