/**
 * RCU and SRCU. A domain knows, for each grace period somebody waits for, which actors were inside a read section when
 * it began; the outermost unlock of an actor takes it out of every such set. A callback runs, in order, on the domain's
 * own actor once its set is empty; that actor's wait for work is no deadlock.
 */
import { functionPointer, kernelFunction, type KernelFunction } from "./function.ts";
import { BLOCKED, HoldMode, Op, primitive, step, type Kernel, type PrimitiveContext } from "./step.ts";
import { at, int, Struct, WORD, words, type Names, type StructClass } from "./struct.ts";
import { loadPrivate } from "./access.ts";
import { contexts } from "./context.ts";
import { staticObject } from "./types.ts";

export const ACTORS_MAX = 16;
const CALLBACKS_MAX = 12;

/** What call_rcu() queues: the memory that is to be freed usually holds one. */
export class rcu_head extends Struct {
  static readonly short: string = "rcu";
  func = functionPointer<[rcu_head], void>();
}
export type RcuCallback = KernelFunction<[rcu_head], void>;

export class grace_periods extends Struct {
  /** Per actor: how deep it is inside read sections. */
  nesting = words(ACTORS_MAX);
  /** Per actor: the readers that its synchronize_*() still waits for, as bits. */
  synchronizing = words(ACTORS_MAX);
  /** How many actors are inside synchronize_*(). */
  synchronizers = int();
  /** Queued callbacks: their rcu_head, their function, the readers they still wait for. */
  heads = words(CALLBACKS_MAX);
  functions = words(CALLBACKS_MAX);
  readers = words(CALLBACKS_MAX);
  pending = int();
  /** The callback that runs now. */
  runningHead = int();
  runningFunction = functionPointer<[rcu_head], void>();
}
export class srcu_struct extends grace_periods {
  static readonly short: string = "srcu";
}
class rcu_state extends grace_periods {
  static readonly short: string = "rcu_state";
}

/** The domain of rcu_read_lock(). */
export const rcu = staticObject<rcu_state>(rcu_state);

/** Who waits for readers must not be one. */
function mustBeOutside(m: PrimitiveContext, domain: number): void {
  if (domain === rcu.addr)
    return m.locks.sleeps("kernel/sched/completion.c", "Illegal synchronize_rcu() in RCU read-side critical section");
  const illegal = "Illegal synchronize_srcu() in same-type SRCU (or in RCU) read-side critical section";
  if (m.holds(domain)) m.warn("rcu", illegal, domain);
  m.locks.sleeps("kernel/sched/completion.c", illegal);
}

const layout = at(srcu_struct as StructClass<srcu_struct>, 0); // offsets of the members, for the primitives
const word = (domain: number, base: { addr: number }, i: number): number => domain + base.addr + i * WORD;
const PENDING = layout.pending.addr;
const SYNCHRONIZERS = layout.synchronizers.addr;
const RUNNING_HEAD = layout.runningHead.addr;
const RUNNING_FUNCTION = layout.runningFunction.addr;

function readersNow(m: PrimitiveContext, domain: number): number {
  let mask = 0;
  for (let actor = 0; actor < ACTORS_MAX; actor++)
    if (m.read(word(domain, layout.nesting, actor)) > 0) mask |= 1 << actor;
  return mask;
}
function leave(m: PrimitiveContext, domain: number): void {
  const keep = ~(1 << m.actor);
  const clear = (addr: number): void => {
    const mask = m.read(addr);
    if ((mask & ~keep) !== 0) m.write(addr, mask & keep);
  };
  if (m.read(domain + SYNCHRONIZERS) > 0)
    for (let actor = 0; actor < ACTORS_MAX; actor++) clear(word(domain, layout.synchronizing, actor));
  const pending = m.read(domain + PENDING);
  for (let i = 0; i < pending; i++) clear(word(domain, layout.readers, i));
}

