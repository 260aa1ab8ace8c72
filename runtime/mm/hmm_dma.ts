/** hmm_range_dma_map() and its counterpart, of mm/hmm.c as of 5.2. A bus address is the page's own; mapping is free. */
import { load, loadPrivate, store } from "../machine/access.ts";
import { kernelFunction } from "../machine/function.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { EBUSY, EINVAL } from "../machine/errno.ts";
import type { hmm_range } from "./hmm_types.ts";
import { hmm_range_fault, pfnsOf } from "./hmm_range.ts";
import { entryIsWritable, hmm_device_entry_to_page, HMM_PFN_NONE, wordOfArray } from "./hmm_walk.ts";
import { set_page_dirty } from "./page_flags.ts";
import { PAGE_SIZE } from "./pgtable.ts";
import type { Struct } from "../machine/struct.ts";

export const hmm_range_dma_map = kernelFunction(
  "hmm_range_dma_map",
  function* (range: hmm_range, daddrs: number, block: boolean): Kernel<number> {
    const ret = yield* fact(1, hmm_range_fault(range, block));
    if (ret <= 0) return ret === 0 ? -EBUSY : ret;
    const pages = ((yield* loadPrivate(range.end)) - (yield* loadPrivate(range.start))) / PAGE_SIZE;
    return yield* map_pages.restart(range, yield* pfnsOf(range), daddrs, 0, pages, 0);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "DMAMAP",
    params: ["range", "daddrs", "block"],
    summary: "Faults a range in and maps its pages for a device; how many.",
    differs: "Mapping never fails and has nothing to undo. One kind of device.",
  },
);
const map_pages = kernelFunction(
  "hmm_range_dma_map",
  function* (range: hmm_range, pfns: number, daddrs: number, i: number, pages: number, mapped: number): Kernel<number> {
    if (i === pages) return mapped;
    const daddr = wordOfArray(range, daddrs, i);
    yield* fact("2a", store(daddr, 0));
    const p = hmm_device_entry_to_page(yield* fact("2b", load(wordOfArray(range, pfns, i))));
    if (p === null) return yield* map_pages.restart(range, pfns, daddrs, i + 1, pages, mapped);
    if (!(yield* fact("2c", load(range.valid)))) return -EBUSY;
    yield* fact("2e", store(daddr, p.addr));
    return yield* map_pages.restart(range, pfns, daddrs, i + 1, pages, mapped + 1);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "DMAMAP",
    params: ["range", "pfns", "daddrs", "i", "npages", "mapped"],
  },
);

export const hmm_range_dma_unmap = kernelFunction(
  "hmm_range_dma_unmap",
  function* (range: hmm_range, daddrs: number, dirty: boolean): Kernel<number> {
    const start = yield* loadPrivate(range.start);
    const end = yield* loadPrivate(range.end);
    if (end <= start || daddrs === 0) return -EINVAL;
    return yield* dma_unmap_pages.restart(range, yield* pfnsOf(range), daddrs, (end - start) / PAGE_SIZE, dirty, 0);
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "DMAUNMAP",
    params: ["range", "daddrs", "dirty"],
    summary: "Unmaps the pages of a range from a device; how many. Whatever excludes invalidation must be held.",
  },
);
/** The same for arrays without a range around them: unmaps `n` pages, `count` of earlier ones being done. */
export const dma_unmap_pages = kernelFunction(
  "hmm_range_dma_unmap",
  function* (owner: Struct, pfns: number, daddrs: number, n: number, dirty: boolean, count: number): Kernel<number> {
    if (n <= 0) return count;
    const pfn = wordOfArray(owner, pfns, 0);
    const entry = yield* load(pfn);
    const p = hmm_device_entry_to_page(entry);
    if (p !== null) {
      if (dirty && entryIsWritable(entry)) yield* set_page_dirty(p);
      yield* store(pfn, HMM_PFN_NONE);
      yield* store(wordOfArray(owner, daddrs, 0), 0);
    }
    const [nextPfn, nextDaddr] = [wordOfArray(owner, pfns, 1), wordOfArray(owner, daddrs, 1)];
    return yield* dma_unmap_pages.restart(
      owner,
      nextPfn.addr,
      nextDaddr.addr,
      n - 1,
      dirty,
      p === null ? count : count + 1,
    );
  },
  {
    source: "mm/hmm.c",
    since: "v5.2",
    until: "v5.3",
    facts: "DMAUNMAP",
    params: ["owner", "pfns", "daddrs", "n", "dirty", "count"],
  },
);
