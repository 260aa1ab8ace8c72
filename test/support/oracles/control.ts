/** Rules over what actors do: who makes progress, which locks are held, what is left of an address space. */
import { headerAddress, WORD, at } from "../../../runtime/machine/struct.ts";
import { mmu_notifier_subscriptions } from "../../../runtime/mm/mmu_notifier_types.ts";
import { mm_struct } from "../../../runtime/mm/mm_types.ts";
import { isMm, isType } from "./tables.ts";
import type { Oracle, Transition } from "./rule.ts";

const CYCLE_MAX = 100;
const WALKERS = ["walk_pud_range", "walk_pmd_range", "__handle_mm_fault"];
const CPUS = 8;

/** A CPU that comes back to a state without anybody else's help does so for ever. */
export function progress(): Oracle {
  const ways: Map<number, number>[] = Array.from({ length: CPUS }, () => new Map<number, number>());
  return {
    name: "O6",
    rule: "who looks at an entry again does so because it has changed, or sleeps before",
    check({ machine, actor, step, local, from, to }) {
      const way = ways[actor];
      if (way === undefined || step === null || step.choices > 1) return undefined;
      const known = way.has(from);
      way.set(from, to);
      if (known || (from !== to && !way.has(to))) return undefined;
      let state: number | undefined = to;
      for (let n = 0; n < CYCLE_MAX && state !== undefined && state !== from; n++) state = way.get(state);
      if (state !== from) return undefined;
      const frames = machine.automaton.stack(local);
      const walker = frames.find(({ name }) => WALKERS.includes(name));
      return walker === undefined ? undefined : `${walker.name} goes round without a change`;
    },
  };
}

export const O7: Oracle = {
  name: "O7",
  rule: "lockdep has nothing to say, nobody sleeps in atomic context, and nothing is held at the return to user mode",
  check({ machine, actor, step, reports, mayHoldLocks }) {
    const report = reports.find(({ kind }) => kind === "lockdep" || kind === "sleep-in-atomic" || kind === "rcu");
    if (report !== undefined) return report.message;
    if (mayHoldLocks || step === null || actor >= CPUS || !machine.isFinished(actor)) return undefined;
    const [lock] = machine.lockTexts(actor);
    return lock === undefined ? undefined : `${lock} is held at the return to user mode`;
  },
};

/** What must be 0 of the object that is freed. */
function leftovers({ before, machine }: Transition, base: number, now: number): string[] {
  const look = (ref: { addr: number }): number => before(ref.addr);
  if (isMm(now)) {
    const { tlb_flush_pending, rss_stat, pgtables_bytes } = at(mm_struct, base + WORD);
    const words = [tlb_flush_pending, rss_stat, pgtables_bytes].filter((ref) => look(ref) !== 0);
    return words.map((ref) => `${ref.expr(machine)} is ${look(ref)}`);
  }
  if (!isType(now, mmu_notifier_subscriptions)) return [];
  const s = at(mmu_notifier_subscriptions, base + WORD);
  const words = [s.active_invalidate_ranges, s.list.first, s.itree.first, s.deferred_list.first];
  const left = words.filter((ref) => look(ref) !== 0).map((ref) => `${ref.expr(machine)} is not 0`);
  return look(s.invalidate_seq) % 2 === 0 ? left : [...left, "invalidate_seq is odd"];
}
export const O8: Oracle = {
  name: "O8",
  rule: "when an address space is freed its counters are 0, its sequence is even, its list and its tree are empty",
  check(t) {
    const told = t.reports.find(({ message }) => /^BUG: (Bad rss-counter|non-zero pgtables_bytes)/.test(message));
    if (told !== undefined) return told.message;
    for (const { addr, now } of t.changes) {
      const left = now < 0 && addr === headerAddress(addr) ? leftovers(t, addr, now) : [];
      if (left.length > 0) return left.join(", ");
    }
    return undefined;
  },
};
