/**
 * Small drivers for tests of notifiers: a gpu with an interval notifier, another that counts, as KVM does, with one of
 * the list; and what the kernel does to the one page they are about.
 */
import { add, load, store, xchg } from "../../runtime/machine/access.ts";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import { EAGAIN } from "../../runtime/machine/errno.ts";
import { existsIn } from "../../runtime/machine/era.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { mutex_lock, mutex_trylock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import { spin_lock, spin_unlock } from "../../runtime/machine/spinlock.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at, container_of, embed, int, mutex, pointer, spinlock, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import type { mm_struct } from "../../runtime/mm/mm_types.ts";
import {
  mmu_interval_read_begin,
  mmu_interval_read_retry,
  mmu_interval_set_seq,
} from "../../runtime/mm/mmu_interval_notifier.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "../../runtime/mm/mmu_notifier.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier,
  mmu_notifier_ops,
  mmu_notifier_range_init,
  mmu_notifier_subscriptions,
  type mmu_notifier_range,
} from "../../runtime/mm/mmu_notifier_types.ts";
import type { World } from "./world.ts";

/** Memory that can be freed. */
export class memory_page extends Struct {
  data = int();
}
class page_table extends Struct {
  pte = pointer(() => memory_page);
}
/** What the CPU maps. */
export const cpu = staticObject(page_table);

// ---- one with an interval notifier

export class gpu extends Struct {
  sub = embed(mmu_interval_notifier);
  mn = embed(mmu_notifier);
  /** Guard what follows: the one that counts has a spinlock. */
  lock = mutex();
  mmu_lock = spinlock();
  /** What the device maps. */
  spte = pointer(() => memory_page);
  /** Of the one that counts: invalidations under way, and how many are over. */
  count = int();
  seq = int();
  released = int();
}

export const gpu_invalidate = kernelFunction(
  "gpu_invalidate",
  function* (sub: mmu_interval_notifier, range: mmu_notifier_range, cur_seq: number): Kernel<boolean> {
    const g = container_of(sub, gpu, "sub");
    if (range[4]) yield* mutex_lock(g.lock);
    else if (!(yield* mutex_trylock(g.lock))) return false;
    yield* mmu_interval_set_seq(sub, cur_seq);
    yield* store(g.spte, null);
    yield* mutex_unlock(g.lock);
    return true;
  },
  { params: ["sub", "range", "cur_seq"] },
);
export const gpu_fault = kernelFunction(
  "gpu_fault",
  function* (g: gpu): Kernel<void> {
    const seq = yield* mmu_interval_read_begin(g.sub);
    const pte = yield* load(cpu.pte);
    yield* mutex_lock(g.lock);
    if (yield* mmu_interval_read_retry(g.sub, seq)) {
      yield* mutex_unlock(g.lock);
      return yield* gpu_fault.restart(g);
    }
    yield* store(g.spte, pte);
    yield* mutex_unlock(g.lock);
  },
  { params: ["g"] },
);
export const gpu_ops = staticObject(mmu_interval_notifier_ops, "gpu_ops");

// ---- one that counts

const kvm_start = kernelFunction(
  "kvm_start",
  function* (mn: mmu_notifier, _range: mmu_notifier_range): Kernel<number> {
    yield* stop_using(container_of(mn, gpu, "mn"));
    return 0;
  },
  { params: ["mn", "range"] },
);
const stop_using = kernelFunction(
  "stop_using",
  function* (g: gpu): Kernel<void> {
    yield* spin_lock(g.mmu_lock);
    yield* add(g.count, 1);
    yield* store(g.spte, null);
    yield* spin_unlock(g.mmu_lock);
  },
  { params: ["g"] },
);
const kvm_end = kernelFunction(
  "kvm_end",
  function* (mn: mmu_notifier, _range: mmu_notifier_range): Kernel<void> {
    const g = container_of(mn, gpu, "mn");
    yield* spin_lock(g.mmu_lock);
    yield* add(g.seq, 1);
    yield* add(g.count, -1);
    yield* spin_unlock(g.mmu_lock);
  },
  { params: ["mn", "range"] },
);
/** As kernels before 5.0 call it, which have no ranges. */
const kvm_start_by_address = kernelFunction(
  "kvm_start",
  function* (mn: mmu_notifier, _mm: mm_struct, _start: number, _end: number): Kernel<number> {
    yield* stop_using(container_of(mn, gpu, "mn"));
    return 0;
  },
  { params: ["mn", "mm", "start", "end"] },
);
/** What the device has mapped is written back, and let go of. */
const kvm_release = kernelFunction(
  "kvm_release",
  function* (mn: mmu_notifier, _mm: mm_struct): Kernel<void> {
    const g = container_of(mn, gpu, "mn");
    yield* spin_lock(g.mmu_lock);
    const spte = yield* load(g.spte);
    if (!spte.isNull) yield* store(spte.data, 1);
    yield* add(g.released, 1);
    yield* store(g.spte, null);
    yield* spin_unlock(g.mmu_lock);
  },
  { params: ["mn", "mm"] },
);
/** Tries once: whether the device has the page. */
export const kvm_fault = kernelFunction(
  "kvm_fault",
  function* (g: gpu): Kernel<boolean> {
    const seq = yield* load(g.seq);
    const pte = yield* load(cpu.pte);
    yield* spin_lock(g.mmu_lock);
    const retry = (yield* load(g.count)) !== 0 || (yield* load(g.seq)) !== seq;
    if (!retry) yield* store(g.spte, pte);
    yield* spin_unlock(g.mmu_lock);
    return !retry;
  },
  { params: ["g"] },
);
export const kvm_ops = staticObject(mmu_notifier_ops, "kvm_ops");

