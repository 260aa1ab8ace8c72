/** mm/mmu_notifier.c: the walks over the hlist of an mm's notifiers, in all eras, and what they are protected by. */
import { load, loadPrivate, READ_ONCE } from "../machine/access.ts";
import { WARN_ON } from "../machine/bug.ts";
import { kernelFunction, type KernelFunction } from "../machine/function.ts";
import { hlist_del_init_rcu, type hlist_head, type hlist_node } from "../machine/list.ts";
import {
  rcu_read_lock,
  rcu_read_unlock,
  srcu_read_lock,
  srcu_read_unlock,
  srcu_struct,
  synchronize_rcu,
  synchronize_srcu,
} from "../machine/rcu.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { container_of } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import { EAGAIN } from "../machine/errno.ts";
import { in_blockable } from "./notifier_map.ts";
import type { mm_struct } from "./mm_types.ts";
import { mmu_notifier, type mmu_notifier_ops, type mmu_notifier_range } from "./mmu_notifier_types.ts";

/** The one domain that all callbacks run in, since 3.7. */
export const srcu = staticObject<srcu_struct>(srcu_struct);

/** What keeps notifiers from being freed under a walk. */
export interface ReadSide {
  readonly lock: () => Kernel<unknown>;
  readonly unlock: () => Kernel<void>;
  readonly synchronize: () => Kernel<void>;
}
/** Until 3.6: no callback may sleep. */
export const RCU: ReadSide = { lock: rcu_read_lock, unlock: rcu_read_unlock, synchronize: synchronize_rcu };
export const SRCU: ReadSide = {
  lock: () => srcu_read_lock(srcu),
  unlock: () => srcu_read_unlock(srcu),
  synchronize: () => synchronize_srcu(srcu),
};

export const notifierOf = (node: hlist_node): mmu_notifier => container_of(node, mmu_notifier, "hlist");

const source = "mm/mmu_notifier.c";

