/** The locks that are held or waited for. */
import { lockLines } from "../show-locks.ts";
import type { Session } from "../session/session.ts";
import { firstChanged, markChanges, type PanelView } from "./view.ts";

const WAITED_FOR = / waiting: /;

export function lockRows({ timeline }: Session, since: number): PanelView {
  const { machine } = timeline.director;
  const now = lockLines(machine);
  const before = since < timeline.at ? timeline.asOf(since, () => lockLines(machine)) : now;
  const rows = markChanges(now, before, WAITED_FOR);
  return { name: "locks", rows, focus: firstChanged(rows) };
}
