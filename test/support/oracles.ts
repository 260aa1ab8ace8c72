/**
 * The invariants of the model: rules that hold of every state and every transition of a kernel without bugs. Whoever
 * takes a machine under observation sees every step that anybody takes on it, and every step taken back.
 */
import type { ControlEvent } from "../../runtime/machine/automaton.ts";
import { Moved, type Machine } from "../../runtime/machine/machine.ts";
import { Op, type Step } from "../../runtime/machine/step.ts";
import { headerAddress } from "../../runtime/machine/struct.ts";
import { pmd_none } from "../../runtime/mm/pgtable.ts";
import { O7, O8, progress } from "./oracles/control.ts";
import { dropsTableLock, lostDirty, lostEntries, O1, O11, O4, O5, O9 } from "./oracles/entries.ts";
import { afterEvents, NOTHING_PAST, type Past } from "./oracles/past.ts";
import { I1, I10, I11, I12, I2, I3, I4, I5, I6, I7, I8, I9 } from "./oracles/notifiers.ts";
import type { Change, Oracle, OracleName, Transition } from "./oracles/rule.ts";
import { O10, O2, O3 } from "./oracles/states.ts";
import { notifiersAfter } from "./oracles/subscribers.ts";
import { mannerOf, toldAfter } from "./oracles/told.ts";

export type { Oracle, OracleName } from "./oracles/rule.ts";

export interface Violation {
  readonly oracle: OracleName;
  readonly message: string;
}
/** Who wants to hear of violations, and whether that is so now. */
export interface Listener {
  readonly wants?: () => boolean;
  readonly complain: (violation: Violation) => void;
}
export interface Observed {
  /** Locks may be held where an actor has nothing to do: between two statements of a script. */
  mayHoldLocks: boolean;
}

export const oracles = (): readonly Oracle[] => [O1, O2, O3, O4, O5, progress(), O7, O8, O9, O10, O11];
/** The rules of notifiers. */
export const invariants = (): readonly Oracle[] => [I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12];

class Observer implements Observed {
  mayHoldLocks = false;
  private readonly machine: Machine;
  private readonly rules = [...oracles(), ...invariants()];
  private readonly listener: Listener;
  /** What is remembered, by how long the machine's journal was when it became so. */
  private readonly pasts: { readonly top: number; readonly past: Past }[] = [];

  constructor(machine: Machine, listener: Listener) {
    this.machine = machine;
    this.listener = listener;
    const step = machine.step.bind(machine);
    const load = machine.load.bind(machine);
    const undo = machine.undo.bind(machine);
    machine.step = (actor, choice, events = []) =>
      this.observe(actor, machine.nextStep(actor), events, () => step(actor, choice, events));
    machine.load = (actor, fn, args, events = []) =>
      this.observe(actor, null, events, () => load(actor, fn, args, events));
    machine.undo = (top, lo, hi) => {
      undo(top, lo, hi);
      while ((this.pasts.at(-1)?.top ?? -1) > top) this.pasts.pop();
    };
  }
  private get past(): Past {
    return this.pasts.at(-1)?.past ?? NOTHING_PAST;
  }
  private fingerprint(): number {
    const { lo, hi } = this.machine.memory;
    return (lo >>> 0) * 2 ** 21 + (hi >>> 11);
  }

  private observe(actor: number, step: Step | null, events: ControlEvent[], move: () => Moved): Moved {
    const { machine } = this;
    if (this.listener.wants?.() === false) return move();
    const local = machine.locals[actor] as number;
    const { top } = machine.memory;
    const from = this.fingerprint();
    const before = events.length;
    const moved = move();
    if (moved === Moved.blocked) return moved;
    const { changes, words } = changesSince(machine, top);
    const transition: Transition = {
      ...{ machine, actor, local, step, changes, from, to: this.fingerprint(), mayHoldLocks: this.mayHoldLocks },
      events: events.slice(before),
      reports: machine.reports,
      before: (addr) => words.get(addr) ?? machine.memory.peek(addr),
      was: this.past,
      is: this.past,
    };
    const is = this.remember(transition);
    if (is !== this.past) this.pasts.push({ top: machine.memory.top, past: is });
    for (const rule of this.rules) {
      const message = rule.check({ ...transition, is });
      if (message !== undefined) this.listener.complain({ oracle: rule.name, message });
    }
    return moved;
  }
  private remember(t: Transition): Past {
    const { machine, actor, step, was } = t;
    const passed = afterEvents(was, machine, actor, t.events);
    const notifiers = notifiersAfter(was.notifiers, t);
    const told = mannerOf(t) === "between start and end" ? was.told : toldAfter(was.told, t, lostEntries(t));
    const same = notifiers === passed.notifiers && told === passed.told;
    const past = same ? passed : { ...passed, notifiers, told };
    const found = step?.op === Op.load && step.decode === pmd_none && machine.result !== 0 ? step.addr : 0;
    const kept = dropsTableLock(t) ? past.lost.filter((one) => one.actor !== actor) : past.lost;
    const lost = step === null ? past.lost : lostDirty(t, kept.length === past.lost.length ? past.lost : kept);
    if (found === (past.notNone[actor] ?? 0) && lost === past.lost) return past;
    const notNone = [...past.notNone];
    notNone[actor] = found;
    return { ...past, notNone, lost };
  }
}

/** The words that have changed since the journal was `top` long, and what they were. */
function changesSince({ memory }: Machine, top: number): { changes: Change[]; words: Map<number, number> } {
  const words = new Map<number, number>();
  for (let i = top; i < memory.top; i++) {
    const word = memory.journalWord[i] as number;
    const addr = word < 0 ? 0 : memory.addressOf(word);
    if (word >= 0 && !words.has(addr)) words.set(addr, memory.journalOld[i] as number);
  }
  const changes = [...words].map(([addr, old]) => {
    const base = headerAddress(addr);
    return { addr, old, now: memory.peek(addr), header: words.get(base) ?? memory.peek(base) };
  });
  return { changes, words };
}

/** Has every step of a machine judged from now on. */
export function observe(machine: Machine, listener: Listener): Observed {
  return new Observer(machine, listener);
}
