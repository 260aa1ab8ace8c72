/**
 * The order in which locks are taken, as lockdep learns it, class by class: over everything that a machine ever did,
 * forward and back, or over what led to where it is. A circle in it is a deadlock that some run may meet, though none
 * has met it yet.
 *
 * What there is to say depends on the held set and the new lock only, so it is asked once for each pair of these
 * (held.ts), and the hot loop pays nothing.
 */
import type { Holding } from "./held.ts";
import { lockdep_map } from "./lockdep-map.ts";
import { rw_semaphore } from "./rwsem.ts";
import { HoldMode, Taken } from "./step.ts";
import { headerAddress, memberText, WORD, type Names } from "./struct.ts";

/** Locks that lockdep holds for one and the same: of one member of one type, or one variable. */
export interface LockClass {
  /** "&mm->mmap_sem", "gpu_lock", "&pte->ptl/1". */
  readonly name: string;
  readonly after: Map<LockClass, Dependency>;
}
/** One class was taken while the other was held. */
export interface Dependency {
  readonly held: LockClass;
  readonly taken: LockClass;
  /** The dependencies that lead from `taken` back to `held`: with this one a circle. None, and it is the same class. */
  readonly circle: readonly Dependency[] | undefined;
  /** Who was the first to do so, and inside of what: innermost function first. */
  seen?: { readonly actor: number; readonly stack: readonly string[]; readonly step: string };
  /** The decisions that led there, as far as somebody has said so. */
  way?: readonly { readonly actor: number; readonly choice: number }[];
}
/** What is to be said when a lock is taken. */
export interface Verdict {
  /** Those that this adds, or that nobody has filed yet. */
  readonly fresh: readonly Dependency[];
  /** One that closes a circle. */
  readonly wrong: Dependency | undefined;
  /** It may sleep, and nobody may here. */
  readonly sleeps: boolean;
}

export class LockOrder {
  /** What was undone counts too: for a search, which asks what can be. Otherwise only what has been counts. */
  remembers = false;
  private readonly learnt: { readonly dependency: Dependency; readonly at: number }[] = [];
  private readonly classes = new Map<string, LockClass>();
  private readonly names: Names;
  private readonly now: () => number;

  constructor(names: Names, now: () => number) {
    this.names = names;
    this.now = now;
  }

  /** Unlearns what was learnt from there on; where what is left was learnt last. */
  undo(top: number): number {
    for (;;) {
      const last = this.learnt.at(-1);
      if (last === undefined || last.at < top) return last?.at ?? -1;
      this.learnt.pop();
      last.dependency.held.after.delete(last.dependency.taken);
    }
  }

  /** `how`: as the lock is taken now. */
  judge(holdings: readonly Holding[], isAtomic: boolean, lock: number, how: number): Verdict | undefined {
    const mode = how & (Taken.spin - 1);
    if (mode !== HoldMode.exclusive && mode !== HoldMode.shared) return undefined;
    if ((how & Taken.trylock) !== 0) return undefined; // it does not wait
    const taken = this.classOf(lock, how);
    const before = holdings.filter((h) => h.mode === HoldMode.exclusive || h.mode === HoldMode.shared);
    const dependencies = before.map((h) => this.dependency(this.classOf(h.lock, h.flags), taken));
    const sleeps = isAtomic && (how & (Taken.spin | Taken.map)) === 0;
    const wrong = dependencies.findLast((d) => d.circle !== undefined);
    const fresh = dependencies.filter((d) => d.way === undefined);
    return sleeps || wrong !== undefined || fresh.length > 0 ? { fresh, wrong, sleeps } : undefined;
  }
  /** Whether there is nothing more to say about it. */
  isSettled({ fresh, wrong, sleeps }: Verdict): boolean {
    return !sleeps && wrong === undefined && fresh.every((d) => d.way !== undefined);
  }

  private dependency(held: LockClass, taken: LockClass): Dependency {
    let found = held.after.get(taken);
    if (found === undefined) {
      found = { held, taken, circle: held === taken ? [] : shortest(taken, held) };
      held.after.set(taken, found);
      if (!this.remembers) this.learnt.push({ dependency: found, at: this.now() });
    }
    return found;
  }
  private classOf(lock: number, how: number): LockClass {
    const { names } = this;
    const owner = names.typeAt(lock);
    const base = headerAddress(lock) + WORD;
    // A variable is a class of its own, and so is what is a lock and nothing else.
    const isOwn = owner === undefined || owner.variables === true || owner === rw_semaphore || owner === lockdep_map;
    const own = isOwn ? (names.name(lock) ?? names.name(base)) : undefined;
    const nameless: Names = { name: () => undefined, typeAt: (addr) => names.typeAt(addr) };
    const text = own ?? (memberText(lock, nameless) ?? `0x${lock.toString(16)}`).replace(/(\.|->)count$/, "");
    const subclass = Math.floor(how / Taken.subclass);
    const full = subclass === 0 ? text : `${text}/${subclass}`;
    const key = `${isOwn ? lock : `${owner.name}+${lock - base}`}/${subclass}`;
    let found = this.classes.get(key);
    if (found === undefined) this.classes.set(key, (found = { name: full, after: new Map() }));
    return found;
  }
}

/** Breadth first, as lockdep does it: no circle is longer than it must be. */
function shortest(from: LockClass, to: LockClass): readonly Dependency[] | undefined {
  const ways = new Map<LockClass, readonly Dependency[]>([[from, []]]);
  for (const [at, way] of ways) {
    if (at === to) return way;
    for (const [next, dependency] of at.after) if (!ways.has(next)) ways.set(next, [...way, dependency]);
  }
  return undefined;
}
