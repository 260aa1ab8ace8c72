/** The part of mm/mmap.c that is the end of an address space: in which order, and under which lock, has changed. */
import { load, loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read, down_write, up_read, up_write } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { free_pgtables } from "./memory_free.ts";
import { unmap_vmas } from "./memory_zap.ts";
import { remove_vma } from "./mmap.ts";
import { MMF_OOM_VICTIM, type mm_struct, type vm_area_struct } from "./mm_types.ts";
import { tlb_finish_mmu, tlb_gather_mmu } from "./mmu_gather.ts";
import { mmu_notifier_release } from "./mmu_notifier_release.ts";
import { __oom_reap_task_mm, set_oom_skip } from "./oom_kill.ts";
import { TASK_SIZE } from "./pgtable.ts";

const remove_each = kernelFunction(
  "exit_mmap",
  function* (vma: vm_area_struct): Kernel<void> {
    const next = yield* fact("E5", remove_vma(vma));
    if (!next.isNull) return yield* remove_each.restart(next);
  },
  { source: "mm/mmap.c", facts: "exit_mmap", params: ["vma"], internal: true },
);
/** Pages, then tables, then what is kept for later. */
function* takeDown(mm: mm_struct, vma: vm_area_struct): Kernel<void> {
  yield* fact("E4", tlb_gather_mmu(mm));
  const pages = yield* fact("E4", unmap_vmas(vma, 0, TASK_SIZE));
  const tables = yield* fact("E4", free_pgtables(mm, vma, 0, TASK_SIZE));
  yield* fact("E4", tlb_finish_mmu(mm, 0, TASK_SIZE, tables, pages));
}
/** Whether the OOM killer has chosen the process. Set before it was killed: reading it is no step of its own. */
function* isVictim(mm: mm_struct): Kernel<boolean> {
  return ((yield* loadPrivate(mm.flags)) & MMF_OOM_VICTIM) !== 0;
}
/** Whoever comes to reap from here on finds that it is done; who has come already is waited for. */
const reap_victim = kernelFunction(
  "exit_mmap",
  function* (mm: mm_struct): Kernel<void> {
    yield* fact("E3", __oom_reap_task_mm(mm));
    yield* fact("E3", set_oom_skip(mm));
    yield* fact("E3", down_write(mm.mmap_sem));
    yield* fact("E3", up_write(mm.mmap_sem));
  },
  { source: "mm/mmap.c", facts: "exit_mmap", params: ["mm"], internal: true },
);

/** The drafts of 2008: notifiers hear of it when the pages are gone. V4 calls something before that. */
export const releaseLast = (before: (mm: mm_struct) => Kernel<void> = function* () {}) =>
  function* (mm: mm_struct): Kernel<void> {
    yield* before(mm);
    const vma = yield* fact("E4", load(mm.mmap));
    if (!vma.isNull) yield* takeDown(mm, vma);
    yield* fact("E1", mmu_notifier_release(mm));
    if (!vma.isNull) yield* remove_each(vma);
  };
/** 2.6.27, and the revision of 31 January 2008. */
export function* releaseFirst(mm: mm_struct): Kernel<void> {
  yield* fact("E1", mmu_notifier_release(mm));
  const vma = yield* fact("E4", load(mm.mmap));
  if (vma.isNull) return;
  yield* takeDown(mm, vma);
  yield* remove_each(vma);
}
/** 4.15 to 5.15. */
function* reapVictimFirst(mm: mm_struct): Kernel<void> {
  yield* fact("E1", mmu_notifier_release(mm));
  if (yield* isVictim(mm)) yield* reap_victim(mm);
  const vma = yield* fact("E4", load(mm.mmap));
  if (vma.isNull) return;
  yield* takeDown(mm, vma);
  yield* remove_each(vma);
}
/** 6.0: what the OOM reaper may do at the same time is held off by the lock. */
function* underWriteLock(mm: mm_struct): Kernel<void> {
  yield* fact("E1", mmu_notifier_release(mm));
  if (yield* isVictim(mm)) {
    yield* fact("E3", __oom_reap_task_mm(mm));
    yield* fact("E3", set_oom_skip(mm));
  }
  yield* fact("E4", down_write(mm.mmap_sem));
  const vma = yield* fact("E4", load(mm.mmap));
  if (!vma.isNull) {
    yield* takeDown(mm, vma);
    yield* remove_each(vma);
  }
  yield* fact("E4", up_write(mm.mmap_sem));
}
/** 6.1: pages are taken while others may still read, as the OOM reaper does. */
function* underReadLock(mm: mm_struct): Kernel<void> {
  yield* fact("E1", mmu_notifier_release(mm));
  yield* fact("E4", down_read(mm.mmap_sem));
  const vma = yield* fact("E4", load(mm.mmap));
  if (vma.isNull) {
    yield* fact("E4", up_read(mm.mmap_sem));
    return;
  }
  yield* fact("E4", tlb_gather_mmu(mm));
  const pages = yield* fact("E4", unmap_vmas(vma, 0, TASK_SIZE));
  yield* fact("E4", up_read(mm.mmap_sem));
  yield* fact("E3", set_oom_skip(mm));
  yield* fact("E4", down_write(mm.mmap_sem));
  const tables = yield* fact("E4", free_pgtables(mm, vma, 0, TASK_SIZE));
  yield* fact("E4", tlb_finish_mmu(mm, 0, TASK_SIZE, tables, pages));
  yield* remove_each(vma);
  yield* fact("E4", up_write(mm.mmap_sem));
}

export const exit_mmap = kernelFunction("exit_mmap", releaseLast(), {
  source: "mm/mmap.c",
  facts: "exit_mmap",
  params: ["mm"],
  summary: "Takes down all mappings. The tree and the list of VMAs keep pointing at what was freed.",
  differs: "No mlocked pages. unmap_vmas() ends at TASK_SIZE, not at -1.",
})
  .since("v2.6.27", releaseFirst)
  .since("v4.19", reapVictimFirst)
  .since("v6.0", underWriteLock)
  .since("v6.1", underReadLock);
