/** mm/mmu_notifier.c as of 5.6: interval notifiers, as a driver uses them. */
import { load, loadPrivate, READ_ONCE, smp_load_acquire, store, storePrivate, WRITE_ONCE } from "../machine/access.ts";
import { atomic_read } from "../machine/atomic.ts";
import { WARN_ON } from "../machine/bug.ts";
import { might_sleep } from "../machine/context.ts";
import { kernelFunction } from "../machine/function.ts";
import { hlist_add_head, hlist_del } from "../machine/list.ts";
import { might_lock } from "../machine/lockdep-map.ts";
import { lockdep_assert_held_write } from "../machine/lockdep.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { wait_event, type Condition } from "../machine/wait.ts";
import { EINVAL, EOVERFLOW } from "../machine/errno.ts";
import { mmdrop, mmgrab } from "./fork.ts";
import { interval_tree_insert, interval_tree_remove, RB_CLEAR_NODE, RB_EMPTY_NODE } from "./interval_tree.ts";
import type { mm_struct } from "./mm_types.ts";
import { __mmu_notifier_register, mmu_notifier_register } from "./mmu_notifier_register.ts";
import { waits_for_invalidation } from "./notifier_map.ts";
import { isOdd, ULONG_MAX } from "./mmu_notifier_itree.ts";
import {
  mmu_notifier,
  type mmu_interval_notifier,
  type mmu_interval_notifier_ops,
  type mmu_notifier_subscriptions,
} from "./mmu_notifier_types.ts";

const source = "mm/mmu_notifier.c";
const header = "include/linux/mmu_notifier.h";

// ---- the driver's side of the sequence number

/** Nobody holds a lock: whoever saw the change may be ahead of what comes with it. */
const seq_has_changed = kernelFunction(
  "seq_has_changed",
  function* (subscriptions: mmu_notifier_subscriptions, seq: number): Kernel<boolean> {
    return (yield* READ_ONCE(subscriptions.invalidate_seq)) !== seq;
  },
  { params: ["subscriptions", "seq"], internal: true },
);
export const wait_for_change = (subscriptions: mmu_notifier_subscriptions, seq: number): Kernel<void> =>
  wait_event(subscriptions.wq, seq_has_changed as unknown as Condition<[]>, subscriptions, seq);

/** Since 5.18 mmu_interval_notifier_remove() looks under the lock: who changes the number is through then. */
const interval_seq_released = kernelFunction(
  "mmu_interval_seq_released",
  function* (subscriptions: mmu_notifier_subscriptions, seq: number): Kernel<boolean> {
    yield* spin_lock(subscriptions.lock);
    const released = (yield* load(subscriptions.invalidate_seq)) !== seq;
    yield* spin_unlock(subscriptions.lock);
    return released;
  },
  {
    source,
    since: "v5.18",
    params: ["subscriptions", "seq"],
    summary: "Whether an invalidation is over, and its tree done.",
  },
);
export const wait_for_change_locked = (subscriptions: mmu_notifier_subscriptions, seq: number): Kernel<void> =>
  wait_event(subscriptions.wq, interval_seq_released as unknown as Condition<[]>, subscriptions, seq);

export const mmu_interval_read_begin = kernelFunction(
  "mmu_interval_read_begin",
  function* (sub: mmu_interval_notifier): Kernel<number> {
    const mm = yield* loadPrivate(sub.mm);
    const subscriptions = yield* fact(1, load(mm.notifier_subscriptions));
    yield* fact(2, spin_lock(subscriptions.lock));
    const seq = yield* fact(3, READ_ONCE(sub.invalidate_seq));
    const is_invalidating = seq === (yield* fact(4, load(subscriptions.invalidate_seq)));
    yield* fact(5, spin_unlock(subscriptions.lock));
    yield* fact(6, waits_for_invalidation());
    if (is_invalidating) yield* fact(7, wait_for_change(subscriptions, seq));
    return seq;
  },
  {
    source,
    since: "v5.5",
    facts: "mmu_interval_read_begin",
    params: ["interval_sub"],
    summary: "The sequence number that mmu_interval_read_retry() wants; waits while the range is being invalidated.",
  },
);
export const mmu_interval_set_seq = kernelFunction(
  "mmu_interval_set_seq",
  function* (sub: mmu_interval_notifier, cur_seq: number): Kernel<void> {
    yield* WRITE_ONCE(sub.invalidate_seq, cur_seq);
  },
  {
    source: header,
    since: "v5.5",
    params: ["interval_sub", "cur_seq"],
    summary: "What invalidate() must do first, with the driver's lock held: readers that began before must retry.",
  },
);
export const mmu_interval_read_retry = kernelFunction(
  "mmu_interval_read_retry",
  function* (sub: mmu_interval_notifier, seq: number): Kernel<boolean> {
    return (yield* load(sub.invalidate_seq)) !== seq;
  },
  {
    source: header,
    since: "v5.5",
    params: ["interval_sub", "seq"],
    summary: "Whether the range was invalidated since mmu_interval_read_begin(); with the driver's lock held.",
  },
);
export const mmu_interval_check_retry = kernelFunction(
  "mmu_interval_check_retry",
  function* (sub: mmu_interval_notifier, seq: number): Kernel<boolean> {
    return (yield* READ_ONCE(sub.invalidate_seq)) !== seq;
  },
  {
    source: header,
    since: "v5.5",
    params: ["interval_sub", "seq"],
    summary: "The same without a lock: true is certain, false is a hint.",
  },
);

