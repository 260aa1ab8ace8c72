/**
 * Sessions as they are had: what stands behind a prompt is typed, what stands below it is what was told. Every command
 * is in one of them.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { commands } from "../../interpreter/session/commands.ts";
import { had } from "./desk.ts";

const FOLDER = "test/golden/sessions";
const files = readdirSync(FOLDER);
for (const file of files)
  test(file, () => {
    const path = `${FOLDER}/${file}`;
    const golden = readFileSync(path, "utf8");
    const now = had(golden);
    if (process.env["UPDATE"] === "1") writeFileSync(path, now);
    else assert.is(now, golden, path);
    assert.not.match(now, /\x1b/);
  });

test("every command is in a session, and every short form is a command's own", () => {
  const typed = files.map((file) => readFileSync(`${FOLDER}/${file}`, "utf8")).join("\n");
  for (const { name, aliases } of commands) {
    const names = [name, ...aliases].join("|");
    assert.match(typed, new RegExp(`^hmm(?: cpu\\d)?> :(?:${names})\\b`, "m"), `:${name} is in no session`);
  }
  const all = commands.flatMap(({ name, aliases }) => [name, ...aliases]);
  assert.is(new Set(all).size, all.length);
});

test("the sessions of README and LANGUAGE.md are had so, and the table is that of the commands", () => {
  const page = readFileSync("LANGUAGE.md", "utf8");
  const blocks = [...`${page}${readFileSync("README.md", "utf8")}`.matchAll(/^```session\n([^]*?)^```$/gm)].map(
    (match) => match[1] ?? "",
  );
  assert.is(blocks.length, 3);
  for (const block of blocks) assert.is(had(block), block);
  const rows = [...page.matchAll(/^\| `:([^`]*)`(.*?) *\| (.*?) *\|$/gm)].map(([, usage, aliases, summary]) => [
    usage?.replaceAll("\\|", "|"),
    [...(aliases ?? "").matchAll(/`:(\w+)`/g)].map((match) => match[1]),
    summary,
  ]);
  const table = commands.map(({ name, args, aliases, summary }) => [`${name} ${args}`.trim(), aliases, summary]);
  assert.equal(rows, table);
});

test.run();
