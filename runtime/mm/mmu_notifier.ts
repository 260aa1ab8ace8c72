/** mm/mmu_notifier.c: what notifiers hear of an invalidation, from the drafts of 2008 to today. */
import { load, READ_ONCE } from "../machine/access.ts";
import { might_sleep } from "../machine/context.ts";
import { kernelFunction } from "../machine/function.ts";
import { hlist_empty, type hlist_head } from "../machine/list.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { mm_struct } from "./mm_types.ts";
import * as draft from "./mmu_notifier_draft.ts";
import {
  BY_RANGE,
  callEach,
  CAN_FAIL,
  CANNOT_FAIL,
  endEach,
  RCU,
  SRCU,
  startEach,
  unwindEach,
  type Calls,
  type Checks,
  type ReadSide,
} from "./mmu_notifier_hlist.ts";
import { mn_itree_inv_end, mn_itree_invalidate } from "./mmu_notifier_itree.ts";
import type { mmu_notifier_range, mmu_notifier_subscriptions } from "./mmu_notifier_types.ts";
import { __mmu_notifier_invalidate_range_start_map, lock_map_acquire, lock_map_release } from "./notifier_map.ts";

const source = "mm/mmu_notifier.c";
const header = "include/linux/mmu_notifier.h";
const map = __mmu_notifier_invalidate_range_start_map;

// ---- start

function* nothing(_range: mmu_notifier_range): Kernel<void> {}

export const mmu_notifier_invalidate_range_start = kernelFunction("mmu_notifier_invalidate_range_start", nothing, {
  source: header,
  facts: "NS",
  params: ["range"],
  summary: "Tells every notifier to let go of a range, and waits until they have. The drafts have no such call.",
})
  .since("v2.6.27", function* (range: mmu_notifier_range): Kernel<void> {
    const subscriptions = yield* fact("n3", load(range[0].notifier_subscriptions));
    if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range_start(subscriptions, range);
  })
  .since("v5.4", function* ([mm, start, end, event]: mmu_notifier_range): Kernel<void> {
    yield* fact("n1", might_sleep());
    yield* fact("n2", lock_map_acquire(map));
    const subscriptions = yield* fact("n3", load(mm.notifier_subscriptions));
    const range: mmu_notifier_range = [mm, start, end, event, true];
    if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range_start(subscriptions, range);
    yield* fact("n9", lock_map_release(map));
  });
export const mmu_notifier_invalidate_range_start_nonblock = kernelFunction(
  "mmu_notifier_invalidate_range_start_nonblock",
  function* ([mm, start, end, event]: mmu_notifier_range): Kernel<number> {
    const subscriptions = yield* fact("n3", load(mm.notifier_subscriptions));
    if (subscriptions.isNull) return 0;
    return yield* __mmu_notifier_invalidate_range_start(subscriptions, [mm, start, end, event, false]);
  },
  {
    source: header,
    since: "v4.19",
    facts: "NS",
    params: ["range"],
    summary: "As mmu_notifier_invalidate_range_start(), but no notifier may sleep: -EAGAIN if one had to.",
  },
).since("v5.4", function* ([mm, start, end, event]: mmu_notifier_range): Kernel<number> {
  yield* fact("n2", lock_map_acquire(map));
  const subscriptions = yield* fact("n3", load(mm.notifier_subscriptions));
  const range: mmu_notifier_range = [mm, start, end, event, false];
  const error = subscriptions.isNull ? 0 : yield* __mmu_notifier_invalidate_range_start(subscriptions, range);
  yield* fact("n9", lock_map_release(map));
  return error;
});

