/**
 * mm/mapping_dirty_helpers.c: takes write permission, or the dirty bit, from all mappings of a part of a file, so
 * that a device driver learns which pages the CPU has written to. It walks by i_mmap: nobody holds mmap_sem.
 */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { endOfScope, stackObject } from "../machine/alloc.ts";
import { atomic_dec, atomic_inc, atomic_read } from "../machine/atomic.ts";
import { WARN_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, up_read } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at, int, Struct } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import type { ImageWriter } from "../image.ts";
import { VM_SHARED, type address_space } from "./mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init, type mmu_notifier_range } from "./mmu_notifier_types.ts";
import { walk_page_mapping } from "./pagewalk.ts";
import { mm_walk_ops, type mm_walk } from "./pagewalk_types.ts";
import {
  is_huge,
  PAGE_SIZE,
  pte_dirty,
  pte_mkclean,
  pte_present,
  pte_write,
  pte_wrprotect,
  type PmdEntry,
  type PteEntry,
  type PudEntry,
} from "./pgtable.ts";
import { get_and_clear, set_pte_at, snapshot, value } from "./pgtable_steps.ts";
import { flush_tlb_range } from "./tlb.ts";

/** struct wp_walk and struct clean_walk in one; on the caller's stack. */
class wp_walk extends Struct {
  static readonly short: string = "wpwalk";
  /** The part of the VMA that is walked: what the notifiers have been told of. */
  start = int();
  end = int();
  /** The part whose entries have changed. */
  tlbflush_start = int();
  tlbflush_end = int();
  /** How many entries have changed. */
  total = int();
}
function* mine(walk: mm_walk): Kernel<wp_walk> {
  return at(wp_walk, yield* loadPrivate(walk.private));
}
function* changed(walk: mm_walk, addr: number): Kernel<void> {
  const w = yield* mine(walk);
  const start = yield* loadPrivate(w.tlbflush_start);
  const end = yield* loadPrivate(w.tlbflush_end);
  yield* storePrivate(w.tlbflush_start, end === 0 ? addr : Math.min(start, addr));
  yield* storePrivate(w.tlbflush_end, Math.max(end, addr + PAGE_SIZE));
  yield* storePrivate(w.total, (yield* loadPrivate(w.total)) + 1);
}

const wp_pte = kernelFunction(
  "wp_pte",
  function* (pte: PteEntry, addr: number, _end: number, walk: mm_walk): Kernel<number> {
    const now = yield* value(pte);
    if (!pte_present(now) || !pte_write(now)) return 0;
    const old = yield* get_and_clear(pte);
    yield* set_pte_at(pte, pte_wrprotect(old));
    yield* changed(walk, addr);
    return 0;
  },
  {
    source: "mm/mapping_dirty_helpers.c",
    facts: "wp_clean_pud_entry",
    params: ["pte", "addr", "end", "walk"],
    summary: "Takes write permission from a PTE.",
  },
);
const clean_record_pte = kernelFunction(
  "clean_record_pte",
  function* (pte: PteEntry, addr: number, _end: number, walk: mm_walk): Kernel<number> {
    const now = yield* value(pte);
    if (!pte_present(now) || !pte_dirty(now)) return 0;
    const old = yield* get_and_clear(pte);
    yield* set_pte_at(pte, pte_mkclean(old));
    yield* changed(walk, addr);
    return 0;
  },
  {
    source: "mm/mapping_dirty_helpers.c",
    facts: "wp_clean_pud_entry",
    params: ["pte", "addr", "end", "walk"],
    summary: "Collects the dirty bit of a PTE.",
  },
);
const wp_clean_pmd_entry = kernelFunction(
  "wp_clean_pmd_entry",
  function* (pmd: PmdEntry, _addr: number, _end: number, walk: mm_walk): Kernel<number> {
    if (!(yield* loadPrivate(walk.huge))) return 0;
    const pmdval = yield* snapshot(pmd);
    yield* WARN_ON(
      is_huge(pmdval) && (pte_write(pmdval) || pte_dirty(pmdval)),
      "pmd_write(pmdval) || pmd_dirty(pmdval)",
    );
    return 0;
  },
  {
    source: "mm/mapping_dirty_helpers.c",
    facts: "wp_clean_pud_entry",
    params: ["pmd", "addr", "end", "walk"],
    summary: "Warns of a leaf that is written to: only PTEs are looked after.",
  },
);
/** `pud`: what the walker has read, if it tells. */
export const wp_clean_pud_entry = kernelFunction(
  "wp_clean_pud_entry",
  function* (_pud: number, pudp: PudEntry, _addr: number, _end: number, walk: mm_walk): Kernel<number> {
    if (!(yield* loadPrivate(walk.huge))) return 0;
    yield* warn_of_leaf(yield* fact("W1", snapshot(pudp)));
    return 0;
  },
  {
    source: "mm/mapping_dirty_helpers.c",
    facts: "wp_clean_pud_entry",
    params: ["pud", "pudp", "addr", "end", "walk"],
    own: ["pud"],
    summary: "Warns of a leaf that is written to. The walker then splits it, and what it knows of writes is gone.",
  },
);
export function* warn_of_leaf(pudval: number): Kernel<void> {
  const written = is_huge(pudval) && (pte_write(pudval) || pte_dirty(pudval));
  yield* fact("W2", WARN_ON(written, "pud_write(pudval) || pud_dirty(pudval)"));
}
const wp_clean_test_walk = kernelFunction(
  "wp_clean_test_walk",
  function* (_start: number, _end: number, walk: mm_walk): Kernel<number> {
    const vma = yield* loadPrivate(walk.vma);
    // Flags cannot change: whoever changes them takes i_mmap_rwsem.
    return ((yield* loadPrivate(vma.vm_flags)) & VM_SHARED) === 0 ? 1 : 0;
  },
  {
    source: "mm/mapping_dirty_helpers.c",
    params: ["start", "end", "walk"],
    summary: "Leaves out private mappings.",
  },
);

