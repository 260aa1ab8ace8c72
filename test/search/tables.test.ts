import { test } from "uvu";
import * as assert from "uvu/assert";
import { CostTable } from "../../interpreter/cost-table.ts";
import { Visited } from "../../interpreter/visited.ts";
import { combine, keyOfNumber, keyOfText, mixHi, mixLo, upperHalf } from "../../runtime/machine/hash.ts";
import { Random } from "./random-programs.ts";

/** Fingerprints that crowd: many share a half, and some have 0 in one. */
function* crowded(count: number): Generator<readonly [number, number]> {
  const random = new Random(1);
  for (let i = 0; i < count; i++) yield [random.below(4) === 0 ? 0 : random.below(1 << 8), random.below(2 ** 31) | 0];
}

test("a set of fingerprints holds what was added, once, however far it grows", () => {
  const visited = new Visited(1 << 4);
  const model = new Set<string>();
  for (const [lo, hi] of crowded(50_000)) {
    const key = `${lo}:${hi === 0 ? 1 : hi}`;
    assert.is(visited.add(lo, hi), !model.has(key));
    model.add(key);
  }
  for (const [lo, hi] of crowded(50_000)) assert.is(visited.add(lo, hi), false);
  assert.is(visited.count, model.size);
  assert.ok(visited.bytes >= model.size * 8);
});

test("a cost table keeps the least cost", () => {
  const table = new CostTable();
  const model = new Map<string, number>();
  const random = new Random(2);
  for (const [lo, hi] of crowded(30_000)) {
    const key = `${lo}:${hi === 0 ? 1 : hi}`;
    const cost = random.below(50);
    const known = model.get(key);
    assert.is(table.costOf(lo, hi), known);
    assert.is(table.improve(lo, hi, cost), known === undefined || cost < known);
    model.set(key, Math.min(cost, known ?? Infinity));
  }
  assert.is(table.count, model.size);
  for (const [lo, hi] of crowded(30_000)) assert.is(table.costOf(lo, hi), model.get(`${lo}:${hi === 0 ? 1 : hi}`));
});

test("values that look alike in 32 bits are told apart", () => {
  const alike = [-1, 2 ** 32 - 1, 2 ** 33 - 1, 2 ** 52 - 1, 2 ** 52 + 2 ** 32 - 1];
  for (const mix of [mixLo, mixHi]) assert.is(new Set(alike.map((value) => mix(12345, value))).size, alike.length);
  assert.is(new Set(alike.map((value) => keyOfNumber(value).lo)).size, alike.length);
  assert.equal([upperHalf(-1), upperHalf(2 ** 32 - 1), upperHalf(7), upperHalf(2 ** 40)], [0, 1, 0, 256]);
});

test("zero contributes nothing, and keys depend on the order of what they are made from", () => {
  assert.equal([mixLo(99, 0), mixHi(99, 0)], [0, 0]);
  const [a, b] = [keyOfText("a"), keyOfText("b")];
  assert.not.equal(combine(a, b), combine(b, a));
  assert.equal(combine(a, b), combine(a, b));
});

test("keys of many small numbers and texts do not meet", () => {
  const keys = new Set<string>();
  for (let i = 0; i < 20_000; i++)
    for (const { lo, hi } of [keyOfNumber(i), keyOfText(`f${i}`), keyOfNumber(2 ** 52 + i * 8)])
      keys.add(`${lo}:${hi}`);
  assert.is(keys.size, 60_000);
});

test.run();
