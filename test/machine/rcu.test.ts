import { test } from "uvu";
import * as assert from "uvu/assert";
import { load, READ_ONCE, store, WRITE_ONCE } from "../../runtime/machine/access.ts";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import {
  call_rcu,
  call_srcu,
  invoke_callbacks,
  rcu,
  rcu_barrier,
  rcu_head,
  rcu_read_lock,
  rcu_read_unlock,
  srcu_read_lock,
  srcu_read_unlock,
  srcu_struct,
  synchronize_rcu,
  synchronize_srcu,
} from "../../runtime/machine/rcu.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at, container_of, embed, int, pointer, Struct } from "../../runtime/machine/struct.ts";
import { brute } from "../support/brute.ts";
import { RCU_ACTOR, Rig } from "../support/rig.ts";

class item extends Struct {
  value = int();
  rcu = embed(rcu_head);
}
class domain extends Struct {
  srcu = embed(srcu_struct);
  ptr = pointer(() => item);
  order = int();
}

const read = kernelFunction("read", function* (d: domain): Kernel<number> {
  yield* srcu_read_lock(d.srcu);
  const value = yield* load(d.order);
  yield* srcu_read_unlock(d.srcu);
  return value;
});
const nested = kernelFunction("nested", function* (d: domain): Kernel<void> {
  yield* srcu_read_lock(d.srcu);
  yield* srcu_read_lock(d.srcu);
  yield* srcu_read_unlock(d.srcu);
  yield* load(d.order);
  yield* srcu_read_unlock(d.srcu);
});
const sync = kernelFunction("sync", function* (d: domain): Kernel<void> {
  yield* synchronize_srcu(d.srcu);
});
const ran = kernelFunction("ran", function* (head: rcu_head): Kernel<void> {
  const i = container_of(head, item, "rcu");
  const d = at(domain, yield* load(i.value));
  yield* store(d.order, (yield* load(d.order)) * 10 + 1);
});
const ranToo = kernelFunction("ranToo", function* (head: rcu_head): Kernel<void> {
  const i = container_of(head, item, "rcu");
  const d = at(domain, yield* load(i.value));
  yield* store(d.order, (yield* load(d.order)) * 10 + 2);
});
const queueBoth = kernelFunction("queueBoth", function* (d: domain, a: item, b: item): Kernel<void> {
  yield* call_srcu(d.srcu, a.rcu, ran);
  yield* call_srcu(d.srcu, b.rcu, ranToo);
});

const SRCU_ACTOR = 9;
function scene(): { rig: Rig; d: domain } {
  const rig = new Rig();
  const d = rig.object(domain, "d");
  rig.machine.load(SRCU_ACTOR, invoke_callbacks.id, [d.srcu]);
  return { rig, d };
}

test("synchronize_srcu waits for the readers that were there, and for no later one", () => {
  const { rig, d } = scene();
  rig.start(0, read, d).start(1, read, d).start(2, sync, d).start(3, read, d);
  rig.steps(0, 1).steps(1, 1).steps(2, 1).steps(3, 1); // the last comes after synchronize_srcu() has begun
  assert.not(rig.canMove(2));
  assert.is(rig.go(0), "done");
  assert.not(rig.canMove(2), "one of two readers is still inside");
  assert.is(rig.go(1), "done");
  assert.is(rig.go(2), "done", "the third reader is still inside");
  assert.is(rig.holds(3, d.srcu), "srcu");
  assert.is(rig.go(3), "done");
  assert.is(rig.findings.length, 0);
});

test("with nobody reading it does not wait, and a reader that comes back is a new one", () => {
  const { rig, d } = scene();
  assert.is(rig.start(2, sync, d).go(2), "done");
  rig.start(0, read, d).steps(0, 1).start(2, sync, d).steps(2, 1);
  assert.is(rig.go(0), "done");
  rig.start(0, read, d).steps(0, 1);
  assert.is(rig.go(2), "done");
});

test("only the outermost unlock ends a read section", () => {
  const { rig, d } = scene();
  rig.start(0, nested, d).steps(0, 2).start(2, sync, d).steps(2, 1);
  assert.is(rig.holds(0, d.srcu), "srcu srcu");
  rig.steps(0, 1);
  assert.not(rig.canMove(2));
  rig.steps(0, 2);
  assert.is(rig.go(2), "done");
});

test("two that synchronize wait each for their own readers", () => {
  const { rig, d } = scene();
  rig.start(0, read, d).steps(0, 1).start(2, sync, d).steps(2, 1);
  rig.start(1, read, d).steps(1, 1).start(3, sync, d).steps(3, 1);
  assert.is(rig.go(0), "done");
  assert.is(rig.go(2), "done");
  assert.not(rig.canMove(3));
  assert.is(rig.go(1), "done");
  assert.is(rig.go(3), "done");
});

test("who synchronizes inside a read section of its own waits for ever", () => {
  const inside = kernelFunction("inside", function* (d: domain): Kernel<void> {
    yield* srcu_read_lock(d.srcu);
    yield* synchronize_srcu(d.srcu);
  });
  const { rig, d } = scene();
  assert.is(rig.start(0, inside, d).go(0), "blocked");
});