// ---- coming and going

/**
 * Asks whether the mm is alive: before 5.10 the wrong counter, for a struct without users is there, too. `isUpdatable`:
 * with the patch that lets notifiers move.
 */
export const insertIf = (counter: "mm_count" | "mm_users", isUpdatable = false) =>
  function* (
    sub: mmu_interval_notifier,
    mm: mm_struct,
    subscriptions: mmu_notifier_subscriptions,
    start: number,
    length: number,
    ops: mmu_interval_notifier_ops,
  ): Kernel<number> {
    const { interval_tree } = sub;
    yield* fact(1, storePrivate(sub.mm, mm));
    yield* fact(1, storePrivate(sub.ops, ops));
    yield* fact(1, RB_CLEAR_NODE(interval_tree));
    yield* fact(1, storePrivate(interval_tree.start, start));
    if (isUpdatable) yield* fact(1, storePrivate(sub.deferred_last, 0));
    const last = start + length - 1;
    if (length === 0 || last > ULONG_MAX) return -EOVERFLOW;
    yield* fact(2, storePrivate(interval_tree.last, last));
    const count = yield* fact(3, atomic_read(mm[counter]));
    if (yield* WARN_ON(count <= 0, `atomic_read(&mm->${counter}) <= 0`)) return -EINVAL;
    yield* fact(4, mmgrab(mm));
    yield* fact(5, spin_lock(subscriptions.lock));
    yield* enter(sub, subscriptions);
    yield* fact(8, spin_unlock(subscriptions.lock));
    return 0;
  };
export const __mmu_interval_notifier_insert = kernelFunction("__mmu_interval_notifier_insert", insertIf("mm_count"), {
  source,
  since: "v5.5",
  facts: "__mmu_interval_notifier_insert",
  params: ["interval_sub", "mm", "subscriptions", "start", "length", "ops"],
  summary: "Puts an interval notifier into the tree of its mm, or has that done when the tree moves again.",
  differs: "What nobody else can reach yet is written without a scheduling point.",
}).since("v5.10", insertIf("mm_users"));
const enter = kernelFunction(
  "__mmu_interval_notifier_insert",
  function* (sub: mmu_interval_notifier, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
    const active = yield* fact(6, load(subscriptions.active_invalidate_ranges));
    const seq = yield* fact(6, load(subscriptions.invalidate_seq));
    const is_invalidating = isOdd(seq);
    if (active !== 0 && is_invalidating) {
      yield* fact("6a", hlist_add_head(sub.deferred_item, subscriptions.deferred_list));
      yield* fact("6c", store(sub.invalidate_seq, seq));
    } else if (active !== 0) {
      yield* fact("6b", store(subscriptions.invalidate_seq, seq + 1));
      yield* fact("6b", interval_tree_insert(sub.interval_tree, subscriptions.itree));
      yield* fact("6c", store(sub.invalidate_seq, seq + 1));
    } else {
      yield* WARN_ON(is_invalidating, "mn_itree_is_invalidating(subscriptions)");
      yield* fact(7, store(sub.invalidate_seq, seq - 1));
      yield* fact(7, interval_tree_insert(sub.interval_tree, subscriptions.itree));
    }
  },
  {
    source,
    since: "v5.5",
    facts: "__mmu_interval_notifier_insert",
    params: ["interval_sub", "subscriptions"],
    internal: true,
  },
);

