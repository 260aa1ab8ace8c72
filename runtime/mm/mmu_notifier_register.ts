/** mm/mmu_notifier.c: how notifiers come and go, from the drafts of 2008 to today. */
import { load, smp_store_release, store, storePrivate } from "../machine/access.ts";
import { kfree, kzalloc } from "../machine/alloc.ts";
import { atomic_read } from "../machine/atomic.ts";
import { BUG_ON } from "../machine/bug.ts";
import { EINTR, ENOMEM } from "../machine/errno.ts";
import { kernelFunction } from "../machine/function.ts";
import {
  hlist_add_head,
  hlist_add_head_rcu,
  hlist_del_init_rcu,
  hlist_del_rcu,
  hlist_unhashed,
} from "../machine/list.ts";
import { lockdep_assert_held_write } from "../machine/lockdep.ts";
import { call_srcu, type rcu_head, type RcuCallback } from "../machine/rcu.ts";
import { down_write, up_write } from "../machine/rwsem.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import { NULL } from "../machine/struct.ts";
import { mmdrop, mmgrab } from "./fork.ts";
import { mm_drop_all_locks, mm_take_all_locks } from "./mm_all_locks.ts";
import type { mm_struct } from "./mm_types.ts";
import * as draft from "./mmu_notifier_draft.ts";
import { callRelease, RCU, SRCU, srcu, type ReadSide } from "./mmu_notifier_hlist.ts";
import { mmu_notifier_subscriptions, type mmu_notifier } from "./mmu_notifier_types.ts";
import { prime_notifier_map } from "./notifier_map.ts";

const source = "mm/mmu_notifier.c";
export const NO_USERS = "atomic_read(&mm->mm_users) <= 0";
const NO_REFERENCE = "atomic_read(&mm->mm_count) <= 0";
const FIRST_SEQ = 2;

// ---- registration: 2.6.27 to 5.3

export const do_mmu_notifier_register = kernelFunction(
  "do_mmu_notifier_register",
  function* (mn: mmu_notifier, mm: mm_struct, take_mmap_sem: boolean): Kernel<number> {
    yield* BUG_ON((yield* fact(1, atomic_read(mm.mm_users))) <= 0, NO_USERS);
    const fresh = yield* fact(2, kzalloc(mmu_notifier_subscriptions));
    if (fresh.isNull) return -ENOMEM;
    if (take_mmap_sem) yield* fact(3, down_write(mm.mmap_sem));
    const error = yield* fact(4, mm_take_all_locks(mm));
    const used = error === 0 && (yield* enter(mn, mm, fresh));
    if (take_mmap_sem) yield* fact(9, up_write(mm.mmap_sem));
    if (!used) yield* fact(10, kfree(fresh));
    yield* BUG_ON((yield* fact(11, atomic_read(mm.mm_users))) <= 0, NO_USERS);
    return error === 0 ? 0 : -EINTR;
  },
  {
    source,
    since: "v2.6.27",
    until: "v5.4",
    facts: "register B1",
    params: ["mn", "mm", "take_mmap_sem"],
    summary: "Registers a notifier.",
  },
);
type AddHead = typeof hlist_add_head;
/** With all locks held: gives the mm its list if it has none, and enters `mn`. Whether `fresh` was needed. */
const enterBy = (add: AddHead) =>
  function* (mn: mmu_notifier, mm: mm_struct, fresh: mmu_notifier_subscriptions): Kernel<boolean> {
    const old = yield* fact(5, load(mm.notifier_subscriptions));
    if (old.isNull) yield* fact(5, store(mm.notifier_subscriptions, fresh));
    const subscriptions = old.isNull ? fresh : old;
    yield* fact(6, mmgrab(mm));
    yield* fact(7, spin_lock(subscriptions.lock));
    yield* fact(7, add(mn.hlist, subscriptions.list));
    yield* fact(7, spin_unlock(subscriptions.lock));
    yield* fact(8, mm_drop_all_locks(mm));
    return old.isNull;
  };
export const enter = kernelFunction("do_mmu_notifier_register", enterBy(hlist_add_head), {
  source,
  facts: "register B1",
  params: ["mn", "mm", "mmu_notifier_mm"],
  internal: true,
}).since("v5.3", enterBy(hlist_add_head_rcu), "register C2");

/** In the drafts, and again since 5.4. */
function* underMmapSem(mn: mmu_notifier, mm: mm_struct): Kernel<number> {
  yield* down_write(mm.mmap_sem);
  const error = yield* __mmu_notifier_register(mn, mm);
  yield* up_write(mm.mmap_sem);
  return error;
}
export const mmu_notifier_register = kernelFunction("mmu_notifier_register", underMmapSem, {
  source,
  facts: "register A2",
  params: ["mn", "mm"],
  summary: "Registers a notifier. The mm must have users throughout; takes mmap_sem.",
})
  .since("v2.6.27", function* (mn: mmu_notifier, mm: mm_struct): Kernel<number> {
    return yield* do_mmu_notifier_register(mn, mm, true);
  })
  .since("v5.4", underMmapSem, "register D0");

