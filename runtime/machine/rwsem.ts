/**
 * struct rw_semaphore, fair: a queued writer stops new readers, as kernel/locking/rwsem.c does without optimistic
 * spinning. `count` is the number of readers, or -1 for a writer. `queue` holds the waiters, head in the lowest digit.
 *
 * Whoever gives the lock up grants it: the sleeper is taken off the queue and holds the lock before it has woken.
 */
import { kernelFunction } from "./function.ts";
import {
  asBoolean,
  BLOCKED,
  HoldMode,
  Op,
  primitive,
  step,
  Taken,
  type Kernel,
  type PrimitiveContext,
} from "./step.ts";
import { EINTR } from "./errno.ts";
import { HELD_LOCK_FREED } from "./report.ts";
import { killed } from "./signal.ts";
import { int, Struct, WORD } from "./struct.ts";

export class rw_semaphore extends Struct {
  static readonly short: string = "sem";
  count = int();
  queue = int();
}

// A waiter is a digit of five bits: actor * 2 + 1, plus 1 for a writer. Ten fit a word exactly.
const DIGIT = 32;
const QUEUE_LENGTH_MAX = 10;
const READ = 0;
const WRITE = 1;
const digitOf = (actor: number, mode: number): number => actor * 2 + mode + 1;
const actorOf = (digit: number): number => (digit - 1) >> 1;
const modeOf = (digit: number): number => (digit - 1) & 1;

/** The waiters, head first. */
export function waiters(queue: number): { actor: number; writer: boolean }[] {
  const list = [];
  for (let q = queue; q > 0; q = Math.floor(q / DIGIT))
    list.push({ actor: actorOf(q % DIGIT), writer: modeOf(q % DIGIT) === WRITE });
  return list;
}
function append(m: PrimitiveContext, sem: number, mode: number): void {
  let place = 1;
  let length = 0;
  const queue = m.read(sem + WORD);
  for (let q = queue; q > 0; q = Math.floor(q / DIGIT), length++) place *= DIGIT;
  if (length === QUEUE_LENGTH_MAX) m.fail("bug", `more than ${QUEUE_LENGTH_MAX} waiters on one rw_semaphore`, sem);
  m.write(sem + WORD, queue + digitOf(m.actor, mode) * place);
}
function grant(m: PrimitiveContext, sem: number, digit: number): void {
  const writer = modeOf(digit) === WRITE;
  m.write(sem, writer ? -1 : m.read(sem) + 1);
  // What lockdep has to say was said when it began to wait.
  m.hold(sem, (writer ? HoldMode.exclusive : HoldMode.shared) + Taken.trylock, actorOf(digit));
}
/** Head is a writer: it alone. Head is a reader: every queued reader, past queued writers. */
function wakeHead(m: PrimitiveContext, sem: number): void {
  const queue = m.read(sem + WORD);
  if (queue === 0) return;
  if (modeOf(queue % DIGIT) === WRITE) {
    m.write(sem + WORD, Math.floor(queue / DIGIT));
    grant(m, sem, queue % DIGIT);
    return;
  }
  wakeReaders(m, sem, queue);
}
function wakeReaders(m: PrimitiveContext, sem: number, queue: number): void {
  let rest = 0;
  let place = 1;
  for (let q = queue; q > 0; q = Math.floor(q / DIGIT)) {
    const digit = q % DIGIT;
    if (modeOf(digit) === READ) grant(m, sem, digit);
    else {
      rest += digit * place;
      place *= DIGIT;
    }
  }
  m.write(sem + WORD, rest);
}
function queued(m: PrimitiveContext, sem: number, mode: number): boolean {
  for (let q = m.read(sem + WORD); q > 0; q = Math.floor(q / DIGIT))
    if (q % DIGIT === digitOf(m.actor, mode)) return true;
  return false;
}

