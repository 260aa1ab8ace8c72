/** What `hmm check` prints. Nothing in it changes from run to run: no times, no rates, no memory. */
import type { CheckedReport, CheckResult } from "./check.ts";
import { diagram } from "./diagram.ts";
import { kernelText } from "./program.ts";
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

export function checkText(result: CheckResult, verdict: Verdict, options: CheckTextOptions): string {
  const { program } = result;
  const blocks: string[] = [`${program.name}: kernel ${kernelText(program.kernel)}`];
  for (const report of result.reports) blocks.push(reportBlock(result, report, options));
  const outcomes = outcomeTable(result);
  if (outcomes !== "") blocks.push(outcomes);
  const judged = expectations(verdict);
  if (judged !== "") blocks.push(judged);
  const closing = [...(verdict.observation === undefined ? [] : [verdict.observation]), verdict.line];
  blocks.push(closing.join("\n"));
  return `${blocks.join("\n\n")}\n`;
}

function reportBlock(result: CheckResult, report: CheckedReport, options: CheckTextOptions): string {
  const { program } = result;
  const { full } = report;
  const replay = `replay: ${replayCommand(options)} --schedule ${tokenOf(program, report.schedule)}`;
  if (full === null) return `${withPlaces(reportTitle(report.finding), report)}\n${replay}`;
  const [first = "", ...rest] = reportLines(report.finding, full.trace);
  const lines = [withPlaces(first, report), ...rest, ""];
  if (result.hasRace) {
    const title = spread(
      `kernel ${kernelText(program.kernel)}: ${reportName(report.finding)}`,
      shapeOf(report).replace(/ \(.*/, ""),
    );
    lines.push(diagram(full.trace, { full: options.full, title }), "", `shortest: ${shapeOf(report)}`);
  }
  return [...lines, replay].join("\n");
}
function withPlaces(title: string, report: CheckedReport): string {
  const more = report.places.size - 1;
  return more > 0 ? `${title} (and ${more} more place${more === 1 ? "" : "s"})` : title;
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
    how: tokenOf(result.program, outcome.schedule).slice(7),
  }));
  for (const report of result.reports)
    rows.push({ what: reportName(report.finding), how: tokenOf(result.program, report.schedule).slice(7) });
  if (rows.length < 2) return "";
  const width = Math.min(48, Math.max(...rows.map((row) => row.what.length)));
  const lines = rows.map((row) => `  ${row.what.padEnd(width)}  ${row.how}`.trimEnd());
  return [`Outcomes (${rows.length}), and a schedule that leads to each:`, ...lines].join("\n");
}

function expectations(verdict: Verdict): string {
  const lines = verdict.judgements.map(({ item, holds, because }) => {
    const text = item.text.replace(/\s+/g, " ");
    return `  ${holds ? "ok  " : "FAIL"}  ${text}${because === "" ? "" : `  (${because})`}`;
  });
  for (const finding of verdict.unexpected) lines.push(`  FAIL  expect no bug  (found ${reportName(finding)})`);
  if (lines.length === 0) return "";
  return ["Expectations:", ...lines].join("\n");
}
