import type { Problem as ProblemBody, ProblemCode } from "./generated/index.js";

// The members of the document's problem as an error's; `current` gets a type of its own below.
const Base = Error as unknown as new (message: string) => Error & Omit<ProblemBody, "current">;
type Fields = Record<string, unknown>;

/** What the server said no with (RFC 9457). Programs look at `code` and `errors[].code`; texts are for people. `retryAfter` is in seconds. */
export class Problem<Current extends object = Fields> extends Base {
  /** `precondition_failed`, `already_exists`: the representation as it is now. */
  declare readonly current?: Current | null;
  /** By which the server's log has it. */
  readonly requestId: string;
  readonly retryAfter?: number;

  constructor(body: ProblemBody, headers = new Headers()) {
    super(`${body.code}: ${body.detail}`);
    Object.assign(this, body);
    this.name = "Problem";
    this.requestId = body.request_id;
    this.retryAfter = Number(headers.get("Retry-After")) || undefined;
  }
}

/** Whether it is a problem, of one of these codes where some are named. `Current` is the type of what was to be written. */
export function isProblem<Current extends object = Fields>(error: unknown, ...codes: ProblemCode[]): error is Problem<Current> {
  return error instanceof Problem && (codes.length === 0 || codes.includes(error.code));
}

/** What an answer other than 2xx becomes. `/ready` has a shape of its own, which is left as it is. */
export function toProblem(error: unknown, response?: Response): unknown {
  if (!response || response.ok) return error;
  const { status, statusText: title, headers } = response;
  if (typeof error === "object" && error) return "code" in error ? new Problem(error as ProblemBody, headers) : error;
  // Not our server's: a proxy's, between. `about:blank` is RFC 9457's word for: the status is all that is known.
  const texts = { type: "about:blank", title, detail: `no problem document, but ${status} ${title}`, request_id: "" };
  return new Problem({ ...texts, code: status < 500 ? "bad_request" : "unavailable", status, errors: [] }, headers);
}
