/** Entries of page tables, found without a step; the steps that a function takes; and a DAX device to map. */
import { storePrivate } from "../../runtime/machine/access.ts";
import type { ControlEvent } from "../../runtime/machine/automaton.ts";
import { kernelFunction, type KernelFunction } from "../../runtime/machine/function.ts";
import { Moved } from "../../runtime/machine/machine.ts";
import { describe, type Report } from "../../runtime/machine/report.ts";
import { Op, type Kernel, type Step, type Value } from "../../runtime/machine/step.ts";
import { at } from "../../runtime/machine/struct.ts";
import { address_space, type mm_struct } from "../../runtime/mm/mm_types.ts";
import { allocate, initList } from "../../runtime/mm/page_alloc.ts";
import {
  dax_memory,
  pgd_entry,
  pgd_table,
  pmd_entry,
  pmd_table,
  pte_entry,
  pte_table,
  PUD_SIZE,
  pud_entry,
  pud_table,
  type Entry,
  type PmdEntry,
  type PteEntry,
  type PudEntry,
} from "../../runtime/mm/pgtable.ts";
import type { World } from "./world.ts";

export const pudOf = (world: World, addr: number, mm: mm_struct = world.mm): PudEntry =>
  pud_entry(at(pud_table, world.peek(pgd_entry(at(pgd_table, world.peek(mm.pgd)), addr))), addr);
export const pmdOf = (world: World, addr: number, mm: mm_struct = world.mm): PmdEntry =>
  pmd_entry(at(pmd_table, world.peek(pudOf(world, addr, mm))), addr);
export const ptOf = (world: World, addr: number, mm: mm_struct = world.mm): PteEntry =>
  pte_entry(at(pte_table, world.peek(pmdOf(world, addr, mm))), addr);

/** What an actor does from here to its end: its steps, what they pass through, and the last value returned. */
export interface Trace {
  readonly steps: readonly Step[];
  readonly events: readonly ControlEvent[];
  readonly result: Value;
}
export function trace<A extends readonly Value[], R>(world: World, fn: KernelFunction<A, R>, ...args: A): Trace {
  const steps: Step[] = [];
  const events: ControlEvent[] = [];
  const { machine } = world;
  const moved = machine.load(0, fn.id, args, events);
  if (moved >= Moved.withReports) world.findings.push(...machine.reports.map(describeIn(world)));
  while (!machine.isFinished(0)) {
    const next = machine.nextStep(0);
    if (next !== null) steps.push(next);
    if (world.step(0, events) === Moved.blocked) throw new Error(`${next?.text(machine)} is blocked`);
  }
  const last = events.at(-1);
  return { steps, events, result: last?.kind === "return" ? last.value : undefined };
}
const describeIn = (world: World) => (report: Report) => describe(world.machine, report);
/** How many of the steps are loads of an entry. */
export const loadsOf = (entry: Entry, steps: readonly Step[]): number =>
  steps.filter((s) => s.op === Op.load && s.addr === entry.addr).length;
/** The steps as a reader sees them. */
export const texts = (world: World, steps: readonly Step[]): string[] => steps.map((s) => s.text(world.machine));

const open_dax = kernelFunction(
  "open_dax",
  function* (file: address_space): Kernel<void> {
    yield* initList(file.i_mmap);
    yield* storePrivate(file.dax, true);
    yield* storePrivate(file.i_size, PUD_SIZE);
    yield* storePrivate(file.memory, yield* allocate(dax_memory, "devm_memremap_pages()"));
  },
  { params: ["file"] },
);
const open_file = kernelFunction(
  "open_file",
  function* (file: address_space, size: number): Kernel<void> {
    yield* initList(file.i_mmap);
    yield* storePrivate(file.i_size, size);
  },
  { params: ["file", "size"] },
);
/** A DAX device of 1 GiB; a file with a name. */
export function daxDevice(world: World): address_space {
  const file = world.object(address_space);
  world.run(open_dax, file);
  return file;
}
export function namedFile(world: World, size: number): address_space {
  const file = world.object(address_space);
  world.run(open_file, file, size);
  return file;
}
