/** mm/mmu_notifier.c: what notifiers hear of the end of an address space, from the drafts of 2008 to today. */
import { load, READ_ONCE } from "../machine/access.ts";
import { kfree } from "../machine/alloc.ts";
import { BUG_ON } from "../machine/bug.ts";
import { kernelFunction } from "../machine/function.ts";
import { hlist_del_init_rcu, hlist_empty, LIST_POISON1, poison } from "../machine/list.ts";
import { spin_lock, spin_unlock } from "../machine/spinlock.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { mm_struct } from "./mm_types.ts";
import * as draft from "./mmu_notifier_draft.ts";
import { callRelease, notifierOf, RCU, releaseEach, SRCU, unlinkAll, type ReadSide } from "./mmu_notifier_hlist.ts";
import { mn_itree_release } from "./mmu_notifier_itree.ts";
import type { mmu_notifier_subscriptions } from "./mmu_notifier_types.ts";

const source = "mm/mmu_notifier.c";

export const mmu_notifier_release = kernelFunction("mmu_notifier_release", draft.release, {
  source: "include/linux/mmu_notifier.h",
  facts: "release A3",
  params: ["mm"],
  summary: "Tells every notifier that the address space goes away, and unregisters them.",
}).since(
  "v2.6.27",
  function* (mm: mm_struct): Kernel<void> {
    const subscriptions = yield* load(mm.notifier_subscriptions);
    if (!subscriptions.isNull) yield* __mmu_notifier_release(mm, subscriptions);
  },
  "release B1",
);

// ---- 2.6.27, and 3.8 with SRCU: each is deleted, then told

const deleteAndRelease = (readers: ReadSide, facts: string) => {
  const self = kernelFunction(
    "__mmu_notifier_release",
    function* (mm: mm_struct, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
      const first = yield* fact(2, load(subscriptions.list.first));
      if (first.isNull) return;
      yield* fact("2b", hlist_del_init_rcu(first));
      if (readers === RCU) yield* fact("2c", readers.lock());
      yield* fact("2d", spin_unlock(subscriptions.lock));
      yield* callRelease(notifierOf(first), mm, "2e");
      if (readers === RCU) yield* fact("2f", readers.unlock());
      yield* fact("2g", spin_lock(subscriptions.lock));
      return yield* self.restart(mm, subscriptions);
    },
    { source, facts, params: ["mm", "mmu_notifier_mm"], internal: true },
  );
  return self;
};
const delete_and_release_b1 = deleteAndRelease(RCU, "release B1");
const delete_and_release_b4 = deleteAndRelease(SRCU, "release B4");

// ---- 3.6, and since 3.9 with SRCU: all are told, then deleted

const release_each = releaseEach("__mmu_notifier_release", "release C2");
const unlink_all = unlinkAll("__mmu_notifier_release", "release C2");
/** `guards`: the section of the readers goes on until the list is empty, since 3.17. */
const releaseThenEmpty = (readers: ReadSide, guards: boolean) =>
  function* (mm: mm_struct, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
    yield* fact(1, readers.lock());
    yield* release_each(mm, yield* fact(2, READ_ONCE(subscriptions.list.first)));
    if (!guards) yield* fact(3, readers.unlock());
    yield* fact(4, spin_lock(subscriptions.lock));
    yield* unlink_all(subscriptions.list);
    yield* fact(6, spin_unlock(subscriptions.lock));
    if (guards) yield* fact(3, readers.unlock());
    yield* fact(7, readers.synchronize());
  };

const __mmu_notifier_release = kernelFunction(
  "__mmu_notifier_release",
  function* (mm: mm_struct, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
    yield* fact(1, spin_lock(subscriptions.lock));
    yield* delete_and_release_b1(mm, subscriptions);
    yield* fact(3, spin_unlock(subscriptions.lock));
    yield* fact(4, RCU.synchronize());
  },
  {
    source,
    since: "v2.6.27",
    facts: "release B1",
    params: ["mm", "subscriptions"],
    own: ["subscriptions"],
    summary: "Calls release() of each notifier, unlinks them all and waits until no callback runs.",
    differs: "Gets the list from its caller instead of loading it from the mm again.",
  },
)
  .since("v3.6", releaseThenEmpty(RCU, false), "release B2")
  .since(
    "v3.8",
    function* (mm: mm_struct, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
      yield* fact(1, SRCU.lock());
      yield* fact(2, spin_lock(subscriptions.lock));
      yield* delete_and_release_b4(mm, subscriptions);
      yield* fact(4, spin_unlock(subscriptions.lock));
      yield* fact(5, SRCU.unlock());
      yield* fact(6, SRCU.synchronize());
    },
    "release B4",
  )
  .since("v3.10", releaseThenEmpty(SRCU, false), "release C")
  .since("v4.19", releaseThenEmpty(SRCU, true), "release C2")
  .since(
    "v5.5",
    function* (mm: mm_struct, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
      if (yield* load(subscriptions.has_itree)) yield* mn_itree_release(subscriptions, mm);
      if (!(yield* hlist_empty(subscriptions.list))) yield* mn_hlist_release(subscriptions, mm);
    },
    "release D1",
  );

