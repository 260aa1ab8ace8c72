/**
 * What the rules about notifiers have to remember: which calls of theirs are under way, which invalidations are between
 * start and end, who is registered and who is so no more, and which callbacks have been told of a start only.
 */
import type { ControlEvent } from "../../../runtime/machine/automaton.ts";
import { existsIn } from "../../../runtime/machine/era.ts";
import { LIST_POISON2 } from "../../../runtime/machine/list.ts";
import { lockdep_map } from "../../../runtime/machine/lockdep-map.ts";
import { ACTORS_MAX, rcu, rcu_head } from "../../../runtime/machine/rcu.ts";
import { HoldMode, Op, type Value } from "../../../runtime/machine/step.ts";
import { at, container_of, headerAddress, WORD, type Struct } from "../../../runtime/machine/struct.ts";
import { address_space, anon_vma, mm_struct } from "../../../runtime/mm/mm_types.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier,
  mmu_notifier_ops,
  mmu_notifier_subscriptions,
  type mmu_notifier_range,
} from "../../../runtime/mm/mmu_notifier_types.ts";
import {
  ASYNCHRONOUS,
  isNotifier,
  isOfNotifiers,
  known,
  NOBODY,
  READ,
  REMOVE,
  roleOf,
  SET_SEQ,
  treeOf,
  type Invalidation,
  type Member,
  type NotifierPast,
  type Pending,
  type Role,
} from "./calls.ts";
import type { Change, OracleName, Transition } from "./rule.ts";
import { isType } from "./tables.ts";

/** Goes through what an actor has passed, call by call. */
class Walk {
  private readonly t: Transition;
  private past: NotifierPast;
  /** The functions on the stack, outermost first. */
  private readonly stack: number[];

  constructor(was: NotifierPast, t: Transition) {
    this.t = t;
    this.past = was.said.length === 0 ? was : { ...was, said: [] };
    this.stack = t.machine.automaton
      .stack(t.local)
      .map(({ fn }) => fn)
      .reverse();
  }
  run(): NotifierPast {
    this.countReferences();
    for (const event of this.t.events) {
      if (event.kind === "call") this.call(event.fn, event.args);
      else if (event.kind === "tailCall") this.stack[this.stack.length - 1] = event.fn;
      else if (event.kind === "return") this.leave(event.value);
    }
    this.drop((call) => call.actor === this.t.actor && call.depth > this.stack.length);
    return this.past;
  }
  /** In the drafts (facts 2.3) a registration takes no reference, and unregistering waits for no grace period. */
  private get isCounted(): boolean {
    return existsIn({ since: "v2.6.27" }, this.t.machine.era ?? "");
  }
  private change(part: Partial<NotifierPast>): void {
    this.past = { ...this.past, ...part };
  }
  private say(oracle: OracleName, message: string): void {
    this.change({ said: [...this.past.said, { oracle, message }] });
  }
  private drop(isOver: (call: Pending) => boolean): void {
    if (this.past.calls.some(isOver)) this.change({ calls: this.past.calls.filter((call) => !isOver(call)) });
  }
  /** What callbacks do with references is theirs. */
  private countReferences(): void {
    const mine = this.past.calls.filter(({ actor }) => actor === this.t.actor);
    const callback = mine.findLast(({ isCallback }) => isCallback);
    for (const { addr, old, now } of this.t.changes) {
      const counts = (call: Pending): boolean =>
        !call.isCallback &&
        at(mm_struct, call.range?.mm ?? call.mm).mm_count.addr === addr &&
        (callback === undefined || call.depth > callback.depth) &&
        call.actor === this.t.actor;
      if (!mine.some(counts) || this.t.step?.op === Op.free) continue;
      const by = now - old;
      this.change({
        calls: this.past.calls.map((call) => (counts(call) ? { ...call, count: call.count + by } : call)),
      });
    }
  }

