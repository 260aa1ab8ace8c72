/**
 * `--json`: one object, the same facts as the text, keys stable. The schema is in docs/json.md; `version` changes when
 * a key changes its meaning or goes.
 */
import type { Finding } from "../runtime/machine/report.ts";
import type { CheckResult } from "./check.ts";
import type { RunJudgement } from "./commands/run.ts";
import { actorName } from "./actors.ts";
import { kernelText, type Program } from "./program.ts";
import { reportTitle } from "./report-text.ts";
import { tokenOf } from "./schedule.ts";
import type { Trace } from "./trace-events.ts";
import type { Verdict } from "./verdict.ts";

const JSON_VERSION = 1;

function head(command: string, program: Program): Record<string, unknown> {
  return {
    version: JSON_VERSION,
    command,
    script: program.name,
    kernel: kernelText(program.kernel),
    barriers: program.barriers,
  };
}
function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
function findingJson(finding: Finding): Record<string, unknown> {
  return {
    kind: finding.kind,
    title: reportTitle(finding),
    message: finding.message,
    cpu: finding.actor < 0 ? null : actorName(finding.actor),
    step: finding.step,
    stack: finding.stack.map((frame) => frame.name),
    object: finding.objectType?.name ?? null,
    freedBy: finding.freedBy === "" ? null : finding.freedBy,
  };
}

export function checkJson(result: CheckResult, verdict: Verdict): string {
  const { program, explored } = result;
  return line({
    ...head("check", program),
    verdict: verdict.line,
    exit: verdict.exitCode,
    complete: result.stopped === undefined && result.livelockDecided,
    stopped: result.stopped?.by ?? null,
    states: explored.states,
    transitions: explored.transitions,
    depth: explored.depth,
    levels: result.levels.map(({ switches, complete, states }) => ({ switches, complete, states })),
    reports: result.reports.map((report) => ({
      ...findingJson(report.finding),
      places: [...report.places].sort(),
      schedule: tokenOf(program, report.schedule, report.before),
      switches: report.switches,
      steps: report.schedule.length,
      minimal: report.full?.proven ?? false,
    })),
    outcomes: result.outcomes.map((outcome) => ({
      values: Object.fromEntries(program.outcomeWords.map((word, i) => [word.name, outcome.values[i]])),
      schedule: tokenOf(program, outcome.schedule),
    })),
    expectations: verdict.judgements.map(({ item, holds, because }) => ({
      text: item.text,
      holds: holds ?? null,
      because,
    })),
    observation: verdict.observation ?? null,
  });
}

export function runJson(program: Program, trace: Trace, judged: RunJudgement): string {
  const events = trace.events.flatMap((event): Record<string, unknown>[] => {
    switch (event.kind) {
      case "statement":
        return [{ kind: event.kind, cpu: actorName(event.cpu), text: event.text }];
      case "value":
        return [{ kind: event.kind, cpu: actorName(event.actor), text: event.text }];
      case "paused":
        return [{ kind: event.kind, cpu: actorName(event.actor), stack: event.stack }];
      case "missed":
        return [{ kind: event.kind, cpu: actorName(event.actor) }];
      case "call":
        return [
          { kind: event.kind, cpu: actorName(event.actor), depth: event.depth, text: event.text, fact: event.fact },
        ];
      case "return":
        return [
          {
            kind: event.kind,
            cpu: actorName(event.actor),
            depth: event.depth,
            name: event.name,
            value: event.value ?? null,
          },
        ];
      case "step": {
        const { actor, depth, text, result, fact, number, racing } = event;
        return [{ kind: event.kind, cpu: actorName(actor), depth, text, result, fact, number, racing }];
      }
      case "allocate":
        return [
          { kind: event.kind, cpu: actorName(event.actor), depth: event.depth, text: event.text, fact: event.fact },
        ];
      case "blocked":
        return [{ kind: event.kind, cpu: actorName(event.actor), text: event.text, holder: event.holder }];
      case "report":
        return [{ ...findingJson(event.finding), kind: "report", report: event.finding.kind }];
      case "expect":
        return [{ kind: event.kind, text: event.item.text, holds: event.holds }];
      case "show":
        return [{ kind: event.kind, lines: event.lines }];
      case "end":
        return [];
    }
  });
  return line({
    ...head("run", program),
    exit: judged.exitCode,
    end: trace.end,
    schedule: tokenOf(program, trace.decisions),
    events,
  });
}
