import type { Problem } from "@guard-proxy/client";

/** What the API said no with, or why it could not be asked. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }
}

type Answer<T> = { data?: T; error?: unknown; response?: Response };

/** The answer's data; throws `ApiProblem` for everything else, so that queries and flows have one kind of error. */
export async function call<T>(asked: Promise<Answer<T>>): Promise<T> {
  return (await answered(asked)).data;
}

/** As `call`, with the answer's head: some answers say more by their status (202) or a header. */
export async function answered<T>(asked: Promise<Answer<T>>): Promise<{ data: T; response: Response }> {
  let answer: Answer<T>;
  try {
    answer = await asked;
  } catch (error) {
    throw asProblem(error);
  }
  const { data, error, response } = answer;
  if (!response?.ok) throw problemOf(error, response);
  return { data: data as T, response };
}

/** Any error as a problem, so that one component shows them all. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  if (error instanceof TypeError)
    return local("unavailable", "Guard Proxy does not answer", "Check the network, and that the server runs.");
  return local("internal", "Something went wrong in the panel", error instanceof Error ? error.message : String(error));
}

function problemOf(error: unknown, response: Response | undefined): ApiProblem {
  if (isProblem(error)) return new ApiProblem(error);
  if (!response) return asProblem(error instanceof Error ? error : new TypeError("no answer"));
  const away = response.status >= 500;
  return local(
    away ? "unavailable" : "bad_request",
    away ? "Guard Proxy does not answer" : "Not understood",
    `The answer had status ${response.status} and no explanation.`,
    response.status,
  );
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "code" in value && "status" in value && "title" in value;
}

function local(code: Problem["code"], title: string, detail: string, status = 0): ApiProblem {
  return new ApiProblem({
    code,
    title,
    detail,
    status,
    type: `urn:guard-proxy:problem:${code}`,
    errors: [],
    request_id: "",
  });
}