function* rangeOf(walk: mm_walk): Kernel<mmu_notifier_range> {
  const w = yield* mine(walk);
  const mm = yield* loadPrivate(walk.mm);
  const start = yield* loadPrivate(w.start);
  return mmu_notifier_range_init("MMU_NOTIFY_PROTECTION_PAGE", mm, start, yield* loadPrivate(w.end));
}
const wp_clean_pre_vma = kernelFunction(
  "wp_clean_pre_vma",
  function* (start: number, end: number, walk: mm_walk): Kernel<number> {
    const w = yield* mine(walk);
    yield* storePrivate(w.start, start);
    yield* storePrivate(w.end, end);
    yield* storePrivate(w.tlbflush_start, 0);
    yield* storePrivate(w.tlbflush_end, 0);
    const mm = yield* loadPrivate(walk.mm);
    yield* mmu_notifier_invalidate_range_start(yield* rangeOf(walk));
    yield* atomic_inc(mm.tlb_flush_pending);
    return 0;
  },
  {
    source: "mm/mapping_dirty_helpers.c",
    facts: "wp_clean_pud_entry",
    params: ["start", "end", "walk"],
    summary: "Before a VMA: tells the notifiers.",
  },
);
const wp_clean_post_vma = kernelFunction(
  "wp_clean_post_vma",
  function* (walk: mm_walk): Kernel<void> {
    const w = yield* mine(walk);
    const mm = yield* loadPrivate(walk.mm);
    const range = yield* rangeOf(walk);
    const start = yield* loadPrivate(w.tlbflush_start);
    const end = yield* loadPrivate(w.tlbflush_end);
    if ((yield* atomic_read(mm.tlb_flush_pending)) > 1) yield* flush_tlb_range(mm, range[1], range[2]);
    else if (end > start) yield* flush_tlb_range(mm, start, end);
    yield* mmu_notifier_invalidate_range_end(range);
    yield* atomic_dec(mm.tlb_flush_pending);
  },
  {
    source: "mm/mapping_dirty_helpers.c",
    facts: "wp_clean_pud_entry",
    params: ["walk"],
    summary: "After a VMA: flushes, then tells the notifiers that it is over.",
  },
);

const wp_walk_ops = staticObject(mm_walk_ops, "wp_walk_ops");
const clean_walk_ops = staticObject(mm_walk_ops, "clean_walk_ops");
export function dirtyHelpersImage(write: ImageWriter): void {
  for (const ops of [wp_walk_ops, clean_walk_ops]) {
    write(ops.pte_entry, ops === wp_walk_ops ? wp_pte : clean_record_pte);
    write(ops.pmd_entry, wp_clean_pmd_entry);
    write(ops.pud_entry, wp_clean_pud_entry);
    write(ops.test_walk, wp_clean_test_walk);
    write(ops.pre_vma, wp_clean_pre_vma);
    write(ops.post_vma, wp_clean_post_vma);
  }
}

const over = (name: string, ops: mm_walk_ops, summary: string) =>
  kernelFunction(
    name,
    function* (mapping: address_space, first_index: number, nr: number): Kernel<number> {
      const w = yield* stackObject(wp_walk, "struct wp_walk wpwalk");
      yield* storePrivate(w.total, 0);
      yield* down_read(mapping.i_mmap_rwsem);
      yield* walk_page_mapping(mapping, first_index, nr, ops, w.addr);
      yield* up_read(mapping.i_mmap_rwsem);
      const total = yield* loadPrivate(w.total);
      yield* endOfScope(w);
      return total;
    },
    { source: "mm/mapping_dirty_helpers.c", params: ["mapping", "first_index", "nr"], summary },
  );
export const wp_shared_mapping_range = over(
  "wp_shared_mapping_range",
  wp_walk_ops,
  "Makes all shared mappings of a part of a file read-only; how many entries have changed.",
);
export const clean_record_shared_mapping_range = over(
  "clean_record_shared_mapping_range",
  clean_walk_ops,
  "Collects the dirty bits of all shared mappings of a part of a file; how many there were.",
);
