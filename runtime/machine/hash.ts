/**
 * Hashing by content. Everything a state consists of has a 64-bit key made from what it means (names, arguments,
 * addresses), never from the order in which it was met: equal states have equal fingerprints in every run and worker.
 */
export interface Key {
  readonly lo: number;
  readonly hi: number;
}

const TWO_32 = 2 ** 32;

/** The upper half of a word; 0 for every number that fits 32 bits. Fractions do not occur. */
export function upperHalf(value: number): number {
  const low = value | 0;
  return low === value ? 0 : (value - low) / TWO_32;
}

/** Mixes a word's value into the seed of its place. Zero contributes nothing: untouched memory needs no entry. */
export function mixLo(seed: number, value: number): number {
  if (value === 0) return 0;
  let h = Math.imul(seed ^ value, 0x85ebca6b);
  const low = value | 0;
  if (low !== value) h = Math.imul(h ^ ((value - low) / TWO_32), 0x27d4eb2f);
  h ^= h >>> 15;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 13);
}
export function mixHi(seed: number, value: number): number {
  if (value === 0) return 0;
  let h = Math.imul(value + 0x165667b1, 0x27d4eb2f) ^ seed;
  const low = value | 0;
  if (low !== value) h = Math.imul(h ^ ((value - low) / TWO_32), 0x85ebca6b);
  h ^= h >>> 16;
  h = Math.imul(h, 0x9e3779b1);
  return h ^ (h >>> 14);
}

export function combine(a: Key, b: Key): Key {
  return { lo: scramble(Math.imul(a.lo, 31) ^ b.lo, b.hi), hi: scramble(Math.imul(a.hi, 37) ^ b.hi, b.lo) };
}
function scramble(h: number, salt: number): number {
  h = Math.imul(h ^ (h >>> 16) ^ Math.imul(salt, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export function keyOfText(text: string): Key {
  let lo = 0x811c9dc5;
  let hi = 0x01000193;
  for (let i = 0; i < text.length; i++) {
    lo = Math.imul(lo ^ text.charCodeAt(i), 0x01000193);
    hi = Math.imul(hi ^ text.charCodeAt(i), 0x27d4eb2f) + 0x165667b1;
  }
  return { lo: scramble(lo, hi), hi: scramble(hi, lo) };
}
export function keyOfNumber(value: number): Key {
  const low = value | 0;
  const high = upperHalf(value);
  return { lo: scramble(low ^ 0x2545f491, high), hi: scramble(low + 0x7f4a7c15, high ^ 0x51ed270b) };
}
