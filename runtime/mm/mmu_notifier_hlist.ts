/** mm/mmu_notifier.c: the walks over the hlist of an mm's notifiers, which are those of 5.2 in every era since. */
import { load, loadPrivate, READ_ONCE } from "../machine/access.ts";
import { WARN_ON } from "../machine/bug.ts";
import { kernelFunction, type KernelFunction } from "../machine/function.ts";
import { hlist_del_init_rcu, type hlist_head, type hlist_node } from "../machine/list.ts";
import { srcu_struct } from "../machine/rcu.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { container_of } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import { EAGAIN } from "../machine/errno.ts";
import { in_blockable } from "./notifier_map.ts";
import type { mm_struct } from "./mm_types.ts";
import { mmu_notifier, type mmu_notifier_range } from "./mmu_notifier_types.ts";

/** The one domain that all callbacks run in. */
export const srcu = staticObject<srcu_struct>(srcu_struct);

export const notifierOf = (node: hlist_node): mmu_notifier => container_of(node, mmu_notifier, "hlist");

const source = "mm/mmu_notifier.c";

/** Calls release() of a notifier and of those after it. Each walk is a part of `caller`. */
export function releaseEach(caller: string, facts: string): KernelFunction<[mm_struct, hlist_node], void> {
  const self = kernelFunction(
    caller,
    function* (mm: mm_struct, node: hlist_node): Kernel<void> {
      if (node.isNull) return;
      const mn = notifierOf(node);
      const ops = yield* load(mn.ops);
      const release = yield* loadPrivate(ops.release);
      if (release !== null) yield* fact(2, release(mn, mm));
      return yield* self.restart(mm, yield* fact(2, READ_ONCE(node.next)));
    },
    { source, facts, params: ["mm", "node"], internal: true },
  );
  return self;
}
/** Empties the list; its lock is held. */
export function unlinkAll(caller: string, facts: string): KernelFunction<[hlist_head], void> {
  const self = kernelFunction(
    caller,
    function* (list: hlist_head): Kernel<void> {
      const first = yield* fact(5, load(list.first));
      if (first.isNull) return;
      yield* fact(5, hlist_del_init_rcu(first));
      return yield* self.restart(list);
    },
    { source, facts, params: ["list"], internal: true },
  );
  return self;
}

/**
 * Calls invalidate_range_start() of a notifier and of those after it; the last error wins. `checks`: that callbacks of
 * a range that is not blockable do not sleep, and that others do not refuse, which kernels look at since 5.4.
 */
export function startEach(
  caller: string,
  facts: string,
  checks: boolean,
): KernelFunction<[hlist_node, mmu_notifier_range, number], number> {
  const self = kernelFunction(
    caller,
    function* (node: hlist_node, range: mmu_notifier_range, ret: number): Kernel<number> {
      if (node.isNull) return ret;
      const mn = notifierOf(node);
      const ops = yield* load(mn.ops);
      const start = yield* loadPrivate(ops.invalidate_range_start);
      const called = start === null ? null : fact("n7", start(mn, range));
      const error = called === null ? 0 : yield* checks ? in_blockable(range[4], called) : called;
      const isWrong = checks && error !== 0 && (range[4] || error !== -EAGAIN);
      yield* WARN_ON(isWrong, "mmu_notifier_range_blockable(range) || _ret != -EAGAIN");
      return yield* self.restart(yield* fact("n7", READ_ONCE(node.next)), range, error === 0 ? ret : error);
    },
    { source, facts, params: ["node", "range", "ret"], internal: true },
  );
  return self;
}
export function endEach(
  caller: string,
  facts: string,
  checks: boolean,
): KernelFunction<[hlist_node, mmu_notifier_range, boolean], void> {
  const self = kernelFunction(
    caller,
    function* (node: hlist_node, range: mmu_notifier_range, only_end: boolean): Kernel<void> {
      if (node.isNull) return;
      const [mm, start, end] = range;
      const mn = notifierOf(node);
      const ops = yield* load(mn.ops);
      const flush = only_end ? null : yield* loadPrivate(ops.invalidate_range);
      if (flush !== null) yield* fact("e3", flush(mn, mm, start, end));
      const callback = yield* loadPrivate(ops.invalidate_range_end);
      const called = callback === null ? null : fact("e3", callback(mn, range));
      if (called !== null) yield* checks ? in_blockable(range[4], called) : called;
      return yield* self.restart(yield* fact("e3", READ_ONCE(node.next)), range, only_end);
    },
    { source, facts, params: ["node", "range", "only_end"], internal: true },
  );
  return self;
}
