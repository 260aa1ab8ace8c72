/** The part of mm/huge_memory.c that maps, unmaps and splits pages of 2 MiB. */
import { loadPrivate } from "../machine/access.ts";
import { atomic_add, atomic_dec, atomic_inc } from "../machine/atomic.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, type Names } from "../machine/struct.ts";
import { VM_FAULT_FALLBACK, VM_FAULT_OOM } from "./fault_flags.ts";
import { page_mapcount } from "./mapcount.ts";
import { check_stable_address_space } from "./memory_anon.ts";
import { VM_WRITE, type vm_area_struct } from "./mm_types.ts";
import {
  mmu_notifier_invalidate_range,
  mmu_notifier_invalidate_range_only_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { alloc_hugepage, compound_head, count, empty_zero_page, get_page, initCount, put_page } from "./page_alloc.ts";
import { wait_on_page_locked } from "./page_flags.ts";
import {
  alignDown,
  HPAGE_PMD_NR,
  huge_page,
  is_huge_zero,
  is_migration_entry,
  make_migration_entry,
  mk_huge,
  mk_huge_devmap,
  mk_huge_zero,
  mk_pte,
  nth_page,
  PAGE_SIZE,
  pmd_devmap,
  pmd_lockptr,
  pmd_mkinvalid,
  pmd_none,
  pmd_present,
  PMD_SIZE,
  pmd_trans_huge,
  pte_dirty,
  pte_mkdirty,
  pte_mkprotnone,
  pte_mkspecial,
  pte_mkwrite,
  pte_page,
  pte_protnone,
  pte_table,
  pte_write,
  PUD_SIZE,
  type page,
  type PmdEntry,
} from "./pgtable.ts";
import { pte_alloc_one, pte_free } from "./pgtable_alloc.ts";
import { exchange_entry, get_and_clear, populate, reads, set_entry, value } from "./pgtable_steps.ts";
import { anon_vma_prepare, linear_page_index, page_add_new_anon_rmap } from "./rmap.ts";
import { flush_tlb_range } from "./tlb.ts";

/** is_swap_pmd() || pmd_trans_huge() || pmd_devmap(), asked of the pointer: up to four loads. */
export const pmd_is_huge = kernelFunction(
  "is_swap_pmd || pmd_trans_huge || pmd_devmap",
  function* (pmd: PmdEntry): Kernel<boolean> {
    if (!(yield* reads(pmd_none, pmd)) && !(yield* reads(pmd_present, pmd))) return true;
    return (yield* reads(pmd_trans_huge, pmd)) || (yield* reads(pmd_devmap, pmd));
  },
  { source: "include/linux/huge_mm.h", params: ["pmd"], internal: true },
);
/** Takes the PMD lock, and keeps it if the entry is a leaf (or one that migrates): the caller has looked already. */
export const __pmd_trans_huge_lock = kernelFunction(
  "__pmd_trans_huge_lock",
  function* (pmd: PmdEntry): Kernel<boolean> {
    yield* spin_lock(pmd_lockptr(pmd));
    if (yield* pmd_is_huge(pmd)) return true;
    yield* spin_unlock(pmd_lockptr(pmd));
    return false;
  },
  {
    source: "mm/huge_memory.c",
    facts: "Helpers",
    params: ["pmd"],
    summary: "Takes the PMD lock, and keeps it if the entry is a leaf.",
  },
);
/** Takes the PMD lock if the entry is a leaf (or one that migrates), before and after. */
export const pmd_trans_huge_lock = kernelFunction(
  "pmd_trans_huge_lock",
  function* (pmd: PmdEntry): Kernel<boolean> {
    return (yield* pmd_is_huge(pmd)) && (yield* __pmd_trans_huge_lock(pmd));
  },
  {
    source: "include/linux/huge_mm.h",
    facts: "Helpers",
    params: ["pmd"],
    summary: "Takes the PMD lock if the entry is a leaf, before and after.",
  },
);

// ---- faults

/** Whether the 2 MiB around an address lie in a VMA. */
function* fits(vma: vm_area_struct, addr: number): Kernel<boolean> {
  const start = alignDown(addr, PMD_SIZE);
  const vmStart = yield* loadPrivate(vma.vm_start);
  return start >= vmStart && start + PMD_SIZE <= (yield* loadPrivate(vma.vm_end));
}
export const create_huge_pmd = kernelFunction(
  "create_huge_pmd",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, write: boolean): Kernel<number> {
    if (!(yield* fits(vma, addr))) return VM_FAULT_FALLBACK;
    const file = yield* loadPrivate(vma.vm_file);
    if (file.isNull) return yield* do_huge_pmd_anonymous_page(vma, vmFlags, pmd, addr, write);
    if (!(yield* loadPrivate(file.dax))) return VM_FAULT_FALLBACK;
    const index = yield* linear_page_index(vma, alignDown(addr, PMD_SIZE));
    if (index % 512 !== 0 || index * PAGE_SIZE >= PUD_SIZE) return VM_FAULT_FALLBACK; // a device has 1 GiB
    const memory = yield* loadPrivate(file.memory);
    yield* insert_pfn_pmd(vmFlags, pmd, nth_page(memory, index), write);
    return 0;
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pmd", "address", "write"],
    own: ["vm_flags"],
    summary: "Tries a page of 2 MiB.",
  },
);
const do_huge_pmd_anonymous_page = kernelFunction(
  "do_huge_pmd_anonymous_page",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, write: boolean): Kernel<number> {
    const mm = yield* loadPrivate(vma.vm_mm);
    yield* anon_vma_prepare(vma);
    const table = yield* fact("t1", pte_alloc_one(mm));
    if (table.isNull) return VM_FAULT_OOM;
    const fresh = write ? yield* fact("t1", alloc_hugepage()) : at(huge_page, empty_zero_page.addr);
    if (fresh.isNull) {
      yield* pte_free(mm, table);
      return VM_FAULT_FALLBACK;
    }
    yield* fact("t2", spin_lock(pmd_lockptr(pmd)));
    const none = yield* fact("t3", reads(pmd_none, pmd));
    const ret = none ? yield* fact("t4", check_stable_address_space(mm)) : 0;
    const used = none && ret === 0;
    if (used) yield* enter(vma, vmFlags, pmd, addr, fresh, table, write);
    yield* fact("t6", spin_unlock(pmd_lockptr(pmd)));
    if (!used) {
      yield* pte_free(mm, table);
      if (write) yield* put_page(fresh);
    }
    return ret;
  },
  {
    source: "mm/huge_memory.c",
    facts: "THP anon",
    params: ["vma", "vm_flags", "pmd", "address", "write"],
    own: ["vm_flags"],
    summary: "Maps a huge page for a write, the huge zero page for a read.",
  },
);
/** Under the PMD lock. */
const enter = kernelFunction(
  "__do_huge_pmd_anonymous_page",
  function* (
    vma: vm_area_struct,
    vmFlags: number,
    pmd: PmdEntry,
    addr: number,
    fresh: huge_page,
    table: pte_table,
    write: boolean,
  ): Kernel<void> {
    if (write) yield* fact("t5", page_add_new_huge_rmap(fresh, vma, alignDown(addr, PMD_SIZE)));
    yield* pgtable_trans_huge_deposit(pmd, table);
    const leaf = write ? mk_huge(fresh, (vmFlags & VM_WRITE) !== 0, true) : mk_huge_zero(empty_zero_page);
    yield* fact("t5", set_entry(pmd, leaf));
  },
  {
    source: "mm/huge_memory.c",
    facts: "THP anon",
    params: ["vma", "vm_flags", "pmd", "address", "page", "table", "write"],
    internal: true,
  },
);
const insert_pfn_pmd = kernelFunction(
  "insert_pfn_pmd",
  function* (vmFlags: number, pmd: PmdEntry, p: page, write: boolean): Kernel<void> {
    const writable = write && (vmFlags & VM_WRITE) !== 0;
    yield* spin_lock(pmd_lockptr(pmd));
    const old = yield* value(pmd);
    if (pmd_none(old)) yield* set_entry(pmd, mk_huge_devmap(p, writable));
    else if (writable && pmd_devmap(old)) yield* set_entry(pmd, pte_mkdirty(pte_mkwrite(old)));
    yield* spin_unlock(pmd_lockptr(pmd));
  },
  {
    source: "mm/huge_memory.c",
    params: ["vm_flags", "pmd", "page", "write"],
    own: ["vm_flags"],
    summary: "Maps 2 MiB of a DAX device.",
  },
);

