/** Addresses and networks, for hints alone: the server decides what is one, and who is in it. */
type Bits = { value: bigint; size: 32 | 128 };

export function isAddress(text: string): boolean {
  return parsed(text) !== undefined;
}

export function isNetwork(text: string): boolean {
  const [address = "", length, ...more] = text.trim().split("/");
  const bits = parsed(address);
  if (!bits || more.length > 0) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= bits.size);
}

/** Whether an address is in a network; false where either is none. */
export function covers(network: string, address: string): boolean {
  if (!isNetwork(network)) return false;
  const [base = "", length] = network.trim().split("/");
  const [net, one] = [parsed(base), parsed(address)];
  if (!net || !one || net.size !== one.size) return false;
  const shift = BigInt(net.size - (length === undefined ? net.size : Number(length)));
  return net.value >> shift === one.value >> shift;
}

function parsed(text: string): Bits | undefined {
  const trimmed = text.trim();
  const four = v4(trimmed);
  if (four !== undefined) return { value: four, size: 32 };
  const six = v6(trimmed);
  if (six === undefined) return undefined;
  // An IPv4 address that is written as IPv6 is that IPv4 address.
  return six >> 32n === 0xffffn ? { value: six & 0xffff_ffffn, size: 32 } : { value: six, size: 128 };
}

function v4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function v6(text: string): bigint | undefined {
  const dotted = /^(.*:)([^:]*\..*)$/.exec(text);
  const last = dotted?.[2] === undefined ? undefined : v4(dotted[2]);
  if (dotted && last === undefined) return undefined;
  const plain = dotted && last !== undefined ? `${dotted[1]}${(last >> 16n).toString(16)}:${(last & 0xffffn).toString(16)}` : text;
  const halves = plain.split("::");
  if (halves.length > 2 || !plain.includes(":")) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half ? half.split(":") : []));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<string>(Math.max(missing, 0)).fill("0"), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
