/** What a frame is drawn from: the view of the session, and what the person in front of it has opened and scrolled. */
import type { Segment } from "../session/colour.ts";
import type { PanelName, View } from "../view/view.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}
export interface AnswerPane {
  readonly lines: readonly string[];
  readonly isError: boolean;
  /** The first line in sight. */
  readonly top: number;
}
export interface FrameState {
  readonly view: View;
  readonly shown: ReadonlySet<PanelName>;
  /** Which panel has the keys; undefined: the prompt. */
  readonly focus: PanelName | undefined;
  readonly isZoomed: boolean;
  /** First lines of panels that somebody has scrolled. */
  readonly scrolled: ReadonlyMap<PanelName, number>;
  /** The event that a search has found, and the one below which events end, if they were scrolled. */
  readonly found: number | undefined;
  readonly eventsEnd: number | undefined;
  readonly answer: AnswerPane | undefined;
  /** What stands at the left of the prompt, and what was typed, line by line. */
  readonly prompt: string;
  readonly input: readonly (readonly Segment[])[];
  /** The line of it that the cursor is in: that one is in sight. */
  readonly inputRow: number;
  /** In one line: progress, a hint. */
  readonly message: string;
  /** The keys that matter now: the key, and what it does. */
  readonly bar: readonly (readonly [string, string])[];
}