/** A write to a read-only leaf: in place where nobody shares it, else by splitting it and going on below. */
export const wp_huge_pmd = kernelFunction(
  "wp_huge_pmd",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, orig: number): Kernel<number> {
    if (pmd_devmap(orig)) {
      yield* insert_pfn_pmd(vmFlags, pmd, pte_page(orig), true);
      return 0;
    }
    if (is_huge_zero(orig)) {
      yield* __split_huge_pmd(vma, pmd, addr, false);
      return VM_FAULT_FALLBACK;
    }
    yield* spin_lock(pmd_lockptr(pmd));
    const same = (yield* value(pmd)) === orig;
    const head = at(huge_page, pte_page(orig).addr);
    const sole = same && (yield* page_mapcount(head)) === 1;
    if (sole) yield* set_entry(pmd, (vmFlags & VM_WRITE) !== 0 ? pte_mkdirty(pte_mkwrite(orig)) : orig);
    yield* spin_unlock(pmd_lockptr(pmd));
    if (sole || !same) return 0;
    yield* __split_huge_pmd(vma, pmd, addr, false);
    return VM_FAULT_FALLBACK;
  },
  {
    source: "mm/huge_memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pmd", "address", "orig_pmd"],
    own: ["vm_flags"],
    summary: "A write to a read-only leaf.",
    differs:
      "No huge copy is made, as since 5.8: a page that others share, or the huge zero page, is split, and the write " +
      "then copies one small page. The page is not locked while its mappings are counted.",
  },
);

