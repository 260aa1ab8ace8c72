/**
 * mm/mmu_notifier.c as of 5.6: registration, the end of an address space and invalidation, for an mm that has interval
 * notifiers besides those on its hlist. The bodies without kernelFunction are those of functions of mmu_notifier.ts.
 */
import { load, READ_ONCE, store, storePrivate, WRITE_ONCE } from "../machine/access.ts";
import { kfree, kzalloc } from "../machine/alloc.ts";
import { atomic_read } from "../machine/atomic.ts";
import { BUG_ON } from "../machine/bug.ts";
import { might_sleep } from "../machine/context.ts";
import { kernelFunction } from "../machine/function.ts";
import { hlist_add_head_rcu, hlist_empty, LIST_POISON1, poison } from "../machine/list.ts";
import { lockdep_assert_held_write } from "../machine/lockdep.ts";
import { srcu_read_lock, srcu_read_unlock, synchronize_srcu } from "../machine/rcu.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { EINTR, ENOMEM } from "../machine/errno.ts";
import { mmgrab } from "./fork.ts";
import { mm_drop_all_locks, mm_take_all_locks } from "./mm_all_locks.ts";
import {
  __mmu_notifier_invalidate_range_start_map,
  lock_map_acquire,
  lock_map_release,
  prime_notifier_map,
} from "./notifier_map.ts";
import type { mm_struct } from "./mm_types.ts";
import { endEach, releaseEach, srcu, startEach, unlinkAll } from "./mmu_notifier_hlist.ts";
import { mn_itree_inv_end, mn_itree_invalidate, mn_itree_release } from "./mmu_notifier_itree.ts";
import { mmu_notifier_subscriptions, type mmu_notifier, type mmu_notifier_range } from "./mmu_notifier_types.ts";

const source = "mm/mmu_notifier.c";
const FIRST_SEQ = 2;

// ---- registration

/** __mmu_notifier_register(); `mn` NULL: for interval notifiers. */
export function* registerLocked(mn: mmu_notifier, mm: mm_struct): Kernel<number> {
  yield* fact(1, lockdep_assert_held_write(mm.mmap_sem));
  yield* BUG_ON((yield* fact(2, atomic_read(mm.mm_users))) <= 0, "atomic_read(&mm->mm_users) <= 0");
  yield* fact(3, prime_notifier_map());
  const old = yield* fact(4, load(mm.notifier_subscriptions));
  const fresh = old.isNull ? yield* fact(4, kzalloc(mmu_notifier_subscriptions)) : NULL(mmu_notifier_subscriptions);
  if (old.isNull && fresh.isNull) return -ENOMEM;
  if (!fresh.isNull) yield* storePrivate(fresh.invalidate_seq, FIRST_SEQ);
  if ((yield* fact(5, mm_take_all_locks(mm))) !== 0) {
    yield* fact(5, kfree(fresh));
    return -EINTR;
  }
  if (!fresh.isNull) yield* fact(6, WRITE_ONCE(mm.notifier_subscriptions, fresh));
  yield* enter(mn, mm, fresh.isNull ? old : fresh);
  yield* fact(8, mm_drop_all_locks(mm));
  yield* BUG_ON((yield* fact(9, atomic_read(mm.mm_users))) <= 0, "atomic_read(&mm->mm_users) <= 0");
  return 0;
}
const enter = kernelFunction(
  "__mmu_notifier_register",
  function* (mn: mmu_notifier, mm: mm_struct, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
    if (mn.isNull) {
      yield* fact(7, store(subscriptions.has_itree, true));
      return;
    }
    yield* fact(7, mmgrab(mm));
    yield* fact(7, store(mn.mm, mm));
    yield* fact(7, store(mn.users, 1));
    yield* fact(7, spin_lock(subscriptions.lock));
    yield* fact(7, hlist_add_head_rcu(mn.hlist, subscriptions.list));
    yield* fact(7, spin_unlock(subscriptions.lock));
  },
  { source, since: "v5.6", facts: "register D1", params: ["mn", "mm", "subscriptions"], internal: true },
);

// ---- the end of an address space

