/** Migration of a page of 2 MiB as a whole: mm/huge_memory.c, set_pmd_migration_entry() and its counterpart. */
import { loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, up_read } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import type { Kernel } from "../machine/step.ts";
import { find_pmd } from "./huge_split.ts";
import type { mm_struct, vm_area_struct } from "./mm_types.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { get_page, put_page } from "./page_alloc.ts";
import { lock_page, unlock_page } from "./page_flags.ts";
import {
  alignDown,
  is_migration_entry,
  make_migration_entry,
  mk_huge,
  pmd_lockptr,
  PMD_SIZE,
  pmd_trans_huge,
  pte_page,
  pte_write,
  type PmdEntry,
} from "./pgtable.ts";
import { exchange_entry, set_entry, value } from "./pgtable_steps.ts";
import { flush_tlb_range } from "./tlb.ts";
import { find_vma } from "./vma_tree.ts";

/** The page is locked by the caller. */
const set_pmd_migration_entry = kernelFunction(
  "set_pmd_migration_entry",
  function* (vma: vm_area_struct, pmd: PmdEntry, start: number): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, start + PMD_SIZE);
    yield* mmu_notifier_invalidate_range_start(range);
    yield* spin_lock(pmd_lockptr(pmd));
    const leaf = yield* value(pmd);
    if (pmd_trans_huge(leaf)) {
      yield* exchange_entry("pmdp_invalidate", pmd, make_migration_entry(pte_page(leaf), pte_write(leaf)));
      yield* flush_tlb_range(mm, start, start + PMD_SIZE);
    }
    yield* spin_unlock(pmd_lockptr(pmd));
    yield* mmu_notifier_invalidate_range_end(range);
  },
  {
    source: "mm/huge_memory.c",
    facts: "Migration",
    params: ["vma", "pmd", "address"],
    summary: "Puts a migration entry in the place of a huge page.",
    differs: "It invalidates by itself, where the rmap walk does in the kernel; the mapcount stays.",
  },
);
export const remove_migration_pmd = kernelFunction(
  "remove_migration_pmd",
  function* (pmd: PmdEntry): Kernel<void> {
    yield* spin_lock(pmd_lockptr(pmd));
    const entry = yield* value(pmd);
    if (is_migration_entry(entry)) yield* set_entry(pmd, mk_huge(pte_page(entry), pte_write(entry)));
    yield* spin_unlock(pmd_lockptr(pmd));
  },
  { source: "mm/huge_memory.c", facts: "Migration", params: ["pmd"], summary: "Maps a huge page again." },
);
/** A migration that finds the page in use and puts it back. 0, or 1 if there was no huge page. */
export const migrate_huge_page = kernelFunction(
  "unmap_and_move",
  function* (mm: mm_struct, addr: number): Kernel<number> {
    yield* down_read(mm.mmap_sem);
    const vma = yield* find_vma(mm, addr);
    const pmd = vma.isNull ? null : yield* find_pmd(vma, addr);
    const leaf = pmd === null ? 0 : yield* value(pmd);
    const huge = pmd_trans_huge(leaf);
    if (huge) yield* get_page(pte_page(leaf));
    yield* up_read(mm.mmap_sem);
    if (!huge || pmd === null) return 1;
    yield* lock_page(pte_page(leaf));
    yield* set_pmd_migration_entry(vma, pmd, alignDown(addr, PMD_SIZE));
    yield* remove_migration_pmd(pmd);
    yield* unlock_page(pte_page(leaf));
    yield* put_page(pte_page(leaf));
    return 0;
  },
  {
    source: "mm/migrate.c",
    facts: "Migration",
    params: ["mm", "address"],
    summary: "Begins to migrate a huge page, finds it in use, and maps it again.",
    differs: "It always fails at the count of references, so there is no new page.",
  },
);
