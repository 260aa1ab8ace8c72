/** mm/mmap.c: mappings come and go. */
import { load, loadPrivate, store, storePrivate } from "../machine/access.ts";
import { freeBy } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_write_killable, downgrade_write, up_read, up_write } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { NULL } from "../machine/struct.ts";
import { EEXIST, EINTR, EINVAL, ENOMEM } from "../machine/errno.ts";
import { fput, get_file, new_shmem_file } from "./file.ts";
import { free_pgtables } from "./memory_free.ts";
import { unmap_vmas } from "./memory_zap.ts";
import {
  CACHED_PAGES_MAX,
  vm_area_struct,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  address_space,
  type mm_struct,
} from "./mm_types.ts";
import { tlb_finish_mmu, tlb_gather_mmu } from "./mmu_gather.ts";
import { split_huge_pmd_address } from "./huge_split.ts";
import { PAGE_SIZE, TASK_SIZE } from "./pgtable.ts";
import { allocate } from "./page_alloc.ts";
import { anon_vma_clone, lock_rmap, unlock_rmap, vma_link_file } from "./rmap.ts";
import { find_vma, find_vma_links, vma_link, vma_rb_erase } from "./vma_tree.ts";

/** Comes in one word with the VM_* flags that PROT_* and the other MAP_* stand for. */
export const MAP_FIXED = 0x10;
const VM_FLAGS = VM_READ | VM_WRITE | VM_EXEC | VM_SHARED | VM_GROWSDOWN | VM_HUGEPAGE;
const MMAP_FLAGS = {
  ...{ PROT_READ: VM_READ, PROT_WRITE: VM_WRITE, PROT_EXEC: VM_EXEC },
  ...{ MAP_FIXED, MAP_SHARED: VM_SHARED, MAP_GROWSDOWN: VM_GROWSDOWN, MADV_HUGEPAGE: VM_HUGEPAGE },
};

/** No range of user space. */
export const misplaced = (start: number, end: number): boolean =>
  start % PAGE_SIZE !== 0 || end % PAGE_SIZE !== 0 || start >= end || end > TASK_SIZE;

type Mapping = readonly [mm: mm_struct, start: number, end: number, flags: number, file: address_space, pgoff: number];
function* locked(...[mm, ...what]: Mapping): Kernel<number> {
  if ((yield* fact(1, down_write_killable(mm.mmap_sem))) !== 0) return -EINTR;
  const ret = yield* do_mmap(mm, ...what);
  yield* fact(8, up_write(mm.mmap_sem));
  return ret;
}
const MMAP_INFO = {
  source: "mm/util.c",
  facts: "mmap",
  bits: { flags: MMAP_FLAGS },
  summary: "Maps memory or a file; the address, or an error.",
  differs: "Nothing is populated.",
};
/** mmap(2) of memory. */
export const vm_mmap_pgoff = kernelFunction(
  "vm_mmap_pgoff",
  function* (mm: mm_struct, start: number, end: number, flags: number): Kernel<number> {
    return yield* locked(mm, start, end, flags, NULL(address_space), 0);
  },
  { ...MMAP_INFO, params: ["mm", "start", "end", "flags"] },
);
/** mmap(2) of a file; `pgoff` in pages. */
export const mmap_file = kernelFunction(
  "vm_mmap_pgoff",
  function* (...what: Mapping): Kernel<number> {
    return yield* locked(...what);
  },
  { ...MMAP_INFO, params: ["mm", "start", "end", "flags", "file", "pgoff"] },
);

