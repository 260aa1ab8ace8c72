/**
 * Sets of held locks, interned: set 0 is empty, and equal sets have equal numbers and content keys. A lock held twice
 * for reading is in it twice. Contexts in which nobody may sleep are in it too.
 */
import { combine, keyOfNumber, type Key } from "./hash.ts";
import type { LockOrder, Verdict } from "./lockdep-order.ts";
import { HoldMode, Taken } from "./step.ts";
import { addressText, memberText, type Names } from "./struct.ts";

export interface Holding {
  readonly lock: number;
  readonly mode: HoldMode;
  /** What else `Taken` says that lasts: not whether it was tried for. */
  readonly flags: number;
}

/** Why nobody may sleep: how often each; undefined where everybody may. */
export interface Context {
  /** Spinlocks, preempt_disable(), softirq. */
  readonly preempt: number;
  readonly irqs: number;
  readonly nonBlock: number;
  readonly rcu: number;
}

const CONTEXTS: Partial<Record<HoldMode, string>> = {
  [HoldMode.rcu]: "rcu_read_lock()",
  [HoldMode.preempt]: "preempt_disable()",
  [HoldMode.irqs]: "local_irq_disable()",
  [HoldMode.nonBlock]: "non_block_start()",
  [HoldMode.softirq]: "softirq",
};
/** Whether it is a context rather than a lock. */
export const isContext = (mode: HoldMode): boolean => mode >= HoldMode.preempt;

/** A held lock as a reader knows it: "&mm->mmap_sem (read)". */
export function holdingText({ lock, mode, flags }: Holding, names: Names): string {
  const context = CONTEXTS[mode];
  if (context !== undefined) return context;
  if (mode === HoldMode.srcu) return `srcu_read_lock(&${addressText(lock, names) ?? "srcu"})`;
  if ((flags & Taken.map) !== 0) return names.name(lock) ?? "lockdep_map";
  const text = memberText(lock, names) ?? `0x${lock.toString(16)}`;
  return text.replace(/\.count$/, "") + (mode === HoldMode.shared ? " (read)" : "");
}

interface HeldSet {
  /** In order of taking. */
  readonly holdings: readonly Holding[];
  readonly key: Key;
  readonly context: Context | undefined;
  /** By word and manner: the set with one more, or ~ of it where something is to be said about taking it. */
  readonly taking: Map<number, number>;
  readonly verdicts: Map<number, Verdict>;
  readonly releasing: Map<number, number>;
}

const MODES = 8;
const MANNERS = 8 * Taken.subclass; // eight subclasses
const LASTING = ~(MODES - 1 + Taken.trylock);

export class HeldSets {
  private readonly sets: HeldSet[] = [];
  private readonly index = new Map<string, number>();
  private readonly order: LockOrder;

  constructor(order: LockOrder) {
    this.order = order;
    this.intern([]);
  }
  get(set: number): readonly Holding[] {
    return this.entry(set).holdings;
  }
  key(set: number): Key {
    return this.entry(set).key;
  }
  context(set: number): Context | undefined {
    return this.entry(set).context;
  }
  /**
   * With one more; `word` is the physical word of the lock, for a quick answer, `how` its mode and what `Taken` has.
   * Less than zero: ~ of the set, and `verdict` knows what there is to say.
   */
  with(set: number, lock: number, word: number, how: number): number {
    const entry = this.entry(set);
    return entry.taking.get((word * MANNERS + how) | 0) ?? this.add(entry, lock, word, how);
  }
  private add({ taking, holdings, verdicts, context }: HeldSet, lock: number, word: number, how: number): number {
    const mode = (how & (MODES - 1)) as HoldMode;
    let to = this.intern([...holdings, { lock, mode, flags: how & LASTING }]);
    const verdict = this.order.judge(holdings, context !== undefined, lock, how);
    if (verdict !== undefined) {
      verdicts.set(word * MANNERS + how, verdict);
      to = ~to;
    }
    taking.set(word * MANNERS + how, to);
    return to;
  }
  /** What is to be said of a lock that is taken; what is said for good is not said again. */
  verdict(set: number, word: number, how: number): Verdict | undefined {
    const { taking, verdicts } = this.entry(set);
    const key = word * MANNERS + how;
    const verdict = verdicts.get(key);
    if (verdict === undefined || !this.order.isSettled(verdict)) return verdict;
    taking.set(key, ~(taking.get(key) as number));
    verdicts.delete(key);
    return undefined;
  }
  /** Without the one taken last that fits; the same set if there is none. */
  without(set: number, lock: number, word: number, mode: HoldMode): number {
    const { releasing, holdings } = this.entry(set);
    let to = releasing.get(word * MODES + mode);
    if (to === undefined) {
      const i = holdings.findLastIndex((h) => h.lock === lock && h.mode === mode);
      to = i === -1 ? set : this.intern(holdings.toSpliced(i, 1));
      releasing.set(word * MODES + mode, to);
    }
    return to;
  }
  /** What was said about taking locks is to be asked again. */
  forget(): void {
    for (const { taking, verdicts } of this.sets) {
      taking.clear();
      verdicts.clear();
    }
  }
  private entry(set: number): HeldSet {
    return this.sets[set] as HeldSet;
  }
  private intern(holdings: readonly Holding[]): number {
    const text = holdings.map((h) => `${h.lock}:${h.mode}:${h.flags}`).join(",");
    let set = this.index.get(text);
    if (set === undefined) {
      let key: Key = { lo: 0, hi: 0 };
      for (const h of holdings) key = combine(combine(key, keyOfNumber(h.lock)), keyOfNumber(h.mode + h.flags));
      const maps = { taking: new Map(), verdicts: new Map(), releasing: new Map() };
      set = this.sets.push({ holdings, key, context: contextOf(holdings), ...maps }) - 1;
      this.index.set(text, set);
    }
    return set;
  }
}

function contextOf(holdings: readonly Holding[]): Context | undefined {
  const count = (is: (holding: Holding) => boolean): number => holdings.filter(is).length;
  const context = {
    preempt: count(
      ({ mode, flags }) => mode === HoldMode.preempt || mode === HoldMode.softirq || (flags & Taken.spin) !== 0,
    ),
    irqs: count(({ mode, flags }) => mode === HoldMode.irqs || (flags & Taken.irqs) !== 0),
    nonBlock: count(({ mode }) => mode === HoldMode.nonBlock),
    rcu: count(({ mode }) => mode === HoldMode.rcu),
  };
  return Object.values(context).some((n) => n > 0) ? context : undefined;
}
