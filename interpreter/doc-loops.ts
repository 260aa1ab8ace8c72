/** Loops: which arguments of a body change from round to round, and what they may be in a later one. */
import type { Value } from "../runtime/machine/step.ts";
import { type StructClass } from "../runtime/machine/struct.ts";
import { Entry } from "../runtime/mm/pgtable.ts";
import { otherEntry, same } from "./doc-entries.ts";
import type { Situation, Stop } from "./doc-follow.ts";
import { fresh, type Containers, type Result } from "./doc-samples.ts";
import { isNull, isStruct, PAGE_SIZE } from "./doc-world.ts";

/** What a variable of a loop has been seen to be when it went round. */
export interface Kind {
  cls?: StructClass;
  /** The NULL that was seen. */
  none?: Value;
}
/** By function, by place of the argument. */
export type Loops = Map<number, Map<number, Kind>>;

const KERNEL_ADDRESSES = 2 ** 52;
const EAGAIN = 11;

export function noteRound(loops: Loops, { fn, args, before }: Extract<Stop, { kind: "again" }>): void {
  const kinds = loops.get(fn) ?? new Map<number, Kind>();
  loops.set(fn, kinds);
  args.forEach((arg, i) => {
    if (same(arg, before[i]) || Array.isArray(arg)) return;
    const kind = kinds.get(i) ?? {};
    kinds.set(i, kind);
    if (isNull(arg)) kind.none ??= arg;
    else if (isStruct(arg)) kind.cls ??= arg.constructor as StructClass;
  });
}

/**
 * The ways to begin: with the arguments as they are, or as they may be when it has gone round. `isSet`: in some other
 * situation the argument is no NULL already.
 */
export function beginningsOf(
  stop: Extract<Stop, { kind: "loop" }>,
  kinds: ReadonlyMap<number, Kind>,
  containers: Containers,
  isSet: (place: number) => boolean,
  params: readonly string[],
): Result[] {
  let rows: ((s: Situation) => Value)[][] = [[]];
  stop.args.forEach((arg, i) => {
    const kind = kinds.get(i);
    const options =
      kind === undefined
        ? [() => arg]
        : isNull(arg) && isSet(i)
          ? [() => arg]
          : optionsOf(arg, kind, containers, params[i] ?? "");
    rows = rows.flatMap((row) => options.map((option) => [...row, option]));
  });
  return rows.map((row) => (s) => row.map((option) => option(s)));
}
function optionsOf(arg: Value, kind: Kind, containers: Containers, name: string): ((s: Situation) => Value)[] {
  const unchanged = (): Value => arg;
  if (arg instanceof Entry) return [unchanged, ({ world }) => otherEntry(arg, world)];
  if (isNull(arg)) {
    const { cls } = kind;
    return cls === undefined ? [unchanged] : [unchanged, fresh(cls, "", containers) as (s: Situation) => Value];
  }
  if (isStruct(arg)) {
    const none = kind.none === undefined ? [] : [() => kind.none];
    return [unchanged, ...none];
  }
  if (typeof arg === "boolean") return [unchanged, () => !arg];
  if (typeof arg !== "number") return [unchanged];
  if (arg >= KERNEL_ADDRESSES) return [unchanged, () => arg + 8];
  if (/^(ret|error)$/.test(name)) return [unchanged, () => -EAGAIN];
  return [unchanged, () => arg + (arg >= PAGE_SIZE ? PAGE_SIZE : 1)];
}
