/** The part of mm/memory.c that handles faults on what is not present: swapped out, migrating, on a device. */
import { loadPrivate } from "../machine/access.ts";
import { atomic_read } from "../machine/atomic.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { FAULT_FLAG_WRITE, VM_FAULT_OOM } from "./fault_flags.ts";
import { VM_WRITE, type vm_area_struct } from "./mm_types.ts";
import { do_device_private } from "./migrate_vma.ts";
import { alloc_page, get_page, put_page } from "./page_alloc.ts";
import { swap_readpage } from "./page_copy.ts";
import { lock_page, unlock_page, wait_on_page_locked } from "./page_flags.ts";
import {
  is_device_private_entry,
  is_migration_entry,
  mk_pte,
  pte_lockptr,
  pte_page,
  swap_slot_of,
  type page,
} from "./pgtable.ts";
import { pte_offset, set_pte_at, value } from "./pgtable_steps.ts";
import { page_add_new_anon_rmap, page_add_rmap } from "./rmap.ts";
import { lookup_swap_cache, swap_free, swap_slot, try_to_free_swap } from "./swap_slot.ts";

/** Sleeps, with mmap_sem held for reading, until the page at an address has migrated. */
export const migration_entry_wait = kernelFunction(
  "migration_entry_wait",
  function* (table: number, addr: number): Kernel<void> {
    const entry = yield* pte_offset(table, addr);
    yield* fact("w1", spin_lock(pte_lockptr(table)));
    const now = yield* fact("w2", value(entry));
    const waits = is_migration_entry(now);
    if (waits) yield* fact("w3", get_page(pte_page(now)));
    yield* fact("w4", spin_unlock(pte_lockptr(table)));
    if (!waits) return;
    yield* fact("w5", wait_on_page_locked(pte_page(now)));
    yield* fact("w6", put_page(pte_page(now)));
  },
  {
    source: "mm/migrate.c",
    facts: "migration_entry_wait",
    params: ["pmd", "address"],
    summary: "Waits for a migration to end.",
    differs: "The page cannot have lost its last reference: whoever migrates it holds one until the entry is gone.",
  },
);

/** `table`: what the PMD held when the PTE was found. */
export const do_swap_page = kernelFunction(
  "do_swap_page",
  function* (
    vma: vm_area_struct,
    vmFlags: number,
    table: number,
    addr: number,
    flags: number,
    orig: number,
  ): Kernel<number> {
    if (is_migration_entry(orig)) {
      yield* migration_entry_wait(table, addr);
      return 0;
    }
    if (is_device_private_entry(orig)) return yield* do_device_private(vma, table, addr, orig);
    const slot = swap_slot_of(swap_slot, orig);
    const cached = yield* lookup_swap_cache(slot);
    if (cached.isNull) return yield* read_from_swap(vma, vmFlags, table, addr, flags, orig);
    yield* lock_page(cached);
    // It may have left the swap cache while we slept: then the fault is taken again.
    const still = (yield* loadPrivate(cached.private)) === slot.addr;
    if (still) yield* map_swapped(vma, vmFlags, table, addr, flags, orig, cached);
    yield* unlock_page(cached);
    yield* put_page(cached);
    return 0;
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pmd", "address", "flags", "orig_pte"],
    own: ["vm_flags", "orig_pte"],
    summary: "Brings back what is not present.",
    differs:
      "A page that is read from swap does not enter the swap cache: one that is read twice at once is two pages, of " +
      "which one is dropped.",
  },
);
const mayWriteNow = (flags: number, vmFlags: number): boolean =>
  flags % 2 === FAULT_FLAG_WRITE && (vmFlags & VM_WRITE) !== 0;
/** The page is in the swap cache, and locked. */
const map_swapped = kernelFunction(
  "do_swap_page",
  function* (
    vma: vm_area_struct,
    vmFlags: number,
    table: number,
    addr: number,
    flags: number,
    orig: number,
    cached: page,
  ): Kernel<void> {
    const slot = swap_slot_of(swap_slot, orig);
    const entry = yield* pte_offset(table, addr);
    yield* spin_lock(pte_lockptr(table));
    const same = (yield* value(entry)) === orig;
    if (same) {
      const sole = (yield* atomic_read(slot.swap_map)) === 2 && (yield* atomic_read(cached.mapcount)) === 0;
      yield* get_page(cached);
      yield* page_add_rmap(cached, vma);
      yield* set_pte_at(entry, mk_pte(cached, sole && mayWriteNow(flags, vmFlags), true));
      yield* swap_free(slot);
    }
    yield* spin_unlock(pte_lockptr(table));
    if (same) yield* try_to_free_swap(cached);
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pmd", "address", "flags", "orig_pte", "page"],
    internal: true,
  },
);
const read_from_swap = kernelFunction(
  "do_swap_page",
  function* (
    vma: vm_area_struct,
    vmFlags: number,
    table: number,
    addr: number,
    flags: number,
    orig: number,
  ): Kernel<number> {
    const fresh = yield* alloc_page();
    if (fresh.isNull) return VM_FAULT_OOM;
    const slot = swap_slot_of(swap_slot, orig);
    yield* swap_readpage(fresh, slot);
    const entry = yield* pte_offset(table, addr);
    yield* spin_lock(pte_lockptr(table));
    const same = (yield* value(entry)) === orig;
    if (same) {
      yield* page_add_new_anon_rmap(fresh, vma, addr);
      yield* set_pte_at(entry, mk_pte(fresh, mayWriteNow(flags, vmFlags), true));
      yield* swap_free(slot);
    }
    yield* spin_unlock(pte_lockptr(table));
    if (!same) yield* put_page(fresh);
    return 0;
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pmd", "address", "flags", "orig_pte"],
    internal: true,
  },
);
