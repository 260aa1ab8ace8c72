/** Work items: functions that run later, in order, on an actor of their own. */
import { functionPointer, kernelFunction } from "./function.ts";
import { asBoolean, BLOCKED, Op, primitive, step, type Kernel } from "./step.ts";
import { at, flag, int, pointer, Struct, WORD, words } from "./struct.ts";
import { loadPrivate, READ_ONCE } from "./access.ts";
import { staticObject } from "./types.ts";

const ITEMS_MAX = 12;

export class work_struct extends Struct {
  static readonly short: string = "work";
  func = functionPointer<[work_struct], void>();
  pending = flag();
}
class workqueue extends Struct {
  static readonly short: string = "system_wq";
  items = words(ITEMS_MAX);
  queued = int();
  running = pointer(() => work_struct);
}

/** The one queue there is. */
export const system_wq = staticObject(workqueue);

const FUNC = at(work_struct, 0).func.addr;
const PENDING = at(work_struct, 0).pending.addr;
const layout = at(workqueue, 0);
const item = (i: number): number => system_wq.addr + layout.items.addr + i * WORD;

const queue = primitive("schedule_work", (m, work = 0) => {
  if (m.read(work + PENDING) !== 0) return 0;
  const n = m.read(system_wq.queued.addr);
  if (n === ITEMS_MAX) m.fail("bug", `more than ${ITEMS_MAX} work items are queued`, work);
  m.write(work + PENDING, 1);
  m.write(item(n), work);
  m.write(system_wq.queued.addr, n + 1);
  return 1;
});
const take = primitive(
  "worker",
  (m) => {
    const n = m.read(system_wq.queued.addr);
    if (n === 0) return BLOCKED;
    const work = m.read(item(0));
    const func = m.read(work + FUNC);
    m.write(work + PENDING, 0); // it may be queued again, or freed, from here on
    m.write(system_wq.running.addr, work);
    for (let i = 0; i + 1 < n; i++) m.write(item(i), m.read(item(i + 1)));
    m.write(item(n - 1), 0);
    m.write(system_wq.queued.addr, n - 1);
    return func;
  },
  { idle: true },
);
const finish = primitive("worker", (m) => {
  m.write(system_wq.running.addr, 0);
  return 0;
});
const flushed = primitive("flush_work", (m, work = 0) => {
  if (m.read(system_wq.running.addr) === work || m.read(work + PENDING) !== 0) return BLOCKED;
  m.locks.sleeps("kernel/workqueue.c");
  return 0;
});
/** Takes a work item off the queue, if it is there, and keeps it pending, so that nobody can queue it meanwhile. */
const grab = primitive("cancel_work_sync", (m, work = 0) => {
  const n = m.read(system_wq.queued.addr);
  const items = Array.from({ length: n }, (_, i) => m.read(item(i)));
  const rest = items.filter((other) => other !== work);
  const wasQueued = rest.length < n;
  if (!wasQueued && m.read(work + PENDING) !== 0) return BLOCKED; // somebody else cancels it
  m.write(work + PENDING, 1);
  for (let i = 0; i < n; i++) m.write(item(i), rest[i] ?? 0);
  m.write(system_wq.queued.addr, rest.length);
  return wasQueued ? 1 : 0;
});
const idle = primitive("cancel_work_sync", (m, work = 0) => {
  if (m.read(system_wq.running.addr) === work) return BLOCKED;
  m.locks.sleeps("kernel/workqueue.c");
  m.write(work + PENDING, 0);
  return 0;
});

function workStep<R>(run: typeof queue, work: work_struct, decode: (n: number) => R, text: string): Kernel<R> {
  return step({
    op: Op.primitive,
    addr: work.addr,
    primitive: run,
    args: [work.addr],
    decode,
    text: (names) => text.replace("@", `&${work.expr(names)}`),
  });
}
function nothing(): void {}

/** False if it was queued already. */
export function schedule_work(work: work_struct): Kernel<boolean> {
  return workStep(queue, work, asBoolean, "schedule_work(@)");
}
/** There is one queue, whichever the script names. */
export function queue_work(work: work_struct): Kernel<boolean> {
  return workStep(queue, work, asBoolean, "queue_work(system_wq, @)");
}
/** When it returns the work item is not queued and does not run; whether it was queued. */
export const cancel_work_sync = kernelFunction(
  "cancel_work_sync",
  function* (work: work_struct): Kernel<boolean> {
    const wasQueued = yield* workStep(grab, work, asBoolean, "cancel_work_sync(@)");
    yield* workStep(idle, work, nothing, "cancel_work_sync(@) returns");
    return wasQueued;
  },
  { source: "kernel/workqueue.c", params: ["work"], atom: true },
);
export function* flush_work(work: work_struct): Kernel<void> {
  yield* step({
    op: Op.primitive,
    addr: work.addr,
    primitive: flushed,
    args: [work.addr],
    text: (names) => `flush_work(&${work.expr(names)})`,
  });
}

/** The program of the worker's actor. */
export const process_works = kernelFunction(
  "process_works",
  function* (): Kernel<void> {
    const func = yield* step({
      op: Op.primitive,
      addr: system_wq.queued.addr,
      primitive: take,
      decode: (id) => system_wq_function(id),
      text: () => "wait for work",
    });
    const work = yield* loadPrivate(system_wq.running);
    if (func !== null) yield* func(work);
    yield* step({ op: Op.primitive, addr: system_wq.addr, primitive: finish, text: () => "work done" });
    return yield* process_works.restart();
  },
  { summary: "Runs queued work items.", params: [], internal: true },
);
const system_wq_function = (id: number) => at(work_struct, 0).func.decode(id);

/** Whether it is queued and has not begun. */
export function work_pending(work: work_struct): Kernel<boolean> {
  return READ_ONCE(work.pending);
}
