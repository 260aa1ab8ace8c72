/** The modelled kernel as a whole: its patches, what scripts can call and declare, and what there is at the start. */
import type { Callable, DefaultObject } from "./callable.ts";
import { contextCallables } from "./callables/contexts.ts";
import { counterCallables } from "./callables/counters.ts";
import { deviceCallables } from "./callables/device.ts";
import { deferredCallables } from "./callables/deferred.ts";
import { defaultMirror, hmmCallables, idleMirrorImage } from "./callables/hmm.ts";
import { hmmFaultCallables } from "./callables/hmm_fault.ts";
import { defaultInterval, idleIntervalImage, intervalCallables } from "./callables/interval_notifiers.ts";
import { intervalUpdateCallables } from "./callables/interval_updates.ts";
import { listCallables } from "./callables/lists.ts";
import { lockCallables } from "./callables/locks.ts";
import { mmCallables } from "./callables/mm.ts";
import { mmOpsCallables } from "./callables/mm_ops.ts";
import { walkCallables } from "./callables/walk.ts";
import { pageCallables } from "./callables/pages.ts";
import { mmapLockCallables } from "./callables/mmap_lock.ts";
import { notifierPageCallables } from "./callables/notifier_pages.ts";
import { defaultNotifier, notifierCallables } from "./callables/notifiers.ts";
import { odpCallables } from "./callables/odp.ts";
import { mlx5OdpImage } from "./drivers/mlx5_odp.ts";
import { umemOdpImage } from "./drivers/umem_odp.ts";
import type { ImageWriter } from "./image.ts";
import { endBeforeZap } from "./kernels/end-before-zap.ts";
import { forkEndsBeforeWrprotect } from "./kernels/fork-ends-before-wrprotect.ts";
import { devicePrivatePageRef } from "./kernels/device-private-page-ref.ts";
import { forkCopiesPinned } from "./kernels/fork-copies-pinned.ts";
import { gupFastWriteProtectSeq } from "./kernels/gup-fast-write-protect-seq.ts";
import { dirtyHelpersPud } from "./kernels/dirty-helpers-pud.ts";
import { hmmRangeMmget } from "./kernels/hmm-range-mmget.ts";
import { mremapLateFlush } from "./kernels/mremap-late-flush.ts";
import { mremapRecheckPmd } from "./kernels/mremap-recheck-pmd.ts";
import { munmapKeepWriteLock } from "./kernels/munmap-keep-write-lock.ts";
import { numaClearsPmd } from "./kernels/numa-clears-pmd.ts";
import { damonNoRepeat, damonPteOffsetMap } from "./kernels/damon.ts";
import { hmmWaitsForMigration } from "./kernels/hmm-waits-for-migration.ts";
import { hmmHoleWithoutLock } from "./kernels/hmm-hole-without-lock.ts";
import { pagewalkHoles } from "./kernels/pagewalk-holes.ts";
import { pagewalkPudSnapshot } from "./kernels/pagewalk-pud-snapshot.ts";
import { pagewalkReadOncePud } from "./kernels/pagewalk-read-once-pud.ts";
import { pmdNoneOrClearBad } from "./kernels/pmd-none-or-clear-bad.ts";
import { invalidatePageUnderLock } from "./kernels/invalidate-page-under-lock.ts";
import { oomReaperBlocks } from "./kernels/oom-reaper-blocks.ts";
import { nonblockSingleNotifier } from "./kernels/nonblock-single-notifier.ts";
import { oomReaperEnds } from "./kernels/oom-reaper-ends.ts";
import { mmuNotifierV2 } from "./kernels/mmu-notifier-v2.ts";
import { noAllLocksMutex } from "./kernels/no-all-locks-mutex.ts";
import { registerAllocatesUnderLocks } from "./kernels/register-allocates-under-locks.ts";
import { releaseExternalLock } from "./kernels/release-external-lock.ts";
import { releaseNoAutodisarm } from "./kernels/release-no-autodisarm.ts";
import { releaseMmapSem } from "./kernels/release-mmap-sem.ts";
import { mmuNotifierSpinlock } from "./kernels/mmu-notifier-spinlock.ts";
import { mmuNotifierV4 } from "./kernels/mmu-notifier-v4.ts";
import { mmuNotifierV4EarlyRelease } from "./kernels/mmu-notifier-v4-early-release.ts";
import { odpMmgetNotZero } from "./kernels/odp-mmget-not-zero.ts";
import { odpV4 } from "./kernels/odp-v4.ts";
import { retractWithoutMmapLock } from "./kernels/retract-without-mmap-lock.ts";
import { retractNotifies } from "./kernels/retract-notifies.ts";
import { intervalUpdatesSafe } from "./kernels/interval-updates-safe.ts";
import { zapBeforeStart } from "./kernels/zap-before-start.ts";
import { functionById } from "./machine/function.ts";
import type { Machine } from "./machine/machine.ts";
import { wordOf } from "./machine/step.ts";
import { staticObject } from "./machine/types.ts";
import { hmmImage } from "./mm/hmm.ts";
import { hmmWalkImage } from "./mm/hmm_walk.ts";
import { hmmFaultImage } from "./mm/hmm_fault_walk.ts";
import { tasksImage } from "./mm/current.ts";
import { dirtyHelpersImage } from "./mm/mapping_dirty_helpers.ts";
import { damonImage } from "./mm/damon.ts";
import { mincoreImage } from "./mm/mincore.ts";
import { ptdumpImage } from "./mm/ptdump.ts";
import { initMmImage } from "./mm/vmalloc.ts";
import type { mm_struct } from "./mm/mm_types.ts";
import { pageImage } from "./mm/page_alloc.ts";
import { pgd_table } from "./mm/pgtable.ts";
import { declarableTypes, kernelTypes, livesOfTypes } from "./callables/types.ts";
import type { StructClass } from "./machine/struct.ts";
import { existsIn, type Era, type Life, type Patch } from "./patch.ts";

