/**
 * The machine: words, and per actor a local state and the locks it holds. It takes steps, forward and back; it knows
 * nothing of schedules, scripts or mm.
 */
import {
  Automaton,
  FINISHED,
  GONE_ROUND,
  STACK_MAX,
  TOO_DEEP,
  type ControlEvent,
  type FunctionBody,
} from "./automaton.ts";
import { failsNow, MAY_FAIL, SLAB } from "./failure.ts";
import { mixHi, mixLo } from "./hash.ts";
import { diagnose, PathEnd } from "./diagnosis.ts";
import { HeldSets, holdingText, type Holding } from "./held.ts";
import { LockOrder, type Dependency } from "./lockdep-order.ts";
import { LockWatch } from "./lockdep-watch.ts";
import { headerType, liveHeader, Memory } from "./memory.ts";
import { Moved, type Mark } from "./moved.ts";
import type { Mutation } from "./mutation.ts";
import type { Frame, Report } from "./report.ts";
import { ACTORS_MAX } from "./rcu.ts";
import { freeObject, takeSlot } from "./slab.ts";
import {
  BLOCKED,
  HoldMode,
  Op,
  type FatalKind,
  type PrimitiveContext,
  type Step,
  type Value,
  type WarningKind,
} from "./step.ts";
import { headerAddress, SLOT, type Names, type StructClass } from "./struct.ts";
import { staticObjects, typeByNumber, typeNumber } from "./types.ts";

export { Moved, type Mark };

export interface MachineOptions {
  /** Bodies of the kernel functions, by number. */
  readonly bodies: ReadonlyMap<number, FunctionBody>;
  readonly mutations?: readonly Mutation[];
  /** The era of the kernel, for those who look on: what its structs have. */
  readonly era?: string;
}

export class Machine implements PrimitiveContext, Names {
  readonly memory = new Memory();
  readonly era: string | undefined;
  readonly automaton: Automaton;
  /** Where in the journal lockdep last learnt something that undoing takes back. */
  private learntAt = -1;
  readonly lockOrder = new LockOrder(this, () => (this.learntAt = this.memory.top));
  readonly heldSets = new HeldSets(this.lockOrder);
  readonly locks = new LockWatch(this);
  /** Per actor: local state and held set. */
  readonly locals = new Int32Array(ACTORS_MAX);
  readonly held = new Int32Array(ACTORS_MAX);
  private readonly seedLo = new Int32Array(ACTORS_MAX * 2);
  private readonly seedHi = new Int32Array(ACTORS_MAX * 2);
  /** Names under which a script knows objects. */
  private readonly names = new Map<number, string>();
  /** What the last step had to say. */
  reports: Report[] = [];
  /** In which order locks were taken, as far as nobody has filed that yet: whoever looks empties it. */
  news: Dependency[] = [];
  /** What the last step gave. */
  result = 0;
  // What a primitive may ask for while it runs:
  actor = 0;
  choice = 0;
  private silentLocal = -1; // the local state whose silent step runs right now

  constructor(options: MachineOptions) {
    this.era = options.era;
    this.automaton = new Automaton(this.memory, options.bodies, options.mutations ?? []);
    for (let i = 0; i < ACTORS_MAX * 2; i++) {
      this.seedLo[i] = Math.imul(i + 1, 0x632be59b);
      this.seedHi[i] = Math.imul(i + 1, 0x7feb352d);
    }
    for (const { object, name } of staticObjects()) {
      this.makeStatic(object.addr, typeNumber(object.constructor as StructClass));
      this.nameObject(object.addr, name);
    }
  }

  /** Makes a static object live. For setting up, before the first step. */
  makeStatic(addr: number, type: number): void {
    this.memory.set(this.memory.wordAt(headerAddress(addr)), liveHeader(type));
  }
  /** Gives a call to an actor that has nothing to do. Returns what the transition passed through. */
  load(actor: number, fn: number, args: readonly Value[], events?: ControlEvent[]): Moved {
    this.actor = actor;
    this.choice = 0;
    if (this.reports.length > 0) this.reports = [];
    const local = this.automaton.start(fn, args, events);
    if (local < FINISHED) return this.lost(actor, FINISHED, local);
    this.setLocal(actor, local);
    return this.settleSilent(actor, events);
  }

  /** As `load`, for one that is still inside a call: `fn` begins with a call, and goes on when that is over. */
  loadUnder(actor: number, fn: number, args: readonly Value[]): void {
    this.setLocal(actor, this.automaton.startUnder(this.locals[actor] as number, fn, args));
  }

  // ---- steps

