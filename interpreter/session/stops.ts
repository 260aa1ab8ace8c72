/** Where a run is stopped for somebody to look: breakpoints and watched expressions, forward and back. */
import { SourceText } from "../../grammar/span.ts";
import type { Look, Program } from "../program.ts";
import type { Timeline } from "./timeline.ts";

interface Numbered {
  readonly number: number;
  /** As it was typed. */
  readonly text: string;
}
/** A function is entered, or has returned. */
export interface Breakpoint extends Numbered {
  readonly kind: "break";
  readonly function: string;
  readonly returns: boolean;
  /** Whose calls count; undefined: everybody's. */
  readonly cpu: number | undefined;
  readonly condition: Look | undefined;
}
/** The value of an expression changes. */
export interface Watch extends Numbered {
  readonly kind: "watch";
  readonly look: Look;
}
export type Stop = Breakpoint | Watch;

/** The same stop in another program. What its expression names may not be there: then it never stops. */
export function rebound(stop: Stop, program: Program): Stop {
  if (stop.kind === "watch") return { ...stop, look: lookAgain(stop.look, program) };
  return stop.condition === undefined ? stop : { ...stop, condition: lookAgain(stop.condition, program) };
}
function lookAgain({ text }: Look, program: Program): Look {
  const look = program.look?.(new SourceText("expression", text));
  if (look !== undefined && "holds" in look) return look;
  return { text, holds: () => false, value: () => "not known here" };
}

/** What the last step of a timeline ran into, in words: "breakpoint 1: find_vma", "mm.mm_users: 1 -> 0". */
export function stopsAt(timeline: Timeline, stops: readonly Stop[]): string[] {
  if (timeline.at === 0) return [];
  const since = timeline.moment(timeline.at - 1).told.events;
  return stops.flatMap((stop) => (stop.kind === "break" ? hits(timeline, stop, since) : changes(timeline, stop)));
}

/** The breakpoints among them that the events from a certain one on have run into. */
export function breaksSince(timeline: Timeline, stops: readonly Stop[], since: number): string[] {
  return stops.flatMap((stop) => (stop.kind === "break" ? hits(timeline, stop, since) : []));
}
function hits(timeline: Timeline, stop: Breakpoint, since: number): string[] {
  const { machine } = timeline.director;
  const isMet = timeline.recorder.events
    .slice(since)
    .some(
      (event) =>
        event.kind === (stop.returns ? "return" : "call") &&
        event.name === stop.function &&
        (stop.cpu === undefined || event.actor === stop.cpu),
    );
  if (!isMet || stop.condition?.holds(machine) === false) return [];
  return [`breakpoint ${stop.number}: ${stop.text}`];
}
function changes(timeline: Timeline, stop: Watch): string[] {
  const { machine } = timeline.director;
  const now = stop.look.value(machine);
  const before = timeline.asOf(timeline.at - 1, () => stop.look.value(machine));
  return now === before ? [] : [`watch ${stop.number}: ${stop.look.text}: ${before} -> ${now}`];
}
