/** Rules over what a transition does to page tables. */
import { HoldMode, Op } from "../../../runtime/machine/step.ts";
import { headerAddress, SLOT, WORD } from "../../../runtime/machine/struct.ts";
import { STATIC_ARENA } from "../../../runtime/machine/types.ts";
import { address_space, anon_vma, mm_struct } from "../../../runtime/mm/mm_types.ts";
import { compound_head, empty_zero_page } from "../../../runtime/mm/page_alloc.ts";
import { PG_anon, PG_dirty } from "../../../runtime/mm/page_flags.ts";
import { is_table, pmd_bad, pte_devmap, pte_dirty, pte_page, pte_present } from "../../../runtime/mm/pgtable.ts";
import { CPUS, tlbTables } from "../../../runtime/mm/tlb.ts";
import {
  addressOf,
  entriesUnder,
  entrySize,
  isMm,
  isTablePage,
  isType,
  mapped,
  placesOf,
  type Place,
} from "./tables.ts";
import type { ActiveRange, LostDirty } from "./past.ts";
import type { Change, Oracle, Transition } from "./rule.ts";
import { isToldLater, type Lost } from "./told.ts";

const hex = (n: number): string => `0x${n.toString(16)}`;

/** Not the lock of a table, nor its header: an entry holds an address, or did. */
const isEntry = ({ addr, old, now }: Change): boolean =>
  addr !== headerAddress(addr) && (old >= STATIC_ARENA || now >= STATIC_ARENA);

type ChangedEntry = Change & { readonly place: Place; readonly start: number };
const known = new WeakMap<readonly Change[], readonly ChangedEntry[]>();
/** Entries that the transition has changed, of tables that a process can reach. */
function changedEntries(t: Transition): readonly ChangedEntry[] {
  let found = known.get(t.changes);
  if (found === undefined) known.set(t.changes, (found = findChanged(t)));
  return found;
}
function findChanged(t: Transition): readonly ChangedEntry[] {
  const inTables = t.changes.filter((change) => isTablePage(change.header) && change.header > 0 && isEntry(change));
  if (inTables.length === 0) return [];
  const places = placesOf(t.machine.memory, t.before);
  return inTables.flatMap((change) => {
    const place = places.get(headerAddress(change.addr) + WORD);
    const start = place === undefined ? undefined : addressOf(place, change.addr);
    return place === undefined || start === undefined ? [] : [{ ...change, place, start }];
  });
}

export const O1: Oracle = {
  name: "O1",
  rule: "whoever computes the address of an entry has a table, and one that is allocated",
  check({ machine, actor, reports }) {
    const offset = reports.find(({ kind, message }) => kind === "bug" && /_offset\(\) of/.test(message));
    if (offset !== undefined) return offset.message;
    const { automaton, memory } = machine;
    const header = memory.words[automaton.localHeader[machine.locals[actor] as number] as number] as number;
    const freed = header < 0 && isTablePage(header);
    return freed ? `the next step is into a freed table: ${machine.nextStep(actor)?.text(machine)}` : undefined;
  },
};

const covers = (ranges: readonly ActiveRange[], { mm }: Place, start: number, end: number): boolean =>
  ranges.some((r) => r.mm === mm.addr && r.start <= start && end <= r.end);

const losses = new WeakMap<readonly Change[], readonly Lost[]>();
/** Entries that lose rights, or their page, outside of start and end. */
export function lostEntries(t: Transition): readonly Lost[] {
  let found = losses.get(t.changes);
  if (found === undefined) losses.set(t.changes, (found = findLost(t)));
  return found;
}
function findLost(t: Transition): readonly Lost[] {
  return changedEntries(t).flatMap(({ addr, place, start, old, now }) => {
    const size = entrySize(place);
    const here = { place, entry: addr, value: old, start, size };
    const under = { mm: place.mm, table: old, level: place.level + 1, start };
    const all = is_table(old) ? entriesUnder(t.machine.memory, t.before, under) : [here];
    const next = mapped(now, start, size);
    return [...all].flatMap((entry): Lost[] => {
      const had = mapped(entry.value, entry.start, entry.size);
      if (had === undefined) return [];
      const same = next !== undefined && next.first === had.first && next.size === had.size;
      const keeps = same && next.rank >= had.rank && (next.write || !had.write);
      if (keeps || covers(t.was.active, place, entry.start, entry.start + entry.size)) return [];
      return [{ ...entry, mm: place.mm.addr, had, what: same ? "rights" : "its page" }];
    });
  });
}
/** For what each kernel has instead of start and end see told.ts. */
export const O4: Oracle = {
  name: "O4",
  rule: "an entry loses rights, or its page, only between start and end of an invalidation that covers it",
  check(t) {
    const lost = lostEntries(t).find((one) => !isToldLater(t, one));
    if (lost === undefined) return t.is.told.late;
    return `the entry for ${hex(lost.start)} loses ${lost.what} outside of any invalidation`;
  },
};

