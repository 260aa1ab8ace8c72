/** The part of mm/khugepaged.c that collapses pages of a file: the page cache gets a huge page, the page tables go. */
import { load, loadPrivate, store } from "../machine/access.ts";
import { freeBy } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, down_write, down_write_trylock, up_read, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, WORD } from "../machine/struct.ts";
import { EAGAIN, EINVAL, ENOMEM } from "../machine/errno.ts";
import { find_get_page, next_cached } from "./filemap.ts";
import { find_pmd } from "./huge_split.ts";
import { address_space, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { alloc_hugepage, count, put_page } from "./page_alloc.ts";
import { copy_user_highpage } from "./page_copy.ts";
import { lock_page, trylock_page, unlock_page } from "./page_flags.ts";
import {
  alignDown,
  huge_page,
  is_table,
  nth_page,
  PAGE_SIZE,
  pmd_lockptr,
  PMD_SIZE,
  pte_table,
  type page,
  type PmdEntry,
} from "./pgtable.ts";
import { get_and_clear, value } from "./pgtable_steps.ts";
import { linear_page_index, list_first_vma, list_next_vma } from "./rmap.ts";
import { flush_tlb_range } from "./tlb.ts";
import { try_to_unmap } from "./try_to_unmap.ts";
import { find_vma } from "./vma_tree.ts";

const PARTS = 512;

/** What khugepaged does when it comes to 2 MiB of a process that map a file: 0, or why not. */
export const khugepaged_scan_file = kernelFunction(
  "khugepaged_scan_file",
  function* (mm: mm_struct, addr: number): Kernel<number> {
    yield* down_read(mm.mmap_sem);
    const vma = yield* find_vma(mm, alignDown(addr, PMD_SIZE));
    const fits = !vma.isNull && (yield* covers(vma, alignDown(addr, PMD_SIZE)));
    const mapping = fits ? yield* loadPrivate(vma.vm_file) : at(address_space, 0);
    const index = fits ? yield* linear_page_index(vma, alignDown(addr, PMD_SIZE)) : 0;
    yield* up_read(mm.mmap_sem);
    if (mapping.isNull || index !== 0) return -EINVAL;
    return yield* collapse_file(mapping);
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["mm", "addr"],
    summary: "Collapses the pages of the file that is mapped at an address.",
    differs: "It does not look first whether it is worth it. A file has one such range: its first 2 MiB.",
  },
);
function* covers(vma: vm_area_struct, start: number): Kernel<boolean> {
  if ((yield* load(vma.vm_start)) > start) return false;
  return start + PMD_SIZE <= (yield* load(vma.vm_end));
}

const collapse_file = kernelFunction(
  "collapse_file",
  function* (mapping: address_space): Kernel<number> {
    const fresh = yield* alloc_hugepage();
    if (fresh.isNull) return -ENOMEM;
    yield* lock_page(fresh);
    const moved = yield* move_each(mapping, fresh, 0);
    yield* fill_up(mapping, fresh, moved);
    if (moved) yield* retract_page_tables(mapping);
    yield* unlock_page(fresh);
    if (!moved) yield* put_page(fresh);
    return moved ? 0 : -EAGAIN;
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["mapping"],
    summary: "Replaces the pages of a file by a huge one.",
    differs:
      "If a page cannot be had, those that have been replaced before it stay so: a part of a huge page is as good as " +
      "a page. Each page is unmapped by its rmap.",
  },
);
/** Under page locks, page by page; false if one is in use. */
const move_each = kernelFunction(
  "collapse_file",
  function* (mapping: address_space, fresh: huge_page, from: number): Kernel<boolean> {
    const index = yield* next_cached(mapping, from);
    if (index === -1) return true;
    const p = yield* find_get_page(mapping, index);
    if (p.isNull) return yield* move_each.restart(mapping, fresh, index + 1);
    const locked = yield* trylock_page(p);
    const unmapped = locked && (yield* try_to_unmap(p, 0));
    const moved = unmapped && (yield* replace(mapping, index, p, nth_page(fresh, index)));
    if (locked) yield* unlock_page(p);
    yield* put_page(p);
    return moved ? yield* move_each.restart(mapping, fresh, index + 1) : false;
  },
  { source: "mm/khugepaged.c", facts: "khugepaged", params: ["mapping", "new_page", "from"], internal: true },
);
const CACHE_AND_CALLER = 2;
const isAlone = primitive("page_ref_freeze", (m, refcount = 0) => (m.read(refcount) === CACHE_AND_CALLER ? 1 : 0));
const replace = kernelFunction(
  "collapse_file",
  function* (mapping: address_space, index: number, p: page, part: page): Kernel<boolean> {
    const slot = mapping.pages.at(index);
    yield* copy_user_highpage(part, p);
    yield* spin_lock(mapping.i_pages);
    const alone = yield* step({
      op: Op.primitive,
      addr: p._refcount.addr,
      primitive: isAlone,
      args: [p._refcount.addr],
      decode: (n) => n !== 0,
      text: (names) => `page_ref_freeze(${p.expr(names)}, ${CACHE_AND_CALLER})`,
    });
    if (alone) {
      yield* step({ op: Op.silentPrimitive, primitive: enter, args: [part.addr, mapping.addr, index], text: () => "" });
      yield* step({
        op: Op.store,
        addr: slot.addr,
        a: part.addr,
        text: (names) => `xas_store(&${slot.expr(names)}, ${part.expr(names)})`,
      });
      yield* store(p.mapping, 0);
    }
    yield* spin_unlock(mapping.i_pages);
    if (alone) yield* put_page(p);
    return alone;
  },
  { source: "mm/khugepaged.c", facts: "khugepaged", params: ["mapping", "index", "page", "part"], internal: true },
);
/** A part of the huge page belongs to the file, which has a reference for it. */
const enter = primitive("enter", (m, part = 0, mapping = 0, index = 0) => {
  const p = at(huge_page, part);
  const head = at(huge_page, part - (nth_page(p, index).addr - part));
  m.write(p.mapping.addr, mapping);
  m.write(p.index.addr, index);
  m.write(head._refcount.addr, m.read(head._refcount.addr) + 1);
  return 0;
});
const fillUp = primitive("fill", (m, mapping = 0, fresh = 0) => {
  const { pages } = at(address_space, mapping);
  const head = at(huge_page, fresh);
  for (let i = 0; i < PARTS; i++) {
    const slot = pages.addr + i * WORD;
    if (m.read(slot) !== 0) continue;
    const part = nth_page(head, i);
    m.write(slot, part.addr);
    m.write(part.mapping.addr, mapping);
    m.write(part.index.addr, i);
    m.write(head._refcount.addr, m.read(head._refcount.addr) + 1);
  }
  return 0;
});
/** The holes of the file are filled, too; the first reference of the huge page goes with its lock. */
function* fill_up(mapping: address_space, fresh: huge_page, moved: boolean): Kernel<void> {
  if (!moved) return;
  yield* step({
    op: Op.primitive,
    addr: mapping.pages.addr,
    primitive: fillUp,
    args: [mapping.addr, fresh.addr],
    text: (names) => `xas_store(&${mapping.expr(names)}->i_pages, ${fresh.expr(names)})`,
  });
  yield* put_page(fresh);
}

/** The page tables that mapped the pages are empty now, and in the way of a leaf. */
export const retract_page_tables = kernelFunction(
  "retract_page_tables",
  function* (mapping: address_space): Kernel<void> {
    yield* fact("file", down_write(mapping.i_mmap_rwsem));
    yield* retract_each(mapping, yield* list_first_vma(mapping.i_mmap));
    yield* fact("file", up_write(mapping.i_mmap_rwsem));
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["mapping"],
    summary: "Frees the page tables of 2 MiB of a file, in every process where nobody is just using them.",
  },
);
const retract_each = kernelFunction(
  "retract_page_tables",
  function* (mapping: address_space, vma: vm_area_struct): Kernel<void> {
    if (vma.isNull) return;
    yield* retract_one(vma);
    return yield* retract_each.restart(mapping, yield* list_next_vma(vma, mapping.i_mmap));
  },
  { source: "mm/khugepaged.c", facts: "khugepaged", params: ["mapping", "vma"], internal: true },
);
export const retract_one = kernelFunction(
  "retract_page_tables",
  function* (vma: vm_area_struct): Kernel<void> {
    if (!(yield* fact("file", load(vma.anon_vma))).isNull) return;
    const start = yield* load(vma.vm_start);
    const addr = start - (yield* load(vma.vm_pgoff)) * PAGE_SIZE;
    if (addr % PMD_SIZE !== 0 || (yield* load(vma.vm_end)) < addr + PMD_SIZE || addr < start) return;
    const pmd = yield* fact("file", find_pmd(vma, addr));
    if (pmd === null || !is_table(yield* fact("file", value(pmd)))) return;
    const mm = yield* loadPrivate(vma.vm_mm);
    if (!(yield* fact("file", down_write_trylock(mm.mmap_sem)))) return;
    const table = yield* collapse_and_free_pmd(mm, pmd, addr);
    yield* fact("file", up_write(mm.mmap_sem));
    if (table !== 0) yield* free_table(mm, table);
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["vma"],
    internal: true,
    differs: "What is in use now is not tried again later.",
  },
);
export function* free_table(mm: mm_struct, table: number): Kernel<void> {
  yield* count(mm.pgtables_bytes, -PAGE_SIZE);
  yield* fact("file", freeBy("pte_free", at(pte_table, table)));
}
/** The table that has been taken out, if the caller is to free it. */
export const collapse_and_free_pmd = kernelFunction(
  "collapse_and_free_pmd",
  function* (mm: mm_struct, pmd: PmdEntry, addr: number): Kernel<number> {
    yield* fact("file", spin_lock(pmd_lockptr(pmd)));
    const table = yield* fact("file", get_and_clear(pmd));
    yield* fact("file", flush_tlb_range(mm, addr, addr + PMD_SIZE));
    yield* fact("file", spin_unlock(pmd_lockptr(pmd)));
    return table;
  },
  {
    source: "mm/khugepaged.c",
    facts: "khugepaged",
    params: ["mm", "pmd", "addr"],
    summary: "Takes a page table out. In 5.6 nobody else is told.",
  },
);
