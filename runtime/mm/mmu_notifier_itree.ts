/**
 * mm/mmu_notifier.c as of 5.6: what an invalidation does to interval notifiers. While invalidate_seq of an mm is odd,
 * its tree stands still and is walked without a lock; who wants to enter or leave waits on deferred_list.
 */
import { add, load, loadPrivate, store } from "../machine/access.ts";
import { BUG_ON, WARN_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { hlist_del, type hlist_node } from "../machine/list.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at, container_of } from "../machine/struct.ts";
import { wake_up_all } from "../machine/wait.ts";
import { EAGAIN } from "../machine/errno.ts";
import {
  interval_tree_insert,
  interval_tree_iter_first,
  interval_tree_iter_next,
  interval_tree_remove,
  RB_EMPTY_NODE,
  type interval_tree_node,
} from "./interval_tree.ts";
import type { mm_struct } from "./mm_types.ts";
import {
  mmu_interval_notifier,
  type mmu_notifier_range,
  type mmu_notifier_subscriptions,
} from "./mmu_notifier_types.ts";

const source = "mm/mmu_notifier.c";
export const ULONG_MAX = Number.MAX_SAFE_INTEGER;

const subOf = (node: interval_tree_node): mmu_interval_notifier =>
  node.isNull ? at(mmu_interval_notifier, 0) : container_of(node, mmu_interval_notifier, "interval_tree");
export const deferredSubOf = (node: hlist_node): mmu_interval_notifier =>
  container_of(node, mmu_interval_notifier, "deferred_item");

export const isOdd = (seq: number): boolean => seq % 2 === 1;

const mn_itree_inv_start_range = kernelFunction(
  "mn_itree_inv_start_range",
  function* (
    subscriptions: mmu_notifier_subscriptions,
    [, start, end]: mmu_notifier_range,
  ): Kernel<readonly [first: mmu_interval_notifier, seq: number]> {
    yield* fact("n4", spin_lock(subscriptions.lock));
    yield* fact("n4", add(subscriptions.active_invalidate_ranges, 1));
    const node = yield* fact("n4", interval_tree_iter_first(subscriptions.itree, start, end - 1));
    let seq = yield* fact("n4", load(subscriptions.invalidate_seq));
    if (!node.isNull && !isOdd(seq)) yield* fact("n4", store(subscriptions.invalidate_seq, ++seq));
    yield* fact("n4", spin_unlock(subscriptions.lock));
    return [subOf(node), seq];
  },
  {
    source,
    since: "v5.5",
    facts: "NS",
    params: ["subscriptions", "range"],
    summary: "Counts an invalidation; the first interval notifier that it meets, and the sequence number it gets.",
    differs: "A sequence number that is odd already is not written again.",
  },
);
const mn_itree_inv_next = kernelFunction(
  "mn_itree_inv_next",
  function* (sub: mmu_interval_notifier, [, start, end]: mmu_notifier_range): Kernel<mmu_interval_notifier> {
    return subOf(yield* fact("n5", interval_tree_iter_next(sub.interval_tree, start, end - 1)));
  },
  {
    source,
    since: "v5.5",
    facts: "NS",
    params: ["interval_sub", "range"],
    summary: "The next interval notifier that a range meets. No lock: the tree stands still.",
  },
);

export const mn_itree_inv_end = kernelFunction(
  "mn_itree_inv_end",
  function* (subscriptions: mmu_notifier_subscriptions): Kernel<void> {
    yield* fact("e2", spin_lock(subscriptions.lock));
    const active = yield* fact("e2", add(subscriptions.active_invalidate_ranges, -1));
    const seq = active !== 0 ? 0 : yield* fact("e2", load(subscriptions.invalidate_seq));
    if (!isOdd(seq)) {
      yield* fact("e2", spin_unlock(subscriptions.lock));
      return;
    }
    yield* fact("e2", store(subscriptions.invalidate_seq, seq + 1));
    yield* process_deferred(subscriptions, yield* fact("e2", load(subscriptions.deferred_list.first)));
    yield* fact("e2", spin_unlock(subscriptions.lock));
    yield* fact("e2", wake_up_all(subscriptions.wq));
  },
  {
    source,
    since: "v5.5",
    facts: "NE",
    params: ["subscriptions"],
    summary: "With the last invalidation over, lets in and out who waited for that, and wakes those who wait.",
  },
);
const process_deferred = kernelFunction(
  "mn_itree_inv_end",
  function* (subscriptions: mmu_notifier_subscriptions, node: hlist_node): Kernel<void> {
    if (node.isNull) return;
    const next = yield* fact("e2", load(node.next));
    const { interval_tree } = deferredSubOf(node);
    if (yield* fact("e2", RB_EMPTY_NODE(interval_tree)))
      yield* fact("e2", interval_tree_insert(interval_tree, subscriptions.itree));
    else yield* fact("e2", interval_tree_remove(interval_tree, subscriptions.itree));
    yield* fact("e2", hlist_del(node));
    return yield* process_deferred.restart(subscriptions, next);
  },
  { source, since: "v5.5", facts: "NE", params: ["subscriptions", "node"], internal: true },
);

/** Calls invalidate() of each; whether one that may not sleep has refused. */
const invalidate_each = (caller: string, warning: string) => {
  const self = kernelFunction(
    caller,
    function* (sub: mmu_interval_notifier, range: mmu_notifier_range, seq: number): Kernel<boolean> {
      if (sub.isNull) return false;
      const ops = yield* load(sub.ops);
      const invalidate = yield* loadPrivate(ops.invalidate);
      yield* BUG_ON(invalidate === null, "!interval_sub->ops->invalidate");
      const done = invalidate === null || (yield* fact("n5", invalidate(sub, range, seq)));
      const blockable = range[4];
      if (!done && !blockable) return true;
      yield* WARN_ON(!done, warning);
      return yield* self.restart(yield* mn_itree_inv_next(sub, range), range, seq);
    },
    { source, since: "v5.5", facts: "NS", params: ["interval_sub", "range", "seq"], internal: true },
  );
  return self;
};
const invalidate_in_range = invalidate_each("mn_itree_invalidate", "mmu_notifier_range_blockable(range)");
const invalidate_all = invalidate_each("mn_itree_release", "!ret");

export const mn_itree_invalidate = kernelFunction(
  "mn_itree_invalidate",
  function* (subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range): Kernel<number> {
    const [first, seq] = yield* mn_itree_inv_start_range(subscriptions, range);
    if (!(yield* invalidate_in_range(first, range, seq))) return 0;
    yield* fact("n5", mn_itree_inv_end(subscriptions));
    return -EAGAIN;
  },
  {
    source,
    since: "v5.5",
    facts: "NS",
    params: ["subscriptions", "range"],
    summary: "Calls invalidate() of each interval notifier that a range meets; -EAGAIN if one had to sleep.",
  },
);
export const mn_itree_release = kernelFunction(
  "mn_itree_release",
  function* (subscriptions: mmu_notifier_subscriptions, mm: mm_struct): Kernel<void> {
    const range: mmu_notifier_range = [mm, 0, ULONG_MAX, "MMU_NOTIFY_RELEASE", true];
    const [first, seq] = yield* mn_itree_inv_start_range(subscriptions, range);
    yield* invalidate_all(first, range, seq);
    yield* mn_itree_inv_end(subscriptions);
  },
  {
    source,
    since: "v5.5",
    facts: "release D1",
    params: ["subscriptions", "mm"],
    summary: "Calls invalidate() of every interval notifier: the address space goes away. They stay in the tree.",
  },
);
