/**
 * Whether a pointer leads to what it says: into the bounds of an array, or to an object of its type. The kernel has
 * UBSAN and KASAN for the one and nothing for the other; here both end the path.
 */
import { BUG } from "./bug.ts";
import { headerType } from "./memory.ts";
import { Op, primitive, step, type Kernel } from "./step.ts";
import { at, headerAddress, isAt, membersOf, Struct, WORD, Words, type StructClass } from "./struct.ts";
import { typeByNumber, typeNumber } from "./types.ts";

interface Extent {
  readonly start: number;
  readonly length: number;
}

/** The array that this word belongs to; a word that stands alone is an array of one. */
function extentAt(struct: Struct, addr: number): Extent | undefined {
  for (const [, m] of membersOf(struct)) {
    if (m instanceof Struct) {
      const inner = extentAt(m, addr);
      if (inner !== undefined) return inner;
    } else if (m instanceof Words) {
      if (addr >= m.addr && addr < m.addr + m.length * WORD) return { start: m.addr, length: m.length };
    } else if (m.addr === addr) return { start: addr, length: 1 };
  }
  return undefined;
}

const check = primitive("bounds", (m, addr = 0, i = 0) => {
  const base = headerAddress(addr);
  const header = base === 0 ? 0 : m.peek(base);
  // Nothing lives there: the access itself is reported.
  if (header <= 0) return INSIDE;
  const cls = typeByNumber(headerType(header));
  // Variables stand alone, though they lie beside each other.
  const extent = cls.variables === true ? { start: addr, length: 1 } : extentAt(at(cls, base + WORD), addr);
  if (extent === undefined) return INSIDE;
  const first = (addr - extent.start) / WORD;
  return first + i >= 0 && first + i < extent.length ? INSIDE : first * LENGTHS + extent.length;
});
const INSIDE = 0;
/** More than any array is long: what lies outside is told as one number. */
const LENGTHS = 2 ** 12;

export const outOfBounds = (index: number, length: number): string =>
  `array-index-out-of-bounds: index ${index} of an array of ${length}`;

/** Ends the path if element `i` from `addr` on is not in the array that `addr` lies in. No step of its own. */
export function* checkBounds(addr: number, i: number): Kernel<void> {
  const outside = yield* step<number>({
    op: Op.silentPrimitive,
    primitive: check,
    args: [addr, i],
    text: () => `bounds of [${i}]`,
  });
  if (outside !== INSIDE) yield* BUG(outOfBounds(Math.floor(outside / LENGTHS) + i, outside % LENGTHS));
}

const checkKind = primitive("type", (m, addr = 0, type = 0) => {
  const base = headerAddress(addr);
  const header = base === 0 ? 0 : m.peek(base);
  if (header <= 0) return OF_TYPE;
  const found = headerType(header);
  return found === type || isAt(typeByNumber(found), addr - base - WORD, typeByNumber(type)) ? OF_TYPE : found + 1;
});
const OF_TYPE = 0;

/** Ends the path if a pointer to a `cls` leads into something else, as one from container_of() may. */
export function* checkType(object: Struct): Kernel<void> {
  const cls = object.constructor as StructClass;
  const found = yield* step<number>({
    op: Op.silentPrimitive,
    primitive: checkKind,
    args: [object.addr, typeNumber(cls)],
    text: () => `is it a ${cls.name}`,
  });
  if (found === OF_TYPE) return;
  const other = typeByNumber(found - 1);
  const what = other.elements === true ? "an array" : `a struct ${other.name}`;
  yield* BUG(`a pointer to struct ${cls.name} points into ${what}`);
}
