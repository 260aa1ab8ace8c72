/** The part of mm/rmap.c that takes a page away from everybody who maps it. The page is locked. */
import { loadPrivate } from "../machine/access.ts";
import { atomic_dec, atomic_inc } from "../machine/atomic.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { at } from "../machine/struct.ts";
import { load } from "../machine/access.ts";
import { VM_LOCKED, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { mmu_notifier_invalidate_page } from "./mmu_notifier_page.ts";
import {
  mmu_notifier_invalidate_range,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { put_page } from "./page_alloc.ts";
import { PageAnon, PageDirty, PageLazyfree, set_page_dirty } from "./page_flags.ts";
import {
  is_device_private_entry,
  make_migration_entry,
  make_swap_entry,
  PAGE_SIZE,
  pte_dirty,
  pte_lockptr,
  pte_write,
  type page,
  type PteEntry,
} from "./pgtable.ts";
import { get_and_clear, pte_offset, set_pte_at } from "./pgtable_steps.ts";
import { page_remove_rmap } from "./rmap.ts";
import { page_not_mapped, page_vma_mapped_walk, rmap_walk } from "./rmap_walk.ts";
import { swap_slot } from "./swap_slot.ts";
import { flush_tlb_range } from "./tlb.ts";

/** Leaves migration entries. */
export const TTU_MIGRATION = 0x1;
/** The TLBs are flushed by the caller, before it frees the page or writes it out. */
export const TTU_BATCH_FLUSH = 0x40;

/** Whether nothing maps the page any more. `pinned`: its anon_vma cannot go away. */
export const try_to_unmap = kernelFunction(
  "try_to_unmap",
  function* (p: page, flags: number): Kernel<boolean> {
    yield* rmap_walk(p, try_to_unmap_one, flags, false);
    return yield* page_not_mapped(p);
  },
  {
    source: "mm/rmap.c",
    facts: "try_to_unmap_one",
    params: ["page", "flags"],
    bits: { flags: { TTU_MIGRATION, TTU_BATCH_FLUSH } },
    summary: "Unmaps a locked page everywhere.",
    differs: "No accessed bit to look at, no huge pages, no hwpoison.",
  },
);

/** Whether VM_LOCKED keeps the page where it is. */
function* isMlocked(vma: vm_area_struct, flags: number): Kernel<boolean> {
  const migrates = (flags & TTU_MIGRATION) !== 0;
  return !migrates && ((yield* fact("u4", load(vma.vm_flags))) & VM_LOCKED) !== 0;
}
/** From 2.6.27 to 4.13 notifiers hear of the page alone: until 3.6 with the lock held, then without. */
export const withPage = (underLock: boolean) =>
  function* (p: page, vma: vm_area_struct, addr: number, flags: number): Kernel<boolean> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const table = yield* page_vma_mapped_walk(p, vma, addr, "mapped");
    if (table === 0) return true;
    const goOn = !(yield* isMlocked(vma, flags)) && (yield* unmap_pte(p, vma, table, addr, flags));
    yield* fact("u11", spin_unlock(pte_lockptr(table)));
    if (goOn && !underLock) yield* mmu_notifier_invalidate_page(mm, addr);
    return goOn;
  };
/** In the drafts, and since 4.14: of the range. */
function* withRange(p: page, vma: vm_area_struct, addr: number, flags: number): Kernel<boolean> {
  const mm = yield* loadPrivate(vma.vm_mm);
  const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, addr, addr + PAGE_SIZE);
  yield* fact("u2", mmu_notifier_invalidate_range_start(range));
  const table = yield* page_vma_mapped_walk(p, vma, addr, "mapped");
  let goOn = true;
  if (table !== 0) {
    goOn = (yield* isMlocked(vma, flags)) ? false : yield* unmap_pte(p, vma, table, addr, flags);
    yield* fact("u11", spin_unlock(pte_lockptr(table)));
  }
  yield* fact("u12", mmu_notifier_invalidate_range_end(range));
  return goOn;
}
export const try_to_unmap_one = kernelFunction("try_to_unmap_one", withRange, {
  source: "mm/rmap.c",
  facts: "try_to_unmap_one",
  params: ["page", "vma", "address", "flags"],
  bits: { flags: { TTU_MIGRATION, TTU_BATCH_FLUSH } },
  summary: "Unmaps a page from one VMA.",
})
  .since("v2.6.27", withPage(true))
  .since("v3.8", withPage(false))
  .since("v4.19", withRange);
/** With the PTE lock: false if it is to stay. `tells`: notifiers, at once. `batches`: since 4.3 flushes may wait. */
export const unmapping = (tells: boolean, batches = false) =>
  function* (p: page, vma: vm_area_struct, table: number, addr: number, flags: number): Kernel<boolean> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const entry = yield* pte_offset(table, addr);
    const old = yield* fact("u6", get_and_clear(entry));
    const device = is_device_private_entry(old); // no CPU can have it in its TLB
    const waits = batches && (flags & TTU_BATCH_FLUSH) !== 0;
    if (!device && !waits) yield* fact("u6", flush_tlb_range(mm, addr, addr + PAGE_SIZE));
    if (tells) yield* fact("u6", mmu_notifier_invalidate_page(mm, addr));
    if (!device && pte_dirty(old)) yield* fact("u7", set_page_dirty(p));
    if ((flags & TTU_MIGRATION) !== 0) {
      yield* fact("u8", set_pte_at(entry, make_migration_entry(p, pte_write(old))));
      yield* fact("u10", atomic_dec(p.mapcount)); // still counted as memory of the mm
    } else if (yield* PageAnon(p)) {
      if (!(yield* leave_swap_entry(p, mm, entry, old, addr))) return false;
      yield* fact("u10", page_remove_rmap(p, vma));
    } else yield* fact("u10", page_remove_rmap(p, vma));
    yield* fact("u10", put_page(p));
    return true;
  };
export const unmap_pte = kernelFunction("try_to_unmap_one", unmapping(false), {
  source: "mm/rmap.c",
  facts: "try_to_unmap_one",
  params: ["page", "vma", "pmd", "address", "flags"],
  internal: true,
})
  .since("v2.6.27", unmapping(true))
  .since("v3.8", unmapping(false))
  .since("v4.19", unmapping(false, true));
/** False if the page was to be thrown away but has been written to: it is mapped again. */
const leavingSwapEntry = (flushesDevices: boolean) =>
  function* (p: page, mm: mm_struct, entry: PteEntry, old: number, addr: number): Kernel<boolean> {
    if (yield* PageLazyfree(p)) {
      if (yield* fact("u7", PageDirty(p))) {
        yield* set_pte_at(entry, old);
        return false;
      }
    } else {
      const slot = at(swap_slot, yield* loadPrivate(p.private));
      yield* fact("u8", atomic_inc(slot.swap_map));
      yield* fact("u8", set_pte_at(entry, make_swap_entry(slot)));
    }
    if (flushesDevices) yield* fact("u9", mmu_notifier_invalidate_range(mm, addr, addr + PAGE_SIZE));
    return true;
  };
const leave_swap_entry = kernelFunction("try_to_unmap_one", leavingSwapEntry(false), {
  source: "mm/rmap.c",
  facts: "try_to_unmap_one",
  params: ["page", "mm", "pte", "pteval", "address"],
  internal: true,
}).since("v4.19", leavingSwapEntry(true));