/** mmu_notifier_release() */
export function* release(mm: mm_struct): Kernel<void> {
  const subscriptions = yield* load(mm.notifier_subscriptions);
  if (!subscriptions.isNull) yield* __mmu_notifier_release(mm, subscriptions);
}
const __mmu_notifier_release = kernelFunction(
  "__mmu_notifier_release",
  function* (mm: mm_struct, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
    if (yield* load(subscriptions.has_itree)) yield* mn_itree_release(subscriptions, mm);
    if (!(yield* hlist_empty(subscriptions.list))) yield* mn_hlist_release(subscriptions, mm);
  },
  {
    source,
    since: "v5.6",
    facts: "release D1",
    params: ["mm", "subscriptions"],
    own: ["subscriptions"],
    summary: "Tells the interval notifiers, then those of the list that the address space goes away.",
    differs: "Gets the subscriptions from its caller instead of loading mm->notifier_subscriptions again.",
  },
);
const release_each = releaseEach("mn_hlist_release", "release C2");
const unlink_all = unlinkAll("mn_hlist_release", "release C2");
const mn_hlist_release = kernelFunction(
  "mn_hlist_release",
  function* (subscriptions: mmu_notifier_subscriptions, mm: mm_struct): Kernel<void> {
    yield* fact(1, srcu_read_lock(srcu));
    yield* release_each(mm, yield* fact(2, READ_ONCE(subscriptions.list.first)));
    yield* fact(4, spin_lock(subscriptions.lock));
    yield* unlink_all(subscriptions.list);
    yield* fact(6, spin_unlock(subscriptions.lock));
    yield* fact(3, srcu_read_unlock(srcu));
    yield* fact(7, synchronize_srcu(srcu));
  },
  {
    source,
    since: "v5.6",
    facts: "release C2",
    params: ["subscriptions", "mm"],
    summary: "Calls release() of each notifier, unlinks them all and waits until no callback runs.",
  },
);

/** mmu_notifier_subscriptions_destroy() */
export const mmu_notifier_subscriptions_destroy = kernelFunction(
  "mmu_notifier_subscriptions_destroy",
  function* (mm: mm_struct): Kernel<void> {
    const subscriptions = yield* load(mm.notifier_subscriptions);
    if (!subscriptions.isNull) yield* __mmu_notifier_subscriptions_destroy(mm, subscriptions);
  },
  {
    source: "include/linux/mmu_notifier.h",
    since: "v5.6",
    facts: "__mmdrop",
    params: ["mm"],
    summary: "Frees what an mm knows about its notifiers, if it ever had one.",
  },
);
const __mmu_notifier_subscriptions_destroy = kernelFunction(
  "__mmu_notifier_subscriptions_destroy",
  function* (mm: mm_struct, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
    yield* BUG_ON(!(yield* hlist_empty(subscriptions.list)), "!hlist_empty(&mm->notifier_subscriptions->list)");
    yield* kfree(subscriptions);
    yield* poison(mm.notifier_subscriptions, LIST_POISON1);
  },
  {
    source,
    since: "v5.6",
    facts: "__mmdrop",
    params: ["mm", "subscriptions"],
    own: ["subscriptions"],
    summary: "Frees the list of notifiers, which must be empty.",
    differs: "Gets the list from its caller instead of loading mm->notifier_subscriptions again.",
  },
);

// ---- invalidation

