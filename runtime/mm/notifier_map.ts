/**
 * Lockdep's map of invalidations, which kernels have since 5.4: whoever invalidates takes it like a lock, and so does
 * whoever waits for an invalidation. That it is taken in reclaim is told lockdep, before 5.11, when the first one is
 * registered, long before memory runs short.
 */
import { non_block_end, non_block_start } from "../machine/context.ts";
import { GFP_KERNEL } from "../machine/gfp.ts";
import {
  __mmu_notifier_invalidate_range_start_map,
  fs_reclaim_acquire,
  fs_reclaim_release,
  lock_map_acquire,
  lock_map_release,
} from "../machine/lockdep-map.ts";
import type { Kernel } from "../machine/step.ts";

export { __mmu_notifier_invalidate_range_start_map, lock_map_acquire, lock_map_release };

/** Part of registration. Nothing of it is seen by other CPUs. */
export function* prime_notifier_map(): Kernel<void> {
  yield* fs_reclaim_acquire(GFP_KERNEL);
  yield* lock_map_acquire(__mmu_notifier_invalidate_range_start_map);
  yield* lock_map_release(__mmu_notifier_invalidate_range_start_map);
  yield* fs_reclaim_release(GFP_KERNEL);
}

/** Who waits for an invalidation to end must hold nothing that one takes: told even where there is none. */
export function* waits_for_invalidation(): Kernel<void> {
  yield* lock_map_acquire(__mmu_notifier_invalidate_range_start_map);
  yield* lock_map_release(__mmu_notifier_invalidate_range_start_map);
}

/** A callback of which nothing may sleep unless the range says so. */
export function* in_blockable<R>(blockable: boolean, callback: Kernel<R>): Kernel<R> {
  if (!blockable) yield* non_block_start();
  const result = yield* callback;
  if (!blockable) yield* non_block_end();
  return result;
}
