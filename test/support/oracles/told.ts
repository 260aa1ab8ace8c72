/**
 * When devices hear that an entry is gone. Since 4.14, of which 4.19 is the first here, between start and end. Before
 * that, it depends:
 *
 * - In the drafts of 2008 a start does nothing, or need not be listened to: what tells is the call at the end. When
 *   the process dies, it is mmu_notifier_release(), some time in exit_mmap(): the third draft has it behind the pages,
 *   which is what O2 and stale translations are about.
 * - From 2.6.27 on there are start and end, but single pages are told of one by one, by invalidate_page() or
 *   change_pte(), after they are gone: up to 3.6 with the lock of the table still held, later with that of the rmap.
 */
import { existsIn } from "../../../runtime/machine/era.ts";
import type { Value } from "../../../runtime/machine/step.ts";
import { address_space, anon_vma } from "../../../runtime/mm/mm_types.ts";
import { PAGE_SIZE } from "../../../runtime/mm/pgtable.ts";
import type { Transition } from "./rule.ts";
import { isTablePage, isType, mapped, type Mapped } from "./tables.ts";

type Manner = "draft" | "page by page" | "between start and end";
/** How a kernel tells. */
export function mannerOf({ machine: { era } }: Transition): Manner {
  if (era === undefined || existsIn({ since: "v4.19" }, era)) return "between start and end";
  return existsIn({ since: "v2.6.27" }, era) ? "page by page" : "draft";
}

/** An entry that has lost rights, or its page, outside of start and end. */
export interface Lost {
  readonly mm: number;
  readonly start: number;
  readonly size: number;
  /** Its word, and what it mapped. */
  readonly entry: number;
  readonly had: Mapped;
  readonly what: "rights" | "its page";
}
interface Call {
  readonly actor: number;
  readonly mm: number;
  readonly start: number;
  readonly end: number;
}
export interface Told {
  /** Calls that tell and have not returned, and those that the last transition has returned from. */
  readonly telling: readonly Call[];
  readonly done: readonly Call[];
  /** What nobody has been told of yet. */
  readonly untold: readonly (Lost & { readonly actor: number })[];
  /** Drafts: who has called mmu_notifier_release() in exit_mmap(), for which mm. */
  readonly released: readonly Pick<Call, "actor" | "mm">[];
  /** What the last transition should not have gone without. */
  readonly late: string | undefined;
}
export const NOTHING_TOLD: Told = { telling: [], done: [], untold: [], released: [], late: undefined };

const OF_A_PAGE = ["mmu_notifier_invalidate_page", "mmu_notifier_change_pte"];
const OF_A_RANGE = ["mmu_notifier_invalidate_range_end", "mmu_notifier_invalidate_range_only_end"];
const RELEASE = "mmu_notifier_release";
const EXIT = "exit_mmap";

/** Whether it is right that nobody has been told so far. */
export function isToldLater(t: Transition, { size }: Lost): boolean {
  const manner = mannerOf(t);
  if (manner === "page by page") return size === PAGE_SIZE;
  return manner === "draft" && t.machine.automaton.stack(t.local).some(({ name }) => name === EXIT);
}
/** Whether the actor still holds what keeps others from seeing what it has done. */
function isHeldOff({ machine, actor }: Transition): boolean {
  const isRmap = existsIn({ since: "v3.8" }, machine.era ?? "");
  return machine.locksOf(actor).some(({ lock }) => {
    const header = machine.memory.header(lock);
    return isRmap ? isType(header, address_space) || isType(header, anon_vma) : isTablePage(header);
  });
}
const isBack = ({ machine }: Transition, { entry, start, size, had }: Lost): boolean => {
  const now = mapped(machine.memory.peek(entry), start, size);
  return now !== undefined && now.first === had.first && now.rank >= had.rank && (now.write || !had.write);
};

const rangeOf = ([mm, start, end]: readonly Value[]): Omit<Call, "actor"> => ({
  ...{ mm: (mm as unknown as { readonly addr: number }).addr, start: start as number, end: end as number },
});
/** With what a transition has done. */
export function toldAfter(was: Told, t: Transition, lost: readonly Lost[]): Told {
  const manner = mannerOf(t);
  if (manner === "between start and end") return was;
  const { actor } = t;
  const isAnnounced = ({ mm }: Lost): boolean => was.released.some((one) => one.actor === actor && one.mm === mm);
  const fresh = lost.filter((one) => isToldLater(t, one) && !isAnnounced(one)).map((one) => ({ ...one, actor }));
  const quiet = was.late === undefined && was.done.length === 0 ? was : { ...was, done: [], late: undefined };
  const untold = [...was.untold.filter((one) => !isBack(t, one)), ...fresh];
  const isSame = fresh.length === 0 && untold.length === was.untold.length;
  const told = afterCalls(isSame ? quiet : { ...quiet, untold }, t, manner);
  const late = manner === "draft" || isHeldOff(t) ? undefined : told.untold.find((one) => one.actor === actor);
  return late === undefined ? told : overdue(told, late, "the lock is dropped");
}
function overdue(told: Told, { start, what, actor }: Told["untold"][number], when: string): Told {
  const late = `the entry for 0x${start.toString(16)} loses ${what}, and nobody is told before ${when}`;
  return { ...told, late, untold: told.untold.filter((one) => one.actor !== actor) };
}
function afterCalls(was: Told, { machine, actor, events }: Transition, manner: Manner): Told {
  const isMine = (one: { readonly actor: number }): boolean => one.actor === actor;
  const tells = manner === "draft" ? OF_A_RANGE : OF_A_PAGE;
  let told = was;
  for (const event of events) {
    if (event.kind === "allocate") continue;
    const name = machine.automaton.functionName(event.fn);
    if (event.kind === "call" && tells.includes(name)) told = began(told, actor, event.args, manner);
    else if (event.kind === "call" && name === RELEASE && manner === "draft") {
      const { mm } = rangeOf(event.args);
      const untold = told.untold.filter((one) => one.mm !== mm);
      told = { ...told, untold, released: [...told.released, { actor, mm }] };
    } else if (event.kind === "return" && tells.includes(name)) {
      const call = told.telling.findLast(isMine);
      if (call === undefined) continue;
      told = { ...told, telling: told.telling.filter((one) => one !== call), done: [...told.done, call] };
    } else if (event.kind === "return" && name === EXIT && manner === "draft") {
      const late = told.untold.find(isMine);
      if (late !== undefined) told = overdue(told, late, "exit_mmap() is through");
      told = { ...told, released: told.released.filter((one) => !isMine(one)) };
    }
  }
  return told;
}
function began(told: Told, actor: number, args: readonly Value[], manner: Manner): Told {
  const given = manner === "draft" ? (args[0] as unknown as readonly Value[]) : args;
  const { mm, start, end } = rangeOf(given);
  const call = { actor, mm, start, end: manner === "draft" ? end : start + PAGE_SIZE };
  const isIt = (one: Told["untold"][number]): boolean =>
    one.actor === actor && one.mm === mm && one.start >= call.start && one.start < call.end;
  return { ...told, telling: [...told.telling, call], untold: told.untold.filter((one) => !isIt(one)) };
}