const do_mmap = kernelFunction(
  "do_mmap",
  function* (
    mm: mm_struct,
    start: number,
    end: number,
    flags: number,
    file: address_space,
    pgoff: number,
  ): Kernel<number> {
    if (misplaced(start, end)) return -EINVAL;
    const shmem = file.isNull && (flags & VM_SHARED) !== 0;
    if (shmem && end - start > CACHED_PAGES_MAX * PAGE_SIZE) return -ENOMEM;
    const fixed = (flags & MAP_FIXED) !== 0;
    let [overlap, prev, link] = yield* find_vma_links(mm, start, end);
    if (overlap) {
      if (!fixed) return -EEXIST;
      const ret = yield* fact(3, __do_munmap(mm, start, end, false));
      if (ret < 0) return ret;
      [overlap, prev, link] = yield* find_vma_links(mm, start, end);
    }
    const vma = yield* fact(5, allocate(vm_area_struct, "vm_area_alloc(mm)"));
    if (vma.isNull) return -ENOMEM;
    yield* storePrivate(vma.vm_mm, mm);
    yield* storePrivate(vma.vm_start, start);
    yield* storePrivate(vma.vm_end, end);
    yield* storePrivate(vma.vm_flags, flags & VM_FLAGS);
    const mapped = shmem ? yield* new_shmem_file(end - start) : file;
    yield* storePrivate(vma.vm_file, mapped);
    yield* storePrivate(vma.vm_pgoff, mapped.isNull ? start / PAGE_SIZE : pgoff);
    yield* fact(6, vma_link(mm, vma, prev, link));
    yield* fact(6, vma_link_file(vma));
    return start;
  },
  {
    source: "mm/mmap.c",
    facts: "mmap",
    params: ["mm", "start", "end", "flags", "file", "pgoff"],
    bits: { flags: MMAP_FLAGS },
    summary: "Makes a VMA at the given address and links it.",
    differs:
      "The address is never a mere hint: an overlap without MAP_FIXED is -EEXIST. Adjacent mappings are " +
      "never merged. No accounting, but shared memory ends at 2 MiB; huge pages are asked for as by MADV_HUGEPAGE " +
      "right after.",
  },
);

/** munmap(2). */
export const vm_munmap = kernelFunction(
  "__vm_munmap",
  function* (mm: mm_struct, start: number, end: number): Kernel<number> {
    if ((yield* fact(1, down_write_killable(mm.mmap_sem))) !== 0) return -EINTR;
    const ret = yield* __do_munmap(mm, start, end, true);
    if (ret === 1) {
      yield* fact(13, up_read(mm.mmap_sem));
      return 0;
    }
    yield* fact(13, up_write(mm.mmap_sem));
    return ret;
  },
  {
    source: "mm/mmap.c",
    facts: "munmap",
    params: ["mm", "start", "end"],
    summary: "Unmaps a range; holds mmap_sem for reading only while it zaps.",
  },
);

/** `gives`: when the write lock is given up: before 4.20 never, since 5.8 not under a stack that could grow. */
const unmapping = (gives: "never" | "always" | "no stack") =>
  function* (mm: mm_struct, start: number, end: number, downgrade: boolean): Kernel<number> {
    if (misplaced(start, end)) return -EINVAL;
    const first = yield* fact(2, find_vma(mm, start));
    if (first.isNull) return 0;
    let prev = yield* load(first.vm_prev);
    const vmStart = yield* load(first.vm_start);
    if (vmStart >= end) return 0;
    if (start > vmStart) {
      const error = yield* fact(2, __split_vma(mm, first, start, false));
      if (error !== 0) return error;
      prev = first;
    }
    const last = yield* fact(2, find_vma(mm, end));
    if (!last.isNull && end > (yield* load(last.vm_start))) {
      const error = yield* fact(2, __split_vma(mm, last, end, true));
      if (error !== 0) return error;
    }
    const vma = yield* load(prev.isNull ? mm.mmap : prev.vm_next);
    yield* fact(4, detach_vmas_to_be_unmapped(mm, vma, prev, end));
    const isStack = gives === "no stack" && downgrade && (yield* next_grows_down(mm, prev));
    const reads = gives !== "never" && downgrade && !isStack;
    if (reads) yield* fact(5, downgrade_write(mm.mmap_sem));
    yield* unmap_region(mm, vma, prev, start, end);
    yield* fact(12, remove_vma_list(vma));
    return reads ? 1 : 0;
  };
