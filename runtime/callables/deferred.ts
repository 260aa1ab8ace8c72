/** What takes a function of the script: releases, RCU callbacks, work. */
import { callback, object, optional, returnsBoolean, returnsNothing, type Callable } from "../callable.ts";
import { storePrivate } from "../machine/access.ts";
import { kref, kref_put } from "../machine/atomic.ts";
import { kernelFunction, type KernelFunction } from "../machine/function.ts";
import { call_rcu, call_srcu, rcu_head, srcu_struct, type RcuCallback } from "../machine/rcu.ts";
import type { Kernel } from "../machine/step.ts";
import { work_struct } from "../machine/workqueue.ts";
import { srcu } from "../mm/mmu_notifier_hlist.ts";
import { table } from "./table.ts";

const INIT_WORK = kernelFunction(
  "INIT_WORK",
  function* (work: work_struct, func: KernelFunction<[work_struct], void>): Kernel<void> {
    yield* storePrivate(work.func, func);
  },
  { source: "include/linux/workqueue.h", params: ["work", "func"], atom: true },
);

const k = object("kref", () => kref);
const head = object("head", () => rcu_head);
const work = object("work", () => work_struct);
const ssp = optional(
  object("ssp", () => srcu_struct),
  srcu,
);

export const deferredCallables: readonly Callable[] = [
  ...table("include/linux/kref.h", [
    [
      "kref_put",
      kref_put,
      [k, callback("release", () => kref)],
      returnsBoolean,
      "drops a reference; the last one calls release(kref), and it is true then",
    ],
  ]),
  ...table("kernel/rcu/tree.c", [
    [
      "call_rcu",
      call_rcu,
      [head, callback("func", () => rcu_head)],
      returnsNothing,
      "calls func(head) after a grace period, on the actor that runs RCU callbacks",
    ],
  ]),
  ...table("kernel/rcu/srcutree.c", [
    [
      "call_srcu",
      (domain: srcu_struct, h: rcu_head, func: RcuCallback) => call_srcu(domain, h, func),
      [ssp, head, callback("func", () => rcu_head)],
      returnsNothing,
      "calls func(head) after a grace period of a domain",
    ],
  ]),
  ...table("include/linux/workqueue.h", [
    ["INIT_WORK", INIT_WORK, [work, callback("func", () => work_struct)], returnsNothing, "says what a work item runs"],
  ]),
];
