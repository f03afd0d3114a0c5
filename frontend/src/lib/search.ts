/**
 * Filters live in the address: they can be linked to, and `back` undoes them. A page's `validateSearch` is made of these; what is
 * not understood is left out rather than refused, since addresses get old.
 */
type Raw = Record<string, unknown>;

export function text(raw: Raw, name: string): string | undefined {
  const value = raw[name];
  // The router reads `?q=12` as a number.
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" && value ? value : undefined;
}

export function oneOf<const T extends string>(raw: Raw, name: string, values: readonly T[]): T | undefined {
  const value = raw[name];
  return values.find((known) => known === value);
}

export function someOf<const T extends string>(raw: Raw, name: string, values: readonly T[]): T[] | undefined {
  const given = Array.isArray(raw[name]) ? raw[name] : [raw[name]];
  const found = values.filter((known) => given.includes(known));
  return found.length > 0 ? found : undefined;
}

export function count(raw: Raw, name: string): number | undefined {
  const value = Number(raw[name]);
  return raw[name] !== undefined && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** A moment as the API takes it; what is none is left out. */
export function moment(raw: Raw, name: string): string | undefined {
  const value = raw[name];
  return typeof value === "string" && !Number.isNaN(Date.parse(value)) ? new Date(value).toISOString() : undefined;
}

export function texts(raw: Raw, name: string): string[] | undefined {
  const found = (Array.isArray(raw[name]) ? raw[name] : [raw[name]]).map(String).filter((one) => one && one !== "undefined");
  return found.length > 0 ? found : undefined;
}
