/**
 * The part of mm/migrate.c that moves pages of a process to the memory of a device and back, with the driver's side of
 * it. A page of a device that the CPU cannot reach is a page like others, but entries for it are in swap format.
 */
import { load, loadPrivate, storePrivate } from "../machine/access.ts";
import { atomic_dec } from "../machine/atomic.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, up_read } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { find_pmd } from "./huge_split.ts";
import { page_mapcount } from "./mapcount.ts";
import { move_to_new_page, remove_migration_ptes } from "./migrate.ts";
import type { mm_struct, vm_area_struct } from "./mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init, type mmu_notifier_event } from "./mmu_notifier_types.ts";
import { alloc_page, get_page, put_page } from "./page_alloc.ts";
import { lock_page, PageAnon, PG_device, set_page_dirty, trylock_page, unlock_page } from "./page_flags.ts";
import {
  is_device_private_entry,
  is_table,
  make_migration_entry,
  page,
  PAGE_SIZE,
  pte_devmap,
  pte_dirty,
  pte_lockptr,
  pte_page,
  pte_present,
  pte_special,
  pte_write,
} from "./pgtable.ts";
import { get_and_clear, pte_offset, set_pte_at, value } from "./pgtable_steps.ts";
import { flush_tlb_range } from "./tlb.ts";
import { try_to_unmap, TTU_MIGRATION } from "./try_to_unmap.ts";
import { find_vma } from "./vma_tree.ts";

/** What a driver does that wants the pages of a range in its device's memory; how many have moved. */
export const migrate_to_device = kernelFunction(
  "migrate_to_device",
  function* (mm: mm_struct, start: number, end: number): Kernel<number> {
    yield* down_read(mm.mmap_sem);
    const moved = yield* migrate_each(mm, start, end, 0);
    yield* up_read(mm.mmap_sem);
    return moved;
  },
  {
    source: "no kernel file: it stands for what a driver does with migrate_vma",
    params: ["mm", "start", "end"],
    summary: "Moves what is mapped in a range to the memory of a device; how many pages.",
  },
);
const migrate_each = kernelFunction(
  "migrate_to_device",
  function* (mm: mm_struct, addr: number, end: number, done: number): Kernel<number> {
    if (addr >= end) return done;
    const vma = yield* find_vma(mm, addr);
    const inside = !vma.isNull && (yield* load(vma.vm_start)) <= addr;
    const moved = inside && (yield* migrate_vma(vma, addr, true, 0));
    return yield* migrate_each.restart(mm, addr + PAGE_SIZE, end, done + (moved ? 1 : 0));
  },
  { params: ["mm", "addr", "end", "done"], internal: true },
);

/** `extra`: how many references others are known to have. */
export const migrate_vma = kernelFunction(
  "migrate_vma",
  function* (vma: vm_area_struct, addr: number, toDevice: boolean, extra: number): Kernel<boolean> {
    const p = yield* migrate_vma_collect(vma, addr, !toDevice);
    if (p.isNull) return false;
    const unmapped = (yield* page_mapcount(p)) === 0 || (yield* try_to_unmap(p, TTU_MIGRATION));
    const fresh = unmapped ? yield* alloc_target(toDevice) : NULL(page);
    if (!fresh.isNull) yield* lock_page(fresh);
    const moved = !fresh.isNull && (yield* move_to_new_page(fresh, p, extra)) === 0;
    yield* remove_migration_ptes(p, moved ? fresh : p);
    yield* unlock_page(p);
    yield* put_page(p);
    if (!fresh.isNull) {
      yield* unlock_page(fresh);
      yield* put_page(fresh);
    }
    return moved;
  },
  {
    source: "mm/migrate.c",
    facts: "migrate_vma",
    params: ["vma", "addr", "to_device", "extra"],
    own: ["extra"],
    summary: "Collects a page, unmaps it, has the driver copy it, and maps the copy.",
    differs: "One anonymous page; nothing is allocated where there was none. Copying by the device is one step.",
  },
);
const alloc_target = kernelFunction(
  "alloc_device_page",
  function* (onDevice: boolean): Kernel<page> {
    const fresh = yield* alloc_page();
    if (!fresh.isNull && onDevice) yield* storePrivate(fresh.flags, PG_device);
    return fresh;
  },
  { params: ["device"], internal: true },
);

