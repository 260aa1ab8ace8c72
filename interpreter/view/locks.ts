/** Which locks are held or waited for: by whom, in which mode, in which order taken. */
import { holdingText } from "../../runtime/machine/held.ts";
import type { Machine } from "../../runtime/machine/machine.ts";
import { ACTORS, actorName } from "../actors.ts";
import { lockUse } from "../steps.ts";
import type { Session } from "../session/session.ts";
import { firstChanged, markChanges, type PanelView } from "./view.ts";

export function lockRows(session: Session, since: number): PanelView {
  const { timeline } = session;
  const { machine } = timeline.director;
  const look = (): string[] => lockLines(machine, (actor) => timeline.director.canMove(actor));
  const now = look();
  const before = since < timeline.at ? timeline.asOf(since, () => lockLines(machine, () => true)) : now;
  // Who waits is left out of what is compared: the past is only looked at, nobody can try a step there.
  const bare = new Set(before.map(withoutWaiters));
  const rows = markChanges(
    now,
    now.filter((line) => bare.has(withoutWaiters(line))),
    / waits: /,
  );
  return { name: "locks", rows, focus: firstChanged(rows) };
}
const withoutWaiters = (line: string): string => line.replace(/ {2}waits: .*/, "");

/** "&mm->mmap_sem  read  cpu1 (1st)  waits: cpu0" */
function lockLines(machine: Machine, canMove: (actor: number) => boolean): string[] {
  const locks = new Map<number, { name: string; holders: string[]; waiters: string[] }>();
  const entry = (lock: number, name: string): { name: string; holders: string[]; waiters: string[] } => {
    let found = locks.get(lock);
    if (found === undefined) locks.set(lock, (found = { name, holders: [], waiters: [] }));
    return found;
  };
  for (let actor = 0; actor < ACTORS; actor++)
    for (const [i, holding] of machine.locksOf(actor).entries()) {
      const text = holdingText(holding, machine);
      const name = text.replace(" (read)", "");
      const mode = text === name ? "" : " read";
      entry(holding.lock, name).holders.push(`${actorName(actor)}${mode} #${i + 1}`);
    }
  for (let actor = 0; actor < ACTORS; actor++) {
    const step = machine.nextStep(actor);
    if (step === null || machine.isIdle(actor) || lockUse(step) !== "take" || canMove(actor)) continue;
    entry(step.addr, step.text(machine)).waiters.push(actorName(actor));
  }
  return [...locks.values()].map(({ name, holders, waiters }) => {
    const waits = waiters.length === 0 ? "" : `  waits: ${waiters.join(", ")}`;
    return `${name}  ${holders.length === 0 ? "free" : holders.join(", ")}${waits}`;
  });
}
