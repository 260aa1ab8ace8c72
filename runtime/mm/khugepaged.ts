/**
 * The part of mm/khugepaged.c that collapses anonymous memory: 512 pages become a huge one. Nobody may come near while
 * it lasts: mmap_sem and the anon_vma are held for writing, and those who walk page tables without them are waited
 * for.
 */
import { load, loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, down_write, up_read, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, NULL } from "../machine/struct.ts";
import { EAGAIN, EINVAL, ENOMEM } from "../machine/errno.ts";
import { BUG_ON } from "../machine/bug.ts";
import { page_add_new_huge_rmap, pgtable_trans_huge_deposit } from "./huge_memory.ts";
import { find_pmd } from "./huge_split.ts";
import { VM_HUGEPAGE, VM_WRITE, vm_area_struct, type mm_struct } from "./mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { alloc_hugepage, empty_zero_page, put_page } from "./page_alloc.ts";
import { copy_user_highpage } from "./page_copy.ts";
import { PageAnon, trylock_page, unlock_page } from "./page_flags.ts";
import { PageCompound } from "./mapcount.ts";
import {
  alignDown,
  huge_page,
  is_swap_pte,
  is_table,
  mk_huge,
  nth_page,
  PAGE_SIZE,
  pmd_lockptr,
  pmd_none,
  PMD_SIZE,
  pte_devmap,
  pte_lockptr,
  pte_page,
  pte_special,
  pte_table,
  type PmdEntry,
} from "./pgtable.ts";
import { get_and_clear, next_pte, populate, pte_offset, reads, set_entry, value } from "./pgtable_steps.ts";
import { page_remove_rmap } from "./rmap.ts";
import { flush_tlb_range } from "./tlb.ts";
import { find_vma } from "./vma_tree.ts";

const PTES = 512;

/** What khugepaged does when it comes to 2 MiB of a process: 0, or why not. */
export const khugepaged_scan_pmd = kernelFunction(
  "khugepaged_scan_pmd",
  function* (mm: mm_struct, addr: number): Kernel<number> {
    const start = alignDown(addr, PMD_SIZE);
    yield* fact("k1", down_read(mm.mmap_sem));
    const vma = yield* hugepage_vma_revalidate(mm, start);
    yield* fact("k1", up_read(mm.mmap_sem));
    if (vma.isNull) return -EINVAL;
    return yield* collapse_huge_page(mm, start);
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["mm", "address"],
    summary: "Collapses 2 MiB of anonymous memory.",
    differs: "It does not look first whether it is worth it, and brings nothing back from swap.",
  },
);
const hugepage_vma_revalidate = kernelFunction(
  "hugepage_vma_revalidate",
  function* (mm: mm_struct, start: number): Kernel<vm_area_struct> {
    const vma = yield* find_vma(mm, start);
    if (vma.isNull) return vma;
    const fits = (yield* load(vma.vm_start)) <= start && start + PMD_SIZE <= (yield* load(vma.vm_end));
    const wanted = ((yield* load(vma.vm_flags)) & VM_HUGEPAGE) !== 0;
    const anon = (yield* loadPrivate(vma.vm_file)).isNull && !(yield* load(vma.anon_vma)).isNull;
    return fits && wanted && anon ? vma : NULL(vm_area_struct);
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["mm", "address"],
    summary: "The VMA of 2 MiB that may be a huge page, or NULL.",
  },
);

