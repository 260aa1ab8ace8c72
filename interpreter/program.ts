/** A script, bound to a kernel: what the session runs. Nothing in here knows text beyond what is printed. */
import type { Diagnostic } from "../grammar/diagnostic.ts";
import type { SourceText, Span } from "../grammar/span.ts";
import type { MachineOptions } from "../runtime/machine/machine.ts";
import type { Machine } from "../runtime/machine/machine.ts";
import type { ReportKind } from "../runtime/machine/step.ts";
import type { Schedule } from "./schedule.ts";

export interface Program {
  /** What the script is called in output: its file name without folder and ending. */
  readonly name: string;
  readonly source: SourceText;
  readonly kernel: KernelChoice;
  readonly items: readonly Item[];
  readonly invariants: readonly Invariant[];
  /** The way that the script itself says `run` should go. */
  readonly schedule?: ({ readonly runs: Schedule } & Placed) | undefined;
  /** What the CPUs keep results in, and declared variables: final states are told apart by these. */
  readonly outcomeWords: readonly OutcomeWord[];
  /** Barriers in the text: they are not modelled. */
  readonly barriers: number;
  /** The script wants to hear of data races. */
  readonly kcsan?: boolean;
  /** How many CPUs the script names: cpu0 up to the highest. */
  readonly cpus: number;
  readonly machine: MachineOptions;
  /** Where the instructions of the script's code stand, by number of the function. */
  readonly codes?: ReadonlyMap<number, { readonly places: readonly Span[]; readonly from: SourceText }>;
  /** Names of the script's own functions and callbacks: places where a CPU can be stopped. */
  readonly functionNames?: () => readonly string[];
  /** What can be named, and the members of what an expression is: for completion. */
  readonly vocabulary?: {
    readonly names: () => readonly string[];
    readonly members: (expression: string) => readonly string[];
  };
  /** Binds an expression to the names of the script; or what is wrong with it. */
  readonly look?: (source: SourceText) => Look | readonly Diagnostic[];
  /** How many statements declare something: those are read before anything runs, wherever they stand. */
  readonly declarations?: number;
  /** Whose a statement without a label would be if it came next. */
  readonly currentCpu?: number;
  /** Makes the objects that are there before the first statement. */
  readonly setUp: (machine: Machine) => void;
}

/** An expression as somebody sees it who looks on. */
export interface Look {
  readonly text: string;
  readonly value: (machine: Machine) => string;
  readonly holds: (machine: Machine) => boolean;
}

export interface KernelChoice {
  readonly era: string;
  readonly patches: readonly string[];
}
export function kernelText(kernel: KernelChoice): string {
  return [kernel.era, ...kernel.patches].join(" + ");
}

export interface OutcomeWord {
  /** As an expectation would name it: "ret", "cpu1.ret", "hits". */
  readonly name: string;
  readonly addr: number;
  readonly show: (machine: Machine, word: number) => string;
}

export type Item = RunItem | ContinueItem | StepItem | RaceItem | ExpectItem | ShowItem;

interface Placed {
  readonly at: Span;
  /** The file it stands in: the script, or one that it includes. */
  readonly from: SourceText;
}

/** A statement of one CPU, to be run until it is done, blocked, or where `until` says. */
export interface RunItem extends Placed {
  readonly kind: "run";
  readonly cpu: number;
  readonly code: Code;
  readonly until: Until | undefined;
  /** It is an expression: its value is told when it is done. */
  readonly prints?: OutcomeWord;
  /** The script does not have it: what was done on its behalf, in words. */
  readonly note?: string;
}
export interface ContinueItem extends Placed {
  readonly kind: "continue";
  readonly cpu: number;
  readonly until: Until | undefined;
}
export interface StepItem extends Placed {
  readonly kind: "step";
  readonly cpu: number;
  readonly count: number;
}
export interface RaceItem extends Placed {
  readonly kind: "race";
  /** `resumes`: the CPU is in the middle of a call, and goes on with that first. */
  readonly programs: readonly { readonly cpu: number; readonly code: Code; readonly resumes: boolean }[];
}
export interface ShowItem extends Placed {
  readonly kind: "show";
  readonly what: readonly { readonly word: string; readonly name: string | undefined }[];
}
export interface ExpectItem extends Placed {
  readonly kind: "expect";
  readonly expectation: Expectation;
  /** As the script has it. */
  readonly text: string;
}

export type Expectation =
  /** Holds in every outcome, or with `sometimes` in at least one. */
  | { readonly kind: "condition"; readonly sometimes: boolean; readonly holds: (machine: Machine) => boolean }
  /** At least one outcome has such a report. */
  | { readonly kind: "report"; readonly report: ReportKind | undefined; readonly in: string | undefined }
  | { readonly kind: "none"; readonly report: ReportKind | undefined; readonly in: string | undefined }
  | { readonly kind: "blocked"; readonly cpu: number; readonly lock: ((machine: Machine) => number) | undefined };

export interface Invariant {
  readonly text: string;
  readonly holds: (machine: Machine) => boolean;
  readonly at: Span;
}

/** The statements of a CPU as a function of the script: its body is registered under `fn` in the machine's table. */
export interface Code {
  readonly fn: number;
  /** Where each instruction comes from. */
  readonly places: readonly Span[];
  /** Number of the top-level statement that each instruction belongs to. */
  readonly statements: readonly number[];
}

export interface Until {
  readonly place:
    | { readonly kind: "function"; readonly name: string; readonly returns: boolean }
    | { readonly kind: "text"; readonly text: string }
    | { readonly kind: "blocked" }
    /** So many of its own. */
    | { readonly kind: "steps" }
    /** A label in a function of the script: the instruction, in every form in which the function was bound. */
    | { readonly kind: "label"; readonly places: () => readonly { readonly fn: number; readonly pc: number }[] };
  /** How often the place is met; of `steps`, how many are taken: from 0. */
  readonly count: number;
}
