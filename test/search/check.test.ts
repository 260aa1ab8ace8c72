/** What random programs of one race cannot show: scripts with statements outside races, and with several races. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SourceText } from "../../grammar/span.ts";
import { bindScript } from "../../interpreter/bind/script.ts";
import { drain } from "../../interpreter/breathing.ts";
import { check, type CheckResult } from "../../interpreter/check.ts";
import { DEFAULT_LIMITS } from "../../interpreter/limits.ts";
import { AsWritten } from "../../interpreter/pickers.ts";
import { simulate } from "../../interpreter/simulation.ts";
import { record } from "../../interpreter/trace.ts";
import type { Program } from "../../interpreter/program.ts";

function bound(lines: readonly string[]): Program {
  const {
    programs: [program],
    diagnostics,
  } = bindScript(new SourceText("test.hmm", `kernel v5.2 + odp-v4\n${lines.join("\n")}\n`));
  if (program === undefined) throw new Error(diagnostics.map((d) => d.message).join("; "));
  return program;
}
const checked = (...lines: string[]): CheckResult => drain(check(bound(lines), { limits: DEFAULT_LIMITS, all: true }));
const kinds = (result: CheckResult): string[] => result.reports.map(({ finding }) => finding.kind).sort();
/** The kinds of what is reported when a script runs as it is written. */
function ran(...lines: string[]): string[] {
  const trace = record(simulate(bound(lines)), new AsWritten(), { maxSteps: 1000 });
  return trace.findings.map(({ kind }) => kind);
}

const LONG = "ib_umem_odp_get umem 0x1000..0x90000"; // a WARN_ON before its first step: the model's umems are short

test("what is reported before a CPU's first step is not lost", () => {
  const before = ["ib_umem_odp umem", "cpu0: mmap 0x1000..0x100000"];
  assert.equal(kinds(checked(...before, `cpu0: ${LONG}`)), ["warning"], "check, one after the other");
  assert.equal(kinds(checked(...before, `race {\n  cpu0: ${LONG}\n}`)), ["warning"], "check, in a race");
  assert.equal(ran(...before, `cpu0: ${LONG}`), ["warning"], "run, one after the other");
  assert.equal(ran(...before, `race {\n  cpu0: ${LONG}\n}`), ["warning"], "run, in a race");
});

test("a step that is tried only to see whether it can be taken reports nothing", () => {
  const lines = ["kref k", 'cpu0: kref_get k until "kref_get"', "expect blocked cpu0", "expect 0 == 1"];
  assert.equal(kinds(checked(...lines)), ["expectation"]);
  assert.equal(ran(...lines), ["expectation"]);
});

test("from one race to the next a change of CPU counts as one", () => {
  const result = checked(
    "int x",
    "int y",
    "race {\n  cpu0: x = 1\n  cpu1: y = 1\n}",
    "race {\n  cpu0: x = 3\n  cpu1: BUG_ON(x == 3)\n}",
  );
  const [report] = result.reports;
  assert.is(report?.finding.kind, "bug");
  // cpu1, cpu0, then cpu0, cpu1
  assert.equal([report?.switches, report?.schedule.length, report?.full?.proven], [2, 4, true]);
});

test("a circle that is never left is a livelock; one that can be left is none", () => {
  const spin = "race {\n  cpu0: while (x == 0) y = 1\n  cpu1: ";
  assert.equal(kinds(checked("int x", "int y", `${spin}y = 2\n}`)), ["livelock"]);
  assert.equal(kinds(checked("int x", "int y", `${spin}x = 1\n}`)), []);
});

test.run();
