/** `:check`: every interleaving of the script as it stands; `:report`: the way to what was found. */
import { check as search } from "../check.ts";
import { checkHeadline, checkText } from "../check-text.ts";
import { DEFAULT_LIMITS, type Watch } from "../limits.ts";
import { progress } from "../progress.ts";
import { reportTitle } from "../report-text.ts";
import { ScriptError } from "../script-error.ts";
import { judge } from "../verdict.ts";
import { refused, told, type Answering, type Desk } from "./desk.ts";
import { Refused } from "./session.ts";

export function* check(desk: Desk, args: string): Answering {
  if (args !== "" && args !== "full") return refused("`:check`, or `:check full` for every step in the diagrams");
  const { session, io } = desk;
  const { program } = session;
  const options = { full: args === "full", path: desk.path ?? "SCRIPT", kernelOption: undefined };
  let watch: Watch | undefined;
  const onWatch = (made: Watch): void => {
    watch = made;
    made.onProgress = progress((text) => io.status(text));
  };
  session.interrupted = false;
  try {
    const searching = search(program, { limits: DEFAULT_LIMITS, onWatch });
    for (;;) {
      const { done, value } = searching.next();
      if (done === true) {
        const verdict = judge(value);
        session.reports = value.reports;
        const text = checkHeadline(program, value.reports[0], options) + checkText(value, verdict, options);
        const ways = value.reports.map((report, i) => `  :report ${i + 1}  ${reportTitle(report.finding)}`);
        const list = ways.length === 0 ? [] : ["Walk there, back and on from there:", ...ways];
        return { lines: [verdict.line, ...list, "", ...text.trimEnd().split("\n")] };
      }
      yield;
      if (session.interrupted && watch !== undefined) watch.interrupted = true;
    }
  } catch (error) {
    if (error instanceof ScriptError) throw new Refused(error.message, [error.diagnostic(program.source)]);
    throw error;
  } finally {
    io.status("");
  }
}

/** `report 2`: at the end of the way to the second thing that `:check` has found. */
export function* report({ session }: Desk, args: string): Answering {
  const { reports } = session;
  if (reports.length === 0) return refused("nothing was found yet: `:check` looks");
  const found = reports[args === "" ? 0 : /^\d{1,4}$/.test(args) ? Number(args) - 1 : -1];
  if (found === undefined) return refused(`\`:report\` takes a number from 1 to ${reports.length}`);
  yield* session.follow(found.schedule);
  return told(
    reportTitle(found.finding),
    "`:back` and `:forward` walk it (the keys [ and ] in a panel); a step elsewhere leads on from there",
  );
}
