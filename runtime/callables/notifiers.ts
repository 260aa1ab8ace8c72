/** mmu notifiers, as scripts call them. */
import {
  callback,
  object,
  optional,
  range,
  returnsNothing,
  returnsNumber,
  type Callable,
  type DefaultObject,
} from "../callable.ts";
import { storePrivate, loadPrivate } from "../machine/access.ts";
import { kernelFunction, type KernelFunction } from "../machine/function.ts";
import { rcu_head } from "../machine/rcu.ts";
import type { Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import { mm_struct } from "../mm/mm_types.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_invalidate_range_start_nonblock,
} from "../mm/mmu_notifier.ts";
import {
  __mmu_notifier_register,
  mmu_notifier_call_srcu,
  mmu_notifier_register,
  mmu_notifier_unregister,
  mmu_notifier_unregister_no_release,
} from "../mm/mmu_notifier_register.ts";
import { mmu_notifier_release } from "../mm/mmu_notifier_release.ts";
import { mmu_notifier, mmu_notifier_ops, mmu_notifier_range_init } from "../mm/mmu_notifier_types.ts";

/** For a notifier whose script declares no callbacks: every one of them may be missing. */
const no_ops = staticObject(mmu_notifier_ops, "no_ops");

/** Gives the notifier its ops first; a driver does that in its own code. */
const withOps = (register: KernelFunction<[mmu_notifier, mm_struct], number>) =>
  kernelFunction(
    "registerNotifier",
    function* (mn: mmu_notifier, mm: mm_struct, ops: mmu_notifier_ops): Kernel<number> {
      const own = yield* loadPrivate(mn.ops);
      if (!ops.isNull) yield* storePrivate(mn.ops, ops);
      else if (own.isNull) yield* storePrivate(mn.ops, no_ops);
      return yield* register(mn, mm);
    },
    { params: ["mn", "mm", "ops"], summary: "Sets the ops of a notifier and registers it.", internal: true },
  );
const registerNotifier = withOps(mmu_notifier_register);
const registerNotifierLocked = withOps(__mmu_notifier_register);

const mm = object("mm", () => mm_struct);
const mn = object("mn", () => mmu_notifier);
const ops = optional(
  object("ops", () => mmu_notifier_ops),
  NULL(mmu_notifier_ops),
);
const source = "mm/mmu_notifier.c";
const eventOver = (space: mm_struct, start: number, end: number) =>
  mmu_notifier_range_init("MMU_NOTIFY_CLEAR", space, start, end);

export const notifierCallables: readonly Callable[] = [
  {
    name: "mmu_notifier_register",
    params: [mn, mm, ops],
    result: returnsNumber,
    summary: "registers a notifier; takes mmap_sem",
    source,
    registers: "mn",
    run: registerNotifier,
  },
  {
    name: "__mmu_notifier_register",
    params: [mn, mm, ops],
    result: returnsNumber,
    summary: "registers a notifier; mmap_sem must be held for writing",
    source,
    registers: "mn",
    run: registerNotifierLocked,
  },
  {
    name: "mmu_notifier_unregister",
    params: [mn, mm],
    result: returnsNothing,
    summary: "unregisters a notifier, calling release() unless that has been done; it may be freed then",
    source,
    run: mmu_notifier_unregister,
  },
  {
    name: "mmu_notifier_unregister_no_release",
    params: [mn, mm],
    result: returnsNothing,
    summary: "unregisters a notifier without callback or grace period",
    source,
    since: "v4.19",
    until: "v5.4",
    run: mmu_notifier_unregister_no_release,
  },
  {
    name: "mmu_notifier_call_srcu",
    params: [object("rcu", () => rcu_head), callback("func", () => rcu_head)],
    result: returnsNothing,
    summary: "calls func(rcu) when every callback that runs now is over",
    source,
    since: "v4.19",
    until: "v5.4",
    run: mmu_notifier_call_srcu,
  },
  {
    name: "mmu_notifier_release",
    params: [mm],
    result: returnsNothing,
    summary: "what the end of an address space begins with",
    source,
    run: mmu_notifier_release,
  },
  {
    name: "mmu_notifier_invalidate_range_start",
    params: [mm, range()],
    result: returnsNothing,
    summary: "has every notifier let go of a range",
    source,
    since: "v2.6.27",
    run: (space: mm_struct, start: number, end: number) =>
      mmu_notifier_invalidate_range_start(eventOver(space, start, end)),
  },
  {
    name: "mmu_notifier_invalidate_range_start_nonblock",
    params: [mm, range()],
    result: returnsNumber,
    summary: "the same, but no notifier may sleep: -EAGAIN if one had to",
    source,
    since: "v4.19",
    run: (space: mm_struct, start: number, end: number) =>
      mmu_notifier_invalidate_range_start_nonblock(eventOver(space, start, end)),
  },
  {
    name: "mmu_notifier_invalidate_range_end",
    params: [mm, range()],
    result: returnsNothing,
    summary: "tells every notifier that a range may be used again",
    source,
    since: "v2.6.27",
    run: (space: mm_struct, start: number, end: number) =>
      mmu_notifier_invalidate_range_end(eventOver(space, start, end)),
  },
];

export const defaultNotifier: DefaultObject = {
  type: () => mmu_notifier,
  name: "mn",
  note: "a notifier without callbacks, registered",
  prepare: (space, object) => registerNotifier(object as mmu_notifier, space as mm_struct, NULL(mmu_notifier_ops)),
};
