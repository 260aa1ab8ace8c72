/**
 * KCSAN: two CPUs are about to touch one word, at least one of them writes, and at least one access is plain. A state
 * in which both stand before their accesses is the race itself, so nothing has to be watched or delayed.
 */
import type { Machine } from "./machine.ts";
import { memberText } from "./struct.ts";
import { Op, type Step } from "./step.ts";

/** One of two accesses that race. */
export interface Access {
  readonly actor: number;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly isMarked: boolean;
  /** Innermost function first. */
  readonly stack: readonly string[];
  readonly step: string;
  /** The word, as C would write its address; "" if it has no name. */
  readonly place: string;
}
export interface DataRace {
  /** Of a reader and a writer, the writer first. */
  readonly accesses: readonly [Access, Access];
  /** What the word holds and what is written, if that is known. */
  readonly change: { readonly from: number; readonly to: number } | undefined;
}

const READS: ReadonlySet<Op> = new Set([Op.load]);
const WRITES: ReadonlySet<Op> = new Set([Op.store]);
const BOTH: ReadonlySet<Op> = new Set([Op.add, Op.decAndTest, Op.incNotZero, Op.exchange, Op.compareExchange]);

/** Files the races between `actor` and the others, where they stand now. */
export function findRaces(machine: Machine, actor: number, others: readonly number[]): void {
  const step = machine.nextStep(actor);
  if (step === null || !touches(step)) return;
  for (const other of others) {
    const its = other === actor ? null : machine.nextStep(other);
    if (its === null || its.addr !== step.addr || !touches(its)) continue;
    if (READS.has(step.op) && READS.has(its.op)) continue;
    if (step.access === "marked" && its.access === "marked") continue;
    if (machine.memory.header(step.addr) > 0) fileRace(machine, actor, other);
  }
}
const touches = ({ op }: Step): boolean => READS.has(op) || WRITES.has(op) || BOTH.has(op);

function fileRace(machine: Machine, a: number, b: number): void {
  const accesses = [accessOf(machine, a), accessOf(machine, b)] as const;
  // The writer comes first, and of two of them the one that sorts first.
  const [first, second] = [...accesses].sort(
    (x, y) => Number(y.writes) - Number(x.writes) || (placeOf(x) < placeOf(y) ? -1 : 1) || x.actor - y.actor,
  ) as [Access, Access];
  const step = machine.nextStep(first.actor) as Step;
  machine.file({
    kind: "data-race",
    message: [placeOf(first), placeOf(second)].sort().join(" / "),
    actor: first.actor,
    local: machine.locals[first.actor] as number,
    addr: step.addr,
    race: { accesses: [first, second], change: changeOf(machine, step) },
  });
}
function accessOf(machine: Machine, actor: number): Access {
  const step = machine.nextStep(actor) as Step;
  return {
    actor,
    reads: !WRITES.has(step.op),
    writes: !READS.has(step.op),
    isMarked: step.access === "marked",
    stack: machine.stackOf(actor).map(({ name }) => name),
    step: step.text(machine),
    place: memberText(step.addr, machine)?.replace(/^&/, "") ?? "",
  };
}
/** The innermost function; where a script itself is at work, its CPU. */
const placeOf = ({ stack, actor }: Access): string => stack[0] ?? `cpu${actor}`;

function changeOf(machine: Machine, step: Step): DataRace["change"] {
  const from = machine.peek(step.addr);
  if (step.op === Op.store || step.op === Op.exchange) return { from, to: step.a };
  return step.op === Op.add ? { from, to: from + step.a } : undefined;
}
