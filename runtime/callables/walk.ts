/** Who walks page tables, as scripts call them; and the kernel's own tables, which some of them walk. */
import {
  address,
  currentMm,
  number,
  object,
  optional,
  range,
  returnsBoolean,
  returnsNothing,
  returnsNumber,
  type Callable,
} from "../callable.ts";
import type { Kernel } from "../machine/step.ts";
import { damon_va_mkold } from "../mm/damon.ts";
import { migrate_huge_page } from "../mm/huge_migrate.ts";
import { init_mm, ioremap_page_range, vunmap_page_range } from "../mm/vmalloc.ts";
import { clean_record_shared_mapping_range, wp_shared_mapping_range } from "../mm/mapping_dirty_helpers.ts";
import { do_mincore } from "../mm/mincore.ts";
import { address_space, mm_struct } from "../mm/mm_types.ts";
import { walk_page_mapping, walk_page_range, walk_page_range_novma } from "../mm/pagewalk.ts";
import { mm_walk_ops } from "../mm/pagewalk_types.ts";
import {
  is_device_private_entry,
  is_migration_entry,
  pmd_bad,
  pmd_devmap,
  pmd_leaf,
  pmd_none,
  pmd_present,
  pmd_trans_huge,
  pte_devmap,
  pte_dirty,
  pte_none,
  pte_present,
  pte_protnone,
  pte_special,
  pte_write,
  pud_bad,
  pud_devmap,
  pud_leaf,
  pud_none,
  pud_present,
  pud_trans_huge,
} from "../mm/pgtable.ts";
import { ptdump_walk_pgd } from "../mm/ptdump.ts";

const mm = object("mm", () => mm_struct);
const mapping = object("mapping", () => address_space);

const ops = object("ops", () => mm_walk_ops);
const walkers: readonly Callable[] = [
  {
    name: "walk_page_range",
    params: [mm, range("range", "end"), ops, optional(number("private"), 0)],
    result: returnsNumber,
    summary: "calls back for the page-table entries of a range, VMA by VMA; needs mmap_sem",
    source: "mm/pagewalk.c",
    since: "v5.6",
    run: walk_page_range,
  },
  {
    name: "walk_page_range_novma",
    params: [mm, range("range", "end"), ops, optional(number("private"), 0)],
    result: returnsNumber,
    summary: "the same for whatever is in the tables, VMA or not",
    source: "mm/pagewalk.c",
    since: "v5.6",
    run: walk_page_range_novma,
  },
  {
    name: "walk_page_mapping",
    params: [mapping, number("first_index"), number("nr"), ops, optional(number("private"), 0)],
    result: returnsNumber,
    summary: "the same for a part of a file, in every VMA that maps it; needs i_mmap_rwsem",
    source: "mm/pagewalk.c",
    since: "v5.6",
    run: walk_page_mapping,
  },
];
/** What callbacks ask of an entry's value: no steps. */
const predicates: readonly Callable[] = Object.entries({
  ...{ pte_none, pte_present, pte_write, pte_dirty, pte_special, pte_devmap, pte_protnone },
  ...{ pmd_none, pmd_present, pmd_trans_huge, pmd_devmap, pmd_leaf, pmd_bad },
  ...{ pud_none, pud_present, pud_trans_huge, pud_devmap, pud_leaf, pud_bad },
  ...{ is_migration_entry, is_device_private_entry },
}).map(([name, test]) => ({
  name,
  params: [number("value")],
  result: returnsBoolean,
  summary: "asks it of the value of an entry",
  source: "include/linux/pgtable.h",
  *run(value: number): Kernel<boolean> {
    return test(value);
  },
}));

export const walkCallables: readonly Callable[] = [
  ...walkers,
  ...predicates,
  {
    name: "mincore",
    params: [currentMm, range("range", "length")],
    result: returnsNumber,
    summary: "how many pages of a range are mapped",
    source: "mm/mincore.c",
    needsUsers: true,
    run: do_mincore,
  },
  {
    name: "wp_shared_mapping_range",
    params: [mapping, number("first_index"), number("nr")],
    result: returnsNumber,
    summary: "takes write permission from all shared mappings of a part of a file; how many entries",
    source: "mm/mapping_dirty_helpers.c",
    since: "v5.6",
    run: wp_shared_mapping_range,
  },
  {
    name: "clean_record_shared_mapping_range",
    params: [mapping, number("first_index"), number("nr")],
    result: returnsNumber,
    summary: "collects the dirty bits of all shared mappings of a part of a file; how many",
    source: "mm/mapping_dirty_helpers.c",
    since: "v5.6",
    run: clean_record_shared_mapping_range,
  },
  {
    name: "ptdump_walk_pgd",
    params: [mm, range("range", "end")],
    result: returnsNumber,
    summary: "walks the page tables of an mm without VMAs; how many entries there are",
    source: "mm/ptdump.c",
    since: "v5.6",
    run: ptdump_walk_pgd,
  },
  {
    name: "ptdump_walk_kernel",
    params: [range("range", "end")],
    result: returnsNumber,
    summary: "the same for the kernel's own page tables",
    source: "mm/ptdump.c",
    since: "v5.6",
    run: (start: number, end: number) => ptdump_walk_pgd(init_mm, start, end),
  },
  {
    name: "damon_va_mkold",
    params: [currentMm, range("range", "end")],
    result: returnsNothing,
    summary: "DAMON makes the pages of a range old",
    source: "mm/damon/vaddr.c",
    patch: "damon-pte-offset-map",
    needsUsers: true,
    run: damon_va_mkold,
  },
  {
    name: "migrate_huge_page",
    params: [currentMm, address("address")],
    result: returnsNumber,
    summary: "begins to migrate a huge page, finds it in use and maps it again; 1 if there is none",
    source: "mm/migrate.c",
    needsUsers: true,
    run: migrate_huge_page,
  },
  {
    name: "ioremap_page_range",
    params: [range("range", "end")],
    result: returnsNumber,
    summary: "maps a range in the kernel's page tables: a whole GiB by one entry, else its first page",
    source: "lib/ioremap.c",
    run: ioremap_page_range,
  },
  {
    name: "vunmap_page_range",
    params: [range("range", "end")],
    result: returnsNothing,
    summary: "unmaps what ioremap_page_range() has mapped; page tables stay",
    source: "mm/vmalloc.c",
    run: vunmap_page_range,
  },
];
