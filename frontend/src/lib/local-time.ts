/** Between the API's moments and what `datetime-local` has: this browser's time, without a zone. */
export function toLocal(at: string | null | undefined): string {
  if (!at) return "";
  const date = new Date(at);
  const pad = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

export function fromLocal(text: string): string | null {
  const at = text ? new Date(text).getTime() : Number.NaN;
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}
