/** RFC 6901. */
export function parts(pointer: string): string[] {
  if (!pointer) return [];
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The place of a form's value: `/upstream/servers/0/port` is `upstream.servers.0.port`. */
export function toField(pointer: string): string {
  return parts(pointer).join(".");
}
