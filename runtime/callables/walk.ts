/** Who walks page tables, as scripts call them; and the kernel's own tables, which some of them walk. */
import {
  address,
  currentMm,
  number,
  object,
  range,
  returnsNothing,
  returnsNumber,
  type Callable,
} from "../callable.ts";
import { damon_va_mkold } from "../mm/damon.ts";
import { migrate_huge_page } from "../mm/huge_migrate.ts";
import { init_mm, ioremap_page_range, vunmap_page_range } from "../mm/vmalloc.ts";
import { clean_record_shared_mapping_range, wp_shared_mapping_range } from "../mm/mapping_dirty_helpers.ts";
import { do_mincore } from "../mm/mincore.ts";
import { address_space, mm_struct } from "../mm/mm_types.ts";
import { ptdump_walk_pgd } from "../mm/ptdump.ts";

const mapping = object("mapping", () => address_space);

export const walkCallables: readonly Callable[] = [
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
    params: [object("mm", () => mm_struct), range("range", "end")],
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
