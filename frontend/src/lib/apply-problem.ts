import type { FieldError } from "@guard-proxy/client";
import { asProblem } from "./api";
import { toField } from "./pointer";

type Form = {
  setFieldError: (path: string, error: string) => void;
  getValues: () => unknown;
};

type Options = {
  /** What the pointers begin with and the form does not know: `/policies/shop`. */
  root?: string;
  /** Where the form's shape is another than the resource's: a field's path, or undefined to leave it to the alert. */
  field?: (pointer: string) => string | undefined;
};

/**
 * Shows a problem's errors at the fields that they point to. What has no field is returned: show it with `ProblemAlert`.
 * An error inside a field's value (`/hostnames/1` of a field `hostnames`) is shown at that field.
 */
export function applyProblem(form: Form, error: unknown, options: Options = {}): FieldError[] {
  const { errors } = asProblem(error);
  const left: FieldError[] = [];
  const found = new Map<string, string[]>();
  for (const one of errors) {
    const pointer = options.root && one.pointer.startsWith(options.root) ? one.pointer.slice(options.root.length) : one.pointer;
    const path = options.field ? options.field(pointer) : known(form.getValues(), toField(pointer));
    if (path) found.set(path, [...(found.get(path) ?? []), one.detail]);
    else left.push(one);
  }
  for (const [path, details] of found) form.setFieldError(path, details.join(" "));
  return left;
}

/** The longest beginning of the path that is a value of the form. */
function known(values: unknown, path: string): string | undefined {
  const taken: string[] = [];
  let value = values;
  for (const part of path ? path.split(".") : []) {
    if (typeof value !== "object" || value === null || !(part in value)) break;
    value = (value as Record<string, unknown>)[part];
    taken.push(part);
  }
  return taken.length > 0 ? taken.join(".") : undefined;
}