  private call(fn: number, all: readonly Value[]): void {
    const { t } = this;
    const { automaton } = t.machine;
    const args = automaton.givenArgs(fn, all);
    const caller = this.stack.at(-1);
    this.stack.push(fn);
    const [first] = args;
    const kind = known(t, fn);
    if (kind !== undefined) return this.kernel(kind, automaton.functionName(fn), args);
    if (!isNotifier(first)) return;
    const isIdle = caller !== undefined && automaton.infoOf(caller).internal === true; // it has nothing to let go of
    const name = automaton.functionName(fn);
    if (name === SET_SEQ) return isIdle ? undefined : this.setSeq(first, args[1] as number);
    if (READ.includes(name)) return this.reads(first);
    const fromKernel = caller !== undefined && isOfNotifiers(automaton.infoOf(caller));
    const role = fromKernel ? roleOf(t, fn, first) : undefined;
    if (role !== undefined) this.callback(role, first, args);
  }
  private begin(kind: Pending["kind"], { mm, object }: Member, more: Partial<Pending> = {}): void {
    const isCallback =
      ["release", "flush", "free", "invalidate"].includes(kind) || (object !== 0 && more.range !== undefined);
    const call = { actor: this.t.actor, depth: this.stack.length, kind, mm, object, count: 0, owes: 0, isCallback };
    this.change({ calls: [...this.past.calls, { ...call, isInterval: false, ...more }] });
  }
  private rangeOf([mm, start, end]: mmu_notifier_range): Invalidation {
    return { mm: mm.addr, start, end, counted: treeOf(this.t, mm.addr) };
  }

  /** Of a function of the kernel. */
  private kernel(kind: Pending["kind"], name: string, args: readonly Value[]): void {
    const object = args[0] as Struct;
    if (kind === "start")
      return this.begin(kind, NOBODY, { range: this.rangeOf(args[0] as unknown as mmu_notifier_range) });
    if (kind === "end") return this.ends(this.rangeOf(args[0] as unknown as mmu_notifier_range));
    if (kind === "exit") return this.begin(kind, { ...NOBODY, mm: object.addr });
    if (object.isNull) return;
    if (kind === "put") return this.begin(kind, { ...NOBODY, object: object.addr });
    const member = this.memberOf(name, object, args[1] as mm_struct | undefined);
    const isPutOff = kind === "leave" && this.isReleased(name, args[0]);
    if (kind === "enter") this.forget(member.object);
    else this.change({ members: this.past.members.filter(({ object: one }) => one !== member.object) });
    if (isPutOff)
      this.change({ leaving: [...this.past.leaving.filter((one) => one.object !== member.object), member] });
    const owes = kind === "enter" || isPutOff ? 0 : 1;
    this.begin(kind, member, { owes, isInterval: object instanceof mmu_interval_notifier });
  }
  /** What it was is past: it comes anew. */
  private forget(object: number): void {
    const { gone, late } = this.past;
    this.change({ gone: gone.filter((one) => one !== object), late: late.filter((one) => one.object !== object) });
  }
  /** Whether remove() leaves it to release() to say when the notifier is gone. */
  private isReleased(name: string, notifier: Value | undefined): boolean {
    if (name !== REMOVE || !(notifier instanceof mmu_interval_notifier)) return false;
    const { automaton, memory } = this.t.machine;
    const ops = at(mmu_interval_notifier_ops, memory.peek(notifier.ops.addr));
    return automaton.factsOf(this.stack.at(-1) as number) === ASYNCHRONOUS && memory.peek(ops.release.addr) !== 0;
  }
  /** Whom a function of the kernel is about. */
  private memberOf(name: string, first: Struct, mm: mm_struct | undefined): Member {
    const look = (ref: { addr: number }): number => this.t.machine.memory.peek(ref.addr);
    if (name === REMOVE) return { object: first.addr, mm: look(at(mmu_interval_notifier, first.addr).mm) };
    if (name !== "mmu_notifier_free_rcu") return { object: first.addr, mm: mm?.addr ?? 0 };
    const mn = container_of(at(rcu_head, first.addr), mmu_notifier, "rcu");
    return { object: mn.addr, mm: look(mn.mm) };
  }
  private ends(range: Invalidation): void {
    const i = this.past.ranges.findIndex((one) => isSame(one, range));
    const began = this.past.ranges[i];
    if (began !== undefined) this.change({ ranges: this.past.ranges.toSpliced(i, 1) });
    this.begin("end", NOBODY, { range: began ?? range });
  }
  private setSeq(sub: mmu_notifier | mmu_interval_notifier, seq: number): void {
    if (seq % 2 === 0) this.say("I11", `mmu_interval_set_seq() of ${seq}, which is even`);
    const ops = this.t.machine.memory.peek(sub.ops.addr);
    if (holdsDriverLock(this.t) || this.past.lockless.includes(ops)) return;
    this.change({ lockless: [...this.past.lockless, ops] });
    if (this.past.readers.includes(ops)) this.saySetSeq(sub);
  }
  /** Who sets the number without a lock may, unless somebody reads it: he cannot know what the number is about. */
  private reads(sub: mmu_notifier | mmu_interval_notifier): void {
    const ops = this.t.machine.memory.peek(sub.ops.addr);
    if (this.past.readers.includes(ops)) return;
    this.change({ readers: [...this.past.readers, ops] });
    if (this.past.lockless.includes(ops)) this.saySetSeq(sub);
  }
  private saySetSeq(sub: mmu_notifier | mmu_interval_notifier): void {
    this.say("I11", `mmu_interval_set_seq() of ${sub.expr(this.t.machine)}, which is read, without a lock`);
  }