/** Sleeps until a huge page has migrated. */
export const pmd_migration_entry_wait = kernelFunction(
  "pmd_migration_entry_wait",
  function* (pmd: PmdEntry): Kernel<void> {
    yield* spin_lock(pmd_lockptr(pmd));
    const now = yield* value(pmd);
    const waits = is_migration_entry(now);
    if (waits) yield* get_page(pte_page(now));
    yield* spin_unlock(pmd_lockptr(pmd));
    if (!waits) return;
    yield* wait_on_page_locked(pte_page(now));
    yield* put_page(pte_page(now));
  },
  { source: "mm/migrate.c", facts: "migration_entry_wait", params: ["pmd"], summary: "Waits for a migration to end." },
);

// ---- the table that waits for the split; guarded by the PMD lock, which is held

export function* pgtable_trans_huge_deposit(pmd: PmdEntry, table: pte_table): Kernel<void> {
  const slot = pmd.table.deposited.at(pmd.index);
  yield* step({
    op: Op.silentStore,
    addr: slot.addr,
    a: table.addr,
    text: (names: Names) => `pgtable_trans_huge_deposit(mm, ${pmd.expr()}, ${table.expr(names)})`,
  });
}
export function* pgtable_trans_huge_withdraw(pmd: PmdEntry): Kernel<pte_table> {
  const slot = pmd.table.deposited.at(pmd.index);
  const addr = yield* loadPrivate(slot);
  yield* step({ op: Op.silentStore, addr: slot.addr, text: () => `pgtable_trans_huge_withdraw(mm, ${pmd.expr()})` });
  return at(pte_table, addr);
}

// ---- away with it

