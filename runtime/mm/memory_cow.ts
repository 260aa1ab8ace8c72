/** The part of mm/memory.c that handles writes to read-only PTEs. */
import { loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { VM_FAULT_OOM } from "./fault_flags.ts";
import { VM_SHARED, VM_WRITE, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { mmu_notifier_change_pte, mmu_notifier_invalidate_page } from "./mmu_notifier_page.ts";
import {
  mmu_notifier_invalidate_range,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_only_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { alloc_page, get_page, put_page } from "./page_alloc.ts";
import { copy_user_highpage } from "./page_copy.ts";
import { lock_page, PageAnon, trylock_page, unlock_page } from "./page_flags.ts";
import {
  alignDown,
  mk_pte,
  PAGE_SIZE,
  pte_devmap,
  pte_lockptr,
  pte_mkdirty,
  pte_mkwrite,
  pte_page,
  pte_special,
  type PteEntry,
} from "./pgtable.ts";
import { get_and_clear, pte_offset, set_pte_at, value } from "./pgtable_steps.ts";
import { anon_vma_prepare, page_add_new_anon_rmap, page_remove_rmap } from "./rmap.ts";
import { reuse_swap_page } from "./swap_slot.ts";
import { flush_tlb_range } from "./tlb.ts";

const mayWrite = (vmFlags: number): boolean => (vmFlags & VM_WRITE) !== 0;

/** Called with the PTE lock held, and releases it. `table`: the PMD's value. */
export const do_wp_page = kernelFunction(
  "do_wp_page",
  function* (vma: vm_area_struct, vmFlags: number, table: number, addr: number, old: number): Kernel<number> {
    if (pte_special(old)) return yield* wp_page_copy(vma, vmFlags, table, addr, old);
    if (pte_devmap(old) || (vmFlags & VM_SHARED) !== 0) return yield* wp_page_reuse(vmFlags, table, addr, old);
    const page = pte_page(old);
    if (!(yield* PageAnon(page))) return yield* wp_page_copy(vma, vmFlags, table, addr, old);
    if (!(yield* fact("c0", trylock_page(page)))) {
      yield* get_page(page);
      yield* spin_unlock(pte_lockptr(table));
      yield* lock_page(page);
      yield* spin_lock(pte_lockptr(table));
      const same = (yield* value(yield* pte_offset(table, addr))) === old;
      if (!same) {
        yield* unlock_page(page);
        yield* spin_unlock(pte_lockptr(table));
        yield* put_page(page);
        return 0;
      }
      yield* put_page(page);
    }
    const sole = yield* fact("c0", reuse_swap_page(page));
    yield* fact("c0", unlock_page(page));
    return yield* sole ? wp_page_reuse(vmFlags, table, addr, old) : wp_page_copy(vma, vmFlags, table, addr, old);
  },
  {
    source: "mm/memory.c",
    facts: "COW",
    params: ["vma", "vm_flags", "pmd", "address", "orig_pte"],
    own: ["vm_flags", "orig_pte"],
    summary: "Write to a read-only PTE: whose page it is alone gets it writable in place, without a notifier.",
    differs: "page_mkwrite() is not called.",
  },
);
const wp_page_reuse = kernelFunction(
  "wp_page_reuse",
  function* (vmFlags: number, table: number, addr: number, old: number): Kernel<number> {
    const entry = yield* pte_offset(table, addr);
    const dirty = pte_mkdirty(old);
    yield* fact("c0", set_pte_at(entry, mayWrite(vmFlags) ? pte_mkwrite(dirty) : dirty));
    yield* fact("c0", spin_unlock(pte_lockptr(table)));
    return 0;
  },
  {
    source: "mm/memory.c",
    facts: "COW",
    params: ["vm_flags", "pmd", "address", "orig_pte"],
    own: ["vm_flags", "orig_pte"],
    summary: "Makes a PTE writable in place.",
  },
);

type End = typeof mmu_notifier_invalidate_range_end;
/** `end`: comes after the change, with a start before it; 2.6.27 to 3.6 have neither. */
const copying = (end: End | null) =>
  function* (vma: vm_area_struct, vmFlags: number, table: number, addr: number, old: number): Kernel<number> {
    const counted = !pte_special(old);
    const before = pte_page(old);
    if (counted) yield* fact("c1", get_page(before));
    yield* fact("c1", spin_unlock(pte_lockptr(table)));
    yield* fact("c2", anon_vma_prepare(vma));
    const fresh = yield* fact("c2", alloc_page());
    if (fresh.isNull) {
      if (counted) yield* put_page(before);
      return VM_FAULT_OOM;
    }
    if (counted) yield* fact("c2", copy_user_highpage(fresh, before));
    const mm = yield* loadPrivate(vma.vm_mm);
    const start = alignDown(addr, PAGE_SIZE);
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, start + PAGE_SIZE);
    if (end !== null) yield* fact("c3", mmu_notifier_invalidate_range_start(range));
    yield* fact("c4", spin_lock(pte_lockptr(table)));
    const same = (yield* fact("c5", value(yield* pte_offset(table, addr)))) === old;
    if (same) yield* replace(vma, vmFlags, table, start, before, fresh, counted);
    yield* fact("c10", spin_unlock(pte_lockptr(table)));
    if (end !== null) yield* fact("c11", end(range));
    if (!same) yield* put_page(fresh);
    if (counted) yield* fact("c12", put_page(before));
    return 0;
  };
const wp_page_copy = kernelFunction("wp_page_copy", copying(mmu_notifier_invalidate_range_end), {
  source: "mm/memory.c",
  facts: "COW",
  params: ["vma", "vm_flags", "pmd", "address", "orig_pte"],
  own: ["vm_flags", "orig_pte"],
  summary: "Replaces a page that others may see by a copy of its own.",
})
  .since("v2.6.27", copying(null))
  .since("v3.8", copying(mmu_notifier_invalidate_range_end))
  .since("v4.19", copying(mmu_notifier_invalidate_range_only_end));
/** Puts the new entry there, and tells notifiers; the old one is gone. */
type SetPte = (mm: mm_struct, entry: PteEntry, addr: number, pte: number) => Kernel<void>;
function* setSilently(_mm: mm_struct, entry: PteEntry, _addr: number, pte: number): Kernel<void> {
  yield* fact("c8", set_pte_at(entry, pte));
}
/** set_pte_at_notify() of 2.6.32 to 3.6: CPUs can write to the new page while a device still reads the old one. */
function* setThenTell(mm: mm_struct, entry: PteEntry, addr: number, pte: number): Kernel<void> {
  yield* fact("c8", set_pte_at(entry, pte));
  yield* fact("c8", mmu_notifier_change_pte(mm, addr, pte));
}
/** Since 3.7. */
function* tellThenSet(mm: mm_struct, entry: PteEntry, addr: number, pte: number): Kernel<void> {
  yield* fact("c8", mmu_notifier_change_pte(mm, addr, pte));
  yield* fact("c8", set_pte_at(entry, pte));
}
/** Told when the old entry is gone from the CPUs' TLBs. */
type TellGone = (mm: mm_struct, addr: number) => Kernel<unknown>;
function* tellNobody(_mm: mm_struct, _addr: number): Kernel<void> {}
/** Since 3.19. */
const tellRange: TellGone = (mm, addr) => mmu_notifier_invalidate_range(mm, addr, addr + PAGE_SIZE);
/** Under the PTE lock, the entry being what it was. */
const replacing = (tellGone: TellGone, setPte: SetPte) =>
  function* (
    vma: vm_area_struct,
    vmFlags: number,
    table: number,
    addr: number,
    before: ReturnType<typeof pte_page>,
    fresh: ReturnType<typeof pte_page>,
    counted: boolean,
  ): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const entry = yield* pte_offset(table, addr);
    yield* fact("c6", get_and_clear(entry));
    yield* fact("c6", flush_tlb_range(mm, addr, addr + PAGE_SIZE));
    yield* fact("c6", tellGone(mm, addr));
    yield* fact("c7", page_add_new_anon_rmap(fresh, vma, addr));
    yield* setPte(mm, entry, addr, mk_pte(fresh, mayWrite(vmFlags), true));
    if (!counted) return;
    yield* fact("c9", page_remove_rmap(before, vma));
    yield* fact("c9", put_page(before));
  };
const replace = kernelFunction("wp_page_copy", replacing(tellNobody, setSilently), {
  source: "mm/memory.c",
  facts: "COW",
  params: ["vma", "vm_flags", "pmd", "address", "old_page", "new_page", "counted"],
  internal: true,
})
  .since("v2.6.27", replacing(mmu_notifier_invalidate_page, setSilently))
  .since("v3.6", replacing(tellNobody, setThenTell))
  .since("v3.8", replacing(tellNobody, tellThenSet))
  .since("v4.19", replacing(tellRange, tellThenSet));
