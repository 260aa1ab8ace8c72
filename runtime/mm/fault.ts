/** arch/x86/mm/fault.c, and the access that faults: what a thread of the process does to its own memory. */
import { load, store } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, down_read_trylock, down_write, up_read, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, Op, primitive, step, type Kernel } from "../machine/step.ts";
import { EFAULT } from "../machine/errno.ts";
import { FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_WRITE, VM_FAULT_ERROR, VM_FAULT_RETRY } from "./fault_flags.ts";
import { handle_mm_fault } from "./memory.ts";
import { mm_struct, VM_EXEC, VM_GROWSDOWN, VM_READ, VM_WRITE, type anon_vma, type vm_area_struct } from "./mm_types.ts";
import { alignDown, PAGE_SIZE } from "./pgtable.ts";
import { anon_vma_prepare } from "./rmap.ts";
import { access, PAGE_FAULT, wordInPage } from "./tlb.ts";
import { find_vma } from "./vma_tree.ts";

// One step each: a TLB flush waits for an access under way.
const read = primitive("load", (m, mm = 0, addr = 0) => {
  const p = access(m, mm, addr, false);
  return p === null ? PAGE_FAULT : m.read(wordInPage(p, addr));
});
const write = primitive("store", (m, mm = 0, addr = 0, value = 0) => {
  const p = access(m, mm, addr, true);
  if (p === null) return PAGE_FAULT;
  m.write(wordInPage(p, addr), value);
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

/** `retried`: the fault handler has dropped mmap_sem once already and may not do so again. */
const do_user_addr_fault = kernelFunction(
  "do_user_addr_fault",
  function* (mm: mm_struct, addr: number, isWrite: boolean, retried: boolean): Kernel<number> {
    if (!(yield* fact(1, down_read_trylock(mm.mmap_sem)))) yield* down_read(mm.mmap_sem);
    const ret = yield* fault_locked(mm, addr, isWrite, retried);
    if (ret === VM_FAULT_RETRY) return yield* do_user_addr_fault.restart(mm, addr, isWrite, true);
    yield* fact(6, up_read(mm.mmap_sem));
    return ret;
  },
  {
    source: "arch/x86/mm/fault.c",
    facts: "arch",
    params: ["mm", "address", "write", "retried"],
    own: ["retried"],
    summary: "Handles the page fault of a user's access.",
    differs: "A signal for a bad access is -EFAULT.",
  },
);
/** 0, an error, or VM_FAULT_RETRY with mmap_sem dropped. */
const fault_locked = kernelFunction(
  "do_user_addr_fault",
  function* (mm: mm_struct, addr: number, isWrite: boolean, retried: boolean): Kernel<number> {
    const vma = yield* fact(2, find_vma(mm, addr));
    if (vma.isNull) return -EFAULT;
    const flags = yield* load(vma.vm_flags);
    if ((yield* load(vma.vm_start)) > addr) {
      if ((flags & VM_GROWSDOWN) === 0) return -EFAULT;
      yield* fact(2, expand_downwards(mm, vma, alignDown(addr, PAGE_SIZE)));
    }
    const allowed = flags & (isWrite ? VM_WRITE : VM_READ | VM_EXEC | VM_WRITE);
    if (allowed === 0) return -EFAULT;
    const how = (retried ? 0 : FAULT_FLAG_ALLOW_RETRY) + (isWrite ? FAULT_FLAG_WRITE : 0);
    const ret = yield* fact(4, handle_mm_fault(vma, addr, how));
    if ((ret & VM_FAULT_RETRY) !== 0) return VM_FAULT_RETRY;
    return (ret & VM_FAULT_ERROR) !== 0 ? -EFAULT : 0;
  },
  { source: "arch/x86/mm/fault.c", facts: "arch", params: ["mm", "address", "write", "retried"], internal: true },
);

const expand_downwards = kernelFunction(
  "expand_downwards",
  function* (mm: mm_struct, vma: vm_area_struct, addr: number): Kernel<void> {
    const family: anon_vma = yield* anon_vma_prepare(vma);
    yield* fact(2, down_write(family.rwsem));
    const start = yield* load(vma.vm_start);
    if (addr < start) {
      yield* fact(2, spin_lock(mm.page_table_lock));
      yield* fact(2, store(vma.vm_start, addr));
      const pgoff = yield* load(vma.vm_pgoff);
      yield* store(vma.vm_pgoff, pgoff - (start - addr) / PAGE_SIZE);
      yield* fact(2, spin_unlock(mm.page_table_lock));
    }
    yield* fact(2, up_write(family.rwsem));
  },
  {
    source: "mm/mmap.c",
    facts: "arch",
    params: ["mm", "vma", "address"],
    summary: "A stack grows down to an address, under mmap_sem for reading.",
    differs: "No guard gap and no limit on the size.",
  },
);

/** A read of user memory by a thread of the process: the word, or -EFAULT for what would be SIGSEGV. */
export const user_load = kernelFunction(
  "load",
  function* (mm: mm_struct, addr: number): Kernel<number> {
    const value = yield* userRead(mm, addr);
    if (value !== "page fault") return value;
    const error = yield* do_user_addr_fault(mm, addr, false, false);
    return error !== 0 ? error : yield* user_load.restart(mm, addr);
  },
  { params: ["mm", "address"], summary: "A CPU reads user memory, faulting as hardware would.", internal: true },
);
/** A write of user memory by a thread of the process; -EFAULT for what would be SIGSEGV. */
export const user_store = kernelFunction(
  "store",
  function* (mm: mm_struct, addr: number, value: number): Kernel<number> {
    if ((yield* userWrite(mm, addr, value)) !== "page fault") return 0;
    const error = yield* do_user_addr_fault(mm, addr, true, false);
    return error !== 0 ? error : yield* user_store.restart(mm, addr, value);
  },
  {
    params: ["mm", "address", "value"],
    summary: "A CPU writes user memory, faulting as hardware would.",
    internal: true,
  },
);
