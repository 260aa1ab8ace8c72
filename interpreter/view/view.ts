/**
 * Everything that a screen shows of a session, as plain rows of text: panels are made of these and know nothing else.
 * A new kind of kernel object brings its rows with it (`heading` and `shows` of its class).
 */
import { CPUS_MAX } from "../actors.ts";
import type { Session } from "../session/session.ts";
import { statusLine } from "../session/moment-text.ts";
import { cpuRows } from "./cpus.ts";
import { EventRows } from "./events.ts";
import { lockRows } from "./locks.ts";
import { scriptRows } from "./script.ts";
import { stateRows } from "./state.ts";

/** How a row is meant; what it says must be plain without it. */
export type Tone = "plain" | "quiet" | "good" | "bad" | "callback";

export interface Row {
  /** One or two characters in front of it: `>` can move, `*` has changed, `!` is wrong. */
  readonly mark: string;
  readonly text: string;
  readonly tone: Tone;
  /** So many characters at its start, and its end, are what matters if there is no room for all. */
  readonly keepsEnd?: number;
}
export type PanelName = "script" | "cpus" | "locks" | "mm" | "notifiers" | "devices" | "objects" | "events";

export interface PanelView {
  readonly name: PanelName;
  readonly rows: readonly Row[];
  /** Which of them should be in sight. */
  readonly focus: number;
}
export interface View {
  readonly name: string;
  readonly kernel: string;
  readonly step: number;
  readonly steps: number;
  readonly status: string;
  /** The CPUs that have a step to take: the digits that do something. */
  readonly movable: readonly number[];
  readonly panels: readonly PanelView[];
  readonly events: EventRows;
}

/** `since`: the step from which on changes are marked. */
export function viewOf(session: Session, since: number, depth: "statements" | "calls" | "steps"): View {
  const { timeline, source, kernel } = session;
  const state = stateRows(session, since);
  return {
    name: source.name.replace(/^.*\//, "").replace(/\.hmm$/, ""),
    kernel,
    step: timeline.at,
    steps: timeline.length,
    status: statusLine(session),
    movable: [...new Set(timeline.open().map(({ actor }) => actor))].filter((actor) => actor < CPUS_MAX),
    panels: [
      scriptRows(session),
      cpuRows(session),
      lockRows(session, since),
      ...(["mm", "notifiers", "devices", "objects"] as const).map((name): PanelView => ({
        name,
        rows: state[name],
        focus: firstChanged(state[name]),
      })),
    ],
    events: new EventRows(session, depth),
  };
}
export function firstChanged(rows: readonly Row[]): number {
  return Math.max(
    0,
    rows.findIndex(({ mark }) => mark.trim() !== ""),
  );
}
/** Lines as rows; those that were not there before are marked. */
export function markChanges(now: readonly string[], before: readonly string[], bad: RegExp): Row[] {
  const old = new Set(before);
  return now.map((text) => ({
    mark: old.has(text) ? " " : "*",
    text,
    tone: bad.test(text) ? "bad" : "plain",
  }));
}
