/** The page-table walk of mm/hmm.c as of 5.2: what becomes of each entry. No PTE lock is taken. */
import { load, loadPrivate, store, storePrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at, Int, WORD, type Struct } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import type { ImageWriter } from "../image.ts";
import { EAGAIN, EBUSY, EFAULT } from "../machine/errno.ts";
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_REMOTE,
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_RETRY,
} from "./fault_flags.ts";
import { hmm_vma_walk, type hmm_range } from "./hmm_types.ts";
import { handle_mm_fault } from "./memory.ts";
import type { vm_area_struct } from "./mm_types.ts";
import { mm_walk_ops, type mm_walk } from "./pagewalk_types.ts";
import {
  is_huge,
  nth_page,
  page,
  PAGE_SIZE,
  pmd_none,
  PMD_SIZE,
  pte_page,
  pte_present,
  pte_special,
  pte_write,
  type PmdEntry,
} from "./pgtable.ts";
import { pte_offset, snapshot } from "./pgtable_steps.ts";

/** What the functions below want to know of a walk: what of it does not change meanwhile. */
type Walk = readonly [
  vma: vm_area_struct,
  range: hmm_range,
  start: number,
  pfns: number,
  default_flags: number,
  pfn_flags_mask: number,
  fault: boolean,
];
/** An error, and how far the walk has come. */
type walk_result = readonly [error: number, last: number];
function* walkOf(walk: mm_walk): Kernel<Walk> {
  const mine = at(hmm_vma_walk, yield* loadPrivate(walk.private));
  const range = yield* loadPrivate(mine.range);
  return [
    yield* loadPrivate(walk.vma),
    range,
    yield* loadPrivate(range.start),
    yield* loadPrivate(mine.pfns),
    yield* loadPrivate(range.default_flags),
    yield* loadPrivate(range.pfn_flags_mask),
    yield* loadPrivate(mine.fault),
  ];
}
function* leave(walk: mm_walk, [error, last]: walk_result): Kernel<number> {
  yield* storePrivate(at(hmm_vma_walk, yield* loadPrivate(walk.private)).last, last);
  return error;
}

/** Flags of an entry of range->pfns, in the low bits that a page's address leaves free; and values that are no page. */
export const HMM_PFN_VALID = 1;
export const HMM_PFN_WRITE = 2;
const FLAGS = 8;
export const HMM_PFN_NONE = 0;
export const HMM_PFN_ERROR = -1;
export const HMM_PFN_SPECIAL = -2;

/** Word `i` of the array that begins at `base`. */
export const wordOfArray = (owner: Struct, base: number, i: number): Int => new Int(owner, base + i * WORD);

/** The page of an entry; null if it has none. */
export function hmm_device_entry_to_page(entry: number): page | null {
  return entry > 0 && entry % 2 === HMM_PFN_VALID ? at(page, entry - (entry % FLAGS)) : null;
}
export const entryIsWritable = (entry: number): boolean => entry % FLAGS === HMM_PFN_VALID + HMM_PFN_WRITE;

const pfnAt = ([, range, start, pfns]: Walk, addr: number): Int => wordOfArray(range, pfns, (addr - start) / PAGE_SIZE);

/** What is asked for: the entry's own request where the mask lets it through. An entry nobody asks is not looked at. */
export const request_of = kernelFunction(
  "hmm_pte_need_fault",
  function* (pfn: Int, default_flags: number, mask: number): Kernel<number> {
    return mask === 0 ? default_flags : (((yield* load(pfn)) % FLAGS) & mask) | default_flags;
  },
  { source: "mm/hmm.c", params: ["pfn", "default_flags", "pfn_flags_mask"], internal: true },
);
/** Whether the CPU's entry falls short of a request, and whether that takes a write. */
function hmm_pte_need_fault(request: number, cpu: number, fault: boolean): readonly [fault: boolean, write: boolean] {
  if (!fault || (request & HMM_PFN_VALID) === 0) return [false, false];
  if ((request & HMM_PFN_WRITE) !== 0 && (cpu & HMM_PFN_WRITE) === 0) return [true, true];
  return [(cpu & HMM_PFN_VALID) === 0, false];
}

