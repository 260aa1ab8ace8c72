/**
 * Schedules: who took which step, in order. Only decisions are kept: every step inside a race, and outside races those
 * steps that could have gone several ways.
 *
 * As text a schedule is run-length, CPU by CPU, with the choice after `?`: `0*1.1*32.1?2.0*5`, behind six hex digits
 * of script and kernel, because it means nothing for another script. Behind `/` comes a run that begins anew and knows
 * in which order the ones before it took their locks.
 */
import { keyOfText } from "../runtime/machine/hash.ts";
import { kernelText, type Program } from "./program.ts";

export interface Decision {
  readonly actor: number;
  readonly choice: number;
}
export type Schedule = readonly Decision[];

/** How often the CPU changes. */
export function switchesOf(schedule: Schedule): number {
  let switches = 0;
  for (let i = 1; i < schedule.length; i++) if (schedule[i]?.actor !== schedule[i - 1]?.actor) switches++;
  return switches;
}

/**
 * Six hex digits that stand for this script under this kernel. White space, comments at line ends and a schedule of its
 * own do not count.
 */
function scriptDigits(program: Program): string {
  const text = program.source.text
    .split(/\r\n|\n|\r/)
    .map((line) => line.replace(/(#|\/\/).*$/, "").trim())
    .filter((line) => line !== "" && !/^schedule\s*"/.test(line))
    .join("\n");
  const { lo } = keyOfText(`${kernelText(program.kernel)}\n${text}`);
  return ((lo >>> 8) & 0xffffff).toString(16).padStart(6, "0");
}

/** A schedule in the short form, without anything that ties it to a script. */
export function runsText(schedule: Schedule): string {
  const runs: string[] = [];
  let last: Decision | undefined;
  let length = 0;
  const flush = (): void => {
    if (last === undefined) return;
    const choice = last.choice === 0 ? "" : `?${last.choice}`;
    const times = length === 1 && last.choice !== 0 ? "" : `*${length}`;
    runs.push(`${last.actor}${choice}${times}`);
  };
  for (const decision of schedule) {
    if (last !== undefined && decision.actor === last.actor && decision.choice === last.choice) length++;
    else {
      flush();
      last = decision;
      length = 1;
    }
  }
  flush();
  return runs.join(".");
}
/** `before`: what has to be run before, for what lockdep learns from it. */
export function tokenOf(program: Program, schedule: Schedule, before: readonly Schedule[] = []): string {
  return `${scriptDigits(program)}:${[...before, schedule].map(runsText).join("/")}`;
}

/** The schedule of a token, or what is wrong with it. */
export function readToken(program: Program, token: string): Schedule | { readonly error: string } {
  const match = /^([0-9a-f]{6}):(.*)$/.exec(token.trim());
  if (match === null) return { error: "a schedule looks like `a1b2c3:0*12.1*3`; six hex digits come first" };
  const [, digits, body] = match as unknown as [string, string, string];
  const mine = scriptDigits(program);
  if (digits !== mine)
    return { error: `this schedule belongs to another script or kernel: it says ${digits}, this one is ${mine}` };
  const [schedule, ...before] = body.split("/").map(readRuns).reverse();
  return before.find((runs) => "error" in runs) ?? schedule ?? [];
}
/** The schedules of a token that are to be run before its own. */
export function readBefore(token: string): Schedule[] {
  return token
    .replace(/^[^:]*:/, "")
    .split("/")
    .slice(0, -1)
    .flatMap((body) => {
      const runs = readRuns(body.trim());
      return "error" in runs ? [] : [runs];
    });
}

/** As `runsText` writes them, or what is wrong with the text. */
export function readRuns(body: string): Schedule | { readonly error: string } {
  const schedule: Decision[] = [];
  for (const part of body === "" ? [] : body.split(".")) {
    const run = /^(\d{1,2})(?:\?(\d{1,4}))?(?:\*(\d{1,7}))?$/.exec(part);
    if (run === null) return { error: `\`${part}\` is no part of a schedule; one looks like \`0*12\` or \`1?2\`` };
    const decision = { actor: Number(run[1]), choice: Number(run[2] ?? 0) };
    for (let i = Number(run[3] ?? 1); i > 0; i--) schedule.push(decision);
  }
  return schedule;
}