/** 1: done, and mmap_sem is held for reading now. */
export const __do_munmap = kernelFunction("__do_munmap", unmapping("never"), {
  source: "mm/mmap.c",
  facts: "munmap",
  params: ["mm", "start", "end", "downgrade"],
  summary: "Splits, detaches, zaps and frees the VMAs of a range.",
  differs: "No userfaultfd, mlock, accounting or vmacache.",
}).since("v5.1", unmapping("always"));
/** As since 246c320a8cfe: a stack above the hole may grow into it as soon as somebody can take mmap_sem for reading. */
export const doMunmapKeepWriteLock = unmapping("no stack");
const next_grows_down = kernelFunction(
  "__do_munmap",
  function* (mm: mm_struct, prev: vm_area_struct): Kernel<boolean> {
    const next = yield* fact(5, load(prev.isNull ? mm.mmap : prev.vm_next));
    return !next.isNull && ((yield* fact(5, load(next.vm_flags))) & VM_GROWSDOWN) !== 0;
  },
  { source: "mm/mmap.c", facts: "munmap", params: ["mm", "prev"], internal: true },
);

/** Cuts a VMA in two at `addr`; the new one is the part below if `below`, or else the part above. */
export const __split_vma = kernelFunction(
  "__split_vma",
  function* (mm: mm_struct, vma: vm_area_struct, addr: number, below: boolean): Kernel<number> {
    const vmStart = yield* load(vma.vm_start);
    const vmEnd = yield* load(vma.vm_end);
    const flags = yield* load(vma.vm_flags);
    const part = yield* allocate(vm_area_struct, "vm_area_dup(vma)");
    if (part.isNull) return -ENOMEM;
    yield* storePrivate(part.vm_mm, mm);
    yield* storePrivate(part.vm_start, below ? vmStart : addr);
    yield* storePrivate(part.vm_end, below ? addr : vmEnd);
    yield* storePrivate(part.vm_flags, flags);
    const file = yield* loadPrivate(vma.vm_file);
    const pgoff = yield* load(vma.vm_pgoff);
    yield* storePrivate(part.vm_file, file);
    yield* storePrivate(part.vm_pgoff, below ? pgoff : pgoff + (addr - vmStart) / PAGE_SIZE);
    yield* get_file(file);
    yield* anon_vma_clone(part, vma);
    if ((flags & VM_HUGEPAGE) !== 0) yield* split_huge_pmd_address(vma, addr);
    yield* lock_rmap(vma, part);
    if (below) yield* store(vma.vm_pgoff, pgoff + (addr - vmStart) / PAGE_SIZE);
    if (below) yield* store(vma.vm_start, addr);
    else yield* store(vma.vm_end, addr);
    const [, prev, link] = yield* find_vma_links(mm, below ? vmStart : addr, below ? addr : vmEnd);
    yield* vma_link(mm, part, prev, link);
    yield* unlock_rmap(vma);
    return 0;
  },
  {
    source: "mm/mmap.c",
    params: ["mm", "vma", "addr", "new_below"],
    summary: "Cuts a VMA in two.",
    differs: "Adjusts the old VMA and links the new one itself instead of leaving that to __vma_adjust().",
  },
);

/** Cuts a VMA where a range that it holds begins and ends; the VMA itself becomes the part in between. */
export const split_vma_to = kernelFunction(
  "split_vma",
  function* (mm: mm_struct, vma: vm_area_struct, start: number, end: number): Kernel<number> {
    if ((yield* load(vma.vm_start)) !== start) {
      const error = yield* __split_vma(mm, vma, start, true);
      if (error !== 0) return error;
    }
    if ((yield* load(vma.vm_end)) === end) return 0;
    return yield* __split_vma(mm, vma, end, false);
  },
  { source: "mm/mmap.c", params: ["mm", "vma", "start", "end"], internal: true },
);

