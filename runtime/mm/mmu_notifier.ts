/**
 * mm/mmu_notifier.c as of 5.2: one SRCU domain for all address spaces, and an hlist per mm. In 5.6 there are interval
 * notifiers, too: see mmu_notifier_subscriptions.ts.
 */
import { load, loadPrivate, READ_ONCE, store } from "../machine/access.ts";
import { kfree, kzalloc } from "../machine/alloc.ts";
import { atomic_read } from "../machine/atomic.ts";
import { BUG_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import {
  hlist_add_head,
  hlist_del_init_rcu,
  hlist_empty,
  hlist_unhashed,
  LIST_POISON1,
  poison,
  type hlist_head,
  type hlist_node,
} from "../machine/list.ts";
import {
  call_srcu,
  srcu_read_lock,
  srcu_read_unlock,
  synchronize_srcu,
  type rcu_head,
  type RcuCallback,
} from "../machine/rcu.ts";
import { down_write, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";

import { EINTR, ENOMEM } from "../machine/errno.ts";
import { mmdrop, mmgrab } from "./fork.ts";
import { mm_drop_all_locks, mm_take_all_locks } from "./mm_all_locks.ts";
import type { mm_struct } from "./mm_types.ts";
import { endEach, notifierOf, releaseEach, srcu, startEach, unlinkAll } from "./mmu_notifier_hlist.ts";
import * as subscribed from "./mmu_notifier_subscriptions.ts";
import { mmu_notifier_mm, type mmu_notifier, type mmu_notifier_range } from "./mmu_notifier_types.ts";

export { srcu };

// ---- registration

const do_mmu_notifier_register = kernelFunction(
  "do_mmu_notifier_register",
  function* (mn: mmu_notifier, mm: mm_struct, take_mmap_sem: boolean): Kernel<number> {
    yield* BUG_ON((yield* fact(1, atomic_read(mm.mm_users))) <= 0, "atomic_read(&mm->mm_users) <= 0");
    const fresh = yield* fact(2, kzalloc(mmu_notifier_mm));
    if (fresh.isNull) return -ENOMEM;
    if (take_mmap_sem) yield* fact(3, down_write(mm.mmap_sem));
    const error = yield* fact(4, mm_take_all_locks(mm));
    const used = error === 0 && (yield* enter(mn, mm, fresh));
    if (take_mmap_sem) yield* fact(9, up_write(mm.mmap_sem));
    if (!used) yield* fact(10, kfree(fresh));
    yield* BUG_ON((yield* fact(11, atomic_read(mm.mm_users))) <= 0, "atomic_read(&mm->mm_users) <= 0");
    return error === 0 ? 0 : -EINTR;
  },
  {
    source: "mm/mmu_notifier.c",
    until: "v5.6",
    facts: "register C2",
    params: ["mn", "mm", "take_mmap_sem"],
    summary: "Registers a notifier.",
  },
);
/** With all locks held: gives the mm its list if it has none, and enters `mn`. Whether `fresh` was needed. */
const enter = kernelFunction(
  "do_mmu_notifier_register",
  function* (mn: mmu_notifier, mm: mm_struct, fresh: mmu_notifier_mm): Kernel<boolean> {
    const old = yield* fact(5, load(mm.mmu_notifier_mm));
    if (old.isNull) yield* fact(5, store(mm.mmu_notifier_mm, fresh));
    const subscriptions = old.isNull ? fresh : old;
    yield* fact(6, mmgrab(mm));
    yield* fact(7, spin_lock(subscriptions.lock));
    yield* fact(7, hlist_add_head(mn.hlist, subscriptions.list));
    yield* fact(7, spin_unlock(subscriptions.lock));
    yield* fact(8, mm_drop_all_locks(mm));
    return old.isNull;
  },
  { source: "mm/mmu_notifier.c", facts: "register C2", params: ["mn", "mm", "mmu_notifier_mm"], internal: true },
);

export const mmu_notifier_register = kernelFunction(
  "mmu_notifier_register",
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<number> {
    return yield* do_mmu_notifier_register(mn, mm, true);
  },
  {
    source: "mm/mmu_notifier.c",
    params: ["mn", "mm"],
    summary: "Registers a notifier. The mm must have users throughout; takes mmap_sem.",
  },
).since("v5.6", function* (mn: mmu_notifier, mm: mm_struct): Kernel<number> {
  yield* down_write(mm.mmap_sem);
  const error = yield* __mmu_notifier_register(mn, mm);
  yield* up_write(mm.mmap_sem);
  return error;
});
export const __mmu_notifier_register = kernelFunction(
  "__mmu_notifier_register",
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<number> {
    return yield* do_mmu_notifier_register(mn, mm, false);
  },
  {
    source: "mm/mmu_notifier.c",
    params: ["mn", "mm"],
    summary: "Registers a notifier; the caller holds mmap_sem for writing.",
  },
).since("v5.6", subscribed.registerLocked, "register D1");

export const mmu_notifier_unregister = kernelFunction(
  "mmu_notifier_unregister",
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<void> {
    yield* BUG_ON((yield* fact(1, atomic_read(mm.mm_count))) <= 0, "atomic_read(&mm->mm_count) <= 0");
    if (!(yield* fact(2, hlist_unhashed(mn.hlist)))) {
      yield* fact(3, srcu_read_lock(srcu));
      yield* call_release(mn, mm);
      yield* fact(5, srcu_read_unlock(srcu));
      yield* unlink(mn, mm);
    }
    yield* fact(9, synchronize_srcu(srcu));
    yield* BUG_ON((yield* fact(10, atomic_read(mm.mm_count))) <= 0, "atomic_read(&mm->mm_count) <= 0");
    yield* fact(11, mmdrop(mm));
  },
  {
    source: "mm/mmu_notifier.c",
    facts: "unregister C2",
    params: ["mn", "mm"],
    summary: "Unregisters a notifier, which may be freed afterwards. Calls release() unless that has been done.",
  },
);
const call_release = kernelFunction(
  "mmu_notifier_unregister",
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<void> {
    const ops = yield* load(mn.ops);
    const release = yield* loadPrivate(ops.release);
    if (release !== null) yield* fact(4, release(mn, mm));
  },
  { source: "mm/mmu_notifier.c", facts: "unregister C2", params: ["mn", "mm"], internal: true },
);
const unlink = kernelFunction(
  "mmu_notifier_unregister",
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<void> {
    const subscriptions = yield* load(mm.mmu_notifier_mm);
    yield* fact(6, spin_lock(subscriptions.lock));
    yield* fact(7, hlist_del_init_rcu(mn.hlist));
    yield* fact(8, spin_unlock(subscriptions.lock));
  },
  { source: "mm/mmu_notifier.c", facts: "unregister C2", params: ["mn", "mm"], internal: true },
).since("v5.6", function* (mn: mmu_notifier, mm: mm_struct): Kernel<void> {
  const subscriptions = yield* load(mm.notifier_subscriptions);
  yield* fact(6, spin_lock(subscriptions.lock));
  yield* fact(7, hlist_del_init_rcu(mn.hlist));
  yield* fact(8, spin_unlock(subscriptions.lock));
});

export const mmu_notifier_unregister_no_release = kernelFunction(
  "mmu_notifier_unregister_no_release",
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<void> {
    const subscriptions = yield* load(mm.mmu_notifier_mm);
    yield* fact(1, spin_lock(subscriptions.lock));
    yield* fact(2, hlist_del_init_rcu(mn.hlist));
    yield* fact(3, spin_unlock(subscriptions.lock));
    yield* BUG_ON((yield* fact(4, atomic_read(mm.mm_count))) <= 0, "atomic_read(&mm->mm_count) <= 0");
    yield* fact(5, mmdrop(mm));
  },
  {
    source: "mm/mmu_notifier.c",
    until: "v5.6",
    facts: "C2 additions",
    params: ["mn", "mm"],
    summary: "Unregisters a notifier without callback or grace period: its memory must wait for one by itself.",
  },
);

export const mmu_notifier_call_srcu = kernelFunction(
  "mmu_notifier_call_srcu",
  function* (rcu: rcu_head, func: RcuCallback): Kernel<void> {
    yield* call_srcu(srcu, rcu, func);
  },
  {
    source: "mm/mmu_notifier.c",
    until: "v5.6",
    facts: "C2 additions",
    params: ["rcu", "func"],
    summary: "Calls func once every callback that runs now is over.",
  },
);

// ---- the end of an address space

export const mmu_notifier_release = kernelFunction(
  "mmu_notifier_release",
  function* (mm: mm_struct): Kernel<void> {
    const subscriptions = yield* load(mm.mmu_notifier_mm);
    if (!subscriptions.isNull) yield* __mmu_notifier_release(mm, subscriptions);
  },
  {
    source: "include/linux/mmu_notifier.h",
    params: ["mm"],
    summary: "Tells every notifier that the address space goes away, and unregisters them.",
  },
).since("v5.6", subscribed.release);
const __mmu_notifier_release = kernelFunction(
  "__mmu_notifier_release",
  function* (mm: mm_struct, subscriptions: mmu_notifier_mm): Kernel<void> {
    yield* fact(1, srcu_read_lock(srcu));
    yield* release_each(mm, yield* fact(2, READ_ONCE(subscriptions.list.first)));
    yield* fact(4, spin_lock(subscriptions.lock));
    yield* unlink_all(subscriptions.list);
    yield* fact(6, spin_unlock(subscriptions.lock));
    yield* fact(3, srcu_read_unlock(srcu));
    yield* fact(7, synchronize_srcu(srcu));
  },
  {
    source: "mm/mmu_notifier.c",
    until: "v5.6",
    facts: "release C2",
    params: ["mm", "mmu_notifier_mm"],
    own: ["mmu_notifier_mm"],
    summary: "Calls release() of each notifier, unlinks them all and waits until no callback runs.",
    differs: "Gets the list from its caller instead of loading mm->mmu_notifier_mm again.",
  },
);
const release_each = releaseEach("__mmu_notifier_release", "release C2");
const unlink_all = unlinkAll("__mmu_notifier_release", "release C2");

/** Part of the last mmdrop(). */
export const mmu_notifier_mm_destroy = kernelFunction(
  "mmu_notifier_mm_destroy",
  function* (mm: mm_struct): Kernel<void> {
    const subscriptions = yield* load(mm.mmu_notifier_mm);
    if (!subscriptions.isNull) yield* __mmu_notifier_mm_destroy(mm, subscriptions);
  },
  {
    source: "include/linux/mmu_notifier.h",
    until: "v5.6",
    facts: "__mmdrop",
    params: ["mm"],
    summary: "Frees the list of notifiers, if the mm ever had one.",
  },
);
const __mmu_notifier_mm_destroy = kernelFunction(
  "__mmu_notifier_mm_destroy",
  function* (mm: mm_struct, subscriptions: mmu_notifier_mm): Kernel<void> {
    yield* BUG_ON(!(yield* hlist_empty(subscriptions.list)), "!hlist_empty(&mm->mmu_notifier_mm->list)");
    yield* kfree(subscriptions);
    yield* poison(mm.mmu_notifier_mm, LIST_POISON1);
  },
  {
    source: "mm/mmu_notifier.c",
    until: "v5.6",
    facts: "__mmdrop",
    params: ["mm", "mmu_notifier_mm"],
    own: ["mmu_notifier_mm"],
    summary: "Frees the list of notifiers, which must be empty.",
    differs: "Gets the list from its caller instead of loading mm->mmu_notifier_mm again.",
  },
);

// ---- invalidation

export const mmu_notifier_invalidate_range_start = kernelFunction(
  "mmu_notifier_invalidate_range_start",
  function* (range: mmu_notifier_range): Kernel<void> {
    const subscriptions = yield* fact("n3", load(range[0].mmu_notifier_mm));
    if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range_start(subscriptions, range);
  },
  {
    source: "include/linux/mmu_notifier.h",
    facts: "NS",
    params: ["range"],
    summary: "Tells every notifier to let go of a range, and waits until they have.",
  },
).since("v5.6", subscribed.start);
export const mmu_notifier_invalidate_range_start_nonblock = kernelFunction(
  "mmu_notifier_invalidate_range_start_nonblock",
  function* ([mm, start, end, event]: mmu_notifier_range): Kernel<number> {
    const subscriptions = yield* fact("n3", load(mm.mmu_notifier_mm));
    if (subscriptions.isNull) return 0;
    return yield* __mmu_notifier_invalidate_range_start(subscriptions, [mm, start, end, event, false]);
  },
  {
    source: "include/linux/mmu_notifier.h",
    facts: "NS",
    params: ["range"],
    summary: "As mmu_notifier_invalidate_range_start(), but no notifier may sleep: -EAGAIN if one had to.",
  },
).since("v5.6", subscribed.startNonblock);
const __mmu_notifier_invalidate_range_start = kernelFunction(
  "__mmu_notifier_invalidate_range_start",
  function* (subscriptions: mmu_notifier_mm, range: mmu_notifier_range): Kernel<number> {
    yield* fact("n6", srcu_read_lock(srcu));
    const ret = yield* start_each(yield* fact("n7", READ_ONCE(subscriptions.list.first)), range, 0);
    yield* fact("n8", srcu_read_unlock(srcu));
    return ret;
  },
  {
    source: "mm/mmu_notifier.c",
    until: "v5.6",
    facts: "NS",
    params: ["mmu_notifier_mm", "range"],
    own: ["mmu_notifier_mm"],
    summary: "Calls invalidate_range_start() of each notifier; all are called, the last error wins.",
    differs: "Gets the list from its caller instead of loading mm->mmu_notifier_mm again.",
  },
);
const start_each = startEach("__mmu_notifier_invalidate_range_start", "NS", false);

export const mmu_notifier_invalidate_range_end = kernelFunction(
  "mmu_notifier_invalidate_range_end",
  function* (range: mmu_notifier_range): Kernel<void> {
    const subscriptions = yield* load(range[0].mmu_notifier_mm);
    if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range_end(subscriptions, range, false);
  },
  {
    source: "include/linux/mmu_notifier.h",
    facts: "NE",
    params: ["range"],
    summary: "Tells every notifier that the range may be used again.",
  },
).since("v5.6", function* (range: mmu_notifier_range): Kernel<void> {
  yield* subscribed.end(range, false);
});
export const mmu_notifier_invalidate_range_only_end = kernelFunction(
  "mmu_notifier_invalidate_range_only_end",
  function* (range: mmu_notifier_range): Kernel<void> {
    const subscriptions = yield* load(range[0].mmu_notifier_mm);
    if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range_end(subscriptions, range, true);
  },
  {
    source: "include/linux/mmu_notifier.h",
    facts: "NE",
    params: ["range"],
    summary: "As mmu_notifier_invalidate_range_end(), where invalidate_range() has been called already.",
  },
).since("v5.6", function* (range: mmu_notifier_range): Kernel<void> {
  yield* subscribed.end(range, true);
});
const __mmu_notifier_invalidate_range_end = kernelFunction(
  "__mmu_notifier_invalidate_range_end",
  function* (subscriptions: mmu_notifier_mm, range: mmu_notifier_range, only_end: boolean): Kernel<void> {
    yield* fact("e3", srcu_read_lock(srcu));
    yield* end_each(yield* fact("e3", READ_ONCE(subscriptions.list.first)), range, only_end);
    yield* fact("e3", srcu_read_unlock(srcu));
  },
  {
    source: "mm/mmu_notifier.c",
    until: "v5.6",
    facts: "NE",
    params: ["mmu_notifier_mm", "range", "only_end"],
    own: ["mmu_notifier_mm"],
    summary: "Calls invalidate_range_end() of each notifier.",
    differs: "Gets the list from its caller instead of loading mm->mmu_notifier_mm again.",
  },
);
const end_each = endEach("__mmu_notifier_invalidate_range_end", "NE", false);

/** Called with the lock of the page table held, between start and end: no callback may sleep. */
export const mmu_notifier_invalidate_range = kernelFunction(
  "mmu_notifier_invalidate_range",
  function* (mm: mm_struct, start: number, end: number): Kernel<void> {
    const subscriptions = yield* load(mm.mmu_notifier_mm);
    if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range(subscriptions.list, mm, start, end);
  },
  {
    source: "include/linux/mmu_notifier.h",
    facts: "NI",
    params: ["mm", "start", "end"],
    summary: "Flushes what devices have in their own TLBs of a range.",
  },
).since("v5.6", function* (mm: mm_struct, start: number, end: number): Kernel<void> {
  const subscriptions = yield* load(mm.notifier_subscriptions);
  if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range(subscriptions.list, mm, start, end);
});
const __mmu_notifier_invalidate_range = kernelFunction(
  "__mmu_notifier_invalidate_range",
  function* (list: hlist_head, mm: mm_struct, start: number, end: number): Kernel<void> {
    yield* fact(1, srcu_read_lock(srcu));
    yield* flush_each(yield* fact(2, READ_ONCE(list.first)), mm, start, end);
    yield* fact(3, srcu_read_unlock(srcu));
  },
  {
    source: "mm/mmu_notifier.c",
    facts: "invalidate_range",
    params: ["list", "mm", "start", "end"],
    own: ["list"],
    summary: "Calls invalidate_range() of each notifier.",
    differs: "Gets the list from its caller instead of loading mm->mmu_notifier_mm again.",
  },
);
const flush_each = kernelFunction(
  "__mmu_notifier_invalidate_range",
  function* (node: hlist_node, mm: mm_struct, start: number, end: number): Kernel<void> {
    if (node.isNull) return;
    const mn = notifierOf(node);
    const ops = yield* load(mn.ops);
    const flush = yield* loadPrivate(ops.invalidate_range);
    if (flush !== null) yield* fact(2, flush(mn, mm, start, end));
    return yield* flush_each.restart(yield* fact(2, READ_ONCE(node.next)), mm, start, end);
  },
  {
    source: "mm/mmu_notifier.c",
    facts: "invalidate_range",
    params: ["node", "mm", "start", "end"],
    internal: true,
  },
);
