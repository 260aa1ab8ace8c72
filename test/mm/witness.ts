/** A notifier that writes down, at each callback, what the page tables and the TLBs say of one address. */
import { kernelFunction } from "../../runtime/machine/function.ts";
import { Op, primitive, step, type Kernel } from "../../runtime/machine/step.ts";
import { int, Struct, words, WORD } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import type { mm_struct } from "../../runtime/mm/mm_types.ts";
import { mmu_notifier_register } from "../../runtime/mm/mmu_notifier_register.ts";
import { mmu_notifier, mmu_notifier_ops, type mmu_notifier_range } from "../../runtime/mm/mmu_notifier_types.ts";
import { pte_present, pte_write } from "../../runtime/mm/pgtable.ts";
import { cpuPte, CPUS, tlbTables } from "../../runtime/mm/tlb.ts";
import { find, isAt } from "../../runtime/mm/translations.ts";
import type { World } from "./world.ts";

const LINES_MAX = 64;
class notebook extends Struct {
  /** The address that is looked at. */
  watched = int();
  length = int();
  lines = words(LINES_MAX);
}
const notes = staticObject(notebook);

const CALLBACKS = ["start", "flush", "end"] as const;
const EVENTS = ["UNMAP", "CLEAR", "PROTECTION_VMA", "PROTECTION_PAGE", "SOFT_DIRTY", "RELEASE"] as const;
const ENTRIES = ["none", "ro", "rw", "not present"] as const;

const look = primitive("witness", (m, mm = 0, callback = 0, event = 0) => {
  const addr = m.peek(notes.watched.addr);
  const pte = cpuPte((word) => m.peek(word), mm, addr);
  const entry = pte === 0 ? 0 : !pte_present(pte) ? 3 : pte_write(pte) ? 2 : 1;
  let cached = 0;
  for (const table of tlbTables().slice(0, CPUS)) {
    const i = find(m, table.addr, addr, mm);
    if (isAt(m, table.addr, i, addr, mm)) cached = 1;
  }
  const n = m.peek(notes.length.addr);
  m.write(notes.lines.addr + n * WORD, ((callback * 10 + event) * 10 + entry) * 10 + cached);
  m.write(notes.length.addr, n + 1);
  return 0;
});
function* note(mm: mm_struct, callback: number, event: number): Kernel<void> {
  yield* step({ op: Op.silentPrimitive, primitive: look, args: [mm.addr, callback, event], text: () => "witness" });
}
const eventOf = (range: mmu_notifier_range): number =>
  (EVENTS as readonly string[]).indexOf(range[3].slice("MMU_NOTIFY_".length));

const onStart = kernelFunction(
  "witness_start",
  function* (_mn: mmu_notifier, range: mmu_notifier_range): Kernel<number> {
    yield* note(range[0], 0, eventOf(range));
    return 0;
  },
);
const onFlush = kernelFunction(
  "witness_range",
  function* (_mn: mmu_notifier, mm: mm_struct, _start: number, _end: number): Kernel<void> {
    yield* note(mm, 1, 0);
  },
);
const onEnd = kernelFunction("witness_end", function* (_mn: mmu_notifier, range: mmu_notifier_range): Kernel<void> {
  yield* note(range[0], 2, eventOf(range));
});

/** From now on what happens around `addr` (a page) is written down. */
export function watch(world: World, addr: number): void {
  const ops = world.object(mmu_notifier_ops);
  world.poke(ops.invalidate_range_start, onStart.id);
  world.poke(ops.invalidate_range, onFlush.id);
  world.poke(ops.invalidate_range_end, onEnd.id);
  const notifier = world.object(mmu_notifier);
  world.poke(notifier.ops, ops.addr);
  world.poke(notes.watched, addr);
  world.run(mmu_notifier_register, notifier, world.mm);
}
/** "start CLEAR rw cached": the callback, its event, the PTE at that moment, whether a CPU's TLB has it. */
export function written(world: World): string[] {
  return Array.from({ length: world.peek(notes.length) }, (_, i) => {
    const line = world.peek(notes.lines.at(i));
    const digit = (n: number): number => Math.floor(line / 10 ** n) % 10;
    const callback = CALLBACKS[digit(3)] ?? "?";
    const event = callback === "flush" ? "" : ` ${EVENTS[digit(2)]}`;
    return `${callback}${event} ${ENTRIES[digit(1)]}${digit(0) === 1 ? " cached" : ""}`;
  });
}
