/** Models that other tools have, too: their state graphs are known to the last transition. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bound, checked } from "../support/bound.ts";
import { judge } from "../../interpreter/verdict.ts";

/** States and transitions, as SPIN, TLC, rumur and stateright count them. */
const CANONICAL: Readonly<Record<string, readonly [states: number, transitions: number]>> = {
  "m1-buggy": [77, 136],
  "m1-fixed": [46, 67],
  "m1-fixed-nf2": [413, 948],
  "m1-fixed-nf3": [4_664, 15_085],
  "m1-fixed-nf3-r3": [87_500, 297_825],
  "m3t-n2-k3": [319, 544],
  "m3t-n3-k3": [4_598, 11_055],
  "m3t-n3-k8": [66_248, 163_020],
  "m3t-n3-k20": [930_248, 2_310_492],
};
const model = (name: string) => checked(bound(readFileSync(`test/models/${name}.hmm`, "utf8")));

const models = suite("models");

for (const [name, [states, transitions]] of Object.entries(CANONICAL))
  models(`${name}: ${states} states, ${transitions} transitions`, () => {
    const result = model(name);
    assert.is(result.explored.states, states);
    assert.is(result.explored.transitions, transitions);
    assert.is(judge(result).exitCode, 0);
  });

models("the sequence protocol of interval notifiers holds, and needs its retry check and its set_seq", () => {
  const right = model("m2");
  assert.equal(right.reports, []);
  assert.is(judge(right).exitCode, 0);
  for (const name of ["m2-no-retry", "m2-no-set-seq"]) {
    const wrong = model(name);
    assert.ok(
      wrong.reports.some(({ finding }) => finding.kind === "bug"),
      name,
    );
    assert.is(judge(wrong).exitCode, 0, `${name}: it expects what is found`);
  }
});

models.run();
