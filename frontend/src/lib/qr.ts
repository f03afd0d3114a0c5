/**
 * A QR code (ISO/IEC 18004) of a text: bytes, error correction level M, versions 1 to 13. That is all that an authenticator's address
 * needs, so it is small enough to be here instead of another dependency that sees the seed.
 */

/** Of level M, per version: error correction codewords of a block, blocks of the first size, data codewords of these; then of the second. */
const BLOCKS: [number, number, number, number, number][] = [
  [10, 1, 16, 0, 0],
  [16, 1, 28, 0, 0],
  [26, 1, 44, 0, 0],
  [18, 2, 32, 0, 0],
  [24, 2, 43, 0, 0],
  [16, 4, 27, 0, 0],
  [18, 4, 31, 0, 0],
  [22, 2, 38, 2, 39],
  [22, 3, 36, 2, 37],
  [26, 4, 43, 1, 44],
  [30, 1, 50, 4, 51],
  [22, 6, 36, 2, 37],
  [22, 8, 37, 1, 38],
];

/** Rows and columns of alignment patterns. */
const ALIGN: number[][] = [
  [],
  [6, 18],
  [6, 22],
  [6, 26],
  [6, 30],
  [6, 34],
  [6, 22, 38],
  [6, 24, 42],
  [6, 26, 46],
  [6, 28, 50],
  [6, 30, 54],
  [6, 32, 58],
  [6, 34, 62],
];

/** Rows of modules; true is dark. Throws where the text is longer than version 13 holds. */
export function qr(text: string): boolean[][] {
  const data = new TextEncoder().encode(text);
  const version = BLOCKS.findIndex((_, index) => data.length + (index < 9 ? 2 : 3) <= capacity(index)) + 1;
  if (version === 0) throw new Error("too long for a QR code");
  const bits = placed(interleaved(codewords(data, version), version));
  const masks = MASKS.map((_, mask) => drawn(version, bits, mask));
  return masks.reduce((best, one) => (penalty(one) < penalty(best) ? one : best));
}

function capacity(index: number): number {
  const [, first, data1, second, data2] = BLOCKS[index] as (typeof BLOCKS)[number];
  return first * data1 + second * data2;
}

/** Mode, length, bytes and padding. */
function codewords(data: Uint8Array, version: number): number[] {
  const bits: number[] = [];
  const push = (value: number, count: number) => {
    for (let bit = count - 1; bit >= 0; bit--) bits.push((value >> bit) & 1);
  };
  push(0b0100, 4);
  push(data.length, version < 10 ? 8 : 16);
  for (const byte of data) push(byte, 8);
  const room = capacity(version - 1) * 8;
  push(0, Math.min(4, room - bits.length));
  push(0, (8 - (bits.length % 8)) % 8);
  const bytes = Array.from({ length: bits.length / 8 }, (_, i) => bits.slice(i * 8, i * 8 + 8).reduce((all, bit) => (all << 1) | bit, 0));
  for (let pad = 0xec; bytes.length < room / 8; pad ^= 0xec ^ 0x11) bytes.push(pad);
  return bytes;
}

function interleaved(bytes: number[], version: number): number[] {
  const [ecc, first, data1, second, data2] = BLOCKS[version - 1] as (typeof BLOCKS)[number];
  const blocks: number[][] = [];
  for (let at = 0, block = 0; block < first + second; block++) {
    const length = block < first ? data1 : data2;
    blocks.push(bytes.slice(at, at + length));
    at += length;
  }
  const checks = blocks.map((block) => remainder(block, ecc));
  const across = (all: number[][]) =>
    Array.from({ length: Math.max(...all.map((one) => one.length)) }, (_, i) => all.flatMap((one) => one[i] ?? [])).flat();
  return [...across(blocks), ...across(checks)];
}

const placed = (bytes: number[]) => bytes.flatMap((byte) => Array.from({ length: 8 }, (_, bit) => (byte >> (7 - bit)) & 1));

/** In the field of 256 elements with x^8 + x^4 + x^3 + x^2 + 1. */
function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> bit) & 1) * a;
  }
  return product;
}

/** Reed-Solomon: the remainder by the generator with roots 2^0 .. 2^(count - 1). */
function remainder(data: number[], count: number): number[] {
  const generator: number[] = Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0));
  for (let i = 0, root = 1; i < count; i++, root = times(root, 2)) {
    for (let j = 0; j < count; j++) generator[j] = times(generator[j] ?? 0, root) ^ (generator[j + 1] ?? 0);
  }
  const result: number[] = Array.from({ length: count }, () => 0);
  for (const byte of data) {
    const factor = byte ^ (result.shift() ?? 0);
    result.push(0);
    for (const [i, coefficient] of generator.entries()) result[i] = (result[i] ?? 0) ^ times(coefficient, factor);
  }
  return result;
}

