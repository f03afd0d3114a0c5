import { type FieldError, Problem } from "@guard-proxy/client";

/**
 * Errors of a flow as if they were the resource's own: those of staging point into the request (`/operations/0/value/mode`), those of a
 * plan begin at the root (`/policies/shop/mode`). What is about something else stays as it is.
 */
export function inResource(errors: FieldError[], root: string, index = 0): FieldError[] {
  const roots = [`/operations/${index}/value`, root];
  const own = errors.map((error) => {
    const at = roots.find((one) => error.pointer === one || error.pointer.startsWith(`${one}/`));
    return at === undefined ? error : { ...error, pointer: error.pointer.slice(at.length) };
  });
  return distinct(own);
}

/** The same fault can be found twice: by judging the object, and by compiling it. */
export function distinct(errors: FieldError[]): FieldError[] {
  const key = ({ pointer, code, line, column, detail }: FieldError) => JSON.stringify([pointer, code, line, column, detail]);
  return [...new Map(errors.map((error) => [key(error), error])).values()];
}

/** A plan's errors as a problem, so that what shows problems shows them. */
export function refusedPlan(errors: FieldError[]): Problem {
  const what = errors.length === 1 ? "One thing is" : `${errors.length} things are`;
  return new Problem({
    type: "about:blank",
    code: "invalid",
    title: "Not saved",
    detail: `${what} in the way. Nothing was committed.`,
    status: 422,
    errors,
    request_id: "",
  });
}

/** What is left to be said of a problem whose errors are shown at their fields, but for `left`. */
export function shownBeside(problem: Problem, left: FieldError[]): Problem {
  const placed = problem.errors.length - left.length;
  // Where there is one error, its words are the problem's, too.
  const detail = placed > 0 && left.length === 0 ? "What is wrong is said where it is written." : problem.detail;
  return Object.assign(problem, { errors: left, detail });
}
