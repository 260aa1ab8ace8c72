/** What a function can answer, learnt from its own body, and what that means to its caller. */
import type { Value } from "../runtime/machine/step.ts";
import { at, headerAddress, membersOf, Ref, Struct, type StructClass } from "../runtime/machine/struct.ts";
import { isEntryValue, same } from "./doc-entries.ts";
import { Entry, type PageTable } from "../runtime/mm/pgtable.ts";
import type { Situation } from "./doc-follow.ts";
import type { Result } from "./doc-samples.ts";
import { errnoText, isStruct, PAGE_SIZE, render, shortName, type World } from "./doc-world.ts";

export interface Answer {
  readonly value: Value;
  /** What it was called with when it answered so, and the objects there were. */
  readonly origin: readonly Value[];
  readonly world: World | undefined;
  /** Locks that it has taken and not given back, and the other way round. */
  readonly locks: readonly string[];
  readonly given: readonly string[];
}

const SMALL = 4096;
const USER_END = 2 ** 47;

/** What of the arguments decides whether an answer was given to such a call: what is NULL, and what is true. */
export function occasionOf({ origin }: Answer): string {
  return origin.map((v) => (typeof v === "boolean" ? String(v) : isStruct(v) ? String(v.isNull) : "")).join();
}
/** Equal for answers that no caller needs to tell apart. */
export function keyOfAnswer({ value, world, origin, locks, given }: Answer): string {
  const text = (v: Value): string => {
    if (Array.isArray(v)) return `[${(v as readonly Value[]).map(text).join()}]`;
    if (typeof v === "number" && v > 1 && v < SMALL) return "some";
    if (typeof v === "number" && (Math.abs(v) < SMALL || errnoText(v) !== undefined)) return String(v);
    const place = origin.findIndex((one) => same(one, v));
    if (place !== -1 && typeof v !== "boolean") return `argument ${place}`;
    if (typeof v === "number") return "number";
    if (isStruct(v)) return v.isNull ? "NULL" : v.constructor.name;
    return world === undefined ? String(v) : render(v, world);
  };
  return `${text(value)} +${locks.join()} -${given.join()}`;
}

/** The answer as the caller gets it: its own arguments where those come back, new objects for others. */
export function answerTo(answer: Answer, args: readonly Value[]): Result {
  return (s) => {
    const made = new Map<number, number>();
    const moved = (addr: number): number => {
      if (answer.world === undefined || !answer.world.things.has(headerAddress(addr))) return addr;
      for (const [i, origin] of answer.origin.entries()) {
        const arg = args[i];
        if (isStruct(origin) && isStruct(arg) && headerAddress(origin.addr) === headerAddress(addr))
          return arg.addr + (addr - origin.addr);
      }
      const base = headerAddress(addr);
      const thing = answer.world.things.get(base);
      let to = made.get(base);
      if (to === undefined) {
        const cls = thing?.cls;
        to = s.world.make(cls, s.world.pick([cls === undefined ? "object" : shortName(cls)]));
        made.set(base, to - 8);
        to -= 8;
      }
      return to + (addr - base);
    };
    locksOf(answer, args, s);
    // An address that the function has found somewhere: beyond all that the caller knows.
    const addresses = s.known.map((k) => k.value).filter((v) => typeof v === "number" && v < USER_END / 2);
    return translated(answer, args, moved, Math.max(PAGE_SIZE, ...(addresses as number[])));
  };
}
function translated(answer: Answer, args: readonly Value[], moved: (addr: number) => number, far: number): Value {
  const value = (v: Value): Value => {
    if (Array.isArray(v)) return (v as readonly Value[]).map(value);
    const place = answer.origin.findIndex((one) => same(one, v));
    if (place !== -1 && v instanceof Entry) return args[place];
    if (v instanceof Entry)
      return new Entry(at(v.table.constructor as StructClass<PageTable>, moved(v.table.addr)), v.index);
    if (isEntryValue(v)) return moved(v);
    if (place !== -1 && typeof v === "number" && Math.abs(v) >= SMALL) return args[place];
    if (isStruct(v)) return v.isNull ? v : at(v.constructor as StructClass, moved(v.addr));
    if (typeof v === "number" && v >= PAGE_SIZE && v < USER_END) return far;
    if (v instanceof Ref) {
      const owner = at(v.owner.constructor as StructClass, moved(v.owner.addr));
      const member = membersOf(owner as Struct).find(([name]) => name === v.name)?.[1];
      return member instanceof Ref ? (member as unknown as Value) : v;
    }
    return v;
  };
  return value(answer.value);
}
/** What the call did to locks, in the caller's words. */
function locksOf({ locks, given, origin, world }: Answer, args: readonly Value[], s: Situation): void {
  if (world === undefined) return;
  const mine = (lock: string): string => {
    for (const [i, object] of origin.entries()) {
      if (!isStruct(object) || object.isNull) continue;
      const name = render(object, world);
      if (!lock.startsWith(`${name}->`)) continue;
      const text = render(args[i], s.world);
      const member = lock.slice(name.length + 2);
      return text.startsWith("&") ? `${text.slice(1)}.${member}` : `${text}->${member}`;
    }
    return lock;
  };
  for (const lock of given) release(s, mine(lock));
  for (const lock of locks) s.locks.push(mine(lock));
}
export function release(s: Situation, lock: string): void {
  const i = s.locks.lastIndexOf(lock);
  if (i === -1) s.given.push(lock);
  else s.locks.splice(i, 1);
}