  /** How many choices the next step of an actor has; 0 if it has nothing to do. */
  choices(actor: number): number {
    const local = this.locals[actor] as number;
    return local === FINISHED ? 0 : (this.automaton.localChoices[local] as number);
  }
  /** The step an actor takes next, if it has any. */
  nextStep(actor: number): Step | null {
    const local = this.locals[actor] as number;
    return local === FINISHED ? null : this.automaton.stepOf(local);
  }
  isFinished(actor: number): boolean {
    return this.locals[actor] === FINISHED;
  }
  /** Whether it would only wait for work. */
  isIdle(actor: number): boolean {
    return this.nextStep(actor)?.primitive?.idle ?? false;
  }

  step(actor: number, choice: number, events?: ControlEvent[]): Moved {
    const local = this.locals[actor] as number;
    const automaton = this.automaton;
    const memory = this.memory;
    const words = memory.words;
    const word = automaton.localWord[local] as number;
    if (this.reports.length > 0) this.reports = [];
    if ((words[automaton.localHeader[local] as number] as number) <= 0) return this.badAccess(actor, local);
    let result = 0;
    switch (automaton.localOp[local] as number) {
      case Op.load:
        result = words[word] as number;
        break;
      case Op.store:
        memory.set(word, automaton.localA[local] as number);
        break;
      case Op.add:
        result = (words[word] as number) + (automaton.localA[local] as number);
        memory.set(word, result);
        break;
      case Op.decAndTest:
        memory.set(word, (words[word] as number) - 1);
        result = words[word] === 0 ? 1 : 0;
        break;
      case Op.incNotZero:
        if (words[word] !== 0) {
          memory.set(word, (words[word] as number) + 1);
          result = 1;
        }
        break;
      case Op.exchange:
        result = words[word] as number;
        memory.set(word, automaton.localA[local] as number);
        break;
      case Op.compareExchange:
        result = words[word] as number;
        if (result === automaton.localA[local]) memory.set(word, automaton.localB[local] as number);
        break;
      case Op.spinLock:
      case Op.mutexLock:
        if (words[word] !== 0) return Moved.blocked;
        memory.set(word, actor + 1);
        this.take(actor, memory.addressOf(word), word, (automaton.localA[local] as number) | 0);
        break;
      case Op.spinUnlock:
      case Op.mutexUnlock:
        this.actor = actor;
        if (this.release(memory.addressOf(word), HoldMode.exclusive)) memory.set(word, 0);
        break;
      case Op.choose:
        result = choice;
        break;
      default: {
        if (automaton.localIdle[local] === 1 && words[word] === 0) return Moved.blocked;
        const outcome = this.otherStep(actor, choice, local);
        if (outcome === null) return Moved.fatal;
        if (outcome === BLOCKED) return Moved.blocked;
        result = outcome;
      }
    }
    this.result = result;
    const to = events === undefined ? automaton.next(local, result) : automaton.follow(local, result, events);
    if (to < FINISHED) return this.lost(actor, local, to);
    this.setLocal(actor, to);
    const op = automaton.localOp[to] as number;
    if (op >= Op.silentLoad && op <= Op.silentPrimitive) return this.settleSilent(actor, events);
    return this.reports.length > 0 || this.news.length > 0 ? Moved.withReports : Moved.yes;
  }

  /** The result, BLOCKED, or null when the path ends. */
  private otherStep(actor: number, choice: number, local: number): number | null {
    const step = this.automaton.stepOf(local);
    this.actor = actor;
    this.choice = choice;
    const { top, lo, hi } = this.memory;
    try {
      if (step.op === Op.free) return freeObject(this, local, step.addr, step.b !== 0);
      return (step.primitive as NonNullable<Step["primitive"]>).run(this, ...step.args);
    } catch (error) {
      if (!(error instanceof PathEnd)) throw error;
      this.undo(top, lo, hi);
      this.report(error.kind, error.message, actor, local, error.addr);
      return null;
    }
  }

  /** Runs on through steps that nobody else can see. */
  private settleSilent(actor: number, events?: ControlEvent[]): Moved {
    const automaton = this.automaton;
    for (let turns = 0; ; turns++) {
      const local = this.locals[actor] as number;
      const op = automaton.localOp[local] as number;
      if (op < Op.silentLoad || op > Op.silentPrimitive)
        return this.reports.length > 0 || this.news.length > 0 ? Moved.withReports : Moved.yes;
      const word = automaton.localWord[local] as number;
      const header = this.memory.words[automaton.localHeader[local] as number] as number;
      if (header <= 0) return this.badAccess(actor, local);
      let result = 0;
      if (op === Op.silentLoad) result = this.memory.words[word] as number;
      else if (op === Op.silentStore) this.memory.set(word, automaton.localA[local] as number);
      else if (op === Op.allocate) {
        result = this.allocate(actor, local);
        if (result !== 0) events?.push({ kind: "allocate", addr: result, step: automaton.stepOf(local) });
      } else {
        this.silentLocal = local;
        const outcome = this.otherStep(actor, 0, local);
        this.silentLocal = -1;
        if (outcome === null) return Moved.fatal;
        result = outcome;
      }
      if (turns > SILENT_STEPS_MAX) return this.lost(actor, local, GONE_ROUND);
      const to = events === undefined ? automaton.next(local, result) : automaton.follow(local, result, events);
      if (to < FINISHED) return this.lost(actor, local, to);
      this.setLocal(actor, to);
    }
  }
  /** Where no local state follows: recursion without end, or a loop without anything that others could notice. */
  private lost(actor: number, local: number, why: number): Moved {
    const isDeep = why === TOO_DEEP;
    const deep = `kernel stack overflow: more than ${STACK_MAX} calls inside one another`;
    const message = isDeep ? deep : "goes round without touching shared memory";
    this.report(isDeep ? "bug" : "livelock", message, actor, isDeep ? this.automaton.deepest : local, 0);
    return Moved.fatal;
  }

