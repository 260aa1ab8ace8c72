/** A notifier that writes down what it is told, and what the CPU's page table says of one address just then. */
import { loadPrivate, storePrivate } from "../../runtime/machine/access.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { Op, primitive, step, type Kernel } from "../../runtime/machine/step.ts";
import { container_of, embed, int, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import type { mm_struct } from "../../runtime/mm/mm_types.ts";
import { mmu_notifier_register } from "../../runtime/mm/mmu_notifier_register.ts";
import { mmu_notifier, mmu_notifier_ops, type mmu_notifier_range } from "../../runtime/mm/mmu_notifier_types.ts";
import { cpuPte } from "../../runtime/mm/tlb.ts";
import type { World } from "./world.ts";

const EVENTS = ["MMU_NOTIFY_UNMAP", "MMU_NOTIFY_CLEAR", "MMU_NOTIFY_PROTECTION_VMA"] as const;

class watcher extends Struct {
  mn = embed(mmu_notifier);
  /** The address that it looks at. */
  where = int();
  starts = int();
  ends = int();
  /** Of the last start. */
  event = int();
  start = int();
  end = int();
  /** The entry at the first start, and at the last end. */
  before = int();
  after = int();
  /** What it answers to a start that may not block. */
  refuses = int();
}

const look = primitive("look", (m, mm = 0, addr = 0) => cpuPte((word) => m.peek(word), mm, addr));
function pteNow(mm: mm_struct, addr: number): Kernel<number> {
  return step({ op: Op.silentPrimitive, primitive: look, args: [mm.addr, addr], text: () => "look" });
}
const began = kernelFunction(
  "watch_start",
  function* (mn: mmu_notifier, [mm, start, end, event, blockable]: mmu_notifier_range): Kernel<number> {
    const w = container_of(mn, watcher, "mn");
    const pte = yield* pteNow(mm, yield* loadPrivate(w.where));
    const starts = yield* loadPrivate(w.starts);
    const refuses = yield* loadPrivate(w.refuses);
    if (!blockable && refuses !== 0) return refuses;
    if (starts === 0) yield* storePrivate(w.before, pte);
    yield* storePrivate(w.starts, starts + 1);
    yield* storePrivate(w.event, EVENTS.indexOf(event as (typeof EVENTS)[number]));
    yield* storePrivate(w.start, start);
    yield* storePrivate(w.end, end);
    return 0;
  },
  { params: ["mn", "range"] },
);
const ended = kernelFunction(
  "watch_end",
  function* (mn: mmu_notifier, [mm]: mmu_notifier_range): Kernel<void> {
    const w = container_of(mn, watcher, "mn");
    yield* storePrivate(w.after, yield* pteNow(mm, yield* loadPrivate(w.where)));
    yield* storePrivate(w.ends, (yield* loadPrivate(w.ends)) + 1);
  },
  { params: ["mn", "range"] },
);
const ops = staticObject(mmu_notifier_ops, "watch_ops");

export interface Seen {
  readonly starts: number;
  readonly ends: number;
  readonly event: string | undefined;
  readonly range: readonly [start: number, end: number];
  readonly before: number;
  readonly after: number;
}
/** Looks at `addr` from now on; what it has seen when asked. `refuses`: its answer where it may not sleep. */
export function watch(world: World, addr: number, refuses = 0): () => Seen {
  const w = world.object(watcher);
  world.poke(ops.invalidate_range_start, began.id);
  world.poke(ops.invalidate_range_end, ended.id);
  world.poke(w.mn.ops, ops.addr);
  world.poke(w.where, addr);
  world.poke(w.refuses, refuses);
  world.run(mmu_notifier_register, w.mn, world.mm);
  return () => ({
    starts: world.peek(w.starts),
    ends: world.peek(w.ends),
    event: EVENTS[world.peek(w.event)],
    range: [world.peek(w.start), world.peek(w.end)],
    before: world.peek(w.before),
    after: world.peek(w.after),
  });
}
/** What the CPU's page table says. */
export const pteOf = (world: World, addr: number): number =>
  cpuPte((word) => world.machine.memory.peek(word), world.mm.addr, addr);