/** mmu_notifier_invalidate_range_start() */
export function* start([mm, from, end, event]: mmu_notifier_range): Kernel<void> {
  yield* fact("n1", might_sleep());
  yield* fact("n2", lock_map_acquire(__mmu_notifier_invalidate_range_start_map));
  const subscriptions = yield* fact("n3", load(mm.notifier_subscriptions));
  const range: mmu_notifier_range = [mm, from, end, event, true];
  if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range_start(subscriptions, range);
  yield* fact("n9", lock_map_release(__mmu_notifier_invalidate_range_start_map));
}
/** mmu_notifier_invalidate_range_start_nonblock() */
export function* startNonblock([mm, from, end, event]: mmu_notifier_range): Kernel<number> {
  yield* fact("n2", lock_map_acquire(__mmu_notifier_invalidate_range_start_map));
  const subscriptions = yield* fact("n3", load(mm.notifier_subscriptions));
  const range: mmu_notifier_range = [mm, from, end, event, false];
  const error = subscriptions.isNull ? 0 : yield* __mmu_notifier_invalidate_range_start(subscriptions, range);
  yield* fact("n9", lock_map_release(__mmu_notifier_invalidate_range_start_map));
  return error;
}
const __mmu_notifier_invalidate_range_start = kernelFunction(
  "__mmu_notifier_invalidate_range_start",
  function* (subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range): Kernel<number> {
    if (yield* fact("n4", load(subscriptions.has_itree))) {
      const error = yield* fact("n4", mn_itree_invalidate(subscriptions, range));
      if (error !== 0) return error;
    }
    if (yield* fact("n6", hlist_empty(subscriptions.list))) return 0;
    return yield* mn_hlist_invalidate_range_start(subscriptions, range);
  },
  {
    source,
    since: "v5.6",
    facts: "NS",
    params: ["subscriptions", "range"],
    own: ["subscriptions"],
    summary: "Calls invalidate() of the interval notifiers, then invalidate_range_start() of those of the list.",
    differs: "Gets the subscriptions from its caller instead of loading mm->notifier_subscriptions again.",
  },
);
const start_each = startEach("mn_hlist_invalidate_range_start", "NS", true);
const mn_hlist_invalidate_range_start = kernelFunction(
  "mn_hlist_invalidate_range_start",
  function* (subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range): Kernel<number> {
    yield* fact("n6", srcu_read_lock(srcu));
    const ret = yield* start_each(yield* fact("n7", READ_ONCE(subscriptions.list.first)), range, 0);
    yield* fact("n8", srcu_read_unlock(srcu));
    return ret;
  },
  {
    source,
    since: "v5.6",
    facts: "NS",
    params: ["subscriptions", "range"],
    summary: "Calls invalidate_range_start() of each notifier; all are called, the last error wins.",
  },
);

/** mmu_notifier_invalidate_range_end(), and _only_end() */
export function* end(range: mmu_notifier_range, only_end: boolean): Kernel<void> {
  if (range[4] && !only_end) yield* fact("e0", might_sleep());
  const subscriptions = yield* fact("e2", load(range[0].notifier_subscriptions));
  if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range_end(subscriptions, range, only_end);
}
const __mmu_notifier_invalidate_range_end = kernelFunction(
  "__mmu_notifier_invalidate_range_end",
  function* (subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range, only_end: boolean): Kernel<void> {
    yield* fact("e1", lock_map_acquire(__mmu_notifier_invalidate_range_start_map));
    if (yield* fact("e2", load(subscriptions.has_itree))) yield* fact("e2", mn_itree_inv_end(subscriptions));
    if (!(yield* fact("e3", hlist_empty(subscriptions.list))))
      yield* mn_hlist_invalidate_end(subscriptions, range, only_end);
    yield* fact("e4", lock_map_release(__mmu_notifier_invalidate_range_start_map));
  },
  {
    source,
    since: "v5.6",
    facts: "NE",
    params: ["subscriptions", "range", "only_end"],
    own: ["subscriptions"],
    summary: "Counts one invalidation less, and calls invalidate_range_end() of each notifier of the list.",
    differs: "Gets the subscriptions from its caller instead of loading mm->notifier_subscriptions again.",
  },
);
const end_each = endEach("mn_hlist_invalidate_end", "NE", true);
const mn_hlist_invalidate_end = kernelFunction(
  "mn_hlist_invalidate_end",
  function* (subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range, only_end: boolean): Kernel<void> {
    yield* fact("e3", srcu_read_lock(srcu));
    yield* end_each(yield* fact("e3", READ_ONCE(subscriptions.list.first)), range, only_end);
    yield* fact("e3", srcu_read_unlock(srcu));
  },
  {
    source,
    since: "v5.6",
    facts: "NE",
    params: ["subscriptions", "range", "only_end"],
    summary: "Calls invalidate_range_end() of each notifier of the list.",
  },
);
