/** arch/x86/mm/fault.c, and the access that faults: what a thread of the process does to its own memory. */
import { load } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, down_read_trylock, up_read } from "../machine/rwsem.ts";
import { fact, Op, primitive, step, type Kernel, type PrimitiveContext } from "../machine/step.ts";
import { at, WORD } from "../machine/struct.ts";
import { EFAULT } from "../machine/errno.ts";
import { FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_WRITE, handle_mm_fault, VM_FAULT_ERROR } from "./memory.ts";
import { mm_struct, VM_EXEC, VM_READ, VM_WRITE } from "./mm_types.ts";
import {
  pgd_offset,
  pgd_table,
  pmd_offset,
  pmd_table,
  pte_offset,
  pte_page,
  pte_present,
  pte_table,
  pte_write,
  pud_offset,
  pud_table,
  PAGE_SIZE,
} from "./pgtable.ts";
import { find_vma } from "./vma_tree.ts";

/** What an access answers that no word holds: the hardware raised a page fault. */
const PAGE_FAULT = -(2 ** 52);

/** The PTE of `addr`, or 0 if there is none: the walk of the hardware. `look` reads a word. */
export function cpuPte(look: (addr: number) => number, mm: number, addr: number): number {
  const pgd = look(at(mm_struct, mm).pgd.addr);
  const pud = pgd === 0 ? 0 : look(pgd_offset(at(pgd_table, pgd), addr).addr);
  const pmd = pud === 0 ? 0 : look(pud_offset(at(pud_table, pud), addr).addr);
  const pte = pmd === 0 ? 0 : look(pmd_offset(at(pmd_table, pmd), addr).addr);
  return pte === 0 ? 0 : look(pte_offset(at(pte_table, pte), addr).addr);
}
/** Address of the word behind `addr` in the page of a PTE. */
export const wordInPage = (pte: number, addr: number): number =>
  pte_page(pte).data.addr + Math.floor((addr % PAGE_SIZE) / WORD) * WORD;
/** Address of the word behind `addr`, or 0 if the hardware faults. */
function translate(m: PrimitiveContext, mm: number, addr: number, write: boolean): number {
  const entry = cpuPte((word) => m.read(word), mm, addr);
  return !pte_present(entry) || (write && !pte_write(entry)) ? 0 : wordInPage(entry, addr);
}
// One step each: the TLB flush that comes before tables and pages are freed waits for an access under way.
const read = primitive("load", (m, mm = 0, addr = 0) => {
  const word = translate(m, mm, addr, false);
  return word === 0 ? PAGE_FAULT : m.read(word);
});
const write = primitive("store", (m, mm = 0, addr = 0, value = 0) => {
  const word = translate(m, mm, addr, true);
  if (word === 0) return PAGE_FAULT;
  m.write(word, value);
  return 0;
});

/** What a trace shows is a word of its own, not our number for it. */
const shown = (value: number): number | "page fault" => (value === PAGE_FAULT ? "page fault" : value);
const hex = (addr: number): string => `0x${addr.toString(16)}`;
function userRead(mm: mm_struct, addr: number): Kernel<number | "page fault"> {
  const args = [mm.addr, addr];
  const text = (): string => `load ${hex(addr)}`;
  return step({ op: Op.primitive, addr: mm.pgd.addr, primitive: read, args, decode: shown, text });
}
function userWrite(mm: mm_struct, addr: number, value: number): Kernel<"page fault" | undefined> {
  const args = [mm.addr, addr, value];
  const text = (): string => `store ${hex(addr)} ${value}`;
  const decode = (result: number): "page fault" | undefined => (result === PAGE_FAULT ? "page fault" : undefined);
  return step({ op: Op.primitive, addr: mm.pgd.addr, primitive: write, args, decode, text });
}

const do_user_addr_fault = kernelFunction(
  "do_user_addr_fault",
  function* (mm: mm_struct, addr: number, isWrite: boolean): Kernel<number> {
    if (!(yield* fact(1, down_read_trylock(mm.mmap_sem)))) yield* down_read(mm.mmap_sem);
    const error = yield* fault_locked(mm, addr, isWrite);
    yield* fact(6, up_read(mm.mmap_sem));
    return error;
  },
  {
    source: "arch/x86/mm/fault.c",
    facts: "arch",
    params: ["mm", "address", "write"],
    summary: "Handles the page fault of a user's access.",
    differs: "A signal for a bad access is -EFAULT. No stacks that grow.",
  },
);
const fault_locked = kernelFunction(
  "do_user_addr_fault",
  function* (mm: mm_struct, addr: number, isWrite: boolean): Kernel<number> {
    const vma = yield* fact(2, find_vma(mm, addr));
    if (vma.isNull || (yield* load(vma.vm_start)) > addr) return -EFAULT;
    const allowed = (yield* fact(3, load(vma.vm_flags))) & (isWrite ? VM_WRITE : VM_READ | VM_EXEC | VM_WRITE);
    if (allowed === 0) return -EFAULT;
    const flags = FAULT_FLAG_ALLOW_RETRY + (isWrite ? FAULT_FLAG_WRITE : 0);
    const ret = yield* fact(4, handle_mm_fault(vma, addr, flags));
    return (ret & VM_FAULT_ERROR) !== 0 ? -EFAULT : 0;
  },
  { source: "arch/x86/mm/fault.c", facts: "arch", params: ["mm", "address", "write"], internal: true },
);

/** A read of user memory by a thread of the process: the word, or -EFAULT for what would be SIGSEGV. */
export const user_load = kernelFunction(
  "load",
  function* (mm: mm_struct, addr: number): Kernel<number> {
    const value = yield* userRead(mm, addr);
    if (value !== "page fault") return value;
    const error = yield* do_user_addr_fault(mm, addr, false);
    return error !== 0 ? error : yield* user_load.restart(mm, addr);
  },
  { params: ["mm", "address"], summary: "A CPU reads user memory, faulting as hardware would.", internal: true },
);
/** A write of user memory by a thread of the process; -EFAULT for what would be SIGSEGV. */
export const user_store = kernelFunction(
  "store",
  function* (mm: mm_struct, addr: number, value: number): Kernel<number> {
    if ((yield* userWrite(mm, addr, value)) !== "page fault") return 0;
    const error = yield* do_user_addr_fault(mm, addr, true);
    return error !== 0 ? error : yield* user_store.restart(mm, addr, value);
  },
  {
    params: ["mm", "address", "value"],
    summary: "A CPU writes user memory, faulting as hardware would.",
    internal: true,
  },
);
