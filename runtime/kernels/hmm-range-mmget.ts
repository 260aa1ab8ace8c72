/**
 * The fix that went in with 5.3, on the bodies of 5.2: who has a range registered is a user of the address space.
 *
 * The commit also deletes hmm->dead and the tests of it; they stay here, and no longer decide anything.
 */
import { load, loadPrivate, storePrivate } from "../machine/access.ts";
import { replaces } from "../machine/function.ts";
import { list_del_rcu } from "../machine/list.ts";
import { mutex_lock, mutex_unlock } from "../machine/mutex.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { mmget_not_zero, mmput } from "../mm/fork.ts";
import { hmm_get_or_create, hmm_put } from "../mm/hmm.ts";
import { enterRange, hmm_range_register, hmm_range_unregister, initRange } from "../mm/hmm_range.ts";
import type { hmm_range } from "../mm/hmm_types.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import { EFAULT } from "../machine/errno.ts";
import type { Patch } from "../patch.ts";

function* register(range: hmm_range, mm: mm_struct, start: number, end: number, page_shift: number): Kernel<number> {
  const error = yield* initRange(range, start, end, page_shift);
  if (error !== 0) return error;
  const h = yield* hmm_get_or_create(mm);
  if (h.isNull) return -EFAULT;
  const owner = yield* load(h.mm);
  if (!(yield* fact(5, mmget_not_zero(owner)))) {
    yield* hmm_put(h);
    return -EFAULT;
  }
  yield* storePrivate(range.hmm, h);
  yield* enterRange(range, h);
  return 0;
}

/** mmput() before hmm_put(): the range's reference keeps the hmm while the address space goes. */
function* unregister(range: hmm_range): Kernel<void> {
  const h = yield* loadPrivate(range.hmm);
  const start = yield* loadPrivate(range.start);
  const end = yield* loadPrivate(range.end);
  if (h.isNull || end <= start) return;
  yield* fact(2, mutex_lock(h.lock));
  yield* fact(3, list_del_rcu(range.list));
  yield* fact(4, mutex_unlock(h.lock));
  const owner = yield* load(h.mm);
  yield* fact(5, mmput(owner));
  yield* fact(6, hmm_put(h));
  yield* fact(7, storePrivate(range.valid, false));
  yield* storePrivate(range.hmm, null);
}

export const hmmRangeMmget: Patch = {
  name: "hmm-range-mmget",
  subject: "mm/hmm: Hold on to a mmget for the lifetime of the range",
  source: "linux-mm, 2019-06",
  eras: ["v5.2"],
  needs: [],
  replacements: [
    replaces(hmm_range_register, register, "RREG53"),
    replaces(hmm_range_unregister, unregister, "RUNREG53"),
  ],
};
