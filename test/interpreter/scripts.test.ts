/** Every script of the project against its golden, its replays, and itself once more. */
import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hmm } from "../support/cli.ts";

const test = suite("scripts");
const scripts = readdirSync("scripts").filter((name) => name.endsWith(".hmm"));

test("hmm test: every script has its golden, and every golden its script", () => {
  const ran = hmm(["test", ...(process.env["UPDATE"] === "1" ? ["--update"] : [])]);
  assert.is(ran.out, `${scripts.length} passed, 0 failed\n`);
  assert.is(ran.code, 0);
});

for (const name of scripts) {
  test(`${name}: is as it says, twice over, and names its kernel`, () => {
    const first = hmm(["check", `scripts/${name}`]);
    assert.is(first.code, 0, first.out);
    assert.is(hmm(["check", `scripts/${name}`]).out, first.out);
    assert.match(first.out, /^[^\n]+: kernel (v\d|mmu-notifier-v3)/);
  });

  test(`${name}: every schedule that is printed replays to its own report`, () => {
    const { out } = hmm(["check", `scripts/${name}`]);
    for (const [title, token] of replays(out)) {
      const once = hmm(["run", `scripts/${name}`, "--schedule", token]);
      assert.ok(once.out.includes(title), `${token} does not lead to: ${title}\n${once.out}`);
      assert.is(hmm(["run", `scripts/${name}`, "--schedule", token]).out, once.out);
    }
  });
}

/** Titles of reports and the schedules that lead to them. A report, its diagram and its schedule are several pieces. */
function replays(out: string): [string, string][] {
  const found: [string, string][] = [];
  let title: string | undefined;
  for (const piece of out.split("\n\n")) {
    const [first = ""] = piece.split("\n");
    if (SUMMARY.test(first)) continue;
    title ??= first;
    const token = /--schedule (\S+)$/m.exec(piece)?.[1];
    if (token === undefined) continue;
    found.push([title, token]);
    title = undefined;
  }
  return found;
}
const SUMMARY =
  /^(Outcomes|Expectations|Observation|VERIFIED|VIOLATION|The same in other places)|^\S+: kernel (v\d|mmu-notifier-v3)/;

test.run();
