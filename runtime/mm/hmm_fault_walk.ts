/**
 * The callbacks of mm/hmm.c as of 5.6: what becomes of each entry that the page walker meets. No PTE or PMD lock is
 * taken; the PUD lock is, and is held where the walk then faults.
 */
import { load, loadPrivate, store, storePrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at, type Int } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import type { ImageWriter } from "../image.ts";
import { EAGAIN, EBUSY, EFAULT, EPERM } from "../machine/errno.ts";
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_REMOTE,
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_RETRY,
} from "./fault_flags.ts";
import { hmm_vma_walk, type hmm_range } from "./hmm_types.ts";
import { HMM_PFN_ERROR, HMM_PFN_NONE, HMM_PFN_SPECIAL, HMM_PFN_VALID, HMM_PFN_WRITE } from "./hmm_walk.ts";
import { request_of, wordOfArray } from "./hmm_walk.ts";
import { pmd_migration_entry_wait } from "./huge_memory.ts";
import { hmm_vma_walk_pud } from "./hmm_walk_pud.ts";
import { handle_mm_fault } from "./memory.ts";
import { VM_IO, VM_MIXEDMAP, VM_PFNMAP, VM_READ, VM_WRITE, type vm_area_struct } from "./mm_types.ts";
import { empty_zero_page } from "./page_alloc.ts";
import { mm_walk_ops, type mm_walk } from "./pagewalk_types.ts";
import {
  is_device_private_entry,
  is_huge,
  is_pmd_migration_entry,
  nth_page,
  PAGE_SIZE,
  pmd_bad,
  pmd_none,
  pmd_present,
  PMD_SIZE,
  pte_page,
  pte_present,
  pte_protnone,
  pte_special,
  pte_write,
  type PmdEntry,
} from "./pgtable.ts";
import { pte_offset, snapshot } from "./pgtable_steps.ts";

const source = "mm/hmm.c";
/** Flags of hmm_range_fault(). */
export const HMM_FAULT_ALLOW_RETRY = 1;
export const HMM_FAULT_SNAPSHOT = 2;
const HMM_PFN_DEVICE_PRIVATE = 4;

/** What does not change during a walk of one VMA. */
export type Walk = readonly [
  walk: hmm_vma_walk,
  vma: vm_area_struct,
  range: hmm_range,
  start: number,
  pfns: number,
  default_flags: number,
  pfn_flags_mask: number,
  flags: number,
];
export function* contextOf(walk: mm_walk): Kernel<Walk> {
  const mine = at(hmm_vma_walk, yield* loadPrivate(walk.private));
  const range = yield* loadPrivate(mine.range);
  return [
    mine,
    yield* loadPrivate(walk.vma),
    range,
    yield* loadPrivate(range.start),
    yield* loadPrivate(mine.pfns),
    yield* loadPrivate(range.default_flags),
    yield* loadPrivate(range.pfn_flags_mask),
    yield* loadPrivate(mine.flags),
  ];
}
const pfnAt = ([, , range, start, pfns]: Walk, addr: number): Int =>
  wordOfArray(range, pfns, (addr - start) / PAGE_SIZE);

type Need = readonly [fault: boolean, write: boolean];
const NO_NEED: Need = [false, false];
/** Whether the CPU's entry falls short of a request, and whether that takes a write. */
function hmm_pte_need_fault(request: number, cpu: number, flags: number): Need {
  if ((flags & HMM_FAULT_SNAPSHOT) !== 0 || (request & HMM_PFN_VALID) === 0) return NO_NEED;
  const write = (request & HMM_PFN_WRITE) !== 0;
  if ((cpu & HMM_PFN_DEVICE_PRIVATE) !== 0) return (request & HMM_PFN_DEVICE_PRIVATE) === 0 ? NO_NEED : [true, write];
  if (write && (cpu & HMM_PFN_WRITE) === 0) return [true, true];
  return [(cpu & HMM_PFN_VALID) === 0, false];
}
export const hmm_range_need_fault = kernelFunction(
  "hmm_range_need_fault",
  function* (addr: number, end: number, cpu: number, walk: Walk, sofar: boolean): Kernel<Need> {
    const [, , , , , default_flags, mask, flags] = walk;
    if ((flags & HMM_FAULT_SNAPSHOT) !== 0) return NO_NEED;
    const request = yield* request_of(pfnAt(walk, addr), default_flags, mask);
    const [fault, write] = hmm_pte_need_fault(request, cpu, flags);
    const next = addr + PAGE_SIZE;
    if (write || next >= end) return [fault || sofar, write];
    return yield* hmm_range_need_fault.restart(next, end, cpu, walk, fault || sofar);
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "need_fault",
    params: ["addr", "end", "cpu_flags", "context", "sofar"],
    own: ["sofar"],
    summary: "Whether any page of a range is asked for that an entry does not give.",
    differs: "With an empty pfn_flags_mask the driver's entries are not loaded.",
  },
);

