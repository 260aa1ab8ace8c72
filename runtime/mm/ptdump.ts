/** mm/ptdump.c: prints whatever is in page tables, with a walk that asks for no VMA. Here it prints nothing. */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { endOfScope, stackObject } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, up_read } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at, int, Struct } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import type { ImageWriter } from "../image.ts";
import type { mm_struct } from "./mm_types.ts";
import { walk_page_range_novma } from "./pagewalk.ts";
import { mm_walk_ops, type mm_walk } from "./pagewalk_types.ts";
import { pud_leaf, type PmdEntry, type PteEntry, type PudEntry } from "./pgtable.ts";
import { snapshot } from "./pgtable_steps.ts";

/** struct ptdump_state; on the stack of whoever dumps. */
export class ptdump_state extends Struct {
  static readonly short: string = "st";
  /** How many entries have been noted: leaves, PTEs and holes. */
  noted = int();
}
/** note_page(). */
export function* note(walk: mm_walk): Kernel<void> {
  const st = at(ptdump_state, yield* loadPrivate(walk.private));
  yield* storePrivate(st.noted, (yield* loadPrivate(st.noted)) + 1);
}

export const ptdump_pud_entry = kernelFunction(
  "ptdump_pud_entry",
  function* (_pud: number, pudp: PudEntry, _addr: number, _next: number, walk: mm_walk): Kernel<number> {
    if (pud_leaf(yield* fact("T1", snapshot(pudp)))) yield* note(walk);
    return 0;
  },
  {
    source: "mm/ptdump.c",
    facts: "ptdump_pud_entry",
    params: ["pud", "pudp", "addr", "next", "walk"],
    own: ["pud"],
    summary: "Notes a leaf of 1 GiB.",
  },
);
const ptdump_pmd_entry = kernelFunction(
  "ptdump_pmd_entry",
  function* (pmd: PmdEntry, _addr: number, _next: number, walk: mm_walk): Kernel<number> {
    if (pud_leaf(yield* snapshot(pmd))) yield* note(walk);
    return 0;
  },
  { source: "mm/ptdump.c", params: ["pmd", "addr", "next", "walk"], summary: "Notes a leaf of 2 MiB." },
);
const ptdump_pte_entry = kernelFunction(
  "ptdump_pte_entry",
  function* (pte: PteEntry, _addr: number, _next: number, walk: mm_walk): Kernel<number> {
    if ((yield* snapshot(pte)) !== 0) yield* note(walk);
    return 0;
  },
  { source: "mm/ptdump.c", params: ["pte", "addr", "next", "walk"], summary: "Notes a PTE." },
);
const ptdump_hole = kernelFunction(
  "ptdump_hole",
  function* (_addr: number, _next: number, _depth: number, _walk: mm_walk): Kernel<number> {
    return 0;
  },
  { source: "mm/ptdump.c", params: ["addr", "next", "depth", "walk"], summary: "Notes that nothing is there." },
);
export const ptdump_ops = staticObject(mm_walk_ops, "ptdump_ops");
export function ptdumpImage(write: ImageWriter): void {
  write(ptdump_ops.pud_entry, ptdump_pud_entry);
  write(ptdump_ops.pmd_entry, ptdump_pmd_entry);
  write(ptdump_ops.pte_entry, ptdump_pte_entry);
  write(ptdump_ops.pte_hole, ptdump_hole);
}

export const ptdump_walk_pgd = kernelFunction(
  "ptdump_walk_pgd",
  function* (mm: mm_struct, start: number, end: number): Kernel<number> {
    const st = yield* stackObject(ptdump_state, "struct ptdump_state st");
    yield* storePrivate(st.noted, 0);
    yield* down_read(mm.mmap_sem);
    yield* walk_page_range_novma(mm, start, end, ptdump_ops, st.addr);
    yield* up_read(mm.mmap_sem);
    const noted = yield* loadPrivate(st.noted);
    yield* endOfScope(st);
    return noted;
  },
  {
    source: "mm/ptdump.c",
    facts: "ptdump_pud_entry",
    params: ["mm", "start", "end"],
    summary: "Walks the page tables of an mm without VMAs; how many entries there are.",
    differs: "It prints nothing, and there is no early shadow of KASAN.",
  },
);
