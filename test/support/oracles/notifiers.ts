/** Rules about notifiers: how invalidations are counted, when the tree stands still, and who is told of what. */
import type { Report } from "../../../runtime/machine/report.ts";
import { at, headerAddress, WORD } from "../../../runtime/machine/struct.ts";
import { mm_struct } from "../../../runtime/mm/mm_types.ts";
import { interval_tree_node } from "../../../runtime/mm/interval_tree.ts";
import {
  mmu_interval_notifier,
  mmu_notifier,
  mmu_notifier_subscriptions,
} from "../../../runtime/mm/mmu_notifier_types.ts";
import { isOfNotifiers } from "./calls.ts";
import type { Oracle, OracleName, Transition } from "./rule.ts";
import { isMm, isType } from "./tables.ts";

const INV_END = "mn_itree_inv_end";

// ---- the numbers of an mm

/** The subscriptions that a transition has written to and that live. */
function touched({ machine, changes }: Transition): mmu_notifier_subscriptions[] {
  const found = new Set<number>();
  for (const { addr, header } of changes)
    if (header > 0 && isType(header, mmu_notifier_subscriptions)) found.add(headerAddress(addr) + WORD);
  return [...found]
    .filter((addr) => machine.memory.header(addr) > 0)
    .map((addr) => at(mmu_notifier_subscriptions, addr));
}
const valueOf = ({ machine }: Transition, ref: { readonly addr: number }): number => machine.memory.peek(ref.addr);
const isOdd = (seq: number): boolean => seq % 2 === 1;
/** Whether the end of an invalidation is just at work on it, with the lock held. */
function isEnding(t: Transition, { lock }: mmu_notifier_subscriptions): boolean {
  const holder = valueOf(t, lock) - 1;
  return holder >= 0 && t.machine.framesOf(holder).some(({ name }) => name === INV_END);
}
/** A rule over what the number, the count, the tree and the list of an mm say together. */
const ofSubscriptions = (
  name: OracleName,
  rule: string,
  wrong: (t: Transition, s: mmu_notifier_subscriptions) => string | undefined,
): Oracle => ({
  name,
  rule,
  check(t) {
    for (const s of touched(t)) {
      const message = wrong(t, s);
      if (message !== undefined) return message;
    }
    return undefined;
  },
});

export const I1: Oracle = {
  name: "I1",
  rule: "active_invalidate_ranges is the number of invalidations that have started and not ended",
  check(t) {
    const { calls, ranges } = t.is.notifiers;
    const { was } = t;
    const isNews = calls !== was.notifiers.calls || ranges !== was.notifiers.ranges;
    const known = isNews ? [...ranges, ...[...calls, ...was.notifiers.calls].flatMap(({ range }) => range ?? [])] : [];
    const all = new Set([...known.map(({ counted }) => counted), ...touched(t).map(({ addr }) => addr)]);
    for (const addr of all) {
      if (addr === 0 || t.machine.memory.header(addr) <= 0) continue;
      const s = at(mmu_notifier_subscriptions, addr);
      const active = valueOf(t, s.active_invalidate_ranges);
      const least = ranges.filter(({ counted }) => counted === addr).length;
      const under = calls.filter(({ kind, mm, range, isCallback }) => {
        const isExit = kind === "exit" && valueOf(t, at(mm_struct, mm).notifier_subscriptions) === addr;
        return !isCallback && (isExit || range?.counted === addr);
      });
      const most = least + under.length;
      if (active < least || active > most)
        return `active_invalidate_ranges is ${active}, and ${least} invalidations are under way`;
    }
    return undefined;
  },
};

export const I2 = ofSubscriptions("I2", "while invalidate_seq is odd some invalidation is under way", (t, s) => {
  const wrong = isOdd(valueOf(t, s.invalidate_seq)) && valueOf(t, s.active_invalidate_ranges) <= 0;
  return wrong && !isEnding(t, s) ? "invalidate_seq is odd, and nothing is being invalidated" : undefined;
});

export const I3: Oracle = {
  name: "I3",
  rule: "the tree stands still while invalidate_seq is odd",
  check(t) {
    const { step, machine, actor } = t;
    if (step?.primitive == null || !/^interval_tree_(insert|remove)$/.test(step.primitive.name)) return undefined;
    const s = at(mmu_notifier_subscriptions, headerAddress(step.args[0] ?? 0) + WORD);
    if (!isType(machine.memory.header(s.addr), mmu_notifier_subscriptions)) return undefined;
    const own = t.was.notifiers.odd.some((one) => one.subscriptions === s.addr && one.actor === actor);
    if (!isOdd(t.before(s.invalidate_seq.addr)) || own) return undefined;
    const { start } = at(interval_tree_node, step.args[1] ?? 0);
    return `${step.primitive.name} of the interval at 0x${valueOf(t, start).toString(16)} while invalidate_seq is odd`;
  },
};