/** The subscriptions of an mm, ready for intervals, or an error. */
const with_itree = (caller: string, look: typeof load, register: typeof mmu_notifier_register) =>
  kernelFunction(
    caller,
    function* (mm: mm_struct): Kernel<number> {
      const subscriptions = yield* fact(2, look(mm.notifier_subscriptions));
      if (!subscriptions.isNull && (yield* fact(3, load(subscriptions.has_itree)))) return 0;
      return yield* fact(3, register(NULL(mmu_notifier), mm));
    },
    { source, since: "v5.5", facts: caller, params: ["mm"], internal: true },
  );
const have_itree = with_itree("mmu_interval_notifier_insert", smp_load_acquire, mmu_notifier_register);
const have_itree_locked = with_itree("mmu_interval_notifier_insert_locked", load, __mmu_notifier_register);

export const mmu_interval_notifier_insert = kernelFunction(
  "mmu_interval_notifier_insert",
  function* (
    sub: mmu_interval_notifier,
    mm: mm_struct,
    start: number,
    length: number,
    ops: mmu_interval_notifier_ops,
  ): Kernel<number> {
    yield* fact(1, might_lock(mm.mmap_sem));
    const error = yield* have_itree(mm);
    if (error !== 0) return error;
    const subscriptions = yield* fact(3, load(mm.notifier_subscriptions));
    return yield* fact(4, __mmu_interval_notifier_insert(sub, mm, subscriptions, start, length, ops));
  },
  {
    source,
    since: "v5.5",
    facts: "mmu_interval_notifier_insert",
    params: ["interval_sub", "mm", "start", "length", "ops"],
    summary: "Registers an interval notifier; takes mmap_sem if it is the first of its mm.",
  },
);
export const mmu_interval_notifier_insert_locked = kernelFunction(
  "mmu_interval_notifier_insert_locked",
  function* (
    sub: mmu_interval_notifier,
    mm: mm_struct,
    start: number,
    length: number,
    ops: mmu_interval_notifier_ops,
  ): Kernel<number> {
    yield* fact(1, lockdep_assert_held_write(mm.mmap_sem));
    const error = yield* have_itree_locked(mm);
    if (error !== 0) return error;
    const subscriptions = yield* fact(2, load(mm.notifier_subscriptions));
    return yield* fact(4, __mmu_interval_notifier_insert(sub, mm, subscriptions, start, length, ops));
  },
  {
    source,
    since: "v5.5",
    facts: "mmu_interval_notifier_insert_locked",
    params: ["interval_sub", "mm", "start", "length", "ops"],
    summary: "Registers an interval notifier; mmap_sem is held for writing.",
  },
);

const removeWaiting = (wait: typeof wait_for_change) =>
  function* (sub: mmu_interval_notifier): Kernel<void> {
    yield* fact(1, might_sleep());
    const mm = yield* loadPrivate(sub.mm);
    const subscriptions = yield* load(mm.notifier_subscriptions);
    yield* fact(2, spin_lock(subscriptions.lock));
    const seq = yield* leave(sub, subscriptions);
    yield* fact(4, spin_unlock(subscriptions.lock));
    yield* fact(5, waits_for_invalidation());
    if (seq !== 0) yield* fact(6, wait(subscriptions, seq));
    yield* fact(7, mmdrop(mm));
  };
export const mmu_interval_notifier_remove = kernelFunction(
  "mmu_interval_notifier_remove",
  removeWaiting(wait_for_change),
  {
    source,
    since: "v5.5",
    facts: "mmu_interval_notifier_remove",
    params: ["interval_sub"],
    summary: "Takes an interval notifier away, and waits until no callback of it runs.",
  },
).since("v5.18", removeWaiting(wait_for_change_locked));
/** What has to change before it is out; 0 if it is. */
const leave = kernelFunction(
  "mmu_interval_notifier_remove",
  function* (sub: mmu_interval_notifier, subscriptions: mmu_notifier_subscriptions): Kernel<number> {
    const seq = yield* fact(3, load(subscriptions.invalidate_seq));
    const is_empty = yield* fact(3, RB_EMPTY_NODE(sub.interval_tree));
    if (isOdd(seq) && is_empty) {
      yield* fact("3a", hlist_del(sub.deferred_item));
      return 0;
    }
    if (isOdd(seq)) {
      yield* fact("3b", hlist_add_head(sub.deferred_item, subscriptions.deferred_list));
      return seq;
    }
    yield* WARN_ON(is_empty, "RB_EMPTY_NODE(&interval_sub->interval_tree.rb)");
    yield* fact("3c", interval_tree_remove(sub.interval_tree, subscriptions.itree));
    return 0;
  },
  {
    source,
    since: "v5.5",
    facts: "mmu_interval_notifier_remove",
    params: ["interval_sub", "subscriptions"],
    internal: true,
  },
);