const readLock = primitive("read_lock", (m, domain = 0, mode = 0) => {
  const nesting = word(domain, layout.nesting, m.actor);
  m.write(nesting, m.read(nesting) + 1);
  m.hold(domain, mode as HoldMode);
  return 0;
});
const readUnlock = primitive("read_unlock", (m, domain = 0, mode = 0) => {
  if (!m.release(domain, mode as HoldMode)) return 0;
  const nesting = word(domain, layout.nesting, m.actor);
  const depth = m.read(nesting) - 1;
  m.write(nesting, depth);
  if (depth === 0) leave(m, domain);
  return 0;
});
const begin = primitive("synchronize", (m, domain = 0) => {
  mustBeOutside(m, domain);
  m.write(word(domain, layout.synchronizing, m.actor), readersNow(m, domain));
  m.write(domain + SYNCHRONIZERS, m.read(domain + SYNCHRONIZERS) + 1);
  return 0;
});
const done = primitive("synchronize", (m, domain = 0) => {
  if (m.read(word(domain, layout.synchronizing, m.actor)) !== 0) return BLOCKED;
  m.write(domain + SYNCHRONIZERS, m.read(domain + SYNCHRONIZERS) - 1);
  return 0;
});
const enqueue = primitive("call", (m, domain = 0, head = 0, fn = 0) => {
  const n = m.read(domain + PENDING);
  if (n === CALLBACKS_MAX) m.fail("bug", `more than ${CALLBACKS_MAX} callbacks wait for a grace period`, domain);
  m.write(word(domain, layout.heads, n), head);
  m.write(word(domain, layout.functions, n), fn);
  m.write(word(domain, layout.readers, n), readersNow(m, domain));
  m.write(domain + PENDING, n + 1);
  return 0;
});
/** Takes the first callback whose grace period is over; the queue moves up, so that equal queues are equal states. */
const dequeue = primitive(
  "invoke_callbacks",
  (m, domain = 0) => {
    const n = m.read(domain + PENDING);
    if (n === 0 || m.read(word(domain, layout.readers, 0)) !== 0) return BLOCKED;
    m.write(domain + RUNNING_HEAD, m.read(word(domain, layout.heads, 0)));
    m.write(domain + RUNNING_FUNCTION, m.read(word(domain, layout.functions, 0)));
    for (const column of [layout.heads, layout.functions, layout.readers]) {
      for (let i = 0; i + 1 < n; i++) m.write(word(domain, column, i), m.read(word(domain, column, i + 1)));
      m.write(word(domain, column, n - 1), 0);
    }
    m.write(domain + PENDING, n - 1);
    m.hold(contexts.softirq.addr, HoldMode.softirq); // RCU's callbacks run there, SRCU's with softirqs off
    return 0;
  },
  { idle: true },
);
/** rcu_barrier() and srcu_barrier(): every callback queued so far has run. The model waits for all there are. */
const drained = primitive("barrier", (m, domain = 0) => {
  if (m.read(domain + PENDING) !== 0 || m.read(domain + RUNNING_FUNCTION) !== 0) return BLOCKED;
  m.locks.sleeps("kernel/sched/completion.c");
  return 0;
});
const ran = primitive("callback done", (m, domain = 0) => {
  m.release(contexts.softirq.addr, HoldMode.softirq);
  m.write(domain + RUNNING_HEAD, 0);
  m.write(domain + RUNNING_FUNCTION, 0);
  return 0;
});

type Text = string | ((names: Names) => string);
function domainStep(run: typeof done, domain: grace_periods, text: Text, ...args: number[]): Kernel<void> {
  return step({
    op: Op.primitive,
    addr: domain.addr,
    primitive: run,
    args: [domain.addr, ...args],
    decode: nothing,
    text: (names) => (typeof text === "string" ? text : text(names)).replace("@", `&${domain.expr(names)}`),
  });
}

function nothing(): void {}
/** A script's functions have their names from elsewhere. */
const called = ({ name, id }: RcuCallback, names: Names): string =>
  name === "" ? (names.functionName?.(id) ?? "func") : name;

/** Evaluates to the index that srcu_read_unlock() wants in the kernel; here there is one. */
export function* srcu_read_lock(srcu: srcu_struct): Kernel<number> {
  yield* domainStep(readLock, srcu, "srcu_read_lock(@)", HoldMode.srcu);
  return 0;
}
export function* srcu_read_unlock(srcu: srcu_struct): Kernel<void> {
  yield* domainStep(readUnlock, srcu, "srcu_read_unlock(@)", HoldMode.srcu);
}
/** Waits for every reader that was inside when it was called; readers that come later do not delay it. */
export const synchronize_srcu = kernelFunction(
  "synchronize_srcu",
  function* (srcu: srcu_struct): Kernel<void> {
    yield* domainStep(begin, srcu, "synchronize_srcu(@)");
    yield* domainStep(done, srcu, "synchronize_srcu(@) returns");
  },
  { source: "kernel/rcu/srcutree.c", params: ["ssp"], atom: true },
);
export function* call_srcu(srcu: srcu_struct, head: rcu_head, func: RcuCallback): Kernel<void> {
  yield* domainStep(enqueue, srcu, (names) => `call_srcu(@, ${called(func, names)})`, head.addr, func.id);
}
export function* srcu_barrier(srcu: srcu_struct): Kernel<void> {
  yield* domainStep(drained, srcu, "srcu_barrier(@)");
}

export function* rcu_read_lock(): Kernel<void> {
  yield* domainStep(readLock, rcu, "rcu_read_lock()", HoldMode.rcu);
}
export function* rcu_read_unlock(): Kernel<void> {
  yield* domainStep(readUnlock, rcu, "rcu_read_unlock()", HoldMode.rcu);
}
export const synchronize_rcu = kernelFunction(
  "synchronize_rcu",
  function* (): Kernel<void> {
    yield* domainStep(begin, rcu, "synchronize_rcu()");
    yield* domainStep(done, rcu, "synchronize_rcu() returns");
  },
  { source: "kernel/rcu/tree.c", params: [], atom: true },
);
export function* call_rcu(head: rcu_head, func: RcuCallback): Kernel<void> {
  yield* domainStep(enqueue, rcu, (names) => `call_rcu(${called(func, names)})`, head.addr, func.id);
}
export function* rcu_barrier(): Kernel<void> {
  yield* domainStep(drained, rcu, "rcu_barrier()");
}

/** The program of a domain's actor. */
export const invoke_callbacks = kernelFunction(
  "invoke_callbacks",
  function* (domain: grace_periods): Kernel<void> {
    yield* step({
      op: Op.primitive,
      addr: domain.pending.addr,
      primitive: dequeue,
      args: [domain.addr],
      text: () => "wait for a grace period",
    });
    const func = yield* loadPrivate(domain.runningFunction);
    const head = yield* loadPrivate(domain.runningHead);
    if (func !== null) yield* func(at(rcu_head, head));
    yield* domainStep(ran, domain, "callback done");
    return yield* invoke_callbacks.restart(domain);
  },
  { summary: "Runs the callbacks of one RCU or SRCU domain.", params: ["domain"], internal: true },
);
