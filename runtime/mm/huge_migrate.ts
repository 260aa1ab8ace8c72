/** Migration of a page of 2 MiB as a whole: mm/huge_memory.c, set_pmd_migration_entry() and its counterpart. */
import { load, loadPrivate } from "../machine/access.ts";
import { atomic_dec, atomic_inc } from "../machine/atomic.ts";
import { kernelFunction, type KernelFunction } from "../machine/function.ts";
import { down_read, up_read } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at } from "../machine/struct.ts";
import { find_pmd } from "./huge_split.ts";
import type { anon_vma, mm_struct, vm_area_struct } from "./mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { get_page, put_page } from "./page_alloc.ts";
import { lock_page, unlock_page } from "./page_flags.ts";
import {
  huge_page,
  is_huge_zero,
  is_migration_entry,
  is_table,
  make_migration_entry,
  mk_huge,
  mk_pte,
  nth_page,
  PAGE_SIZE,
  pmd_lockptr,
  PMD_SIZE,
  pmd_trans_huge,
  pte_lockptr,
  pte_page,
  pte_table,
  pte_write,
  type PmdEntry,
} from "./pgtable.ts";
import { exchange_entry, set_entry, value } from "./pgtable_steps.ts";
import { first_of_family, next_of_family, put_anon_vma } from "./rmap.ts";
import { page_get_anon_vma } from "./rmap_walk.ts";
import { flush_tlb_range } from "./tlb.ts";
import { find_vma } from "./vma_tree.ts";

/** The page is locked by the caller, and so is the family of VMAs: the tables stay. */
const set_pmd_migration_entry = kernelFunction(
  "set_pmd_migration_entry",
  function* (head: huge_page, vma: vm_area_struct, start: number): Kernel<void> {
    const pmd = yield* find_pmd(vma, start);
    if (pmd === null) return;
    const mm = yield* loadPrivate(vma.vm_mm);
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, start + PMD_SIZE);
    yield* mmu_notifier_invalidate_range_start(range);
    yield* spin_lock(pmd_lockptr(pmd));
    const leaf = yield* value(pmd);
    const mapped = pmd_trans_huge(leaf) && pte_page(leaf).addr === head.addr;
    if (mapped) {
      yield* exchange_entry("pmdp_invalidate", pmd, make_migration_entry(head, pte_write(leaf)));
      yield* flush_tlb_range(mm, start, start + PMD_SIZE);
      yield* atomic_dec(head.compound_mapcount);
    }
    yield* spin_unlock(pmd_lockptr(pmd));
    if (mapped) yield* put_page(head);
    yield* mmu_notifier_invalidate_range_end(range);
  },
  {
    source: "mm/huge_memory.c",
    facts: "Migration",
    params: ["page", "vma", "address"],
    summary: "Puts a migration entry in the place of a huge page.",
    differs: "It invalidates by itself, where the rmap walk does in the kernel.",
  },
);
export const remove_migration_pmd = kernelFunction(
  "remove_migration_pmd",
  function* (head: huge_page, vma: vm_area_struct, start: number): Kernel<void> {
    const pmd = yield* find_pmd(vma, start);
    if (pmd === null) return;
    yield* spin_lock(pmd_lockptr(pmd));
    const entry = yield* value(pmd);
    const ours = is_migration_entry(entry) && pte_page(entry).addr === head.addr;
    if (ours) {
      yield* get_page(head);
      yield* atomic_inc(head.compound_mapcount);
      yield* set_entry(pmd, mk_huge(head, pte_write(entry)));
    }
    yield* spin_unlock(pmd_lockptr(pmd));
    if (is_table(entry)) yield* remove_migration_pieces(head, at(pte_table, entry));
  },
  {
    source: "mm/huge_memory.c",
    facts: "Migration",
    params: ["page", "vma", "address"],
    summary: "Maps a huge page again.",
  },
);
const restore = primitive("remove_migration_ptes", (m, table = 0, head = 0) => {
  const pte = at(pte_table, table);
  for (let i = 0; i < 512; i++) {
    const part = nth_page(at(huge_page, head), i);
    const old = m.read(pte.entries.addr + i * 8);
    if (!is_migration_entry(old) || pte_page(old).addr !== part.addr) continue;
    m.write(pte.entries.addr + i * 8, mk_pte(part, pte_write(old), false));
    m.write(part.mapcount.addr, m.read(part.mapcount.addr) + 1);
    const count = at(huge_page, head)._refcount.addr;
    m.write(count, m.read(count) + 1);
  }
  return 0;
});
/** Somebody has split the entry meanwhile. One step for all pieces: the PTE lock is held. */
const remove_migration_pieces = kernelFunction(
  "remove_migration_ptes",
  function* (head: huge_page, table: pte_table): Kernel<void> {
    yield* spin_lock(pte_lockptr(table.addr));
    yield* step({
      op: Op.primitive,
      addr: table.entries.addr,
      primitive: restore,
      args: [table.addr, head.addr],
      text: (names) => `remove_migration_pte(${head.expr(names)}) for each piece`,
    });
    yield* spin_unlock(pte_lockptr(table.addr));
  },
  { source: "mm/migrate.c", facts: "migrate_pages", params: ["page", "pmd"], internal: true },
);

