/** The part of mm/memory.c that makes page tables and handles faults on anonymous memory. */
import { load, loadPrivate } from "../machine/access.ts";
import { freeBy } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { VM_WRITE, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import {
  mmu_notifier_invalidate_range,
  mmu_notifier_invalidate_range_only_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { alloc_page, allocate, empty_zero_page, put_page } from "./page_alloc.ts";
import {
  mk_pte,
  pgd_offset,
  pmd_offset,
  pmd_table,
  populate,
  pte_mkspecial,
  pte_none,
  pte_offset,
  pte_page,
  pte_special,
  pte_table,
  pte_write,
  ptep_get_and_clear,
  pud_offset,
  pud_table,
  set_pte_at,
  type pgd_table,
  PAGE_SIZE,
} from "./pgtable.ts";

export const FAULT_FLAG_WRITE = 0x1;
export const FAULT_FLAG_ALLOW_RETRY = 0x4;
export const FAULT_FLAG_REMOTE = 0x80;
const VM_FAULT_OOM = 0x1;
export const VM_FAULT_ERROR = 0x1;
export const VM_FAULT_RETRY = 0x400;

const __pud_alloc = kernelFunction(
  "__pud_alloc",
  function* (mm: mm_struct, pgd: pgd_table, addr: number): Kernel<pud_table> {
    const entry = pgd_offset(pgd, addr);
    const fresh = yield* allocate(pud_table, "pud_alloc_one(mm)");
    if (fresh.isNull) return fresh;
    yield* spin_lock(mm.page_table_lock);
    if ((yield* load(entry)).isNull) yield* populate(entry, fresh);
    else yield* freeBy("pud_free", fresh);
    yield* spin_unlock(mm.page_table_lock);
    return yield* load(entry);
  },
  {
    source: "mm/memory.c",
    facts: "F1",
    params: ["mm", "pgd", "addr"],
    summary: "Makes a PUD table, unless somebody else was faster.",
  },
);
const __pmd_alloc = kernelFunction(
  "__pmd_alloc",
  function* (mm: mm_struct, pud: pud_table, addr: number): Kernel<pmd_table> {
    const entry = pud_offset(pud, addr);
    const fresh = yield* allocate(pmd_table, "pmd_alloc_one(mm)");
    if (fresh.isNull) return fresh;
    yield* spin_lock(mm.page_table_lock);
    if ((yield* load(entry)).isNull) yield* populate(entry, fresh);
    else yield* freeBy("pmd_free", fresh);
    yield* spin_unlock(mm.page_table_lock);
    return yield* load(entry);
  },
  {
    source: "mm/memory.c",
    facts: "F3",
    params: ["mm", "pud", "addr"],
    summary: "Makes a PMD table, unless somebody else was faster.",
  },
);
const __pte_alloc = kernelFunction(
  "__pte_alloc",
  function* (pmd: pmd_table, addr: number): Kernel<pte_table> {
    const entry = pmd_offset(pmd, addr);
    const fresh = yield* allocate(pte_table, "pte_alloc_one(mm)");
    if (fresh.isNull) return fresh;
    yield* spin_lock(pmd.ptl);
    const lost = !(yield* load(entry)).isNull;
    if (!lost) yield* populate(entry, fresh);
    yield* spin_unlock(pmd.ptl);
    if (lost) yield* freeBy("pte_free", fresh);
    return yield* load(entry);
  },
  {
    source: "mm/memory.c",
    facts: "a1",
    params: ["pmd", "addr"],
    own: ["addr"],
    summary: "Makes a PTE table, unless somebody else was faster.",
  },
);

/** The tables on the way to `addr`, made where they are missing: the PMD table, or NULL if memory is short. */
const walk_alloc = kernelFunction(
  "__handle_mm_fault",
  function* (mm: mm_struct, addr: number): Kernel<pmd_table> {
    const pgd = yield* loadPrivate(mm.pgd);
    let pud = yield* fact("F1", load(pgd_offset(pgd, addr)));
    if (pud.isNull) pud = yield* __pud_alloc(mm, pgd, addr);
    if (pud.isNull) return NULL(pmd_table);
    const pmd = yield* fact("F3", load(pud_offset(pud, addr)));
    return pmd.isNull ? yield* __pmd_alloc(mm, pud, addr) : pmd;
  },
  { source: "mm/memory.c", facts: "handle_mm_fault", params: ["mm", "addr"], internal: true },
);

export const handle_mm_fault = kernelFunction(
  "handle_mm_fault",
  function* (vma: vm_area_struct, addr: number, flags: number): Kernel<number> {
    const vmFlags = yield* load(vma.vm_flags);
    const mm = yield* loadPrivate(vma.vm_mm);
    const pmd = yield* walk_alloc(mm, addr);
    if (pmd.isNull) return VM_FAULT_OOM;
    return yield* handle_pte_fault(mm, vmFlags, pmd, addr, flags % 2 === FAULT_FLAG_WRITE);
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "address", "flags"],
    bits: { flags: { FAULT_FLAG_WRITE, FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_REMOTE } },
    summary: "Makes the page at an address present, and writable if asked for. Needs mmap_sem and mm_users.",
    differs:
      "Anonymous memory only, nothing huge or swapped out; so it never drops mmap_sem. There are no " +
      "accessed and dirty bits, no memcg, no userfaultfd.",
  },
);

const handle_pte_fault = kernelFunction(
  "handle_pte_fault",
  function* (mm: mm_struct, vmFlags: number, pmd: pmd_table, addr: number, write: boolean): Kernel<number> {
    const pte = yield* fact("F6", load(pmd_offset(pmd, addr)));
    if (pte.isNull) return yield* fact("F7", do_anonymous_page(vmFlags, pmd, addr, write));
    const entry = pte_offset(pte, addr);
    const old = yield* fact("F6", load(entry));
    if (pte_none(old)) return yield* fact("F7", do_anonymous_page(vmFlags, pmd, addr, write));
    yield* fact("F8", spin_lock(pte.ptl));
    const same = (yield* fact("F8", load(entry))) === old;
    if (same && write && !pte_write(old)) return yield* fact("F8", do_wp_page(mm, vmFlags, pte, addr, old));
    yield* fact("F8", spin_unlock(pte.ptl));
    return 0;
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["mm", "vm_flags", "pmd", "address", "write"],
    own: ["vm_flags", "write"],
    summary: "Handles a fault, the tables down to the PMD being there.",
  },
);

const do_anonymous_page = kernelFunction(
  "do_anonymous_page",
  function* (vmFlags: number, pmd: pmd_table, addr: number, write: boolean): Kernel<number> {
    let pte = yield* fact("a1", load(pmd_offset(pmd, addr)));
    if (pte.isNull) pte = yield* __pte_alloc(pmd, addr);
    if (pte.isNull) return VM_FAULT_OOM;
    const entry = pte_offset(pte, addr);
    if (!write) {
      yield* fact("a5", spin_lock(pte.ptl));
      if (pte_none(yield* fact("a6", load(entry))))
        yield* fact("a9", set_pte_at(entry, pte_mkspecial(empty_zero_page)));
      yield* fact("a10", spin_unlock(pte.ptl));
      return 0;
    }
    const page = yield* fact("a4", alloc_page());
    if (page.isNull) return VM_FAULT_OOM;
    yield* fact("a5", spin_lock(pte.ptl));
    const none = pte_none(yield* fact("a6", load(entry)));
    if (none) yield* fact("a9", set_pte_at(entry, mk_pte(page, mayWrite(vmFlags))));
    yield* fact("a10", spin_unlock(pte.ptl));
    if (!none) yield* put_page(page);
    return 0;
  },
  {
    source: "mm/memory.c",
    facts: "anonymous",
    params: ["vm_flags", "pmd", "address", "write"],
    own: ["vm_flags", "write"],
    summary: "Maps a new page for a write, the zero page for a read.",
    differs: "No rmap, LRU, rss or OOM reaper.",
  },
);

const mayWrite = (vmFlags: number): boolean => (vmFlags & VM_WRITE) !== 0;

/** Called with the PTE lock held, and releases it. */
const do_wp_page = kernelFunction(
  "do_wp_page",
  function* (mm: mm_struct, vmFlags: number, pte: pte_table, addr: number, old: number): Kernel<number> {
    if (pte_special(old)) return yield* wp_page_copy(mm, vmFlags, pte, addr, old);
    yield* fact("c0", set_pte_at(pte_offset(pte, addr), mk_pte(pte_page(old), mayWrite(vmFlags))));
    yield* fact("c0", spin_unlock(pte.ptl));
    return 0;
  },
  {
    source: "mm/memory.c",
    facts: "COW",
    params: ["mm", "vm_flags", "pte", "address", "orig_pte"],
    own: ["vm_flags", "orig_pte"],
    summary: "Write to a read-only PTE.",
    differs: "Without fork() an anonymous page has one owner, who may write to it; only the zero page is ever copied.",
  },
);

const wp_page_copy = kernelFunction(
  "wp_page_copy",
  function* (mm: mm_struct, vmFlags: number, pte: pte_table, addr: number, old: number): Kernel<number> {
    const entry = pte_offset(pte, addr);
    yield* fact("c1", spin_unlock(pte.ptl));
    const fresh = yield* fact("c2", alloc_page());
    if (fresh.isNull) return VM_FAULT_OOM;
    const start = Math.floor(addr / PAGE_SIZE) * PAGE_SIZE;
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, start + PAGE_SIZE);
    yield* fact("c3", mmu_notifier_invalidate_range_start(range));
    yield* fact("c4", spin_lock(pte.ptl));
    const same = (yield* fact("c5", load(entry))) === old;
    if (same) {
      yield* fact("c6", ptep_get_and_clear(entry));
      yield* fact("c6", mmu_notifier_invalidate_range(mm, range[1], range[2]));
      yield* fact("c8", set_pte_at(entry, mk_pte(fresh, mayWrite(vmFlags))));
    }
    yield* fact("c10", spin_unlock(pte.ptl));
    yield* fact("c11", mmu_notifier_invalidate_range_only_end(range));
    if (!same) yield* put_page(fresh);
    return 0;
  },
  {
    source: "mm/memory.c",
    facts: "COW",
    params: ["mm", "vm_flags", "pte", "address", "orig_pte"],
    own: ["vm_flags", "orig_pte"],
    summary: "Replaces the zero page by a page of its own.",
    differs: "No CPU TLB to flush, no change_pte; the zero page has no reference to drop.",
  },
);