export const O5: Oracle = {
  name: "O5",
  rule: "a table is freed when no walk that locks, or interrupts switched off, protect can reach it",
  check({ machine, actor, changes }) {
    for (const { addr, now } of changes) {
      if (addr !== headerAddress(addr) || now >= 0 || !isTablePage(now)) continue;
      for (const other of machine.locals.keys()) {
        if (other === actor || !machine.automaton.mentions(machine.locals[other] as number, addr / SLOT)) continue;
        const locks = machine.locksOf(other).filter(({ mode }) => mode <= HoldMode.shared);
        const walks = locks.some(({ lock }) =>
          [mm_struct, address_space, anon_vma].some((cls) => isType(machine.memory.header(lock), cls)),
        );
        if (walks) return `a table is freed that actor ${other} has found and walks with a lock held`;
        const off = other < CPUS ? tlbTables()[other]?.irqs_off.addr : undefined;
        if (off !== undefined && machine.peek(off) !== 0)
          return `a table is freed that actor ${other} has found with interrupts off`;
      }
    }
    return undefined;
  },
};

export const O11: Oracle = {
  name: "O11",
  rule: "what may be none is not asked whether it is bad: an empty PMD is",
  check({ machine, step, actor, was }) {
    if (step?.op !== Op.load || step.decode !== pmd_bad || machine.result !== 0) return undefined;
    return was.notNone[actor] === step.addr ? undefined : "pmd_bad() of an empty entry that nobody asked for none";
  },
};

// ---- dirty bits

/** The page whose dirty bit an entry has: 0, if there is none, or if nobody would miss it. */
function dirtyPage(t: Transition, value: number): number {
  if (!pte_present(value) || is_table(value) || !pte_dirty(value)) return 0;
  const page = pte_page(value);
  if (page === empty_zero_page) return 0;
  const anon = (t.machine.memory.peek(compound_head(page).flags.addr) & PG_anon) !== 0;
  return anon ? 0 : page.addr;
}
/**
 * What was written to a DAX device is there, whatever becomes of the entry. Only who asks which pages have been written
 * to must lose none.
 */
function mayForget(t: Transition, value: number): boolean {
  if (!pte_devmap(value)) return false;
  return !t.machine.automaton.stack(t.local).some(({ name }) => /^(wp|clean_record)_shared_mapping_range$/.test(name));
}
/** Dirty bits that nobody has taken care of yet: neither the page, nor another entry, nor a count has them. */
export function lostDirty(t: Transition, before: readonly LostDirty[]): readonly LostDirty[] {
  const { memory } = t.machine;
  let lost = before;
  for (const { old, now, start } of changedEntries(t)) {
    const page = dirtyPage(t, old);
    if (page !== 0 && dirtyPage(t, now) !== page && !mayForget(t, old))
      lost = [...lost, { actor: t.actor, page, start }];
  }
  if (lost.length === 0) return lost;
  const counted = t.changes.some(({ header, addr }) => isCount(t, header, addr));
  const stored = (page: number): boolean => t.changes.some(({ now }) => now !== 0 && dirtyPage(t, now) === page);
  const isKept = ({ actor, page }: LostDirty): boolean => {
    const isDirty = (memory.peek(compound_head(pte_page(page)).flags.addr) & PG_dirty) !== 0;
    return isDirty || memory.header(page) < 0 || (actor === t.actor && (counted || stored(page)));
  };
  const rest = lost.filter((one) => !isKept(one));
  return rest.length === lost.length ? lost : rest;
}
const isCount = ({ machine }: Transition, header: number, addr: number): boolean =>
  header > 0 && machine.typeAt(addr)?.short === "wpwalk" && addr === headerAddress(addr) + WORD + 4 * WORD;

/** Whether the actor drops the lock of a table: from then on others see what it has done. */
export function dropsTableLock({ machine, step }: Transition): boolean {
  const header = step?.op === Op.spinUnlock ? machine.memory.header(step.addr) : 0;
  return isTablePage(header) || isMm(header);
}

export const O9: Oracle = {
  name: "O9",
  rule: "a dirty bit of a file's page is moved to the page or counted before its lock is dropped",
  check(t) {
    if (!dropsTableLock(t)) return undefined;
    const lost = t.was.lost.find((one) => one.actor === t.actor);
    return lost === undefined ? undefined : `the dirty bit of ${hex(lost.start)} is lost`;
  },
};
