import { isProblem, Problem, unwrap } from "@guard-proxy/client";

/** The answer's data. Whatever goes wrong is thrown as a `Problem`, so that queries and flows have one kind of error. */
export async function call<A extends { data?: unknown; error?: unknown; response?: Response }>(asked: PromiseLike<A>) {
  try {
    return await unwrap(asked);
  } catch (error) {
    throw asProblem(error);
  }
}

/** Any error as a problem, so that one component shows them all. */
export function asProblem(error: unknown): Problem {
  if (isProblem(error)) return error;
  // What `fetch` throws where nobody answers.
  if (error instanceof TypeError)
    return local("unavailable", "Guard Proxy does not answer", "Check the network, and that the server runs.");
  return local("internal", "Something went wrong in the panel", error instanceof Error ? error.message : String(error));
}

function local(code: Problem["code"], title: string, detail: string): Problem {
  return new Problem({ type: "about:blank", code, title, detail, status: 0, errors: [], request_id: "" });
}
