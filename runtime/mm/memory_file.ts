/** The part of mm/memory.c that fills in mappings of files: cached ones, and DAX, whose memory is mapped as it is. */
import { load, loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { FAULT_FLAG_WRITE, VM_FAULT_NOPAGE, VM_FAULT_OOM, VM_FAULT_SIGBUS } from "./fault_flags.ts";
import { find_lock_page } from "./filemap.ts";
import { VM_SHARED, VM_WRITE, type vm_area_struct } from "./mm_types.ts";
import { alloc_page, put_page } from "./page_alloc.ts";
import { copy_user_highpage } from "./page_copy.ts";
import { set_page_dirty, unlock_page } from "./page_flags.ts";
import {
  mk_pte,
  nth_page,
  PAGE_SIZE,
  pte_lockptr,
  pte_mkdevmap,
  pte_none,
  type page,
  type PmdEntry,
} from "./pgtable.ts";
import { pte_alloc } from "./pgtable_alloc.ts";
import { pmd_devmap_trans_unstable, pte_offset, reads, set_pte_at, value } from "./pgtable_steps.ts";
import { anon_vma_prepare, linear_page_index, page_add_new_anon_rmap, page_add_rmap } from "./rmap.ts";

export const do_fault = kernelFunction(
  "do_fault",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, flags: number): Kernel<number> {
    const file = yield* loadPrivate(vma.vm_file);
    const write = flags % 2 === FAULT_FLAG_WRITE;
    if (yield* loadPrivate(file.dax)) return yield* dax_fault_pte(vma, vmFlags, pmd, addr, write);
    const index = yield* linear_page_index(vma, addr);
    if (index * PAGE_SIZE >= (yield* fact("f2", load(file.i_size)))) return VM_FAULT_SIGBUS;
    const cow = write && (vmFlags & VM_SHARED) === 0;
    if (cow) yield* anon_vma_prepare(vma);
    const cached = yield* fact("f2", find_lock_page(file, index));
    if (cached.isNull) return VM_FAULT_OOM;
    // Truncation cuts the size first, and takes the page lock later.
    if (index * PAGE_SIZE >= (yield* fact("f2", load(file.i_size)))) {
      yield* unlock_page(cached);
      yield* put_page(cached);
      return VM_FAULT_SIGBUS;
    }
    const ret = cow
      ? yield* do_cow_fault(vma, vmFlags, pmd, addr, cached)
      : yield* finish_fault(vma, vmFlags, pmd, addr, cached, write);
    yield* fact("f6", unlock_page(cached));
    if (cow || ret !== 0) yield* put_page(cached);
    return ret === VM_FAULT_NOPAGE ? 0 : ret;
  },
  {
    source: "mm/memory.c",
    facts: "file/shmem",
    params: ["vma", "vm_flags", "pmd", "address", "flags"],
    own: ["vm_flags"],
    summary: "Maps a page of a file; a write to a private mapping gets a copy.",
    differs: "No fault-around, no page_mkwrite(); huge pages of files come from collapsing only.",
  },
);

/** The page is mapped with the reference it came with; VM_FAULT_NOPAGE: somebody else was faster. */
const finish_fault = kernelFunction(
  "finish_fault",
  function* (
    vma: vm_area_struct,
    vmFlags: number,
    pmd: PmdEntry,
    addr: number,
    p: page,
    write: boolean,
  ): Kernel<number> {
    const mm = yield* loadPrivate(vma.vm_mm);
    if (!(yield* fact("f5", pte_alloc(mm, pmd)))) return VM_FAULT_OOM;
    if (yield* fact("f5", pmd_devmap_trans_unstable(pmd))) return VM_FAULT_NOPAGE;
    const table = yield* fact("f5", value(pmd));
    const entry = yield* pte_offset(table, addr);
    yield* fact("f5", spin_lock(pte_lockptr(table)));
    const none = yield* fact("f5", reads(pte_none, entry));
    if (none) {
      if (write) yield* set_page_dirty(p);
      yield* fact("f5", page_add_rmap(p, vma));
      const writable = write && (vmFlags & VM_WRITE) !== 0;
      yield* fact("f5", set_pte_at(entry, mk_pte(p, writable, write)));
    }
    yield* fact("f5", spin_unlock(pte_lockptr(table)));
    return none ? 0 : VM_FAULT_NOPAGE;
  },
  {
    source: "mm/memory.c",
    facts: "file/shmem",
    params: ["vma", "vm_flags", "pmd", "address", "page", "write"],
    own: ["vm_flags", "write"],
    summary: "Enters a page into the page table.",
  },
);
const do_cow_fault = kernelFunction(
  "do_cow_fault",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, cached: page): Kernel<number> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const fresh = yield* fact("f3", alloc_page());
    if (fresh.isNull) return VM_FAULT_OOM;
    yield* fact("f3", copy_user_highpage(fresh, cached));
    if (!(yield* pte_alloc(mm, pmd))) return VM_FAULT_OOM;
    if (yield* pmd_devmap_trans_unstable(pmd)) {
      yield* put_page(fresh);
      return 0;
    }
    const table = yield* value(pmd);
    const entry = yield* pte_offset(table, addr);
    yield* fact("f5", spin_lock(pte_lockptr(table)));
    const none = yield* fact("f5", reads(pte_none, entry));
    if (none) {
      yield* page_add_new_anon_rmap(fresh, vma, addr);
      yield* set_pte_at(entry, mk_pte(fresh, (vmFlags & VM_WRITE) !== 0, true));
    }
    yield* fact("f5", spin_unlock(pte_lockptr(table)));
    if (!none) yield* put_page(fresh);
    return 0;
  },
  {
    source: "mm/memory.c",
    facts: "file/shmem",
    params: ["vma", "vm_flags", "pmd", "address", "page"],
    own: ["vm_flags"],
    summary: "A write to a private mapping of a file: a copy of the cached page.",
  },
);

/** dax_iomap_fault() for one page: a PTE with DEVMAP, which neither counts nor refers to the page. */
const dax_fault_pte = kernelFunction(
  "dax_iomap_pte_fault",
  function* (vma: vm_area_struct, vmFlags: number, pmd: PmdEntry, addr: number, write: boolean): Kernel<number> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const file = yield* loadPrivate(vma.vm_file);
    const memory = yield* loadPrivate(file.memory);
    const p = nth_page(memory, yield* linear_page_index(vma, addr));
    if (!(yield* pte_alloc(mm, pmd))) return VM_FAULT_OOM;
    if (yield* pmd_devmap_trans_unstable(pmd)) return 0;
    const table = yield* value(pmd);
    const entry = yield* pte_offset(table, addr);
    yield* spin_lock(pte_lockptr(table));
    if (yield* reads(pte_none, entry)) yield* set_pte_at(entry, pte_mkdevmap(p, write && (vmFlags & VM_WRITE) !== 0));
    yield* spin_unlock(pte_lockptr(table));
    return 0;
  },
  {
    source: "fs/dax.c",
    params: ["vma", "vm_flags", "pmd", "address", "write"],
    own: ["vm_flags", "write"],
    summary: "Maps a page of a DAX device.",
  },
);