const MASKS: ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

function drawn(version: number, bits: number[], mask: number): boolean[][] {
  const size = 17 + 4 * version;
  const dark: (boolean | undefined)[][] = Array.from({ length: size }, () => Array.from({ length: size }, () => undefined));
  const set = (x: number, y: number, value: boolean) => {
    const row = dark[y];
    if (row && x >= 0 && x < size) row[x] = value;
  };
  patterns(version, size, set);
  formats(version, size, mask, set);
  let next = 0;
  // Two columns at a time from the right, up and down in turn; the column of the timing pattern is left out.
  for (let right = size - 1, up = true; right > 0; right -= right === 8 ? 3 : 2, up = !up) {
    for (let step = 0; step < size; step++) {
      const y = up ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (dark[y]?.[x] !== undefined) continue;
        set(x, y, (bits[next++] === 1) !== (MASKS[mask]?.(x, y) ?? false));
      }
    }
  }
  return dark.map((row) => row.map((one) => one === true));
}

type Set = (x: number, y: number, value: boolean) => void;

function patterns(version: number, size: number, set: Set) {
  for (let i = 8; i < size - 8; i++) {
    set(i, 6, i % 2 === 0);
    set(6, i, i % 2 === 0);
  }
  const places = ALIGN[version - 1] ?? [];
  const last = places.at(-1);
  for (const x of places) {
    for (const y of places) {
      // There the finders are.
      if ((x === 6 && y === 6) || (x === 6 && y === last) || (x === last && y === 6)) continue;
      square(x, y, 2, set, (ring) => ring !== 1);
    }
  }
  for (const [x, y] of [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ] as const)
    square(x, y, 4, set, (ring) => ring !== 2 && ring !== 4);
}

function square(x: number, y: number, radius: number, set: Set, isDark: (ring: number) => boolean) {
  for (let dy = -radius; dy <= radius; dy++)
    for (let dx = -radius; dx <= radius; dx++) set(x + dx, y + dy, isDark(Math.max(Math.abs(dx), Math.abs(dy))));
}

/** What a reader reads first: level and mask, and from version 7 on the version, each with its own check bits. */
function formats(version: number, size: number, mask: number, set: Set) {
  const format = checked(mask, 10, 0x537) ^ 0x5412;
  const bit = (value: number, i: number) => ((value >> i) & 1) === 1;
  for (let i = 0; i < 15; i++) {
    const value = bit(format, i);
    if (i < 6) set(8, i, value);
    else if (i < 8) set(8, i + 1, value);
    else if (i === 8) set(7, 8, value);
    else set(14 - i, 8, value);
    if (i < 8) set(size - 1 - i, 8, value);
    else set(8, size - 15 + i, value);
  }
  set(8, size - 8, true);
  if (version < 7) return;
  const numbered = checked(version, 12, 0x1f25);
  for (let i = 0; i < 18; i++) {
    const [a, b] = [size - 11 + (i % 3), Math.floor(i / 3)];
    set(a, b, bit(numbered, i));
    set(b, a, bit(numbered, i));
  }
}

/** BCH: the value, and behind it its remainder. Level M is 00 before the mask's three bits. */
function checked(value: number, count: number, generator: number): number {
  let rest = value << count;
  for (let i = 31 - Math.clz32(rest || 1); i >= count; i = 31 - Math.clz32(rest || 1)) rest ^= generator << (i - count);
  return (value << count) | rest;
}

/** How hard it is to read: runs, squares, what looks like a finder, and too much of one colour. */
function penalty(dark: boolean[][]): number {
  const size = dark.length;
  const columns = dark.map((_, x) => dark.map((row) => row[x] === true));
  let sum = 0;
  for (const line of [...dark, ...columns]) {
    const text = line.map((one) => (one ? "1" : "0")).join("");
    for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) sum += run.length - 2;
    for (const _ of text.matchAll(/(?=10111010000|00001011101)/g)) sum += 40;
  }
  for (let y = 0; y + 1 < size; y++) {
    for (let x = 0; x + 1 < size; x++) {
      const one = dark[y]?.[x];
      if (dark[y]?.[x + 1] === one && dark[y + 1]?.[x] === one && dark[y + 1]?.[x + 1] === one) sum += 3;
    }
  }
  const share = (dark.flat().filter(Boolean).length * 100) / (size * size);
  return sum + Math.floor(Math.abs(share - 50) / 5) * 10;
}
