/** On-demand paging, as scripts call it. */
import {
  currentMm,
  flags,
  object,
  range as addresses,
  returnsNothing,
  returnsNumber,
  type Callable,
} from "../callable.ts";
import type { Kernel } from "../machine/step.ts";
import { ib_umem_odp } from "../drivers/ib_types.ts";
import {
  MLX5_PF_FLAGS_DOWNGRADE,
  MLX5_PF_FLAGS_PREFETCH,
  mlx5_ib_invalidate_range,
  pagefault_mr,
} from "../drivers/mlx5_odp.ts";
import {
  ib_umem_odp_get,
  ib_umem_odp_map_dma_pages,
  ib_umem_odp_release,
  ib_umem_odp_unmap_dma_pages,
} from "../drivers/umem_odp.ts";
import { hmm_range } from "../mm/hmm_types.ts";
import type { mm_struct } from "../mm/mm_types.ts";

const umem = object("umem_odp", () => ib_umem_odp);
const core = "drivers/infiniband/core/umem_odp.c";
const mlx5 = "drivers/infiniband/hw/mlx5/odp.c";
const patch = "odp-v4";
const READ_ONLY = 0;
const WRITABLE = 1;

const entries: readonly Callable[] = [
  {
    name: "ib_umem_odp_get",
    params: [umem, currentMm, addresses(), flags("access", { r: READ_ONLY, rw: WRITABLE }, WRITABLE)],
    result: returnsNumber,
    summary: "makes a range of this process's memory reachable for the device, on demand",
    source: core,
    patch,
    needsUsers: true,
    registers: "umem_odp",
    run: (umem_odp: ib_umem_odp, mm: mm_struct, start: number, end: number, access: number): Kernel<number> =>
      ib_umem_odp_get(umem_odp, mm, start, end, access === WRITABLE),
  },
  {
    name: "ib_umem_odp_release",
    params: [umem],
    result: returnsNothing,
    summary: "takes a umem away from the device",
    source: core,
    patch,
    run: ib_umem_odp_release,
  },
  {
    name: "pagefault_mr",
    params: [
      umem,
      addresses(),
      flags("flags", { write: 0, read: MLX5_PF_FLAGS_DOWNGRADE, prefetch: MLX5_PF_FLAGS_PREFETCH }, 0),
    ],
    result: returnsNumber,
    summary: "the device faulted: makes a range of a umem present (for write, unless it says `read`)",
    source: mlx5,
    patch,
    run: pagefault_mr,
  },
  {
    name: "ib_umem_odp_map_dma_pages",
    params: [umem, object("range", () => hmm_range)],
    result: returnsNumber,
    summary: "faults a registered range of a umem in and maps it for the device",
    source: core,
    patch,
    run: ib_umem_odp_map_dma_pages,
  },
  {
    name: "ib_umem_odp_unmap_dma_pages",
    params: [umem, addresses()],
    result: returnsNothing,
    summary: "unmaps a range of a umem from the device",
    source: core,
    patch,
    run: ib_umem_odp_unmap_dma_pages,
  },
  {
    name: "mlx5_ib_invalidate_range",
    params: [umem, addresses()],
    result: returnsNothing,
    summary: "zaps the device's translations of a range and unmaps its pages",
    source: mlx5,
    patch,
    run: mlx5_ib_invalidate_range,
  },
];

/** Of 5.2: before it and after it the drivers are others. */
export const odpCallables = entries.map((entry): Callable => ({ ...entry, since: "v5.2", until: "v5.3" }));
