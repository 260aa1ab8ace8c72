import { test } from "uvu";
import * as assert from "uvu/assert";
import { load, store } from "../../runtime/machine/access.ts";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import { atomic_inc } from "../../runtime/machine/atomic.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { placeOf } from "../../runtime/machine/report.ts";
import { spin_lock, spin_unlock } from "../../runtime/machine/spinlock.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at, atomic, int, NULL, pointer, SLOT, spinlock, Struct, WORD } from "../../runtime/machine/struct.ts";
import { arenaOf } from "../../runtime/machine/types.ts";
import { brute } from "../support/brute.ts";
import { oldestBodies, Rig } from "../support/rig.ts";

class block extends Struct {
  first = int();
  lock = spinlock();
  count = atomic();
  next = pointer(() => block);
}
class holder extends Struct {
  ptr = pointer(() => block);
  word = int();
}

const make = kernelFunction("make", function* (): Kernel<block> {
  const b = yield* kzalloc(block);
  yield* store(b.first, 7);
  return b;
});
const drop = kernelFunction("drop", function* (b: block): Kernel<void> {
  yield* kfree(b);
});
const keep = kernelFunction("keep", function* (h: holder): Kernel<void> {
  yield* store(h.ptr, yield* make());
});
const read = kernelFunction("read", function* (b: block): Kernel<number> {
  return yield* load(b.first);
});
const write = kernelFunction("write", function* (b: block): Kernel<void> {
  yield* store(b.first, 1);
});
const count = kernelFunction("count", function* (b: block): Kernel<void> {
  yield* atomic_inc(b.count);
});
const lock = kernelFunction("lock", function* (b: block): Kernel<void> {
  yield* spin_lock(b.lock);
});

const FIRST = arenaOf(0) + WORD;

test("memory comes zeroed, from the lowest free slot of the CPU's own arena", () => {
  const rig = new Rig();
  const [a, b] = [rig.run(make), rig.run(make)];
  assert.equal([a.addr, b.addr], [FIRST, FIRST + SLOT]);
  assert.is(rig.runOn(3, make).addr, arenaOf(3) + WORD);
  assert.is(rig.peek(a.first), 7);
  assert.is(rig.peek(a.next), 0);
  assert.is(rig.machine.typeAt(a.addr), block);
});

test("two orders of allocation lead to the same state", () => {
  const one = new Rig();
  one.runOn(0, make);
  one.runOn(1, make);
  const other = new Rig();
  other.runOn(1, make);
  other.runOn(0, make);
  assert.is(one.hash(), other.hash());
});

test("freeing wipes, keeps type and culprit, and kfree(NULL) is no step", () => {
  const rig = new Rig();
  const b = rig.run(make);
  rig.run(drop, b);
  assert.is(rig.peek(b.first), 0);
  assert.ok(rig.machine.memory.header(b.addr) < 0);
  assert.is(rig.machine.typeAt(b.addr), block, "reports still know what it was");
  rig.start(0, drop, NULL(block));
  assert.ok(rig.machine.isFinished(0));
});

test("every kind of access to freed memory is caught, and leaves everything as it was", () => {
  for (const [fn, message] of [
    [read, "Read of freed memory"],
    [write, "Write of freed memory"],
    [count, "Access of freed memory"],
    [lock, "Access of freed memory"],
  ] as const) {
    const rig = new Rig();
    const b = rig.run(make);
    rig.run(drop, b);
    rig.start<[block], number | void>(1, fn, b);
    const before = rig.hash();
    assert.is(rig.go(1), "fatal");
    assert.is(rig.hash(), before);
    const [finding] = rig.findings;
    assert.equal(rig.messages(), [`use-after-free: ${message}`]);
    assert.is(finding?.freedBy, "drop");
    assert.is(finding?.objectType, block);
    assert.is(finding === undefined ? "" : placeOf(finding), fn.name);
  }
});

test("NULL and what lies beside it are caught: the first member as well as the others", () => {
  for (const [fn, message] of [
    [read, "Read through NULL"], // its word is at address 0 itself
    [write, "Write through NULL"],
    [count, "Access through NULL"],
    [lock, "Access through NULL"],
  ] as const) {
    const rig = new Rig();
    assert.is(rig.start<[block], number | void>(0, fn, NULL(block)).go(0), "fatal", fn.name);
    assert.equal(rig.messages(), [`null-deref: ${message}`]);
  }
});

