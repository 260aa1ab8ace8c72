/** What is said about a machine's locks: asked where a lock is taken or somebody may sleep, and only then. */
import { __GFP_DIRECT_RECLAIM } from "./gfp.ts";
import { __mmu_notifier_invalidate_range_start_map, fs_reclaim, mayReclaim } from "./lockdep-map.ts";
import { existsIn } from "./era.ts";
import { orderMessage, sleepMessages } from "./lockdep-report.ts";
import { callers } from "./report.ts";
import type { Machine } from "./machine.ts";
import { HoldMode, Op, Taken, type LockChecks } from "./step.ts";

const NOTIFIERS_IN_RECLAIM = { since: "v5.12" };

export class LockWatch implements LockChecks {
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** The actor takes a lock, of which the held sets say that there is something to say. */
  judge(actor: number, lock: number, word: number, how: number): void {
    const { machine } = this;
    const verdict = machine.heldSets.verdict(machine.held[actor] as number, word, how);
    if (verdict === undefined) return;
    machine.actor = actor;
    const step = machine.nextStep(actor);
    for (const dependency of verdict.fresh) {
      const stack = callers(machine, machine.stackOf(actor)).map(({ name }) => name);
      dependency.seen ??= { actor, stack, step: step?.text(machine) ?? "" };
      if (machine.lockOrder.remembers && dependency.way === undefined) machine.news.push(dependency);
    }
    if (verdict.wrong !== undefined) machine.warn("lockdep", orderMessage(verdict.wrong), lock, verdict.wrong);
    const isMutex = step?.op === Op.mutexLock || /^mutex/.test(step?.primitive?.name ?? "");
    if (verdict.sleeps) this.sleeps(`kernel/locking/${isMutex ? "mutex" : "rwsem"}.c`);
  }

  wants(lock: number, how: number): void {
    const { actor, held, heldSets, memory } = this.machine;
    const word = memory.wordAt(lock);
    if (heldSets.with(held[actor] as number, lock, word, how) < 0) this.judge(actor, lock, word, how);
  }

  /** What was learnt from there on is undone; where what is left was learnt last. */
  unlearn(top: number): number {
    this.machine.heldSets.forget();
    return this.machine.lockOrder.undo(top);
  }

  isReader(): boolean {
    const context = this.machine.heldSets.context(this.machine.held[this.machine.actor] as number);
    return context !== undefined && context.rcu + context.preempt + context.irqs > 0;
  }
  isSrcuReader(): boolean {
    return this.machine.locksOf(this.machine.actor).some(({ mode }) => mode === HoldMode.srcu);
  }

  /** `illegal`: what RCU calls that in its own section. */
  sleeps(file: string, illegal?: string): void {
    const { machine } = this;
    const context = machine.heldSets.context(machine.held[machine.actor] as number);
    if (context === undefined) return;
    for (const { kind, message } of sleepMessages(context, file, illegal)) machine.warn(kind, message);
  }

  /** Where an allocation has to wait for memory, locks that reclaim takes must not be held. */
  allocates(gfp: number): void {
    if ((gfp & __GFP_DIRECT_RECLAIM) !== 0) this.sleeps("mm/slab.h");
    const { machine } = this;
    const map = HoldMode.exclusive + Taken.map;
    // Since 5.11 an allocation says that reclaim calls mmu notifiers; before, the first registration does.
    const tellsOfNotifiers = (gfp & __GFP_DIRECT_RECLAIM) !== 0 && existsIn(NOTIFIERS_IN_RECLAIM, machine.era ?? "");
    if (!tellsOfNotifiers) {
      if (mayReclaim(gfp)) this.wants(fs_reclaim.addr, map);
      return;
    }
    if (mayReclaim(gfp)) machine.hold(fs_reclaim.addr, map);
    this.wants(__mmu_notifier_invalidate_range_start_map.addr, map);
    if (mayReclaim(gfp)) machine.release(fs_reclaim.addr, HoldMode.exclusive);
  }
}
