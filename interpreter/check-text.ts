/** What `hmm check` prints. Nothing in it changes from run to run: no times, no rates, no memory. */
import type { CheckedReport, CheckResult } from "./check.ts";
import { diagram } from "./diagram.ts";
import { fits } from "./expectation.ts";
import { placesOf } from "../runtime/machine/report.ts";
import { kernelText, type Program } from "./program.ts";
import { reportLines, reportName, reportTitle } from "./report-text.ts";
import { tokenOf } from "./schedule.ts";
import { shapeOf, type Verdict } from "./verdict.ts";

export interface CheckTextOptions {
  /** Every step in the diagrams. */
  readonly full: boolean;
  /** The script as it was named on the command line, for the replay line. */
  readonly path: string;
  /** The kernel was given on the command line: the replay line has to say it too. */
  readonly kernelOption: string | undefined;
}

/** What stands above everything else: also printed early, while the search goes on. */
export function checkHeadline(program: Program, report: CheckedReport | undefined, options: CheckTextOptions): string {
  const title = `${program.name}: kernel ${kernelText(program.kernel)}`;
  return report === undefined ? `${title}\n` : `${title}\n\n${reportBlock(program, report, options)}\n`;
}

/** Everything below the headline. */
export function checkText(result: CheckResult, verdict: Verdict, options: CheckTextOptions): string {
  const { program } = result;
  const blocks = result.reports.slice(1).map((report) => reportBlock(program, report, options));
  for (const block of [otherPlaces(result), outcomeTable(result), expectations(verdict)])
    if (block !== "") blocks.push(block);
  const notes = barriersNote(program);
  blocks.push([...(verdict.observation === undefined ? [] : [verdict.observation]), verdict.line, ...notes].join("\n"));
  return `\n${blocks.join("\n\n")}\n`;
}

function reportBlock(program: Program, report: CheckedReport, options: CheckTextOptions): string {
  const { full } = report;
  const replay = `replay: ${replayCommand(options)} --schedule ${tokenOf(program, report.schedule, report.before)}`;
  if (full === null) return `${reportTitle(report.finding)}\n${replay}`;
  const lines = [...reportLines(report.finding, full.trace), ""];
  if (program.items.some((item) => item.kind === "race")) {
    const title = spread(
      `kernel ${kernelText(program.kernel)}: ${reportName(report.finding)}`,
      shapeOf(report).replace(/ \(.*/, ""),
    );
    lines.push(diagram(full.trace, { full: options.full, title }), "", `shortest: ${shapeOf(report)}`);
  }
  return [...lines, replay].join("\n");
}
/** Where else reports of the same class were met, in other interleavings. */
function otherPlaces(result: CheckResult): string {
  const lines = result.reports.flatMap((report) => {
    const told = placesOf(report.finding);
    const others = [...report.places].filter((place) => !told.includes(place)).sort();
    if (others.length === 0) return [];
    const more = `${others.length} more place${others.length === 1 ? "" : "s"}`;
    return `  ${reportName(report.finding)}, and ${more}: ${others.join(", ")}`;
  });
  return lines.length === 0 ? "" : ["The same in other places:", ...lines].join("\n");
}
function replayCommand(options: CheckTextOptions): string {
  return `hmm run ${options.path}${options.kernelOption === undefined ? "" : ` --kernel "${options.kernelOption}"`}`;
}
/** A title at the left and its measure at the right, if both fit a line. */
function spread(left: string, right: string): string {
  return left.length + right.length + 2 <= 78 ? left.padEnd(78 - right.length) + right : `${left}\n${right}`;
}

function outcomeTable(result: CheckResult): string {
  const names = result.program.outcomeWords.map((word) => word.name);
  const rows = result.outcomes.map((outcome) => ({
    what: names.map((name, i) => `${name} = ${outcome.values[i] ?? ""}`).join(", ") || "all done",
    how: tokenOf(result.program, outcome.schedule),
    holds: outcome.holds,
  }));
  // What tells outcomes of the same values apart is what the expectations say about them.
  for (const row of rows.filter((one) => rows.some((other) => other !== one && other.what === one.what)))
    if (row.holds.length > 0) row.what += ` (${row.holds.map(({ text }) => text.replace(/\s+/g, " ")).join("; ")})`;
  for (const report of result.reports)
    rows.push({
      what: reportName(report.finding),
      how: tokenOf(result.program, report.schedule, report.before),
      holds: [],
    });
  if (rows.length < 2) return "";
  const width = Math.min(48, Math.max(...rows.map((row) => row.what.length)));
  const lines = rows.map((row) => `  ${row.what.padEnd(width)}  ${row.how}`.trimEnd());
  return [`Outcomes (${rows.length}), and a schedule that leads to each:`, ...lines].join("\n");
}

function expectations(verdict: Verdict): string {
  const lines = verdict.judgements.map(({ item, holds, because }) => {
    const text = item.text.replace(/\s+/g, " ");
    const word = holds === undefined ? "?   " : holds ? "ok  " : "FAIL";
    return `  ${word}  ${text}${because === "" ? "" : `  (${because})`}`;
  });
  for (const finding of verdict.unexpected)
    if (finding.kind === "expectation") lines.push(`  FAIL  ${finding.message}`);
  // What nobody names is a bug, and said so in one line: unless an `expect no ...` of the script says it already.
  const bugs = verdict.unexpected.filter(
    (finding) =>
      finding.kind !== "expectation" &&
      !verdict.judgements.some(
        ({ item: { expectation } }) => expectation.kind === "none" && fits(expectation, finding),
      ),
  );
  if (bugs.length > 0) lines.push(`  FAIL  expect no bug  (found ${[...new Set(bugs.map(reportName))].join(", ")})`);
  if (lines.length === 0) return "";
  return ["Expectations:", ...lines].join("\n");
}

/** What the model leaves out of what the text says. */
export function barriersNote({ barriers }: Program): string[] {
  if (barriers === 0) return [];
  const count = barriers === 1 ? "1 barrier of the text is" : `${barriers} barriers of the text are`;
  return [`Memory is sequentially consistent here: ${count} not modelled.`];
}
