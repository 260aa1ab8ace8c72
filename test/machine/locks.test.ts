import { test } from "uvu";
import * as assert from "uvu/assert";
import { store } from "../../runtime/machine/access.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { lockdep_assert_held, lockdep_assert_held_write } from "../../runtime/machine/lockdep.ts";
import { Moved } from "../../runtime/machine/machine.ts";
import { mutex_lock, mutex_trylock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import { down_read, rw_semaphore, up_read } from "../../runtime/machine/rwsem.ts";
import { spin_lock, spin_trylock, spin_unlock } from "../../runtime/machine/spinlock.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { embed, int, mutex, spinlock, Struct } from "../../runtime/machine/struct.ts";
import { brute } from "../support/brute.ts";
import { Rig } from "../support/rig.ts";

class locked extends Struct {
  lock = spinlock();
  other = mutex();
  sem = embed(rw_semaphore);
  word = int();
}

const spin = kernelFunction("spin", function* (s: locked): Kernel<void> {
  yield* spin_lock(s.lock);
  yield* store(s.word, 1);
  yield* spin_unlock(s.lock);
});
const sleepy = kernelFunction("sleepy", function* (s: locked): Kernel<void> {
  yield* mutex_lock(s.other);
  yield* store(s.word, 1);
  yield* mutex_unlock(s.other);
});
const tries = kernelFunction("tries", function* (s: locked): Kernel<number> {
  const [a, b] = [yield* spin_trylock(s.lock), yield* mutex_trylock(s.other)];
  if (a) yield* spin_unlock(s.lock);
  if (b) yield* mutex_unlock(s.other);
  return Number(a) * 2 + Number(b);
});
const wrongUnlock = kernelFunction("wrongUnlock", function* (s: locked): Kernel<void> {
  yield* spin_unlock(s.lock);
  yield* mutex_unlock(s.other);
});
const asserting = kernelFunction("asserting", function* (s: locked): Kernel<void> {
  yield* store(s.word, 1);
  yield* lockdep_assert_held(s.lock);
  yield* lockdep_assert_held(s.sem);
  yield* lockdep_assert_held_write(s.sem);
});
const assertsInside = kernelFunction("assertsInside", function* (s: locked): Kernel<void> {
  yield* down_read(s.sem);
  yield* spin_lock(s.lock);
  yield* asserting(s);
  yield* spin_unlock(s.lock);
  yield* up_read(s.sem);
});
const ab = kernelFunction("ab", function* (s: locked): Kernel<void> {
  yield* spin_lock(s.lock);
  yield* mutex_lock(s.other);
  yield* mutex_unlock(s.other);
  yield* spin_unlock(s.lock);
});
const ba = kernelFunction("ba", function* (s: locked): Kernel<void> {
  yield* mutex_lock(s.other);
  yield* spin_lock(s.lock);
  yield* spin_unlock(s.lock);
  yield* mutex_unlock(s.other);
});

for (const [name, body, field] of [
  ["a spinlock", spin, "lock"],
  ["a mutex", sleepy, "other"],
] as const)
  test(`${name} keeps others out until it is given up`, () => {
    const rig = new Rig();
    const s = rig.object(locked);
    rig.start(0, body, s).start(3, body, s).steps(0, 1);
    assert.is(rig.peek(s[field]), 1, "the owner's number plus one");
    assert.is(rig.holds(0, s[field]), "exclusive");
    const before = rig.hash();
    assert.is(rig.step(3), Moved.blocked);
    assert.is(rig.hash(), before);
    rig.steps(0, 2);
    assert.is(rig.peek(s[field]), 0);
    assert.is(rig.holds(0, s[field]), "");
    rig.steps(3, 1);
    assert.is(rig.peek(s[field]), 4);
  });

test("a lock taken twice by the same CPU is a deadlock, not a second hold", () => {
  const twice = kernelFunction("twice", function* (s: locked): Kernel<void> {
    yield* spin_lock(s.lock);
    yield* spin_lock(s.lock);
  });
  const rig = new Rig();
  const s = rig.object(locked);
  assert.is(rig.start(0, twice, s).go(0), "blocked");
});

test("trylock takes what is free and says so", () => {
  const rig = new Rig();
  const s = rig.object(locked);
  assert.is(rig.run(tries, s), 3);
  rig.start(1, spin, s).steps(1, 1);
  assert.is(rig.run(tries, s), 1);
  rig.start(2, sleepy, s).steps(2, 1);
  assert.is(rig.run(tries, s), 0);
  assert.is(rig.holds(0, s.lock) + rig.holds(0, s.other), "");
});

test("who unlocks what it does not hold is told so, and the owner keeps it", () => {
  const rig = new Rig();
  const s = rig.object(locked);
  rig.start(1, spin, s).steps(1, 1);
  rig.run(wrongUnlock, s);
  const message = "lockdep: bad unlock balance detected! There is no such lock to release";
  assert.equal(rig.messages(), [message, message]);
  assert.is(rig.peek(s.lock), 2);
  assert.equal(
    rig.findings.map((f) => f.step),
    ["spin_unlock(&locked->lock)", "mutex_unlock(&locked->other)"],
  );
});

test("lockdep_assert_held looks at this CPU's locks, and at how they are held", () => {
  const rig = new Rig();
  const s = rig.object(locked);
  rig.start(1, assertsInside, s).steps(1, 2); // that another CPU holds them is of no avail
  rig.run(asserting, s);
  assert.equal(rig.messages(), [
    "lockdep: lockdep_assert_held() failed",
    "lockdep: lockdep_assert_held() failed",
    "lockdep: lockdep_assert_held_write() failed",
  ]);
  rig.findings.length = 0;
  assert.is(rig.go(1), "done");
  assert.equal(rig.messages(), ["lockdep: lockdep_assert_held_write() failed"]);
});

test("two locks in two orders: one deadlock; lockdep knows, and that one of them sleeps under the other", () => {
  const rig = new Rig();
  const s = rig.object(locked);
  rig.start(0, ab, s).start(1, ba, s);
  const graph = brute(rig.machine, { cpus: [0, 1] });
  assert.is(graph.deadlocks, 1);
  assert.equal(
    [...graph.events].filter((event) => event.startsWith("report")).map((event) => event.replace(/context.*/, "...")),
    [
      "report sleep-in-atomic|ab|sleeping function called from invalid ...",
      "report lockdep|possible circular locking dependency detected",
      "report deadlock|ab|cpu0 waits in mutex_lock(&locked->other); cpu1 waits in spin_lock(&locked->lock)",
    ],
  );
});

test("which locks are held is part of the state; the same locks give the same state again", () => {
  const rig = new Rig();
  const s = rig.object(locked);
  const before = rig.hash();
  rig.run(ab, s);
  assert.is(rig.hash(), before);
  rig.start(0, ab, s).steps(0, 2);
  assert.equal(
    rig.machine.locksOf(0).map((h) => h.lock),
    [s.lock.addr, s.other.addr],
  );
  assert.equal(rig.machine.rehash(), { lo: rig.machine.memory.lo, hi: rig.machine.memory.hi });
});

test.run();
