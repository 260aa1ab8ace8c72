/** C as a driver author has it: accepted as it stands, right as it is, and wrong with a classic slip in it. */
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SourceText } from "../../grammar/span.ts";
import { bindScript, type BoundScript } from "../../interpreter/bind/script.ts";
import { drain } from "../../interpreter/breathing.ts";
import { check, type CheckResult } from "../../interpreter/check.ts";
import { DEFAULT_LIMITS } from "../../interpreter/limits.ts";
import { judge } from "../../interpreter/verdict.ts";

const FOLDER = "test/c";
const LINES_CHANGED_MAX = 3;

/** Replacements that make a file acceptable: [what stands there, what stands there instead]. */
type Changes = Readonly<Record<string, readonly (readonly [string, string])[]>>;
interface Edit {
  readonly old: string;
  readonly new: string;
}
interface Slip extends Partial<Edit> {
  readonly name: string;
  readonly file: string;
  readonly edits?: readonly Edit[];
  readonly scenario: string;
  /** Kind of the report that finds it; "none" if this version's kernel can do nothing that shows it. */
  readonly report: string;
}

const read = (name: string): string => readFileSync(`${FOLDER}/${name}`, "utf8");
const changes = JSON.parse(read("changes.json")) as Changes;
const slips = JSON.parse(read("slips.json")) as readonly Slip[];
const scenarios = readdirSync(FOLDER).filter((name) => name.endsWith(".hmm"));

function changed(text: string, edits: readonly Edit[], what: string): string {
  return edits.reduce((before, edit) => {
    assert.is(before.split(edit.old).length, 2, `${what}: ${edit.old} stands there once`);
    return before.replace(edit.old, () => edit.new);
  }, text);
}
/** A file as it is given to the tool, with a slip in it if one is named. */
function file(name: string, slip?: Slip): string {
  const own = (changes[name] ?? []).map((pair) => ({ old: pair[0], new: pair[1] }));
  const text = changed(read(name), own, name);
  if (slip?.file !== name) return text;
  return changed(text, slip.edits ?? [{ old: slip.old ?? "", new: slip.new ?? "" }], slip.name);
}
function bound(scenario: string, slip?: Slip): BoundScript {
  const readFile = (path: string): { name: string; text: string } => ({ name: path, text: file(path, slip) });
  return bindScript(new SourceText(scenario, read(scenario)), { readFile });
}
function checked(scenario: string, slip?: Slip): CheckResult {
  const {
    programs: [program],
    diagnostics,
  } = bound(scenario, slip);
  if (program === undefined) throw new Error(diagnostics.map((d) => `${d.source.name}: ${d.message}`).join("\n"));
  return drain(check(program, { limits: DEFAULT_LIMITS }));
}

const c = suite("C");

c("each file is accepted with at most three lines changed", () => {
  for (const name of readdirSync(FOLDER).filter((entry) => entry.endsWith(".c"))) {
    const before = read(name).split("\n");
    const after = file(name).split("\n");
    assert.is(after.length, before.length);
    const lines = after.filter((line, i) => line !== before[i]).length;
    assert.ok(lines <= LINES_CHANGED_MAX, `${name}: ${lines} lines`);
  }
  for (const scenario of scenarios) assert.equal(bound(scenario).diagnostics, [], scenario);
});

for (const scenario of scenarios)
  c(`${scenario}: nothing is wrong in any interleaving`, () => {
    const result = checked(scenario);
    assert.is(judge(result).exitCode, 0);
    assert.ok(result.explored.states > 500, `${result.explored.states} states`);
  });

for (const slip of slips)
  c(`${slip.name}: ${slip.report}`, () => {
    const kinds = checked(slip.scenario, slip).reports.map(({ finding }) => finding.kind);
    if (slip.report === "none") assert.equal(kinds, []);
    else assert.ok(kinds.includes(slip.report as (typeof kinds)[number]), kinds.join(", "));
  });

c.run();
