/** What a search says about the expectations of a script, and the one line that may honestly be printed about it. */
import { isFatal, type Finding } from "../runtime/machine/report.ts";
import type { CheckedReport, CheckResult } from "./check.ts";
import { brokenText, fits } from "./expectation.ts";
import type { ExpectItem, Expectation } from "./program.ts";
import { grouped } from "./numbers.ts";
import { reportName } from "./report-text.ts";

export interface Judgement {
  readonly item: ExpectItem;
  /** Undefined: the search was stopped before that could be said. */
  readonly holds: boolean | undefined;
  /** Why not, or what it rests on. */
  readonly because: string;
}
export interface Verdict {
  readonly judgements: readonly Judgement[];
  /** Reports that no expectation names, worst first. */
  readonly unexpected: readonly Finding[];
  /** 0: as expected, 1: not, 3: undecided, 130: interrupted. */
  readonly exitCode: 0 | 1 | 3 | 130;
  readonly line: string;
  readonly observation: string | undefined;
}

export function judge(result: CheckResult): Verdict {
  const items = result.program.items.filter((item): item is ExpectItem => item.kind === "expect");
  const judgements = items.map((item) => ({ item, ...judgeOne(item, result) }));
  const unexpected = result.reports.map((r) => r.finding).filter((finding) => !isExpected(finding, items, result));
  const failed = unexpected.length > 0 || judgements.some((j) => j.holds === false);
  const isPartial = result.stopped !== undefined || !result.livelockDecided;
  const interrupted = result.stopped?.by === "interrupt";
  const exitCode = failed ? 1 : interrupted ? 130 : isPartial ? 3 : 0;
  return {
    judgements,
    unexpected,
    exitCode,
    line: verdictLine(result, !failed),
    observation: result.stopped === undefined ? observation(result, items) : undefined,
  };
}

type Answer = Omit<Judgement, "item">;
const YES: Answer = { holds: true, because: "" };

function judgeOne(item: ExpectItem, result: CheckResult): Answer {
  const { expectation } = item;
  switch (expectation.kind) {
    case "condition":
      if (expectation.sometimes)
        return result.met.has(item) ? YES : unlessMore(expectation, result, false, "it holds in no outcome");
      if (result.reports.some((r) => breaks(r.finding, item.text)))
        return { holds: false, because: "an outcome breaks it" };
      // Every path may end before it: then nothing was shown.
      return result.met.has(item)
        ? unlessMore(expectation, result, true, "")
        : unlessMore(expectation, result, false, "no path gets there");
    case "blocked":
      return result.met.has(item) ? YES : unlessMore(expectation, result, false, "it never is");
    case "report": {
      if (result.reports.some((r) => fits(expectation, r.finding, r.places))) return YES;
      const others = result.reports.map((r) => reportName(r.finding)).join(", ");
      return unlessMore(expectation, result, false, others === "" ? "nothing was found" : `found only ${others}`);
    }
    case "none": {
      const found = result.reports.find((r) => fits(expectation, r.finding, r.places));
      if (found !== undefined) return { holds: false, because: `found ${reportName(found.finding)}` };
      return unlessMore(expectation, result, true, "");
    }
  }
}
/** An answer that what was not searched could still turn over. */
function unlessMore(expectation: Expectation, result: CheckResult, holds: boolean, because: string): Answer {
  const isAboutLivelock =
    (expectation.kind === "report" || expectation.kind === "none") &&
    (expectation.report === undefined || expectation.report === "livelock");
  if (result.stopped !== undefined) return { holds: undefined, because: "undecided: the search was not completed" };
  if (isAboutLivelock && !result.livelockDecided) return { holds: undefined, because: "undecided: livelock" };
  return { holds, because };
}

/** Whether a finding says that this `expect` or `always` does not hold. */
export function breaks(finding: Finding, text: string): boolean {
  return finding.kind === "expectation" && finding.message === brokenText(text);
}
function isExpected(finding: Finding, items: readonly ExpectItem[], result: CheckResult): boolean {
  const places = result.reports.find((r) => r.finding === finding)?.places ?? new Set<string>();
  return items.some((item) => {
    const { expectation } = item;
    if (breaks(finding, item.text)) return true; // it has its own line
    if (expectation.kind === "report") return fits(expectation, finding, places);
    if (expectation.kind === "blocked") return finding.kind === "deadlock" && result.met.has(item);
    return false;
  });
}

