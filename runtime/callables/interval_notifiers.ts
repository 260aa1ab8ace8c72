/** Interval notifiers and shared notifiers, as scripts call them: since 5.6. */
import {
  number,
  object,
  optional,
  range,
  returnsBoolean,
  returnsNothing,
  returnsNumber,
  returnsObject,
  type Callable,
  type DefaultObject,
} from "../callable.ts";
import { loadPrivate } from "../machine/access.ts";
import { kernelFunction, type KernelFunction } from "../machine/function.ts";
import type { Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import type { ImageWriter } from "../image.ts";
import { mm_struct } from "../mm/mm_types.ts";
import {
  mmu_interval_check_retry,
  mmu_interval_notifier_insert,
  mmu_interval_notifier_insert_locked,
  mmu_interval_notifier_remove,
  mmu_interval_read_begin,
  mmu_interval_read_retry,
  mmu_interval_set_seq,
} from "../mm/mmu_interval_notifier.ts";
import {
  mmu_notifier_get,
  mmu_notifier_get_locked,
  mmu_notifier_put,
  mmu_notifier_synchronize,
} from "../mm/mmu_notifier_get.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier,
  mmu_notifier_ops,
  type mmu_notifier_range,
} from "../mm/mmu_notifier_types.ts";

/** For a notifier whose script declares no callback: a device that has nothing to let go of. */
const idle_ops = staticObject(mmu_interval_notifier_ops, "idle_interval_ops");
const nothing_to_invalidate = kernelFunction(
  "invalidate",
  function* (sub: mmu_interval_notifier, _range: mmu_notifier_range, cur_seq: number): Kernel<boolean> {
    yield* mmu_interval_set_seq(sub, cur_seq);
    return true;
  },
  {
    params: ["interval_sub", "range", "cur_seq"],
    summary: "Of an interval notifier without a callback.",
    internal: true,
  },
);
export function idleIntervalImage(write: ImageWriter): void {
  write(idle_ops.invalidate, nothing_to_invalidate);
}

type Insert = KernelFunction<[mmu_interval_notifier, mm_struct, number, number, mmu_interval_notifier_ops], number>;
/** Without ops those that the notifier has already, or idle ones. */
export const withOps = (insert: Insert): Insert =>
  kernelFunction(
    "insertInterval",
    function* (
      sub: mmu_interval_notifier,
      mm: mm_struct,
      start: number,
      end: number,
      ops: mmu_interval_notifier_ops,
    ): Kernel<number> {
      const own = ops.isNull ? yield* loadPrivate(sub.ops) : ops;
      return yield* insert(sub, mm, start, end - start, own.isNull ? idle_ops : own);
    },
    {
      params: ["interval_sub", "mm", "start", "end", "ops"],
      summary: "Registers an interval notifier over a range.",
      internal: true,
    },
  );
const insertInterval = withOps(mmu_interval_notifier_insert);
const insertIntervalLocked = withOps(mmu_interval_notifier_insert_locked);

const sub = object("sub", () => mmu_interval_notifier);
const mm = object("mm", () => mm_struct);
const ops = optional(
  object("ops", () => mmu_interval_notifier_ops),
  NULL(mmu_interval_notifier_ops),
);
const source = "mm/mmu_notifier.c";
const header = "include/linux/mmu_notifier.h";

const intervals: readonly Callable[] = [
  {
    name: "mmu_interval_notifier_insert",
    params: [sub, mm, range("range", "length"), ops],
    result: returnsNumber,
    summary: "registers an interval notifier; takes mmap_sem if it is the first of its mm",
    source,
    registers: "sub",
    run: insertInterval,
  },
  {
    name: "mmu_interval_notifier_insert_locked",
    params: [sub, mm, range("range", "length"), ops],
    result: returnsNumber,
    summary: "registers an interval notifier; mmap_sem must be held for writing",
    source,
    registers: "sub",
    run: insertIntervalLocked,
  },
  {
    name: "mmu_interval_notifier_remove",
    params: [sub],
    result: returnsNothing,
    summary: "takes an interval notifier away, when no callback of it runs; it may be freed then",
    source,
    run: mmu_interval_notifier_remove,
  },
  {
    name: "mmu_interval_read_begin",
    params: [sub],
    result: returnsNumber,
    summary: "waits while the range is being invalidated; the number that mmu_interval_read_retry wants",
    source,
    run: mmu_interval_read_begin,
  },
  {
    name: "mmu_interval_read_retry",
    params: [sub, number("seq")],
    result: returnsBoolean,
    summary: "whether the range was invalidated since; with the driver's lock held",
    source: header,
    run: mmu_interval_read_retry,
  },
  {
    name: "mmu_interval_check_retry",
    params: [sub, number("seq")],
    result: returnsBoolean,
    summary: "the same without a lock: true is certain, false is a hint",
    source: header,
    run: mmu_interval_check_retry,
  },
  {
    name: "mmu_interval_set_seq",
    params: [sub, number("cur_seq")],
    result: returnsNothing,
    summary: "what `invalidate` must do with the driver's lock held: readers that began before must retry",
    source: header,
    run: mmu_interval_set_seq,
  },
];

const notifierOps = object("ops", () => mmu_notifier_ops);
const shared: readonly Callable[] = [
  {
    name: "mmu_notifier_get",
    params: [notifierOps, mm],
    result: returnsObject(() => mmu_notifier),
    summary: "the notifier of an mm with these ops, made by `alloc_notifier` if need be; takes mmap_sem",
    source: header,
    run: mmu_notifier_get,
  },
  {
    name: "mmu_notifier_get_locked",
    params: [notifierOps, mm],
    result: returnsObject(() => mmu_notifier),
    summary: "the same with mmap_sem held for writing",
    source,
    run: mmu_notifier_get_locked,
  },
  {
    name: "mmu_notifier_put",
    params: [object("mn", () => mmu_notifier)],
    result: returnsNothing,
    summary: "one user of such a notifier less; after the last one `free_notifier` is called when no callback runs",
    source,
    run: mmu_notifier_put,
  },
  {
    name: "mmu_notifier_synchronize",
    params: [],
    result: returnsNothing,
    summary: "waits until every callback that runs now is over",
    source,
    run: mmu_notifier_synchronize,
  },
];

export const intervalCallables: readonly Callable[] = [
  ...intervals.map((entry) => ({ ...entry, since: "v5.5" })),
  ...shared.map((entry) => ({ ...entry, since: "v5.4" })),
];

export const defaultInterval: DefaultObject = {
  type: () => mmu_interval_notifier,
  name: "sub",
  note: "an interval notifier without a callback, inserted over that range",
  prepare: (space, object, [start, end]) =>
    insertInterval(object as mmu_interval_notifier, space as mm_struct, start, end, NULL(mmu_interval_notifier_ops)),
};