const hmm_vma_do_fault = kernelFunction(
  "hmm_vma_do_fault",
  function* (vma: vm_area_struct, addr: number, write: boolean, pfn: Int, flags: number): Kernel<number> {
    if (!vma.isNull) {
      const retry = (flags & HMM_FAULT_ALLOW_RETRY) !== 0 ? FAULT_FLAG_ALLOW_RETRY : 0;
      const ret = yield* handle_mm_fault(vma, addr, FAULT_FLAG_REMOTE + retry + (write ? FAULT_FLAG_WRITE : 0));
      if ((ret & VM_FAULT_RETRY) !== 0) return -EAGAIN;
      if ((ret & VM_FAULT_ERROR) === 0) return -EBUSY;
    }
    yield* store(pfn, HMM_PFN_ERROR);
    return -EFAULT;
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "DOFAULT",
    params: ["vma", "addr", "write_fault", "pfn", "flags"],
    summary: "Faults one page in. -EBUSY: done, look again. -EAGAIN: mmap_sem has been dropped.",
  },
);

/** Writes one value to the entries of [addr, end). */
const fill = kernelFunction(
  "hmm_pfns_fill",
  function* (addr: number, end: number, value: number, walk: Walk): Kernel<void> {
    yield* store(pfnAt(walk, addr), value);
    const next = addr + PAGE_SIZE;
    if (next < end) yield* fill.restart(next, end, value, walk);
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    params: ["addr", "end", "value", "context"],
    summary: "Says the same of every page of a range.",
  },
);

/** `last` stays at `addr`: the walk comes back here to see what the faults brought. */
export const hmm_vma_walk_hole_ = kernelFunction(
  "hmm_vma_walk_hole_",
  function* (addr: number, end: number, fault: boolean, write: boolean, walk: Walk): Kernel<number> {
    const [mine, vma] = walk;
    yield* storePrivate(mine.last, addr);
    if (write && !vma.isNull && ((yield* load(vma.vm_flags)) & VM_WRITE) === 0) return -EPERM;
    return yield* fill_hole.restart(addr, end, fault, write, walk);
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "HOLE_",
    params: ["addr", "end", "fault", "write_fault", "context"],
    summary: "Empties the entries of a range, and faults the pages in if asked to.",
  },
);
const fill_hole = kernelFunction(
  "hmm_vma_walk_hole_",
  function* (addr: number, end: number, fault: boolean, write: boolean, walk: Walk): Kernel<number> {
    const pfn = pfnAt(walk, addr);
    yield* store(pfn, HMM_PFN_NONE);
    if (fault || write) {
      const ret = yield* hmm_vma_do_fault(walk[1], addr, write, pfn, walk[7]);
      if (ret !== -EBUSY) return ret;
    }
    const next = addr + PAGE_SIZE;
    if (next >= end) return fault || write ? -EBUSY : 0;
    return yield* fill_hole.restart(next, end, fault, write, walk);
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "HOLE_",
    params: ["addr", "end", "fault", "write_fault", "context"],
    internal: true,
  },
);

export const hmm_vma_walk_hole = kernelFunction(
  "hmm_vma_walk_hole",
  function* (addr: number, end: number, _depth: number, walk: mm_walk): Kernel<number> {
    const context = yield* contextOf(walk);
    const [fault, write] = yield* fact(1, hmm_range_need_fault(addr, end, 0, context, false));
    return yield* fact(2, hmm_vma_walk_hole_(addr, end, fault, write, context));
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "HOLE",
    params: ["addr", "end", "depth", "walk"],
    summary: "Faults in what is asked for where nothing is mapped.",
  },
);

