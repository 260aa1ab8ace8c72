/** Bodies in the place of the kernel's, and of a driver's: what a mutant takes that is more than a step left out. */
import { add, load, store, WRITE_ONCE } from "../../runtime/machine/access.ts";
import { existsIn, type Era } from "../../runtime/machine/era.ts";
import { allFunctions, type Replacement } from "../../runtime/machine/function.ts";
import { hlist_node, type hlist_head } from "../../runtime/machine/list.ts";
import { mutex_lock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import { spin_lock, spin_unlock } from "../../runtime/machine/spinlock.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at, container_of, NULL } from "../../runtime/machine/struct.ts";
import { wake_up_all } from "../../runtime/machine/wait.ts";
import { interval_tree_iter_first } from "../../runtime/mm/interval_tree.ts";
import { mmu_interval_set_seq } from "../../runtime/mm/mmu_interval_notifier.ts";
import { notifierOf } from "../../runtime/mm/mmu_notifier_hlist.ts";
import {
  mmu_interval_notifier,
  type mmu_notifier_range,
  type mmu_notifier_subscriptions,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { resolveBodies, type Patch } from "../../runtime/patch.ts";
import { gpu, kvm_ops } from "./gpus.ts";

export const patched = (...replacements: readonly Replacement[]): Patch => ({
  ...{ name: "mutant", subject: "", source: "", eras: [], needs: [], replacements },
});
/** A body of the test's own for a function of the kernel. */
export function kernelBody(name: string, body: (...args: never[]) => Kernel<unknown>): Replacement {
  const known = allFunctions().filter((fn) => fn.name === name);
  const fn = known.find(({ info }) => info.internal !== true) ?? known[0];
  if (fn === undefined) throw new Error(`no ${name}`);
  return { fn, body: body as Replacement["body"] };
}
/** What another era does there; `part`: in the parts of a function that have no name of their own. */
export function asIn(era: Era, name: string, part = false): readonly Replacement[] {
  const { bodies } = resolveBodies(era, []);
  return allFunctions()
    .filter((fn) => fn.name === name && (fn.info.internal === true) === part && existsIn(fn.info, era))
    .flatMap((fn) => {
      const body = bodies.get(fn.id)?.body as Replacement["body"] | undefined;
      return body === undefined ? [] : [{ fn, body }];
    });
}

/** mn_itree_inv_start_range(): seq++ where it is |= 1. */
export function* startTwice(
  s: mmu_notifier_subscriptions,
  [, start, end]: mmu_notifier_range,
): Kernel<readonly [mmu_interval_notifier, number]> {
  yield* spin_lock(s.lock);
  yield* add(s.active_invalidate_ranges, 1);
  const node = yield* interval_tree_iter_first(s.itree, start, end - 1);
  const seq = node.isNull ? yield* load(s.invalidate_seq) : yield* add(s.invalidate_seq, 1);
  yield* spin_unlock(s.lock);
  return [node.isNull ? NULL(mmu_interval_notifier) : container_of(node, mmu_interval_notifier, "interval_tree"), seq];
}
/** mn_itree_inv_end(): does not ask whether it is the last. Nobody is on deferred_list. */
export function* endAlways(s: mmu_notifier_subscriptions): Kernel<void> {
  yield* spin_lock(s.lock);
  yield* add(s.active_invalidate_ranges, -1);
  const seq = yield* load(s.invalidate_seq);
  if (seq % 2 === 1) yield* store(s.invalidate_seq, seq + 1);
  yield* spin_unlock(s.lock);
  yield* wake_up_all(s.wq);
}
/** gpu_invalidate(): the number comes when the lock is gone. */
export function* setSeqLate(sub: mmu_interval_notifier, _range: mmu_notifier_range, cur_seq: number): Kernel<boolean> {
  const g = container_of(sub, gpu, "sub");
  yield* mutex_lock(g.lock);
  yield* store(g.spte, null);
  yield* mutex_unlock(g.lock);
  yield* mmu_interval_set_seq(sub, cur_seq);
  return true;
}
/**
 * hlist_add_head_rcu(): a plain store publishes the notifier, and the one of ops before it may be seen after it. Stores
 * of the model are seen in their order: here they are in that one.
 */
export function* addPlain(n: hlist_node, h: hlist_head): Kernel<void> {
  const first = yield* load(h.first);
  yield* store(n.next, first);
  yield* store(n.pprev, h.first);
  yield* WRITE_ONCE(h.first, n);
  yield* store(notifierOf(n).ops, kvm_ops);
  if (!first.isNull) yield* store(first.pprev, at(hlist_node, n.addr).next);
}