/** A walk over the hlist, in a section of the readers. */
const startIn = (readers: ReadSide, calls: Calls, checks: Checks, caller = "__mmu_notifier_invalidate_range_start") => {
  const start_each = startEach(caller, "NS", calls, checks);
  return function* (subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range): Kernel<number> {
    yield* fact("n6", readers.lock());
    const ret = yield* start_each(yield* fact("n7", READ_ONCE(subscriptions.list.first)), range, 0);
    yield* fact("n8", readers.unlock());
    return ret;
  };
};
const __mmu_notifier_invalidate_range_start = kernelFunction(
  "__mmu_notifier_invalidate_range_start",
  startIn(RCU, CANNOT_FAIL, "none"),
  {
    source,
    since: "v2.6.27",
    facts: "NS",
    params: ["subscriptions", "range"],
    own: ["subscriptions"],
    summary: "Calls invalidate_range_start() of each notifier; since 5.5 invalidate() of the interval notifiers first.",
    differs: "Gets the list from its caller instead of loading it from the mm again.",
  },
)
  .since("v3.8", startIn(SRCU, CANNOT_FAIL, "none"))
  .since("v4.19", startIn(SRCU, CAN_FAIL, "none"))
  .since("v5.1", startIn(SRCU, BY_RANGE, "none"))
  .since("v5.4", startIn(SRCU, BY_RANGE, "sleep"))
  .since("v5.5", function* (subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range): Kernel<number> {
    if (yield* fact("n4", load(subscriptions.has_itree))) {
      const error = yield* fact("n4", mn_itree_invalidate(subscriptions, range));
      if (error !== 0) return error;
    }
    if (yield* fact("n6", hlist_empty(subscriptions.list))) return 0;
    return yield* mn_hlist_invalidate_range_start(subscriptions, range);
  });

const START = "mn_hlist_invalidate_range_start";
const start_paired = startEach(START, "NS", BY_RANGE, "pairs");
const unwind_each = unwindEach(START, "NS");
/** Tells each of the list: up to 5.11 whether or not one of them refuses. */
export const start_without_unwinding = startIn(SRCU, BY_RANGE, "sleep", START);
export const mn_hlist_invalidate_range_start = kernelFunction(START, start_without_unwinding, {
  source,
  since: "v5.5",
  facts: "NS",
  params: ["subscriptions", "range"],
  summary: "Calls invalidate_range_start() of each notifier; all are called, the last error wins.",
}).since("v5.12", function* (subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range): Kernel<number> {
  yield* fact("n6", SRCU.lock());
  const ret = yield* start_paired(yield* fact("n7", READ_ONCE(subscriptions.list.first)), range, 0);
  // Who has started must hear of an end, for the caller will not tell.
  if (ret !== 0) yield* unwind_each(yield* fact("n7", READ_ONCE(subscriptions.list.first)), range);
  yield* fact("n8", SRCU.unlock());
  return ret;
});

// ---- end

const endOf = (only_end: boolean) =>
  function* (range: mmu_notifier_range): Kernel<void> {
    const subscriptions = yield* load(range[0].notifier_subscriptions);
    if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range_end(subscriptions, range, only_end);
  };
const endWithMap = (only_end: boolean) =>
  function* (range: mmu_notifier_range): Kernel<void> {
    if (range[4] && !only_end) yield* fact("e0", might_sleep());
    const subscriptions = yield* fact("e2", load(range[0].notifier_subscriptions));
    if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range_end(subscriptions, range, only_end);
  };
export const mmu_notifier_invalidate_range_end = kernelFunction("mmu_notifier_invalidate_range_end", draft.end, {
  source: header,
  facts: "NE",
  params: ["range"],
  summary: "Tells every notifier that the range may be used again. In the drafts this is all they hear of it.",
})
  .since("v2.6.27", endOf(false))
  .since("v5.4", endWithMap(false));
export const mmu_notifier_invalidate_range_only_end = kernelFunction(
  "mmu_notifier_invalidate_range_only_end",
  draft.end,
  {
    source: header,
    facts: "NE",
    params: ["range"],
    summary: "As mmu_notifier_invalidate_range_end(), where invalidate_range() has been called already.",
    differs: "Before 4.15 there is no such call: the other one stands there.",
  },
)
  .since("v2.6.27", endOf(false))
  .since("v4.19", endOf(true))
  .since("v5.4", endWithMap(true));

