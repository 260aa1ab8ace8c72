/** A page walk whose callbacks answer what a test says, and what they were called with. */
import { loadPrivate, storePrivate } from "../../runtime/machine/access.ts";
import { kernelFunction, type KernelFunction } from "../../runtime/machine/function.ts";
import { down_read, up_read } from "../../runtime/machine/rwsem.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import { at, int, Struct } from "../../runtime/machine/struct.ts";
import type { address_space, mm_struct } from "../../runtime/mm/mm_types.ts";
import { walk_page_mapping, walk_page_range, walk_page_range_novma } from "../../runtime/mm/pagewalk.ts";
import { mm_walk_ops, type mm_walk } from "../../runtime/mm/pagewalk_types.ts";
import { trace, type Trace } from "./tables.ts";
import type { World } from "./world.ts";

/** What the callbacks answer, and what they ask of the walker the first `times` times that they may. */
export class answers extends Struct {
  test_walk = int();
  pre_vma = int();
  pgd_entry = int();
  p4d_entry = int();
  pud_entry = int();
  pmd_entry = int();
  pte_entry = int();
  pte_hole = int();
  pudAction = int();
  pmdAction = int();
  times = int();
}
type Name = keyof answers;
const ANSWERED = [
  ...(["test_walk", "pre_vma", "pgd_entry", "p4d_entry", "pud_entry"] as const),
  ...(["pmd_entry", "pte_entry", "pte_hole"] as const),
];
const ACTIONS: Readonly<Record<string, "pudAction" | "pmdAction">> = { pud_entry: "pudAction", pmd_entry: "pmdAction" };

const act = kernelFunction(
  "act",
  function* (walk: mm_walk, which: "pudAction" | "pmdAction"): Kernel<void> {
    const says = at(answers, yield* loadPrivate(walk.private));
    const times = yield* loadPrivate(says.times);
    if (times === 0) return;
    yield* storePrivate(says.times, times - 1);
    yield* storePrivate(walk.action, yield* loadPrivate(says[which]));
  },
  { params: ["walk", "which"] },
);
const callbackFor = (name: (typeof ANSWERED)[number]): KernelFunction =>
  kernelFunction(
    name,
    function* (...args: readonly Value[]): Kernel<number> {
      const walk = args.at(-1) as mm_walk;
      const action = ACTIONS[name];
      if (action !== undefined) yield* act(walk, action);
      return yield* loadPrivate(at(answers, yield* loadPrivate(walk.private))[name]);
    },
    { params: ["entry", "addr", "next", "walk"] },
  );
const callbacks = new Map<string, KernelFunction>(ANSWERED.map((name) => [name, callbackFor(name)]));
callbacks.set(
  "post_vma",
  kernelFunction("post_vma", function* (_walk: Value): Kernel<void> {}, { params: ["walk"] }) as KernelFunction,
);

const inMm =
  (walk: typeof walk_page_range) =>
  (name: string): typeof walk_page_range =>
    kernelFunction(
      name,
      function* (mm: mm_struct, start: number, end: number, ops: mm_walk_ops, priv: number): Kernel<number> {
        yield* down_read(mm.mmap_sem);
        const ret = yield* walk(mm, start, end, ops, priv);
        yield* up_read(mm.mmap_sem);
        return ret;
      },
      { params: ["mm", "start", "end", "ops", "private"] },
    );
const walkVmas = inMm(walk_page_range)("walk_vmas");
const walkTables = inMm(walk_page_range_novma)("walk_tables");
const walkMapping = kernelFunction(
  "walk_mapping",
  function* (file: address_space, first: number, nr: number, ops: mm_walk_ops, priv: number): Kernel<number> {
    yield* down_read(file.i_mmap_rwsem);
    const ret = yield* walk_page_mapping(file, first, nr, ops, priv);
    yield* up_read(file.i_mmap_rwsem);
    return ret;
  },
  { params: ["mapping", "first_index", "nr", "ops", "private"] },
);

type Range = readonly [from: number, to: number];
export type Callback = keyof mm_walk_ops & ((typeof ANSWERED)[number] | "post_vma");
export type Says = Readonly<Partial<Record<Exclude<Name, keyof Struct>, number>>>;
export interface Walked extends Trace {
  /** The callbacks, with the numbers they were given, in hexadecimal: `pte_hole 0 1000 3`. */
  readonly calls: readonly string[];
}
/** Operations with these callbacks, and where what they answer is written. */
export function operations(world: World, names: readonly Callback[], says: Says): readonly [mm_walk_ops, answers] {
  const ops = world.object(mm_walk_ops);
  const what = world.object(answers);
  for (const name of names) world.poke(ops[name], callbacks.get(name)?.id ?? 0);
  for (const name of Object.keys(says) as (keyof Says)[]) world.poke(what[name], says[name] ?? 0);
  return [ops, what];
}
export const walkWith = (
  world: World,
  fn: typeof walk_page_range,
  [start, end]: Range,
  names: readonly Callback[],
  says: Says = {},
): Walked => {
  const [ops, what] = operations(world, names, says);
  return watched(world, trace(world, fn, world.mm, start, end, ops, what.addr));
};
/** VMA by VMA, with mmap_sem held; without VMAs; and the pages [first, first + nr) of a file. */
export const walk = (world: World, range: Range, names: readonly Callback[], says: Says = {}): Walked =>
  walkWith(world, walkVmas, range, names, says);
export const walkNovma = (world: World, range: Range, names: readonly Callback[], says: Says = {}): Walked =>
  walkWith(world, walkTables, range, names, says);
export function walkFile(
  world: World,
  file: address_space,
  [first, nr]: Range,
  names: readonly Callback[],
  says: Says = {},
): Walked {
  const [ops, what] = operations(world, names, says);
  return watched(world, trace(world, walkMapping, file, first, nr, ops, what.addr));
}
function watched(world: World, taken: Trace): Walked {
  const calls = taken.events.flatMap((event) => {
    const name = event.kind === "call" ? world.machine.functionName(event.fn) : "";
    if (event.kind !== "call" || !callbacks.has(name)) return [];
    const numbers = event.args.filter((arg) => typeof arg === "number");
    if (name === "pud_entry") numbers.shift(); // the snapshot
    return [[name, ...numbers.map((n) => n.toString(16))].join(" ")];
  });
  return { ...taken, calls };
}
