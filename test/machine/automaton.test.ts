import { test } from "uvu";
import * as assert from "uvu/assert";
import { add, load, loadPrivate, READ_ONCE, store, storePrivate, xchg } from "../../runtime/machine/access.ts";
import type { ControlEvent } from "../../runtime/machine/automaton.ts";
import { BUG_ON, WARN_ON } from "../../runtime/machine/bug.ts";
import { choose } from "../../runtime/machine/choose.ts";
import { ModelFault } from "../../runtime/machine/fault.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { Moved } from "../../runtime/machine/machine.ts";
import { spin_lock, spin_unlock } from "../../runtime/machine/spinlock.ts";
import { fact, type Kernel } from "../../runtime/machine/step.ts";
import { int, spinlock, Struct } from "../../runtime/machine/struct.ts";
import { resolveBodies } from "../../runtime/patch.ts";
import { brute } from "../support/brute.ts";
import { Rig } from "../support/rig.ts";

class pair extends Struct {
  a = int();
  b = int();
  lock = spinlock();
}
function scene(): { rig: Rig; p: pair } {
  const rig = new Rig();
  return { rig, p: rig.object(pair, "p") };
}

// ---- local states

const spins = kernelFunction("spins", function* (p: pair, until: number): Kernel<number> {
  if ((yield* READ_ONCE(p.a)) >= until) return until;
  yield* load(p.b);
  return yield* spins.restart(p, until);
});
const loops = kernelFunction("loops", function* (p: pair): Kernel<void> {
  while ((yield* READ_ONCE(p.a)) === 0) yield* load(p.b);
});

test("a loop by restart comes back to the same local state; a loop inside a frame does not", () => {
  const { rig, p } = scene();
  rig.start(0, spins, p, 1);
  const first = rig.hash();
  rig.steps(0, 2);
  assert.is(rig.hash(), first);
  rig.steps(0, 200);
  const nodes = rig.machine.automaton.statistics().nodes;
  rig.steps(0, 200);
  assert.is(rig.machine.automaton.statistics().nodes, nodes, "nothing is unrolled any more");
  const other = scene();
  other.rig.start(0, loops, other.p);
  const start = other.rig.hash();
  other.rig.steps(0, 2);
  assert.is.not(other.rig.hash(), start);
});

const outer = kernelFunction("outer", function* (p: pair): Kernel<number> {
  const result = yield* spins(p, 1);
  yield* store(p.b, result);
  return result + 1;
});
test("restart replaces the frame; the caller stays and gets the result", () => {
  const { rig, p } = scene();
  rig.start(0, outer, p).steps(0, 4);
  assert.equal(
    rig.machine.stackOf(0).map((frame) => frame.name),
    ["spins", "outer"],
  );
  rig.poke(p.a, 1);
  assert.is(rig.go(0), "done");
  assert.is(rig.peek(p.b), 1);
});

test("returning is what forgets: two calls that end alike lead to one state", () => {
  const glance = kernelFunction("glance", function* (p: pair): Kernel<boolean> {
    return (yield* load(p.a)) > 5;
  });
  const twice = kernelFunction("twice", function* (p: pair): Kernel<void> {
    yield* glance(p);
    yield* store(p.b, 1);
  });
  const rig = new Rig();
  const p = rig.object(pair);
  const start = rig.start(0, twice, p).machine.mark();
  rig.steps(0, 1);
  const [one, word] = [rig.machine.locals[0], rig.peek(p.a)];
  rig.machine.undoTo(start);
  rig.poke(p.a, 3);
  rig.steps(0, 1);
  assert.is(rig.machine.locals[0], one);
  assert.is(word, 0);
});

const perhaps = kernelFunction("perhaps", function* (p: pair): Kernel<number | string | boolean | null | undefined> {
  const value = yield* load(p.a);
  return [0, "0", false, null, undefined, "null", true, 1, "true"][value];
});
const spellsOut = kernelFunction("spellsOut", function* (p: pair): Kernel<string> {
  const value = yield* perhaps(p);
  return `${typeof value} ${value}`;
});
test("results that look alike are told apart", () => {
  const { rig, p } = scene();
  const told = [...Array(9).keys()].map((value) => {
    rig.poke(p.a, value);
    return rig.run(spellsOut, p);
  });
  assert.equal(told, [
    "number 0",
    "string 0",
    "boolean false",
    "object null",
    "undefined undefined",
    "string null",
    "boolean true",
    "number 1",
    "string true",
  ]);
});

test("calls and returns between two steps are told in order", () => {
  const { rig, p } = scene();
  rig.poke(p.a, 1);
  const events: ControlEvent[] = [];
  rig.machine.load(0, outer.id, [p], events);
  rig.step(0, 0, events);
  const told = events.map((e) =>
    e.kind === "allocate" ? "" : `${e.kind} ${rig.machine.automaton.functionName(e.fn)}`,
  );
  assert.equal(told, ["call outer", "call spins", "return spins"]);
});

