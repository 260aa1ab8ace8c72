/** The state of a session in a line. */
import { actorName } from "../actors.ts";
import type { Session } from "./session.ts";

/** Where it stands, and why nobody moves if nobody can. */
export function statusLine(session: Session): string {
  const { timeline } = session;
  const { problem, now } = timeline;
  if (problem !== undefined) return `the script cannot go on here: ${problem.message}`;
  switch (now.end) {
    case "waits":
      return "all that was typed has run";
    case "final":
      return "the end of the script";
    case "deadlock":
      return "deadlock: nobody can go on";
    case "fatal":
      return "the end: nothing runs on after this report";
    case "livelock":
      return "livelock: nobody gets any further";
    case "pruned":
      return "the end: an `assume` does not hold here";
    case undefined:
      return choicesLine(session);
    default:
      return now.end;
  }
}
/** "race: cpu0 mmput(mm), cpu1 down_read(...)": who can move, and what that would be. */
function choicesLine({ timeline }: Session): string {
  const { director } = timeline;
  const { machine } = director;
  const actors = [...new Set(timeline.open().map(({ actor }) => actor))];
  const texts = actors.map((actor) => `${actorName(actor)} ${machine.nextStep(actor)?.text(machine) ?? ""}`);
  return `${director.inRace ? "race" : "next"}: ${texts.join(" | ")}`;
}
