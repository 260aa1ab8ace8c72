/**
 * "mm/mmu_notifier: make interval notifier updates safe", Ralph Campbell, December 2019. Never merged.
 *
 * invalidate() may insert, move and remove: what the tree cannot take while it is walked is put off until the last
 * invalidation is over, and release() says when an interval notifier is really gone.
 */
import { add, load, loadPrivate, store } from "../machine/access.ts";
import { endOfScope, stackObject } from "../machine/alloc.ts";
import { WARN_ON } from "../machine/bug.ts";
import { might_sleep } from "../machine/context.ts";
import { kernelFunction, replaces } from "../machine/function.ts";
import { hlist_add_head, hlist_del, hlist_head, INIT_HLIST_HEAD, type hlist_node } from "../machine/list.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { wake_up_all } from "../machine/wait.ts";
import { mmdrop } from "../mm/fork.ts";
import { interval_tree_insert, interval_tree_remove, RB_EMPTY_NODE } from "../mm/interval_tree.ts";
import {
  __mmu_interval_notifier_insert,
  insertIf,
  mmu_interval_notifier_remove,
  wait_for_change,
  wait_for_change_locked,
} from "../mm/mmu_interval_notifier.ts";
import { source } from "../mm/mmu_interval_update.ts";
import { deferredSubOf, isOdd, mn_itree_inv_end } from "../mm/mmu_notifier_itree.ts";
import type {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier_subscriptions,
} from "../mm/mmu_notifier_types.ts";
import { waits_for_invalidation } from "../mm/notifier_map.ts";
import { erasOf, type Patch } from "../patch.ts";

// ---- the end of an invalidation

function* inv_end(subscriptions: mmu_notifier_subscriptions): Kernel<void> {
  yield* fact(1, spin_lock(subscriptions.lock));
  const active = yield* fact(2, add(subscriptions.active_invalidate_ranges, -1));
  const seq = active !== 0 ? 0 : yield* fact(3, load(subscriptions.invalidate_seq));
  if (!isOdd(seq)) {
    yield* fact(3, spin_unlock(subscriptions.lock));
    return;
  }
  yield* fact(4, store(subscriptions.invalidate_seq, seq + 1));
  const removed_list = yield* stackObject(hlist_head, "struct hlist_head removed_list");
  yield* fact(5, INIT_HLIST_HEAD(removed_list));
  yield* process_deferred(subscriptions, removed_list, yield* fact(6, load(subscriptions.deferred_list.first)));
  yield* fact(7, spin_unlock(subscriptions.lock));
  yield* fact(8, wake_up_all(subscriptions.wq));
  yield* release_removed(yield* fact(9, load(removed_list.first)));
  yield* endOfScope(removed_list);
}
const process_deferred = kernelFunction(
  "mn_itree_inv_end",
  function* (subscriptions: mmu_notifier_subscriptions, removed_list: hlist_head, node: hlist_node): Kernel<void> {
    if (node.isNull) return;
    const next = yield* fact(6, load(node.next));
    const sub = deferredSubOf(node);
    yield* fact("6a", hlist_del(node));
    if (yield* fact("6b", RB_EMPTY_NODE(sub.interval_tree)))
      yield* fact("6b", interval_tree_insert(sub.interval_tree, subscriptions.itree));
    else yield* move_or_take_out(sub, subscriptions, removed_list);
    return yield* process_deferred.restart(subscriptions, removed_list, next);
  },
  {
    source,
    since: "v5.5",
    facts: "inv_end (v5)",
    params: ["subscriptions", "removed_list", "node"],
    internal: true,
  },
);
const move_or_take_out = kernelFunction(
  "mn_itree_inv_end",
  function* (
    sub: mmu_interval_notifier,
    subscriptions: mmu_notifier_subscriptions,
    removed_list: hlist_head,
  ): Kernel<void> {
    const { interval_tree } = sub;
    yield* fact("6c", interval_tree_remove(interval_tree, subscriptions.itree));
    const last = yield* fact("6c", load(sub.deferred_last));
    if (last !== 0) {
      yield* fact("6c", store(interval_tree.start, yield* fact("6c", load(sub.deferred_start))));
      yield* fact("6c", store(interval_tree.last, last));
      yield* fact("6c", store(sub.deferred_last, 0));
      yield* fact("6c", interval_tree_insert(interval_tree, subscriptions.itree));
      return;
    }
    const ops = yield* load(sub.ops);
    if ((yield* loadPrivate(ops.release)) !== null) yield* fact("6c", hlist_add_head(sub.deferred_item, removed_list));
  },
  {
    source,
    since: "v5.5",
    facts: "inv_end (v5)",
    params: ["interval_sub", "subscriptions", "removed_list"],
    internal: true,
  },
);
const release_removed = kernelFunction(
  "mn_itree_inv_end",
  function* (node: hlist_node): Kernel<void> {
    if (node.isNull) return;
    const next = yield* fact(9, load(node.next));
    const sub = deferredSubOf(node);
    const mm = yield* fact(9, load(sub.mm));
    yield* fact(9, hlist_del(node));
    yield* call_release(sub, yield* load(sub.ops));
    yield* fact(9, mmdrop(mm));
    return yield* release_removed.restart(next);
  },
  { source, since: "v5.5", facts: "inv_end (v5)", params: ["node"], internal: true },
);
function* call_release(sub: mmu_interval_notifier, ops: mmu_interval_notifier_ops): Kernel<void> {
  const release = yield* loadPrivate(ops.release);
  if (release !== null) yield* fact("release", release(sub));
}