  private setLocal(actor: number, local: number): void {
    const old = this.locals[actor] as number;
    if (old === local) return;
    const { localLo, localHi } = this.automaton;
    const memory = this.memory;
    const seedLo = this.seedLo[actor] as number;
    const seedHi = this.seedHi[actor] as number;
    memory.lo ^= mixLo(seedLo, localLo[old] as number) ^ mixLo(seedLo, localLo[local] as number);
    memory.hi ^= mixHi(seedHi, localHi[old] as number) ^ mixHi(seedHi, localHi[local] as number);
    this.locals[actor] = local;
    memory.log(~actor, old);
  }
  private setHeld(actor: number, set: number): void {
    const old = this.held[actor] as number;
    if (old === set) return;
    const memory = this.memory;
    const a = this.heldSets.key(old);
    const b = this.heldSets.key(set);
    const seedLo = this.seedLo[ACTORS_MAX + actor] as number;
    const seedHi = this.seedHi[ACTORS_MAX + actor] as number;
    memory.lo ^= mixLo(seedLo, a.lo) ^ mixLo(seedLo, b.lo);
    memory.hi ^= mixHi(seedHi, a.hi) ^ mixHi(seedHi, b.hi);
    this.held[actor] = set;
    memory.log(~(ACTORS_MAX + actor), old);
  }

  // ---- back

  mark(): Mark {
    return { top: this.memory.top, lo: this.memory.lo, hi: this.memory.hi };
  }
  undoTo(mark: Mark): void {
    this.undo(mark.top, mark.lo, mark.hi);
  }
  /** As undoTo, for those who keep the three numbers themselves. */
  undo(top: number, lo: number, hi: number): void {
    const memory = this.memory;
    if (this.learntAt >= top) this.learntAt = this.locks.unlearn(top);
    const { journalWord, journalOld, words } = memory;
    for (let i = memory.top - 1; i >= top; i--) {
      const word = journalWord[i] as number;
      const old = journalOld[i] as number;
      if (word >= 0) words[word] = old;
      else if (~word < ACTORS_MAX) this.locals[~word] = old;
      else this.held[~word - ACTORS_MAX] = old;
    }
    memory.top = top;
    memory.lo = lo;
    memory.hi = hi;
  }
  /** The fingerprint from scratch; for self-checks. */
  rehash(): { lo: number; hi: number } {
    let { lo, hi } = this.memory.rehash();
    for (let actor = 0; actor < ACTORS_MAX; actor++) {
      const local = this.locals[actor] as number;
      lo ^= mixLo(this.seedLo[actor] as number, this.automaton.localLo[local] as number);
      hi ^= mixHi(this.seedHi[actor] as number, this.automaton.localHi[local] as number);
      const key = this.heldSets.key(this.held[actor] as number);
      lo ^= mixLo(this.seedLo[ACTORS_MAX + actor] as number, key.lo);
      hi ^= mixHi(this.seedHi[ACTORS_MAX + actor] as number, key.hi);
    }
    return { lo, hi };
  }

  // ---- what primitives use

