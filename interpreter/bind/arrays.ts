/** Arrays of words that are objects of their own: locals, declared at the top, or allocated. */
import { Struct, words, type StructClass } from "../../runtime/machine/struct.ts";

/** How many words an array can have. */
export const ARRAY_MAX = 1024;

const arrays = new Map<number, StructClass>();

export function arrayClass(n: number): StructClass {
  let cls = arrays.get(n);
  if (cls === undefined) {
    const made = class extends Struct {
      static readonly short = "array";
      slots = words(n);
    };
    arrays.set(n, (cls = Object.defineProperty(made, "name", { value: `u64[${n}]` })));
  }
  return cls;
}
export function isArrayClass(cls: StructClass): boolean {
  return [...arrays.values()].includes(cls);
}
