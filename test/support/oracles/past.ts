/**
 * What the rules have to remember of the way to a state: which invalidations are under way, who has just asked what,
 * which dirty bits are in nobody's hands. All of it follows from where the actors stand, so that it tells no two states
 * apart and is kept beside the machine.
 */
import type { ControlEvent } from "../../../runtime/machine/automaton.ts";
import type { Machine } from "../../../runtime/machine/machine.ts";
import type { Value } from "../../../runtime/machine/step.ts";
import { NO_NOTIFIERS, type NotifierPast } from "./calls.ts";
import { NOTHING_TOLD, type Told } from "./told.ts";

/** Between the return of the notifiers' start and the call of their end. */
export interface ActiveRange {
  readonly mm: number;
  readonly start: number;
  readonly end: number;
}
/** A dirty bit that has been taken from an entry. */
export interface LostDirty {
  readonly actor: number;
  readonly page: number;
  readonly start: number;
}
export interface Past {
  readonly active: readonly ActiveRange[];
  /** Calls of the notifiers' start that have not returned. */
  readonly starting: readonly (ActiveRange & { readonly actor: number })[];
  /** Per actor: the entry that its last step found not to be none. */
  readonly notNone: readonly number[];
  readonly lost: readonly LostDirty[];
  readonly notifiers: NotifierPast;
  readonly told: Told;
}
export const NOTHING_PAST: Past = {
  active: [],
  starting: [],
  notNone: [],
  lost: [],
  notifiers: NO_NOTIFIERS,
  told: NOTHING_TOLD,
};

const START = ["mmu_notifier_invalidate_range_start", "mmu_notifier_invalidate_range_start_nonblock"];
const END = ["mmu_notifier_invalidate_range_end", "mmu_notifier_invalidate_range_only_end"];

function rangeOf(args: readonly Value[]): ActiveRange {
  const [mm, start, end] = args[0] as readonly [{ addr: number }, number, number];
  return { mm: mm.addr, start, end };
}
const isSame = (a: ActiveRange, b: ActiveRange): boolean => a.mm === b.mm && a.start === b.start && a.end === b.end;

/** With what an actor passed through. */
export function afterEvents(past: Past, machine: Machine, actor: number, events: readonly ControlEvent[]): Past {
  let { active, starting } = past;
  for (const event of events) {
    if (event.kind === "allocate") continue;
    const name = machine.automaton.functionName(event.fn);
    if (event.kind === "return" && START.includes(name)) {
      const i = starting.findLastIndex((range) => range.actor === actor);
      const range = starting[i];
      if (range === undefined) continue;
      starting = starting.toSpliced(i, 1);
      const refused = typeof event.value === "number" && event.value < 0;
      if (!refused) active = [...active, range];
    } else if (event.kind === "call" && START.includes(name))
      starting = [...starting, { ...rangeOf(event.args), actor }];
    else if (event.kind === "call" && END.includes(name)) {
      const ended = rangeOf(event.args);
      const i = active.findIndex((range) => isSame(range, ended));
      if (i !== -1) active = active.toSpliced(i, 1);
    }
  }
  return active === past.active && starting === past.starting ? past : { ...past, active, starting };
}
