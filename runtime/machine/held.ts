/**
 * Sets of held locks, interned: set 0 is empty, and equal sets have equal numbers and content keys. A lock held twice
 * for reading is in it twice.
 */
import { combine, keyOfNumber, type Key } from "./hash.ts";
import { HoldMode } from "./step.ts";
import { addressText, memberText, type Names } from "./struct.ts";

export interface Holding {
  readonly lock: number;
  readonly mode: HoldMode;
}

/** A held lock as a reader knows it: "&mm->mmap_sem (read)". */
export function holdingText({ lock, mode }: Holding, names: Names): string {
  if (mode === HoldMode.rcu) return "rcu_read_lock()";
  if (mode === HoldMode.srcu) return `srcu_read_lock(&${addressText(lock, names) ?? "srcu"})`;
  const text = memberText(lock, names) ?? `0x${lock.toString(16)}`;
  return text.replace(/\.count$/, "") + (mode === HoldMode.shared ? " (read)" : "");
}

interface HeldSet {
  /** In order of taking. */
  readonly holdings: readonly Holding[];
  readonly key: Key;
  readonly taking: Map<number, number>;
  readonly releasing: Map<number, number>;
}

const MODES = 4;

export class HeldSets {
  private readonly sets: HeldSet[] = [];
  private readonly index = new Map<string, number>();

  constructor() {
    this.intern([]);
  }
  get(set: number): readonly Holding[] {
    return this.entry(set).holdings;
  }
  key(set: number): Key {
    return this.entry(set).key;
  }
  /** With one more; `word` is the physical word of the lock, for a quick answer. */
  with(set: number, lock: number, word: number, mode: HoldMode): number {
    const { taking, holdings } = this.entry(set);
    let to = taking.get(word * MODES + mode);
    if (to === undefined) taking.set(word * MODES + mode, (to = this.intern([...holdings, { lock, mode }])));
    return to;
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
  private entry(set: number): HeldSet {
    return this.sets[set] as HeldSet;
  }
  private intern(holdings: readonly Holding[]): number {
    const text = holdings.map((h) => `${h.lock}:${h.mode}`).join(",");
    let set = this.index.get(text);
    if (set === undefined) {
      let key: Key = { lo: 0, hi: 0 };
      for (const h of holdings) key = combine(key, keyOfNumber(h.lock / 2 + h.mode)); // a multiple of eight
      set = this.sets.push({ holdings, key, taking: new Map(), releasing: new Map() }) - 1;
      this.index.set(text, set);
    }
    return set;
  }
}
