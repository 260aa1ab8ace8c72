/** Contexts in which nobody may sleep, what may sleep, and what lockdep is told, as scripts call them. */
import { ignored, lock, number, object, optional, returnsBoolean, returnsNothing, type Callable } from "../callable.ts";
import {
  cond_resched,
  local_irq_disable,
  local_irq_enable,
  local_irq_restore,
  local_irq_save,
  might_sleep,
  msleep,
  non_block_end,
  non_block_start,
  preempt_disable,
  preempt_enable,
  schedule,
} from "../machine/context.ts";
import { lock_is_held } from "../machine/lockdep.ts";
import {
  fs_reclaim_acquire,
  fs_reclaim_release,
  lock_map_acquire,
  lock_map_release,
  lockdep_map,
  might_lock,
  might_lock_read,
} from "../machine/lockdep-map.ts";
import type { Kernel } from "../machine/step.ts";
import { table } from "./table.ts";

function* might_sleep_if(cond: number): Kernel<void> {
  if (cond !== 0) yield* might_sleep();
}

const flags = [optional(ignored("flags"), 0)];
const time = [optional(ignored("msecs"), 0)];
const NO_SLEEP = "who sleeps from here on is told so";
const contexts = [
  ...table("include/linux/preempt.h", [
    ["preempt_disable", preempt_disable, [], returnsNothing, NO_SLEEP],
    ["preempt_enable", preempt_enable, [], returnsNothing, "the end of that"],
  ]),
  ...table("include/linux/irqflags.h", [
    ["local_irq_disable", local_irq_disable, [], returnsNothing, NO_SLEEP],
    ["local_irq_enable", local_irq_enable, [], returnsNothing, "the end of that"],
    ["local_irq_save", local_irq_save, flags, returnsNothing, NO_SLEEP],
    ["local_irq_restore", local_irq_restore, flags, returnsNothing, "the end of that"],
  ]),
  ...table("include/linux/kernel.h", [
    ["non_block_start", non_block_start, [], returnsNothing, NO_SLEEP],
    ["non_block_end", non_block_end, [], returnsNothing, "the end of that"],
    ["might_sleep", might_sleep, [], returnsNothing, "reports it where nobody may sleep"],
    ["might_sleep_if", might_sleep_if, [number("cond")], returnsNothing, "the same, if the condition holds"],
  ]),
];
const sleepers = [
  ...table("kernel/sched/core.c", [
    ["cond_resched", cond_resched, [], returnsNothing, "may sleep; takes no time here"],
    ["schedule", schedule, [], returnsNothing, "may sleep; takes no time here"],
  ]),
  ...table("kernel/time/timer.c", [
    ["msleep", msleep, time, returnsNothing, "sleeps; takes no time here"],
    ["msleep_interruptible", msleep, time, returnsNothing, "sleeps; takes no time here"],
    ["usleep_range", msleep, [...time, optional(ignored("max"), 0)], returnsNothing, "sleeps; takes no time here"],
  ]),
];

const held = [lock("lock", "any")];
const map = [object("map", () => lockdep_map)];
const gfp = [number("gfp_mask")];
const RECLAIMS = "as an allocation does that may reclaim memory";
const lockdep = [
  ...table("include/linux/lockdep.h", [
    ["lockdep_is_held", lock_is_held, held, returnsBoolean, "whether this CPU has it"],
    ["might_lock", might_lock, held, returnsNothing, "for lockdep the lock is taken and given up"],
    ["might_lock_read", might_lock_read, [lock("sem", "rwsem")], returnsNothing, "the same, for reading"],
    ["lock_map_acquire", lock_map_acquire, map, returnsNothing, "for lockdep a lock is taken that nobody waits for"],
    ["lock_map_release", lock_map_release, map, returnsNothing, "gives it up"],
  ]),
  ...table("mm/page_alloc.c", [
    ["fs_reclaim_acquire", fs_reclaim_acquire, gfp, returnsNothing, `takes lockdep's map of reclaim, ${RECLAIMS}`],
    ["fs_reclaim_release", fs_reclaim_release, gfp, returnsNothing, "gives it up"],
  ]),
];

export const contextCallables: readonly Callable[] = [...contexts, ...sleepers, ...lockdep];