export const collapse_huge_page = kernelFunction(
  "collapse_huge_page",
  function* (mm: mm_struct, start: number): Kernel<number> {
    const fresh = yield* fact("k2", alloc_hugepage());
    if (fresh.isNull) return -ENOMEM;
    yield* fact("k4", down_write(mm.mmap_sem));
    const vma = yield* fact("k5", hugepage_vma_revalidate(mm, start));
    const pmd = vma.isNull ? null : yield* fact("k5", find_pmd(vma, start));
    const table = pmd === null ? 0 : yield* fact("k5", value(pmd));
    const done = pmd !== null && is_table(table) && (yield* collapse(vma, pmd, table, start, fresh));
    yield* fact("k21", up_write(mm.mmap_sem));
    if (!done) yield* put_page(fresh);
    return done ? 0 : -EAGAIN;
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["mm", "address"],
    summary: "Takes the page table out, copies what it mapped into a huge page, and maps that.",
  },
);
/** Under mmap_sem. */
const collapse = kernelFunction(
  "collapse_huge_page",
  function* (vma: vm_area_struct, pmd: PmdEntry, table: number, start: number, fresh: huge_page): Kernel<boolean> {
    const family = yield* loadPrivate(vma.anon_vma);
    yield* fact("k6", down_write(family.rwsem));
    yield* unhook(vma, pmd, start);
    yield* fact("k13", spin_lock(pte_lockptr(table)));
    const isolated = yield* __collapse_huge_page_isolate(table, start, start);
    yield* fact("k15", spin_unlock(pte_lockptr(table)));
    if (!isolated) yield* put_back(pmd, table);
    yield* fact(isolated ? "k17" : "k16", up_write(family.rwsem));
    if (!isolated) return false;
    yield* __collapse_huge_page_copy(vma, table, start, start, fresh);
    yield* enter(vma, pmd, table, start, fresh);
    return true;
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["vma", "pmd", "table", "address", "page"],
    internal: true,
  },
);
const unhook = kernelFunction(
  "collapse_huge_page",
  function* (vma: vm_area_struct, pmd: PmdEntry, start: number): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, start + PMD_SIZE);
    yield* fact("k7", mmu_notifier_invalidate_range_start(range));
    yield* fact("k8", spin_lock(pmd_lockptr(pmd)));
    yield* fact("k9", get_and_clear(pmd));
    yield* fact("k10", flush_tlb_range(mm, start, start + PMD_SIZE));
    yield* fact("k11", spin_unlock(pmd_lockptr(pmd)));
    yield* fact("k12", mmu_notifier_invalidate_range_end(range));
  },
  { source: "mm/khugepaged.c", facts: "khugepaged", params: ["vma", "pmd", "address"], internal: true },
);
const put_back = kernelFunction(
  "collapse_huge_page",
  function* (pmd: PmdEntry, table: number): Kernel<void> {
    yield* fact("k16", spin_lock(pmd_lockptr(pmd)));
    yield* BUG_ON(!(yield* fact("k16", reads(pmd_none, pmd))), "!pmd_none(*pmd)");
    yield* fact("k16", populate(pmd, at(pte_table, table)));
    yield* fact("k16", spin_unlock(pmd_lockptr(pmd)));
  },
  { source: "mm/khugepaged.c", facts: "khugepaged", params: ["pmd", "table"], internal: true },
);

