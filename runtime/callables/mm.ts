/** Address spaces and mappings, as scripts call them. */
import {
  address,
  currentMm,
  flags,
  mapping,
  number,
  object,
  range,
  returnsBoolean,
  returnsNothing,
  returnsNumber,
  returnsObject,
  type Callable,
} from "../callable.ts";
import type { Kernel } from "../machine/step.ts";
import { get_task_mm, kthread_unuse_mm, kthread_use_mm, switch_mm, task_struct } from "../mm/current.ts";
import { user_load, user_store } from "../mm/fault.ts";
import { mm_alloc, mmdrop, mmget, mmget_not_zero, mmgrab, mmput } from "../mm/fork.ts";
import { FAULT_FLAG_WRITE } from "../mm/fault_flags.ts";
import { handle_mm_fault } from "../mm/memory.ts";
import { __do_munmap, MAP_FIXED, mmap_file, vm_mmap_pgoff, vm_munmap } from "../mm/mmap.ts";
import {
  mm_struct,
  vm_area_struct,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  type address_space,
} from "../mm/mm_types.ts";
import { find_vma, find_vma_intersection } from "../mm/vma_tree.ts";

const mm = object("mm", () => mm_struct);

const lifetime: readonly Callable[] = [
  {
    name: "mm_alloc",
    params: [],
    result: returnsObject(() => mm_struct),
    summary: "makes another address space, with one user",
    source: "kernel/fork.c",
    run: mm_alloc,
  },
  {
    name: "mmget",
    params: [mm],
    result: returnsNothing,
    summary: "one more user of an address space; the caller must be one",
    source: "include/linux/sched/mm.h",
    run: mmget,
  },
  {
    name: "mmget_not_zero",
    params: [mm],
    result: returnsBoolean,
    summary: "becomes a user of an address space, unless it has none any more",
    source: "include/linux/sched/mm.h",
    run: mmget_not_zero,
  },
  {
    name: "mmput",
    params: [mm],
    result: returnsNothing,
    summary: "one user less; the last one takes the address space down",
    source: "kernel/fork.c",
    run: mmput,
  },
  {
    name: "mmgrab",
    params: [mm],
    result: returnsNothing,
    summary: "one more reference to the mm_struct, not to the address space",
    source: "include/linux/sched/mm.h",
    run: mmgrab,
  },
  {
    name: "mmdrop",
    params: [mm],
    result: returnsNothing,
    summary: "one reference less; the last one frees the mm_struct",
    source: "include/linux/sched/mm.h",
    run: mmdrop,
  },
];

const processes: readonly Callable[] = [
  {
    name: "get_task_mm",
    params: [object("task", () => task_struct)],
    result: returnsObject(() => mm_struct),
    summary: "one more user of the address space that a task runs in, or NULL",
    source: "kernel/fork.c",
    run: get_task_mm,
  },
  {
    name: "switch_mm",
    params: [mm],
    result: returnsNothing,
    summary: "this CPU goes on in another address space, as a thread of that process",
    source: "arch/x86/mm/tlb.c",
    run: switch_mm,
  },
  ...["kthread_use_mm", "use_mm"].map((name) => ({
    name,
    params: [mm],
    result: returnsNothing,
    summary: "a kernel thread takes on an address space, whose users keep it alive",
    source: "mm/mmu_context.c",
    run: kthread_use_mm,
  })),
  ...["kthread_unuse_mm", "unuse_mm"].map((name) => ({
    name,
    params: [mm],
    result: returnsNothing,
    summary: "a kernel thread gives up an address space",
    source: "mm/mmu_context.c",
    run: kthread_unuse_mm,
  })),
];

const NO_PROTECTION_WORD = VM_READ | VM_WRITE;
/** A DAX device is mapped shared, and by entries as large as they go. */
const DAX = VM_SHARED | VM_HUGEPAGE;
/** Words of mmap; `none` needs a bit of its own, to tell it from no word at all. */
const PROT_NONE = 0x80;
export const protections = { r: VM_READ, w: VM_WRITE, x: VM_EXEC, rw: VM_READ | VM_WRITE, none: PROT_NONE };
const mappingWords = {
  ...protections,
  ...{ shared: VM_SHARED, huge: VM_HUGEPAGE, fixed: MAP_FIXED, growsdown: VM_GROWSDOWN },
};
function mmap(
  space: mm_struct,
  start: number,
  end: number,
  words: number,
  file: address_space,
  pgoff: number,
): Kernel<number> {
  const said = (words & (VM_READ | VM_WRITE | VM_EXEC | PROT_NONE)) !== 0;
  const flags = said ? words : words | NO_PROTECTION_WORD;
  return file.isNull ? vm_mmap_pgoff(space, start, end, flags) : mmap_file(space, start, end, flags, file, pgoff);
}

const mappings: readonly Callable[] = [
  {
    name: "mmap",
    params: [currentMm, range("range", "length"), mapping("prot", mappingWords, NO_PROTECTION_WORD, DAX)],
    result: returnsNumber,
    summary: "maps memory, or a file (rw, private and small pages unless said otherwise); the address or an error",
    source: "mm/mmap.c",
    needsUsers: true,
    maps: "range",
    run: mmap,
  },
  {
    name: "munmap",
    params: [currentMm, range("range", "length")],
    result: returnsNumber,
    summary: "unmaps a range",
    source: "mm/mmap.c",
    needsUsers: true,
    run: vm_munmap,
  },
  {
    name: "do_munmap",
    params: [mm, range("range", "length")],
    result: returnsNumber,
    summary: "unmaps a range; mmap_sem must be held for writing",
    source: "mm/mmap.c",
    run: (space: mm_struct, start: number, end: number) => __do_munmap(space, start, end, false),
  },
  {
    name: "find_vma",
    params: [mm, address("addr")],
    result: returnsObject(() => vm_area_struct),
    summary: "the first VMA that ends above an address; needs mmap_sem and mm_users",
    source: "mm/mmap.c",
    run: find_vma,
  },
  {
    name: "find_vma_intersection",
    params: [mm, address("start_addr"), address("end_addr")],
    result: returnsObject(() => vm_area_struct),
    summary: "the first VMA that meets a range, or NULL; needs mmap_sem and mm_users",
    source: "include/linux/mm.h",
    run: find_vma_intersection,
  },
  {
    name: "handle_mm_fault",
    params: [
      object("vma", () => vm_area_struct),
      address("address"),
      flags("flags", { read: 0, write: FAULT_FLAG_WRITE }, 0, true),
    ],
    result: returnsNumber,
    summary: "makes a page present; needs mmap_sem and mm_users",
    source: "mm/memory.c",
    run: handle_mm_fault,
  },
  {
    name: "load",
    params: [currentMm, address("address")],
    result: returnsNumber,
    summary: "this CPU reads user memory, faulting as hardware would; -EFAULT for SIGSEGV",
    source: "arch/x86/mm/fault.c",
    needsUsers: true,
    run: user_load,
  },
  {
    name: "store",
    params: [currentMm, address("address"), number("value")],
    result: returnsNumber,
    summary: "this CPU writes user memory, faulting as hardware would; -EFAULT for SIGSEGV",
    source: "arch/x86/mm/fault.c",
    needsUsers: true,
    run: user_store,
  },
];

export const mmCallables: readonly Callable[] = [...lifetime, ...processes, ...mappings];