// ---- one that may have to sleep, and refuses where it may not

/** Takes the lock if it may: whether it has. */
const take_lock = kernelFunction(
  "take_lock",
  function* (g: gpu, blockable: boolean): Kernel<boolean> {
    if (!blockable) return yield* mutex_trylock(g.lock);
    yield* mutex_lock(g.lock);
    return true;
  },
  { params: ["g", "blockable"] },
);
const mmu_notifier_range_blockable = kernelFunction(
  "mmu_notifier_range_blockable",
  function* (where: mmu_notifier_range): Kernel<boolean> {
    return where[4];
  },
  { params: ["range"] },
);
const npu_start = kernelFunction(
  "npu_start",
  function* (mn: mmu_notifier, where: mmu_notifier_range): Kernel<number> {
    return yield* let_go(container_of(mn, gpu, "mn"), yield* mmu_notifier_range_blockable(where));
  },
  { params: ["mn", "range"] },
);
const let_go = kernelFunction(
  "let_go",
  function* (g: gpu, blockable: boolean): Kernel<number> {
    if (!(yield* take_lock(g, blockable))) return -EAGAIN;
    yield* store(g.spte, null);
    yield* mutex_unlock(g.lock);
    return 0;
  },
  { params: ["g", "blockable"] },
);
const npu_start_by_address = kernelFunction(
  "npu_start",
  function* (mn: mmu_notifier, _mm: mm_struct, _start: number, _end: number, blockable: boolean): Kernel<number> {
    return yield* let_go(container_of(mn, gpu, "mn"), blockable);
  },
  { params: ["mn", "mm", "start", "end", "blockable"] },
);
export const npu_ops = staticObject(mmu_notifier_ops, "npu_ops");

// ---- the kernel's side

/** What unmapping does, as far as a device cares; the page is free when it is over. */
export const unmap = kernelFunction(
  "unmap",
  function* (range: mmu_notifier_range): Kernel<void> {
    yield* mmu_notifier_invalidate_range_start(range);
    const page = yield* xchg(cpu.pte, null);
    if (!page.isNull) yield* kfree(page);
    yield* mmu_notifier_invalidate_range_end(range);
  },
  { params: ["range"] },
);
/** The same of a page that stays where it is: nothing but the notifiers. */
export const invalidate = kernelFunction(
  "invalidate",
  function* (range: mmu_notifier_range): Kernel<void> {
    yield* mmu_notifier_invalidate_range_start(range);
    yield* mmu_notifier_invalidate_range_end(range);
  },
  { params: ["range"] },
);

export const make_page = kernelFunction("make_page", function* (): Kernel<void> {
  yield* store(cpu.pte, yield* kzalloc(memory_page));
});
export const make_gpu = kernelFunction("make_gpu", function* (): Kernel<gpu> {
  return yield* kzalloc(gpu);
});

/** Gives a world its drivers, and the CPU its page. */
export function equip(world: World): World {
  world.poke(gpu_ops.invalidate, gpu_invalidate.id);
  const by_range = existsIn({ since: "v5.1" }, world.machine.era ?? "");
  world.poke(kvm_ops.invalidate_range_start, (by_range ? kvm_start : kvm_start_by_address).id);
  world.poke(kvm_ops.invalidate_range_end, kvm_end.id);
  world.poke(kvm_ops.release, kvm_release.id);
  world.poke(npu_ops.invalidate_range_start, (by_range ? npu_start : npu_start_by_address).id);
  world.run(make_page);
  return world;
}
export const range = ({ mm }: World, start = 0x1000, end = 0x2000): mmu_notifier_range =>
  mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, end);
export const subscriptions = (world: World): mmu_notifier_subscriptions =>
  at(mmu_notifier_subscriptions, world.peek(world.mm.notifier_subscriptions));
/** Whether the device maps what the CPU does not. */
export function isStale(world: World, g: gpu): boolean {
  const spte = world.isFreed(g) ? 0 : world.peek(g.spte);
  return spte !== 0 && spte !== world.peek(cpu.pte);
}