/** The page that was there (the zero page where no reference is to be dropped), or NULL if there was no leaf. */
export const zap_huge_pmd = kernelFunction(
  "zap_huge_pmd",
  function* (vma: vm_area_struct, pmd: PmdEntry): Kernel<page | null> {
    if (!(yield* fact("8b", __pmd_trans_huge_lock(pmd)))) return null;
    const mm = yield* loadPrivate(vma.vm_mm);
    const old = yield* fact("8b", get_and_clear(pmd));
    const counted = !pmd_devmap(old) && !is_huge_zero(old);
    const table = pmd_devmap(old) ? null : yield* pgtable_trans_huge_withdraw(pmd);
    const head = at(huge_page, pte_page(old).addr);
    if (counted) {
      yield* atomic_dec(head.compound_mapcount);
      yield* count(mm.rss_stat, -HPAGE_PMD_NR);
    }
    if (table !== null && !table.isNull) yield* pte_free(mm, table);
    yield* fact("8b", spin_unlock(pmd_lockptr(pmd)));
    return counted && !is_migration_entry(old) ? head : empty_zero_page;
  },
  { source: "mm/huge_memory.c", facts: "munmap", params: ["vma", "pmd"], summary: "Clears a leaf of 2 MiB." },
);

const fill = primitive("remap", (m, table = 0, head = 0, flags = 0, mapped = 0) => {
  const pte = at(pte_table, table);
  for (let i = 0; i < 512; i++) {
    const part = nth_page(at(huge_page, head), i);
    m.write(pte.entries.addr + i * 8, part.addr + flags);
    if (mapped !== 0) m.write(part.mapcount.addr, m.peek(part.mapcount.addr) + 1);
  }
  return 0;
});
/**
 * Fills a table that nobody knows yet with the parts of a leaf, each mapped once more; those of one that migrates map
 * nothing, and migrate on.
 */
function* remap(table: pte_table, leaf: number, frozen: boolean): Kernel<void> {
  const head = pte_page(leaf);
  const mapped = mk_pte(head, pte_write(leaf), pte_dirty(leaf));
  const open = pte_protnone(leaf) ? pte_mkprotnone(mapped) : mapped;
  const migrates = is_migration_entry(leaf);
  const sample = frozen || migrates ? make_migration_entry(head, pte_write(leaf)) : open;
  yield* step({
    op: Op.silentPrimitive,
    primitive: fill,
    args: [table.addr, head.addr, sample - head.addr, migrates ? 0 : 1],
    text: (names: Names) => `512 PTEs for ${head.expr(names)}`,
  });
}
const fillZero = primitive("remap_zero", (m, table = 0, pte = 0) => {
  for (let i = 0; i < 512; i++) m.write(at(pte_table, table).entries.addr + i * 8, pte);
  return 0;
});

/**
 * A leaf becomes a table that maps the same page in 512 pieces; one of a device, or of a file, becomes nothing.
 * `freeze`:
 * the pieces are migration entries.
 */