// ---- coming and going

type Wait = typeof wait_for_change;
/** Since 5.18 who waits looks under the lock. */
const removeWaiting = (wait: Wait) =>
  function* (sub: mmu_interval_notifier): Kernel<void> {
    yield* fact(1, might_sleep());
    const mm = yield* loadPrivate(sub.mm);
    const subscriptions = yield* load(mm.notifier_subscriptions);
    yield* fact(2, spin_lock(subscriptions.lock));
    const seq = yield* leave(sub, subscriptions);
    yield* fact(4, spin_unlock(subscriptions.lock));
    const ops = yield* fact(5, load(sub.ops));
    if ((yield* loadPrivate(ops.release)) !== null) {
      if (seq !== 0) return;
      yield* call_release(sub, ops);
    } else {
      yield* fact(6, waits_for_invalidation());
      if (seq !== 0) yield* fact(6, wait(subscriptions, seq));
    }
    yield* fact(6, mmdrop(mm));
  };
/** What has to change before it is out; 0 if it is. */
const leave = kernelFunction(
  "mmu_interval_notifier_remove",
  function* (sub: mmu_interval_notifier, subscriptions: mmu_notifier_subscriptions): Kernel<number> {
    const seq = yield* fact(3, load(subscriptions.invalidate_seq));
    const is_empty = yield* fact(3, RB_EMPTY_NODE(sub.interval_tree));
    if (isOdd(seq) && is_empty) {
      yield* fact(3, hlist_del(sub.deferred_item));
      return 0;
    }
    if (isOdd(seq)) {
      if ((yield* fact(3, load(sub.deferred_last))) !== 0) yield* fact(3, store(sub.deferred_last, 0));
      else yield* fact(3, hlist_add_head(sub.deferred_item, subscriptions.deferred_list));
      return seq;
    }
    yield* WARN_ON(is_empty, "RB_EMPTY_NODE(&mni->interval_tree.rb)");
    yield* fact(3, interval_tree_remove(sub.interval_tree, subscriptions.itree));
    return 0;
  },
  { source, since: "v5.5", facts: "remove (v5)", params: ["interval_sub", "subscriptions"], internal: true },
);

export const intervalUpdatesSafe: Patch = {
  name: "interval-updates-safe",
  subject: "[PATCH v5 1/2] mm/mmu_notifier: make interval notifier updates safe",
  source: "linux-mm, 2019-12-16",
  eras: erasOf({ since: "v5.5" }),
  needs: [],
  replacements: [
    replaces(mn_itree_inv_end, inv_end, "inv_end (v5)"),
    replaces(__mmu_interval_notifier_insert, insertIf("mm_count", true), "__insert (v5)"),
    replaces(__mmu_interval_notifier_insert, insertIf("mm_users", true), "__insert (v5)", { since: "v5.10" }),
    replaces(mmu_interval_notifier_remove, removeWaiting(wait_for_change), "remove (v5)"),
    replaces(mmu_interval_notifier_remove, removeWaiting(wait_for_change_locked), "remove (v5)", { since: "v5.18" }),
  ],
};
