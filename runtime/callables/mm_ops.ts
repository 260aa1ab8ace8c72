/** What becomes of mappings: protection, moves, advice, and the ends that others put to a process. */
import {
  address,
  currentMm,
  flags,
  number,
  object,
  range,
  returnsBoolean,
  returnsNothing,
  returnsNumber,
  type Callable,
} from "../callable.ts";
import { send_sigkill } from "../machine/signal.ts";
import type { Kernel } from "../machine/step.ts";
import { do_madvise, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_PAGEOUT } from "../mm/madvise.ts";
import { address_space, mm_struct, VM_READ, VM_WRITE } from "../mm/mm_types.ts";
import { change_prot_numa, vm_mprotect } from "../mm/mprotect.ts";
import { vm_mremap } from "../mm/mremap.ts";
import { mark_oom_victim, oom_reap_task_mm } from "../mm/oom_kill.ts";
import { truncate_setsize, unmap_mapping_range } from "../mm/truncate.ts";
import { protections } from "./mm.ts";

const mm = object("mm", () => mm_struct);
/** Each advice by its name; several at once make no sense, and are none. */
const advices = { MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_PAGEOUT };

const CPUS = 8;
/** The task of a CPU goes by the CPU's name. */
const tasks = Object.fromEntries(Array.from({ length: CPUS }, (_, cpu) => [`cpu${cpu}`, 1 << cpu]));

export const mmOpsCallables: readonly Callable[] = [
  {
    name: "mprotect",
    params: [currentMm, range("range", "length"), flags("prot", protections, VM_READ | VM_WRITE)],
    result: returnsNumber,
    summary: "changes what may be done with a range (rw unless said otherwise)",
    source: "mm/mprotect.c",
    needsUsers: true,
    run: vm_mprotect,
  },
  {
    name: "mremap",
    params: [currentMm, range("old", "length"), address("new_addr")],
    result: returnsNumber,
    summary: "moves a mapping to another address (MREMAP_MAYMOVE | MREMAP_FIXED); that address, or an error",
    source: "mm/mremap.c",
    needsUsers: true,
    run: vm_mremap,
  },
  {
    name: "madvise",
    params: [currentMm, range("range", "length"), flags("advice", advices, 0, true)],
    result: returnsNumber,
    summary:
      "MADV_DONTNEED gives pages up, MADV_FREE if need be; MADV_PAGEOUT pages out; MADV_HUGEPAGE asks for huge ones",
    source: "mm/madvise.c",
    needsUsers: true,
    run: do_madvise,
  },
  {
    name: "truncate",
    params: [object("mapping", () => address_space), number("size")],
    result: returnsNumber,
    summary: "makes a file shorter, in bytes: its pages go from all mappings, without mmap_sem, and from memory",
    source: "mm/truncate.c",
    run: truncate_setsize,
  },
  {
    name: "unmap_mapping_range",
    params: [object("mapping", () => address_space), number("start"), number("length")],
    result: returnsNothing,
    summary: "takes a part of a file, in bytes, from all mappings, without mmap_sem; a length of 0: the rest",
    source: "mm/memory.c",
    run: unmap_mapping_range,
  },
  {
    name: "change_prot_numa",
    params: [currentMm, range("range", "length")],
    result: returnsNothing,
    summary: "NUMA balancing wants to hear of the next access to each page of a range",
    source: "kernel/sched/fair.c",
    needsUsers: true,
    run: change_prot_numa,
  },
  {
    name: "mark_oom_victim",
    params: [mm],
    result: returnsNothing,
    summary: "the OOM killer chooses the process that runs in an address space",
    source: "mm/oom_kill.c",
    run: mark_oom_victim,
  },
  {
    name: "oom_reap_task_mm",
    params: [mm],
    result: returnsBoolean,
    summary: "the OOM reaper takes a victim's private pages; notifiers may not sleep. Whether it was through",
    source: "mm/oom_kill.c",
    since: "v4.19",
    run: oom_reap_task_mm,
  },
  {
    name: "kill",
    params: [flags("who", tasks, 0)],
    result: returnsNothing,
    summary: "SIGKILL for the task of a CPU: what waits killably there returns -EINTR",
    source: "kernel/signal.c",
    run: (task: number): Kernel<void> => send_sigkill(task),
  },
];
