/** What the machine has to say about a step, as it is met and as it is told. */
import type { FatalKind, ReportKind, Value } from "./step.ts";
import type { StructClass } from "./struct.ts";

/** As met: numbers only, because a search meets the same one a hundred thousand times. */
export interface Report {
  readonly kind: ReportKind;
  /** In the kernel's words, without the kind: "Read of freed memory", "refcount_t: underflow; use-after-free." */
  readonly message: string;
  /** Who took the step; -1 when it is about all of them (a deadlock, a leak). */
  readonly actor: number;
  readonly local: number;
  /** Address it is about; 0 if none. */
  readonly addr: number;
  /** Header of the object at that address. */
  readonly header: number;
}

export interface Frame {
  readonly fn: number;
  readonly name: string;
  readonly args: readonly Value[];
  /** No function of the kernel: the statements of a CPU, or a helper of ours. */
  readonly hidden: boolean;
  /** The statements of a CPU. */
  readonly script: boolean;
}

/** As told. */
export interface Finding extends Report {
  /** Innermost first; empty where no step is to blame. */
  readonly stack: readonly Frame[];
  /** The step, as C would write it. */
  readonly step: string;
  readonly objectType: StructClass | null;
  /** The locks that the actor holds: "&mm->mmap_sem (read)". */
  readonly locks: readonly string[];
  /** Name of the function that freed the object, for findings about freed memory. */
  readonly freedBy: string;
}

const FATAL: Record<FatalKind, true> = {
  "use-after-free": true,
  "double-free": true,
  "null-deref": true,
  "list-corruption": true,
  bug: true,
  deadlock: true,
  livelock: true,
  expectation: true,
  pruned: true,
};
/** Whether a path ends at a report of this kind. */
export function isFatal(kind: ReportKind): boolean {
  return kind in FATAL;
}

/** The function a finding is "in": the innermost kernel function. */
export function placeOf(finding: Finding): string {
  return finding.stack[0]?.name ?? "";
}

/** Findings are the same when kind, type of object, freeing function and outermost racing call agree. */
export function classOf(finding: Finding): string {
  const { kind } = finding;
  if (kind === "leak") return kind; // what one lost pointer loses is one finding
  const outermost = finding.stack.at(-1)?.name ?? "";
  if (kind === "use-after-free" || kind === "double-free" || kind === "null-deref")
    return [kind, finding.objectType?.name ?? "", finding.freedBy, outermost].join("|");
  return [kind, outermost, finding.message].join("|");
}
