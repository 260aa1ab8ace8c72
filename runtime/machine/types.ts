/** Numbers for struct types, as header words hold them, and objects that exist from the start. */
import { SLOT, WORD, at, type Struct, type StructClass } from "./struct.ts";

const classes: StructClass[] = [];
const numbers = new Map<StructClass, number>();

export function typeNumber(cls: StructClass): number {
  let n = numbers.get(cls);
  if (n === undefined) {
    n = classes.push(cls) - 1;
    numbers.set(cls, n);
  }
  return n;
}
export function typeByNumber(n: number): StructClass {
  const cls = classes[n];
  if (cls === undefined) throw new Error(`no type has number ${n}`);
  return cls;
}

/**
 * Kernel addresses lie above everything user space can name, so that no user address is ever taken for one.
 * Static objects come first, then one arena per actor.
 */
export const STATIC_ARENA = 2 ** 52;
export const ARENA = 2 ** 44;
export const arenaOf = (actor: number): number => STATIC_ARENA + (actor + 1) * ARENA;
/** Where objects of `common` types come from: no actor has that number. */
export const COMMON_ARENA = STATIC_ARENA + 100 * ARENA;

interface StaticObject {
  readonly object: Struct;
  readonly name: string | undefined;
}
const statics: StaticObject[] = [];

/** An object of the kernel's own data: there from the start, never freed. It prints under `name`, if it has one. */
export function staticObject<S extends Struct>(cls: StructClass<S>, name?: string): S {
  const object = at(cls, STATIC_ARENA + statics.length * SLOT + WORD);
  typeNumber(cls);
  statics.push({ object, name });
  return object;
}
export function staticObjects(): readonly StaticObject[] {
  return statics;
}
/** The first static slot that the kernel does not use: a script's variables go there and after. */
export function firstFreeStatic(): number {
  return statics.length;
}
