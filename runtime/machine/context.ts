/** Contexts in which nobody may sleep, and what asks whether one is in any. None of it is seen by other CPUs. */
import { HoldMode, Op, primitive, step, type Kernel } from "./step.ts";
import { int, Struct } from "./struct.ts";
import { staticObject } from "./types.ts";

class thread_info extends Struct {
  static readonly variables = true;
  preempt_count = int();
  irqs = int();
  non_block_count = int();
  softirq = int();
}
/** Every CPU has these; what one has is in the set of what it holds. */
export const contexts = staticObject(thread_info);

const enter = primitive("enter", (m, addr = 0, mode = 0) => {
  m.hold(addr, mode);
  return 0;
});
const leave = primitive("leave", (m, addr = 0, mode = 0) => {
  m.release(addr, mode as HoldMode);
  return 0;
});
type Context = "preempt" | "irqs" | "nonBlock";
const WORDS = { preempt: contexts.preempt_count, irqs: contexts.irqs, nonBlock: contexts.non_block_count };

function* contextStep(run: typeof enter, context: Context, name: string): Kernel<void> {
  const { addr } = WORDS[context];
  yield* step({
    op: Op.silentPrimitive,
    addr,
    primitive: run,
    args: [addr, HoldMode[context]],
    text: () => `${name}()`,
  });
}
const entering =
  (context: Context, name: string): (() => Kernel<void>) =>
  () =>
    contextStep(enter, context, name);
const leaving =
  (context: Context, name: string): (() => Kernel<void>) =>
  () =>
    contextStep(leave, context, name);

export const preempt_disable = entering("preempt", "preempt_disable");
export const preempt_enable = leaving("preempt", "preempt_enable");
export const local_irq_disable = entering("irqs", "local_irq_disable");
export const local_irq_enable = leaving("irqs", "local_irq_enable");
export const local_irq_save = entering("irqs", "local_irq_save");
export const local_irq_restore = leaving("irqs", "local_irq_restore");
export const non_block_start = entering("nonBlock", "non_block_start");
export const non_block_end = leaving("nonBlock", "non_block_end");

const asks = (name: string, file: string) =>
  primitive(name, (m) => {
    m.locks.sleeps(file);
    return 0;
  });
/** Says that the CPU may sleep here: reported where nobody may. `file`: where the kernel has it. */
export function mightSleep(name: string, file: string): () => Kernel<void> {
  const ask = asks(name, file);
  return function* () {
    yield* step({ op: Op.silentPrimitive, primitive: ask, text: () => `${name}()` });
  };
}
export const might_sleep = mightSleep("might_sleep", "include/linux/kernel.h");
export const cond_resched = mightSleep("cond_resched", "kernel/sched/core.c");
export const msleep = mightSleep("msleep", "kernel/time/timer.c");
export const schedule = mightSleep("schedule", "kernel/sched/core.c");
export const might_sleep_in_wait = mightSleep("might_sleep", "include/linux/wait.h");
