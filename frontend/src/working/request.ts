/** The change set that this tab works in, for its requests. */
let current: string | undefined;

/** False where it was that already. */
export function sendThrough(changeSet: string | undefined): boolean {
  const other = current !== changeSet;
  current = changeSet;
  return other;
}

const OBJECT = /^\/api\/v1\/(vhosts|policies|ip-lists)(\/|$)/;
/** How one fares is asked of what is live. */
const FARES = /^\/api\/v1\/vhosts\/[^/]+\/(mode-override|status|traffic|upstream\/status)$/;

/** A request as it is sent while one works in a change set. */
export function throughChangeSet(request: Request): Request {
  const url = new URL(request.url);
  const { pathname, searchParams } = url;
  const told = searchParams.has("change_set") || searchParams.has("revision");
  if (!current || told || !OBJECT.test(pathname) || FARES.test(pathname)) return request;
  searchParams.set("change_set", current);
  return new Request(url, request);
}
