/**
 * What the rules about notifiers have to remember: which calls of theirs are under way, which invalidations are between
 * start and end, who is registered and who is so no more, and which callbacks have been told of a start only.
 */
import type { ControlEvent } from "../../../runtime/machine/automaton.ts";
import { existsIn } from "../../../runtime/machine/era.ts";
import { LIST_POISON2 } from "../../../runtime/machine/list.ts";
import { lockdep_map } from "../../../runtime/machine/lockdep-map.ts";
import { rcu_head } from "../../../runtime/machine/rcu.ts";
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
import type { Change, OracleName, Transition } from "./rule.ts";
import { isType } from "./tables.ts";

/** From one address of an mm to another. */
export interface Invalidation {
  readonly mm: number;
  readonly start: number;
  readonly end: number;
  /** The subscriptions that have counted it; 0: the mm had no interval notifiers when it began. */
  readonly counted: number;
}
type Role = "release" | "start" | "end" | "flush" | "free" | "invalidate";
/** A call that rules are about. */
export interface Pending {
  readonly actor: number;
  /** How many calls it is inside of. */
  readonly depth: number;
  readonly kind: "start" | "end" | "enter" | "leave" | "quit" | "put" | "exit" | Role;
  readonly mm: number;
  /** The notifier; 0: none. */
  readonly object: number;
  readonly range?: Invalidation;
  /** By how much it has changed mm_count so far. */
  readonly count: number;
  readonly isCallback: boolean;
  readonly isInterval: boolean;
}
interface Member {
  readonly object: number;
  readonly mm: number;
}
interface Registered extends Member {
  readonly isInterval: boolean;
}
export interface NotifierPast {
  readonly calls: readonly Pending[];
  /** Between the return of start and the call of end. */
  readonly ranges: readonly Invalidation[];
  readonly members: readonly Registered[];
  /** Of whom no callback may run any more. */
  readonly gone: readonly number[];
  /** Starts that a notifier with both callbacks has been told of, and not the end. */
  readonly owed: readonly (Member & { readonly start: number; readonly end: number })[];
  /** Who has made the number of an mm odd and not dropped the lock since. */
  readonly odd: readonly { readonly subscriptions: number; readonly actor: number }[];
  /** What was wrong with the last transition. */
  readonly said: readonly { readonly oracle: OracleName; readonly message: string }[];
}
export const NO_NOTIFIERS: NotifierPast = {
  ...{ calls: [], ranges: [], members: [], gone: [], owed: [], odd: [], said: [] },
};

const START = ["mmu_notifier_invalidate_range_start", "mmu_notifier_invalidate_range_start_nonblock"];
const END = ["mmu_notifier_invalidate_range_end", "mmu_notifier_invalidate_range_only_end"];
const ENTER = ["mmu_notifier_register", "__mmu_notifier_register"];
const INSERT = [
  ...["mmu_interval_notifier_insert", "mmu_interval_notifier_insert_locked", "__mmu_interval_notifier_insert"],
];
const KINDS: ReadonlyMap<string, Pending["kind"]> = new Map<string, Pending["kind"]>([
  ...START.map((name) => [name, "start"] as const),
  ...END.map((name) => [name, "end"] as const),
  ...[...ENTER, ...INSERT].map((name) => [name, "enter"] as const),
  ["mmu_notifier_unregister", "leave"],
  ["mmu_interval_notifier_remove", "leave"],
  ["mmu_notifier_unregister_no_release", "quit"],
  ["mmu_notifier_free_rcu", "quit"],
  ["mmu_notifier_put", "put"],
  ["mmu_notifier_release", "exit"],
]);
const SET_SEQ = "mmu_interval_set_seq";

/** The subscriptions of an mm that interval notifiers can come to; 0: there are none. */
function treeOf({ machine }: Transition, mm: number): number {
  const addr = machine.memory.peek(at(mm_struct, mm).notifier_subscriptions.addr);
  const header = addr === 0 ? 0 : machine.memory.header(addr);
  if (header <= 0 || !isType(header, mmu_notifier_subscriptions)) return 0;
  return machine.memory.peek(at(mmu_notifier_subscriptions, addr).has_itree.addr) === 0 ? 0 : addr;
}
/** Whether somebody reads of it who knows the kernel. */
function known(t: Transition, fn: number): Pending["kind"] | undefined {
  const { automaton } = t.machine;
  return automaton.infoOf(fn).internal === true ? undefined : KINDS.get(automaton.functionName(fn));
}
const isNotifier = (value: Value): value is mmu_notifier | mmu_interval_notifier =>
  value instanceof mmu_notifier || value instanceof mmu_interval_notifier;