test("equal machines have equal fingerprints, whatever each unrolled first", () => {
  const [one, other] = [scene(), scene()];
  other.rig.run(outer, (other.rig.poke(other.p.a, 1), other.p));
  other.rig.poke(other.p.a, 0);
  other.rig.poke(other.p.b, 0);
  other.rig.start(3, loops, other.p).steps(3, 1);
  one.rig.start(3, loops, one.p).steps(3, 1);
  assert.is(one.rig.hash(), other.rig.hash());
  assert.is.not(one.rig.machine.locals[3], other.rig.machine.locals[3], "though their numbers differ");
});

// ---- what bodies may not do

const silentRound = kernelFunction("silentRound", function* (p: pair): Kernel<void> {
  return yield* silentRound.restart(p);
});
test("a body that goes round without a step is a fault of the model", () => {
  const { rig, p } = scene();
  assert.throws(
    () => rig.start(0, silentRound, p),
    (error: unknown) => error instanceof ModelFault && /silentRound goes round/.test(error.message),
  );
});

test("a function without a body in this kernel is a fault of the model", () => {
  const rig = new Rig([], new Map(allButSpins()));
  const p = rig.object(pair);
  assert.throws(() => rig.start(0, outer, p), /kernel function \d+ has no body/);
});
function* allButSpins(): Generator<[number, { name: string; body: never }]> {
  for (const [id, entry] of resolveBodies("v5.2", []).bodies) if (id !== spins.id) yield [id, entry as never];
}

test("purity: a body with outer state is named, in its steps as in what it returns", () => {
  let outside = 0;
  const takesNotes = kernelFunction("takesNotes", function* (p: pair): Kernel<void> {
    yield* store(p.a, outside++);
    yield* store(p.b, 1);
  });
  const returnsNotes = kernelFunction("returnsNotes", function* (p: pair): Kernel<number> {
    yield* load(p.a);
    return outside++;
  });
  const callsWithNotes = kernelFunction("callsWithNotes", function* (p: pair): Kernel<void> {
    yield* spins(p, -outside++);
  });
  const stopsSooner = kernelFunction("stopsSooner", function* (p: pair): Kernel<void> {
    yield* load(p.a);
    if (outside++ === 0) yield* load(p.b);
  });
  for (const fn of [takesNotes, returnsNotes, callsWithNotes, stopsSooner]) {
    outside = 0;
    const { rig, p } = scene();
    rig.run<[pair], number | void>(fn, p);
    assert.is(rig.machine.automaton.impureFunction(), fn.name);
  }
  const { rig, p } = scene();
  rig.poke(p.a, 1);
  rig.run(outer, p);
  assert.is(rig.machine.automaton.impureFunction(), null);
});

test("statistics count nodes and the longest frame of each function", () => {
  const { rig, p } = scene();
  const long = kernelFunction("long", function* (q: pair): Kernel<void> {
    for (let i = 0; i < 70; i++) yield* load(q.a);
  });
  const late = new Rig();
  const q = late.object(pair);
  late.run(long, q);
  assert.equal(late.machine.automaton.statistics().byFunction.get("long"), { nodes: 71, deepest: 70 });
  rig.poke(p.a, 1);
  rig.run(outer, p);
  assert.is(rig.machine.automaton.statistics().byFunction.get("spins")?.deepest, 1);
});

// ---- choices, silent steps, warnings

const chooses = kernelFunction("chooses", function* (p: pair): Kernel<number> {
  const way = yield* choose(3, "which way");
  yield* store(p.a, way);
  return way;
});
test("a choice has so many ways, and each is taken", () => {
  const { rig, p } = scene();
  rig.start(0, chooses, p);
  assert.is(rig.machine.choices(0), 3);
  assert.is(rig.next(0), "which way");
  const graph = brute(rig.machine, { cpus: [0], outcome: () => String(rig.peek(p.a)) });
  assert.equal([...graph.events], ["final 0", "final 1", "final 2"]);
  rig.step(0, 2);
  assert.is(rig.machine.choices(0), 1);
});

const silent = kernelFunction("silent", function* (p: pair): Kernel<void> {
  yield* load(p.a);
  yield* storePrivate(p.b, (yield* loadPrivate(p.b)) + 1);
});
test("private words are no scheduling points, and belong to the step before them", () => {
  const { rig, p } = scene();
  rig.start(0, silent, p);
  const before = rig.hash();
  const mark = rig.machine.mark();
  assert.is(rig.step(0), Moved.yes);
  assert.ok(rig.machine.isFinished(0));
  assert.is(rig.peek(p.b), 1);
  rig.machine.undoTo(mark);
  assert.is(rig.hash(), before);
});

const judges = kernelFunction("judges", function* (p: pair): Kernel<boolean> {
  const value = yield* load(p.a);
  const warned = yield* WARN_ON(value === 1, "a == 1");
  yield* BUG_ON(value === 2, "a == 2");
  yield* store(p.b, 1);
  return warned;
});
test("WARN_ON goes on, BUG_ON ends the path; both are told with the function that judged", () => {
  for (const [value, how, messages] of [
    [0, "done", []],
    [1, "done", ["warning: a == 1"]],
    [2, "fatal", ["bug: a == 2"]],
  ] as const) {
    const { rig, p } = scene();
    rig.poke(p.a, value);
    assert.is(rig.start(0, judges, p).go(0), how);
    assert.equal(rig.messages(), [...messages]);
    for (const finding of rig.findings) assert.is(finding.stack[0]?.name, "judges");
  }
});

