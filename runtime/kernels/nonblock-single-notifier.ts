/** A first idea against starts without an end: where there are several notifiers none is asked, for one may refuse. */
import { READ_ONCE } from "../machine/access.ts";
import { EAGAIN } from "../machine/errno.ts";
import { replaces } from "../machine/function.ts";
import type { Kernel } from "../machine/step.ts";
import { mn_hlist_invalidate_range_start, start_without_unwinding } from "../mm/mmu_notifier.ts";
import { SRCU } from "../mm/mmu_notifier_hlist.ts";
import type { mmu_notifier_range, mmu_notifier_subscriptions } from "../mm/mmu_notifier_types.ts";
import { erasOf, type Patch } from "../patch.ts";

function* hasSeveral({ list }: mmu_notifier_subscriptions): Kernel<boolean> {
  yield* SRCU.lock();
  const first = yield* READ_ONCE(list.first);
  const several = !first.isNull && !(yield* READ_ONCE(first.next)).isNull;
  yield* SRCU.unlock();
  return several;
}
function* startOnlyOne(subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range): Kernel<number> {
  const blockable = range[4];
  if (!blockable && (yield* hasSeveral(subscriptions))) return -EAGAIN;
  return yield* start_without_unwinding(subscriptions, range);
}

export const nonblockSingleNotifier: Patch = {
  name: "nonblock-single-notifier",
  subject: "an idea that was not taken: several notifiers are never asked not to sleep",
  source: "linux-mm, 2019",
  eras: erasOf({ since: "v5.5", until: "v5.12" }),
  needs: [],
  replacements: [replaces(mn_hlist_invalidate_range_start, startOnlyOne)],
};
