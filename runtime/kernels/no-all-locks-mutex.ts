/** What mm_all_locks_mutex is for, to see why: two mms take the locks of the files that they share in two orders. */
import { replaces } from "../machine/function.ts";
import { dropLocks, mm_drop_all_locks, mm_take_all_locks, takeLocks } from "../mm/mm_all_locks.ts";
import { erasOf, type Patch } from "../patch.ts";

export const noAllLocksMutex: Patch = {
  name: "no-all-locks-mutex",
  subject: "a mistake, made on purpose: mm_take_all_locks() does without mm_all_locks_mutex",
  source: "nobody",
  eras: erasOf({ since: "v2.6.27" }),
  needs: [],
  replacements: [replaces(mm_take_all_locks, takeLocks), replaces(mm_drop_all_locks, dropLocks)],
};
