/** Rules over states. What they are about is looked at again where a transition has touched it. */
import { device } from "../../../runtime/drivers/device.ts";
import { headerAddress, type StructClass } from "../../../runtime/machine/struct.ts";
import { STATIC_ARENA } from "../../../runtime/machine/types.ts";
import { compound_head } from "../../../runtime/mm/page_alloc.ts";
import { PG_anon } from "../../../runtime/mm/page_flags.ts";
import { pte_page, pte_present, pte_write, PAGE_STRIDE, is_table } from "../../../runtime/mm/pgtable.ts";
import { cpuPte } from "../../../runtime/mm/tlb.ts";
import {
  cachedEntries,
  deviceEntries,
  entriesUnder,
  isAnyTable,
  isPage,
  isTablePage,
  isType,
  mapped,
  roots,
  tlbBase,
  tlbEnd,
} from "./tables.ts";
import type { Change, Oracle, Transition } from "./rule.ts";
import { mannerOf } from "./told.ts";

const hex = (n: number): string => `0x${n.toString(16)}`;
const isCache = ({ addr, header }: Change): boolean => (addr >= tlbBase && addr < tlbEnd) || isType(header, device);
const isHeader = ({ addr }: Change): boolean => addr === headerAddress(addr);
const typeName = ({ machine }: Transition, addr: number): string =>
  (machine.typeAt(addr) as StructClass | undefined)?.name ?? "an object";

/** Where a value points to, if it is an entry of a table or of a cache. */
function refersTo(value: number): number {
  return value < STATIC_ARENA ? 0 : is_table(value) ? value : pte_page(value).addr;
}
export const O2: Oracle = {
  name: "O2",
  rule: "no page and no table is free while an entry, a TLB or a device refers to it",
  check(t) {
    const { memory } = t.machine;
    for (const change of t.changes) {
      if (isHeader(change)) {
        const freed = change.now < 0 && (isPage(change.now) || isTablePage(change.now));
        const holder = freed ? holderOf(t, change.addr) : 0;
        if (holder !== 0) return `${typeName(t, change.addr)} is freed, but ${typeName(t, holder)} refers to it`;
      } else if (change.now !== 0 && (isAnyTable(change.header) || isCache(change))) {
        const target = refersTo(change.now);
        if (target !== 0 && memory.header(target) < 0 && memory.header(change.addr) > 0)
          return `${typeName(t, change.addr)} gets an entry for a freed ${typeName(t, target)}`;
      }
    }
    return undefined;
  },
};
/** A word of a live table or cache that points into the slot at `base`; 0: there is none. */
function holderOf({ machine }: Transition, base: number): number {
  const { memory } = machine;
  for (let word = 2; word < memory.size; word++) {
    const value = memory.words[word] as number;
    if (value < STATIC_ARENA || headerAddress(value) !== base) continue;
    const addr = memory.addressOf(word);
    const header = memory.header(addr);
    const cached = addr >= tlbBase && addr < tlbEnd;
    if (header > 0 && (isAnyTable(header) || cached || isType(header, device))) return addr;
  }
  return 0;
}
/** In the drafts a start tells nobody. Who is told of a page when it is gone has let go of it when he has been told. */
export const O3: Oracle = {
  name: "O3",
  rule: "between start and end of an invalidation no device maps anything of its range",
  check(t) {
    const manner = mannerOf(t);
    const still = manner === "between start and end" ? undefined : stillMapped(t);
    if (still !== undefined || manner === "draft") return still;
    if (t.is.active.length === 0) return undefined;
    if (t.is.active === t.was.active && !t.changes.some(({ header }) => isType(header, device))) return undefined;
    for (const { mm, start } of deviceEntries(t.machine.memory)) {
      const range = t.is.active.find((r) => r.mm === mm && start >= r.start && start < r.end);
      if (range !== undefined)
        return `a device maps ${hex(start)} while ${hex(range.start)}..${hex(range.end)} is invalidated`;
    }
    return undefined;
  },
};
/** What a device maps that was told of it, and that the CPU does not map any more. */
function stillMapped({ machine: { memory }, is: { told, active } }: Transition): string | undefined {
  if (told.done.length === 0) return undefined;
  for (const { mm, start, value } of deviceEntries(memory)) {
    const isIn = (r: { mm: number; start: number; end: number }): boolean =>
      r.mm === mm && start >= r.start && start < r.end;
    const isUnderWay = active.some(isIn) || told.untold.some((one) => one.mm === mm && one.start === start);
    if (!told.done.some(isIn) || isUnderWay) continue;
    const cpu = cpuPte((addr) => memory.peek(addr), mm, start);
    const same = pte_present(cpu) && pte_page(cpu).addr === pte_page(value).addr;
    if (!same || (pte_write(value) && !pte_write(cpu)))
      return `a device still maps ${hex(start)} when it has been told that it is gone`;
  }
  return undefined;
}

export const O10: Oracle = {
  name: "O10",
  rule: "after fork() nobody writes to an anonymous page that another process maps",
  check(t) {
    const { machine } = t;
    const forked = t.events.some((e) => e.kind === "return" && machine.automaton.functionName(e.fn) === "dup_mmap");
    const maps = (c: Change): boolean => c.now >= STATIC_ARENA && (isAnyTable(c.header) || isCache(c));
    if (!forked && !t.changes.some(maps)) return undefined;
    const { memory } = machine;
    const look = (addr: number): number => memory.peek(addr);
    const processes = roots(memory, look);
    if (processes.length < 2 || isForking(t)) return undefined;
    const reached = processes
      .flatMap((root) => [...entriesUnder(memory, look, root)])
      .flatMap(({ place, value, start, size }) => {
        const m = mapped(value, start, size);
        return m === undefined || !isAnon(t, m.first) ? [] : [{ ...m, mm: place.mm.addr, by: "a page table" }];
      });
    const writers = reached.filter((m) => m.write && m.rank === 2);
    for (const { value, mm, start, of } of cachedEntries(memory)) {
      const first = pte_page(value).addr;
      if (pte_write(value) && isAnon(t, first))
        writers.push({ start, size: 1, first, behind: first + PAGE_STRIDE, write: true, rank: 2, mm, by: `a ${of}` });
    }
    for (const w of writers) {
      const other = reached.some((m) => m.mm !== w.mm && m.first < w.behind && w.first < m.behind);
      if (other) return `${w.by} lets a process write at ${hex(w.start)} to a page that another process maps`;
    }
    return undefined;
  },
};
function isAnon({ machine }: Transition, pageAddr: number): boolean {
  const head = compound_head(pte_page(pageAddr));
  return machine.memory.header(pageAddr) > 0 && (machine.memory.peek(head.flags.addr) & PG_anon) !== 0;
}
function isForking({ machine }: Transition): boolean {
  return Array.from(machine.locals.keys()).some((actor) =>
    machine.framesOf(actor).some(({ name }) => name === "dup_mmap"),
  );
}
