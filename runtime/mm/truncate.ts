/** The part of mm/truncate.c and mm/memory.c that takes pages of a file from all who map them, without mmap_sem. */
import { load, loadPrivate, store } from "../machine/access.ts";
import { EINVAL } from "../machine/errno.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_write, up_write } from "../machine/rwsem.ts";
import { fact, Op, primitive, step, type Kernel } from "../machine/step.ts";
import { WORD } from "../machine/struct.ts";
import { delete_from_page_cache, find_get_page } from "./filemap.ts";
import { unmap_page_range } from "./memory_zap.ts";
import type { address_space, vm_area_struct } from "./mm_types.ts";
import { tlb_finish_mmu, tlb_gather_mmu } from "./mmu_gather.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start } from "./mmu_notifier.ts";
import { mmu_notifier_range_init } from "./mmu_notifier_types.ts";
import { put_page } from "./page_alloc.ts";
import { lock_page, unlock_page } from "./page_flags.ts";
import { PAGE_SIZE, type page } from "./pgtable.ts";
import { list_first_vma, list_next_vma } from "./rmap.ts";

const zap_page_range_single = kernelFunction(
  "zap_page_range_single",
  function* (vma: vm_area_struct, start: number, end: number): Kernel<void> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const range = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", mm, start, end);
    yield* tlb_gather_mmu(mm);
    yield* fact("NS", mmu_notifier_invalidate_range_start(range));
    const pages = yield* fact("zap", unmap_page_range(vma, start, end, []));
    yield* fact("NE", mmu_notifier_invalidate_range_end(range));
    yield* fact("finish", tlb_finish_mmu(mm, start, end, [], pages));
  },
  {
    source: "mm/memory.c",
    facts: "truncate",
    params: ["vma", "start", "end"],
    summary: "Clears the entries of a part of one VMA, held by i_mmap_rwsem.",
    differs: "No LRU to drain.",
  },
);

/** The VMAs stay where they are: whoever touches the hole faults again. */
export const unmap_mapping_pages = kernelFunction(
  "unmap_mapping_pages",
  function* (mapping: address_space, first: number, last: number): Kernel<void> {
    yield* fact("lock", down_write(mapping.i_mmap_rwsem));
    yield* unmap_each(mapping, yield* list_first_vma(mapping.i_mmap), first, last);
    yield* fact("unlock", up_write(mapping.i_mmap_rwsem));
  },
  {
    source: "mm/memory.c",
    facts: "truncate",
    params: ["mapping", "start", "end"],
    summary: "Takes pages of a file from all VMAs that map them.",
  },
);
const unmap_each = kernelFunction(
  "unmap_mapping_pages",
  function* (mapping: address_space, vma: vm_area_struct, first: number, last: number): Kernel<void> {
    if (vma.isNull) return;
    const start = yield* load(vma.vm_start);
    const end = yield* load(vma.vm_end);
    const pgoff = yield* load(vma.vm_pgoff);
    const from = Math.max(start, start + (first - pgoff) * PAGE_SIZE);
    const to = Math.min(end, start + (last - pgoff) * PAGE_SIZE);
    if (from < to) yield* zap_page_range_single(vma, from, to);
    return yield* unmap_each.restart(mapping, yield* list_next_vma(vma, mapping.i_mmap), first, last);
  },
  { source: "mm/memory.c", facts: "truncate", params: ["mapping", "vma", "start", "end"], internal: true },
);
export const unmap_mapping_range = kernelFunction(
  "unmap_mapping_range",
  function* (mapping: address_space, start: number, length: number): Kernel<void> {
    const last = length === 0 ? mapping.pages.length : Math.ceil((start + length) / PAGE_SIZE);
    yield* unmap_mapping_pages(mapping, Math.ceil(start / PAGE_SIZE), last);
  },
  {
    source: "mm/memory.c",
    facts: "truncate",
    params: ["mapping", "holebegin", "holelen"],
    summary: "Takes a part of a file, in bytes, from all VMAs that map it; a length of 0 means the rest.",
    differs: "Private copies go, too: even_cows is set.",
  },
);

/** ftruncate(2) to a smaller size. Whoever faults finds the new size, or is unmapped by the second round. */
export const truncate_setsize = kernelFunction(
  "truncate_setsize",
  function* (mapping: address_space, size: number): Kernel<number> {
    if (size % PAGE_SIZE !== 0 || size < 0) return -EINVAL;
    yield* fact("size", store(mapping.i_size, size));
    yield* unmap_mapping_range(mapping, size, 0);
    yield* truncate_inode_pages(mapping, size / PAGE_SIZE);
    yield* unmap_mapping_range(mapping, size, 0);
    return 0;
  },
  {
    source: "mm/truncate.c",
    facts: "truncate",
    params: ["mapping", "newsize"],
    summary: "Makes a file shorter: its pages are unmapped and leave the page cache.",
    differs: "Whole pages only. i_rwsem, which keeps truncations apart, is not modelled.",
  },
);
const nextCached = primitive("find_get_entries", (m, slots = 0, from = 0, length = 0) => {
  m.read(slots);
  for (let i = from; i < length; i++) if (m.peek(slots + i * WORD) !== 0) return i;
  return -1;
});
const truncate_inode_pages = kernelFunction(
  "truncate_inode_pages",
  function* (mapping: address_space, from: number): Kernel<void> {
    const { addr, length } = mapping.pages;
    const index = yield* step({
      op: Op.primitive,
      addr,
      primitive: nextCached,
      args: [addr, from, length],
      decode: (n) => (n === -1 ? "none" : n),
      text: (names) => `find_get_entries(${mapping.expr(names)}, ${from})`,
    });
    if (index === "none") return;
    const p = yield* find_get_page(mapping, index);
    if (!p.isNull) yield* truncate_page(mapping, index, p);
    return yield* truncate_inode_pages.restart(mapping, index + 1);
  },
  { source: "mm/truncate.c", facts: "truncate", params: ["mapping", "start"], summary: "Empties the page cache." },
);
const truncate_page = kernelFunction(
  "truncate_inode_pages",
  function* (mapping: address_space, index: number, p: page): Kernel<void> {
    yield* lock_page(p);
    if ((yield* load(p.mapping)) === mapping.addr) yield* delete_from_page_cache(mapping, index, p);
    yield* unlock_page(p);
    yield* put_page(p);
  },
  { source: "mm/truncate.c", facts: "truncate", params: ["mapping", "index", "page"], internal: true },
);
