/**
 * Lines that drive a CPU by hand, typed while a race is under way. A script has them outside races only; here they say
 * who moves next, and become part of the schedule.
 */
import type { Statement, Until } from "../../grammar/ast.ts";
import { refused, type Answer } from "./desk.ts";
import type { Breathing } from "../breathing.ts";
import { cannotMove, restAnswer, runOnly, stepsOf } from "./moving.ts";
import type { Session } from "./session.ts";

/** The answer, or undefined if these are statements like others. */
export function* raceLine(session: Session, statements: readonly Statement[]): Breathing<Answer | undefined> {
  const [statement, ...more] = statements;
  if (statement?.kind !== "onCpu" || more.length > 0 || statement.body === undefined) return undefined;
  const { body, cpus } = statement;
  if (body.kind !== "step" && !(body.kind === "continue" && body.what === "run")) return undefined;
  const [cpu, ...others] = cpus.numbers;
  if (cpu === undefined || others.length > 0) return refused("one CPU at a time: `cpu1: step 3`");
  const why = cannotMove(session, cpu);
  if (why !== undefined) return why;
  if (body.kind === "step") return yield* stepsOf(session, cpu, body.count);
  if (body.until?.what.kind === "label")
    return refused(
      'in a race a CPU stops at functions, texts and counts: `until f`, `until "kfree(vma)"`, `until step 3`',
    );
  const isThere = body.until === undefined ? () => false : placeMet(session, cpu, body.until);
  return restAnswer(session, yield* runOnly(session, cpu, isThere));
}

/** Whether a CPU has come to a place, counted from now on. */
function placeMet(session: Session, cpu: number, { what, returns, count }: Until): () => boolean {
  const { timeline } = session;
  const start = timeline.at;
  let seen = timeline.recorder.events.length;
  let times = 0;
  return () => {
    if (timeline.at === start) return false;
    const { events } = timeline.recorder;
    const news = events.slice(seen);
    seen = events.length;
    switch (what.kind) {
      case "steps":
        return timeline.at - start >= what.count;
      case "text": {
        const { machine } = timeline.director;
        times += Number(machine.nextStep(cpu)?.text(machine).includes(what.text) ?? false);
        break;
      }
      case "function": {
        const { name } = what.name;
        const kind = returns ? "return" : "call";
        times += news.filter((event) => event.kind === kind && event.actor === cpu && event.name === name).length;
        break;
      }
      case "label":
      case "blocked":
        return false; // it runs until it is, anyway
    }
    return times >= count;
  };
}
