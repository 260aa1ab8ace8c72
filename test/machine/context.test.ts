import { test } from "uvu";
import * as assert from "uvu/assert";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import * as context from "../../runtime/machine/context.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { GFP_ATOMIC, GFP_KERNEL } from "../../runtime/machine/gfp.ts";
import { mutex_lock, mutex_trylock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import {
  call_rcu,
  rcu_head,
  rcu_read_lock,
  rcu_read_unlock,
  srcu_read_lock,
  srcu_read_unlock,
  srcu_struct,
  synchronize_rcu,
  synchronize_srcu,
} from "../../runtime/machine/rcu.ts";
import { down_read, rw_semaphore, up_read } from "../../runtime/machine/rwsem.ts";
import { spin_lock, spin_lock_irqsave, spin_unlock, spin_unlock_irqrestore } from "../../runtime/machine/spinlock.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { embed, mutex, spinlock, Struct } from "../../runtime/machine/struct.ts";
import { complete, completion, wait_for_completion } from "../../runtime/machine/wait.ts";
import { RCU_ACTOR, Rig } from "../support/rig.ts";

class gadget extends Struct {
  lock = mutex();
  spin = spinlock();
  sem = embed(rw_semaphore);
  srcu = embed(srcu_struct);
  other = embed(srcu_struct);
  done = embed(completion);
  rcu = embed(rcu_head);
}
type Body = (g: gadget) => Kernel<unknown>;
type Around = readonly [string, Body, Body, string];

const spinning: Around = ["spin", (g) => spin_lock(g.spin), (g) => spin_unlock(g.spin), "1, 0, 0"];
const AROUND: readonly Around[] = [
  spinning,
  ["irqsave", (g) => spin_lock_irqsave(g.spin), (g) => spin_unlock_irqrestore(g.spin), "1, 1, 0"],
  ["preempt", context.preempt_disable, context.preempt_enable, "1, 0, 0"],
  ["irqs", context.local_irq_disable, context.local_irq_enable, "0, 1, 0"],
  ["irqs saved", context.local_irq_save, context.local_irq_restore, "0, 1, 0"],
  ["non-blocking", context.non_block_start, context.non_block_end, "0, 0, 1"],
];
const SLEEPS: readonly (readonly [string, Body, string])[] = [
  ["mutex_lock", (g) => mutex_lock(g.lock), "kernel/locking/mutex.c"],
  ["down_read", (g) => down_read(g.sem), "kernel/locking/rwsem.c"],
  ["synchronize_rcu", () => synchronize_rcu(), "kernel/sched/completion.c"],
  ["synchronize_srcu", (g) => synchronize_srcu(g.srcu), "kernel/sched/completion.c"],
  ["might_sleep", context.might_sleep, "include/linux/kernel.h"],
  ["kzalloc", () => kzalloc(gadget, GFP_KERNEL), "mm/slab.h"],
  ["completion", (g) => wait_for_completion(g.done), "kernel/sched/completion.c"],
];

const SECTIONS: readonly Around[] = [
  ["rcu", rcu_read_lock, rcu_read_unlock, "1, 0, 0"],
  ["srcu", (g) => srcu_read_lock(g.srcu), (g) => srcu_read_unlock(g.srcu), "0, 0, 0"],
  ["other srcu", (g) => srcu_read_lock(g.other), (g) => srcu_read_unlock(g.other), "0, 0, 0"],
];

/** Runs one thing inside another; what is said. */
const inside = kernelFunction("inside", function* (g: gadget, around: number, sleep: number): Kernel<void> {
  const [, enter, leave] = [...AROUND, ...SECTIONS][around] as Around;
  yield* complete(g.done);
  yield* enter(g);
  yield* (SLEEPS[sleep] as (typeof SLEEPS)[number])[1](g);
  yield* leave(g);
});
function said(around: number, sleep: number): string[] {
  const rig = new Rig();
  rig.start(0, inside, rig.object(gadget, "g"), around, sleep);
  rig.go(0);
  return rig.messages();
}

for (const [i, around] of AROUND.entries())
  test(`nobody sleeps there: ${around[0]}`, () => {
    const [preempt, irqs, nonBlock] = around[3].split(", ");
    const counts = `in_atomic(): ${preempt}, irqs_disabled(): ${irqs}, non_block: ${nonBlock}`;
    for (const [j, [name, , file]] of SLEEPS.entries())
      assert.equal(
        said(i, j),
        [`sleep-in-atomic: sleeping function called from invalid context at ${file}: ${counts}`],
        name,
      );
  });

test("a section of RCU is no place to sleep in, and RCU has words of its own for that", () => {
  const rcu = AROUND.length;
  for (const [j, [name]] of SLEEPS.entries()) {
    const [first, second] = said(rcu, j);
    const illegal: Record<string, string> = {
      synchronize_rcu: "Illegal synchronize_rcu() in RCU read-side critical section",
      synchronize_srcu: "Illegal synchronize_srcu() in same-type SRCU (or in RCU) read-side critical section",
    };
    assert.is(first, `rcu: ${illegal[name] ?? "Illegal context switch in RCU read-side critical section"}`, name);
    assert.match(second ?? "", /^sleep-in-atomic: .*in_atomic\(\): 1, irqs_disabled\(\): 0, non_block: 0$/);
  }
});
test("in a section of SRCU one may sleep, but not wait for its end", () => {
  const srcu = AROUND.length + 1;
  for (const [j, [name]] of SLEEPS.entries())
    assert.equal(
      said(srcu, j),
      name === "synchronize_srcu"
        ? ["rcu: Illegal synchronize_srcu() in same-type SRCU (or in RCU) read-side critical section"]
        : [],
    );
  for (const j of SLEEPS.keys()) assert.equal(said(srcu + 1, j), []);
});

const awake = kernelFunction("awake", function* (g: gadget): Kernel<void> {
  yield* mutex_lock(g.lock);
  yield* context.might_sleep();
  yield* spin_lock(g.spin);
  yield* kfree(yield* kzalloc(gadget, GFP_ATOMIC));
  if (yield* mutex_trylock(g.lock)) yield* mutex_unlock(g.lock);
  yield* spin_unlock(g.spin);
  yield* context.preempt_disable();
  yield* context.preempt_disable();
  yield* context.preempt_enable();
  yield* context.preempt_enable();
  yield* context.might_sleep();
  yield* down_read(g.sem);
  yield* synchronize_srcu(g.srcu);
  yield* up_read(g.sem);
  yield* mutex_unlock(g.lock);
});
test("who does not sleep, or sleeps where one may, is left alone", () => {
  const rig = new Rig();
  rig.run(awake, rig.object(gadget));
  assert.equal(rig.messages(), []);
});

const callback = kernelFunction("callback", function* (_head: rcu_head): Kernel<void> {
  yield* context.might_sleep();
});
const defers = kernelFunction("defers", function* (g: gadget): Kernel<void> {
  yield* call_rcu(g.rcu, callback);
});
test("a callback of RCU must not sleep, and what comes after it has nothing to do with it", () => {
  const rig = new Rig();
  const g = rig.object(gadget);
  rig.run(defers, g);
  assert.is(rig.go(RCU_ACTOR), "blocked");
  assert.match(rig.messages().join(), /^sleep-in-atomic: .*in_atomic\(\): 1/);
  assert.equal(rig.machine.locksOf(RCU_ACTOR), []);
});

test.run();
