/**
 * What the review of "Use HMM for ODP v4" asked for: to put back the mmget_not_zero() that ODP had before. A reference
 * to the mm_struct is not one to the address space.
 */
import { load } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { down_read } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { hmm_range } from "../mm/hmm_types.ts";
import { hmm_mirror_mm_is_alive } from "../mm/hmm.ts";
import { mmget_not_zero, mmput } from "../mm/fork.ts";
import type { ib_umem_odp } from "../drivers/ib_types.ts";
import { ib_umem_odp_map_dma_pages, mapUnderMmapSem, prepareMapping } from "../drivers/umem_odp.ts";
import { EINVAL } from "../machine/errno.ts";
import type { Patch } from "../patch.ts";

/** mmput() comes last: it may take the whole address space down, so no lock may be held. */
function* mapDmaPages(umem_odp: ib_umem_odp, range: hmm_range): Kernel<number> {
  const per_mm = yield* fact(1, load(umem_odp.per_mm));
  const mm = yield* fact(1, load(per_mm.mm));
  const idx = yield* prepareMapping(umem_odp, range, mm);
  if (idx < 0) return idx;
  if (!(yield* fact(6, hmm_mirror_mm_is_alive(per_mm.mirror)))) return -EINVAL;
  if (!(yield* mmget_not_zero(mm))) return -EINVAL;
  yield* fact(7, down_read(mm.mmap_sem));
  const ret = yield* mapUnderMmapSem(umem_odp, range, mm, idx);
  yield* mmput(mm);
  return ret;
}

export const odpMmgetNotZero: Patch = {
  name: "odp-mmget-not-zero",
  subject: "Re: [PATCH v4 0/1] Use HMM for ODP v4: put the mmget_not_zero() back in",
  source: "linux-rdma, 2019-05-22",
  eras: ["v5.2"],
  needs: ["odp-v4"],
  replacements: [replaces(ib_umem_odp_map_dma_pages, mapDmaPages)],
};
