/** What the terminal is given: everything that it shows and does goes through here, so that it needs no other wing. */
import type { Answer } from "../session/desk.ts";
import type { Completion } from "../session/completion.ts";
import type { Segment } from "../session/colour.ts";
import type { View } from "../view/view.ts";

export interface Front {
  /** A line to run at once. */
  readonly first: string | undefined;
  readonly keys: readonly KeyCommand[];
  promptText(): string;
  needsMore(text: string): boolean;
  /** Comes up for air while it works, so that keys are heard. */
  submit(text: string): Promise<Answer>;
  /** Stops what `submit` is doing. */
  interrupt(): void;
  complete(text: string, cursor: number): Completion;
  coloured(text: string): readonly Segment[];
  /** How many steps have been taken. */
  step(): number;
  /** `since`: the step from which on changes are marked. */
  view(since: number): View;
  readonly history: {
    readonly entries: readonly string[];
    readonly problem: string | undefined;
    add(entry: string): void;
  };
  /** Called with how far long work has come; empty: it is over. */
  onStatus: (text: string) => void;
}
/** A key that does what a command does, where a panel has the focus. */
export interface KeyCommand {
  readonly key: string;
  readonly command: string;
  readonly summary: string;
}
