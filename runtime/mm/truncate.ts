/** mm/truncate.c, and the part of mm/memory.c that unmaps a file's pages wherever they are mapped. No mmap_sem. */
import { load, loadPrivate, store } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_write, up_write } from "../machine/rwsem.ts";
import { type Kernel } from "../machine/step.ts";
import { unmap_page_range } from "./memory_zap.ts";
import type { address_space, vm_area_struct } from "./mm_types.ts";
import { tlb_finish_mmu, tlb_gather_mmu } from "./mmu_gather.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { delete_from_page_cache, find_get_page, next_cached } from "./filemap.ts";
import { put_page } from "./page_alloc.ts";
import { lock_page, unlock_page } from "./page_flags.ts";
import { PAGE_SIZE } from "./pgtable.ts";
import { list_first_vma, list_next_vma } from "./rmap.ts";

/** Unmaps `nr` pages of a file from `index` on, in every process. */
export const unmap_mapping_pages = kernelFunction(
  "unmap_mapping_pages",
  function* (mapping: address_space, index: number, nr: number): Kernel<void> {
    yield* down_write(mapping.i_mmap_rwsem);
    yield* unmap_vmas_of(mapping, yield* list_first_vma(mapping.i_mmap), index, index + nr);
    yield* up_write(mapping.i_mmap_rwsem);
  },
  {
    source: "mm/memory.c",
    facts: "Truncate",
    params: ["mapping", "start", "nr"],
    summary: "Unmaps pages of a file wherever they are mapped, under the lock of its list of VMAs.",
    differs: "Copies that a private mapping has made go too, as for truncation.",
  },
);
const unmap_vmas_of = kernelFunction(
  "unmap_mapping_range_tree",
  function* (mapping: address_space, vma: vm_area_struct, first: number, behind: number): Kernel<void> {
    if (vma.isNull) return;
    const start = yield* load(vma.vm_start);
    const pgoff = yield* load(vma.vm_pgoff);
    const end = yield* load(vma.vm_end);
    const from = Math.max(start, start + (first - pgoff) * PAGE_SIZE);
    const to = Math.min(end, start + (behind - pgoff) * PAGE_SIZE);
    if (from < to) yield* zap_page_range_single(vma, from, to);
    return yield* unmap_vmas_of.restart(mapping, yield* list_next_vma(vma, mapping.i_mmap), first, behind);
  },
  { source: "mm/memory.c", facts: "Truncate", params: ["mapping", "vma", "first", "behind"], internal: true },
);
export const zap_page_range_single = kernelFunction(
  "zap_page_range_single",
  function* (vma: vm_area_struct, start: number, end: number): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, end);
    yield* tlb_gather_mmu(mm);
    yield* mmu_notifier_invalidate_range_start(range);
    const pages = yield* unmap_page_range(vma, start, end, []);
    yield* mmu_notifier_invalidate_range_end(range);
    yield* tlb_finish_mmu(mm, start, end, [], pages);
  },
  {
    source: "mm/memory.c",
    facts: "Truncate",
    params: ["vma", "address", "end"],
    summary: "Zaps a range of one VMA, with a notifier and a flush of its own.",
  },
);

/** ftruncate(2) to fewer bytes: the rest of the file is unmapped, and then forgotten. */
export const truncate_pagecache = kernelFunction(
  "truncate_pagecache",
  function* (mapping: address_space, size: number): Kernel<void> {
    const first = Math.ceil(size / PAGE_SIZE);
    const behind = mapping.pages.length;
    yield* store(mapping.i_size, size);
    yield* unmap_mapping_pages(mapping, first, behind - first);
    yield* truncate_inode_pages(mapping, first);
    yield* unmap_mapping_pages(mapping, first, behind - first);
  },
  {
    source: "mm/truncate.c",
    facts: "Truncate",
    params: ["inode", "newsize"],
    summary: "Makes a file shorter: what is mapped of the rest is unmapped, and what is cached goes.",
    differs: "The page that the new end lies in keeps what is behind the end.",
  },
);
const truncate_inode_pages = kernelFunction(
  "truncate_inode_pages",
  function* (mapping: address_space, index: number): Kernel<void> {
    const found = yield* next_cached(mapping, index);
    if (found === -1) return;
    const p = yield* find_get_page(mapping, found);
    if (p.isNull) return yield* truncate_inode_pages.restart(mapping, found + 1);
    yield* lock_page(p);
    if ((yield* load(p.mapping)) === mapping.addr) yield* delete_from_page_cache(mapping, found, p);
    yield* unlock_page(p);
    yield* put_page(p);
    return yield* truncate_inode_pages.restart(mapping, found + 1);
  },
  { source: "mm/truncate.c", facts: "Truncate", params: ["mapping", "index"], internal: true },
);
