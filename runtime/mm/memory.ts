/** The part of mm/memory.c that handles faults: what kind it is, and who takes care of it. */
import { load, loadPrivate } from "../machine/access.ts";
import { might_sleep } from "../machine/context.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_REMOTE, FAULT_FLAG_WRITE } from "./fault_flags.ts";
import { VM_FAULT_FALLBACK, VM_FAULT_OOM } from "./fault_flags.ts";
import { create_huge_pmd, pmd_migration_entry_wait, wp_huge_pmd } from "./huge_memory.ts";
import { do_huge_pmd_numa_page, huge_pmd_set_accessed } from "./huge_protect.ts";
import { create_huge_pud, wp_huge_pud } from "./huge_pud.ts";
import { do_anonymous_page } from "./memory_anon.ts";
import { do_wp_page } from "./memory_cow.ts";
import { do_fault } from "./memory_file.ts";
import { do_swap_page } from "./memory_swap.ts";
import { VM_HUGEPAGE, VM_WRITE, type vm_area_struct } from "./mm_types.ts";
import {
  hw_allows,
  pgd_none,
  pmd_leaf,
  pmd_none,
  pmd_present,
  pte_clear_protnone,
  pte_lockptr,
  pte_none,
  pte_present,
  pte_protnone,
  pte_write,
  pud_leaf,
  pud_none,
  type PmdEntry,
  type PudEntry,
} from "./pgtable.ts";
import { __pmd_alloc, __pud_alloc } from "./pgtable_alloc.ts";
import {
  pgd_offset,
  pmd_devmap_trans_unstable,
  pmd_offset,
  pte_offset,
  pud_offset,
  pud_trans_unstable,
  reads,
  set_pte_at,
  value,
} from "./pgtable_steps.ts";

export const handle_mm_fault = kernelFunction(
  "handle_mm_fault",
  function* (vma: vm_area_struct, addr: number, flags: number): Kernel<number> {
    yield* might_sleep();
    const vmFlags = yield* load(vma.vm_flags);
    const mm = yield* loadPrivate(vma.vm_mm);
    const p4d = pgd_offset(yield* loadPrivate(mm.pgd), addr);
    let table = yield* fact("F1", value(p4d));
    if (pgd_none(table)) {
      if (!(yield* __pud_alloc(mm, p4d))) return VM_FAULT_OOM;
      table = yield* fact("F1", value(p4d));
    }
    const pud = yield* pud_offset(table, addr);
    return yield* __handle_mm_fault(vma, vmFlags, pud, addr, flags);
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "address", "flags"],
    bits: { flags: { FAULT_FLAG_WRITE, FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_REMOTE } },
    summary: "Makes the page at an address present, and writable if asked for. Needs mmap_sem and mm_users.",
    differs:
      "There is no accessed bit, no memcg and no userfaultfd. Where a VMA can have no huge entry (no VM_HUGEPAGE), " +
      "the loads that look for one are left out: what they would see, the load that looks for a table sees too.",
  },
);

/** With the PUD entry known. */
const __handle_mm_fault = kernelFunction(
  "__handle_mm_fault",
  function* (vma: vm_area_struct, vmFlags: number, pud: PudEntry, addr: number, flags: number): Kernel<number> {
    const huge = (vmFlags & VM_HUGEPAGE) !== 0;
    if (huge) {
      const ret = yield* fact("F2", fault_huge_pud(vma, pud, addr, flags));
      if ((ret & VM_FAULT_FALLBACK) === 0) return ret;
    }
    const mm = yield* loadPrivate(vma.vm_mm);
    if ((yield* fact("F3", reads(pud_none, pud))) && !(yield* __pmd_alloc(mm, pud))) return VM_FAULT_OOM;
    const table = yield* fact("F3", value(pud));
    return yield* below_pud.restart(vma, vmFlags, pud, table, addr, flags);
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pud", "address", "flags"],
    own: ["vm_flags"],
    summary: "From the PUD entry down: the part that looks for huge entries.",
  },
);
/** `table`: what the PUD entry held when the address of the PMD entry was computed. */
const below_pud = kernelFunction(
  "__handle_mm_fault",
  function* (
    vma: vm_area_struct,
    vmFlags: number,
    _pud: PudEntry,
    table: number,
    addr: number,
    flags: number,
  ): Kernel<number> {
    const pmd = yield* pmd_offset(table, addr);
    return yield* fault_pmd.restart(vma, vmFlags, pmd, addr, flags);
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pud", "table", "address", "flags"],
  },
).since("v5.6", function* (vma, vmFlags, pud, table, addr, flags) {
  if ((vmFlags & VM_HUGEPAGE) !== 0 && (yield* fact("F4", pud_trans_unstable(pud))))
    return yield* __handle_mm_fault.restart(vma, vmFlags, pud, addr, flags);
  const pmd = yield* pmd_offset(table, addr);
  return yield* fault_pmd.restart(vma, vmFlags, pmd, addr, flags);
});

