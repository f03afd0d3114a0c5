/** Hands a file to the browser: by an address of this page, so that no credential is in one. */
export function download(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Firefox begins to read it a moment later.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
