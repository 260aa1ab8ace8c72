/** hmm_range_fault() of 5.6, as scripts call it. */
import { flags, object, range as addresses, returnsNumber, type Callable } from "../callable.ts";
import { load, loadPrivate, storePrivate } from "../machine/access.ts";
import { endOfScope, stackObject } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { lock_is_held } from "../machine/lockdep.ts";
import { down_read, up_read } from "../machine/rwsem.ts";
import type { Kernel } from "../machine/step.ts";
import { rememberFault } from "../drivers/recent_fault.ts";
import { EAGAIN, EINVAL } from "../machine/errno.ts";
import { hmm_range_fault_flags } from "../mm/hmm_fault.ts";
import { HMM_FAULT_ALLOW_RETRY, HMM_FAULT_SNAPSHOT } from "../mm/hmm_fault_walk.ts";
import { hmm_range } from "../mm/hmm_types.ts";
import { HMM_PFN_VALID, HMM_PFN_WRITE } from "../mm/hmm_walk.ts";
import { mmu_interval_notifier } from "../mm/mmu_notifier_types.ts";

/** What the words of a call ask for lies above the kernel's flags. */
const REQUEST = 16;
const words = {
  read: HMM_PFN_VALID * REQUEST,
  write: (HMM_PFN_VALID | HMM_PFN_WRITE) * REQUEST,
  snapshot: HMM_FAULT_SNAPSHOT,
  allow_retry: HMM_FAULT_ALLOW_RETRY,
};

/**
 * What a driver has around a fault: a range on its stack, that goes by what the notifier has seen so far, and mmap_sem,
 * taken unless the script has taken it.
 */
const faultThroughInterval = kernelFunction(
  "faultThroughInterval",
  function* (sub: mmu_interval_notifier, start: number, end: number, request: number): Kernel<number> {
    const mm = yield* loadPrivate(sub.mm);
    if (mm.isNull) return -EINVAL;
    const range = yield* stackObject(hmm_range, "range");
    yield* storePrivate(range.notifier, sub);
    yield* storePrivate(range.notifier_seq, yield* load(sub.invalidate_seq));
    yield* storePrivate(range.start, start);
    yield* storePrivate(range.end, end);
    yield* storePrivate(range.default_flags, Math.floor(request / REQUEST));
    const locked = yield* lock_is_held(mm.mmap_sem);
    if (!locked) yield* down_read(mm.mmap_sem);
    const ret = yield* hmm_range_fault_flags(range, request % REQUEST);
    if (ret >= 0) yield* rememberFault(range);
    if (!locked && ret !== -EAGAIN) yield* up_read(mm.mmap_sem);
    yield* endOfScope(range);
    return ret;
  },
  {
    params: ["sub", "start", "end", "request"],
    summary: "Faults a range that an interval notifier watches, under mmap_sem.",
    internal: true,
  },
);
/** A range of the script's own asks for what the call says, or for what its default_flags say already. */
const faultOwnRange = kernelFunction(
  "faultOwnRange",
  function* (range: hmm_range, request: number): Kernel<number> {
    if (request >= REQUEST) yield* storePrivate(range.default_flags, Math.floor(request / REQUEST));
    const ret = yield* hmm_range_fault_flags(range, request % REQUEST);
    if (ret >= 0) yield* rememberFault(range);
    return ret;
  },
  { params: ["range", "request"], summary: "Faults a range as the words of the call ask.", internal: true },
);

const source = "mm/hmm.c";
export const hmmFaultCallables: readonly Callable[] = [
  {
    name: "hmm_range_fault",
    params: [object("sub", () => mmu_interval_notifier), addresses(), flags("request", words, words.write)],
    result: returnsNumber,
    summary:
      "faults a range in that an interval notifier watches (for write, or `read`, or a `snapshot`): pages or an " +
      "error; takes mmap_sem if need be, needs mm_users",
    source,
    since: "v5.6",
    until: "v5.8",
    run: faultThroughInterval,
  },
  {
    name: "hmm_range_fault",
    params: [object("range", () => hmm_range), flags("flags", words, 0, true)],
    result: returnsNumber,
    summary: "faults a range of the driver's in: pages or an error; needs mmap_sem and mm_users",
    source,
    since: "v5.6",
    until: "v5.8",
    run: faultOwnRange,
  },
];