const detach_vmas_to_be_unmapped = kernelFunction(
  "detach_vmas_to_be_unmapped",
  function* (mm: mm_struct, first: vm_area_struct, prev: vm_area_struct, end: number): Kernel<void> {
    yield* store(first.vm_prev, null);
    const [tail, next] = yield* erase_until(mm, first, end);
    yield* store(prev.isNull ? mm.mmap : prev.vm_next, next);
    if (!next.isNull) yield* store(next.vm_prev, prev);
    yield* store(tail.vm_next, null);
  },
  {
    source: "mm/mmap.c",
    facts: "munmap",
    params: ["mm", "vma", "prev", "end"],
    summary: "Takes the VMAs of a range out of tree and list; they stay linked among themselves.",
  },
);
/** Takes VMAs out of the tree up to `end`; evaluates to the last of them and the one after it. */
const erase_until = kernelFunction(
  "detach_vmas_to_be_unmapped",
  function* (
    mm: mm_struct,
    vma: vm_area_struct,
    end: number,
  ): Kernel<readonly [tail: vm_area_struct, next: vm_area_struct]> {
    yield* vma_rb_erase(mm, vma);
    const next = yield* load(vma.vm_next);
    if (next.isNull || (yield* load(next.vm_start)) >= end) return [vma, next];
    return yield* erase_until.restart(mm, next, end);
  },
  { source: "mm/mmap.c", params: ["mm", "vma", "end"], internal: true },
);

/** `tells`: notifiers, as the drafts do here and not in exit_mmap(); since 2.6.27 unmap_vmas() does it for both. */
const unmappingRegion = (tells: boolean) =>
  function* (mm: mm_struct, vma: vm_area_struct, prev: vm_area_struct, start: number, end: number): Kernel<void> {
    const next = yield* load(prev.isNull ? mm.mmap : prev.vm_next);
    const range = mmu_notifier_range_init("MMU_NOTIFY_UNMAP", mm, start, end);
    yield* fact(6, tlb_gather_mmu(mm));
    if (tells) yield* mmu_notifier_invalidate_range_start(range);
    const pages = yield* unmap_vmas(vma, start, end);
    if (tells) yield* mmu_notifier_invalidate_range_end(range);
    const floor = prev.isNull ? 0 : yield* load(prev.vm_end);
    const ceiling = next.isNull ? TASK_SIZE : yield* load(next.vm_start);
    const tables = yield* fact(10, free_pgtables(mm, vma, floor, ceiling));
    yield* fact(11, tlb_finish_mmu(mm, start, end, tables, pages));
  };
const unmap_region = kernelFunction("unmap_region", unmappingRegion(true), {
  source: "mm/mmap.c",
  facts: "munmap",
  params: ["mm", "vma", "prev", "start", "end"],
  summary: "Zaps the pages and frees the page tables of detached VMAs.",
  differs: "No LRU to drain.",
}).since("v2.6.27", unmappingRegion(false));

/** Frees a VMA; evaluates to the one after it. */
export const remove_vma = kernelFunction(
  "remove_vma",
  function* (vma: vm_area_struct): Kernel<vm_area_struct> {
    const next = yield* load(vma.vm_next);
    yield* fput(yield* loadPrivate(vma.vm_file));
    yield* freeBy("vm_area_free", vma);
    return next;
  },
  { source: "mm/mmap.c", params: ["vma"], summary: "Frees a VMA.", differs: "There is no policy to put." },
);
const remove_vma_list = kernelFunction(
  "remove_vma_list",
  function* (vma: vm_area_struct): Kernel<void> {
    const next = yield* remove_vma(vma);
    if (!next.isNull) return yield* remove_vma_list.restart(next);
  },
  { source: "mm/mmap.c", params: ["vma"], summary: "Frees a list of VMAs." },
);