export const __split_huge_pmd = kernelFunction(
  "__split_huge_pmd",
  function* (vma: vm_area_struct, pmd: PmdEntry, addr: number, freeze: boolean): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const start = alignDown(addr, PMD_SIZE);
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, start + PMD_SIZE);
    yield* fact("m1", mmu_notifier_invalidate_range_start(range));
    yield* fact("m2", spin_lock(pmd_lockptr(pmd)));
    if (yield* fact("m3", pmd_is_huge(pmd))) yield* split_locked(vma, pmd, start, freeze);
    yield* fact("m13", spin_unlock(pmd_lockptr(pmd)));
    yield* fact("m14", mmu_notifier_invalidate_range_only_end(range));
  },
  {
    source: "mm/huge_memory.c",
    facts: "Splits PMD",
    params: ["vma", "pmd", "address", "freeze"],
    summary: "Splits a leaf of 2 MiB.",
  },
);
const split_locked = kernelFunction(
  "__split_huge_pmd_locked",
  function* (vma: vm_area_struct, pmd: PmdEntry, start: number, freeze: boolean): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const file = yield* loadPrivate(vma.vm_file);
    const leaf = yield* fact("m3", value(pmd));
    if (!file.isNull || is_huge_zero(leaf)) {
      yield* get_and_clear(pmd);
      yield* flush_tlb_range(mm, start, start + PMD_SIZE);
      if (!file.isNull) {
        yield* mmu_notifier_invalidate_range(mm, start, start + PMD_SIZE);
        if (!pmd_devmap(leaf)) yield* unmap_file_leaf(vma, leaf);
        return;
      }
      return yield* split_zero(pmd);
    }
    yield* fact("m4", exchange_entry("pmdp_invalidate", pmd, pmd_mkinvalid(leaf)));
    yield* fact("m5", flush_tlb_range(mm, start, start + PMD_SIZE));
    yield* split_anon(pmd, leaf, freeze);
  },
  { source: "mm/huge_memory.c", facts: "Splits PMD", params: ["vma", "pmd", "haddr", "freeze"], internal: true },
);
const split_zero = kernelFunction(
  "__split_huge_zero_page_pmd",
  function* (pmd: PmdEntry): Kernel<void> {
    const table = yield* pgtable_trans_huge_withdraw(pmd);
    const pte = pte_mkspecial(empty_zero_page);
    yield* step({
      op: Op.silentPrimitive,
      primitive: fillZero,
      args: [table.addr, pte],
      text: () => "512 PTEs for the zero page",
    });
    yield* populate(pmd, table);
  },
  { source: "mm/huge_memory.c", facts: "Splits PMD", params: ["pmd"], internal: true },
);
const unmap_file_leaf = kernelFunction(
  "__split_huge_pmd_locked",
  function* (vma: vm_area_struct, leaf: number): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const head = at(huge_page, compound_head(pte_page(leaf)).addr);
    yield* atomic_dec(head.compound_mapcount);
    yield* count(mm.rss_stat, -HPAGE_PMD_NR);
    yield* put_page(head);
  },
  { source: "mm/huge_memory.c", facts: "Splits PMD", params: ["vma", "pmd"], internal: true },
);
const split_anon = kernelFunction(
  "__split_huge_pmd_locked",
  function* (pmd: PmdEntry, leaf: number, freeze: boolean): Kernel<void> {
    const head = at(huge_page, pte_page(leaf).addr);
    const mapped = !is_migration_entry(leaf);
    if (mapped) yield* fact("m6", atomic_add(511, head._refcount));
    const table = yield* fact("m7", pgtable_trans_huge_withdraw(pmd));
    yield* fact("m8", remap(table, leaf, freeze));
    if (mapped) yield* fact("m9", atomic_dec(head.compound_mapcount));
    yield* fact("m11", populate(pmd, table));
  },
  { source: "mm/huge_memory.c", facts: "Splits PMD", params: ["pmd", "old_pmd", "freeze"], internal: true },
);
/** split_huge_pmd(): looks without the lock first. */
export const split_huge_pmd = kernelFunction(
  "split_huge_pmd",
  function* (vma: vm_area_struct, pmd: PmdEntry, addr: number): Kernel<void> {
    if (yield* pmd_is_huge(pmd)) yield* __split_huge_pmd(vma, pmd, addr, false);
  },
  {
    source: "include/linux/huge_mm.h",
    facts: "Helpers",
    params: ["vma", "pmd", "address"],
    summary: "The same, if a look without the lock says so.",
    atom: true,
  },
);
/** page_add_new_anon_rmap() of a compound page, which nobody else knows yet. */
export function* page_add_new_huge_rmap(fresh: huge_page, vma: vm_area_struct, start: number): Kernel<void> {
  yield* page_add_new_anon_rmap(fresh, vma, start);
  yield* initCount(fresh.mapcount, 0);
  yield* initCount(fresh.compound_mapcount, 1);
  const mm = yield* loadPrivate(vma.vm_mm);
  yield* count(mm.rss_stat, HPAGE_PMD_NR - 1); // one of its pages has been counted
}
/** One more PMD maps a huge page. */
export const page_add_huge_rmap = kernelFunction(
  "page_add_rmap",
  function* (head: huge_page, vma: vm_area_struct): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    yield* atomic_inc(head.compound_mapcount);
    yield* count(mm.rss_stat, HPAGE_PMD_NR);
  },
  { source: "mm/rmap.c", params: ["page", "vma"], summary: "One more PMD maps a huge page.", atom: true },
);
