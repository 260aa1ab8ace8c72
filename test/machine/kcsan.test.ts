import { test } from "uvu";
import * as assert from "uvu/assert";
import { add, load, READ_ONCE, store, WRITE_ONCE, xchg } from "../../runtime/machine/access.ts";
import { atomic_inc, atomic_read } from "../../runtime/machine/atomic.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { findRaces } from "../../runtime/machine/kcsan.ts";
import { describe, placesOf, type Finding } from "../../runtime/machine/report.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { atomic, int, Struct } from "../../runtime/machine/struct.ts";
import { Rig } from "../support/rig.ts";

class words extends Struct {
  a = int();
  b = int();
  n = atomic();
}
const body = (name: string, take: (w: words) => Kernel<unknown>) =>
  kernelFunction(name, function* (w: words): Kernel<void> {
    yield* take(w);
  });
const BODIES = {
  reads: body("reads", (w) => load(w.a)),
  readsOnce: body("readsOnce", (w) => READ_ONCE(w.a)),
  writes: body("writes", (w) => store(w.a, 7)),
  writesOnce: body("writesOnce", (w) => WRITE_ONCE(w.a, 7)),
  adds: body("adds", (w) => add(w.a, 2)),
  exchanges: body("exchanges", (w) => xchg(w.a, 3)),
  writesOther: body("writesOther", (w) => store(w.b, 1)),
  counts: body("counts", (w) => atomic_inc(w.n)),
  looks: body("looks", (w) => atomic_read(w.n)),
};
type Name = keyof typeof BODIES;

function race(first: Name, second: Name): Finding[] {
  const rig = new Rig();
  const w = rig.object(words, "w");
  rig.start(0, BODIES[first], w).start(1, BODIES[second], w);
  findRaces(rig.machine, 0, [0, 1, 2]);
  return rig.machine.reports.map((report) => describe(rig.machine, report));
}

for (const [first, second, what] of [
  ["reads", "writes", "reads / writes"],
  ["reads", "writesOnce", "reads / writesOnce"],
  ["readsOnce", "writes", "readsOnce / writes"],
  ["writes", "writes", "writes / writes"],
  ["adds", "readsOnce", "adds / readsOnce"],
  ["exchanges", "reads", "exchanges / reads"],
  ["readsOnce", "writesOnce", ""],
  ["reads", "reads", ""],
  ["reads", "writesOther", ""],
  ["counts", "looks", ""],
  ["exchanges", "writesOnce", ""],
] as const)
  test(`${first} against ${second}: ${what === "" ? "no race" : "a race"}`, () => {
    assert.is(
      race(first, second)
        .map(({ message }) => message)
        .join(),
      what,
    );
    assert.is(
      race(second, first)
        .map(({ message }) => message)
        .join(),
      what,
    );
  });

test("the writer comes first, with what it changes; both functions are places", () => {
  const [finding] = race("readsOnce", "adds");
  assert.equal(
    finding?.race?.accesses.map(({ actor, reads, writes, isMarked, place }) => [actor, reads, writes, isMarked, place]),
    [
      [1, true, true, false, "w->a"],
      [0, true, false, true, "w->a"],
    ],
  );
  assert.equal(finding?.race?.change, { from: 0, to: 2 });
  assert.equal(finding === undefined ? [] : placesOf(finding), ["adds", "readsOnce"]);
});

test.run();
