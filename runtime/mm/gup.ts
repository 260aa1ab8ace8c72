/** mm/gup.c: references to the pages of a process, for whoever does I/O to them. One page at a time. */
import { load, loadPrivate } from "../machine/access.ts";
import { atomic_dec_and_test, atomic_inc_not_zero } from "../machine/atomic.ts";
import { freeBy } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, up_read } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { FAULT_FLAG_WRITE, VM_FAULT_ERROR } from "./fault_flags.ts";
import { handle_mm_fault } from "./memory.ts";
import { VM_READ, VM_WRITE, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { compound_head, put_page } from "./page_alloc.ts";
import {
  alignDown,
  hw_allows,
  is_huge_zero,
  is_table,
  nth_page,
  page,
  PAGE_SIZE,
  pmd_devmap,
  pmd_leaf,
  pmd_lockptr,
  PMD_SIZE,
  pte_devmap,
  pte_lockptr,
  pte_page,
  pte_present,
  pte_protnone,
  pte_special,
  pte_write,
  type PmdEntry,
} from "./pgtable.ts";
import { pgd_offset, pmd_offset, pte_offset, pud_offset, snapshot, value } from "./pgtable_steps.ts";
import { irqs_off, irqs_on } from "./tlb.ts";
import { find_vma } from "./vma_tree.ts";

export const FOLL_WRITE = 0x1;
/** The page is kept for I/O, not just looked at. */
export const FOLL_PIN = 0x40000;
const BITS = { gup_flags: { FOLL_WRITE, FOLL_PIN } };
const wantsWrite = (flags: number): boolean => (flags & FOLL_WRITE) !== 0;
const NOTHING = NULL(page);
/** The part of a leaf that an address lies in. */
const part = (leaf: number, addr: number): page =>
  nth_page(pte_page(leaf), (addr - alignDown(addr, PMD_SIZE)) / PAGE_SIZE);

// ---- references

/** False if the page has no reference left. In 5.6 a pin is a reference like any other. */
export const try_grab_page = kernelFunction(
  "try_grab_page",
  function* (p: page, _flags: number): Kernel<boolean> {
    return yield* atomic_inc_not_zero(compound_head(p)._refcount);
  },
  {
    source: "mm/gup.c",
    facts: "Stability",
    params: ["page", "gup_flags"],
    bits: BITS,
    summary: "Takes a reference to a page unless it has none.",
    atom: true,
  },
);
export const unpin_user_page = kernelFunction(
  "unpin_user_page",
  function* (p: page): Kernel<void> {
    const head = compound_head(p);
    if (yield* atomic_dec_and_test(head._refcount)) yield* freeBy("free_unref_page", head);
  },
  { source: "mm/gup.c", facts: "Stability", params: ["page"], summary: "Gives a pinned page up.", atom: true },
);

/** Gives back what try_grab_page() took: a pin, or a reference. */
function* put_grabbed_page(p: page, flags: number): Kernel<void> {
  yield* (flags & FOLL_PIN) === 0 ? put_page(p) : unpin_user_page(p);
}

// ---- without locks

/** The page, or NULL if there is no way but the slow one. */
export const internal_get_user_pages_fast = kernelFunction(
  "internal_get_user_pages_fast",
  function* (mm: mm_struct, addr: number, flags: number): Kernel<page> {
    return yield* without_interrupts(mm, addr, flags);
  },
  {
    source: "mm/gup.c",
    facts: "Stability",
    params: ["mm", "addr", "gup_flags"],
    own: ["mm"],
    bits: BITS,
    summary:
      "With interrupts off nobody can finish a TLB flush: what has been read from the page tables is still there.",
  },
);
export const without_interrupts = kernelFunction(
  "internal_get_user_pages_fast",
  function* (mm: mm_struct, addr: number, flags: number): Kernel<page> {
    yield* irqs_off("local_irq_save(flags)");
    const p = yield* fact("S7", gup_pgd_range(mm, addr, flags));
    yield* irqs_on("local_irq_restore(flags)");
    return p;
  },
  { source: "mm/gup.c", facts: "Stability", params: ["mm", "addr", "gup_flags"], internal: true },
);
const gup_pgd_range = kernelFunction(
  "gup_pgd_range",
  function* (mm: mm_struct, addr: number, flags: number): Kernel<page> {
    const p4d = yield* fact("S7", snapshot(pgd_offset(yield* loadPrivate(mm.pgd), addr)));
    if (!is_table(p4d)) return NOTHING;
    const pud = yield* fact("S7", snapshot(yield* pud_offset(p4d, addr)));
    if (!is_table(pud)) return NOTHING;
    const pmdEntry = yield* pmd_offset(pud, addr);
    const pmd = yield* fact("S7", snapshot(pmdEntry));
    if (is_table(pmd)) return yield* gup_pte_range(pmdEntry, pmd, addr, flags);
    if (pmd === 0 || pmd_devmap(pmd) || !pmd_leaf(pmd) || is_huge_zero(pmd)) return NOTHING;
    return yield* gup_huge_pmd(pmd, pmdEntry, addr, flags);
  },
  {
    source: "mm/gup.c",
    facts: "Stability",
    params: ["mm", "addr", "gup_flags"],
    own: ["mm"],
    bits: BITS,
    summary: "One marked load for each level.",
    differs: "Memory of DAX devices and the huge zero page are left to the slow path.",
  },
);
const gup_huge_pmd = kernelFunction(
  "gup_huge_pmd",
  function* (orig: number, entry: PmdEntry, addr: number, flags: number): Kernel<page> {
    if (!hw_allows(orig, wantsWrite(flags))) return NOTHING;
    const p = part(orig, addr);
    if (!(yield* fact("S7", try_grab_page(p, flags)))) return NOTHING;
    if ((yield* fact("S7", value(entry))) === orig) return p;
    yield* put_grabbed_page(p, flags);
    return NOTHING;
  },
  {
    source: "mm/gup.c",
    facts: "Stability",
    params: ["orig", "pmdp", "addr", "gup_flags"],
    bits: BITS,
    summary: "Takes a reference to a part of a huge page, and looks again.",
  },
);
export const gup_pte_range = kernelFunction(
  "gup_pte_range",
  function* (_pmdEntry: PmdEntry, pmd: number, addr: number, flags: number): Kernel<page> {
    const entry = yield* pte_offset(pmd, addr);
    const pte = yield* fact("S7", snapshot(entry));
    const usable = pte_present(pte) && !pte_protnone(pte) && hw_allows(pte, wantsWrite(flags));
    if (!usable || pte_special(pte) || pte_devmap(pte)) return NOTHING;
    const p = pte_page(pte);
    if (!(yield* fact("S7", try_grab_page(p, flags)))) return NOTHING;
    if ((yield* fact("S7", value(entry))) === pte) return p;
    yield* put_grabbed_page(p, flags);
    return NOTHING;
  },
  {
    source: "mm/gup.c",
    facts: "Stability",
    params: ["pmdp", "pmd", "addr", "gup_flags"],
    own: ["pmdp"],
    bits: BITS,
    summary: "Takes a reference to the page of a PTE, and reads the PTE again.",
  },
);

/** A page of a process, or NULL where it may not have one. */
export const get_user_pages_fast = kernelFunction(
  "get_user_pages_fast",
  function* (mm: mm_struct, addr: number, flags: number): Kernel<page> {
    const fast = yield* internal_get_user_pages_fast(mm, alignDown(addr, PAGE_SIZE), flags);
    return fast.isNull ? yield* get_user_pages_unlocked(mm, alignDown(addr, PAGE_SIZE), flags) : fast;
  },
  {
    source: "mm/gup.c",
    facts: "Stability",
    params: ["mm", "start", "gup_flags"],
    own: ["mm"],
    bits: BITS,
    summary:
      "A reference to a page of the process: without locks if it is mapped as is wanted, else by faulting it in.",
  },
);

// ---- with mmap_sem

export const get_user_pages_unlocked = kernelFunction(
  "get_user_pages_unlocked",
  function* (mm: mm_struct, addr: number, flags: number): Kernel<page> {
    yield* down_read(mm.mmap_sem);
    const p = yield* get_user_pages_remote(mm, alignDown(addr, PAGE_SIZE), flags);
    yield* up_read(mm.mmap_sem);
    return p;
  },
  {
    source: "mm/gup.c",
    params: ["mm", "start", "gup_flags"],
    own: ["mm"],
    bits: BITS,
    summary: "Takes mmap_sem, and a reference to a page, which is faulted in if need be.",
  },
);
/** Needs mmap_sem and a user of the mm. */
export const get_user_pages_remote = kernelFunction(
  "get_user_pages_remote",
  function* (mm: mm_struct, start: number, flags: number): Kernel<page> {
    const addr = alignDown(start, PAGE_SIZE);
    const vma = yield* find_vma(mm, addr);
    if (vma.isNull || (yield* load(vma.vm_start)) > addr) return NOTHING;
    const vmFlags = yield* load(vma.vm_flags);
    if ((vmFlags & (wantsWrite(flags) ? VM_WRITE : VM_READ | VM_WRITE)) === 0) return NOTHING;
    return yield* follow_or_fault.restart(vma, addr, flags);
  },
  {
    source: "mm/gup.c",
    params: ["mm", "start", "gup_flags"],
    bits: BITS,
    summary: "A reference to a page, which is faulted in if need be; mmap_sem must be held.",
    differs: "One page. mmap_sem is never dropped to wait. Nobody may force a write to what is read-only.",
  },
);
const follow_or_fault = kernelFunction(
  "__get_user_pages",
  function* (vma: vm_area_struct, addr: number, flags: number): Kernel<page> {
    const p = yield* follow_page_mask(vma, addr, flags);
    if (!p.isNull) return p;
    const ret = yield* handle_mm_fault(vma, addr, wantsWrite(flags) ? FAULT_FLAG_WRITE : 0);
    if ((ret & VM_FAULT_ERROR) !== 0) return NOTHING;
    return yield* follow_or_fault.restart(vma, addr, flags);
  },
  {
    source: "mm/gup.c",
    params: ["vma", "start", "gup_flags"],
    bits: BITS,
    summary: "Looks for a page, and faults it in until it is there.",
  },
);
export const follow_page_mask = kernelFunction(
  "follow_page_mask",
  function* (vma: vm_area_struct, addr: number, flags: number): Kernel<page> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const p4d = yield* value(pgd_offset(yield* loadPrivate(mm.pgd), addr));
    if (!is_table(p4d)) return NOTHING;
    const pud = yield* snapshot(yield* pud_offset(p4d, addr));
    if (!is_table(pud)) return NOTHING;
    const entry = yield* pmd_offset(pud, addr);
    const pmd = yield* snapshot(entry);
    if (is_table(pmd)) return yield* follow_page_pte(pmd, addr, flags);
    if (!pmd_leaf(pmd)) return NOTHING;
    return yield* follow_trans_huge_pmd(entry, addr, flags);
  },
  {
    source: "mm/gup.c",
    params: ["vma", "address", "gup_flags"],
    bits: BITS,
    summary: "The page at an address with a reference, if it is mapped as is wanted.",
    differs: "Memory of DAX devices mapped by leaves is not found.",
  },
);
const follow_trans_huge_pmd = kernelFunction(
  "follow_trans_huge_pmd",
  function* (entry: PmdEntry, addr: number, flags: number): Kernel<page> {
    yield* spin_lock(pmd_lockptr(entry));
    const now = yield* value(entry);
    const usable = pmd_leaf(now) && !pmd_devmap(now) && hw_allows(now, wantsWrite(flags));
    const p = !usable ? NOTHING : is_huge_zero(now) ? pte_page(now) : part(now, addr);
    const grabbed = usable && (yield* try_grab_page(p, flags));
    yield* spin_unlock(pmd_lockptr(entry));
    return grabbed ? p : NOTHING;
  },
  { source: "mm/huge_memory.c", params: ["pmd", "addr", "gup_flags"], bits: BITS, summary: "The same for a leaf." },
);
const follow_page_pte = kernelFunction(
  "follow_page_pte",
  function* (table: number, addr: number, flags: number): Kernel<page> {
    yield* spin_lock(pte_lockptr(table));
    const pte = yield* value(yield* pte_offset(table, addr));
    const usable = pte_present(pte) && !pte_protnone(pte) && (!wantsWrite(flags) || pte_write(pte)) && !pte_devmap(pte);
    const grabbed = usable && (yield* try_grab_page(pte_page(pte), flags));
    yield* spin_unlock(pte_lockptr(table));
    return grabbed ? pte_page(pte) : NOTHING;
  },
  { source: "mm/gup.c", params: ["pmd", "address", "gup_flags"], bits: BITS, summary: "The same for a PTE." },
);
