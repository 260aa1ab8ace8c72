/** What README shows is what the tool does. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bindScript } from "../../interpreter/bind/script.ts";
import { SourceText } from "../../grammar/span.ts";
import { hmm } from "../support/cli.ts";

const test = suite("README");
const readme = readFileSync("README.md", "utf8");
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map((match) => match[1] ?? "");

test("every command shown prints what is shown, `...` aside", () => {
  const shown = blocks("console");
  assert.ok(shown.length >= 2);
  for (const block of shown) {
    const [command = "", ...rest] = block.trimEnd().split("\n");
    const args = /^\$ npx hmm (.*)$/.exec(command)?.[1]?.split(" ") ?? [];
    const { out } = hmm(args);
    let from = 0;
    for (const piece of rest
      .join("\n")
      .split("\n...\n")
      .flatMap((p) => p.split(/^\.\.\.\n|\n\.\.\.$/))) {
      const at = out.indexOf(piece.trim(), from);
      assert.ok(at >= from, `${command} does not print:\n${piece}`);
      from = at + piece.trim().length;
    }
  }
});

test("every whole scenario shown is accepted, and holds", () => {
  for (const text of blocks("hmm").filter((block) => block.startsWith("kernel"))) {
    const { diagnostics } = bindScript(new SourceText("README", text));
    assert.equal(diagnostics, []);
    const { code, out } = hmm(["check", "-e", text]);
    if (text.includes("expect no bug")) assert.is(code, 0, out);
    assert.not.match(out, /FAIL {2}expect (bug|sometimes)/);
  }
});

test("every other piece of a scenario shown runs on what the first one sets up", () => {
  const [first = "", ...others] = blocks("hmm");
  const setUp = first.slice(0, first.indexOf("race {"));
  for (const text of others.filter((block) => !block.startsWith("kernel"))) {
    const { code, err, out } = hmm(["run", "-e", `${setUp}${text}expect bug use-after-free in find_vma\n`]);
    assert.is(err, "");
    assert.is(code, 0, out);
  }
});

test.run();