const hmm_vma_walk_test = kernelFunction(
  "hmm_vma_walk_test",
  function* (start: number, end: number, walk: mm_walk): Kernel<number> {
    const vma = yield* loadPrivate(walk.vma);
    const flags = yield* load(vma.vm_flags);
    if ((flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP)) !== 0) return -EFAULT;
    if ((flags & VM_READ) !== 0) return 0;
    const context = yield* contextOf(walk);
    const [fault, write] = yield* hmm_range_need_fault(start, end, 0, context, false);
    if (fault || write) return -EFAULT;
    yield* fill(start, end, HMM_PFN_NONE, context);
    yield* storePrivate(context[0].last, end);
    return 1;
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "TEST",
    params: ["start", "end", "walk"],
    summary: "Refuses VMAs whose pages are no memory, and leaves out those that nobody may read.",
  },
);

/** A leaf: its value is good for all pages of the range. */
export const fill_leaf = kernelFunction(
  "hmm_vma_handle_pmd",
  function* (leaf: number, size: number, addr: number, end: number, cpu: number, walk: Walk): Kernel<number> {
    const part = nth_page(pte_page(leaf), Math.floor((addr % size) / PAGE_SIZE));
    yield* store(pfnAt(walk, addr), part.addr + (cpu | HMM_PFN_VALID));
    const next = addr + PAGE_SIZE;
    if (next < end) return yield* fill_leaf.restart(leaf, size, next, end, cpu, walk);
    yield* storePrivate(walk[0].last, end);
    return 0;
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "HPMD",
    params: ["leaf", "size", "addr", "end", "cpu_flags", "context"],
    internal: true,
  },
);
const hmm_vma_handle_pmd = kernelFunction(
  "hmm_vma_handle_pmd",
  function* (pmd: number, addr: number, end: number, walk: Walk): Kernel<number> {
    const cpu = pte_protnone(pmd) ? 0 : HMM_PFN_VALID + (pte_write(pmd) ? HMM_PFN_WRITE : 0);
    const [fault, write] = yield* hmm_range_need_fault(addr, end, cpu, walk, false);
    if (cpu === 0 || fault || write) return yield* hmm_vma_walk_hole_(addr, end, fault, write, walk);
    return yield* fill_leaf.restart(pmd, PMD_SIZE, addr, end, cpu, walk);
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "HPMD",
    params: ["pmd", "addr", "end", "context"],
    summary: "The pages of a huge one, or a fault.",
    differs: "No dev_pagemap: its references keep a device from going away, which none does.",
  },
);

export const hmm_vma_handle_pte = kernelFunction(
  "hmm_vma_handle_pte",
  function* (table: number, addr: number, end: number, walk: Walk): Kernel<number> {
    const pte = yield* load(yield* pte_offset(table, addr));
    return yield* handle_pte_value(pte, addr, end, walk);
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "PTE",
    params: ["pmd", "addr", "end", "context"],
    summary: "What a PTE means for the device: its page, nothing, a fault, or an error.",
    differs: "No hwpoison and no dev_pagemap. With an empty pfn_flags_mask the driver's entry is not loaded.",
  },
);
/** The same, the value being known. */
export const handle_pte_value = kernelFunction(
  "hmm_vma_handle_pte",
  function* (pte: number, addr: number, end: number, walk: Walk): Kernel<number> {
    const [mine, , , , , default_flags, mask, flags] = walk;
    const pfn = pfnAt(walk, addr);
    const request = yield* request_of(pfn, default_flags, mask);
    yield* store(pfn, HMM_PFN_NONE);
    const cpu = cpuFlags(pte);
    const need = cpu === undefined ? NO_NEED : hmm_pte_need_fault(request, cpu, flags);
    if (need[0] || need[1]) {
      yield* storePrivate(mine.last, addr);
      return yield* hmm_vma_walk_hole_(addr, end, ...need, walk);
    }
    const isPage = pte_present(pte) || is_device_private_entry(pte);
    if (!isPage) return 0;
    if (pte_special(pte) && pte_page(pte) !== empty_zero_page) {
      yield* store(pfn, HMM_PFN_SPECIAL);
      return -EFAULT;
    }
    yield* store(pfn, pte_page(pte).addr + ((cpu ?? 0) | HMM_PFN_VALID));
    return 0;
  },
  { source, since: "v5.6", until: "v5.8", facts: "PTE", params: ["pte", "addr", "end", "context"], internal: true },
);
/** Whether anybody has asked for the page at an address, and where the walk notes how far it came. */
export function* asksFor(addr: number, walk: Walk): Kernel<boolean> {
  const [, , , , , default_flags, mask, flags] = walk;
  const request = yield* request_of(pfnAt(walk, addr), default_flags, mask);
  const [fault, write] = hmm_pte_need_fault(request, 0, flags);
  return fault || write;
}
export const lastOf = ([mine]: Walk): Int => mine.last;
/** What a PTE gives; undefined for one that migrates, of which nobody asks whether it is needed. */
function cpuFlags(pte: number): number | undefined {
  const write = pte_write(pte) ? HMM_PFN_WRITE : 0;
  if (is_device_private_entry(pte)) return HMM_PFN_VALID + HMM_PFN_DEVICE_PRIVATE + write;
  if (is_pmd_migration_entry(pte)) return undefined;
  return pte_present(pte) && !pte_protnone(pte) ? HMM_PFN_VALID + write : 0;
}
const handle_ptes = kernelFunction(
  "hmm_vma_walk_pmd",
  function* (table: number, addr: number, end: number, walk: Walk): Kernel<number> {
    const error = yield* fact("c", hmm_vma_handle_pte(table, addr, end, walk));
    const next = error === 0 ? addr + PAGE_SIZE : addr;
    if (error === 0 && next < end) return yield* handle_ptes.restart(table, next, end, walk);
    yield* storePrivate(walk[0].last, next);
    return error;
  },
  { source, since: "v5.6", until: "v5.8", facts: "PMD", params: ["pmd", "addr", "end", "context"], internal: true },
);