test("a step may carry the number that a description gives it, and is the same step", () => {
  const numbered = kernelFunction("numbered", function* (p: pair): Kernel<number> {
    yield* fact(7, store(p.a, 1));
    return yield* fact("8a", load(p.a));
  });
  const rig = new Rig();
  const p = rig.object(pair);
  rig.start(0, numbered, p);
  assert.is(rig.machine.nextStep(0)?.fact, "7");
  rig.steps(0, 1);
  assert.is(rig.machine.nextStep(0)?.fact, "8a");
  assert.is(rig.run(numbered, p), 1);
});

// ---- mutations

const critical = kernelFunction("critical", function* (p: pair): Kernel<number> {
  yield* spin_lock(p.lock);
  const old = yield* xchg(p.a, 5);
  yield* store(p.b, old);
  yield* add(p.b, 1);
  yield* spin_unlock(p.lock);
  return old;
});
const callsCritical = kernelFunction("callsCritical", function* (p: pair): Kernel<number> {
  return (yield* critical(p)) + 1;
});
function mutatedRun(...mutations: ConstructorParameters<typeof Rig>[0] & object): {
  rig: Rig;
  p: pair;
  texts: string[];
} {
  const rig = new Rig(mutations);
  const p = rig.object(pair, "p");
  const texts: string[] = [];
  rig.start(0, callsCritical, p);
  while (!rig.machine.isFinished(0)) {
    texts.push(rig.next(0));
    rig.steps(0, 1);
  }
  return { rig, p, texts };
}
test("a mutation leaves steps out, with the result it is told to give instead", () => {
  assert.equal(mutatedRun({ in: "critical", drop: "spin_lock" }).texts, [
    "xchg(&p->a, 5)",
    "p->b = 0",
    "p->b++",
    "spin_unlock(&p->lock)",
  ]);
  const { rig, p, texts } = mutatedRun({ in: "critical", drop: "xchg", result: 40 }, { in: "critical", drop: "spin_" });
  assert.equal(texts, ["p->b = 40", "p->b++"]);
  assert.is(rig.peek(p.b), 41);
  assert.is(rig.machine.automaton.impureFunction(), null);
  assert.is(mutatedRun({ in: "somebody else", drop: "spin_lock" }).texts.length, 5);
});
test("a mutation may leave out a call, or only the n-th of several steps", () => {
  assert.equal(mutatedRun({ in: "callsCritical", drop: "critical", result: 3 }).texts, []);
  assert.equal(mutatedRun({ in: "critical", drop: "pair->b", occurrence: 2 }).texts.slice(2), [
    "p->b = 0",
    "spin_unlock(&p->lock)",
  ]);
});
test("a mutation may swap two steps that follow each other, and no others", () => {
  const swapped = mutatedRun({ in: "critical", swap: ["pair->b++", "spin_unlock"] });
  assert.equal(swapped.texts.slice(3), ["spin_unlock(&p->lock)", "p->b++"]);
  assert.is(swapped.rig.machine.automaton.impureFunction(), null);
  const apart = mutatedRun({ in: "critical", swap: ["pair->b =", "spin_unlock"] });
  assert.equal(apart.texts.slice(2), ["p->b = 0", "p->b++", "spin_unlock(&p->lock)"]);
});

// ---- eras

const changed = kernelFunction("changed", function* (p: pair): Kernel<string> {
  yield* store(p.a, 1);
  return "older";
}).since("v5.2", function* (p: pair): Kernel<string> {
  yield* store(p.a, 2);
  return "v5.2";
});
test("a function has one body per era, and a patch's body comes before both", () => {
  assert.equal(
    changed.bodies.map((body) => body.since),
    [null, "v5.2"],
  );
  const oldest = scene();
  assert.is(oldest.rig.run(changed, oldest.p), "older");
  const rig = new Rig([], resolveBodies("v5.2", []).bodies);
  assert.is(rig.run(changed, rig.object(pair)), "v5.2");
  const patched = new Rig([], resolveBodies("v5.2", [patch]).bodies);
  assert.is(patched.run(changed, patched.object(pair)), "patched");
});
const patch = {
  name: "patch",
  subject: "",
  source: "",
  eras: ["v5.2"] as const,
  needs: [],
  replacements: [
    {
      fn: changed,
      *body(): Kernel<string> {
        return "patched";
      },
    },
  ],
};

const fromTheFuture = kernelFunction("fromTheFuture", function* (): Kernel<string> {
  return "v5.2";
}).since("v99.9", function* (): Kernel<string> {
  return "v99.9";
});
test("a body of an era that is yet to come, or of none, is not taken", () => {
  const rig = new Rig([], resolveBodies("v5.2", []).bodies);
  assert.is(rig.run(fromTheFuture), "v5.2");
});

test.run();
