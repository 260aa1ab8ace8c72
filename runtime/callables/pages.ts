/** What copies, moves and takes away pages behind a process's back, as scripts call it. */
import {
  address,
  currentMm,
  flags,
  object,
  range,
  returnsNothing,
  returnsNumber,
  returnsObject,
  type Callable,
} from "../callable.ts";
import { iommu, iommu_bind, iommu_read, sharedWalkerImage } from "../drivers/shared_walker.ts";
import type { Kernel } from "../machine/step.ts";
import { dup_mm } from "../mm/dup_mmap.ts";
import {
  FOLL_PIN,
  FOLL_WRITE,
  get_user_pages_fast,
  get_user_pages_remote,
  get_user_pages_unlocked,
  unpin_user_page,
} from "../mm/gup.ts";
import { khugepaged_scan_pmd } from "../mm/khugepaged.ts";
import { khugepaged_scan_file } from "../mm/khugepaged_file.ts";
import { migrate_range } from "../mm/migrate.ts";
import { migrate_to_device } from "../mm/migrate_vma.ts";
import { mm_struct } from "../mm/mm_types.ts";
import { put_page } from "../mm/page_alloc.ts";
import { page } from "../mm/pgtable.ts";
import { reclaim_pages } from "../mm/vmscan.ts";

const aPage = object("page", () => page);
const toPin = (name: string, needsUsers: boolean, run: Callable["run"], summary: string): Callable => ({
  name,
  params: [needsUsers ? currentMm : object("mm", () => mm_struct), address("start"), access],
  result: returnsObject(() => page),
  summary,
  source: "mm/gup.c",
  needsUsers,
  run,
});
const access = flags("gup_flags", { read: 0, write: FOLL_WRITE }, 0, true);
const pinning =
  (get: (mm: mm_struct, addr: number, flags: number) => Kernel<page>) =>
  (mm: mm_struct, addr: number, how: number): Kernel<page> =>
    get(mm, addr, how | FOLL_PIN);
const references: readonly Callable[] = [
  toPin("get_user_pages_fast", true, get_user_pages_fast, "a reference to a page of this process, or NULL"),
  toPin("get_user_pages_unlocked", true, get_user_pages_unlocked, "the same, always with mmap_sem"),
  toPin("get_user_pages_remote", false, get_user_pages_remote, "the same of any process; mmap_sem must be held"),
  {
    ...toPin("pin_user_pages_fast", true, pinning(get_user_pages_fast), "a reference for I/O to a page, or NULL"),
    since: "v5.6",
  },
  {
    name: "put_page",
    params: [aPage],
    result: returnsNothing,
    summary: "gives a reference to a page up; the last one frees it",
    source: "include/linux/mm.h",
    run: put_page,
  },
  {
    name: "unpin_user_page",
    params: [aPage],
    result: returnsNothing,
    summary: "gives a page up that was pinned for I/O",
    source: "mm/gup.c",
    since: "v5.6",
    run: unpin_user_page,
  },
];

const sharedWalkers: readonly Callable[] = [
  {
    name: "iommu_bind",
    params: [object("dev", () => iommu), object("mm", () => mm_struct)],
    result: returnsNumber,
    summary: "a device gets the page tables of a process to walk, and a notifier that tells it what to forget",
    source: "no kernel file: it stands for what drivers/iommu does for shared virtual addresses",
    image: sharedWalkerImage,
    run: iommu_bind,
  },
  {
    name: "iommu_read",
    params: [object("dev", () => iommu), address("address")],
    result: returnsNumber,
    summary: "the device reads through the page tables of the process; -EFAULT if nothing is mapped",
    source: "no kernel file: it stands for what drivers/iommu does for shared virtual addresses",
    run: iommu_read,
  },
];

const operations: readonly Callable[] = [
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
  {
    name: "migrate_pages",
    params: [currentMm, range()],
    result: returnsNumber,
    summary: "moves what is mapped in a range to other pages, as move_pages(2) does; how many pages",
    source: "mm/migrate.c",
    needsUsers: true,
    run: migrate_range,
  },
  {
    name: "migrate_to_device",
    params: [currentMm, range()],
    result: returnsNumber,
    summary: "a driver moves what is mapped in a range to the memory of its device; how many pages",
    source: "no kernel file: it stands for what a driver does with migrate_vma()",
    since: "v5.6",
    needsUsers: true,
    run: migrate_to_device,
  },
  {
    name: "khugepaged_scan_pmd",
    params: [currentMm, address("addr")],
    result: returnsNumber,
    summary: "khugepaged comes to 2 MiB of anonymous memory: they become one huge page, unless one is in use",
    source: "mm/khugepaged.c",
    since: "v5.6",
    needsUsers: true,
    run: khugepaged_scan_pmd,
  },
  {
    name: "khugepaged_scan_file",
    params: [currentMm, address("addr")],
    result: returnsNumber,
    summary: "khugepaged comes to 2 MiB that map a file: one huge page in the cache, and the page tables go",
    source: "mm/khugepaged.c",
    since: "v5.6",
    needsUsers: true,
    run: khugepaged_scan_file,
  },
];

export const pageCallables: readonly Callable[] = [...operations, ...references, ...sharedWalkers];
