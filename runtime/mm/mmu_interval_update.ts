/**
 * mm/mmu_notifier.c as "make interval notifier updates safe" wants it: what the mail adds beside the functions that it
 * changes. A notifier with ops->release may leave or move from within invalidate(): nobody waits.
 */
import { load, loadPrivate, store } from "../machine/access.ts";
import { WARN_ON } from "../machine/bug.ts";
import { EINVAL, EOVERFLOW } from "../machine/errno.ts";
import { kernelFunction } from "../machine/function.ts";
import { hlist_add_head } from "../machine/list.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { interval_tree_insert, interval_tree_remove, RB_EMPTY_NODE } from "./interval_tree.ts";
import type { mm_struct } from "./mm_types.ts";
import { __mmu_interval_notifier_insert, wait_for_change } from "./mmu_interval_notifier.ts";
import { isOdd, ULONG_MAX } from "./mmu_notifier_itree.ts";
import type {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier_subscriptions,
} from "./mmu_notifier_types.ts";
import { waits_for_invalidation } from "./notifier_map.ts";

/** Not the file alone: what stands there without the mail comes from there too. */
export const source = "mm/mmu_notifier.c of linux-mm, 2019-12-16";

export const mmu_interval_notifier_insert_safe = kernelFunction(
  "mmu_interval_notifier_insert_safe",
  function* (
    sub: mmu_interval_notifier,
    mm: mm_struct,
    start: number,
    length: number,
    ops: mmu_interval_notifier_ops,
  ): Kernel<number> {
    const subscriptions = yield* fact(1, load(mm.notifier_subscriptions));
    if (subscriptions.isNull || !(yield* fact(2, load(subscriptions.has_itree)))) return -EINVAL;
    return yield* fact(3, __mmu_interval_notifier_insert(sub, mm, subscriptions, start, length, ops));
  },
  {
    source,
    since: "v5.5",
    facts: "insert_safe",
    params: ["interval_sub", "mm", "start", "length", "ops"],
    summary: "Registers an interval notifier without a lock that invalidate() must not take; the mm must be ready.",
  },
);

export const mmu_interval_notifier_update = kernelFunction(
  "mmu_interval_notifier_update",
  function* (sub: mmu_interval_notifier, start: number, length: number): Kernel<number> {
    const mm = yield* loadPrivate(sub.mm);
    const subscriptions = yield* load(mm.notifier_subscriptions);
    const last = start + length - 1;
    if (length === 0 || last > ULONG_MAX) return -EOVERFLOW;
    yield* fact(2, spin_lock(subscriptions.lock));
    const seq = yield* move(sub, subscriptions, start, last);
    yield* fact(4, spin_unlock(subscriptions.lock));
    const ops = yield* fact(5, load(sub.ops));
    if ((yield* loadPrivate(ops.release)) !== null || seq === 0) return 0;
    yield* fact(5, waits_for_invalidation());
    yield* fact(5, wait_for_change(subscriptions, seq));
    return 0;
  },
  {
    source,
    since: "v5.5",
    facts: "update",
    params: ["interval_sub", "start", "length"],
    summary: "Moves an interval notifier to another range, or has that done when the tree moves again.",
  },
);
/** What has to change before it is where it should be; 0 if it is. */
const move = kernelFunction(
  "mmu_interval_notifier_update",
  function* (
    sub: mmu_interval_notifier,
    subscriptions: mmu_notifier_subscriptions,
    start: number,
    last: number,
  ): Kernel<number> {
    const { interval_tree } = sub;
    const seq = yield* fact(3, load(subscriptions.invalidate_seq));
    const is_empty = yield* fact(3, RB_EMPTY_NODE(interval_tree));
    if (isOdd(seq) && !is_empty) {
      if ((yield* fact(3, load(sub.deferred_last))) === 0)
        yield* fact(3, hlist_add_head(sub.deferred_item, subscriptions.deferred_list));
      yield* fact(3, store(sub.deferred_start, start));
      yield* fact(3, store(sub.deferred_last, last));
      return seq;
    }
    if (!isOdd(seq)) {
      yield* WARN_ON(is_empty, "RB_EMPTY_NODE(&mni->interval_tree.rb)");
      yield* fact(3, interval_tree_remove(interval_tree, subscriptions.itree));
    }
    yield* fact(3, store(interval_tree.start, start));
    yield* fact(3, store(interval_tree.last, last));
    if (isOdd(seq)) return seq;
    yield* fact(3, interval_tree_insert(interval_tree, subscriptions.itree));
    return 0;
  },
  {
    source,
    since: "v5.5",
    facts: "update",
    params: ["interval_sub", "subscriptions", "start", "last"],
    internal: true,
  },
);