type Each = KernelFunction<[huge_page, vm_area_struct, number], void>;
/** Every VMA that may map a part of the page, with the address that the whole has there. */
const rmap_walk_huge = kernelFunction(
  "rmap_walk",
  function* (head: huge_page, family: anon_vma, one: Each): Kernel<void> {
    yield* down_read(family.rwsem);
    yield* walk_family(head, family, yield* first_of_family(family), one);
    yield* up_read(family.rwsem);
  },
  { source: "mm/rmap.c", params: ["page", "anon_vma", "rmap_one"], internal: true },
);
const walk_family = kernelFunction(
  "rmap_walk",
  function* (head: huge_page, family: anon_vma, vma: vm_area_struct, one: Each): Kernel<void> {
    if (vma.isNull) return;
    const start = yield* load(vma.vm_start);
    const addr = start + ((yield* load(head.index)) - (yield* load(vma.vm_pgoff))) * PAGE_SIZE;
    if (addr + PMD_SIZE > start && addr < (yield* load(vma.vm_end))) yield* one(head, vma, addr);
    return yield* walk_family.restart(head, family, yield* next_of_family(family, vma), one);
  },
  { source: "mm/rmap.c", params: ["page", "anon_vma", "vma", "rmap_one"], internal: true },
);

/** A migration that finds the page in use and puts it back. 0, or 1 if there was no huge page. */
export const migrate_huge_page = kernelFunction(
  "unmap_and_move",
  function* (mm: mm_struct, addr: number): Kernel<number> {
    const head = yield* isolate_huge_page(mm, addr);
    if (head.isNull) return 1;
    yield* lock_page(head);
    const family = yield* page_get_anon_vma(head);
    if (!family.isNull) {
      yield* rmap_walk_huge(head, family, set_pmd_migration_entry);
      yield* rmap_walk_huge(head, family, remove_migration_pmd);
      yield* put_anon_vma(family);
    }
    yield* unlock_page(head);
    yield* put_page(head);
    return 0;
  },
  {
    source: "mm/migrate.c",
    facts: "Migration",
    params: ["mm", "address"],
    summary: "Begins to migrate a huge page, finds it in use, and maps it again.",
    differs: "It always fails at the count of references, so there is no new page. A page that is split stays.",
  },
);
/** With a reference; NULL if there is no huge page. */
const get_leaf = kernelFunction(
  "follow_trans_huge_pmd",
  function* (pmd: PmdEntry): Kernel<huge_page> {
    yield* spin_lock(pmd_lockptr(pmd));
    const leaf = yield* value(pmd);
    const page = at(huge_page, pmd_trans_huge(leaf) && !is_huge_zero(leaf) ? pte_page(leaf).addr : 0);
    if (!page.isNull) yield* get_page(page);
    yield* spin_unlock(pmd_lockptr(pmd));
    return page;
  },
  { source: "mm/huge_memory.c", params: ["pmd"], internal: true },
);
const isolate_huge_page = kernelFunction(
  "isolate_lru_page",
  function* (mm: mm_struct, addr: number): Kernel<huge_page> {
    yield* down_read(mm.mmap_sem);
    const vma = yield* find_vma(mm, addr);
    const pmd = vma.isNull ? null : yield* find_pmd(vma, addr);
    const page = pmd === null ? at(huge_page, 0) : yield* get_leaf(pmd);
    yield* up_read(mm.mmap_sem);
    return page;
  },
  { source: "mm/migrate.c", params: ["mm", "address"], internal: true },
);
