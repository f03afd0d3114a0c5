/** Where to go after the sign-in: a page of the panel and nothing else, since the address is anybody's to write. */
export function backTo(redirect: string | undefined): string {
  if (!redirect?.startsWith("/") || redirect.startsWith("//") || redirect.includes("\\")) return "/";
  if (/^\/(?:sign-in|setup)(?:[/?#]|$)/.test(redirect)) return "/";
  return redirect;
}
