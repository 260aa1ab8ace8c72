/** What a trace is made of. */
import type { Access } from "../runtime/machine/step.ts";
import type { Finding } from "../runtime/machine/report.ts";
import type { ExpectItem, ShowItem } from "./program.ts";
import type { Schedule } from "./schedule.ts";

export type TraceEvent =
  | { readonly kind: "statement"; readonly cpu: number; readonly text: string; readonly note: string | undefined }
  /** A CPU is left in the middle of its statement; outermost call first. */
  | { readonly kind: "paused"; readonly actor: number; readonly stack: readonly string[] }
  /** What an expression alone on a line comes to. */
  | { readonly kind: "value"; readonly actor: number; readonly text: string }
  /** A CPU came to its end without meeting the place that its `until` names. */
  | { readonly kind: "missed"; readonly actor: number }
  | {
      readonly kind: "call";
      readonly actor: number;
      readonly depth: number;
      readonly name: string;
      readonly text: string;
      readonly role: Role;
      readonly fact: string;
    }
  | {
      readonly kind: "return";
      readonly actor: number;
      readonly depth: number;
      readonly name: string;
      readonly value: string | undefined;
      readonly role: Role;
    }
  | StepEvent
  | {
      readonly kind: "allocate";
      readonly actor: number;
      readonly depth: number;
      readonly text: string;
      readonly addr: number;
      readonly fact: string;
      readonly stack: readonly string[];
    }
  | {
      readonly kind: "blocked";
      readonly actor: number;
      readonly depth: number;
      readonly text: string;
      /** "for cpu0", who holds what it waits for; "behind cpu1", who waits in front of it. */
      readonly holder: string;
      readonly racing: boolean;
    }
  | { readonly kind: "report"; readonly actor: number; readonly depth: number; readonly finding: Finding }
  | { readonly kind: "expect"; readonly item: ExpectItem; readonly holds: boolean }
  | { readonly kind: "show"; readonly item: ShowItem; readonly lines: readonly string[] }
  | { readonly kind: "end"; readonly how: End };

/** How a call is told: by its own line, with nothing below it, or not at all (a helper of ours). */
export type Role = "function" | "atom" | "hidden";

export interface StepEvent {
  readonly kind: "step";
  readonly actor: number;
  readonly depth: number;
  readonly text: string;
  /** What the step gave, if a body looks at it: "true", "NULL", "3". */
  readonly result: string;
  readonly fact: string;
  /** Address it touches, and how: who else touches them decides whether the step matters. */
  readonly addr: number;
  readonly writes: boolean;
  readonly access: Access;
  /** Whether it takes or gives up a lock. */
  readonly lock: "take" | "give" | undefined;
  /** A count that became zero or less, or was zero already: what people argue about. Undefined: it is no count. */
  readonly outcome: boolean | undefined;
  /** The object it frees; 0: none, or it was free already. */
  readonly frees: number;
  /** Where it frees: the locks held. */
  readonly locks: readonly string[];
  /** Number of the step in the whole run, from 1. */
  readonly number: number;
  /** Taken inside a race. */
  readonly racing: boolean;
  /** The calls on the stack, outermost first. */
  readonly stack: readonly string[];
}

/** `stopped`: the schedule says no more, though somebody could still move. */
export type End = "final" | "deadlock" | "fatal" | "pruned" | "limit" | "livelock" | "stopped";

export interface Trace {
  readonly events: readonly TraceEvent[];
  readonly end: End;
  readonly decisions: Schedule;
  /** The machine's findings, in order. */
  readonly findings: readonly Finding[];
}
