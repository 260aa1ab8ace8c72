/** What an oracle is: a rule over one transition of the machine and the state that it leads to. */
import type { ControlEvent } from "../../../runtime/machine/automaton.ts";
import type { Machine } from "../../../runtime/machine/machine.ts";
import type { Report } from "../../../runtime/machine/report.ts";
import type { Step } from "../../../runtime/machine/step.ts";
import type { Past } from "./past.ts";

/** Rules about page tables, and rules about notifiers. */
export type OracleName =
  | "O1"
  | "O2"
  | "O3"
  | "O4"
  | "O5"
  | "O6"
  | "O7"
  | "O8"
  | "O9"
  | "O10"
  | "O11"
  | "I1"
  | "I2"
  | "I3"
  | "I4"
  | "I5"
  | "I6"
  | "I7"
  | "I8"
  | "I9"
  | "I10"
  | "I11"
  | "I12";

/** A word that the transition has changed. */
export interface Change {
  readonly addr: number;
  readonly old: number;
  readonly now: number;
  /** Of the object that it belongs to: its header as it was before. */
  readonly header: number;
}

export interface Transition {
  readonly machine: Machine;
  readonly actor: number;
  /** Where the actor stood, and what it did; null: it was only given something to do. */
  readonly local: number;
  readonly step: Step | null;
  readonly changes: readonly Change[];
  readonly events: readonly ControlEvent[];
  readonly reports: readonly Report[];
  /** A word as it was before. */
  readonly before: (addr: number) => number;
  /** What the rules remember: before the transition, and behind it. */
  readonly was: Past;
  readonly is: Past;
  /** Fingerprints of the states it led from and to. */
  readonly from: number;
  readonly to: number;
  /** Between two statements of a script locks may be held. */
  readonly mayHoldLocks: boolean;
}

export interface Oracle {
  readonly name: OracleName;
  /** As the description of the kernel has it, in short. */
  readonly rule: string;
  /** What is wrong, in words. */
  readonly check: (transition: Transition) => string | undefined;
}