const INSERT = "__mmu_interval_notifier_insert";
/** Interval notifiers that the transition has entered. */
function insertedNow({ machine, events, local }: Transition): mmu_interval_notifier[] {
  const { automaton } = machine;
  const isInsert = (fn: number): boolean =>
    automaton.functionName(fn) === INSERT && automaton.infoOf(fn).internal !== true;
  if (!events.some((e) => e.kind === "return" && e.value === 0 && isInsert(e.fn))) return [];
  const frame = automaton.stack(local).find(({ fn }) => isInsert(fn));
  return frame === undefined ? [] : [frame.args[0] as mmu_interval_notifier];
}
export const I4: Oracle = {
  name: "I4",
  rule: "the number of an interval notifier is odd, and that of the mm if it came during an invalidation",
  check(t) {
    for (const { object } of t.is.notifiers.members.filter(({ isInterval }) => isInterval))
      for (const { addr, now } of t.changes)
        if (addr === at(mmu_interval_notifier, object).invalidate_seq.addr && !isOdd(now))
          return `the number of an interval notifier becomes ${now}, which is even`;
    for (const sub of insertedNow(t)) {
      const seq = valueOf(t, sub.invalidate_seq);
      if (!isOdd(seq)) return `an interval notifier comes with the number ${seq}, which is even`;
      const s = at(mmu_notifier_subscriptions, valueOf(t, at(mm_struct, valueOf(t, sub.mm)).notifier_subscriptions));
      const waits = seq === valueOf(t, s.invalidate_seq);
      if (valueOf(t, s.active_invalidate_ranges) > 0 && !waits)
        return "an interval notifier comes during an invalidation and would not wait for its end";
    }
    return undefined;
  },
};

export const I5 = ofSubscriptions("I5", "who waits on deferred_list waits for an odd number", (t, s) => {
  const waits = valueOf(t, s.deferred_list.first) !== 0;
  return waits && !isOdd(valueOf(t, s.invalidate_seq)) && !isEnding(t, s)
    ? "somebody waits on deferred_list, and invalidate_seq is even"
    : undefined;
});

// ---- what has been said of calls

const saidOf = (name: OracleName, { is }: Transition): string | undefined =>
  is.notifiers.said.find(({ oracle }) => oracle === name)?.message;
const ofCalls = (name: OracleName, rule: string): Oracle => ({ name, rule, check: (t) => saidOf(name, t) });

/**
 * Gone is who has been unregistered or removed when that returns. In the drafts that waits for nobody: gone is he for
 * those who come upon him later, not for who is walking the list. With "interval-updates-safe" remove() does not wait
 * either if there is a release(): gone is who has been released, once, with the last invalidation at the latest.
 */
export const I6 = ofCalls("I6", "once a notifier is gone, no callback of it runs or begins");
export const I9 = ofCalls("I9", "who is told of a start is told of the end, and nobody else is");
/** Without a lock may set the number whose driver never reads it. */
export const I11 = ofCalls("I11", "mmu_interval_set_seq() is called with an odd number and a lock of the driver's");

/** In the drafts a registration takes no reference: there is nothing to count. */
export const I7: Oracle = {
  name: "I7",
  rule: "a registration holds one mm_count, which is given back once",
  check(t) {
    const told = t.reports.find(({ kind, message }) => kind === "bug" && message.includes("hlist_empty"));
    if (told !== undefined) return told.message;
    return saidOf("I7", t) ?? tooFew(t);
  },
};
function tooFew(t: Transition): string | undefined {
  const { members, leaving } = t.is.notifiers;
  for (const { addr, header } of t.changes) {
    if (members.length + leaving.length === 0 || !isMm(header)) continue;
    const mm = at(mm_struct, headerAddress(addr) + WORD);
    const isAlive = valueOf(t, mm.mm_users) > 0;
    const holds = [...members.filter((one) => isAlive || one.isInterval || isListed(t, one.object)), ...leaving];
    const held = holds.filter((one) => one.mm === mm.addr).length;
    const least = held + (held > 0 && isAlive ? 1 : 0);
    if (addr === mm.mm_count.addr && valueOf(t, mm.mm_count) < least)
      return `mm_count is ${valueOf(t, mm.mm_count)}, and ${held} notifiers are registered`;
  }
  return undefined;
}

/** Whom the end of the mm has taken off its list need not unregister any more: mmdrop() is enough. */
function isListed({ machine }: Transition, notifier: number): boolean {
  return machine.memory.peek(at(mmu_notifier, notifier).hlist.pprev.addr) !== 0;
}

// ---- what the machine has said itself

const ofReports = (name: OracleName, rule: string, isIt: (report: Report, t: Transition) => boolean): Oracle => ({
  name,
  rule,
  check: (t) => t.reports.find((report) => isIt(report, t))?.message,
});
const inNotifiers = ({ local }: Report, { machine }: Transition): boolean =>
  machine.automaton.stack(local).some(({ fn }) => isOfNotifiers(machine.automaton.infoOf(fn)));

export const I8 = ofReports(
  "I8",
  "no device uses a page after the end of the invalidation that took it away",
  ({ kind }) => kind === "stale-translation",
);
export const I10 = ofReports(
  "I10",
  "nobody sleeps under RCU, in a callback that may not, or while he frees a notifier",
  (report, t) => (report.kind === "sleep-in-atomic" || report.kind === "rcu") && inNotifiers(report, t),
);
const isMap = ({ name }: { readonly name: string }): boolean => name === "mmu_notifier_invalidate_range_start";
export const I12 = ofReports(
  "I12",
  "what invalidations take is not held by who waits for them",
  ({ kind, dependency }) =>
    kind === "lockdep" &&
    dependency !== undefined &&
    [dependency, ...(dependency.circle ?? [])].some(({ held, taken }) => isMap(held) || isMap(taken)),
);