test("unlocking what was not locked is told, and ends nobody's section", () => {
  const wrong = kernelFunction("wrong", function* (d: domain): Kernel<void> {
    yield* srcu_read_unlock(d.srcu);
    yield* rcu_read_unlock();
  });
  const { rig, d } = scene();
  rig.start(1, read, d).steps(1, 1).start(2, sync, d).steps(2, 1);
  rig.run(wrong, d);
  assert.is(rig.messages().length, 2);
  assert.match(rig.messages()[0] ?? "", /^lockdep: bad unlock balance/);
  assert.not(rig.canMove(2));
  assert.is(rig.peek(d.srcu.nesting.at(0)), 0);
});

test("callbacks run on an actor of their own, in order, once their readers are gone", () => {
  const { rig, d } = scene();
  const [a, b] = [rig.object(item), rig.object(item)];
  for (const i of [a, b]) rig.poke(i.value, d.addr);
  assert.ok(rig.machine.isIdle(SRCU_ACTOR));
  assert.not(rig.canMove(SRCU_ACTOR));
  rig.start(0, read, d).steps(0, 1);
  rig.runOn(1, queueBoth, d, a, b);
  assert.not(rig.canMove(SRCU_ACTOR), "a reader is inside");
  assert.is(rig.go(0), "done");
  assert.is(rig.go(SRCU_ACTOR), "blocked");
  assert.is(rig.peek(d.order), 12);
  assert.ok(rig.machine.isIdle(SRCU_ACTOR), "and then it waits for more");
  assert.is(rig.peek(d.srcu.pending), 0);
});

test("a callback without readers of its own still waits for its turn", () => {
  const { rig, d } = scene();
  const [a, b] = [rig.object(item), rig.object(item)];
  for (const i of [a, b]) rig.poke(i.value, d.addr);
  rig.start(0, read, d).steps(0, 1);
  rig.start(1, queueBoth, d, a, b).steps(1, 1);
  assert.equal([rig.peek(d.srcu.readers.at(0)), rig.peek(d.srcu.pending)], [1, 1]);
  rig.start(3, read, d).steps(3, 1).steps(1, 1);
  assert.equal([rig.peek(d.srcu.readers.at(0)), rig.peek(d.srcu.readers.at(1))], [0b1, 0b1001]);
  assert.is(rig.go(3), "done");
  assert.not(rig.canMove(SRCU_ACTOR));
  assert.is(rig.go(0), "done");
  assert.is(rig.go(SRCU_ACTOR), "blocked");
  assert.is(rig.peek(d.order), 12);
});

test("more callbacks than there is room for are said to be", () => {
  const many = kernelFunction("many", function* (d: domain, i: item): Kernel<void> {
    for (let n = 0; n < 13; n++) yield* call_srcu(d.srcu, i.rcu, ran);
  });
  const { rig, d } = scene();
  assert.is(rig.start(0, many, d, rig.object(item)).go(0), "fatal");
  assert.equal(rig.messages(), ["bug: more than 12 callbacks wait for a grace period"]);
});

const freeItem = kernelFunction("freeItem", function* (head: rcu_head): Kernel<void> {
  yield* kfree(container_of(head, item, "rcu"));
});
const publish = kernelFunction("publish", function* (d: domain): Kernel<void> {
  const i = yield* kzalloc(item);
  yield* store(i.value, 5);
  yield* WRITE_ONCE(d.ptr, i);
});
const look = kernelFunction("look", function* (d: domain, locks: boolean): Kernel<number> {
  if (locks) yield* rcu_read_lock();
  const i = yield* READ_ONCE(d.ptr);
  const value = i.isNull ? 0 : yield* load(i.value);
  if (locks) yield* rcu_read_unlock();
  return value;
});
const retire = kernelFunction("retire", function* (d: domain, how: string): Kernel<void> {
  const i = yield* load(d.ptr);
  yield* WRITE_ONCE(d.ptr, null);
  if (how === "later") return yield* call_rcu(i.rcu, freeItem);
  if (how === "waits") yield* synchronize_rcu();
  yield* kfree(i);
});
const retireAndWait = kernelFunction("retireAndWait", function* (d: domain): Kernel<void> {
  yield* retire(d, "later");
  yield* rcu_barrier();
});

test("readers under RCU never see freed memory; careless ones do, in every way of freeing", () => {
  for (const how of ["now", "waits", "later"])
    for (const locks of [true, false]) {
      const { rig, d } = scene();
      rig.run(publish, d);
      rig.start(0, look, d, locks).start(1, retire, d, how);
      const { events } = brute(rig.machine, { cpus: [0, 1] });
      const uses = [...events].some((event) => event.startsWith("report use-after-free|item"));
      assert.is(uses, how === "now" || !locks, `${how} ${locks}`);
    }
});

test("rcu_barrier waits until queued callbacks have run", () => {
  const { rig, d } = scene();
  rig.run(publish, d);
  const i = rig.peek(d.ptr);
  rig.start(0, look, d, true).steps(0, 1);
  assert.is(rig.start(1, retireAndWait, d).go(1), "blocked");
  assert.is(rig.go(0), "done");
  assert.not(rig.canMove(1));
  assert.is(rig.go(RCU_ACTOR), "blocked");
  assert.ok(rig.machine.memory.header(i) < 0, "freed");
  assert.is(rig.go(1), "done");
  assert.is(rig.peek(rcu.pending), 0);
});

test("a domain at rest is the same state, however much went through it", () => {
  const { rig, d } = scene();
  const before = rig.hash();
  rig.start(0, read, d).steps(0, 1).start(2, sync, d).steps(2, 1);
  rig.go(0);
  rig.go(2);
  assert.is(rig.hash(), before);
});

test.run();