/** Locks every page, if nobody else has a reference to any; false, and none locked, if somebody has. */
const __collapse_huge_page_isolate = kernelFunction(
  "__collapse_huge_page_isolate",
  function* (table: number, start: number, addr: number): Kernel<boolean> {
    const index = (addr - start) / PAGE_SIZE;
    const found = index === PTES ? "none" : yield* fact("k14", next_pte(at(pte_table, table), index, PTES));
    if (found === "none") return true;
    const here = start + found * PAGE_SIZE;
    if (yield* lock_one(table, here))
      return yield* __collapse_huge_page_isolate.restart(table, start, here + PAGE_SIZE);
    yield* release_pte_pages(table, start, start, here);
    return false;
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["table", "start", "address"],
    own: ["start"],
    summary: "Locks every page, if nobody else has a reference to any.",
    differs: "Pages of which a huge page consists, and those in the swap cache, count as in use. No LRU.",
  },
);
const release_pte_pages = kernelFunction(
  "release_pte_pages",
  function* (table: number, start: number, addr: number, end: number): Kernel<void> {
    const found = yield* next_pte(at(pte_table, table), (addr - start) / PAGE_SIZE, (end - start) / PAGE_SIZE);
    if (found === "none") return;
    const pte = yield* value(yield* pte_offset(table, start + found * PAGE_SIZE));
    if (!pte_special(pte)) yield* unlock_page(pte_page(pte));
    return yield* release_pte_pages.restart(table, start, start + (found + 1) * PAGE_SIZE, end);
  },
  {
    source: "mm/khugepaged.c",
    params: ["table", "start", "address", "end"],
    own: ["start"],
    summary: "Unlocks what had been locked already.",
  },
);
const isAlone = primitive("page_count", (m, refcount = 0) => (m.read(refcount) === 1 ? 1 : 0));
/** False if it is in use. */
const lock_one = kernelFunction(
  "__collapse_huge_page_isolate",
  function* (table: number, addr: number): Kernel<boolean> {
    const pte = yield* fact("k14", value(yield* pte_offset(table, addr)));
    if (is_swap_pte(pte) || pte_devmap(pte)) return false;
    if (pte_special(pte)) return true;
    const p = pte_page(pte);
    if (PageCompound(p) || !(yield* PageAnon(p))) return false;
    if (!(yield* fact("k14", trylock_page(p)))) return false;
    const alone = yield* fact(
      "k14",
      step({
        op: Op.primitive,
        addr: p._refcount.addr,
        primitive: isAlone,
        args: [p._refcount.addr],
        decode: (n) => n !== 0,
        text: (names) => `page_count(${p.expr(names)}) == 1`,
      }),
    );
    if (!alone) yield* unlock_page(p);
    return alone;
  },
  { source: "mm/khugepaged.c", facts: "khugepaged", params: ["table", "address"], internal: true },
);

/** Nobody can reach the table any more, nor write to the pages. */
const __collapse_huge_page_copy = kernelFunction(
  "__collapse_huge_page_copy",
  function* (vma: vm_area_struct, table: number, start: number, addr: number, fresh: huge_page): Kernel<void> {
    const index = (addr - start) / PAGE_SIZE;
    if (index === PTES) return;
    const found = yield* fact("k18", next_pte(at(pte_table, table), index, PTES));
    if (found === "none") return;
    const here = start + found * PAGE_SIZE;
    const entry = yield* pte_offset(table, here);
    const p = pte_page(yield* fact("k18", value(entry)));
    if (p.addr !== empty_zero_page.addr) yield* fact("k18", copy_user_highpage(nth_page(fresh, found), p));
    yield* fact("k18", spin_lock(pte_lockptr(table)));
    yield* fact("k18", get_and_clear(entry));
    if (p.addr !== empty_zero_page.addr) yield* fact("k18", page_remove_rmap(p, vma));
    yield* fact("k18", spin_unlock(pte_lockptr(table)));
    if (p.addr !== empty_zero_page.addr) {
      yield* unlock_page(p);
      yield* fact("k18", put_page(p));
    }
    return yield* __collapse_huge_page_copy.restart(vma, table, start, here + PAGE_SIZE, fresh);
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["vma", "table", "start", "address", "page"],
    own: ["start"],
    summary: "Copies every page, and frees it.",
  },
);
const enter = kernelFunction(
  "collapse_huge_page",
  function* (vma: vm_area_struct, pmd: PmdEntry, table: number, start: number, fresh: huge_page): Kernel<void> {
    const writable = ((yield* loadPrivate(vma.vm_flags)) & VM_WRITE) !== 0;
    yield* fact("k20", spin_lock(pmd_lockptr(pmd)));
    yield* BUG_ON(!(yield* fact("k20", reads(pmd_none, pmd))), "!pmd_none(*pmd)");
    yield* fact("k20", page_add_new_huge_rmap(fresh, vma, start));
    yield* pgtable_trans_huge_deposit(pmd, at(pte_table, table));
    yield* fact("k20", set_entry(pmd, mk_huge(fresh, writable, true)));
    yield* fact("k20", spin_unlock(pmd_lockptr(pmd)));
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["vma", "pmd", "table", "address", "page"],
    internal: true,
  },
);
