/** The part of mm/memory.c that fills in anonymous memory. */
import { load, loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { VM_FAULT_OOM, VM_FAULT_SIGBUS } from "./fault_flags.ts";
import { MMF_UNSTABLE, VM_HUGEPAGE, VM_WRITE, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { alloc_page, empty_zero_page, put_page } from "./page_alloc.ts";
import { mk_pte, pte_lockptr, pte_mkspecial, pte_none, type PmdEntry } from "./pgtable.ts";
import { pte_alloc } from "./pgtable_alloc.ts";
import { pmd_trans_unstable, pte_offset, reads, set_pte_at, value } from "./pgtable_steps.ts";
import { anon_vma_prepare, page_add_new_anon_rmap } from "./rmap.ts";

/** check_stable_address_space(): what a fault brought back would not be what was there. */
export const check_stable_address_space = kernelFunction(
  "check_stable_address_space",
  function* (mm: mm_struct): Kernel<number> {
    return ((yield* load(mm.flags)) & MMF_UNSTABLE) !== 0 ? VM_FAULT_SIGBUS : 0;
  },
  {
    source: "include/linux/oom.h",
    params: ["mm"],
    summary: "VM_FAULT_SIGBUS if the OOM reaper has been here.",
    atom: true,
  },
);

export const do_anonymous_page = kernelFunction(
  "do_anonymous_page",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, write: boolean): Kernel<number> {
    const mm = yield* loadPrivate(vma.vm_mm);
    if (!(yield* fact("a1", pte_alloc(mm, pmd)))) return VM_FAULT_OOM;
    if ((vmFlags & VM_HUGEPAGE) !== 0 && (yield* fact("a2", pmd_trans_unstable(pmd)))) return 0;
    const table = yield* fact("a1", value(pmd));
    if (!write) return yield* map_zero_page(mm, table, addr);
    return yield* map_new_page(vma, vmFlags, table, addr);
  },
  {
    source: "mm/memory.c",
    facts: "anonymous",
    params: ["vma", "vm_flags", "pmd", "address", "write"],
    own: ["vm_flags", "write"],
    summary: "Maps a new page for a write, the zero page for a read.",
  },
);
const map_zero_page = kernelFunction(
  "do_anonymous_page",
  function* (mm: mm_struct, table: number, addr: number): Kernel<number> {
    const entry = yield* pte_offset(table, addr);
    yield* fact("a5", spin_lock(pte_lockptr(table)));
    let ret = 0;
    if (yield* fact("a6", reads(pte_none, entry))) {
      ret = yield* fact("a7", check_stable_address_space(mm));
      if (ret === 0) yield* fact("a9", set_pte_at(entry, pte_mkspecial(empty_zero_page)));
    }
    yield* fact("a10", spin_unlock(pte_lockptr(table)));
    return ret;
  },
  { source: "mm/memory.c", facts: "anonymous", params: ["mm", "pmd", "address"], internal: true },
);
const map_new_page = kernelFunction(
  "do_anonymous_page",
  function* (vma: vm_area_struct, vmFlags: number, table: number, addr: number): Kernel<number> {
    const mm = yield* loadPrivate(vma.vm_mm);
    yield* fact("a4", anon_vma_prepare(vma));
    const page = yield* fact("a4", alloc_page());
    if (page.isNull) return VM_FAULT_OOM;
    const entry = yield* pte_offset(table, addr);
    yield* fact("a5", spin_lock(pte_lockptr(table)));
    const none = yield* fact("a6", reads(pte_none, entry));
    const ret = none ? yield* fact("a7", check_stable_address_space(mm)) : 0;
    if (none && ret === 0) {
      yield* fact("a8", page_add_new_anon_rmap(page, vma, addr));
      yield* fact("a9", set_pte_at(entry, mk_pte(page, (vmFlags & VM_WRITE) !== 0, true)));
    }
    yield* fact("a10", spin_unlock(pte_lockptr(table)));
    if (!none || ret !== 0) yield* put_page(page);
    return ret;
  },
  { source: "mm/memory.c", facts: "anonymous", params: ["vma", "vm_flags", "pmd", "address"], internal: true },
);