/** Whether its removal is over when its release() is called, not when it has been asked for. */
function isReleased({ machine: { memory } }: Transition, sub: Struct): boolean {
  if (!(sub instanceof mmu_interval_notifier)) return false;
  return memory.peek(at(mmu_interval_notifier_ops, memory.peek(sub.ops.addr)).release.addr) !== 0;
}

/** Which callback of the notifier `fn` is, if it is one. */
function roleOf(t: Transition, fn: number, object: mmu_notifier | mmu_interval_notifier): Role | undefined {
  const look = (ref: { addr: number }): number => t.machine.memory.peek(ref.addr);
  if (object instanceof mmu_interval_notifier) {
    const { invalidate, release } = at(mmu_interval_notifier_ops, look(object.ops));
    return look(invalidate) === fn ? "invalidate" : look(release) === fn ? "free" : undefined;
  }
  const ops = at(mmu_notifier_ops, look(object.ops));
  const roles: readonly (readonly [Role, { addr: number }])[] = [
    ["start", ops.invalidate_range_start],
    ["end", ops.invalidate_range_end],
    ["release", ops.release],
    ["free", ops.free_notifier],
    ...[ops.invalidate_range, ops.invalidate_page, ops.change_pte, ops.invalidate_all, ops.invalidate_range_begin].map(
      (member) => ["flush", member] as const,
    ),
    ...[ops.clear_flush_young, ops.clear_young, ops.test_young].map((member) => ["flush", member] as const),
  ];
  return ops.isNull ? undefined : roles.find(([, member]) => look(member) === fn)?.[0];
}

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
  /** In the drafts a registration takes no reference. */
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
        ["enter", "leave", "quit"].includes(call.kind) &&
        at(mm_struct, call.mm).mm_count.addr === addr &&
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
    if (automaton.functionName(fn) === SET_SEQ) return isIdle ? undefined : this.setSeq(first, args[1] as number);
    const fromKernel =
      caller !== undefined && automaton.infoOf(caller).source?.startsWith("mm/mmu_notifier.c") === true;
    const role = fromKernel ? roleOf(t, fn, first) : undefined;
    if (role !== undefined) this.callback(role, first, args);
  }
  private begin(kind: Pending["kind"], mm: number, object: number, range?: Invalidation, isInterval = false): void {
    const isCallback =
      ["release", "flush", "free", "invalidate"].includes(kind) || (object !== 0 && range !== undefined);
    const call = { actor: this.t.actor, depth: this.stack.length, kind, mm, object, count: 0, isCallback, isInterval };
    this.change({ calls: [...this.past.calls, range === undefined ? call : { ...call, range }] });
  }
  private rangeOf([mm, start, end]: mmu_notifier_range): Invalidation {
    return { mm: mm.addr, start, end, counted: treeOf(this.t, mm.addr) };
  }

  /** Of a function of the kernel. */
  private kernel(kind: Pending["kind"], name: string, args: readonly Value[]): void {
    const object = args[0] as Struct;
    if (kind === "start") return this.begin(kind, 0, 0, this.rangeOf(args[0] as unknown as mmu_notifier_range));
    if (kind === "end") return this.ends(this.rangeOf(args[0] as unknown as mmu_notifier_range));
    if (kind === "exit") return this.begin(kind, object.addr, 0);
    if (object.isNull) return;
    if (kind === "leave" && isReleased(this.t, object)) return;
    if (kind === "put") return this.begin(kind, 0, object.addr);
    const member = this.memberOf(name, object, args[1] as mm_struct | undefined);
    const isAnother = (one: number): boolean => one !== member.object;
    if (kind === "enter") this.change({ gone: this.past.gone.filter(isAnother) });
    else this.change({ members: this.past.members.filter(({ object: one }) => isAnother(one)) });
    this.begin(kind, member.mm, member.object, undefined, object instanceof mmu_interval_notifier);
  }
  /** Whom a function of the kernel is about. */
  private memberOf(name: string, first: Struct, mm: mm_struct | undefined): Member {
    const look = (ref: { addr: number }): number => this.t.machine.memory.peek(ref.addr);
    if (name === "mmu_interval_notifier_remove")
      return { object: first.addr, mm: look(at(mmu_interval_notifier, first.addr).mm) };
    if (name !== "mmu_notifier_free_rcu") return { object: first.addr, mm: mm?.addr ?? 0 };
    const mn = container_of(at(rcu_head, first.addr), mmu_notifier, "rcu");
    return { object: mn.addr, mm: look(mn.mm) };
  }
  private ends(range: Invalidation): void {
    const i = this.past.ranges.findIndex((one) => isSame(one, range));
    const began = this.past.ranges[i];
    if (began !== undefined) this.change({ ranges: this.past.ranges.toSpliced(i, 1) });
    this.begin("end", 0, 0, began ?? range);
  }
  private setSeq(sub: mmu_notifier | mmu_interval_notifier, seq: number): void {
    if (seq % 2 === 0) this.say("I11", `mmu_interval_set_seq() of ${seq}, which is even`);
    if (!holdsDriverLock(this.t))
      this.say("I11", `mmu_interval_set_seq() of ${sub.expr(this.t.machine)} without a lock`);
  }

  private callback(role: Role, notifier: mmu_notifier | mmu_interval_notifier, args: readonly Value[]): void {
    const object = notifier.addr;
    const name = notifier.expr(this.t.machine);
    if (role === "free") {
      if (this.runs(object)) this.say("I6", `${name} is given back while a callback of it runs`);
      const members = this.past.members.filter((one) => one.object !== object);
      this.change({ members, gone: [...this.past.gone, object] });
    } else if (this.past.gone.includes(object)) this.say("I6", `a callback of ${name} begins, which is gone`);
    const isRange = role === "start" || role === "end" || role === "invalidate";
    const given = Array.isArray(args[1]) ? args[1] : args.slice(1); // before 5.0 its parts
    const range = isRange ? this.rangeOf(given as unknown as mmu_notifier_range) : undefined;
    if (role === "end" && range !== undefined) this.endOf(notifier as mmu_notifier, range);
    this.begin(role, 0, object, range);
  }
  private runs(object: number): boolean {
    return this.past.calls.some((call) => call.isCallback && call.object === object);
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
    if (call.kind === "leave" || call.kind === "quit") return this.left(call);
    if (call.range === undefined) return;
    const began = call.kind === "start" && !(typeof value === "number" && value < 0);
    if (began) this.change({ ranges: [...this.past.ranges, call.range] });
    this.settle(call.range);
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
  private left({ kind, object, count }: Pending): void {
    if (this.isCounted && count !== -1) this.say("I7", `${-count} mm_count are given back where one was taken`);
    this.change({ owed: this.past.owed.filter((one) => one.object !== object) });
    if (kind !== "leave") return;
    if (this.runs(object)) this.say("I6", "a callback still runs of a notifier that is gone");
    this.change({ gone: [...this.past.gone, object] });
  }
}
const isSame = (a: Omit<Invalidation, "counted">, b: Omit<Invalidation, "counted">): boolean =>
  a.mm === b.mm && a.start === b.start && a.end === b.end;

