/**
 * The property that searching and stepping back stand on: going back is exact, the fingerprint is what it would be if
 * it were computed anew, and the same decisions lead to the same state again. Tried at thousands of random points.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SourceText } from "../../grammar/span.ts";
import { bindScript } from "../../interpreter/bind/script.ts";
import { ACTORS } from "../../interpreter/actors.ts";
import type { Director } from "../../interpreter/director.ts";
import type { Program } from "../../interpreter/program.ts";
import type { Decision } from "../../interpreter/schedule.ts";
import { simulate } from "../../interpreter/simulation.ts";
import { Moved, type Machine, type Mark } from "../../runtime/machine/machine.ts";
import { contentOf } from "../support/brute.ts";
import { Random, randomProgram } from "../search/random-programs.ts";

/** Everything that must come back, spelled out, with both halves of the fingerprint. */
function snapshot(machine: Machine): string {
  return `${machine.memory.lo}:${machine.memory.hi} ${contentOf(machine)}`;
}
function isRehashed(machine: Machine): boolean {
  const { lo, hi } = machine.rehash();
  return lo === machine.memory.lo && hi === machine.memory.hi;
}

const TURNS_MAX = 400; // some programs go round for ever

/** One random turn: a step, or what the script does when nobody can move. False: the path ends. */
function turn(director: Director, random: Random): Decision | "goes on" | undefined {
  const open = director.openDecisions();
  if (open.length === 0) return director.stuck() === "goes on" ? "goes on" : undefined;
  const decision = random.pick(open);
  return director.take(decision.actor, decision.choice) === Moved.fatal ? undefined : decision;
}
function again(director: Director, decision: Decision | "goes on"): void {
  if (decision === "goes on") director.stuck();
  else director.take(decision.actor, decision.choice);
}

/** Walks to an end at random and, at random points, some steps back and forward again. The number of points. */
function wander(director: Director, random: Random): number {
  const { machine } = director;
  const start = machine.mark();
  const before = snapshot(machine);
  const taken: (Decision | "goes on")[] = [];
  const marks: Mark[] = [start];
  const seen = [before];
  let points = 0;
  while (taken.length < TURNS_MAX) {
    const decision = turn(director, random);
    assert.ok(isRehashed(machine), "the fingerprint is that of the state");
    if (decision === undefined) break;
    taken.push(decision);
    marks.push(machine.mark());
    seen.push(snapshot(machine));
    points++;
    if (!random.chance(15)) continue;
    const back = random.below(taken.length + 1);
    machine.undoTo(marks[back] as Mark);
    assert.is(snapshot(machine), seen[back], "back");
    for (let i = back; i < taken.length; i++) {
      again(director, taken[i] as Decision);
      assert.is(snapshot(machine), seen[i + 1], "and forward again");
      assert.equal(machine.mark(), marks[i + 1], "with as much to undo");
      points++;
    }
  }
  machine.undoTo(start);
  assert.is(snapshot(machine), before, "to the very beginning");
  assert.ok(isRehashed(machine));
  return points;
}
function walkAll(program: Program, seeds: number, first = 1): number {
  let points = 0;
  const director = simulate(program);
  for (let seed = first; seed < first + seeds; seed++) points += wander(director, new Random(seed));
  return points;
}
function script(path: string): Program {
  const {
    programs: [program],
    diagnostics,
  } = bindScript(new SourceText(path, readFileSync(path, "utf8")));
  if (program === undefined) throw new Error(diagnostics.map((d) => d.message).join("; "));
  return program;
}

test("random programs: back is exact, forward is the same again", () => {
  let points = 0;
  for (let seed = 1; seed <= 300; seed++) points += walkAll(randomProgram(seed).program, 6);
  assert.ok(points > 10_000, `${points} points`);
});

test("a script of the kernel's: back is exact, forward is the same again", () => {
  const points = walkAll(script("scripts/004-odp-dying-mm.hmm"), 30);
  assert.ok(points > 3_000, `${points} points`);
});

test("fingerprints do not depend on what a machine did before", () => {
  const path = "scripts/004-odp-dying-mm.hmm";
  const [fresh, used] = [simulate(script(path)), simulate(script(path))];
  for (let seed = 100; seed < 105; seed++) wander(used, new Random(seed));
  const [one, other] = [new Random(7), new Random(7)];
  for (let steps = 0; steps < 400; steps++) {
    const [a, b] = [turn(fresh, one), turn(used, other)];
    assert.equal(a, b);
    const [{ lo, hi }, theirs] = [fresh.machine.memory, used.machine.memory];
    assert.equal([theirs.lo, theirs.hi], [lo, hi], `after ${steps} turns`);
    if (a === undefined) break;
  }
});

test("different states have different fingerprints", () => {
  let states = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const director = simulate(randomProgram(seed).program);
    const prints = new Map<string, string>();
    for (let walk = 0; walk < 10; walk++) {
      const start = director.machine.mark();
      const random = new Random(walk);
      for (let turns = 0; turns < TURNS_MAX && turn(director, random) !== undefined; turns++) {
        const { lo, hi } = director.machine.memory;
        const content = contentOf(director.machine);
        const known = prints.get(`${lo}:${hi}`);
        assert.ok(known === undefined || known === content, `two states of program ${seed} look alike`);
        prints.set(`${lo}:${hi}`, content);
      }
      director.machine.undoTo(start);
    }
    states += prints.size;
  }
  assert.ok(states > 1_000, `${states} states`);
});

test("a step that is blocked, or fatal, leaves nothing behind", () => {
  let tried = 0;
  for (let seed = 1; seed <= 120; seed++) {
    const director = simulate(randomProgram(seed).program);
    const { machine } = director;
    const random = new Random(seed);
    let turns = 0;
    do {
      const before = snapshot(machine);
      for (let actor = 0; actor < ACTORS; actor++)
        for (let choice = 0; choice < machine.choices(actor); choice++) {
          const mark = machine.mark();
          const moved = machine.step(actor, choice);
          if (moved === Moved.blocked) assert.is(snapshot(machine), before, "blocked");
          machine.undoTo(mark);
          assert.is(snapshot(machine), before);
          tried++;
        }
    } while (++turns < TURNS_MAX && turn(director, random) !== undefined);
  }
  assert.ok(tried > 2_000, `${tried} steps`);
});

test("bodies do the same again when they are run again", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const director = simulate(randomProgram(seed).program);
    wander(director, new Random(seed));
    assert.is(director.machine.automaton.impureFunction(), null);
  }
  const director = simulate(script("scripts/004-odp-dying-mm.hmm"));
  for (let seed = 1; seed <= 5; seed++) wander(director, new Random(seed));
  assert.is(director.machine.automaton.impureFunction(), null);
});

test.run();
