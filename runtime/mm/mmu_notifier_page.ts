/**
 * mm/mmu_notifier.c: what notifiers are told, or asked, of single entries, without start and end. Each call is a walk
 * over the list; interval notifiers hear of none of these.
 */
import { load, loadPrivate, READ_ONCE } from "../machine/access.ts";
import { kernelFunction, type FunctionInfo } from "../machine/function.ts";
import type { hlist_node } from "../machine/list.ts";
import { fact, type Kernel } from "../machine/step.ts";
import type { mm_struct } from "./mm_types.ts";
import { notifierOf, RCU, SRCU, type ReadSide } from "./mmu_notifier_hlist.ts";
import type { mmu_notifier, mmu_notifier_ops, mmu_notifier_subscriptions } from "./mmu_notifier_types.ts";

/** Asks one notifier; null if it has no such callback. */
type Ask = (ops: mmu_notifier_ops, mn: mmu_notifier, mm: mm_struct, a: number, b: number) => Kernel<boolean | null>;

/** `stops`: at the first that says yes. */
function asking(name: string, readers: ReadSide, ask: Ask, stops: boolean) {
  const ask_each = kernelFunction(
    name,
    function* (node: hlist_node, mm: mm_struct, a: number, b: number, young: boolean): Kernel<boolean> {
      if (node.isNull) return young;
      const mn = notifierOf(node);
      const says = yield* fact(2, ask(yield* load(mn.ops), mn, mm, a, b));
      if (stops && says === true) return true;
      return yield* ask_each.restart(yield* fact(2, READ_ONCE(node.next)), mm, a, b, young || says === true);
    },
    { source: "mm/mmu_notifier.c", params: ["node", "mm", "start", "end", "young"], internal: true },
  );
  return function* (list: mmu_notifier_subscriptions, mm: mm_struct, a: number, b: number): Kernel<boolean> {
    yield* fact(1, readers.lock());
    const young = yield* ask_each(yield* fact(2, READ_ONCE(list.list.first)), mm, a, b, false);
    yield* fact(3, readers.unlock());
    return young;
  };
}

interface Dispatcher {
  readonly name: string;
  readonly params: readonly [a: string, b?: string];
  readonly summary: string;
  readonly ask: Ask;
  readonly stops?: boolean;
  readonly since?: string;
  readonly until?: string;
}
/** The second argument of those that have one. */
const NOTHING = "nothing";
/** The function that all call, and the walk behind it. */
function dispatcher({
  name,
  params: [a, b = NOTHING],
  summary,
  ask,
  stops = false,
  since = "v2.6.27",
  until,
}: Dispatcher) {
  const life: Pick<FunctionInfo, "since" | "until"> = { since, ...(until === undefined ? {} : { until }) };
  const walk = kernelFunction(`__${name}`, asking(`__${name}`, RCU, ask, stops), {
    source: "mm/mmu_notifier.c",
    ...life,
    facts: name,
    params: ["subscriptions", "mm", a, b],
    own: ["subscriptions", NOTHING],
    summary,
    differs: "Gets the list from its caller instead of loading it from the mm again.",
  }).since("v3.8", asking(`__${name}`, SRCU, ask, stops));
  return kernelFunction(
    name,
    function* (mm: mm_struct, from: number, to: number): Kernel<boolean> {
      const subscriptions = yield* load(mm.notifier_subscriptions);
      return subscriptions.isNull ? false : yield* walk(subscriptions, mm, from, to);
    },
    {
      source: "include/linux/mmu_notifier.h",
      ...life,
      facts: name,
      params: ["mm", a, b],
      own: [NOTHING],
      summary,
    },
  );
}

/** Tells it, and hears nothing back. */
function* tell(called: Kernel<unknown>): Kernel<null> {
  yield* called;
  return null;
}

const invalidate_page = dispatcher({
  name: "mmu_notifier_invalidate_page",
  params: ["address"],
  summary: "Tells each notifier that one entry is gone: gone itself since 4.14.",
  until: "v4.19",
  *ask(ops, mn, mm, address) {
    const callback = yield* loadPrivate(ops.invalidate_page);
    return callback === null ? null : yield* tell(callback(mn, mm, address));
  },
});
export const mmu_notifier_invalidate_page = (mm: mm_struct, address: number): Kernel<unknown> =>
  invalidate_page(mm, address, 0);
const change_pte = dispatcher({
  name: "mmu_notifier_change_pte",
  params: ["address", "pte"],
  summary: "Tells each notifier what an entry is to be, or, if it does not want to know, that it is gone.",
  since: "v3.6",
  *ask(ops, mn, mm, address, pte) {
    const callback = yield* loadPrivate(ops.change_pte);
    if (callback !== null) return yield* tell(callback(mn, mm, address, pte));
    const instead = yield* loadPrivate(ops.invalidate_page);
    return instead === null ? null : yield* tell(instead(mn, mm, address));
  },
});
export const mmu_notifier_change_pte: (mm: mm_struct, address: number, pte: number) => Kernel<unknown> = change_pte;

type OverRange = mmu_notifier_ops["clear_young"];
const young = (name: string, member: "clear_flush_young" | "clear_young", since: string, summary: string) =>
  dispatcher({
    name,
    params: ["start", "end"],
    since,
    summary,
    *ask(ops, mn, mm, start, end) {
      const callback = yield* loadPrivate(ops[member] as OverRange);
      return callback === null ? null : yield* callback(mn, mm, start, end);
    },
  });
export const mmu_notifier_clear_flush_young = young(
  "mmu_notifier_clear_flush_young",
  "clear_flush_young",
  "v2.6.27",
  "Whether a device has used a range lately; it forgets that, and flushes.",
);
export const mmu_notifier_clear_young = young(
  "mmu_notifier_clear_young",
  "clear_young",
  "v4.19",
  "Whether a device has used a range lately; it forgets that.",
);
export const mmu_notifier_test_young = dispatcher({
  name: "mmu_notifier_test_young",
  params: ["address"],
  summary: "Whether a device has used a page lately; the first that says yes is enough.",
  since: "v3.6",
  stops: true,
  *ask(ops, mn, mm, address) {
    const callback = yield* loadPrivate(ops.test_young);
    return callback === null ? null : yield* callback(mn, mm, address);
  },
});
