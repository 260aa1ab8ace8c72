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

type Numbers = readonly number[];
/** Calls one notifier, if it has such a callback; whether that says yes. */
type Visit<A extends Numbers> = (ops: mmu_notifier_ops, mn: mmu_notifier, mm: mm_struct, ...args: A) => Kernel<boolean>;

interface Dispatcher<A extends Numbers> {
  readonly name: string;
  readonly params: { readonly [I in keyof A]: string };
  readonly summary: string;
  readonly differs: string;
  readonly visit: Visit<A>;
  /** What it is since 4.19, if it has changed. */
  readonly visitLater?: Visit<A>;
  readonly since?: string;
  readonly until?: string;
  /** What the notifiers say counts: any yes, or the first. Without it nobody is asked. */
  readonly asks?: "all" | "first";
}
/** The walk over the list, in a section of the readers. */
function walking<A extends Numbers>({ name, params, asks }: Dispatcher<A>, readers: ReadSide, visit: Visit<A>) {
  const each = kernelFunction(
    `__${name}`,
    function* (...[node, mm, young, ...args]: [hlist_node, mm_struct, boolean, ...A]): Kernel<boolean> {
      if (node.isNull) return young;
      const mn = notifierOf(node);
      const says = yield* fact(2, visit(yield* load(mn.ops), mn, mm, ...args));
      if (asks === "first" && says) return true;
      const sofar = asks === "all" && (young || says);
      return yield* each.restart(yield* fact(2, READ_ONCE(node.next)), mm, sofar, ...args);
    },
    { source: "mm/mmu_notifier.c", params: ["node", "mm", "young", ...params], internal: true },
  );
  type Args = [list: mmu_notifier_subscriptions, mm: mm_struct, ...A];
  return function* (...[list, mm, ...args]: Args): Kernel<boolean | undefined> {
    yield* fact(1, readers.lock());
    const young = yield* each(yield* fact(2, READ_ONCE(list.list.first)), mm, false, ...args);
    yield* fact(3, readers.unlock());
    return asks === undefined ? undefined : young;
  };
}
/** The function that all call, and the walk behind it. */
function dispatcher<A extends Numbers>(what: Dispatcher<A>) {
  const { name, params, summary, differs, visit, visitLater = visit, since = "v2.6.27", until, asks } = what;
  const life: Pick<FunctionInfo, "since" | "until"> = { since, ...(until === undefined ? {} : { until }) };
  const walk = kernelFunction(`__${name}`, walking(what, RCU, visit), {
    source: "mm/mmu_notifier.c",
    ...life,
    facts: name,
    params: ["subscriptions", "mm", ...params],
    own: ["subscriptions"],
    summary,
    differs: "Gets the list from its caller instead of loading it from the mm again.",
  })
    .since("v3.8", walking(what, SRCU, visit))
    .since("v4.19", walking(what, SRCU, visitLater));
  return kernelFunction(
    name,
    function* (...[mm, ...args]: [mm_struct, ...A]): Kernel<boolean | undefined> {
      const subscriptions = yield* load(mm.notifier_subscriptions);
      if (!subscriptions.isNull) return yield* walk(subscriptions, mm, ...args);
      return asks === undefined ? undefined : false;
    },
    { source: "include/linux/mmu_notifier.h", ...life, facts: name, params: ["mm", ...params], summary, differs },
  );
}
/** Of a callback that answers nothing. */
function* tell(called: Kernel<unknown>): Kernel<boolean> {
  yield* called;
  return false;
}

export const mmu_notifier_invalidate_page = dispatcher<[address: number]>({
  name: "mmu_notifier_invalidate_page",
  params: ["address"],
  summary: "Tells each notifier that one entry is gone: gone itself since 4.14.",
  differs: "There is no page_mkclean() that would call it, too.",
  until: "v4.19",
  *visit(ops, mn, mm, address) {
    const callback = yield* loadPrivate(ops.invalidate_page);
    return callback !== null && (yield* tell(callback(mn, mm, address)));
  },
});
export const mmu_notifier_change_pte = dispatcher<[address: number, pte: number]>({
  name: "mmu_notifier_change_pte",
  params: ["address", "pte"],
  summary: "Tells each notifier what an entry is to be; up to 4.13 those without such a callback that it is gone.",
  differs: "Only who copies a page calls it: there is no KSM, no uprobe, and no page is put where the zero page was.",
  since: "v3.6",
  *visit(ops, mn, mm, address, pte) {
    const callback = yield* loadPrivate(ops.change_pte);
    if (callback !== null) return yield* tell(callback(mn, mm, address, pte));
    const instead = yield* loadPrivate(ops.invalidate_page);
    return instead !== null && (yield* tell(instead(mn, mm, address)));
  },
  *visitLater(ops, mn, mm, address, pte) {
    const callback = yield* loadPrivate(ops.change_pte);
    return callback !== null && (yield* tell(callback(mn, mm, address, pte)));
  },
});

const NOBODY = "Only scripts call it: the model's reclaim and khugepaged do not ask which pages are in use.";
export const mmu_notifier_clear_flush_young = dispatcher<[start: number, end: number]>({
  name: "mmu_notifier_clear_flush_young",
  params: ["start", "end"],
  summary: "Whether a device has used a range lately; it forgets that, and flushes.",
  differs: `${NOBODY} Before 3.17 there is no range: callbacks are given its start, the address of the page.`,
  asks: "all",
  *visit(ops, mn, mm, start, end) {
    const callback = yield* loadPrivate(ops.clear_flush_young);
    return callback !== null && (yield* callback(mn, mm, start, end));
  },
});
export const mmu_notifier_clear_young = dispatcher<[start: number, end: number]>({
  name: "mmu_notifier_clear_young",
  params: ["start", "end"],
  summary: "Whether a device has used a range lately; it forgets that.",
  differs: NOBODY,
  since: "v4.19",
  asks: "all",
  *visit(ops, mn, mm, start, end) {
    const callback = yield* loadPrivate(ops.clear_young);
    return callback !== null && (yield* callback(mn, mm, start, end));
  },
});
export const mmu_notifier_test_young = dispatcher<[address: number]>({
  name: "mmu_notifier_test_young",
  params: ["address"],
  summary: "Whether a device has used a page lately; the first that says yes is enough.",
  differs: NOBODY,
  since: "v3.6",
  asks: "first",
  *visit(ops, mn, mm, address) {
    const callback = yield* loadPrivate(ops.test_young);
    return callback !== null && (yield* callback(mn, mm, address));
  },
});
