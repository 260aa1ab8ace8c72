import { test } from "uvu";
import * as assert from "uvu/assert";
import { leakedObjects } from "../../interpreter/leak.ts";
import { load, store } from "../../runtime/machine/access.ts";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { headerAddress, int, pointer, Struct } from "../../runtime/machine/struct.ts";
import { Rig } from "../support/rig.ts";

class link extends Struct {
  value = int();
  next = pointer(() => link);
}

const make = kernelFunction("make", function* (): Kernel<link> {
  return yield* kzalloc(link);
});
const join = kernelFunction("join", function* (from: link, to: link): Kernel<void> {
  yield* store(from.next, to);
});
const drop = kernelFunction("drop", function* (l: link): Kernel<void> {
  yield* kfree(l);
});
const holds = kernelFunction("holds", function* (l: link): Kernel<void> {
  yield* load(l.value);
  yield* load(l.value);
});

test("memory that no word leads to is lost, what hangs from it included; circles do not hold themselves", () => {
  const rig = new Rig();
  const root = rig.object(link);
  const [a, b, c, d] = [rig.run(make), rig.run(make), rig.run(make), rig.run(make)];
  assert.is(leakedObjects(rig.machine).length, 4);
  for (const [from, to] of [
    [root, a],
    [a, b],
    [c, d],
    [d, c],
  ] as const)
    rig.run(join, from, to);
  assert.equal(
    leakedObjects(rig.machine),
    [c, d].map(({ addr }) => headerAddress(addr)),
  );
  rig.run(drop, d);
  assert.equal(leakedObjects(rig.machine), [headerAddress(c.addr)]);
  rig.poke(root.next, 0);
  assert.equal(
    leakedObjects(rig.machine),
    [a, b, c].map(({ addr }) => headerAddress(addr)),
  );
});

test("a pointer into the middle keeps an object, and so does a call that is under way", () => {
  const rig = new Rig();
  const root = rig.object(link);
  const [a, b] = [rig.run(make), rig.run(make)];
  rig.poke(root.value, a.next.addr);
  rig.start(0, holds, b);
  assert.equal(leakedObjects(rig.machine), []);
  rig.go(0);
  assert.equal(leakedObjects(rig.machine), [headerAddress(b.addr)]);
});

test.run();
