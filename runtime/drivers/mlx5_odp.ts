/** drivers/infiniband/hw/mlx5/odp.c as the proposal "Use HMM for ODP v4" had it. */
import { load, loadPrivate, store, storePrivate } from "../machine/access.ts";
import { endOfScope, stackObject } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { mutex_lock, mutex_unlock } from "../machine/mutex.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { EAGAIN, EFAULT, EINVAL, ENOENT } from "../machine/errno.ts";
import type { ImageWriter } from "../image.ts";
import { hmm_range_register, hmm_range_unregister, hmm_range_valid } from "../mm/hmm_range.ts";
import { hmm_range } from "../mm/hmm_types.ts";
import { HMM_PFN_VALID, HMM_PFN_WRITE } from "../mm/hmm_walk.ts";
import type { ib_umem_odp } from "./ib_types.ts";
import { context, ib_umem_odp_map_dma_pages, ib_umem_odp_unmap_dma_pages, umemBounds } from "./umem_odp.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../mm/pgtable.ts";

/** Only reads are wanted. */
export const MLX5_PF_FLAGS_DOWNGRADE = 0x2;
/** Nobody waits for the page. */
export const MLX5_PF_FLAGS_PREFETCH = 0x1;

export const mlx5_ib_invalidate_range = kernelFunction(
  "mlx5_ib_invalidate_range",
  function* (umem_odp: ib_umem_odp, start: number, end: number): Kernel<void> {
    const [umemStart, umemEnd] = yield* umemBounds(umem_odp);
    const from = Math.max(start, umemStart);
    const to = Math.min(end, umemEnd);
    if (from >= to) return;
    yield* zap_xlt(umem_odp, (from - umemStart) / PAGE_SIZE, (to - umemStart) / PAGE_SIZE);
    yield* ib_umem_odp_unmap_dma_pages(umem_odp, from, to);
  },
  {
    source: "drivers/infiniband/hw/mlx5/odp.c",
    facts: "mlx5 invalidate_range",
    params: ["umem_odp", "start", "end"],
    summary: "Zaps the device's translations of a range and unmaps its pages.",
    differs: "Translations are zapped one by one. No implicit MRs, so no leaf is ever freed.",
  },
);
/** Not under umem_mutex, as before 5.4. */
const zap_xlt = kernelFunction(
  "mlx5_ib_update_xlt",
  function* (umem_odp: ib_umem_odp, idx: number, end: number): Kernel<void> {
    if (idx === end) return;
    const mapped = (yield* load(umem_odp.pfns.at(idx))) % 2 !== 0;
    if (mapped) yield* store(umem_odp.xlt.at(idx), 0);
    return yield* zap_xlt.restart(umem_odp, idx + 1, end);
  },
  { source: "drivers/infiniband/hw/mlx5/mr.c", params: ["umem_odp", "idx", "end"], internal: true },
);
const mlx5_ib_update_xlt = kernelFunction(
  "mlx5_ib_update_xlt",
  function* (umem_odp: ib_umem_odp, idx: number, end: number): Kernel<void> {
    if (idx === end) return;
    const daddr = yield* load(umem_odp.dma_list.at(idx));
    yield* store(umem_odp.xlt.at(idx), daddr);
    return yield* mlx5_ib_update_xlt.restart(umem_odp, idx + 1, end);
  },
  {
    source: "drivers/infiniband/hw/mlx5/mr.c",
    params: ["umem_odp", "idx", "end"],
    summary: "Gives the device the translations of some pages.",
    differs: "A translation is a word of the umem, without access bits; there is no queue of commands to the device.",
  },
);

export const pagefault_mr = kernelFunction(
  "pagefault_mr",
  function* (umem_odp: ib_umem_odp, io_virt: number, bound: number, flags: number): Kernel<number> {
    const [umemStart, umemEnd] = yield* umemBounds(umem_odp);
    // Beyond the end of the umem the unsigned difference is huge.
    const size = io_virt > umemEnd ? bound - io_virt : Math.min(bound, umemEnd) - io_virt;
    const start = Math.floor(io_virt / PAGE_SIZE) * PAGE_SIZE;
    const end = start + Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    if (start < umemStart) return -EINVAL;
    const per_mm = yield* fact(5, load(umem_odp.per_mm));
    if (per_mm.isNull || (yield* fact(5, load(per_mm.mm))).isNull) return -ENOENT;
    const range = yield* stackObject(hmm_range, "struct hmm_range range");
    const mm = yield* fact(6, load(per_mm.mm));
    let ret = yield* fact(6, hmm_range_register(range, mm, start, end, PAGE_SHIFT));
    if (ret === 0) {
      ret = yield* fault_range(umem_odp, range, (start - umemStart) / PAGE_SIZE, flags);
      yield* fact(12, hmm_range_unregister(range));
    }
    yield* endOfScope(range);
    // An explicit MR has no next leaf for what is left.
    return ret >= 0 && io_virt + size < bound ? -EAGAIN : ret;
  },
  {
    source: "drivers/infiniband/hw/mlx5/odp.c",
    facts: "pagefault_mr",
    params: ["umem_odp", "io_virt", "bound", "flags"],
    summary: "The device faulted: makes a range of a umem present and tells the device. Pages, or an error.",
    differs:
      "Explicit MRs only. Use of the range after return is caught; on the kernel's stack " +
      "its pfn_flags_mask is what was there before (here 0).",
  },
);
/** With the range registered. */
const fault_range = kernelFunction(
  "pagefault_mr",
  function* (umem_odp: ib_umem_odp, range: hmm_range, idx: number, flags: number): Kernel<number> {
    const writable = yield* loadPrivate(umem_odp.umem.writable);
    const downgrade = flags >= MLX5_PF_FLAGS_DOWNGRADE;
    if (flags % 2 === MLX5_PF_FLAGS_PREFETCH && !downgrade && !writable) return -EINVAL;
    const write = writable && !downgrade;
    yield* fact(8, storePrivate(range.default_flags, HMM_PFN_VALID + (write ? HMM_PFN_WRITE : 0)));
    let ret = yield* fact(9, ib_umem_odp_map_dma_pages(umem_odp, range));
    if (ret >= 0) ret = yield* update_device(umem_odp, range, idx, ret);
    // Explicit MRs take every -EAGAIN for a failure: the condition that should tell them apart is inverted.
    return ret === -EAGAIN ? -EFAULT : ret;
  },
  {
    source: "drivers/infiniband/hw/mlx5/odp.c",
    facts: "pagefault_mr",
    params: ["umem_odp", "range", "idx", "flags"],
    internal: true,
  },
);
const update_device = kernelFunction(
  "pagefault_mr",
  function* (umem_odp: ib_umem_odp, range: hmm_range, idx: number, np: number): Kernel<number> {
    yield* fact(11, mutex_lock(umem_odp.umem_mutex));
    const valid = yield* fact(11, hmm_range_valid(range));
    if (valid) yield* fact(11, mlx5_ib_update_xlt(umem_odp, idx, idx + np));
    yield* fact(11, mutex_unlock(umem_odp.umem_mutex));
    return valid ? np : -EAGAIN;
  },
  {
    source: "drivers/infiniband/hw/mlx5/odp.c",
    facts: "pagefault_mr",
    params: ["umem_odp", "range", "idx", "np"],
    internal: true,
  },
);

export function mlx5OdpImage(write: ImageWriter): void {
  write(context.invalidate_range, mlx5_ib_invalidate_range);
}
