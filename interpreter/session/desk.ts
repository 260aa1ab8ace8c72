/** What commands at the prompt work with, and what they answer. */
import type { Breathing } from "../breathing.ts";
import type { TraceDepth } from "../run-text.ts";
import type { Session } from "./session.ts";

/** What of the world they need. */
export interface DeskIo {
  /** Text of a file; throws an Error whose message says why not. */
  readFile(path: string): string;
  writeFile(path: string, text: string): void;
  exists(path: string): boolean;
  listFolder(path: string): string[];
  /** How far long work has come; empty: it is over. */
  status(text: string): void;
}

export interface Desk {
  readonly session: Session;
  readonly io: DeskIo;
  /** How deep events are told. */
  depth: TraceDepth;
  /** The file that the script was read from or saved to last. */
  path: string | undefined;
  /** The file that was written last: it may be written over. */
  written: string | undefined;
}

export interface Answer {
  readonly lines: readonly string[];
  /** What was asked for was not done. */
  readonly isError?: boolean;
  /** It is the end of the session. */
  readonly quits?: boolean;
}
export type Answering = Breathing<Answer>;

export const nothing: Answer = { lines: [] };
export const told = (...lines: readonly string[]): Answer => ({ lines });
export const refused = (...lines: readonly string[]): Answer => ({ lines, isError: true });