const hmm_vma_do_fault = kernelFunction(
  "hmm_vma_do_fault",
  function* (vma: vm_area_struct, addr: number, write: boolean, pfn: Int): Kernel<number> {
    const flags = FAULT_FLAG_ALLOW_RETRY + FAULT_FLAG_REMOTE + (write ? FAULT_FLAG_WRITE : 0);
    const ret = yield* handle_mm_fault(vma, addr, flags);
    if ((ret & VM_FAULT_RETRY) !== 0) return -EAGAIN;
    if ((ret & VM_FAULT_ERROR) !== 0) {
      yield* store(pfn, HMM_PFN_ERROR);
      return -EFAULT;
    }
    return -EBUSY;
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "DOFAULT",
    params: ["vma", "addr", "write_fault", "pfn"],
    summary: "Faults one page in. -EBUSY: done, look again.",
  },
);

/** Nothing is mapped over [addr, end). */
const walk_hole = kernelFunction(
  "hmm_vma_walk_hole",
  function* (addr: number, end: number, walk: Walk): Kernel<walk_result> {
    const [fault, write] = yield* range_need_fault(addr, end, walk, false);
    return yield* hmm_vma_walk_hole_(addr, end, fault, write, walk);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "HOLE",
    params: ["addr", "end", "walk"],
    summary: "Faults in what is asked for where nothing is mapped.",
  },
);
const range_need_fault = kernelFunction(
  "hmm_range_need_fault",
  function* (addr: number, end: number, walk: Walk, sofar: boolean): Kernel<readonly [fault: boolean, write: boolean]> {
    const [, , , , default_flags, mask, mayFault] = walk;
    if (!mayFault) return [false, false];
    const request = yield* request_of(pfnAt(walk, addr), default_flags, mask);
    const [fault, write] = hmm_pte_need_fault(request, 0, mayFault);
    const next = addr + PAGE_SIZE;
    if (write || next >= end) return [fault || sofar, write];
    return yield* range_need_fault.restart(next, end, walk, fault || sofar);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "need_fault",
    params: ["addr", "end", "walk", "fault"],
    summary: "Whether any page of a range is asked for.",
    differs: "With an empty pfn_flags_mask the entries themselves are not loaded.",
  },
);

/** `last` stays at `addr`: the walk comes back here to see what the faults brought. */
const hmm_vma_walk_hole_ = kernelFunction(
  "hmm_vma_walk_hole_",
  function* (addr: number, end: number, fault: boolean, write: boolean, walk: Walk): Kernel<walk_result> {
    const error = yield* fill_hole(addr, end, fault, write, walk);
    return [error, addr];
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "HOLE_",
    params: ["addr", "end", "fault", "write_fault", "walk"],
    summary: "Empties the entries of a range, and faults the pages in if asked to.",
  },
);
const fill_hole = kernelFunction(
  "hmm_vma_walk_hole_",
  function* (addr: number, end: number, fault: boolean, write: boolean, walk: Walk): Kernel<number> {
    const pfn = pfnAt(walk, addr);
    yield* store(pfn, HMM_PFN_NONE);
    if (fault || write) {
      const ret = yield* hmm_vma_do_fault(walk[0], addr, write, pfn);
      if (ret !== -EBUSY) return ret;
    }
    const next = addr + PAGE_SIZE;
    if (next >= end) return fault || write ? -EBUSY : 0;
    return yield* fill_hole.restart(next, end, fault, write, walk);
  },
  { source: "mm/hmm.c", facts: "HOLE_", params: ["addr", "end", "fault", "write_fault", "walk"], internal: true },
);

