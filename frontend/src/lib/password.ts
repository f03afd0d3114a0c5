/** bcrypt takes 72 bytes with its end mark. */
export const LEAST = 12;
export const MOST = 71;

export function passwordFault(password: string): string | null {
  const bytes = new TextEncoder().encode(password).length;
  if (bytes < LEAST) return `At least ${LEAST} characters.`;
  if (bytes > MOST) return `At most ${MOST} bytes; this has ${bytes}.`;
  return null;
}
