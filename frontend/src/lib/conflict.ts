export type Value = Record<string, unknown>;
export type Side = "mine" | "theirs";
export type Difference = { pointer: string; by: Side | "both"; mine: unknown; theirs: unknown };

/** Fields of objects are looked at one by one; lists are one value, as a merge patch has them. */
function isObject(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, i) => same(one, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => same(a[name], b[name]));
}

/** What differs between both sides, and who changed it. What the server alone knows (`meta`) is nobody's. */
export function differences(base: Value, mine: Value, theirs: Value, at = ""): Difference[] {
  const names = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])];
  return names.flatMap((name): Difference[] => {
    if (at === "" && name === "meta") return [];
    const pointer = `${at}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const [was, here, there] = [base[name], mine[name], theirs[name]];
    if (same(here, there)) return [];
    if (isObject(here) && isObject(there)) return differences(isObject(was) ? was : {}, here, there, pointer);
    const by = same(here, was) ? "theirs" : same(there, was) ? "mine" : "both";
    return [{ pointer, by, mine: here, theirs: there }];
  });
}

/** Theirs, with what is to be mine. */
export function merged(mine: Value, theirs: Value, choice: Record<string, Side>, at = ""): Value {
  const result: Value = {};
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const pointer = `${at}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const [here, there] = [mine[name], theirs[name]];
    const value =
      choice[pointer] === "mine"
        ? here
        : isObject(here) && isObject(there) && !choice[pointer]
          ? merged(here, there, choice, pointer)
          : there;
    if (value !== undefined) result[name] = value;
  }
  return result;
}