const mn_release_each = releaseEach("mn_hlist_release", "release C2");
const mn_unlink_all = unlinkAll("mn_hlist_release", "release C2");
const mn_hlist_release = kernelFunction(
  "mn_hlist_release",
  function* (subscriptions: mmu_notifier_subscriptions, mm: mm_struct): Kernel<void> {
    yield* fact(1, SRCU.lock());
    yield* mn_release_each(mm, yield* fact(2, READ_ONCE(subscriptions.list.first)));
    yield* fact(4, spin_lock(subscriptions.lock));
    yield* mn_unlink_all(subscriptions.list);
    yield* fact(6, spin_unlock(subscriptions.lock));
    yield* fact(3, SRCU.unlock());
    yield* fact(7, SRCU.synchronize());
  },
  {
    source,
    since: "v5.5",
    facts: "release C2",
    params: ["subscriptions", "mm"],
    summary: "Calls release() of each notifier, unlinks them all and waits until no callback runs.",
  },
);

// ---- part of the last mmdrop()

const destroyBy = (free: typeof __mmu_notifier_mm_destroy) =>
  function* (mm: mm_struct): Kernel<void> {
    const subscriptions = yield* load(mm.notifier_subscriptions);
    if (!subscriptions.isNull) yield* free(mm, subscriptions);
  };
const destroyAs = (name: string) =>
  function* (mm: mm_struct, subscriptions: mmu_notifier_subscriptions): Kernel<void> {
    yield* BUG_ON(!(yield* hlist_empty(subscriptions.list)), `!hlist_empty(&mm->${name}->list)`);
    yield* kfree(subscriptions);
    yield* poison(mm.notifier_subscriptions, LIST_POISON1);
  };
const __mmu_notifier_mm_destroy = kernelFunction("__mmu_notifier_mm_destroy", destroyAs("mmu_notifier_mm"), {
  source,
  since: "v2.6.27",
  until: "v5.6",
  facts: "__mmdrop",
  params: ["mm", "mmu_notifier_mm"],
  own: ["mmu_notifier_mm"],
  summary: "Frees the list of notifiers, which must be empty.",
  differs: "Gets the list from its caller instead of loading mm->mmu_notifier_mm again.",
});
export const mmu_notifier_mm_destroy = kernelFunction("mmu_notifier_mm_destroy", destroyBy(__mmu_notifier_mm_destroy), {
  source: "include/linux/mmu_notifier.h",
  since: "v2.6.27",
  until: "v5.6",
  facts: "__mmdrop",
  params: ["mm"],
  summary: "Frees the list of notifiers, if the mm ever had one.",
});
/** The same under their newer names. */
const __mmu_notifier_subscriptions_destroy = kernelFunction(
  "__mmu_notifier_subscriptions_destroy",
  destroyAs("notifier_subscriptions"),
  {
    source,
    since: "v5.6",
    facts: "__mmdrop",
    params: ["mm", "subscriptions"],
    own: ["subscriptions"],
    summary: "Frees the list of notifiers, which must be empty.",
    differs: "Gets the list from its caller instead of loading mm->notifier_subscriptions again.",
  },
);
export const mmu_notifier_subscriptions_destroy = kernelFunction(
  "mmu_notifier_subscriptions_destroy",
  destroyBy(__mmu_notifier_subscriptions_destroy),
  {
    source: "include/linux/mmu_notifier.h",
    since: "v5.6",
    facts: "__mmdrop",
    params: ["mm"],
    summary: "Frees what an mm knows about its notifiers, if it ever had one.",
  },
);