/** The page of an entry, locked and with a reference, a migration entry in its place; or NULL. */
const collecting = (event: mmu_notifier_event) =>
  function* (vma: vm_area_struct, addr: number, fromDevice: boolean): Kernel<page> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const range = mmu_notifier_range_init(event, mm, addr, addr + PAGE_SIZE);
    yield* fact(1, mmu_notifier_invalidate_range_start(range));
    const pmd = yield* find_pmd(vma, addr);
    const table = pmd === null ? 0 : yield* value(pmd);
    const p = is_table(table) ? yield* collect_pte(vma, table, addr, fromDevice) : NULL(page);
    yield* fact(6, mmu_notifier_invalidate_range_end(range));
    return p;
  };
const migrate_vma_collect = kernelFunction("migrate_vma_collect", collecting("MMU_NOTIFY_CLEAR"), {
  source: "mm/migrate.c",
  facts: "migrate_vma",
  params: ["vma", "addr", "from_device"],
  summary: "Takes the page at an address away from the process, which waits for it from now on.",
  differs: "Huge pages are left alone. The range does not say which driver asks for it.",
}).since("v5.10", collecting("MMU_NOTIFY_MIGRATE"));
const collect_pte = kernelFunction(
  "migrate_vma_collect_pmd",
  function* (vma: vm_area_struct, table: number, addr: number, fromDevice: boolean): Kernel<page> {
    yield* fact(3, spin_lock(pte_lockptr(table)));
    const entry = yield* pte_offset(table, addr);
    const old = yield* fact(3, value(entry));
    const p = pte_page(old);
    const plain = pte_present(old) && !pte_special(old) && !pte_devmap(old);
    const wanted = fromDevice ? is_device_private_entry(old) : plain && (yield* PageAnon(p));
    if (wanted) yield* fact(3, get_page(p));
    const locked = wanted && (yield* fact(3, trylock_page(p)));
    if (locked) {
      const last = yield* fact(3, get_and_clear(entry));
      if (plain && pte_dirty(last)) yield* set_page_dirty(p);
      yield* fact(3, set_pte_at(entry, make_migration_entry(p, pte_write(last))));
      yield* fact(3, atomic_dec(p.mapcount)); // still counted as memory of the mm
      yield* fact(3, put_page(p));
    }
    const mm = yield* loadPrivate(vma.vm_mm);
    if (locked && plain) yield* fact(5, flush_tlb_range(mm, addr, addr + PAGE_SIZE));
    yield* fact(4, spin_unlock(pte_lockptr(table)));
    if (wanted && !locked) yield* put_page(p);
    return locked ? p : NULL(page);
  },
  { source: "mm/migrate.c", facts: "migrate_vma", params: ["vma", "pmd", "addr", "from_device"], internal: true },
);

/** The driver's answer to a CPU that faults on a page of its device: it looks at the page, and brings it back. */
export const migrate_to_ram = kernelFunction(
  "migrate_to_ram",
  function* (vma: vm_area_struct, addr: number, p: page, extra: number): Kernel<number> {
    yield* load(p.flags); // which device, and where on it
    yield* migrate_vma(vma, addr, false, extra);
    return 0;
  },
  {
    source: "include/linux/memremap.h",
    facts: "migrate_vma",
    params: ["vma", "addr", "page", "extra"],
    own: ["extra"],
    summary: "Brings a page back from a device.",
  },
);
/** do_swap_page() for such an entry. In 5.6 nobody keeps the page there meanwhile. */
export const do_device_private = kernelFunction(
  "do_swap_page",
  function* (vma: vm_area_struct, _table: number, addr: number, orig: number): Kernel<number> {
    return yield* migrate_to_ram(vma, addr - (addr % PAGE_SIZE), pte_page(orig), 0);
  },
  { source: "mm/memory.c", facts: "device-private", params: ["vma", "pmd", "addr", "orig_pte"], internal: true },
);
