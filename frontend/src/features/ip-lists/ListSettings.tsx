import type { IpListRepresentation } from "@guard-proxy/client";
import { Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { refusedPlan } from "@/change/errors";
import { FormConflict } from "@/change/FormConflict";
import { SaveBar } from "@/change/SaveBar";
import { useSaving } from "@/change/use-saving";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { applyProblem } from "@/lib/apply-problem";
import { ipListQuery, type ListValues } from "./ip-list";
import { ListFields } from "./ListFields";

const valuesOf = ({ name, title, description }: IpListRepresentation): ListValues => ({ name, title, description });

export function ListSettings({ list, onSaved }: { list: IpListRepresentation; onSaved: () => void }) {
  const { can } = useMe();
  const queries = useQueryClient();
  const [base, setBase] = useState(list);
  const [theirs, setTheirs] = useState<IpListRepresentation>();
  const form = useForm<ListValues>({ mode: "controlled", initialValues: valuesOf(list) });
  const saving = useSaving({
    resource: "ip-lists",
    root: `/ip-lists/${list.name}`,
    place: (errors) => applyProblem(form, refusedPlan(errors)),
    onStale: async () => {
      await queries.invalidateQueries({ queryKey: ipListQuery(list.name).queryKey, exact: true });
      setTheirs(await queries.fetchQuery(ipListQuery(list.name)));
    },
  });
  const submit = async ({ title, description }: ListValues) => {
    const operations = [
      { method: "PATCH" as const, path: `/ip-lists/${list.name}`, value: { title, description }, if_match: base.meta.etag },
    ];
    if (await saving.save({ operations, message: `IP list ${list.name}: title and description` })) onSaved();
  };
  const may = can("update", "ip_list");
  return (
    <>
      <UnsavedGuard dirty={form.isDirty()} />
      <form onSubmit={form.onSubmit(submit)} aria-label={`Settings of ${list.name}`} noValidate>
        <Stack>
          <ListFields form={form} named disabled={!may.allowed} />
          {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
          <SaveBar dirty={form.isDirty()} busy={saving.busy} disabledReason={may.disabledReason} onReset={() => form.reset()} />
        </Stack>
        {theirs && (
          <FormConflict
            what={`IP list ${list.name}`}
            form={form}
            base={base}
            theirs={theirs}
            valuesOf={valuesOf}
            onClose={() => setTheirs(undefined)}
            onResolved={setBase}
          />
        )}
      </form>
    </>
  );
}
