/** mm/oom_kill.c: the memory of a victim is taken before it exits, by somebody who may not wait for it. */
import { load, loadPrivate } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { down_read_trylock, up_read } from "../machine/rwsem.ts";
import { fact, Op, primitive, step, type Kernel } from "../machine/step.ts";
import type { Names } from "../machine/struct.ts";
import { can_madv_lru_vma } from "./madvise.ts";
import { unmap_page_range } from "./memory_zap.ts";
import {
  MMF_OOM_SKIP,
  MMF_OOM_VICTIM,
  MMF_UNSTABLE,
  VM_SHARED,
  type mm_struct,
  type vm_area_struct,
} from "./mm_types.ts";
import { tlb_finish_mmu, tlb_gather_mmu } from "./mmu_gather.ts";
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start_nonblock } from "./mmu_notifier.ts";
import type { mmu_notifier_range } from "./mmu_notifier_types.ts";

const FLAGS = new Map([
  [MMF_UNSTABLE, "MMF_UNSTABLE"],
  [MMF_OOM_SKIP, "MMF_OOM_SKIP"],
  [MMF_OOM_VICTIM, "MMF_OOM_VICTIM"],
]);
const setBit = primitive("set_bit", (m, addr = 0, bit = 0) => {
  m.write(addr, m.read(addr) | bit);
  return 0;
});
/** set_bit() of a flag of an mm. */
function* set_flag(mm: mm_struct, bit: number): Kernel<void> {
  const addr = mm.flags.addr;
  const text = (names: Names): string => `set_bit(${FLAGS.get(bit)}, &${mm.flags.expr(names)})`;
  yield* step({ op: Op.primitive, addr, primitive: setBit, args: [addr, bit], text });
}

/** Whom the OOM killer has chosen. */
export const mark_oom_victim = kernelFunction(
  "mark_oom_victim",
  function* (mm: mm_struct): Kernel<void> {
    yield* set_flag(mm, MMF_OOM_VICTIM);
  },
  {
    source: "mm/oom_kill.c",
    params: ["mm"],
    summary: "Says that the process which runs in an address space is the OOM killer's victim.",
    differs: "The address space is given, and no reference to it is taken.",
  },
);

export const oom_reap_task_mm = kernelFunction(
  "oom_reap_task_mm",
  function* (mm: mm_struct): Kernel<boolean> {
    if (!(yield* fact("reap1", down_read_trylock(mm.mmap_sem)))) return false;
    const skip = ((yield* fact("reap2", load(mm.flags))) & MMF_OOM_SKIP) !== 0;
    const done = skip || (yield* __oom_reap_task_mm(mm));
    yield* fact("reap3", up_read(mm.mmap_sem));
    return done;
  },
  {
    source: "mm/oom_kill.c",
    facts: "OOM reaper",
    params: ["mm"],
    summary: "Takes the private pages of a victim; whether there is nothing left to come back for.",
    differs: "Whoever calls it comes back or not: the reaper's ten attempts are not modelled.",
  },
);
/** Needs mmap_sem for reading, or that nobody else uses the mm. */
export const __oom_reap_task_mm = kernelFunction(
  "__oom_reap_task_mm",
  function* (mm: mm_struct): Kernel<boolean> {
    yield* fact("unstable", set_flag(mm, MMF_UNSTABLE));
    const first = yield* load(mm.mmap);
    return first.isNull || (yield* reap_each(first, true));
  },
  {
    source: "mm/oom_kill.c",
    facts: "OOM reaper",
    params: ["mm"],
    summary: "Zaps each private VMA whose notifiers let go of it without sleeping.",
  },
);
const reap_each = kernelFunction(
  "__oom_reap_task_mm",
  function* (vma: vm_area_struct, done: boolean): Kernel<boolean> {
    const flags = yield* load(vma.vm_flags);
    const reaped = !can_madv_lru_vma(flags) || (flags & VM_SHARED) !== 0 || (yield* reap_vma(vma));
    const next = yield* load(vma.vm_next);
    return next.isNull ? done && reaped : yield* reap_each.restart(next, done && reaped);
  },
  { source: "mm/oom_kill.c", facts: "OOM reaper", params: ["vma", "ret"], internal: true },
);
type StartReaping = (range: mmu_notifier_range) => Kernel<boolean>;
/** False: somebody would have to sleep. It has been undone for those who had been told; there is no end to tell of. */
function* startWithoutSleeping(range: mmu_notifier_range): Kernel<boolean> {
  return (yield* fact("NS", mmu_notifier_invalidate_range_start_nonblock(range))) === 0;
}
export const reaping = (start_reaping: StartReaping) =>
  function* (vma: vm_area_struct): Kernel<boolean> {
    const mm = yield* loadPrivate(vma.vm_mm);
    const start = yield* load(vma.vm_start);
    const end = yield* load(vma.vm_end);
    const range: mmu_notifier_range = [mm, start, end, "MMU_NOTIFY_UNMAP", false];
    yield* fact("gather", tlb_gather_mmu(mm));
    const started = yield* start_reaping(range);
    const pages = started ? yield* fact("zap", unmap_page_range(vma, start, end, [], start)) : [];
    if (started) yield* fact("NE", mmu_notifier_invalidate_range_end(range));
    yield* fact("finish", tlb_finish_mmu(mm, start, end, [], pages));
    return started;
  };
export const reap_vma = kernelFunction("__oom_reap_task_mm", reaping(startWithoutSleeping), {
  source: "mm/oom_kill.c",
  facts: "OOM reaper",
  params: ["vma"],
  internal: true,
});

/** Set: the reaper has nothing to do here any more. */
export const set_oom_skip = (mm: mm_struct): Kernel<void> => set_flag(mm, MMF_OOM_SKIP);