  private callback(role: Role, notifier: mmu_notifier | mmu_interval_notifier, args: readonly Value[]): void {
    const object = notifier.addr;
    const name = notifier.expr(this.t.machine);
    if (role === "free") {
      if (this.runs(object)) this.say("I6", `${name} is given back while a callback of it runs`);
      this.change({ gone: [...this.past.gone, object] });
    } else if (role === "release" && notifier instanceof mmu_interval_notifier) this.releases(object, name);
    else if (this.past.gone.includes(object) && !this.isLate(object, this.t.actor))
      this.say("I6", `a callback of ${name} begins, which is gone`);
    const isRange = role === "start" || role === "end" || role === "invalidate";
    const given = Array.isArray(args[1]) ? args[1] : args.slice(1); // before 5.0 its parts
    const range = isRange ? this.rangeOf(given as unknown as mmu_notifier_range) : undefined;
    if (role === "end" && range !== undefined) this.endOf(notifier as mmu_notifier, range);
    this.begin(role, { ...NOBODY, object }, range === undefined ? {} : { range });
  }
  /** Exactly once, after which no callback happens: whoever calls it gives the reference back. */
  private releases(object: number, name: string): void {
    const isIt = (one: Member): boolean => one.object === object;
    if (this.past.gone.includes(object)) this.say("I6", `release() of ${name} is called twice`);
    else if (!this.past.leaving.some(isIt)) this.say("I6", `release() of ${name} is called, which nobody has removed`);
    if (this.runs(object)) this.say("I6", `release() of ${name} is called while a callback of it runs`);
    const leaving = this.past.leaving.filter((one) => !isIt(one));
    const members = this.past.members.filter((one) => !isIt(one));
    const caller = this.past.calls.findLast(({ actor, isCallback }) => actor === this.t.actor && !isCallback);
    const calls = this.past.calls.map((call) => (call === caller ? { ...call, owes: call.owes + 1 } : call));
    this.change({ leaving, members, calls, gone: [...this.past.gone, object] });
  }
  private isLate(object: number, actor: number): boolean {
    return this.past.late.some((one) => one.object === object && one.actor === actor);
  }
  private runs(object: number): boolean {
    return this.past.calls.some(
      (call) => call.isCallback && call.object === object && !this.isLate(object, call.actor),
    );
  }
  private endOf(mn: mmu_notifier, range: Invalidation): void {
    const { memory } = this.t.machine;
    const { addr } = at(mmu_notifier_ops, memory.peek(mn.ops.addr)).invalidate_range_start;
    if (memory.peek(addr) === 0 || this.past.gone.includes(mn.addr)) return;
    const i = this.past.owed.findIndex((one) => one.object === mn.addr && isSame(one, range));
    if (i === -1) this.say("I9", `${mn.expr(this.t.machine)} is told of an end whose start it has not seen`);
    else this.change({ owed: this.past.owed.toSpliced(i, 1) });
  }