// ---- the one line

function verdictLine(result: CheckResult, expected: boolean): string {
  const { explored, stopped, reports } = result;
  const bad = reports.filter((r) => r.finding.kind !== "expectation");
  if (stopped !== undefined) {
    const found = bad.length === 0 ? "no violation so far" : `${bad.length} found so far`;
    return `INCOMPLETE: ${stopped.text}; ${grouped(explored.states)} states seen, more unexplored; ${found}.`;
  }
  if (!result.hasRace && bad.length === 0) {
    if (reports.length > 0) return `NO RACE IN THIS SCRIPT: ${reports[0]?.finding.message ?? ""}.`;
    const runs = result.outcomes.length > 1 ? `every choice, ${result.outcomes.length} outcomes` : "one run";
    return `NO RACE IN THIS SCRIPT: ${runs}, nothing found.`;
  }
  if (!result.hasRace) return violation(result, expected);
  if (reports.length > 0) return violation(result, expected);
  const all = `all ${grouped(explored.states)} states / ${grouped(explored.transitions)} transitions`;
  if (!result.livelockDecided)
    return `INCOMPLETE: livelock was not decided, too many states for the second search; ${all}, nothing else found.`;
  const missed = `probability that any state was missed < ${omission(explored.states)}`;
  return `VERIFIED up to hash compaction: ${all}, nothing found; ${missed}.`;
}
function violation(result: CheckResult, expected: boolean): string {
  const [first] = result.reports;
  if (first === undefined) return "";
  const { explored } = result;
  const others = result.reports.length - 1;
  const more = others === 0 ? "" : `, and ${others} other${others === 1 ? "" : "s"}`;
  const fatal = isFatal(first.finding.kind) ? "" : " (recorded; paths go on)";
  const sizes = `${grouped(explored.states)} states / ${grouped(explored.transitions)} transitions`;
  const search = result.hasRace ? ` ${shapeOf(first)}; exhaustive: ${sizes}.` : "";
  return `VIOLATION${expected ? " (expected)" : ""}: ${reportName(first.finding)}${more}${fatal};${search}`.replace(
    /;$/,
    ".",
  );
}
/** "2 switches, 105 steps (proven minimal)" */
export function shapeOf(report: CheckedReport): string {
  const { switches, schedule, full } = report;
  const minimal = full?.proven === true ? "proven minimal" : "best found";
  const steps = schedule.length;
  return `${switches} switch${switches === 1 ? "" : "es"}, ${steps} step${steps === 1 ? "" : "s"} (${minimal})`;
}
/** Chance that two of n states share a 64-bit fingerprint: below n^2 / 2^65. */
function omission(states: number): string {
  const p = (states * states) / 2 ** 65;
  if (p < 1e-12) return "1e-12";
  const exponent = Math.floor(Math.log10(p));
  const digit = Math.ceil(p / 10 ** exponent);
  return digit === 10 ? `1e${exponent + 1}` : `${digit}e${exponent}`;
}

/** Distinct outcomes that have, and do not have, what the first `sometimes` or `bug` expectation is about. */
function observation(result: CheckResult, items: readonly ExpectItem[]): string | undefined {
  const item = items.find(
    ({ expectation }) => expectation.kind === "report" || (expectation.kind === "condition" && expectation.sometimes),
  );
  if (item === undefined) return undefined;
  const fatal = result.reports.filter((r) => isFatal(r.finding.kind));
  const { expectation } = item;
  let positive: number;
  let total = result.outcomes.length + fatal.length;
  if (expectation.kind === "report") {
    const found = result.reports.filter((r) => fits(expectation, r.finding, r.places));
    positive = found.length;
    total += found.filter((r) => !isFatal(r.finding.kind)).length;
  } else positive = result.outcomes.filter((outcome) => outcome.holds.includes(item)).length;
  const negative = Math.max(0, total - positive);
  const word = positive === 0 ? "Never" : negative === 0 ? "Always" : "Sometimes";
  return `Observation ${result.program.name} ${word} ${positive} ${negative}`;
}
