/** Wait queues and completions, with the steps in which wake-ups can be lost. */
import { kernelFunction, type KernelFunction } from "./function.ts";
import { ERESTARTSYS } from "./errno.ts";
import { killed } from "./signal.ts";
import { asBoolean, BLOCKED, Op, primitive, step, type Kernel, type Value } from "./step.ts";
import { store } from "./access.ts";
import { might_sleep_in_wait } from "./context.ts";
import { int, Struct } from "./struct.ts";

export class wait_queue_head extends Struct {
  static readonly short: string = "wq";
  /** Who is enqueued, as bits. */
  waiting = int();
}

const enqueue = primitive("prepare_to_wait", (m, wq = 0) => {
  m.write(wq, m.read(wq) | (1 << m.actor));
  return 0;
});
const dequeue = primitive("finish_wait", (m, wq = 0) => {
  m.write(wq, m.read(wq) & ~(1 << m.actor));
  return 0;
});
const sleep = primitive("schedule", (m, wq = 0) => ((m.read(wq) & (1 << m.actor)) !== 0 ? BLOCKED : 0));
/** Choice 0: woken. Choice 1: the time is up, whatever the queue says. */
const sleepOrTimeOut = primitive("schedule_timeout", (m, wq = 0) => {
  const asleep = (m.read(wq) & (1 << m.actor)) !== 0;
  if (m.choice === 0) return asleep ? BLOCKED : 0;
  if (!asleep) return BLOCKED;
  m.write(wq, m.read(wq) & ~(1 << m.actor));
  return 1;
});
const wake = primitive("wake_up_all", (m, wq = 0) => {
  m.write(wq, 0);
  return 0;
});

function wqStep(run: typeof wake, wq: wait_queue_head, text: string): Kernel<void> {
  return step({
    op: Op.primitive,
    addr: wq.addr,
    primitive: run,
    args: [wq.addr],
    decode: nothing,
    text: (names) => `${text}(&${wq.expr(names)})`,
  });
}

/** Whether the time was up. */
function scheduleTimeout(wq: wait_queue_head): Kernel<boolean> {
  return step({
    op: Op.primitive,
    addr: wq.addr,
    choices: 2,
    primitive: sleepOrTimeOut,
    args: [wq.addr],
    decode: asBoolean,
    text: (names) => `schedule_timeout(&${wq.expr(names)})`,
  });
}
function nothing(): void {}

export type Condition<A extends readonly Value[]> = KernelFunction<A, boolean>;

/** include/linux/wait.h: test; then enqueue, test again, sleep until dequeued, and again. */
export const wait_event = kernelFunction(
  "wait_event",
  function* (wq: wait_queue_head, condition: Condition<Value[]>, ...args: Value[]): Kernel<void> {
    yield* might_sleep_in_wait();
    if (!(yield* condition(...args))) yield* sleep_until(wq, condition, ...args);
  },
  { source: "include/linux/wait.h", params: ["wq", "condition"], atom: true },
);
const sleep_until = kernelFunction(
  "wait_event",
  function* (wq: wait_queue_head, condition: Condition<Value[]>, ...args: Value[]): Kernel<void> {
    yield* wqStep(enqueue, wq, "prepare_to_wait");
    if (yield* condition(...args)) {
      yield* wqStep(dequeue, wq, "finish_wait");
      return;
    }
    yield* wqStep(sleep, wq, "schedule");
    return yield* sleep_until.restart(wq, condition, ...args);
  },
  { internal: true },
);

/** What the condition says when it ends: false only if the time was up and it still did not hold. */
export const wait_event_timeout = kernelFunction(
  "wait_event_timeout",
  function* (wq: wait_queue_head, condition: Condition<Value[]>, ...args: Value[]): Kernel<boolean> {
    yield* might_sleep_in_wait();
    if (yield* condition(...args)) return true;
    return yield* sleep_until_or_timeout(wq, condition, ...args);
  },
  { source: "include/linux/wait.h", params: ["wq", "condition"], atom: true },
);
const sleep_until_or_timeout = kernelFunction(
  "wait_event_timeout",
  function* (wq: wait_queue_head, condition: Condition<Value[]>, ...args: Value[]): Kernel<boolean> {
    yield* wqStep(enqueue, wq, "prepare_to_wait");
    if (yield* condition(...args)) {
      yield* wqStep(dequeue, wq, "finish_wait");
      return true;
    }
    if (yield* scheduleTimeout(wq)) return yield* condition(...args);
    return yield* sleep_until_or_timeout.restart(wq, condition, ...args);
  },
  { internal: true },
);

