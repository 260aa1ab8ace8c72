/** mm/hmm.c as of 5.6: what is left of it is one function, for a range that an interval notifier watches. */
import { load, loadPrivate, storePrivate } from "../machine/access.ts";
import { endOfScope, stackObject } from "../machine/alloc.ts";
import { kernelFunction } from "../machine/function.ts";
import { lockdep_assert_held } from "../machine/lockdep.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { EBUSY, EINVAL } from "../machine/errno.ts";
import { hmm_fault_ops } from "./hmm_fault_walk.ts";
import { hasRoom, pfnsOf } from "./hmm_range.ts";
import { hmm_vma_walk, type hmm_range } from "./hmm_types.ts";
import type { mm_struct } from "./mm_types.ts";
import { mmu_interval_check_retry } from "./mmu_interval_notifier.ts";
import { walk_page_range } from "./pagewalk.ts";
import { PAGE_SIZE } from "./pgtable.ts";

export const hmm_range_fault_flags = kernelFunction(
  "hmm_range_fault",
  function* (range: hmm_range, flags: number): Kernel<number> {
    if (!(yield* hasRoom(range))) return -EINVAL;
    const notifier = yield* loadPrivate(range.notifier);
    const mm = yield* load(notifier.mm);
    yield* lockdep_assert_held(mm.mmap_sem);
    const walk = yield* stackObject(hmm_vma_walk, "struct hmm_vma_walk hmm_vma_walk");
    yield* storePrivate(walk.range, range);
    yield* storePrivate(walk.pfns, yield* pfnsOf(range));
    yield* storePrivate(walk.last, yield* loadPrivate(range.start));
    yield* storePrivate(walk.flags, flags);
    const error = yield* walk_again(range, mm, walk);
    const last = yield* loadPrivate(walk.last);
    yield* endOfScope(walk);
    return error === 0 ? (last - (yield* loadPrivate(range.start))) / PAGE_SIZE : error;
  },
  {
    source: "mm/hmm.c",
    since: "v5.6",
    until: "v5.8",
    facts: "FAULT55",
    params: ["range", "flags"],
    summary:
      "Faults in a range as its flags ask. Pages, or an error; -EBUSY: it was invalidated since notifier_seq. Needs " +
      "mmap_sem and mm_users.",
  },
);
/** -EBUSY of a walk: pages came in, there is more to see. */
const walk_again = kernelFunction(
  "hmm_range_fault",
  function* (range: hmm_range, mm: mm_struct, walk: hmm_vma_walk): Kernel<number> {
    const notifier = yield* loadPrivate(range.notifier);
    const seq = yield* loadPrivate(range.notifier_seq);
    if (yield* mmu_interval_check_retry(notifier, seq)) return -EBUSY;
    const last = yield* loadPrivate(walk.last);
    const end = yield* loadPrivate(range.end);
    const error = yield* fact(7, walk_page_range(mm, last, end, hmm_fault_ops, walk.addr));
    return error === -EBUSY ? yield* walk_again.restart(range, mm, walk) : error;
  },
  {
    source: "mm/hmm.c",
    since: "v5.6",
    until: "v5.8",
    facts: "FAULT55",
    params: ["range", "mm", "hmm_vma_walk"],
    internal: true,
  },
);
