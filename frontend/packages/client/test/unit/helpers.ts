import { type Client, createGuardProxy, type GuardProxyOptions } from "../../src/index.ts";

export interface Sent {
  method: string;
  path: string;
  headers: Headers;
  body: string;
}
type Answer = Response | Error | ((sent: Sent, signal: AbortSignal) => Response | Promise<Response>);

/** A client whose requests are written down and answered in their order; the last answer stays. */
export function fake(answers: Answer[], options: GuardProxyOptions = { token: "t" }): { client: Client; sent: Sent[] } {
  const sent: Sent[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    sent.push({ method: request.method, path: url.pathname + url.search, headers: request.headers, body: await request.text() });
    const answer = answers[Math.min(sent.length, answers.length) - 1];
    if (answer instanceof Error) throw answer;
    const last = sent.at(-1);
    if (typeof answer === "function" && last) return answer(last, request.signal);
    return (answer as Response).clone();
  };
  return { client: createGuardProxy({ baseUrl: "http://api.test", fetch, ...options }), sent };
}

export function json(body: unknown, headers: Record<string, string> = {}, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });
}

export function problem(status: number, code: string, more: object = {}, headers: Record<string, string> = {}): Response {
  const body = {
    type: `urn:guard-proxy:problem:${code}`,
    title: code,
    status,
    detail: "so it is",
    code,
    errors: [],
    request_id: "r1",
    ...more,
  };
  return json(body, { "Content-Type": "application/problem+json", ...headers }, status);
}

/** A stream of these chunks; it stays open unless it is to end. */
export function events(chunks: string[], end = false): (sent: Sent, signal?: AbortSignal) => Response {
  return (_, signal) => {
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(encoder.encode(chunk));
        if (end) controller.close();
        else signal?.addEventListener("abort", () => controller.error(signal.reason));
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  };
}
