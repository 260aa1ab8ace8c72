/** What the machine has to say about a step, as it is met and as it is told. */
import { FINISHED } from "./automaton.ts";
import { holdingText } from "./held.ts";
import type { DataRace } from "./kcsan.ts";
import type { Dependency } from "./lockdep-order.ts";
import { CIRCULAR } from "./lockdep-report.ts";
import type { Machine } from "./machine.ts";
import { headerFreedBy, headerType } from "./memory.ts";
import type { FatalKind, ReportKind, Value } from "./step.ts";
import { headerAddress, type StructClass } from "./struct.ts";
import { typeByNumber } from "./types.ts";

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
  /** Of lockdep: the order in which locks were taken, and must not be. */
  readonly dependency?: Dependency | undefined;
  /** Of a data race: the other access. */
  readonly race?: DataRace | undefined;
}

export interface Frame {
  readonly fn: number;
  readonly name: string;
  readonly args: readonly Value[];
  /** What it was entered with first: in code of the script, the number of the instruction. */
  readonly at: Value | undefined;
  /** No function of the kernel: the statements of a CPU, or a helper of ours. */
  readonly hidden: boolean;
  /** The statements of a CPU. */
  readonly script: boolean;
}

/** Names of classes of locks; `chain` leads from the one that is taken to the one that is held. */
export interface WrongOrder {
  readonly held: string;
  readonly taken: string;
  readonly chain: readonly (Pick<Dependency, "seen" | "way"> & { readonly held: string; readonly taken: string })[];
}

/** As told. */
export interface Finding extends Omit<Report, "dependency"> {
  /** Innermost first; empty where no step is to blame. */
  readonly stack: readonly Frame[];
  /** The step, as C would write it. */
  readonly step: string;
  readonly objectType: StructClass | null;
  /** The locks that the actor holds: "&mm->mmap_sem (read)". */
  readonly locks: readonly string[];
  /** Name of the function that freed the object, for findings about freed memory. */
  readonly freedBy: string;
  /** Of a wrong order of locks: the locks, and how the order that was there before came about. */
  readonly order?: WrongOrder | undefined;
  /** Locks in the object it is about that are held, and by whom. */
  readonly heldIn: readonly { readonly actor: number; readonly lock: string }[];
}

/** Lockdep's words. Here they are said of locks that others hold too, which lockdep does not look at. */
export const HELD_LOCK_FREED = "held lock freed!";

/** A report with everything that is to be said about it; to be asked for before the machine moves on. */
export function describe(machine: Machine, report: Report): Finding {
  const { dependency, ...plain } = report;
  const { actor, local, header } = report;
  const blamed = local !== FINISHED;
  return {
    ...plain,
    ...(dependency === undefined ? {} : { order: wrongOrder(dependency) }),
    stack: blamed ? blamedFrames(machine, report) : [],
    step: blamed ? (machine.automaton.stepAt(local)?.text(machine) ?? "") : "",
    locks: actor < 0 ? [] : machine.lockTexts(actor),
    objectType: header === 0 ? null : typeByNumber(headerType(header)),
    freedBy: header < 0 ? machine.automaton.functionName(headerFreedBy(header)) : "",
    heldIn: header === 0 ? [] : holdersIn(machine, headerAddress(report.addr)),
  };
}
/** That down_read() takes a lock, and may sleep, is its job: to blame is who calls it. */
function blamedFrames(machine: Machine, { kind, local, dependency }: Report): readonly Frame[] {
  const frames = machine.automaton.stack(local).filter((frame) => !frame.hidden);
  return dependency !== undefined || kind === "sleep-in-atomic" || kind === "rcu" ? callers(machine, frames) : frames;
}
/** Without the innermost functions that readers know as one thing. */
export function callers(machine: Machine, frames: readonly Frame[]): readonly Frame[] {
  const first = frames.findIndex(({ fn }) => machine.automaton.infoOf(fn).atom !== true);
  return first === -1 ? [] : frames.slice(first);
}
function wrongOrder({ held, taken, circle }: Dependency): WrongOrder {
  const chain = (circle ?? []).map(({ held, taken, seen, way }) => ({
    ...{ held: held.name, taken: taken.name },
    ...(seen === undefined ? {} : { seen }),
    ...(way === undefined ? {} : { way }),
  }));
  return { held: held.name, taken: taken.name, chain };
}
function holdersIn(machine: Machine, object: number): Finding["heldIn"] {
  return Array.from(machine.locals.keys()).flatMap((actor) =>
    machine
      .locksOf(actor)
      .filter((holding) => headerAddress(holding.lock) === object)
      .map((holding) => ({ actor, lock: holdingText(holding, machine) })),
  );
}

const FATAL: Record<FatalKind, true> = {
  "use-after-free": true,
  "double-free": true,
  "null-deref": true,
  "list-corruption": true,
  bug: true,
  deadlock: true,
  livelock: true,
  "stale-translation": true,
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

/** Every function that it is in: of a data race and of a circle of locks there are several. */
export function placesOf(finding: Finding): string[] {
  const { order, race } = finding;
  const inOrder = (order?.chain ?? []).flatMap(({ seen }) => seen?.stack[0] ?? []);
  const racing = race === undefined ? [] : race.accesses.flatMap(({ stack }) => stack[0] ?? []);
  return [...new Set([placeOf(finding), ...inOrder, ...racing])];
}

/** Findings are the same when kind, type of object, freeing function and outermost racing call agree. */
export function classOf(finding: Finding): string {
  const { kind } = finding;
  if (kind === "leak") return kind; // what one lost pointer loses is one finding
  if (kind === "data-race") return [kind, finding.message].join("|");
  // Which circle is closed first is chance, and one is as good as another: the kernel tells one.
  if (finding.order !== undefined && finding.message.startsWith(CIRCULAR)) return [kind, CIRCULAR].join("|");
  const outermost = finding.stack.at(-1)?.name ?? "";
  if (kind === "use-after-free" || kind === "double-free" || kind === "null-deref")
    return [kind, finding.objectType?.name ?? "", finding.freedBy, outermost].join("|");
  if (kind === "stale-translation") return [kind, outermost].join("|"); // how far the CPU has got is chance
  return [kind, outermost, finding.message].join("|");
}