export { constants } from "./callables/constants.ts";
export { callbacksIn, callbackTables } from "./callables/ops.ts";
export { declarableTypes, kernelTypes } from "./callables/types.ts";

/** The eras that have a type of the kernel. */
export const lifeOfType = (name: string): Life => (Object.hasOwn(livesOfTypes, name) && livesOfTypes[name]) || {};
/** What a name of a type stands for in an era. */
export function typeIn(name: string, era: Era): StructClass | undefined {
  const types = Object.hasOwn(declarableTypes, name) ? declarableTypes : kernelTypes;
  return Object.hasOwn(types, name) && existsIn(lifeOfType(name), era) ? types[name]?.() : undefined;
}
/** The types of which a script can declare objects. */
export const declarableIn = (era: Era): string[] =>
  Object.keys(declarableTypes).filter((name) => existsIn(lifeOfType(name), era));

/** Every patch, in no order; each says what it needs. */
export const patches: readonly Patch[] = [
  registerAllocatesUnderLocks,
  noAllLocksMutex,
  mmuNotifierV4EarlyRelease,
  mmuNotifierV4,
  mmuNotifierSpinlock,
  releaseMmapSem,
  releaseNoAutodisarm,
  releaseExternalLock,
  mmuNotifierV2,
  forkCopiesPinned,
  forkEndsBeforeWrprotect,
  gupFastWriteProtectSeq,
  retractNotifies,
  odpV4,
  odpMmgetNotZero,
  hmmRangeMmget,
  pagewalkReadOncePud,
  pagewalkPudSnapshot,
  hmmHoleWithoutLock,
  pagewalkHoles,
  dirtyHelpersPud,
  pmdNoneOrClearBad,
  hmmWaitsForMigration,
  damonPteOffsetMap,
  damonNoRepeat,
  devicePrivatePageRef,
  mremapLateFlush,
  mremapRecheckPmd,
  retractWithoutMmapLock,
  munmapKeepWriteLock,
  numaClearsPmd,
  zapBeforeStart,
  endBeforeZap,
  intervalUpdatesSafe,
  invalidatePageUnderLock,
  oomReaperBlocks,
  nonblockSingleNotifier,
  oomReaperEnds,
];

/** Makes the bodies of patches those of the eras that have them. */
for (const { builtIn, replacements } of patches)
  for (const { fn, body, facts } of builtIn === undefined ? [] : replacements) {
    const target = functionById(fn.id);
    if (builtIn?.until !== undefined) target?.before(builtIn.until, body as never, facts);
    else if (typeof builtIn?.since === "string") target?.since(builtIn.since, body as never, facts);
  }

/** All that a script can call, in any era. Of several entries of one name, the first that fits the arguments counts. */
export const callables: readonly Callable[] = [
  ...mmCallables,
  ...mmOpsCallables,
  ...walkCallables,
  ...pageCallables,
  ...lockCallables,
  ...contextCallables,
  ...counterCallables,
  ...listCallables,
  ...notifierCallables,
  ...notifierPageCallables,
  ...mmapLockCallables,
  ...intervalCallables,
  ...intervalUpdateCallables,
  ...deferredCallables,
  ...hmmCallables,
  ...hmmFaultCallables,
  ...odpCallables,
  ...deviceCallables,
];

/** What `...` stands for where a script has registered nothing. */
export const defaultObjects: readonly DefaultObject[] = [defaultMirror, defaultNotifier, defaultInterval];

const images: readonly ((write: ImageWriter) => void)[] = [
  pageImage,
  hmmImage,
  hmmWalkImage,
  mincoreImage,
  damonImage,
  ptdumpImage,
  dirtyHelpersImage,
  initMmImage,
  umemOdpImage,
  mlx5OdpImage,
  hmmFaultImage,
  idleMirrorImage,
  idleIntervalImage,
];

/** For setting a machine up, before its first step. */
export function imageWriter({ memory }: Machine): ImageWriter {
  return (member, value) => memory.set(memory.wordAt(member.addr), wordOf(value));
}

/** Page table of the first process. */
const firstPgd = staticObject(pgd_table);

/**
 * Boots: gives the kernel's static data their values and makes `mm`, a live object, the address space of the first
 * process: one user, no mappings. For setting a machine up, before its first step.
 */
export function firstMm(machine: Machine, mm: mm_struct): void {
  const write = imageWriter(machine);
  for (const image of images) image(write);
  tasksImage(write, mm);
  write(mm.mm_users, 1);
  write(mm.mm_count, 1);
  write(mm.pgd, firstPgd);
}