  read(addr: number): number {
    const word = this.memory.wordAt(addr);
    this.checkLive(addr, word);
    return this.memory.words[word] as number;
  }
  write(addr: number, value: number): void {
    const word = this.memory.wordAt(addr);
    this.checkLive(addr, word);
    this.memory.set(word, value);
  }
  peek(addr: number): number {
    return this.memory.peek(addr);
  }
  private checkLive(addr: number, word: number): void {
    if ((this.memory.words[this.memory.headers[word] as number] as number) > 0) return;
    const { kind, message } = diagnose(this.memory, addr, "Access");
    throw new PathEnd(kind, message, addr);
  }
  hold(addr: number, how: number, actor = this.actor): void {
    this.take(actor, addr, this.memory.wordAt(addr), how);
  }
  private take(actor: number, lock: number, word: number, how: number): void {
    const to = this.heldSets.with(this.held[actor] as number, lock, word, how);
    if (to < 0) this.locks.judge(actor, lock, word, how);
    this.setHeld(actor, to < 0 ? ~to : to);
  }
  release(addr: number, mode: HoldMode): boolean {
    const set = this.held[this.actor] as number;
    const without = this.heldSets.without(set, addr, this.memory.wordAt(addr), mode);
    if (without === set) {
      this.warn("lockdep", "bad unlock balance detected! There is no such lock to release", addr);
      return false;
    }
    this.setHeld(this.actor, without);
    return true;
  }
  holds(addr: number, mode?: HoldMode): boolean {
    return this.locksOf(this.actor).some((h) => h.lock === addr && (mode === undefined || h.mode === mode));
  }
  warn(kind: WarningKind, message: string, addr = 0, dependency?: Dependency): void {
    const local = this.silentLocal === -1 ? (this.locals[this.actor] as number) : this.silentLocal;
    if (dependency === undefined) this.report(kind, message, this.actor, local, addr);
    else this.file({ kind, message, actor: this.actor, local, addr, dependency });
  }
  fail(kind: FatalKind, message: string, addr = 0): never {
    throw new PathEnd(kind, message, addr);
  }

  // ---- allocation

  private allocate(actor: number, local: number): number {
    const gfp = this.automaton.localB[local] as number;
    if (gfp > MAY_FAIL && this.held[actor] !== 0) {
      this.actor = actor;
      this.silentLocal = local;
      this.locks.allocates(gfp);
      this.silentLocal = -1;
    }
    if ((gfp & MAY_FAIL) !== 0 && failsNow(this, actor, SLAB)) return 0;
    return takeSlot(this, actor, this.automaton.localA[local] as number);
  }
  /** Whether a call that is under way knows an address in the slot at `base`, or somebody holds a lock in there. */
  isRemembered(base: number): boolean {
    for (let actor = 0; actor < ACTORS_MAX; actor++) {
      if (this.automaton.mentions(this.locals[actor] as number, base / SLOT)) return true;
      if (this.locksOf(actor).some((h) => headerAddress(h.lock) === base)) return true;
    }
    return false;
  }

  // ---- reports

  private badAccess(actor: number, local: number): Moved {
    const step = this.automaton.stepOf(local);
    const reads = step.op === Op.load || step.op === Op.silentLoad;
    const writes = step.op === Op.store || step.op === Op.silentStore;
    const verb = reads ? "Read" : writes ? "Write" : "Access";
    const { kind, message } = diagnose(this.memory, step.addr, verb);
    this.report(kind, message, actor, local, step.addr);
    return Moved.fatal;
  }
  private report(kind: Report["kind"], message: string, actor: number, local: number, addr: number): void {
    this.reports.push({ kind, message, actor, local, addr, header: addr === 0 ? 0 : this.memory.header(addr) });
  }
  file(report: Omit<Report, "header">): void {
    this.reports.push({ ...report, header: report.addr === 0 ? 0 : this.memory.header(report.addr) });
  }
  /** A finding of somebody who looks at states from outside. */
  complain(kind: Report["kind"], message: string, actor = -1, addr = 0): void {
    this.report(kind, message, actor, FINISHED, addr);
  }
  // ---- looking

  locksOf(actor: number): readonly Holding[] {
    return this.heldSets.get(this.held[actor] as number);
  }
  /** The locks of an actor as a reader knows them, in the order of taking. */
  lockTexts(actor: number): string[] {
    const told = this.locksOf(actor).filter(({ mode }) => mode !== HoldMode.softirq); // where all callbacks run
    return told.map((holding) => holdingText(holding, this));
  }
  /** The kernel functions that an actor is inside of, innermost first. */
  stackOf(actor: number): readonly Frame[] {
    return this.framesOf(actor).filter((frame) => !frame.hidden);
  }
  /** The same with helpers of ours and statements of the script. */
  framesOf(actor: number): readonly Frame[] {
    return this.automaton.stack(this.locals[actor] as number);
  }
  /** Where it stands in the code of the script: the arguments of the outermost frame. */
  scriptPosition(actor: number): Frame | undefined {
    return this.automaton.stack(this.locals[actor] as number).findLast((frame) => frame.script);
  }
  /** Gives the object, or variable, at an address the name that it is printed under; undefined: that of its type. */
  nameObject(addr: number, name: string | undefined): void {
    if (name === undefined) this.names.delete(addr);
    else this.names.set(addr, name);
  }
  name(addr: number): string | undefined {
    return this.names.get(addr);
  }
  functionName(id: number): string {
    return this.automaton.functionName(id);
  }
  typeAt(addr: number): StructClass | undefined {
    const header = this.memory.header(addr);
    return header === 0 ? undefined : typeByNumber(headerType(header));
  }
}

const SILENT_STEPS_MAX = 300_000;
