import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  atomic_dec,
  atomic_dec_and_test,
  atomic_inc,
  atomic_inc_not_zero,
  atomic_read,
  atomic_set,
  kref,
  kref_get,
  kref_get_unless_zero,
  kref_init,
  kref_put,
  refcount_dec_and_test,
  refcount_inc,
  refcount_inc_not_zero,
  refcount_read,
  refcount_set,
} from "../../runtime/machine/atomic.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { atomic, embed, flag, refcount, Struct } from "../../runtime/machine/struct.ts";
import { Rig } from "../support/rig.ts";

class counted extends Struct {
  users = atomic();
  refs = refcount();
  kref = embed(kref);
  released = flag();
}

const SATURATED = -0x40000000;

const atomics = kernelFunction("atomics", function* (c: counted): Kernel<string> {
  yield* atomic_set(c.users, 1);
  yield* atomic_inc(c.users);
  const two = yield* atomic_read(c.users);
  const notYet = yield* atomic_dec_and_test(c.users);
  const zero = yield* atomic_dec_and_test(c.users);
  const refused = yield* atomic_inc_not_zero(c.users);
  yield* atomic_dec(c.users);
  const negative = yield* atomic_inc_not_zero(c.users);
  return [two, notYet, zero, refused, negative].join();
});
const inc = kernelFunction("inc", function* (c: counted): Kernel<void> {
  yield* refcount_inc(c.refs);
});
const incNotZero = kernelFunction("incNotZero", function* (c: counted): Kernel<boolean> {
  return yield* refcount_inc_not_zero(c.refs);
});
const decAndTest = kernelFunction("decAndTest", function* (c: counted): Kernel<boolean> {
  return yield* refcount_dec_and_test(c.refs);
});
const setAndRead = kernelFunction("setAndRead", function* (c: counted, n: number): Kernel<number> {
  yield* refcount_set(c.refs, n);
  return yield* refcount_read(c.refs);
});
const release = kernelFunction("release", function* (k: kref): Kernel<void> {
  yield* kref_init(k);
});
const krefs = kernelFunction("krefs", function* (c: counted): Kernel<string> {
  const dead = yield* kref_get_unless_zero(c.kref);
  yield* kref_init(c.kref);
  yield* kref_get(c.kref);
  const live = yield* kref_get_unless_zero(c.kref);
  const puts = [];
  for (let i = 0; i < 3; i++) puts.push(yield* kref_put(c.kref, release));
  return [dead, live, ...puts].join();
});

function scene(): { rig: Rig; c: counted } {
  const rig = new Rig();
  return { rig, c: rig.object(counted, "c") };
}

test("atomic_t counts without judging", () => {
  const { rig, c } = scene();
  assert.is(rig.run(atomics, c), "2,false,true,false,true");
  assert.is(rig.peek(c.users), 0);
  assert.equal(rig.messages(), []);
});

test("refcount_t counts while it is positive", () => {
  const { rig, c } = scene();
  assert.is(rig.run(setAndRead, c, 1), 1);
  rig.run(inc, c);
  assert.is(rig.run(incNotZero, c), true);
  assert.equal([rig.run(decAndTest, c), rig.run(decAndTest, c), rig.run(decAndTest, c)], [false, false, true]);
  assert.is(rig.run(incNotZero, c), false, "and says nothing of it");
  assert.equal(rig.messages(), []);
});

test("refcount_t: misuse saturates, and is told in the kernel's words", () => {
  for (const [start, fn, message] of [
    [0, inc, "addition on 0; use-after-free."],
    [0, decAndTest, "underflow; use-after-free."],
    [-5, inc, "saturated; leaking memory."],
    [-5, incNotZero, "saturated; leaking memory."],
    [-5, decAndTest, "underflow; use-after-free."],
  ] as const) {
    const { rig, c } = scene();
    rig.poke(c.refs, start);
    const result = rig.run<[counted], boolean | void>(fn, c);
    assert.equal(rig.messages(), [`refcount: refcount_t: ${message}`]);
    assert.is(rig.peek(c.refs), SATURATED);
    assert.is(rig.findings[0]?.objectType, counted);
    if (fn === decAndTest) assert.is(result, false, "nobody frees on the strength of it");
    rig.run<[counted], boolean | void>(fn, c);
    assert.is(rig.peek(c.refs), SATURATED, "it stays there");
  }
});

test("kref_put calls release on the last one, in its caller's context", () => {
  const { rig, c } = scene();
  assert.is(rig.run(krefs, c), "false,true,false,false,true");
  assert.is(rig.peek(c.kref.refcount), 1, "release ran");
  assert.equal(rig.messages(), []);
});

test("counting in an object that is gone is told as such, not as a count", () => {
  const rig = new Rig();
  const c = rig.object(counted);
  rig.poke({ addr: c.addr - 8 }, -1);
  assert.is(rig.start(0, inc, c).go(0), "fatal");
  assert.equal(rig.messages(), ["use-after-free: Access of freed memory"]);
});

test.run();