const takeRead = primitive("down_read", (m, sem = 0, subclass = 0) => {
  const how = HoldMode.shared + subclass * Taken.subclass;
  const count = m.read(sem);
  if (count >= 0 && m.read(sem + WORD) === 0) {
    m.write(sem, count + 1);
    m.hold(sem, how);
    return 1;
  }
  m.locks.wants(sem, how);
  append(m, sem, READ);
  return 0;
});
const takeWrite = primitive("down_write", (m, sem = 0, subclass = 0) => {
  const how = HoldMode.exclusive + subclass * Taken.subclass;
  if (m.read(sem) === 0 && m.read(sem + WORD) === 0) {
    m.write(sem, -1);
    m.hold(sem, how);
    return 1;
  }
  m.locks.wants(sem, how);
  append(m, sem, WRITE);
  return 0;
});
/** Whoever gave it up knows of no subclasses: the one who waited puts that right. */
const granted =
  (mode: typeof READ | typeof WRITE, as: HoldMode) =>
  (m: PrimitiveContext, sem = 0, subclass = 0) => {
    if (queued(m, sem, mode)) return BLOCKED;
    if (subclass !== 0 && m.release(sem, as)) m.hold(sem, as + Taken.trylock + subclass * Taken.subclass);
    return 0;
  };
const grantedRead = primitive("down_read", granted(READ, HoldMode.shared));
const grantedWrite = primitive("down_write", granted(WRITE, HoldMode.exclusive));
const tryRead = primitive("down_read_trylock", (m, sem = 0) => {
  const count = m.read(sem);
  if (count < 0 || m.read(sem + WORD) !== 0) return 0;
  m.write(sem, count + 1);
  m.hold(sem, HoldMode.shared + Taken.trylock);
  return 1;
});
const tryWrite = primitive("down_write_trylock", (m, sem = 0) => {
  if (m.read(sem) !== 0 || m.read(sem + WORD) !== 0) return 0;
  m.write(sem, -1);
  m.hold(sem, HoldMode.exclusive + Taken.trylock);
  return 1;
});
const releaseRead = primitive("up_read", (m, sem = 0) => {
  if (!m.release(sem, HoldMode.shared)) return 0;
  const count = m.read(sem) - 1;
  m.write(sem, count);
  if (count === 0) wakeHead(m, sem);
  return 0;
});
const releaseWrite = primitive("up_write", (m, sem = 0) => {
  if (!m.release(sem, HoldMode.exclusive)) return 0;
  m.write(sem, 0);
  wakeHead(m, sem);
  return 0;
});
const downgrade = primitive("downgrade_write", (m, sem = 0) => {
  if (!m.release(sem, HoldMode.exclusive)) return 0;
  m.write(sem, 1);
  m.hold(sem, HoldMode.shared + Taken.trylock); // no new lock
  const queue = m.read(sem + WORD);
  if (queue !== 0 && modeOf(queue % DIGIT) === READ) wakeReaders(m, sem, queue);
  return 0;
});
const init = primitive("init_rwsem", (m, sem = 0) => {
  if (m.read(sem) !== 0) m.warn("lockdep", HELD_LOCK_FREED, sem);
  m.write(sem, 0);
  m.write(sem + WORD, 0);
  return 0;
});

const semStep = <R>(
  name: string,
  prim: typeof takeRead,
  sem: rw_semaphore,
  decode: (n: number) => R,
  subclass?: number,
): Kernel<R> =>
  step({
    op: Op.primitive,
    addr: sem.count.addr,
    primitive: prim,
    args: [sem.addr, ...(subclass === undefined ? [] : [subclass])],
    decode,
    text: (names) => `${name}(&${sem.expr(names)}${subclass === undefined ? "" : `, ${subclass}`})`,
  });
const nothing = (): void => {};

