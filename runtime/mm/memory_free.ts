/** The part of mm/memory.c that takes page tables out of the tree; the gather frees them. */
import { load, loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { type Kernel } from "../machine/step.ts";
import { at } from "../machine/struct.ts";
import type { mm_struct, vm_area_struct } from "./mm_types.ts";
import type { Tables } from "./mmu_gather.ts";
import {
  pgd_addr_end,
  pgd_none,
  PGDIR_SIZE,
  pmd_addr_end,
  pmd_entry,
  pmd_none,
  PMD_SIZE,
  pmd_table,
  pte_table,
  pud_addr_end,
  pud_entry,
  pud_none,
  PUD_SIZE,
  pud_table,
  type pgd_table,
} from "./pgtable.ts";
import { clear_table, pgd_offset, value } from "./pgtable_steps.ts";
import { unlink_anon_vmas, unlink_file_vma } from "./rmap.ts";

/**
 * Takes the page tables of a list of VMAs out of the tree; evaluates to those that wait to be freed. `floor` and
 * `ceiling` are where the neighbours end and begin, whose tables must stay.
 */
export const free_pgtables = kernelFunction(
  "free_pgtables",
  function* (mm: mm_struct, vma: vm_area_struct, floor: number, ceiling: number): Kernel<Tables> {
    const pgd = yield* loadPrivate(mm.pgd);
    const start = yield* load(vma.vm_start);
    return yield* free_each(pgd, vma, start, floor, ceiling, []);
  },
  {
    source: "mm/memory.c",
    facts: "free_pgtables",
    params: ["mm", "vma", "floor", "ceiling"],
    summary: "Unhooks page tables bottom-up, without a lock.",
    differs: "VMAs that lie near each other are not taken in one go.",
  },
);
/** `start` is where `vma` begins: looking for the end of the one before has loaded it. */
const free_each = kernelFunction(
  "free_pgtables",
  function* (
    pgd: pgd_table,
    vma: vm_area_struct,
    start: number,
    floor: number,
    ceiling: number,
    tables: Tables,
  ): Kernel<Tables> {
    const next = yield* load(vma.vm_next);
    yield* unlink_anon_vmas(vma);
    yield* unlink_file_vma(vma);
    const end = yield* load(vma.vm_end);
    const roof = next.isNull ? ceiling : yield* load(next.vm_start);
    // Whole PTE tables only; what a neighbour shares stays.
    const low = Math.floor(start / PMD_SIZE) * PMD_SIZE;
    const high = Math.ceil(end / PMD_SIZE) * PMD_SIZE;
    const from = low < floor ? low + PMD_SIZE : low;
    const to = high > roof ? high - PMD_SIZE : high;
    const all = from < to ? yield* free_pgd_range(pgd, from, to, floor, roof, tables) : tables;
    return next.isNull ? all : yield* free_each.restart(pgd, next, roof, floor, ceiling, all);
  },
  { source: "mm/memory.c", params: ["pgd", "vma", "start", "floor", "ceiling", "tables"], internal: true },
);

/** Whether all that an entry of `size` spans lies between the neighbours. */
function isOurs(addr: number, size: number, floor: number, ceiling: number): boolean {
  const start = Math.floor(addr / size) * size;
  return start >= floor && start + size <= ceiling;
}

const free_pgd_range = kernelFunction(
  "free_pgd_range",
  function* (
    pgd: pgd_table,
    addr: number,
    end: number,
    floor: number,
    ceiling: number,
    tables: Tables,
  ): Kernel<Tables> {
    const next = pgd_addr_end(addr, end);
    const entry = pgd_offset(pgd, addr);
    const table = yield* value(entry);
    let all = tables;
    if (!pgd_none(table)) {
      all = yield* free_pud_range(at(pud_table, table), addr, next, floor, ceiling, tables);
      if (isOurs(addr, PGDIR_SIZE, floor, ceiling)) {
        yield* clear_table(entry);
        all = [...all, at(pud_table, table)];
      }
    }
    return next === end ? all : yield* free_pgd_range.restart(pgd, next, end, floor, ceiling, all);
  },
  {
    source: "mm/memory.c",
    params: ["pgd", "addr", "end", "floor", "ceiling", "tables"],
    own: ["tables"],
    summary: "Unhooks PUD tables, and what is below them.",
  },
);
const free_pud_range = kernelFunction(
  "free_pud_range",
  function* (
    pud: pud_table,
    addr: number,
    end: number,
    floor: number,
    ceiling: number,
    tables: Tables,
  ): Kernel<Tables> {
    const next = pud_addr_end(addr, end);
    const entry = pud_entry(pud, addr);
    const table = yield* value(entry);
    let all = tables;
    if (!pud_none(table)) {
      all = yield* free_pmd_range(at(pmd_table, table), addr, next, tables);
      if (isOurs(addr, PUD_SIZE, floor, ceiling)) {
        yield* clear_table(entry);
        all = [...all, at(pmd_table, table)];
      }
    }
    return next === end ? all : yield* free_pud_range.restart(pud, next, end, floor, ceiling, all);
  },
  {
    source: "mm/memory.c",
    params: ["pud", "addr", "end", "floor", "ceiling", "tables"],
    own: ["tables"],
    summary: "Unhooks PMD tables, and what is below them.",
  },
);
const free_pmd_range = kernelFunction(
  "free_pmd_range",
  function* (pmd: pmd_table, addr: number, end: number, tables: Tables): Kernel<Tables> {
    const next = pmd_addr_end(addr, end);
    const entry = pmd_entry(pmd, addr);
    const table = yield* value(entry);
    let all = tables;
    if (!pmd_none(table)) {
      yield* clear_table(entry);
      all = [...tables, at(pte_table, table)];
    }
    return next === end ? all : yield* free_pmd_range.restart(pmd, next, end, all);
  },
  { source: "mm/memory.c", params: ["pmd", "addr", "end", "tables"], own: ["tables"], summary: "Unhooks PTE tables." },
);
