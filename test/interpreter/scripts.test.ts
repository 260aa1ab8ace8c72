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
    assert.match(first.out, /^[^\n]+: kernel v/);
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

/** Titles of reports and the schedules that lead to them. */
function replays(out: string): [string, string][] {
  const found: [string, string][] = [];
  for (const block of out.split("\n\n").reduce<string[]>(joinBlocks, [])) {
    const token = /--schedule (\S+)$/m.exec(block)?.[1];
    const title = block.split("\n")[0];
    if (token !== undefined && title !== undefined) found.push([title, token]);
  }
  return found;
}
/** A report and its diagram are one block up to the replay line. */
function joinBlocks(blocks: string[], piece: string): string[] {
  const last = blocks.at(-1);
  if (last === undefined || last.includes("--schedule ") || blocks.length === 1) return [...blocks, piece];
  return [...blocks.slice(0, -1), `${last}\n${piece}`];
}

test.run();