const hmm_vma_handle_pte = kernelFunction(
  "hmm_vma_handle_pte",
  function* (table: number, addr: number, end: number, walk: Walk): Kernel<walk_result> {
    const [, , , , default_flags, mask, mayFault] = walk;
    const pfn = pfnAt(walk, addr);
    const value = yield* load(yield* pte_offset(table, addr));
    const request = yield* request_of(pfn, default_flags, mask);
    yield* store(pfn, HMM_PFN_NONE);
    const cpu = pte_present(value) ? HMM_PFN_VALID + (pte_write(value) ? HMM_PFN_WRITE : 0) : 0;
    const [fault, write] = hmm_pte_need_fault(request, cpu, mayFault);
    if (fault || write) return yield* hmm_vma_walk_hole_(addr, end, fault, write, walk);
    if (!pte_present(value)) return [0, addr];
    if (pte_special(value)) {
      yield* store(pfn, HMM_PFN_SPECIAL);
      return [-EFAULT, addr];
    }
    yield* store(pfn, pte_page(value).addr + cpu);
    return [0, addr];
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "PTE",
    params: ["pmd", "addr", "end", "walk"],
    summary: "What a PTE means for the device: its page, nothing, a fault, or (zero page) an error.",
    differs:
      "What is swapped out, migrates or is on a device counts as empty: no wait for a migration. With an empty " +
      "pfn_flags_mask the entry itself is not loaded.",
  },
);
const handle_ptes = kernelFunction(
  "hmm_vma_walk_pmd",
  function* (table: number, addr: number, end: number, walk: Walk): Kernel<walk_result> {
    const [error] = yield* fact("c", hmm_vma_handle_pte(table, addr, end, walk));
    if (error !== 0) return [error, addr];
    const next = addr + PAGE_SIZE;
    return next >= end ? [0, end] : yield* handle_ptes.restart(table, next, end, walk);
  },
  { source: "mm/hmm.c", since: "v5.2", until: "v5.3", facts: "PMD", params: ["pmd", "addr", "end", "walk"] },
);
/** A leaf, page by page: its value is good for all of them, read without a lock. */
const handle_leaf = kernelFunction(
  "hmm_vma_handle_pmd",
  function* (leaf: number, addr: number, end: number, walk: Walk): Kernel<walk_result> {
    const [, , , , default_flags, mask, mayFault] = walk;
    const pfn = pfnAt(walk, addr);
    const request = yield* request_of(pfn, default_flags, mask);
    const cpu = HMM_PFN_VALID + (pte_write(leaf) ? HMM_PFN_WRITE : 0);
    const [fault, write] = hmm_pte_need_fault(request, cpu, mayFault);
    if (fault || write) return yield* hmm_vma_walk_hole_(addr, end, fault, write, walk);
    const part = nth_page(pte_page(leaf), Math.floor((addr % PMD_SIZE) / PAGE_SIZE));
    yield* store(pfn, part.addr + cpu);
    const next = addr + PAGE_SIZE;
    return next >= end ? [0, end] : yield* handle_leaf.restart(leaf, next, end, walk);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "PMD",
    params: ["pmd", "addr", "end", "walk"],
    summary: "The pages of a huge one.",
  },
);

const hmm_vma_walk_pmd = kernelFunction(
  "hmm_vma_walk_pmd",
  function* (pmd: PmdEntry, addr: number, end: number, walk: mm_walk): Kernel<number> {
    const context = yield* walkOf(walk);
    const now = yield* fact("a", snapshot(pmd));
    if (pmd_none(now)) return yield* leave(walk, yield* walk_hole(addr, end, context));
    const handle = is_huge(now) ? handle_leaf : handle_ptes;
    return yield* leave(walk, yield* handle(now, addr, end, context));
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "PMD",
    params: ["pmd", "addr", "end", "walk"],
    summary: "The entries of one PTE table, the pages of a huge one, or a hole.",
    differs: "A huge page that migrates is taken for a table.",
  },
);
const hmm_vma_walk_hole = kernelFunction(
  "hmm_vma_walk_hole",
  function* (addr: number, end: number, _depth: number, walk: mm_walk): Kernel<number> {
    return yield* leave(walk, yield* walk_hole(addr, end, yield* walkOf(walk)));
  },
  { source: "mm/hmm.c", facts: "HOLE", params: ["addr", "end", "depth", "walk"], internal: true },
);

/** Callbacks of hmm_range_fault() and hmm_range_snapshot(). */
export const hmm_walk_ops = staticObject(mm_walk_ops, "hmm_walk_ops");
export function hmmWalkImage(write: ImageWriter): void {
  write(hmm_walk_ops.pmd_entry, hmm_vma_walk_pmd);
  write(hmm_walk_ops.pte_hole, hmm_vma_walk_hole);
}