  private leave(value: Value): void {
    const call = this.past.calls.findLast((one) => one.actor === this.t.actor && one.depth === this.stack.length);
    this.stack.pop();
    if (call === undefined) return;
    this.drop((one) => one === call);
    if (call.isCallback) return this.callbackReturns(call, value);
    if (call.kind === "enter") return this.entered(call, value);
    if (call.kind === "leave" || call.kind === "quit") this.left(call);
    else if (call.count !== -call.owes) this.say("I7", givenBack(call));
    const began = call.kind === "start" && !(typeof value === "number" && value < 0);
    if (began && call.range !== undefined) this.change({ ranges: [...this.past.ranges, call.range] });
    if (call.range !== undefined) this.settle(call.range);
    this.forgotten(call.range?.mm ?? call.mm);
  }
  private callbackReturns({ kind, object, range }: Pending, value: Value): void {
    const { memory } = this.t.machine;
    if (kind !== "start" || range === undefined || (typeof value === "number" && value !== 0)) return;
    const ops = at(mmu_notifier_ops, memory.peek(at(mmu_notifier, object).ops.addr));
    if (memory.peek(ops.invalidate_range_end.addr) === 0) return;
    const { mm, start, end } = range;
    this.change({ owed: [...this.past.owed, { object, mm, start, end }] });
  }
  /** Who is told of more starts of a range than there are invalidations of it is never told of the end. */
  private settle(range: Invalidation): void {
    const { owed, ranges, calls } = this.past;
    const here = owed.filter((one) => isSame(one, range) && this.isListed(one));
    const underWay =
      ranges.filter((one) => isSame(one, range)).length +
      calls.filter((call) => !call.isCallback && call.range !== undefined && isSame(call.range, range)).length;
    const late = here.find(({ object }) => here.filter((one) => one.object === object).length > underWay);
    if (late === undefined) return;
    this.change({ owed: owed.filter((one) => one !== late) });
    this.say("I9", `${at(mmu_notifier, late.object).expr(this.t.machine)} is not told of the end of an invalidation`);
  }
  /** Not if somebody is just about to take it off the list, or has. */
  private isListed({ object, mm }: Member): boolean {
    const pprev = this.t.machine.memory.peek(at(mmu_notifier, object).hlist.pprev.addr);
    const goes = (call: Pending): boolean =>
      call.kind === "exit" ? call.mm === mm : ["leave", "quit", "put"].includes(call.kind) && call.object === object;
    return pprev !== 0 && pprev !== LIST_POISON2 && !this.past.calls.some(goes);
  }
  private entered({ object, mm, count, isInterval }: Pending, value: Value): void {
    const isIn = value === 0;
    if (this.isCounted && count !== (isIn ? 1 : 0)) this.say("I7", `registration has taken ${count} mm_count`);
    if (!isIn || !this.isCounted || this.past.members.some((one) => one.object === object)) return;
    this.change({ members: [...this.past.members, { object, mm, isInterval }] });
  }
  private left(call: Pending): void {
    const { kind, object } = call;
    if (this.isCounted && call.count !== -call.owes) this.say("I7", givenBack(call));
    this.change({ owed: this.past.owed.filter((one) => one.object !== object) });
    const isOver = kind === "leave" && !this.past.gone.includes(object);
    if (!isOver || this.past.leaving.some((one) => one.object === object)) return;
    const late = this.isCounted ? [] : readersNow(this.t).map((actor) => ({ object, actor }));
    this.change({ gone: [...this.past.gone, object], late: [...this.past.late, ...late] });
    if (this.runs(object)) this.say("I6", "a callback still runs of a notifier that is gone");
  }
  /** Once nothing is under way in an mm, whoever has been removed from it must have been released. */
  private forgotten(mm: number): void {
    const { calls, ranges, leaving } = this.past;
    const isIn = (one: Pending): boolean => !one.isCallback && (one.range?.mm ?? one.mm) === mm;
    const isUnderWay = calls.some(isIn) || ranges.some((range) => range.mm === mm && range.counted !== 0);
    const lost = isUnderWay ? undefined : leaving.find((one) => one.mm === mm);
    if (lost === undefined) return;
    this.change({ leaving: leaving.filter((one) => one !== lost) });
    const name = at(mmu_interval_notifier, lost.object).expr(this.t.machine);
    this.say("I6", `${name} has been removed, and release() of it is not called`);
  }
}
const givenBack = ({ count, owes }: Pending): string =>
  `${-count} mm_count are given back where ${owes === 1 ? "one was" : `${owes} were`} taken`;
