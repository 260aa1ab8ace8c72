/** What a search says about the expectations of a script, and the one line that may honestly be printed about it. */
import { isFatal, type Finding } from "../runtime/machine/report.ts";
import type { CheckedReport, CheckResult } from "./check.ts";
import { brokenText, fits } from "./expectation.ts";
import type { ExpectItem, Expectation } from "./program.ts";
import { grouped } from "./numbers.ts";
import { reportName } from "./report-text.ts";

export interface Judgement {
  readonly item: ExpectItem;
  readonly holds: boolean;
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
  const failed = unexpected.length > 0 || judgements.some((j) => !j.holds);
  const isPartial = result.stopped !== undefined || !result.livelockDecided;
  const undecided =
    isPartial && judgements.every((j) => j.holds || couldStillHold(j.item.expectation)) && unexpected.length === 0;
  const interrupted = result.stopped?.by === "interrupt";
  const definite = failed && !undecided;
  const exitCode = definite ? 1 : interrupted ? 130 : isPartial ? 3 : 0;
  return {
    judgements,
    unexpected,
    exitCode,
    line: verdictLine(result, unexpected.length === 0),
    observation: observation(result, items),
  };
}

/** Something that an unfinished search may yet find. */
function couldStillHold(expectation: Expectation): boolean {
  if (expectation.kind === "condition") return expectation.sometimes;
  return expectation.kind === "report" || expectation.kind === "blocked";
}

function judgeOne(item: ExpectItem, result: CheckResult): { holds: boolean; because: string } {
  const { expectation } = item;
  switch (expectation.kind) {
    case "condition":
      if (expectation.sometimes) {
        const holds = result.met.has(item);
        return { holds, because: holds ? "" : "it holds in no outcome" };
      } else {
        const broken = result.reports.some((r) => breaks(r.finding, item.text));
        return { holds: !broken, because: broken ? "an outcome breaks it" : "" };
      }
    case "blocked":
      return { holds: result.met.has(item), because: result.met.has(item) ? "" : "it never is" };
    case "report":
      return foundOrNot(expectation, result);
    case "none": {
      const found = result.reports.find((r) => fits(expectation, r.finding, r.places));
      return { holds: found === undefined, because: found === undefined ? "" : `found ${reportName(found.finding)}` };
    }
  }
}
function foundOrNot(
  expectation: Extract<Expectation, { kind: "report" }>,
  result: CheckResult,
): { holds: boolean; because: string } {
  if (result.reports.some((r) => fits(expectation, r.finding, r.places))) return { holds: true, because: "" };
  const others = result.reports.map((r) => reportName(r.finding));
  return { holds: false, because: others.length === 0 ? "nothing was found" : `found only ${others.join(", ")}` };
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
  if (!result.hasRace)
    return bad.length === 0 ? "NO RACE IN THIS SCRIPT: one run, nothing found." : violation(result, expected);
  if (reports.length > 0) return violation(result, expected);
  const livelock = result.livelockDecided ? "" : " Livelock was not decided: too many states for the second search.";
  return (
    `VERIFIED up to hash compaction: all ${grouped(explored.states)} states / ${grouped(explored.transitions)} ` +
    `transitions, nothing found; probability that any state was missed < ${omission(explored.states)}.${livelock}`
  );
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
  return `${switches} switch${switches === 1 ? "" : "es"}, ${schedule.length} steps (${minimal})`;
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
