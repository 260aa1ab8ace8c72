/**
 * A device that walks the CPU's own page tables, as an IOMMU does for shared virtual addresses, and remembers which
 * table an address led to. What it remembers dies only when a notifier tells its driver so.
 */
import { loadPrivate, storePrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, embed, int, pointer, Struct } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import { EFAULT } from "../machine/errno.ts";
import type { ImageWriter } from "../image.ts";
import { mm_struct } from "../mm/mm_types.ts";
import { mmu_notifier_register } from "../mm/mmu_notifier_register.ts";
import { mmu_notifier, mmu_notifier_ops } from "../mm/mmu_notifier_types.ts";
import {
  alignDown,
  hw_allows,
  is_table,
  pgd_entry,
  pgd_table,
  pmd_entry,
  pmd_table,
  PMD_SIZE,
  pte_entry,
  pte_page,
  pte_table,
  pud_entry,
  pud_table,
} from "../mm/pgtable.ts";
import { wordInPage } from "../mm/tlb.ts";

export class iommu extends Struct {
  mn = embed(mmu_notifier);
  /** Whose tables it walks. Set once. */
  mm = pointer(() => mm_struct);
  /** Its paging-structure cache, of one entry: 2 MiB of addresses, and the table that they led to. The hardware's. */
  start = int();
  table = int();
}
const ops = staticObject(mmu_notifier_ops);
export function sharedWalkerImage(write: ImageWriter): void {
  write(ops.invalidate_range, iommu_invalidate_range);
}

const MN = at(iommu, 0).mn.addr;
const forget = primitive("iommu_flush", (m, dev = 0, start = 0, end = 0) => {
  const view = at(iommu, dev);
  if (m.read(view.table.addr) !== 0 && m.read(view.start.addr) < end && m.read(view.start.addr) + PMD_SIZE > start) {
    m.write(view.table.addr, 0);
    m.write(view.start.addr, 0);
  }
  return 0;
});
const iommu_invalidate_range = kernelFunction(
  "iommu_invalidate_range",
  function* (mn: mmu_notifier, _mm: mm_struct, start: number, end: number): Kernel<void> {
    yield* step({
      op: Op.primitive,
      addr: mn.addr,
      primitive: forget,
      args: [mn.addr - MN, start, end],
      text: () => `the IOMMU forgets 0x${start.toString(16)}..0x${end.toString(16)}`,
    });
  },
  { params: ["mn", "mm", "start", "end"], summary: "The IOMMU drops what it remembers of a range." },
);
export const iommu_bind = kernelFunction(
  "iommu_bind",
  function* (dev: iommu, mm: mm_struct): Kernel<number> {
    yield* storePrivate(dev.mm, mm);
    yield* storePrivate(dev.mn.ops, ops);
    return yield* mmu_notifier_register(dev.mn, mm);
  },
  { params: ["dev", "mm"], summary: "A device gets the page tables of a process to walk." },
);

/** The word that an address leads to, or 0. One step: hardware. */
const walk = primitive("iommu_read", (m, dev = 0, mm = 0, addr = 0) => {
  const view = at(iommu, dev);
  const start = alignDown(addr, PMD_SIZE);
  let table = m.read(view.start.addr) === start ? m.read(view.table.addr) : 0;
  if (table === 0) {
    const p4d = m.read(pgd_entry(at(pgd_table, m.read(at(mm_struct, mm).pgd.addr)), addr).addr);
    const pud = is_table(p4d) ? m.read(pud_entry(at(pud_table, p4d), addr).addr) : 0;
    table = is_table(pud) ? m.read(pmd_entry(at(pmd_table, pud), addr).addr) : 0;
    if (!is_table(table)) return -EFAULT;
    m.write(view.start.addr, start);
    m.write(view.table.addr, table);
  }
  const pte = m.read(pte_entry(at(pte_table, table), addr).addr);
  return hw_allows(pte, false) ? m.read(wordInPage(pte_page(pte), addr)) : -EFAULT;
});
export const iommu_read = kernelFunction(
  "iommu_read",
  function* (dev: iommu, addr: number): Kernel<number> {
    const mm = yield* loadPrivate(dev.mm);
    return yield* step({
      op: Op.primitive,
      addr: dev.addr,
      primitive: walk,
      args: [dev.addr, mm.addr, addr],
      text: () => `the IOMMU reads 0x${addr.toString(16)}`,
    });
  },
  {
    params: ["dev", "address"],
    summary: "The device reads through the CPU's page tables; -EFAULT if nothing is there.",
  },
);