const hmm_vma_walk_pmd = kernelFunction(
  "hmm_vma_walk_pmd",
  function* (pmdp: PmdEntry, addr: number, end: number, walk: mm_walk): Kernel<number> {
    const pmd = yield* fact("a", snapshot(pmdp));
    if (pmd_none(pmd)) return yield* hmm_vma_walk_hole(addr, end, -1, walk);
    const context = yield* contextOf(walk);
    if (is_pmd_migration_entry(pmd)) return yield* wait_for_pmd(pmdp, addr, end, context);
    if (!pmd_present(pmd)) return yield* mark_bad(addr, end, context);
    if (is_huge(pmd)) {
      const again = yield* fact("b", snapshot(pmdp));
      if (!is_huge(again)) return yield* hmm_vma_walk_pmd.restart(pmdp, addr, end, walk);
      return yield* hmm_vma_handle_pmd(again, addr, end, context);
    }
    if (pmd_bad(pmd)) return yield* mark_bad(addr, end, context);
    return yield* handle_ptes.restart(pmd, addr, end, context);
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "PMD",
    params: ["pmdp", "addr", "end", "walk"],
    summary: "The entries of one PTE table, the pages of a huge one, or a hole.",
  },
);
const wait_for_pmd = kernelFunction(
  "hmm_vma_walk_pmd",
  function* (pmdp: PmdEntry, addr: number, end: number, walk: Walk): Kernel<number> {
    const [fault, write] = yield* fact("a", hmm_range_need_fault(addr, end, 0, walk, false));
    if (!fault && !write) return 0;
    yield* storePrivate(walk[0].last, addr);
    yield* fact("a", pmd_migration_entry_wait(pmdp));
    return -EBUSY;
  },
  { source, since: "v5.6", until: "v5.8", facts: "PMD", params: ["pmdp", "addr", "end", "context"], internal: true },
);
const mark_bad = kernelFunction(
  "hmm_pfns_bad",
  function* (addr: number, end: number, walk: Walk): Kernel<number> {
    yield* fill(addr, end, HMM_PFN_ERROR, walk);
    return 0;
  },
  {
    source,
    since: "v5.6",
    until: "v5.8",
    facts: "PMD",
    params: ["addr", "end", "context"],
    summary: "Entries that are no pages.",
  },
);

/** Callbacks of hmm_range_fault(). */
export const hmm_fault_ops = staticObject(mm_walk_ops, "hmm_walk_ops");
export function hmmFaultImage(write: ImageWriter): void {
  write(hmm_fault_ops.pud_entry, hmm_vma_walk_pud);
  write(hmm_fault_ops.pmd_entry, hmm_vma_walk_pmd);
  write(hmm_fault_ops.pte_hole, hmm_vma_walk_hole);
  write(hmm_fault_ops.test_walk, hmm_vma_walk_test);
}
