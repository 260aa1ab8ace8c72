/** Where every CPU is: its calls, its next step, and who keeps it waiting. */
import { ACTORS, actorName } from "../actors.ts";
import type { Session } from "../session/session.ts";
import type { PanelView, Row } from "./view.ts";

export function cpuRows(session: Session): PanelView {
  const { timeline } = session;
  const { director } = timeline;
  const { machine } = director;
  const open = new Map<number, number>();
  for (const { actor } of timeline.open()) open.set(actor, (open.get(actor) ?? 0) + 1);
  const rows: Row[] = [];
  let focus: number | undefined;
  for (let actor = 0; actor < ACTORS; actor++) {
    const queued = machine.isIdle(actor) ? machine.peek(machine.nextStep(actor)?.addr ?? 0) : 0;
    if (queued > 0 && !open.has(actor))
      rows.push({
        mark: " ",
        text: `${actorName(actor).padEnd(5)}${queued} queued, waiting for readers`,
        tone: "plain",
      });
    if (machine.isFinished(actor) || (machine.isIdle(actor) && !open.has(actor))) continue;
    const choices = open.get(actor) ?? 0;
    if (choices > 0) focus ??= rows.length;
    const stack = machine
      .stackOf(actor)
      .map((frame) => frame.name)
      .reverse();
    const isOut = !director.actors().includes(actor); // of the race, or of the statement that runs
    const status = choices > 0 ? "" : isOut ? director.statusOf(actor) : "";
    const calls = [...stack, ...(status === "paused" ? ["(paused)"] : [])].join(" > ");
    rows.push({
      mark: choices > 0 ? ">" : " ",
      text: `${actorName(actor).padEnd(5)}${calls}`,
      tone: "plain",
      keepsEnd: 5,
    });
    const step = machine.nextStep(actor)?.text(machine) ?? "";
    if (choices > 0 || status === "paused")
      rows.push({
        mark: " ",
        text: `     next ${step}${choices > 1 ? `  ${choices} ways, ?0 to ?${choices - 1}` : ""}`,
        tone: isFreed(session, actor) ? "bad" : "plain",
      });
    else if (timeline.now.end === "fatal")
      rows.push({ mark: " ", text: `     at ${step}`, tone: isFreed(session, actor) ? "bad" : "quiet" });
    else if (timeline.now.end === undefined || timeline.now.end === "deadlock" || timeline.now.end === "waits")
      rows.push({
        mark: "!",
        text: `     waits ${/ returns$/.test(step) ? "until" : "in"} ${step}${holders(session, actor)}`,
        tone: "bad",
      });
  }
  if (rows.length === 0) rows.push({ mark: " ", text: "idle", tone: "quiet" });
  return { name: "cpus", rows, focus: focus ?? 0 };
}
/** What it would touch next is gone. */
function isFreed({ timeline }: Session, actor: number): boolean {
  const { machine } = timeline.director;
  const step = machine.nextStep(actor);
  return step !== null && step.addr !== 0 && machine.memory.header(step.addr) < 0;
}
function holders({ timeline }: Session, actor: number): string {
  const { machine } = timeline.director;
  const lock = machine.nextStep(actor)?.addr;
  const who = [];
  for (let other = 0; other < ACTORS; other++)
    if (machine.locksOf(other).some((holding) => holding.lock === lock)) who.push(actorName(other));
  return who.length === 0 ? "" : `  held by ${who.join(", ")}`;
}