/** VM_FAULT_FALLBACK: there is no leaf, nor shall there be one. */
const fault_huge_pud = kernelFunction(
  "__handle_mm_fault",
  function* (vma: vm_area_struct, pud: PudEntry, addr: number, flags: number): Kernel<number> {
    const write = flags % 2 === FAULT_FLAG_WRITE;
    if (yield* fact("F2", reads(pud_none, pud))) return yield* create_huge_pud(vma, pud, addr, write);
    const orig = yield* fact("F2", value(pud));
    if (!pud_leaf(orig)) return VM_FAULT_FALLBACK;
    if (write && !pte_write(orig)) return yield* wp_huge_pud(vma, pud, addr, orig);
    return 0;
  },
  { source: "mm/memory.c", facts: "handle_mm_fault", params: ["vma", "pud", "address", "flags"], internal: true },
);

const fault_pmd = kernelFunction(
  "__handle_mm_fault",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, flags: number): Kernel<number> {
    if ((vmFlags & VM_HUGEPAGE) !== 0) {
      const ret = yield* fact("F5", fault_huge_pmd(vma, vmFlags, pmd, addr, flags));
      if ((ret & VM_FAULT_FALLBACK) === 0) return ret;
    }
    return yield* handle_pte_fault(vma, vmFlags, pmd, addr, flags);
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pmd", "address", "flags"],
  },
);
const fault_huge_pmd = kernelFunction(
  "__handle_mm_fault",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, flags: number): Kernel<number> {
    const write = flags % 2 === FAULT_FLAG_WRITE;
    if (yield* fact("F5", reads(pmd_none, pmd))) return yield* create_huge_pmd(vma, vmFlags, pmd, addr, write);
    const orig = yield* fact("F5", value(pmd));
    if (pmd_none(orig)) return VM_FAULT_FALLBACK; // gone since the first look: a small page will do
    if (!pmd_present(orig)) {
      yield* pmd_migration_entry_wait(pmd);
      return 0;
    }
    if (!pmd_leaf(orig)) return VM_FAULT_FALLBACK;
    if (pte_protnone(orig)) return yield* do_huge_pmd_numa_page(pmd, orig);
    if (write && !pte_write(orig)) return yield* wp_huge_pmd(vma, vmFlags, pmd, addr, orig);
    return yield* huge_pmd_set_accessed(pmd);
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pmd", "address", "flags"],
    internal: true,
  },
);

const handle_pte_fault = kernelFunction(
  "handle_pte_fault",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, flags: number): Kernel<number> {
    let table = yield* fact("F6", value(pmd));
    if (pmd_none(table)) return yield* no_pte(vma, vmFlags, pmd, addr, flags);
    if ((vmFlags & VM_HUGEPAGE) !== 0) {
      if (yield* fact("F6", pmd_devmap_trans_unstable(pmd))) return 0;
      table = yield* fact("F6", value(pmd));
    }
    const entry = yield* pte_offset(table, addr);
    const old = yield* fact("F6", value(entry));
    if (pte_none(old)) return yield* no_pte(vma, vmFlags, pmd, addr, flags);
    if (!pte_present(old)) return yield* fact("F7", do_swap_page(vma, vmFlags, table, addr, flags, old));
    const ptl = pte_lockptr(table);
    yield* fact("F8", spin_lock(ptl));
    if ((yield* fact("F8", value(entry))) !== old) {
      yield* fact("F8", spin_unlock(ptl));
      return 0;
    }
    if (pte_protnone(old)) yield* fact("F7", set_pte_at(entry, pte_clear_protnone(old)));
    else if (flags % 2 === FAULT_FLAG_WRITE && !hw_allows(old, true))
      return yield* fact("F8", do_wp_page(vma, vmFlags, table, addr, old));
    yield* fact("F8", spin_unlock(ptl));
    return 0;
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pmd", "address", "flags"],
    own: ["vm_flags"],
    summary: "Handles a fault, the tables down to the PMD being there.",
    differs: "A NUMA hinting fault leaves the page where it is.",
  },
);
const no_pte = kernelFunction(
  "handle_pte_fault",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, flags: number): Kernel<number> {
    const file = yield* loadPrivate(vma.vm_file);
    if (!file.isNull) return yield* fact("F7", do_fault(vma, vmFlags, pmd, addr, flags));
    return yield* fact("F7", do_anonymous_page(vma, vmFlags, pmd, addr, flags % 2 === FAULT_FLAG_WRITE));
  },
  {
    source: "mm/memory.c",
    facts: "handle_mm_fault",
    params: ["vma", "vm_flags", "pmd", "address", "flags"],
    internal: true,
  },
);

export const mayWrite = (vmFlags: number): boolean => (vmFlags & VM_WRITE) !== 0;
