import { type FieldError, type IpListRepresentation, isProblem } from "@guard-proxy/client";
import { Alert, Button, FileButton, Group, Stack, Text, Textarea } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useDeferredValue, useMemo, useRef, useState } from "react";
import { useMe } from "@/auth/use-me";
import { inResource } from "@/change/errors";
import { look } from "@/change/look";
import { SaveBar } from "@/change/SaveBar";
import { ActionButton } from "@/components/ActionButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import type { Users } from "@/features/used/use-users";
import { asProblem } from "@/lib/api";
import { useWorking } from "@/working/working";
import { BadLines } from "./BadLines";
import { atLines, type BadLine, inOrder, type Line, parseEntries } from "./entry-text";
import { readOnly } from "./ip-list";
import { useLockOut } from "./lock-out";
import { ThisIsYou } from "./ThisIsYou";
import { useEntrySaving } from "./use-entry-saving";

type Props = { list: IpListRepresentation; users: Users; replace: boolean };

/** A text field of more than that is slow to type in; a file of it is not shown. */
const SHOWN_CHARS = 500_000;

export function ImportForm({ list, users, replace }: Props) {
  const { can } = useMe();
  const navigate = useNavigate();
  const lockOut = useLockOut(users);
  const working = useWorking();
  const [text, setText] = useState("");
  const [file, setFile] = useState<string>();
  const [bad, setBad] = useState<BadLine[]>([]);
  const [told, setTold] = useState<string>();
  const deferred = useDeferredValue(text);
  const parsed = useMemo(() => parseEntries(deferred), [deferred]);

  /** What the server's errors are about: they count entries, not lines. */
  const sent = useRef<Line[]>([]);
  const place = (errors: FieldError[]) => {
    const found = atLines(errors, sent.current);
    setBad((before) => inOrder([...before, ...found.bad]));
    return found.others;
  };
  const saving = useEntrySaving(list, place);

  const edit = (next: string, name?: string) => {
    setText(next);
    setFile(name);
    setBad([]);
    setTold(undefined);
    saving.setError(undefined);
  };
  const entries = (lines: Line[]) => lines.map(({ entry }) => entry);
  const write = (lines: Line[]) => {
    sent.current = lines;
    const what = `${lines.length} ${lines.length === 1 ? "entry" : "entries"}`;
    return replace
      ? saving.replace(entries(lines), `IP list ${list.name}: replaced by ${what}`)
      : saving.batch({ add: entries(lines), remove: [] }, `IP list ${list.name}: ${what} added`);
  };
  const save = async () => {
    const { lines, bad: unread } = parseEntries(text);
    setBad(unread);
    if (unread.length > 0) return alsoTheServers(lines);
    if (await write(lines)) await back();
  };
  /** Lines that cannot even be read are not sent; what is wrong with the others is told together with them. */
  const alsoTheServers = async (lines: Line[]) => {
    // A look judges by what is live: not by what the change set has.
    if (lines.length === 0 || working || !can("create", "change_set").allowed) return;
    sent.current = lines;
    const path = `/ip-lists/${list.name}/entries:batch`;
    try {
      await look({ operations: [{ method: "POST", path, value: { add: entries(lines), remove: [] } }] });
    } catch (error) {
      if (isProblem(error)) place(inResource(error.errors, `/ip-lists/${list.name}`));
    }
  };
  const wrong = new Set(bad.map(({ line }) => line));
  const good = parsed.lines.filter(({ line }) => !wrong.has(line));
  const saveGood = async () => {
    const rest = text.split(/\r?\n/).filter((_, index) => wrong.has(index + 1));
    if (!(await write(good))) return;
    edit(rest.join("\n"));
    setTold(`${good.length} entries are saved. The ${rest.length} lines that are left here are not.`);
  };
  const back = () => navigate({ to: "/ip-lists/$list", params: { list: list.name }, ignoreBlocker: true });

  const networks = parsed.lines.map(({ entry }) => entry.network);
  const may = readOnly(list) ?? can(replace ? "update" : "create", "entry").disabledReason;
  const count = parsed.lines.length;
  const emptied = replace && count === 0 && list.entry_count > 0;
  return (
    <>
      <UnsavedGuard dirty={text.trim() !== ""} />
      <form
        aria-label={replace ? "Replace all entries" : "Paste entries"}
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Stack>
          {told && (
            <Alert color="green" variant="light" role="status">
              {told}
            </Alert>
          )}
          {text.length > SHOWN_CHARS ? (
            <Alert color="blue" variant="light" title={file ?? "A long text"}>
              <Stack gap="xs" align="flex-start">
                <Text size="sm">It is too long to be edited here.</Text>
                <Button size="xs" variant="default" onClick={() => edit("")}>
                  Take another
                </Button>
              </Stack>
            </Alert>
          ) : (
            <Textarea
              label="Entries, one on each line"
              description="network, comment, expiry: 192.0.2.0/24, probes, 2027-01-31. Or 192.0.2.0/24 # comment. Lines of # alone are skipped."
              autosize
              minRows={10}
              maxRows={24}
              spellCheck={false}
              autoComplete="off"
              styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
              value={text}
              onChange={(event) => edit(event.currentTarget.value)}
              disabled={may !== undefined}
            />
          )}
          <Group>
            <FileButton
              accept=".csv,.txt,text/csv,text/plain"
              onChange={(chosen) => {
                if (chosen) void chosen.text().then((content) => edit(content, chosen.name));
              }}
            >
              {(props) => (
                <ActionButton variant="default" {...props} disabledReason={may}>
                  Take a file (CSV or text)
                </ActionButton>
              )}
            </FileButton>
            <Text size="sm" role="status">
              {count} {count === 1 ? "entry" : "entries"}
              {parsed.bad.length > 0 && `, and ${parsed.bad.length} ${parsed.bad.length === 1 ? "line" : "lines"} that cannot be read`}
            </Text>
          </Group>
          <ThisIsYou words={replace && count > 0 ? lockOut.byReplacing(networks) : lockOut.byAdding(networks)} />
          <BadLines bad={bad} />
          {Boolean(saving.error) && (bad.length === 0 || asProblem(saving.error).errors.length > 0) && (
            <ProblemAlert error={saving.error} />
          )}
          <SaveBar
            dirty={count > 0 || bad.length > 0 || emptied}
            busy={saving.busy}
            disabledReason={may}
            label={replace ? "Replace all" : "Add"}
          >
            {bad.length > 0 && !replace && (
              <ActionButton
                variant="default"
                loading={saving.busy}
                onClick={() => void saveGood()}
                disabledReason={good.length > 0 ? undefined : "No line is good."}
              >
                Add the good ones, keep the others here
              </ActionButton>
            )}
          </SaveBar>
        </Stack>
      </form>
      {saving.confirm}
    </>
  );
}