const endIn = (readers: ReadSide, calls: Calls, checks: Checks, caller = "__mmu_notifier_invalidate_range_end") => {
  const end_each = endEach(caller, "NE", calls, checks);
  return function* (
    subscriptions: mmu_notifier_subscriptions,
    range: mmu_notifier_range,
    only_end: boolean,
  ): Kernel<void> {
    yield* fact("e3", readers.lock());
    yield* end_each(yield* fact("e3", READ_ONCE(subscriptions.list.first)), range, only_end);
    yield* fact("e3", readers.unlock());
  };
};
const end_in_srcu = endIn(SRCU, BY_RANGE, "sleep");
type EndArgs = [subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range, only_end: boolean];
const __mmu_notifier_invalidate_range_end = kernelFunction(
  "__mmu_notifier_invalidate_range_end",
  endIn(RCU, CANNOT_FAIL, "none"),
  {
    source,
    since: "v2.6.27",
    facts: "NE",
    params: ["subscriptions", "range", "only_end"],
    own: ["subscriptions"],
    summary: "Calls invalidate_range_end() of each notifier; since 5.5 it counts one invalidation less first.",
    differs: "Gets the list from its caller instead of loading it from the mm again.",
  },
)
  .since("v3.8", endIn(SRCU, CANNOT_FAIL, "none"))
  .since("v5.1", endIn(SRCU, BY_RANGE, "none"))
  .since("v5.4", function* (...args: EndArgs): Kernel<void> {
    yield* fact("e1", lock_map_acquire(map));
    yield* end_in_srcu(...args);
    yield* fact("e4", lock_map_release(map));
  })
  .since("v5.5", function* (subscriptions, range, only_end): Kernel<void> {
    yield* fact("e1", lock_map_acquire(map));
    if (yield* fact("e2", load(subscriptions.has_itree))) yield* fact("e2", mn_itree_inv_end(subscriptions));
    if (!(yield* fact("e3", hlist_empty(subscriptions.list))))
      yield* mn_hlist_invalidate_end(subscriptions, range, only_end);
    yield* fact("e4", lock_map_release(map));
  });
const END = "mn_hlist_invalidate_end";
const mn_hlist_invalidate_end = kernelFunction(END, endIn(SRCU, BY_RANGE, "sleep", END), {
  source,
  since: "v5.5",
  facts: "NE",
  params: ["subscriptions", "range", "only_end"],
  summary: "Calls invalidate_range_end() of each notifier of the list.",
});

// ---- the TLBs of devices

function* no_flush(_mm: mm_struct, _start: number, _end: number): Kernel<void> {}
/** Called with the lock of the page table held, between start and end: no callback may sleep. */
export const mmu_notifier_invalidate_range = kernelFunction("mmu_notifier_invalidate_range", no_flush, {
  source: header,
  facts: "NI",
  params: ["mm", "start", "end"],
  summary: "Flushes what devices have in their own TLBs of a range. Before 3.19 there is no such call.",
}).since("v4.19", function* (mm: mm_struct, start: number, end: number): Kernel<void> {
  const subscriptions = yield* load(mm.notifier_subscriptions);
  if (!subscriptions.isNull) yield* __mmu_notifier_invalidate_range(subscriptions.list, mm, start, end);
});
const __mmu_notifier_invalidate_range = kernelFunction(
  "__mmu_notifier_invalidate_range",
  function* (list: hlist_head, mm: mm_struct, start: number, end: number): Kernel<void> {
    yield* fact(1, SRCU.lock());
    yield* flush_each(yield* fact(2, READ_ONCE(list.first)), mm, start, end);
    yield* fact(3, SRCU.unlock());
  },
  {
    source,
    since: "v4.19",
    facts: "invalidate_range",
    params: ["list", "mm", "start", "end"],
    own: ["list"],
    summary: "Calls invalidate_range() of each notifier.",
    differs: "Gets the list from its caller instead of loading it from the mm again.",
  },
);
const flush_each = callEach("__mmu_notifier_invalidate_range", "invalidate_range", "invalidate_range");
