/**
 * Locks that nobody waits for: by taking one, code says that it does what others must not wait for while they hold
 * what is taken inside. None of it is a step that another CPU could notice.
 */
import { HoldMode, Op, primitive, step, Taken, type Kernel } from "./step.ts";
import { int, Struct, type Special } from "./struct.ts";
import { staticObject } from "./types.ts";
import { __GFP_DIRECT_RECLAIM, __GFP_FS } from "./gfp.ts";
import type { rw_semaphore } from "./rwsem.ts";

export class lockdep_map extends Struct {
  static readonly short: string = "map";
  /** What it goes by is the name of the object. */
  key = int();
}
/** Taken by whoever may have to reclaim memory: mm/page_alloc.c. */
export const fs_reclaim = staticObject<lockdep_map>(lockdep_map, "fs_reclaim");
/** Taken round the callbacks of mmu notifiers since 5.4, and since 5.11 by allocations: mm/mmu_notifier.c. */
export const __mmu_notifier_invalidate_range_start_map = staticObject<lockdep_map>(
  lockdep_map,
  "mmu_notifier_invalidate_range_start",
);

const acquire = primitive("lock_map_acquire", (m, map = 0) => {
  m.hold(map, HoldMode.exclusive + Taken.map);
  return 0;
});
const release = primitive("lock_map_release", (m, map = 0) => {
  m.release(map, HoldMode.exclusive);
  return 0;
});
const want = primitive("might_lock", (m, lock = 0, how = 0) => {
  m.locks.wants(lock, how);
  return 0;
});

function* mapStep(name: string, run: typeof acquire, { addr }: { readonly addr: number }, how = 0): Kernel<void> {
  const text = (names: Parameters<Struct["expr"]>[0]): string => `${name}(&${names.name(addr) ?? "map"})`;
  yield* step({ op: Op.silentPrimitive, addr, primitive: run, args: [addr, how], text });
}
export function lock_map_acquire(map: lockdep_map): Kernel<void> {
  return mapStep("lock_map_acquire", acquire, map);
}
export function lock_map_release(map: lockdep_map): Kernel<void> {
  return mapStep("lock_map_release", release, map);
}

/** Whether lockdep takes the map of reclaim for such an allocation: 5.6 does so only if file systems may be entered. */
export const mayReclaim = (gfp: number): boolean => (gfp & __GFP_DIRECT_RECLAIM) !== 0 && (gfp & __GFP_FS) !== 0;
export function* fs_reclaim_acquire(gfp: number): Kernel<void> {
  if (mayReclaim(gfp)) yield* lock_map_acquire(fs_reclaim);
}
export function* fs_reclaim_release(gfp: number): Kernel<void> {
  if (mayReclaim(gfp)) yield* lock_map_release(fs_reclaim);
}

function* mightLock(name: string, lock: Special | rw_semaphore, how: number): Kernel<void> {
  yield* step({
    op: Op.silentPrimitive,
    addr: lock.addr,
    primitive: want,
    args: [lock.addr, how],
    text: (names) => `${name}(&${lock.expr(names)})`,
  });
}
/** As if it were taken and given up again: for code that takes it now and then only. */
export function might_lock(lock: Special | rw_semaphore): Kernel<void> {
  return mightLock("might_lock", lock, HoldMode.exclusive + Taken.map);
}
export function might_lock_read(lock: rw_semaphore): Kernel<void> {
  return mightLock("might_lock_read", lock, HoldMode.shared + Taken.map);
}
