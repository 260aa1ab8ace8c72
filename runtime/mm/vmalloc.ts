/**
 * lib/ioremap.c and mm/vmalloc.c: the kernel's own page tables, those of init_mm. What guards them is neither
 * mmap_sem nor a VMA: whoever maps a range has it to himself, and those who only look do not ask him.
 *
 * Differs: kernel addresses are below 2^47 here, as all addresses that a script can name.
 */
import { freeBy } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import type { Kernel } from "../machine/step.ts";
import { at } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import type { ImageWriter } from "../image.ts";
import { mm_struct } from "./mm_types.ts";
import { empty_zero_page } from "./page_alloc.ts";
import {
  is_table,
  mk_huge_devmap,
  pgd_none,
  pgd_table,
  pmd_none,
  pmd_table,
  PMD_SIZE,
  pte_mkspecial,
  pte_table,
  pud_addr_end,
  pud_none,
  PUD_SIZE,
  type PudEntry,
} from "./pgtable.ts";
import { __pmd_alloc, __pte_alloc, __pud_alloc } from "./pgtable_alloc.ts";
import { clear_table, get_and_clear, pgd_offset, pmd_offset, pte_offset, pud_offset } from "./pgtable_steps.ts";
import { set_entry, set_pte_at, value } from "./pgtable_steps.ts";
import { flush_tlb_range } from "./tlb.ts";

/** The address space of the kernel. */
export const init_mm = staticObject(mm_struct, "init_mm");
const swapper_pg_dir = staticObject(pgd_table, "swapper_pg_dir");
export function initMmImage(write: ImageWriter): void {
  write(init_mm.mm_users, 1);
  write(init_mm.mm_count, 1);
  write(init_mm.pgd, swapper_pg_dir);
}

/** The PUD entry of a kernel address, its table made if need be. */
const pud_of = kernelFunction(
  "ioremap_page_range",
  function* (addr: number): Kernel<PudEntry> {
    const p4d = pgd_offset(swapper_pg_dir, addr);
    if (pgd_none(yield* value(p4d))) yield* __pud_alloc(init_mm, p4d);
    return yield* pud_offset(yield* value(p4d), addr);
  },
  { source: "lib/ioremap.c", params: ["addr"], internal: true },
);

/** Whole GiB get a leaf, once the table that is there has been freed; else the first page of the range gets a PTE. */
export const ioremap_page_range = kernelFunction(
  "ioremap_page_range",
  function* (addr: number, end: number): Kernel<number> {
    const pud = yield* pud_of(addr);
    const next = pud_addr_end(addr, end);
    if (next - addr === PUD_SIZE) {
      yield* pud_free_pmd_page(pud, addr);
      yield* set_entry(pud, mk_huge_devmap(empty_zero_page, true));
    } else yield* map_small(pud, addr);
    return next >= end ? 0 : yield* ioremap_page_range.restart(next, end);
  },
  {
    source: "lib/ioremap.c",
    facts: "novma",
    params: ["addr", "end"],
    summary: "Maps device memory in the kernel, by entries as large as they go.",
    differs: "Of a part of a GiB only the first page is mapped.",
  },
);
const map_small = kernelFunction(
  "ioremap_page_range",
  function* (pud: PudEntry, addr: number): Kernel<void> {
    if (pud_none(yield* value(pud))) yield* __pmd_alloc(init_mm, pud);
    const pmd = yield* pmd_offset(yield* value(pud), addr);
    if (pmd_none(yield* value(pmd))) yield* __pte_alloc(init_mm, pmd);
    yield* set_pte_at(yield* pte_offset(yield* value(pmd), addr), pte_mkspecial(empty_zero_page));
  },
  { source: "lib/ioremap.c", params: ["pud", "addr"], internal: true },
);
/** X86's: the table is taken out and its translations flushed, then it is freed at once. */
export const pud_free_pmd_page = kernelFunction(
  "pud_free_pmd_page",
  function* (pud: PudEntry, addr: number): Kernel<void> {
    const table = yield* value(pud);
    if (!is_table(table)) return;
    const pmds = at(pmd_table, table);
    const pmd = yield* pmd_offset(table, addr);
    const ptes = yield* value(pmd);
    yield* get_and_clear(pud);
    yield* flush_tlb_range(init_mm, addr, addr + PUD_SIZE);
    if (is_table(ptes)) yield* freeBy("free_page", at(pte_table, ptes));
    yield* freeBy("free_page", pmds);
  },
  {
    source: "arch/x86/mm/pgtable.c",
    facts: "novma",
    params: ["pud", "addr"],
    summary: "Frees the tables below an entry that is to become a leaf.",
    differs: "It looks for a PTE table at the beginning of the GiB only.",
  },
);
/** vunmap(): entries go, tables stay. */
export const vunmap_page_range = kernelFunction(
  "vunmap_page_range",
  function* (addr: number, end: number): Kernel<void> {
    const pud = yield* pud_of(addr);
    const now = yield* value(pud);
    if (is_table(now)) {
      const pmd = yield* pmd_offset(now, addr);
      const ptes = yield* value(pmd);
      if (is_table(ptes)) yield* get_and_clear(yield* pte_offset(ptes, addr));
    } else if (!pud_none(now)) yield* clear_table(pud);
    yield* flush_tlb_range(init_mm, addr, Math.min(end, addr + PMD_SIZE));
  },
  { source: "mm/vmalloc.c", params: ["addr", "end"], summary: "Unmaps a range of kernel addresses." },
);
