/** A step of 3.7: what an mm knows of its notifiers is allocated when it is needed, with all locks of the mm held. */
import { load } from "../machine/access.ts";
import { kzalloc } from "../machine/alloc.ts";
import { atomic_read } from "../machine/atomic.ts";
import { BUG_ON } from "../machine/bug.ts";
import { EINTR, ENOMEM } from "../machine/errno.ts";
import { replaces } from "../machine/function.ts";
import { down_write, up_write } from "../machine/rwsem.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { mm_drop_all_locks, mm_take_all_locks } from "../mm/mm_all_locks.ts";
import type { mm_struct } from "../mm/mm_types.ts";
import { do_mmu_notifier_register, enter, NO_USERS } from "../mm/mmu_notifier_register.ts";
import { mmu_notifier_subscriptions, type mmu_notifier } from "../mm/mmu_notifier_types.ts";
import type { Patch } from "../patch.ts";

function* allocateLate(mn: mmu_notifier, mm: mm_struct, take_mmap_sem: boolean): Kernel<number> {
  yield* BUG_ON((yield* fact(1, atomic_read(mm.mm_users))) <= 0, NO_USERS);
  if (take_mmap_sem) yield* fact(3, down_write(mm.mmap_sem));
  const isTaken = (yield* fact(4, mm_take_all_locks(mm))) === 0;
  const error = isTaken ? yield* enterNew(mn, mm) : -EINTR;
  if (take_mmap_sem) yield* fact(9, up_write(mm.mmap_sem));
  yield* BUG_ON((yield* fact(11, atomic_read(mm.mm_users))) <= 0, NO_USERS);
  return error;
}
function* enterNew(mn: mmu_notifier, mm: mm_struct): Kernel<number> {
  const old = yield* fact(5, load(mm.notifier_subscriptions));
  const fresh = old.isNull ? yield* fact(5, kzalloc(mmu_notifier_subscriptions)) : NULL(mmu_notifier_subscriptions);
  if (old.isNull && fresh.isNull) {
    yield* fact(8, mm_drop_all_locks(mm));
    return -ENOMEM;
  }
  yield* enter(mn, mm, fresh);
  return 0;
}

export const registerAllocatesUnderLocks: Patch = {
  name: "register-allocates-under-locks",
  subject: "mm/mmu_notifier: init notifier if necessary",
  source: "commit e0f3c3f78da2, 3.7-rc1; undone before 3.7 by commit 35cfa2b0b491",
  eras: ["v3.8"],
  needs: [],
  replacements: [replaces(do_mmu_notifier_register, allocateLate)],
};
