/**
 * mm/mmu_notifier.c as in the third draft, "[patch 1/6] mmu_notifier: Core code" of 29 January 2008: an hlist in the
 * mm, walked with RCU and changed under mmap_sem, but by mmu_notifier_release() without any lock. The bodies without
 * kernelFunction are those of functions of mmu_notifier_register.ts and mmu_notifier_release.ts.
 */
import { READ_ONCE } from "../machine/access.ts";
import { kernelFunction, type KernelFunction } from "../machine/function.ts";
import { hlist_add_head_rcu_2_6_24, hlist_del_rcu, hlist_empty, type hlist_node } from "../machine/list.ts";
import { rcu_read_lock, rcu_read_unlock, synchronize_rcu } from "../machine/rcu.ts";
import { down_write, up_write } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { mm_struct } from "./mm_types.ts";
import { callEach, callRelease, notifierOf, type ByAddresses } from "./mmu_notifier_hlist.ts";
import type { mmu_notifier, mmu_notifier_range } from "./mmu_notifier_types.ts";

const source = "mm/mmu_notifier.c";

/** __mmu_notifier_register() */
export function* registerLocked(mn: mmu_notifier, mm: mm_struct): Kernel<number> {
  yield* hlist_add_head_rcu_2_6_24(mn.hlist, mm.mmu_notifier.head);
  return 0;
}
/** mmu_notifier_unregister(); the caller may free the notifier at once. */
export function* unregister(mn: mmu_notifier, mm: mm_struct): Kernel<void> {
  yield* down_write(mm.mmap_sem);
  yield* hlist_del_rcu(mn.hlist);
  yield* up_write(mm.mmap_sem);
}

/** mmu_notifier_release() */
export function* release(mm: mm_struct): Kernel<void> {
  if (yield* fact(1, hlist_empty(mm.mmu_notifier.head))) return;
  yield* fact(2, rcu_read_lock());
  yield* disarm_each(mm, yield* fact(3, READ_ONCE(mm.mmu_notifier.head.first)));
  yield* fact(4, rcu_read_unlock());
  yield* fact(5, synchronize_rcu());
}
/** One notifier after the other, the next one being read first: `disarm` takes it off the list and tells it. */
export function disarmEach(
  disarm: (node: hlist_node, mm: mm_struct) => Kernel<void>,
  facts: string,
): KernelFunction<[mm_struct, hlist_node], void> {
  const self = kernelFunction(
    "mmu_notifier_release",
    function* (mm: mm_struct, node: hlist_node): Kernel<void> {
      if (node.isNull) return;
      const next = yield* fact("3a", READ_ONCE(node.next));
      yield* disarm(node, mm);
      return yield* self.restart(mm, next);
    },
    { source, until: "v2.6.27", facts, params: ["mm", "node"], internal: true },
  );
  return self;
}
export function* tellRelease(node: hlist_node, mm: mm_struct): Kernel<void> {
  yield* callRelease(notifierOf(node), mm, "3c");
}
/** No lock is held. */
export const disarm_each = disarmEach(function* (node, mm) {
  yield* fact("3b", hlist_del_rcu(node));
  yield* tellRelease(node, mm);
}, "release A3");

/** The macro through which all callbacks but release() are called, for callbacks of a range. */
export const mmu_notifier_call = (callback: ByAddresses) => {
  const each = callEach("mmu_notifier", "mmu_notifier", callback);
  return kernelFunction(
    "mmu_notifier",
    function* (mm: mm_struct, start: number, end: number): Kernel<void> {
      if (yield* hlist_empty(mm.mmu_notifier.head)) return;
      yield* rcu_read_lock();
      yield* each(yield* READ_ONCE(mm.mmu_notifier.head.first), mm, start, end);
      yield* rcu_read_unlock();
    },
    {
      source: "include/linux/mmu_notifier.h",
      until: "v2.6.27",
      params: ["mm", "start", "end"],
      summary: `Calls ${callback}() of each notifier.`,
      differs: "A macro there, which gets the callback's name. What else it hands over, whether to sleep, is left out.",
    },
  );
};
const mmu_notifier_invalidate = mmu_notifier_call("invalidate_range");
/** V3 has one call for a range, where the entries are gone already. */
export function* end([mm, from, to]: mmu_notifier_range): Kernel<void> {
  yield* mmu_notifier_invalidate(mm, from, to);
}