const isSame = (a: Omit<Invalidation, "counted">, b: Omit<Invalidation, "counted">): boolean =>
  a.mm === b.mm && a.start === b.start && a.end === b.end;

/** No lock of the mm's own, and nothing of lockdep's or RCU's. */
function holdsDriverLock({ machine, actor }: Transition): boolean {
  const kernels = [mm_struct, address_space, anon_vma, mmu_notifier_subscriptions, lockdep_map];
  const isDrivers = (lock: number): boolean => !kernels.some((cls) => isType(machine.memory.header(lock), cls));
  return machine.locksOf(actor).some(({ lock, mode }) => mode <= HoldMode.shared && isDrivers(lock));
}

const isReader = ({ machine }: Transition, actor: number): boolean =>
  machine.memory.peek(rcu.nesting.addr + actor * WORD) > 0;
const readersNow = (t: Transition): number[] => [...Array(ACTORS_MAX).keys()].filter((actor) => isReader(t, actor));

const isHeader = ({ addr }: Change): boolean => addr === headerAddress(addr);
/** With what a transition has done. */
export function notifiersAfter(was: NotifierPast, t: Transition): NotifierPast {
  const concerns = (event: ControlEvent): boolean =>
    event.kind === "call" && (isNotifier(event.args[0]) || known(t, event.fn) !== undefined);
  const mine = was.calls.some(({ actor }) => actor === t.actor);
  const quiet = was.said.length === 0 ? was : { ...was, said: [] };
  const told = mine || t.events.some(concerns) ? new Walk(was, t).run() : quiet;
  const odd = oddAfter(told.odd, t);
  const isOver = !isReader(t, t.actor) && told.late.some(({ actor }) => actor === t.actor);
  const late = isOver ? told.late.filter(({ actor }) => actor !== t.actor) : told.late;
  const rest = odd === told.odd && late === told.late ? told : { ...told, odd, late };
  const freed = t.changes.filter((change) => isHeader(change) && change.now < 0).map(({ addr }) => addr);
  return freed.length === 0 ? rest : without(rest, freed);
}
function oddAfter(was: NotifierPast["odd"], { machine, actor, changes }: Transition): NotifierPast["odd"] {
  let odd = was;
  for (const { addr, old, now, header } of changes) {
    if (!isType(header, mmu_notifier_subscriptions)) continue;
    const s = at(mmu_notifier_subscriptions, headerAddress(addr) + WORD);
    const isLocked = machine.memory.peek(s.lock.addr) === actor + 1;
    if (addr === s.lock.addr && now === 0) odd = odd.filter((one) => one.subscriptions !== s.addr);
    if (addr === s.invalidate_seq.addr && old % 2 === 0 && now % 2 === 1 && isLocked)
      odd = [...odd, { subscriptions: s.addr, actor }];
  }
  return odd;
}
/** What is freed is nobody any more: another object may come to lie there. */
function without(past: NotifierPast, freed: readonly number[]): NotifierPast {
  const isLeft = (addr: number): boolean => !freed.includes(headerAddress(addr));
  return {
    ...past,
    gone: past.gone.filter(isLeft),
    late: past.late.filter(({ object }) => isLeft(object)),
    leaving: past.leaving.filter(({ object }) => isLeft(object)),
    members: past.members.filter(({ mm }) => isLeft(mm)),
    owed: past.owed.filter(({ object }) => isLeft(object)),
    ranges: past.ranges.filter(({ mm }) => isLeft(mm)),
    odd: past.odd.filter(({ subscriptions }) => isLeft(subscriptions)),
  };
}