export const __mmu_notifier_register = kernelFunction("__mmu_notifier_register", draft.registerLocked, {
  source,
  facts: "register A2",
  params: ["mn", "mm"],
  summary: "Registers a notifier; the caller holds mmap_sem for writing.",
})
  .since("v2.6.27", function* (mn: mmu_notifier, mm: mm_struct): Kernel<number> {
    return yield* do_mmu_notifier_register(mn, mm, false);
  })
  .since("v5.4", registerWithUsers, "register D0")
  .since("v5.5", registerWithIntervals(true), "register D1")
  .since("v5.12", registerWithIntervals(false), "register D1");

// ---- registration: since 5.4, mmap_sem is held for writing

function* registerWithUsers(mn: mmu_notifier, mm: mm_struct): Kernel<number> {
  yield* fact(1, lockdep_assert_held_write(mm.mmap_sem));
  yield* BUG_ON((yield* fact(2, atomic_read(mm.mm_users))) <= 0, NO_USERS);
  yield* fact(3, prime_notifier_map());
  yield* fact(4, store(mn.mm, mm));
  yield* fact(4, store(mn.users, 1));
  const old = yield* fact(5, load(mm.notifier_subscriptions));
  const fresh = old.isNull ? yield* fact(5, kzalloc(mmu_notifier_subscriptions)) : NULL(mmu_notifier_subscriptions);
  if (old.isNull && fresh.isNull) return -ENOMEM;
  if ((yield* fact(6, mm_take_all_locks(mm))) !== 0) {
    yield* fact(6, kfree(fresh));
    return -EINTR;
  }
  yield* enter_shared(mn, mm, fresh);
  yield* fact(10, mm_drop_all_locks(mm));
  yield* BUG_ON((yield* fact(11, atomic_read(mm.mm_users))) <= 0, NO_USERS);
  return 0;
}
const enter_shared = kernelFunction(
  "__mmu_notifier_register",
  function* (mn: mmu_notifier, mm: mm_struct, fresh: mmu_notifier_subscriptions): Kernel<void> {
    yield* fact(7, mmgrab(mm));
    if (!fresh.isNull) yield* fact(8, store(mm.notifier_subscriptions, fresh));
    const subscriptions = yield* fact(9, load(mm.notifier_subscriptions));
    yield* fact(9, spin_lock(subscriptions.lock));
    yield* fact(9, hlist_add_head_rcu(mn.hlist, subscriptions.list));
    yield* fact(9, spin_unlock(subscriptions.lock));
  },
  { source, facts: "register D0", params: ["mn", "mm", "mmu_notifier_mm"], internal: true },
);

/**
 * `mn` NULL: for interval notifiers. `primes`: tells lockdep that notifiers are called in reclaim, which since 5.11
 * allocations do.
 */
function registerWithIntervals(primes: boolean) {
  return function* (mn: mmu_notifier, mm: mm_struct): Kernel<number> {
    yield* fact(1, lockdep_assert_held_write(mm.mmap_sem));
    yield* BUG_ON((yield* fact(2, atomic_read(mm.mm_users))) <= 0, NO_USERS);
    if (primes) yield* fact(3, prime_notifier_map());
    const old = yield* fact(4, load(mm.notifier_subscriptions));
    const fresh = old.isNull ? yield* fact(4, kzalloc(mmu_notifier_subscriptions)) : NULL(mmu_notifier_subscriptions);
    if (old.isNull && fresh.isNull) return -ENOMEM;
    if (!fresh.isNull) yield* storePrivate(fresh.invalidate_seq, FIRST_SEQ);
    if ((yield* fact(5, mm_take_all_locks(mm))) !== 0) {
      yield* fact(5, kfree(fresh));
      return -EINTR;
    }
    if (!fresh.isNull) yield* fact(6, smp_store_release(mm.notifier_subscriptions, fresh));
    yield* enter_either(mn, mm, fresh.isNull ? old : fresh);
    yield* fact(8, mm_drop_all_locks(mm));
    yield* BUG_ON((yield* fact(9, atomic_read(mm.mm_users))) <= 0, NO_USERS);
    return 0;
  };
}
const enter_either = kernelFunction(
  "__mmu_notifier_register",
  function* (mn: mmu_notifier, mm: mm_struct, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
    if (mn.isNull) {
      yield* fact(7, store(subscriptions.has_itree, true));
      return;
    }
    yield* fact(7, mmgrab(mm));
    yield* fact(7, store(mn.mm, mm));
    yield* fact(7, store(mn.users, 1));
    yield* fact(7, spin_lock(subscriptions.lock));
    yield* fact(7, hlist_add_head_rcu(mn.hlist, subscriptions.list));
    yield* fact(7, spin_unlock(subscriptions.lock));
  },
  { source, facts: "register D1", params: ["mn", "mm", "subscriptions"], internal: true },
);

