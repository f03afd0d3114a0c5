import type { CustomRuleRepresentation } from "@guard-proxy/client";
import { Alert, Group, NumberInput, Radio, Stack, Switch, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconCircleCheck } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { inResource, refusedPlan, shownBeside } from "@/change/errors";
import { FormConflict } from "@/change/FormConflict";
import { look } from "@/change/look";
import { SaveBar } from "@/change/SaveBar";
import { useSaving } from "@/change/use-saving";
import { ActionButton } from "@/components/ActionButton";
import type { Mark } from "@/components/code/marks";
import { ProblemAlert } from "@/components/ProblemAlert";
import { SecLangEditor } from "@/components/SecLangEditor";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { asProblem } from "@/lib/api";
import { applyProblem } from "@/lib/apply-problem";
import { useWorking } from "@/working/working";
import { rulesQuery } from "./policy";
import { engineWords, FRESH, findingMarks, freeId, marked, type RuleValues, ruleOf, valuesOf } from "./rule";

type Props = { policy: string; all: CustomRuleRepresentation[]; rule: CustomRuleRepresentation | undefined };

export function RuleForm({ policy, all, rule }: Props) {
  const { can } = useMe();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [base, setBase] = useState(rule);
  const [theirs, setTheirs] = useState<CustomRuleRepresentation>();
  const [marks, setMarks] = useState<Mark[]>([]);
  const [checked, setChecked] = useState<{ seclang: string; words: string }>();
  const [checking, setChecking] = useState(false);
  const form = useForm<RuleValues>({
    mode: "controlled",
    initialValues: base ? valuesOf(base) : { ...FRESH, id: freeId(all) },
    validate: { id: (id) => (id === "" ? "Which id?" : null) },
  });
  const { id, seclang } = form.values;
  const place = base ? all.findIndex((one) => one.id === base.id) : all.length;
  const root = `/policies/${policy}/custom_rules/${place}`;
  const path = `/policies/${policy}/custom-rules/${base?.id ?? id}`;

  const show = (errors: Parameters<typeof marked>[0]) => {
    const { marks, others } = marked(errors);
    setMarks(marks);
    setChecked(undefined);
    return applyProblem(form, refusedPlan(others), { field: (pointer) => (ABOUT_ID.has(pointer) ? "id" : undefined) });
  };
  const saving = useSaving({
    resource: "policies",
    root,
    place: show,
    onStale: async () => {
      await queries.invalidateQueries({ queryKey: rulesQuery(policy).queryKey });
      const found = (await queries.fetchQuery(rulesQuery(policy))).find((one) => one.id === base?.id);
      if (found) setTheirs(found);
      else saving.setError(new Error("Somebody else deleted this rule meanwhile. What you wrote is still in the form."));
    },
  });
  const back = () => navigate({ to: "/policies/$policy", params: { policy }, search: { tab: "rules" }, ignoreBlocker: true });
  const condition = base ? { if_match: base.meta.etag } : { if_none_match: "*" };

  const check = async () => {
    setChecking(true);
    saving.setError(undefined);
    setChecked(undefined);
    const values = form.getValues();
    try {
      const plan = await look({ operations: [{ method: "PUT", path, value: ruleOf(values), if_match: base ? "*" : undefined }] });
      const left = show(inResource(plan.errors, root));
      if (plan.errors.length > 0) saving.setError(shownBeside(refusedPlan(plan.errors), left));
      else {
        setMarks(findingMarks(plan, root));
        setChecked({ seclang: values.seclang, words: engineWords(plan) });
      }
    } catch (error) {
      const problem = asProblem(error);
      const left = show(inResource(problem.errors, root));
      saving.setError(shownBeside(problem, left));
    } finally {
      setChecking(false);
    }
  };
  const submit = async (values: RuleValues) => {
    const operations = [{ method: "PUT" as const, path, value: ruleOf(values), ...condition }];
    if (await saving.save({ operations, message: `Policy ${policy}: custom rule ${base?.id ?? values.id}` })) await back();
  };
  const remove = async () => {
    const operations = [{ method: "DELETE" as const, path, if_match: base?.meta.etag ?? "*" }];
    if (await saving.save({ operations, message: `Policy ${policy}: custom rule ${base?.id} deleted` })) await back();
  };
  const may = can(base ? "update" : "create", "custom_rule");
  const plans = can("create", "plan");
  // A look judges what is live with this: not what the change set has.
  const working = useWorking();
  return (
    <>
      <UnsavedGuard dirty={form.isDirty()} />
      <form onSubmit={form.onSubmit(submit)} aria-label={base ? `Rule ${base.id}` : "New custom rule"} noValidate>
        <Stack>
          {!base && (
            <NumberInput
              label="Id"
              description="190000 to 199999; events name the rule by it."
              min={190000}
              max={199999}
              allowDecimal={false}
              clampBehavior="none"
              hideControls
              maw={320}
              disabled={!may.allowed}
              {...form.getInputProps("id")}
            />
          )}
          <Radio.Group label="Place" {...form.getInputProps("placement")}>
            <Group mt={4} gap="lg">
              <Radio value="before" label="Before the Core Rule Set" disabled={!may.allowed} />
              <Radio value="after" label="After it: the score so far is known" disabled={!may.allowed} />
            </Group>
          </Radio.Group>
          <SecLangEditor
            label="Rule"
            description="One SecRule with its chain, or one SecAction. The id is added; what could open files, run programs or steer other rules is refused."
            value={seclang}
            onChange={(next) => form.setFieldValue("seclang", next)}
            readOnly={!may.allowed}
            marks={marks}
          />
          {checked?.seclang === seclang && (
            <Alert color="green" variant="light" icon={<IconCircleCheck aria-hidden />} role="status">
              <Text size="sm">{checked.words}</Text>
            </Alert>
          )}
          <Switch label="Enabled" disabled={!may.allowed} {...form.getInputProps("enabled", { type: "checkbox" })} />
          {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
          <SaveBar dirty={form.isDirty() || !base} busy={saving.busy} disabledReason={may.disabledReason} label={base ? "Save" : "Create"}>
            {base && (
              <ActionButton
                variant="default"
                onClick={() => void remove()}
                loading={saving.busy}
                disabledReason={can("delete", "custom_rule").disabledReason}
              >
                Delete
              </ActionButton>
            )}
            <ActionButton
              variant="default"
              onClick={() => void check()}
              loading={checking}
              disabledReason={may.disabledReason ?? plans.disabledReason ?? (working && "Saving checks it, together with the change set.")}
            >
              Check
            </ActionButton>
          </SaveBar>
        </Stack>
        {theirs && base && (
          <FormConflict
            what={`Rule ${base.id}`}
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

const ABOUT_ID = new Set(["/id", "", "/operations/0/path", "/operations/0/if_none_match"]);
