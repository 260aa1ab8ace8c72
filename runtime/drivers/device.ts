/**
 * A device with a page table of its own, as a driver programs one: what mmu notifiers exist to keep honest. It stands
 * for all of them, so it has the functions of none: these are ours.
 *
 * An entry says which page a user address was when the driver mapped it. The device believes it until the driver takes
 * it away; whoever uses one that the CPU's page table does not bear out any more has found what the driver forgot.
 */
import { loadPrivate } from "../machine/access.ts";
import { WARN_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { Op, primitive, step, type Kernel, type Primitive, type PrimitiveContext } from "../machine/step.ts";
import { at, headerAddress, SLOT, slotSize, WORD, type Names } from "../machine/struct.ts";
import { EFAULT, EINVAL, ENOMEM } from "../machine/errno.ts";
import { pfnsOf } from "../mm/hmm_range.ts";
import type { hmm_range } from "../mm/hmm_types.ts";
import { entryIsWritable, hmm_device_entry_to_page } from "../mm/hmm_walk.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import { compound_head } from "../mm/page_alloc.ts";
import { PG_anon } from "../mm/page_flags.ts";
import { alignDown, huge_page, mk_pte, type page, PAGE_SIZE, pte_page, pte_present, pte_write } from "../mm/pgtable.ts";
import { cpuPte, wordInPage } from "../mm/tlb.ts";
import {
  addressAt,
  entryAt,
  find,
  insert,
  isMapped,
  remove,
  spaceAt,
  TRANSLATIONS_MAX,
  translations,
} from "../mm/translations.ts";
import { recentFault } from "./recent_fault.ts";

/**
 * Its page table. What guards it is the driver's business; each operation on an entry is one step. `spaces` is
 * nothing of the hardware's: it is what tells a stale entry from a good one.
 */
export class device extends translations {
  static readonly heading: string = "devices";
  /** Its table is told of entry by entry. */
  static readonly shows: readonly string[] = [];
}

const NOTHING_THERE = 0;
const MAPPED = 1;
const TABLE_FULL = 2;
const MAP_RESULTS = ["no page", "mapped", "no room"] as const; // as a trace shows them
const mapPage = primitive("device_map", (m, dev = 0, addr = 0, pfn = 0, mm = 0) => {
  const entry = m.read(pfn);
  const page = hmm_device_entry_to_page(entry);
  return page === null ? NOTHING_THERE : enter(m, dev, addr, mk_pte(page, entryIsWritable(entry), false), mm);
});
const mapGivenPage = primitive("device_map", (m, dev = 0, addr = 0, entry = 0, mm = 0) =>
  enter(m, dev, addr, entry, mm),
);
function enter(m: PrimitiveContext, dev: number, addr: number, entry: number, mm: number): number {
  const there = find(m, dev, addr, 0);
  // The device knows of one address space only: whose it was is overwritten.
  if (isMapped(m, dev, there) && m.read(addressAt(dev, there)) === addr) remove(m, dev, there);
  return insert(m, dev, addr, entry, mm) ? MAPPED : TABLE_FULL;
}

const LAST = 1;
const MORE = 2;
const UNMAP_RESULTS = ["no page", "the last one", "more to come"] as const;
/** Takes the lowest entry of a range away; whether there was one, and whether there are more. */
const unmapPage = primitive("device_unmap", (m, dev = 0, start = 0, end = 0) => {
  const first = find(m, dev, start, 0);
  const isBelowEnd = (): boolean => isMapped(m, dev, first) && m.read(addressAt(dev, first)) < end;
  if (!isBelowEnd()) return NOTHING_THERE;
  remove(m, dev, first);
  return isBelowEnd() ? MORE : LAST;
});

/**
 * What became of a page since it was mapped, or null if the device may still use it. The CPU's page table is the judge:
 * invalidation begins before an entry of it changes, so a driver that unmaps in its callback is through by then.
 */
function staleness(
  look: (addr: number) => number,
  mm: number,
  addr: number,
  entry: number,
  write: boolean,
): string | null {
  if (look(headerAddress(entry)) <= 0) return "its page was freed";
  const pte = cpuPte(look, mm, addr);
  if (!pte_present(pte)) return "it was unmapped";
  if (pte_page(pte) !== pte_page(entry)) return "another page was mapped there";
  if (!write) return null;
  if (!pte_write(pte)) return "it was made read-only";
  return isShared(look, pte_page(entry)) ? "fork() gave it to another process, too" : null;
}
/** Whether an anonymous page is mapped more than once: each of the processes is to see its own stores alone. */
function isShared(look: (addr: number) => number, p: page): boolean {
  const head = compound_head(p);
  if ((look(head.flags.addr) & PG_anon) === 0) return false;
  const huge = slotSize(head.addr) === SLOT ? 0 : look(at(huge_page, head.addr).compound_mapcount.addr);
  return look(p.mapcount.addr) + huge > 1;
}
/** The table of a device, for those who look on. */
export function deviceEntries(
  look: (addr: number) => number,
  { addr: dev }: device,
): { addr: number; entry: number; writable: boolean; stale: string | null }[] {
  const entries = [];
  for (let i = 0; i < TRANSLATIONS_MAX && look(entryAt(dev, i)) !== 0; i++) {
    const [addr, entry] = [look(addressAt(dev, i)), look(entryAt(dev, i))];
    const writable = pte_write(entry);
    entries.push({ addr, entry, writable, stale: staleness(look, look(spaceAt(dev, i)), addr, entry, writable) });
  }
  return entries;
}
/** Address of the word that the device reaches, or 0 if it faults. */
function translate(m: PrimitiveContext, dev: number, addr: number, write: boolean): number {
  const page = addr - (addr % PAGE_SIZE);
  const i = find(m, dev, page, 0);
  if (!isMapped(m, dev, i) || m.read(addressAt(dev, i)) !== page) return 0;
  const entry = m.read(entryAt(dev, i));
  if (write && !pte_write(entry)) return 0;
  const what = staleness((word) => m.peek(word), m.read(spaceAt(dev, i)), page, entry, write);
  if (what !== null) m.fail("stale-translation", what, pte_page(entry).addr);
  return wordInPage(pte_page(entry), addr);
}
const read = primitive("device_read", (m, dev = 0, addr = 0) => {
  const word = translate(m, dev, addr, false);
  return word === 0 ? -EFAULT : m.read(word);
});
const write = primitive("device_write", (m, dev = 0, addr = 0, value = 0) => {
  const word = translate(m, dev, addr, true);
  if (word === 0) return -EFAULT;
  m.write(word, value);
  return 0;
});

/** "device gpu" */
function titled(dev: device, names: Names): string {
  const name = dev.expr(names);
  return name === "device" ? name : `device ${name}`;
}
const hex = (addr: number): string => `0x${addr.toString(16)}`;
function deviceStep<R>(
  run: Primitive,
  dev: device,
  args: readonly number[],
  text: (names: Names) => string,
  decode: (result: number) => R,
): Kernel<R> {
  return step({ op: Op.primitive, addr: dev.addr, primitive: run, args: [dev.addr, ...args], decode, text });
}
const itself = (result: number): number => result;

/** `mm`: whose memory it is if the range, being registered no more, does not say. */
export const device_map = kernelFunction(
  "device_map",
  function* (dev: device, range: hmm_range, mm: mm_struct): Kernel<number> {
    const h = yield* loadPrivate(range.hmm);
    const own = h.isNull ? mm : yield* loadPrivate(h.mm);
    const start = yield* loadPrivate(range.start);
    const end = yield* loadPrivate(range.end);
    return yield* map_pages.restart(dev, own.isNull ? mm : own, start, end, yield* pfnsOf(range), 0);
  },
  {
    params: ["dev", "range", "mm"],
    own: ["mm"],
    summary: "Maps what a fault or snapshot of a range has found, page by page; how many.",
  },
).since("v5.6", function* (dev: device, range: hmm_range, mm: mm_struct): Kernel<number> {
  const notifier = yield* loadPrivate(range.notifier);
  const own = notifier.isNull ? mm : yield* loadPrivate(notifier.mm);
  const start = yield* loadPrivate(range.start);
  const end = yield* loadPrivate(range.end);
  return yield* map_pages.restart(dev, own.isNull ? mm : own, start, end, yield* pfnsOf(range), 0);
});
/** The same with the last range that this CPU has faulted or snapshot with success; -EINVAL if that is another one. */
export const device_map_addresses = kernelFunction(
  "device_map",
  function* (dev: device, start: number, end: number): Kernel<number> {
    const fault = yield* recentFault(start, end);
    if (fault.isNull) return -EINVAL;
    const mm = yield* loadPrivate(fault.mm);
    const before = (start - (yield* loadPrivate(fault.start))) / PAGE_SIZE;
    return yield* map_pages.restart(dev, mm, start, end, fault.entries.at(before).addr, 0);
  },
  { params: ["dev", "start", "end"], summary: "Maps what this CPU's last fault or snapshot of a range has found." },
);
/** One page, however the driver came by it: from get_user_pages_fast() and the like. */
export const device_map_page = kernelFunction(
  "device_map",
  function* (dev: device, addr: number, p: page, write: number, mm: mm_struct): Kernel<number> {
    if (p.isNull) return 0;
    const start = alignDown(addr, PAGE_SIZE);
    const text = (names: Names): string => `${titled(dev, names)} maps ${hex(start)}`;
    const entry = mk_pte(p, write !== 0, false);
    const done = yield* deviceStep(mapGivenPage, dev, [start, entry, mm.addr], text, (n) => MAP_RESULTS[n]);
    return (yield* WARN_ON(done === "no room", `a device has room for ${TRANSLATIONS_MAX} pages`)) ? -ENOMEM : 1;
  },
  { params: ["dev", "addr", "page", "write", "mm"], own: ["mm"], summary: "Maps one page." },
);
const map_pages = kernelFunction(
  "device_map",
  function* (dev: device, mm: mm_struct, addr: number, end: number, pfn: number, mapped: number): Kernel<number> {
    if (addr >= end) return mapped;
    const text = (names: Names): string => `${titled(dev, names)} maps ${hex(addr)}`;
    const done = yield* deviceStep(mapPage, dev, [addr, pfn, mm.addr], text, (n) => MAP_RESULTS[n]);
    if (yield* WARN_ON(done === "no room", `a device has room for ${TRANSLATIONS_MAX} pages`)) return -ENOMEM;
    return yield* map_pages.restart(dev, mm, addr + PAGE_SIZE, end, pfn + WORD, mapped + (done === "mapped" ? 1 : 0));
  },
  { params: ["dev", "mm", "addr", "end", "pfn", "mapped"], own: ["mm", "pfn", "mapped"] },
);

/** One step for each page that is mapped, one if there is none. */
export const device_unmap = kernelFunction(
  "device_unmap",
  function* (dev: device, start: number, end: number): Kernel<void> {
    const text = (names: Names): string => `${titled(dev, names)} unmaps the first page of ${hex(start)}..${hex(end)}`;
    const done = yield* deviceStep(unmapPage, dev, [start, end], text, (n) => UNMAP_RESULTS[n]);
    if (done === "more to come") yield* device_unmap.restart(dev, start, end);
  },
  { params: ["dev", "start", "end"], summary: "Takes the pages of a range away from a device." },
);
export const device_unmap_range = kernelFunction(
  "device_unmap",
  function* (dev: device, range: hmm_range): Kernel<void> {
    const start = yield* loadPrivate(range.start);
    return yield* device_unmap.restart(dev, start, yield* loadPrivate(range.end));
  },
  { params: ["dev", "range"], summary: "Takes the pages of a range away from a device." },
);

// Look-up and access are one step: a driver's unmap returns when the device has let go of the page, as it must where
// the hardware caches entries.
export const device_read = kernelFunction(
  "device_read",
  function* (dev: device, addr: number): Kernel<number> {
    const text = (names: Names): string => `${titled(dev, names)} reads ${hex(addr)}`;
    return yield* deviceStep(read, dev, [addr], text, itself);
  },
  {
    params: ["dev", "address"],
    summary: "The device reads memory through its own page table; -EFAULT if it has no entry.",
    atom: true,
  },
);
export const device_write = kernelFunction(
  "device_write",
  function* (dev: device, addr: number, value: number): Kernel<number> {
    const text = (names: Names): string => `${titled(dev, names)} writes ${hex(addr)}`;
    return yield* deviceStep(write, dev, [addr, value], text, itself);
  },
  {
    params: ["dev", "address", "value"],
    summary: "The device writes memory through its own page table; -EFAULT if it has no entry, or a read-only one.",
    atom: true,
  },
);