/** No lock of the mm's own, and nothing of lockdep's or RCU's. */
function holdsDriverLock({ machine, actor }: Transition): boolean {
  const kernels = [mm_struct, address_space, anon_vma, mmu_notifier_subscriptions, lockdep_map];
  const isDrivers = (lock: number): boolean => !kernels.some((cls) => isType(machine.memory.header(lock), cls));
  return machine.locksOf(actor).some(({ lock, mode }) => mode <= HoldMode.shared && isDrivers(lock));
}

const isHeader = ({ addr }: Change): boolean => addr === headerAddress(addr);
/** With what a transition has done. */
export function notifiersAfter(was: NotifierPast, t: Transition): NotifierPast {
  const concerns = (event: ControlEvent): boolean =>
    event.kind === "call" && (isNotifier(event.args[0]) || known(t, event.fn) !== undefined);
  const mine = was.calls.some(({ actor }) => actor === t.actor);
  const quiet = was.said.length === 0 ? was : { ...was, said: [] };
  const told = mine || t.events.some(concerns) ? new Walk(was, t).run() : quiet;
  const odd = oddAfter(told.odd, t);
  const rest = odd === told.odd ? told : { ...told, odd };
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
    members: past.members.filter(({ mm }) => isLeft(mm)),
    owed: past.owed.filter(({ object }) => isLeft(object)),
    ranges: past.ranges.filter(({ mm }) => isLeft(mm)),
    odd: past.odd.filter(({ subscriptions }) => isLeft(subscriptions)),
  };
}
