import { request } from "node:http";

/** The status alone says what became of a request: 403 is a verdict. `fetch` sets no `Host`. */
export function site(httpUrl: string, hostname: string, path = "/"): Promise<number> {
  const { hostname: address, port } = new URL(httpUrl);
  return new Promise((done, fail) => {
    const asked = request({ hostname: address, port, path, headers: { host: hostname }, agent: false }, (answer) => {
      answer.resume();
      done(answer.statusCode ?? 0);
    });
    asked.on("error", fail).end();
  });
}