// ---- the way out

/** 2.6.27, and with SRCU 3.8: whoever deletes it, this or mmu_notifier_release(), calls release(). */
const deleteThenRelease = (readers: ReadSide) =>
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<void> {
    yield* BUG_ON((yield* fact(1, atomic_read(mm.mm_count))) <= 0, NO_REFERENCE);
    const subscriptions = yield* load(mm.notifier_subscriptions);
    yield* fact(2, spin_lock(subscriptions.lock));
    if (yield* fact(3, hlist_unhashed(mn.hlist))) yield* fact("3f", spin_unlock(subscriptions.lock));
    else {
      if (readers === SRCU) yield* fact("3b", readers.lock());
      yield* fact("3a", hlist_del_rcu(mn.hlist));
      if (readers === RCU) yield* fact("3b", readers.lock());
      yield* fact("3c", spin_unlock(subscriptions.lock));
      yield* call_release(mn, mm);
      yield* fact("3e", readers.unlock());
    }
    yield* fact(4, readers.synchronize());
    yield* BUG_ON((yield* fact(5, atomic_read(mm.mm_count))) <= 0, NO_REFERENCE);
    yield* fact(6, mmdrop(mm));
  };
/** 3.6, and since 3.9 with a deletion that can be done twice: release() is called while it is still on the list. */
const releaseThenDelete = (readers: ReadSide) =>
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<void> {
    yield* BUG_ON((yield* fact(1, atomic_read(mm.mm_count))) <= 0, NO_REFERENCE);
    if (!(yield* fact(2, hlist_unhashed(mn.hlist)))) {
      yield* fact(3, readers.lock());
      yield* call_release(mn, mm);
      yield* fact(5, readers.unlock());
      yield* unlink(mn, mm);
    }
    yield* fact(9, readers.synchronize());
    yield* BUG_ON((yield* fact(10, atomic_read(mm.mm_count))) <= 0, NO_REFERENCE);
    yield* fact(11, mmdrop(mm));
  };
export const mmu_notifier_unregister = kernelFunction("mmu_notifier_unregister", draft.unregister, {
  source,
  facts: "unregister A2",
  params: ["mn", "mm"],
  summary: "Unregisters a notifier, which may be freed afterwards. Calls release() unless that has been done.",
})
  .since("v2.6.27", deleteThenRelease(RCU), "unregister B1")
  .since("v3.6", releaseThenDelete(RCU), "unregister B2")
  .since("v3.8", deleteThenRelease(SRCU), "unregister B4")
  .since("v3.10", releaseThenDelete(SRCU), "unregister C2");

const call_release = kernelFunction(
  "mmu_notifier_unregister",
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<void> {
    yield* callRelease(mn, mm, 4);
  },
  { source, facts: "unregister C2", params: ["mn", "mm"], internal: true },
);
const unlinkBy = (del: typeof hlist_del_rcu) =>
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<void> {
    const subscriptions = yield* load(mm.notifier_subscriptions);
    yield* fact(6, spin_lock(subscriptions.lock));
    yield* fact(7, del(mn.hlist));
    yield* fact(8, spin_unlock(subscriptions.lock));
  };
const unlink = kernelFunction("mmu_notifier_unregister", unlinkBy(hlist_del_rcu), {
  source,
  facts: "unregister B2",
  params: ["mn", "mm"],
  internal: true,
}).since("v3.10", unlinkBy(hlist_del_init_rcu), "unregister C2");

export const mmu_notifier_unregister_no_release = kernelFunction(
  "mmu_notifier_unregister_no_release",
  function* (mn: mmu_notifier, mm: mm_struct): Kernel<void> {
    const subscriptions = yield* load(mm.notifier_subscriptions);
    yield* fact(1, spin_lock(subscriptions.lock));
    yield* fact(2, hlist_del_init_rcu(mn.hlist));
    yield* fact(3, spin_unlock(subscriptions.lock));
    yield* BUG_ON((yield* fact(4, atomic_read(mm.mm_count))) <= 0, NO_REFERENCE);
    yield* fact(5, mmdrop(mm));
  },
  {
    source,
    since: "v4.19",
    until: "v5.4",
    facts: "C2 additions",
    params: ["mn", "mm"],
    summary: "Unregisters a notifier without callback or grace period: its memory must wait for one by itself.",
  },
);

export const mmu_notifier_call_srcu = kernelFunction(
  "mmu_notifier_call_srcu",
  function* (rcu: rcu_head, func: RcuCallback): Kernel<void> {
    yield* call_srcu(srcu, rcu, func);
  },
  {
    source,
    since: "v4.19",
    until: "v5.4",
    facts: "C2 additions",
    params: ["rcu", "func"],
    summary: "Calls func once every callback that runs now is over.",
  },
);
