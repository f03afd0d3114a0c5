/** Between the API's moments and what `datetime-local` has: this browser's time, without a zone. What is no moment is nothing. */
export function toLocal(at: string | null | undefined): string {
  const date = new Date(at || Number.NaN);
  if (Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function fromLocal(text: string): string | null {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