const enqueueUnlessKilled = primitive("prepare_to_wait_event", (m, wq = 0) => {
  const others = m.read(wq) & ~(1 << m.actor);
  const dies = killed(m);
  m.write(wq, dies ? others : others | (1 << m.actor));
  return dies ? -ERESTARTSYS : 0;
});
const sleepUnlessKilled = primitive("schedule", (m, wq = 0) =>
  (m.read(wq) & (1 << m.actor)) !== 0 && !killed(m) ? BLOCKED : 0,
);
/** As wait_event(), but a fatal signal ends it: 0, or -ERESTARTSYS. There are no other signals. */
export const wait_event_killable = kernelFunction(
  "wait_event_killable",
  function* (wq: wait_queue_head, condition: Condition<Value[]>, ...args: Value[]): Kernel<number> {
    return (yield* condition(...args)) ? 0 : yield* sleep_until_or_killed(wq, condition, ...args);
  },
  { source: "include/linux/wait.h", params: ["wq", "condition"], atom: true },
);
const sleep_until_or_killed = kernelFunction(
  "wait_event_killable",
  function* (wq: wait_queue_head, condition: Condition<Value[]>, ...args: Value[]): Kernel<number> {
    const error = yield* step<number>({
      op: Op.primitive,
      addr: wq.addr,
      primitive: enqueueUnlessKilled,
      args: [wq.addr],
      text: (names) => `prepare_to_wait_event(&${wq.expr(names)})`,
    });
    if (yield* condition(...args)) {
      if (error === 0) yield* wqStep(dequeue, wq, "finish_wait");
      return 0;
    }
    if (error !== 0) return error;
    yield* wqStep(sleepUnlessKilled, wq, "schedule");
    return yield* sleep_until_or_killed.restart(wq, condition, ...args);
  },
  { internal: true },
);

export function* wake_up_all(wq: wait_queue_head): Kernel<void> {
  yield* wqStep(wake, wq, "wake_up_all");
}
/** Nobody waits exclusively: it wakes all of them. */
export function* wake_up(wq: wait_queue_head): Kernel<void> {
  yield* wqStep(wake, wq, "wake_up");
}
export function* init_waitqueue_head(wq: wait_queue_head): Kernel<void> {
  yield* store(wq.waiting, 0);
}

/** include/linux/completion.h. `done` is how many waits may pass; complete_all() lets every wait pass for ever. */
export class completion extends Struct {
  done = int();
}
const COMPLETE_ALL = 0x7fffffff; // UINT_MAX / 2 in the kernel
const complete_ = primitive("complete", (m, x = 0) => {
  const done = m.read(x);
  if (done !== COMPLETE_ALL) m.write(x, done + 1);
  return 0;
});
const completeAll = primitive("complete_all", (m, x = 0) => {
  m.write(x, COMPLETE_ALL);
  return 0;
});
const waitFor = primitive("wait_for_completion", (m, x = 0) => {
  const done = m.read(x);
  if (done === 0) return BLOCKED;
  m.locks.sleeps("kernel/sched/completion.c");
  if (done !== COMPLETE_ALL) m.write(x, done - 1);
  return 0;
});
const reinit = primitive("reinit_completion", (m, x = 0) => {
  m.write(x, 0);
  return 0;
});
function completionStep(run: typeof wake, x: completion, text: string): Kernel<void> {
  return step({
    op: Op.primitive,
    addr: x.addr,
    primitive: run,
    args: [x.addr],
    decode: nothing,
    text: (names) => `${text}(&${x.expr(names)})`,
  });
}
export function* complete(x: completion): Kernel<void> {
  yield* completionStep(complete_, x, "complete");
}
export function* complete_all(x: completion): Kernel<void> {
  yield* completionStep(completeAll, x, "complete_all");
}
export function* wait_for_completion(x: completion): Kernel<void> {
  yield* completionStep(waitFor, x, "wait_for_completion");
}
export function* init_completion(x: completion): Kernel<void> {
  yield* store(x.done, 0);
}
export function* reinit_completion(x: completion): Kernel<void> {
  yield* completionStep(reinit, x, "reinit_completion");
}
