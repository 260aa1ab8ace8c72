/** HMM mirrors and ranges, as scripts call them. */
import {
  boolean,
  flags,
  number,
  object,
  optional,
  range as addresses,
  returnsBoolean,
  returnsNothing,
  returnsNumber,
  returnsObject,
  type Callable,
  type DefaultObject,
} from "../callable.ts";
import { load, loadPrivate, storePrivate } from "../machine/access.ts";
import { kfree, stackObject } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { lock_is_held } from "../machine/lockdep.ts";
import { down_read, down_write, up_read, up_write } from "../machine/rwsem.ts";
import type { Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { staticObject } from "../machine/types.ts";
import { rememberFault } from "../drivers/recent_fault.ts";
import { EAGAIN, EINVAL } from "../machine/errno.ts";
import type { ImageWriter } from "../image.ts";
import {
  hmm_get_or_create,
  hmm_mirror_mm_is_alive,
  hmm_mirror_register,
  hmm_mirror_unregister,
  hmm_put,
  mm_get_hmm,
} from "../mm/hmm.ts";
import { hmm_range_dma_map, hmm_range_dma_unmap } from "../mm/hmm_dma.ts";
import {
  hmm_range_fault,
  hmm_range_register,
  hmm_range_snapshot,
  hmm_range_unregister,
  hmm_range_valid,
  hmm_range_wait_until_valid,
} from "../mm/hmm_range.ts";
import { hmm, hmm_mirror, hmm_mirror_ops, hmm_range, type hmm_update } from "../mm/hmm_types.ts";
import { HMM_PFN_VALID, HMM_PFN_WRITE } from "../mm/hmm_walk.ts";
import { mm_struct } from "../mm/mm_types.ts";
import { PAGE_SHIFT } from "../mm/pgtable.ts";

/** For a mirror whose script declares no callbacks: a device that has nothing to let go of. */
const idle_ops = staticObject(hmm_mirror_ops, "idle_ops");
const nothing_to_sync = kernelFunction(
  "sync_cpu_device_pagetables",
  function* (_mirror: hmm_mirror, _update: hmm_update): Kernel<number> {
    return 0;
  },
  { params: ["mirror", "update"], summary: "Of a mirror without callbacks.", internal: true },
);
export function idleMirrorImage(write: ImageWriter): void {
  write(idle_ops.sync_cpu_device_pagetables, nothing_to_sync);
}

/** Gives the mirror its ops first; a driver does that in its own code. */
const registerMirror = kernelFunction(
  "registerMirror",
  function* (mirror: hmm_mirror, mm: mm_struct, ops: hmm_mirror_ops): Kernel<number> {
    const own = yield* loadPrivate(mirror.ops);
    if (!ops.isNull) yield* storePrivate(mirror.ops, ops);
    else if (own.isNull) yield* storePrivate(mirror.ops, idle_ops);
    return yield* hmm_mirror_register(mirror, mm);
  },
  { params: ["mirror", "mm", "ops"], summary: "Sets the ops of a mirror and registers it.", internal: true },
);
const registerMirrorLocked = kernelFunction(
  "registerMirror",
  function* (mirror: hmm_mirror, mm: mm_struct): Kernel<number> {
    yield* down_write(mm.mmap_sem);
    const error = yield* registerMirror(mirror, mm, NULL(hmm_mirror_ops));
    yield* up_write(mm.mmap_sem);
    return error;
  },
  { params: ["mirror", "mm"], summary: "Registers a mirror without callbacks.", internal: true },
);

const READ = HMM_PFN_VALID;
const WRITE = HMM_PFN_VALID | HMM_PFN_WRITE;
/** No request at all. */
const SNAPSHOT = 0;

/**
 * What a driver has around a fault: a range on its stack, registered while it lasts, and mmap_sem, taken unless the
 * script has taken it. hmm_range_fault() itself gives mmap_sem up before it returns -EAGAIN.
 */
const faultThroughMirror = kernelFunction(
  "faultThroughMirror",
  function* (mirror: hmm_mirror, start: number, end: number, request: number): Kernel<number> {
    const h = yield* load(mirror.hmm);
    if (h.isNull) return -EINVAL;
    const mm = yield* load(h.mm);
    const range = yield* stackObject(hmm_range, "range");
    let ret = yield* hmm_range_register(range, mm, start, end, PAGE_SHIFT);
    if (ret === 0) {
      yield* storePrivate(range.default_flags, request);
      const locked = yield* lock_is_held(mm.mmap_sem);
      if (!locked) yield* down_read(mm.mmap_sem);
      ret = request === SNAPSHOT ? yield* hmm_range_snapshot(range) : yield* hmm_range_fault(range, true);
      if (ret >= 0) yield* rememberFault(range);
      const dropped = ret === -EAGAIN && request !== SNAPSHOT;
      if (!locked && !dropped) yield* up_read(mm.mmap_sem);
      yield* hmm_range_unregister(range);
    }
    yield* kfree(range);
    return ret;
  },
  {
    params: ["mirror", "start", "end", "request"],
    summary: "Registers a range of a mirror, faults it under mmap_sem and unregisters it.",
    internal: true,
  },
);
/** A range of the script's own asks for what the call says, or for what its default_flags say already. */
const faultOwnRange = kernelFunction(
  "faultOwnRange",
  function* (range: hmm_range, request: number, block: number): Kernel<number> {
    if (request > 0) yield* storePrivate(range.default_flags, request);
    const ret = request === SNAPSHOT ? yield* hmm_range_snapshot(range) : yield* hmm_range_fault(range, block !== 0);
    if (ret >= 0) yield* rememberFault(range);
    return ret;
  },
  { params: ["range", "request", "block"], summary: "Faults a range as the words of the call ask.", internal: true },
);

const mirror = object("mirror", () => hmm_mirror);
const mm = object("mm", () => mm_struct);
const range = object("range", () => hmm_range);
const source = "mm/hmm.c";
const words = { read: READ, write: WRITE };
const AS_IT_SAYS = -1;

const mirrors: readonly Callable[] = [
  {
    name: "hmm_mirror_register",
    params: [
      mirror,
      mm,
      optional(
        object("ops", () => hmm_mirror_ops),
        NULL(hmm_mirror_ops),
      ),
    ],
    result: returnsNumber,
    summary: "begins to mirror an address space; mmap_sem must be held for writing",
    source,
    registers: "mirror",
    run: registerMirror,
  },
  {
    name: "hmm_mirror_unregister",
    params: [mirror],
    result: returnsNothing,
    summary: "stops mirroring an address space",
    source,
    run: hmm_mirror_unregister,
  },
  {
    name: "hmm_mirror_mm_is_alive",
    params: [mirror],
    result: returnsBoolean,
    summary: "whether the mm of a mirror looked alive a moment ago",
    source: "include/linux/hmm.h",
    run: hmm_mirror_mm_is_alive,
  },
  {
    name: "mm_get_hmm",
    params: [mm],
    result: returnsObject(() => hmm),
    summary: "a reference to the hmm of an mm, or NULL",
    source,
    run: mm_get_hmm,
  },
  {
    name: "hmm_get_or_create",
    params: [mm],
    result: returnsObject(() => hmm),
    summary: "a reference to the hmm of an mm, made if need be, or NULL",
    source,
    run: hmm_get_or_create,
  },
  {
    name: "hmm_put",
    params: [object("hmm", () => hmm)],
    result: returnsNothing,
    summary: "drops a reference to an hmm",
    source,
    run: hmm_put,
  },
];

const ranges: readonly Callable[] = [
  {
    name: "hmm_range_register",
    params: [range, mm, addresses("addresses"), optional(number("page_shift"), PAGE_SHIFT)],
    result: returnsNumber,
    summary: "begins to watch a range",
    source,
    registers: "range",
    run: hmm_range_register,
  },
  {
    name: "hmm_range_unregister",
    params: [range],
    result: returnsNothing,
    summary: "stops watching a range",
    source,
    run: hmm_range_unregister,
  },
  {
    name: "hmm_range_valid",
    params: [range],
    result: returnsBoolean,
    summary: "whether nothing has changed under a range",
    source: "include/linux/hmm.h",
    run: hmm_range_valid,
  },
  {
    name: "hmm_range_wait_until_valid",
    params: [range, optional(number("timeout"), 1000)],
    result: returnsBoolean,
    summary: "waits until nothing is being invalidated, or time is up",
    source: "include/linux/hmm.h",
    run: hmm_range_wait_until_valid,
  },
  {
    name: "hmm_range_fault",
    params: [mirror, addresses(), flags("request", { ...words, snapshot: SNAPSHOT }, WRITE)],
    result: returnsNumber,
    summary: "faults a range in (for write, or `read`): pages or an error; takes mmap_sem if need be, needs mm_users",
    source,
    run: faultThroughMirror,
  },
  {
    name: "hmm_range_fault",
    params: [range, flags("request", words, AS_IT_SAYS), optional(boolean("block"), 1)],
    result: returnsNumber,
    summary: "faults a registered range in: pages or an error; needs mmap_sem and mm_users",
    source,
    run: faultOwnRange,
  },
  {
    name: "hmm_range_snapshot",
    params: [mirror, addresses()],
    result: returnsNumber,
    summary: "what is mapped in a range now: pages or an error; takes mmap_sem if need be, needs mm_users",
    source,
    run: (m: hmm_mirror, start: number, end: number) => faultThroughMirror(m, start, end, SNAPSHOT),
  },
  {
    name: "hmm_range_snapshot",
    params: [range],
    result: returnsNumber,
    summary: "what is mapped in a registered range now: pages or an error; needs mmap_sem and mm_users",
    source,
    run: (r: hmm_range) => faultOwnRange(r, SNAPSHOT, 1),
  },
];

const mapping: readonly Callable[] = [
  {
    name: "hmm_range_dma_map",
    params: [range],
    result: returnsNumber,
    summary: "faults a registered range in and maps it for a device: pages or an error; needs what a fault needs",
    source,
    run: (r: hmm_range) => hmm_range_dma_map(r, r.daddrs.addr, true),
  },
  {
    name: "hmm_range_dma_unmap",
    params: [range],
    result: returnsNumber,
    summary: "unmaps a range from the device, its pages being dirty now; how many",
    source,
    run: (r: hmm_range) => hmm_range_dma_unmap(r, r.daddrs.addr, true),
  },
];

/** Of 5.2: later kernels have interval notifiers instead of mirrors. */
export const hmmCallables: readonly Callable[] = [...mirrors, ...ranges, ...mapping].map((entry) => ({
  ...entry,
  since: "v5.2",
  until: "v5.3",
}));

export const defaultMirror: DefaultObject = {
  type: () => hmm_mirror,
  name: "m",
  note: "a mirror without callbacks, registered",
  prepare: (space, object) => registerMirrorLocked(object as hmm_mirror, space as mm_struct),
};
