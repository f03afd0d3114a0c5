import { Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useNavigate } from "@tanstack/react-router";
import { useMe } from "@/auth/use-me";
import { refusedPlan } from "@/change/errors";
import { isShown } from "@/change/model";
import { SaveBar } from "@/change/SaveBar";
import { useSaving } from "@/change/use-saving";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { applyProblem } from "@/lib/apply-problem";
import type { ListValues } from "./ip-list";
import { ListFields } from "./ListFields";

export function NewIpListPage() {
  const navigate = useNavigate();
  const { can } = useMe();
  const form = useForm<ListValues>({
    mode: "controlled",
    initialValues: { name: "", title: "", description: "" },
    validate: { name: (name) => (name ? null : "A list has a name.") },
  });
  const saving = useSaving({
    resource: "ip-lists",
    root: `/ip-lists/${form.values.name}`,
    place: (errors) =>
      applyProblem(form, refusedPlan(errors.map((one) => (ABOUT_NAME.test(one.pointer) ? { ...one, pointer: "/name" } : one)))),
  });
  const submit = async ({ name, ...value }: ListValues) => {
    const operations = [{ method: "PUT" as const, path: `/ip-lists/${encodeURIComponent(name)}`, value, if_none_match: "*" }];
    const saved = await saving.save({ operations, message: `IP list ${name}` });
    if (!saved) return;
    if (isShown(saved)) await navigate({ to: "/ip-lists/$list", params: { list: name }, ignoreBlocker: true });
    else await navigate({ to: "/ip-lists", ignoreBlocker: true });
  };
  const may = can("create", "ip_list");
  return (
    <>
      <PageHeader
        title="New IP list"
        parents={[{ label: "IP lists", to: "/ip-lists" }]}
        about="Its entries come after it, and it does nothing until a vhost uses it."
      />

      <UnsavedGuard dirty={form.isDirty()} />
      <form onSubmit={form.onSubmit(submit)} aria-label="New IP list" noValidate>
        <Stack>
          <ListFields form={form} named={false} disabled={!may.allowed} />
          {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
          <SaveBar dirty={form.isDirty()} busy={saving.busy} disabledReason={may.disabledReason} label="Create" />
        </Stack>
      </form>
    </>
  );
}

/** The name is in the operation's path: what is wrong with it is said there. */
const ABOUT_NAME = /^\/operations\/0\/(?:path|if_none_match)$/;