test("an address where nothing ever was is caught", () => {
  const b = new Rig().run(make);
  const rig = new Rig();
  assert.is(rig.start(0, read, b).go(0), "fatal");
  assert.equal(rig.messages(), ["null-deref: Read of memory never allocated"]);
  assert.is(rig.start(1, drop, b).go(1), "fatal");
  assert.is(rig.messages()[1], "null-deref: Free of memory never allocated");
});

test("double free, and freeing what is not the start of an object", () => {
  const rig = new Rig();
  const b = rig.run(make);
  assert.is(rig.start(1, drop, at(block, b.next.addr)).go(1), "fatal");
  rig.run(drop, b);
  assert.is(rig.start(2, drop, b).go(2), "fatal");
  assert.equal(rig.messages(), ["double-free: Invalid free: not the start of an object", "double-free: Double free"]);
  assert.is(rig.findings[1]?.freedBy, "drop", "who freed it first");
});

test("freeing an object with a lock that somebody holds is told, and goes on", () => {
  const rig = new Rig();
  const b = rig.run(make);
  rig.run(lock, b);
  rig.runOn(1, drop, b);
  assert.equal(rig.messages(), ["lockdep: held lock freed!"]);
  assert.ok(rig.machine.memory.header(b.addr) < 0);
});

test("a slot is used again when nobody can name it any more, and not before", () => {
  const rig = new Rig();
  const h = rig.object(holder);
  rig.run(keep, h);
  rig.run(drop, at(block, rig.peek(h.ptr)));
  assert.is(rig.run(make).addr, FIRST + SLOT, "a word still points to the first");
  rig.poke(h.ptr, 0);
  assert.is(rig.run(make).addr, FIRST);
});

test("a slot is not used again while a call remembers a pointer into it, or somebody holds a lock there", () => {
  const remembers = kernelFunction("remembers", function* (b: block, h: holder): Kernel<void> {
    yield* load(h.word);
    yield* kfree(b);
    yield* load(h.word);
  });
  const rig = new Rig([], oldestBodies());
  const h = rig.object(holder);
  const b = rig.run(make);
  rig.start(1, remembers, b, h).steps(1, 2);
  assert.is(rig.run(make).addr, FIRST + SLOT, "the argument of a call");
  rig.go(1);
  const again = rig.run(make);
  assert.is(again.addr, FIRST);
  rig.run(lock, again);
  rig.runOn(1, drop, again);
  assert.is(rig.run(make).addr, FIRST + 2 * SLOT, "a lock in there is held");
});

test("a pointer into the middle keeps the whole slot", () => {
  const rig = new Rig();
  const h = rig.object(holder);
  const b = rig.run(make);
  rig.poke(h.ptr, b.next.addr);
  rig.run(drop, b);
  assert.is(rig.run(make).addr, FIRST + SLOT);
});

test("a loop that allocates has finitely many states", () => {
  const forever = kernelFunction("forever", function* (h: holder): Kernel<void> {
    const b = yield* kzalloc(block);
    yield* store(b.first, 1);
    yield* kfree(b);
    return yield* forever.restart(h);
  });
  const rig = new Rig([], oldestBodies());
  const h = rig.object(holder);
  rig.start(0, forever, h).start(1, forever, h);
  const graph = brute(rig.machine, { cpus: [0, 1], statesMax: 1000 });
  assert.is(graph.events.size, 0);
  assert.is(graph.trapped.size, graph.states.length, "and never ends");
});

const locksAndFrees = kernelFunction("locksAndFrees", function* (b: block): Kernel<void> {
  yield* spin_lock(b.lock);
  yield* spin_unlock(b.lock);
  yield* kfree(b);
});
test("a CPU that waits for a lock in memory that is freed meanwhile finds it gone", () => {
  const rig = new Rig();
  const b = rig.run(make);
  rig.start(0, locksAndFrees, b).start(1, locksAndFrees, b);
  const { events, deadlocks } = brute(rig.machine, { cpus: [0, 1] });
  assert.is(deadlocks, 0);
  assert.equal([...events].map((event) => event.split("|")[0]).sort(), [
    "report double-free",
    "report lockdep",
    "report use-after-free",
  ]);
});

test.run();
