import { test } from "uvu";
import * as assert from "uvu/assert";
import { load, showValue, store, WRITE_ONCE, xchg, cmpxchg, add } from "../../runtime/machine/access.ts";
import { functionPointer, kernelFunction } from "../../runtime/machine/function.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { wordOf } from "../../runtime/machine/step.ts";
import {
  addressText,
  at,
  atomic,
  container_of,
  embed,
  flag,
  headerAddress,
  int,
  membersOf,
  mutex,
  NULL,
  pointer,
  pointerToWord,
  refcount,
  sizeOf,
  SLOT,
  spinlock,
  Struct,
  WORD,
  words,
} from "../../runtime/machine/struct.ts";
import { typeByNumber, typeNumber } from "../../runtime/machine/types.ts";
import { Rig } from "../support/rig.ts";

class inner extends Struct {
  static readonly short: string = "in";
  x = int();
  y = flag();
}
class outer extends Struct {
  head = int();
  one = embed(inner);
  two = embed(inner);
  self = pointer(() => outer);
  link = pointerToWord((addr) => at(inner, addr).x);
  table = words(4);
  users = atomic();
  refs = refcount();
  lock = spinlock();
  sleepy = mutex();
  call = functionPointer<[inner], void>();
}
class globals extends Struct {
  static readonly variables: boolean = true;
  hits = int();
}

test("members are words in order of declaration; embedded structs and arrays take their room", () => {
  const o = at(outer, 0x1000);
  const offsets = membersOf(o).map(([name, member]) => `${name} ${(member.addr - o.addr) / WORD}`);
  assert.equal(offsets, [
    "head 0",
    "one 1",
    "two 3",
    "self 5",
    "link 6",
    "table 7",
    "users 11",
    "refs 12",
    "lock 13",
    "sleepy 14",
    "call 15",
  ]);
  assert.is(sizeOf(outer), 16 * WORD);
  assert.is(o.two.y.addr, o.addr + 4 * WORD);
  assert.is(o.table.at(3).addr, o.addr + 10 * WORD);
});

test("views are values: the same type at the same address is the same view", () => {
  assert.is(at(outer, 0x1000), at(outer, 0x1000));
  assert.is.not(at(outer, 0x1000), at(outer, 0x2000));
  assert.is.not(at(inner, 0x1000), at(outer, 0x1000) as Struct);
  assert.is(at(outer, 0x1000).table.at(1), at(outer, 0x1000).table.at(1));
  assert.ok(NULL(outer).isNull);
  assert.is(NULL(outer), at(outer, 0));
  assert.is(container_of(at(outer, 0x1000).two, outer, "two"), at(outer, 0x1000));
  assert.is(container_of(at(outer, 0x1000).lock, outer, "lock"), at(outer, 0x1000));
  assert.is(headerAddress(3 * SLOT + 200), 3 * SLOT);
  assert.is(typeByNumber(typeNumber(outer)), outer);
});

const texts = kernelFunction("texts", function* (o: outer, i: inner): Kernel<void> {
  yield* load(o.two.y);
  yield* store(o.self, o);
  yield* store(o.self, null);
  yield* store(o.link, i.x);
  yield* WRITE_ONCE(o.table.at(2), 3);
  yield* xchg(o.one.y, true);
  yield* cmpxchg(o.head, 0, 70000);
  yield* add(o.head, 2);
  yield* store(o.call, target);
  yield* load(i.x);
});
const target = kernelFunction("target", function* (_: inner): Kernel<void> {});

function textsOf(rig: Rig, o: outer, i: inner): string[] {
  rig.start(0, texts, o, i);
  const told: string[] = [];
  while (!rig.machine.isFinished(0)) {
    told.push(rig.next(0));
    rig.steps(0, 1);
  }
  return told;
}
test("steps are spelled as C would, with the script's names where it has any", () => {
  const rig = new Rig();
  const named = textsOf(rig, rig.object(outer, "o"), rig.object(inner));
  assert.equal(named, [
    "o->two.y",
    "o->self = o",
    "o->self = NULL",
    "o->link = &in->x",
    "WRITE_ONCE(o->table[2], 3)",
    "xchg(&o->one.y, true)",
    "cmpxchg(&o->head, 0, 0x11170)",
    "o->head += 2",
    "o->call = target",
    "in->x",
  ]);
});

test("an embedded struct is spelled by its place in its owner, whoever holds the pointer", () => {
  const rig = new Rig();
  const o = rig.object(outer, "o");
  const told = textsOf(rig, o, o.two);
  assert.is(told.at(-1), "o->two.x");
  assert.is(told[3], "o->link = &o->two.x");
  assert.is(showValue(o.two, rig.machine), "&o->two");
  assert.is(addressText(o.one.y.addr, rig.machine), "&o->one.y");
  assert.is(addressText(o.addr, rig.machine), "o");
  assert.is(addressText(0x1000, rig.machine), undefined);
  assert.is(showValue(o.table.at(3).addr, rig.machine), "&o->table[3]");
});

test("a first member has its owner's address and is still itself", () => {
  class first extends Struct {
    one = embed(inner);
  }
  const rig = new Rig();
  const f = rig.object(first, "f");
  assert.is(f.one.addr, f.addr);
  assert.is(f.expr(rig.machine), "f");
  assert.is(f.one.expr(rig.machine), "f->one");
  assert.is(f.one.x.expr(rig.machine), "f->one.x");
});

test("words of NULL, of memory unknown, and variables", () => {
  const rig = new Rig();
  assert.is(NULL(outer).head.expr(rig.machine), "((struct outer *)NULL)->head");
  assert.is(at(outer, 0x123450).head.expr(rig.machine), "outer->head");
  assert.is(NULL(outer).expr(rig.machine), "NULL");
  const g = rig.object(globals);
  rig.machine.nameObject(g.hits.addr, "hits");
  assert.is(g.hits.expr(rig.machine), "hits");
});

test("what is stored is read back as what it was", () => {
  const rig = new Rig();
  const [o, i] = [rig.object(outer), rig.object(inner)];
  textsOf(rig, o, i);
  assert.is(o.self.decode(rig.peek(o.self)), NULL(outer));
  assert.is(o.link.decode(rig.peek(o.link)), i.x);
  assert.is(o.link.decode(0), null);
  assert.is(o.call.decode(rig.peek(o.call)), target);
  assert.is(o.call.decode(0), null);
  assert.is(o.one.y.decode(rig.peek(o.one.y)), true);
  assert.equal([null, undefined, true, false, 5, o, o.head, target].map(wordOf), [
    0,
    0,
    1,
    0,
    5,
    o.addr,
    o.head.addr,
    target.id,
  ]);
  assert.throws(() => wordOf("text"), /does not fit a word/);
});

test("a member outside a struct is refused", () => {
  assert.throws(() => int(), /outside a struct/);
  assert.throws(() => embed(inner), /outside a struct/);
});

test.run();
