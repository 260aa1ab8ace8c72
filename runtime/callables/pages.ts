/** What copies, moves and takes away pages behind a process's back, as scripts call it. */
import { currentMm, range, returnsNumber, returnsObject, type Callable } from "../callable.ts";
import { dup_mm } from "../mm/dup_mmap.ts";
import { mm_struct } from "../mm/mm_types.ts";
import { reclaim_pages } from "../mm/vmscan.ts";

export const pageCallables: readonly Callable[] = [
  {
    name: "fork",
    params: [currentMm],
    result: returnsObject(() => mm_struct),
    summary: "makes a child of this process: its address space, with one user, or NULL",
    source: "kernel/fork.c",
    needsUsers: true,
    run: dup_mm,
  },
  {
    name: "reclaim_pages",
    params: [currentMm, range()],
    result: returnsNumber,
    summary: "pages out what is mapped in a range, as kswapd does; how many pages",
    source: "mm/vmscan.c",
    needsUsers: true,
    run: reclaim_pages,
  },
];