/** Calls release() of one notifier, if it has that. */
export function* callRelease(mn: mmu_notifier, mm: mm_struct, step: number | string): Kernel<void> {
  const ops = yield* load(mn.ops);
  const release = yield* loadPrivate(ops.release);
  if (release !== null) yield* fact(step, release(mn, mm));
}
/** Calls release() of a notifier and of those after it. Each walk is a part of `caller`. */
export function releaseEach(caller: string, facts: string): KernelFunction<[mm_struct, hlist_node], void> {
  const self = kernelFunction(
    caller,
    function* (mm: mm_struct, node: hlist_node): Kernel<void> {
      if (node.isNull) return;
      yield* callRelease(notifierOf(node), mm, 2);
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

// ---- start and end: what the callbacks of an era are given

type Start = NonNullable<ReturnType<mmu_notifier_ops["invalidate_range_start"]["decode"]>>;
type End = NonNullable<ReturnType<mmu_notifier_ops["invalidate_range_end"]["decode"]>>;
type ByAddress = KernelFunction<[mmu_notifier, mm_struct, number, number], void>;
type ByAddressOrFail = KernelFunction<[mmu_notifier, mm_struct, number, number, boolean], number>;
/** How notifiers are called, from some era on. */
export interface Calls {
  readonly start: (start: Start, mn: mmu_notifier, range: mmu_notifier_range) => Kernel<number>;
  readonly end: (end: End, mn: mmu_notifier, range: mmu_notifier_range) => Kernel<void>;
}
const endByAddress: Calls["end"] = (end, mn, [mm, from, to]) => (end as unknown as ByAddress)(mn, mm, from, to);
/** Until 4.18: nobody can refuse. */
export const CANNOT_FAIL: Calls = {
  *start(start, mn, [mm, from, to]) {
    yield* (start as unknown as ByAddress)(mn, mm, from, to);
    return 0;
  },
  end: endByAddress,
};
/** 4.19: who would have to sleep refuses. */
export const CAN_FAIL: Calls = {
  start: (start, mn, [mm, from, to, , blockable]) => (start as unknown as ByAddressOrFail)(mn, mm, from, to, blockable),
  end: endByAddress,
};
/** Since 5.0. */
export const BY_RANGE: Calls = {
  start: (start, mn, range) => start(mn, range),
  end: (end, mn, range) => end(mn, range),
};

/**
 * What is looked at when a notifier has refused. Since 5.4 that callbacks of a range that is not blockable do not sleep
 * ("sleep"), and that no others refuse; since 5.12 that who refuses has no invalidate_range_end() ("pairs").
 */
export type Checks = "none" | "sleep" | "pairs";

/** Calls invalidate_range_start() of a notifier and of those after it; the last error wins. */
export function startEach(
  caller: string,
  facts: string,
  calls: Calls,
  checks: Checks,
): KernelFunction<[hlist_node, mmu_notifier_range, number], number> {
  const self = kernelFunction(
    caller,
    function* (node: hlist_node, range: mmu_notifier_range, ret: number): Kernel<number> {
      if (node.isNull) return ret;
      const mn = notifierOf(node);
      const ops = yield* load(mn.ops);
      const start = yield* loadPrivate(ops.invalidate_range_start);
      const called = start === null ? null : fact("n7", calls.start(start, mn, range));
      const error = called === null ? 0 : yield* checks === "none" ? called : in_blockable(range[4], called);
      const isWrong = checks !== "none" && error !== 0 && (range[4] || error !== -EAGAIN);
      yield* WARN_ON(isWrong, "mmu_notifier_range_blockable(range) || _ret != -EAGAIN");
      const isUnpaired = checks === "pairs" && error !== 0 && (yield* loadPrivate(ops.invalidate_range_end)) !== null;
      yield* WARN_ON(isUnpaired, "ops->invalidate_range_end");
      return yield* self.restart(yield* fact("n7", READ_ONCE(node.next)), range, error === 0 ? ret : error);
    },
    { source, facts, params: ["node", "range", "ret"], internal: true },
  );
  return self;
}
export function endEach(
  caller: string,
  facts: string,
  calls: Calls,
  checks: Checks,
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
      const called = callback === null ? null : fact("e3", calls.end(callback, mn, range));
      if (called !== null) yield* checks === "none" ? called : in_blockable(range[4], called);
      return yield* self.restart(yield* fact("e3", READ_ONCE(node.next)), range, only_end);
    },
    { source, facts, params: ["node", "range", "only_end"], internal: true },
  );
  return self;
}
export type ByAddresses = "invalidate_range" | "invalidate_all" | "invalidate_range_begin" | "invalidate_range_end";
/** Calls a callback of addresses of each notifier, whatever it is for. */
export function callEach(
  caller: string,
  facts: string,
  callback: ByAddresses,
): KernelFunction<[hlist_node, mm_struct, number, number], void> {
  const self = kernelFunction(
    caller,
    function* (node: hlist_node, mm: mm_struct, start: number, end: number): Kernel<void> {
      if (node.isNull) return;
      const mn = notifierOf(node);
      const ops = yield* load(mn.ops);
      const fn = yield* loadPrivate(ops[callback] as mmu_notifier_ops["invalidate_range"]);
      if (fn !== null) yield* fact(2, fn(mn, mm, start, end));
      return yield* self.restart(yield* fact(2, READ_ONCE(node.next)), mm, start, end);
    },
    { source, facts, params: ["node", "mm", "start", "end"], internal: true },
  );
  return self;
}
/** Since 5.12: calls invalidate_range_end() of each that has it, whether or not it had a start of its own. */
export function unwindEach(caller: string, facts: string): KernelFunction<[hlist_node, mmu_notifier_range], void> {
  const self = kernelFunction(
    caller,
    function* (node: hlist_node, range: mmu_notifier_range): Kernel<void> {
      if (node.isNull) return;
      const mn = notifierOf(node);
      const ops = yield* load(mn.ops);
      const end = yield* loadPrivate(ops.invalidate_range_end);
      if (end !== null) yield* end(mn, range);
      return yield* self.restart(yield* READ_ONCE(node.next), range);
    },
    { source, facts, params: ["node", "range"], internal: true },
  );
  return self;
}