export const down_read = kernelFunction(
  "down_read",
  function* (sem: rw_semaphore): Kernel<void> {
    if (!(yield* semStep("down_read", takeRead, sem, asBoolean)))
      yield* semStep("down_read", grantedRead, sem, nothing);
  },
  { source: "kernel/locking/rwsem.c", params: ["sem"], atom: true },
);
export const down_write = kernelFunction(
  "down_write",
  function* (sem: rw_semaphore): Kernel<void> {
    if (!(yield* semStep("down_write", takeWrite, sem, asBoolean)))
      yield* semStep("down_write", grantedWrite, sem, nothing);
  },
  { source: "kernel/locking/rwsem.c", params: ["sem"], atom: true },
);
/** Of a second semaphore of the same class: lockdep takes it for one of a class of its own. */
export const down_read_nested = kernelFunction(
  "down_read_nested",
  function* (sem: rw_semaphore, subclass: number): Kernel<void> {
    if (!(yield* semStep("down_read_nested", takeRead, sem, asBoolean, subclass)))
      yield* semStep("down_read_nested", grantedRead, sem, nothing, subclass);
  },
  { source: "kernel/locking/rwsem.c", params: ["sem", "subclass"], atom: true },
);
export const down_write_nested = kernelFunction(
  "down_write_nested",
  function* (sem: rw_semaphore, subclass: number): Kernel<void> {
    if (!(yield* semStep("down_write_nested", takeWrite, sem, asBoolean, subclass)))
      yield* semStep("down_write_nested", grantedWrite, sem, nothing, subclass);
  },
  { source: "kernel/locking/rwsem.c", params: ["sem", "subclass"], atom: true },
);
/** Woken without the lock: leaves the queue, and whoever stood behind it may have a turn. */
function leave(m: PrimitiveContext, sem: number, mode: number): void {
  let rest = 0;
  let place = 1;
  for (let q = m.read(sem + WORD); q > 0; q = Math.floor(q / DIGIT)) {
    if (q % DIGIT === digitOf(m.actor, mode)) continue;
    rest += (q % DIGIT) * place;
    place *= DIGIT;
  }
  m.write(sem + WORD, rest);
  const count = m.read(sem);
  if (rest !== 0 && (count === 0 || (count > 0 && modeOf(rest % DIGIT) === READ))) wakeHead(m, sem);
}
const grantedOrKilled =
  (mode: typeof READ | typeof WRITE) =>
  (m: PrimitiveContext, sem = 0) => {
    if (!queued(m, sem, mode)) return 0;
    if (!killed(m)) return BLOCKED;
    leave(m, sem, mode);
    return -EINTR;
  };
const killableRead = primitive("down_read_killable", grantedOrKilled(READ));
const killableWrite = primitive("down_write_killable", grantedOrKilled(WRITE));
const itself = (n: number): number => n;
/** down_read() and down_write() whose wait a fatal signal ends: 0, or -EINTR. What is free is taken all the same. */
const unlessKilled = (name: string, take: typeof takeRead, wait: typeof takeRead) =>
  kernelFunction(
    name,
    function* (sem: rw_semaphore): Kernel<number> {
      if (yield* semStep(name, take, sem, asBoolean)) return 0;
      return yield* semStep(name, wait, sem, itself);
    },
    { source: "kernel/locking/rwsem.c", params: ["sem"], atom: true },
  );
export const down_read_killable = unlessKilled("down_read_killable", takeRead, killableRead);
export const down_write_killable = unlessKilled("down_write_killable", takeWrite, killableWrite);
export function* init_rwsem(sem: rw_semaphore): Kernel<void> {
  yield* semStep("init_rwsem", init, sem, nothing);
}
export function* up_read(sem: rw_semaphore): Kernel<void> {
  yield* semStep("up_read", releaseRead, sem, nothing);
}
export function* up_write(sem: rw_semaphore): Kernel<void> {
  yield* semStep("up_write", releaseWrite, sem, nothing);
}
/** The writer becomes a reader; queued readers enter only if one of them is the first waiter. */
export function* downgrade_write(sem: rw_semaphore): Kernel<void> {
  yield* semStep("downgrade_write", downgrade, sem, nothing);
}
export function* down_read_trylock(sem: rw_semaphore): Kernel<boolean> {
  return yield* semStep("down_read_trylock", tryRead, sem, asBoolean);
}
export function* down_write_trylock(sem: rw_semaphore): Kernel<boolean> {
  return yield* semStep("down_write_trylock", tryWrite, sem, asBoolean);
}
