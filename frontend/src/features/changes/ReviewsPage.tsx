import { listChangeSets } from "@guard-proxy/client";
import { useMe } from "@/auth/use-me";
import { DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { usePages } from "@/lib/use-pages";
import { toReviewColumns } from "./ChangeSetsPage";
import { ChangesNav } from "./ChangesNav";

const query = { review: true, limit: 100 };

export function ReviewsPage() {
  const { can } = useMe();
  const may = can("update", "approval");
  const pages = usePages(
    keys.list("change-sets", query),
    (cursor, signal) => call(listChangeSets({ query: { ...query, cursor }, signal })),
    may.allowed,
  );
  return (
    <>
      <PageHeader
        title="To approve"
        about="Changes of others that touch protected vhosts. Nothing of them is in force until somebody says yes who had no part in them."
      />
      <ChangesNav />
      <DataTable
        label="Change sets to approve"
        columns={toReviewColumns}
        pages={pages}
        rowKey={(one) => one.id}
        rowLink={(one) => `/changes/${one.id}`}
        permission={may}
        empty={<EmptyState title="Nothing waits for you">Your own changes wait for others: see My change sets.</EmptyState>}
      />
    </>
  );
}
