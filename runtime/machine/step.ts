/**
 * A step: the one thing a kernel function does to modelled memory at a time, and the only place where another CPU can
 * get in between. Bodies make steps with the primitives of this folder and hand them over with `yield*`.
 */
import type { Names } from "./struct.ts";

/** What kernel functions and primitives return when called: something to `yield*`. */
// The third parameter, what `yield` evaluates to inside a body, differs from step to step: no type but `any` fits.
export type Kernel<R> = Generator<Request, R, any>;

/** A step's result that means "cannot be taken now": nothing was written, the CPU waits. */
export const BLOCKED = Number.NEGATIVE_INFINITY;

/** Operations the machine executes itself, in one switch; everything else is a `Primitive`. */
export const Op = {
  load: 0,
  store: 1,
  /** word += a; the result is the new value */
  add: 2,
  /** the result says whether the word became zero */
  decAndTest: 3,
  /** the result says whether it was incremented */
  incNotZero: 4,
  exchange: 5,
  /** word === a ? word = b; the result is the old value */
  compareExchange: 6,
  spinLock: 7,
  spinUnlock: 8,
  mutexLock: 9,
  mutexUnlock: 10,
  free: 11,
  /** the result is the choice */
  choose: 12,
  primitive: 13,
  // No other CPU can tell when these happen, so they run on within the transition before them:
  silentLoad: 14,
  silentStore: 15,
  /** the result is the address: memory that nobody else has heard of yet */
  allocate: 16,
  silentPrimitive: 17,
  // What the automaton alone sees:
  call: 18,
  tailCall: 19,
  return: 20,
} as const;
export type Op = (typeof Op)[keyof typeof Op];

/** How a step touches its word, for those who look for races between plain accesses. */
export type Access = "plain" | "marked";

export interface Step {
  readonly op: Op;
  /** Address of the word (for allocate: of nothing; for free: of the object). */
  readonly addr: number;
  readonly a: number;
  readonly b: number;
  readonly access: Access;
  /** How many ways there are to take it; all of them are possible. */
  readonly choices: number;
  readonly primitive: Primitive | null;
  /** Operands of a primitive: addresses and numbers. */
  readonly args: readonly number[];
  /** The result as the body sees it. */
  readonly decode: (result: number) => unknown;
  /** What a kernel reader would write for it. Built only when printed. */
  readonly text: (names: Names) => string;
  /** Number of the step in the written description of the function that its body follows. */
  readonly fact?: string;
}

/** What a primitive may do to the machine while it executes. Every access is checked and can be undone. */
export interface PrimitiveContext {
  /** The actor that takes the step. */
  readonly actor: number;
  /** Which of the step's `choices` is tried. */
  readonly choice: number;
  read(addr: number): number;
  write(addr: number, value: number): void;
  /** What is there, whether or not it may be read. */
  peek(addr: number): number;
  /** This actor (or another, on whose behalf a lock is granted) now holds the lock at `addr`: mode and `Taken`. */
  hold(addr: number, how: number, actor?: number): void;
  readonly locks: LockChecks;
  /** Reports an unlock of something not held; false then. */
  release(addr: number, mode: HoldMode): boolean;
  holds(addr: number, mode?: HoldMode): boolean;
  /** Records a report that does not end the path. */
  warn(kind: WarningKind, message: string, addr?: number): void;
  /** Ends the path with a report; nothing of this step is applied. */
  fail(kind: FatalKind, message: string, addr?: number): never;
}

/** What a primitive can ask lockdep and its relatives. */
export interface LockChecks {
  /** It would take the lock, or is about to wait for it: what lockdep says of that is said, and no more. */
  wants(addr: number, how: number): void;
  /** It may sleep here: reports it where nobody may. `illegal`: what RCU calls that in its own section. */
  sleeps(file: string, illegal?: string): void;
  /** Whether it is a reader for RCU: in a section, or where nothing else runs on its CPU. */
  isReader(): boolean;
  /** The same for SRCU, in whatever domain. */
  isSrcuReader(): boolean;
}

/** How something is held. The last four are no locks but contexts in which nobody may sleep. */
export const HoldMode = {
  ...{ exclusive: 0, shared: 1, srcu: 2, rcu: 3 },
  ...{ preempt: 4, irqs: 5, nonBlock: 6, softirq: 7 },
} as const;
export type HoldMode = (typeof HoldMode)[keyof typeof HoldMode];
/** What else there is to say of how a lock is taken: to be added to the mode. `subclass` times its number. */
export const Taken = { spin: 8, irqs: 16, trylock: 32, map: 64, subclass: 128 } as const;

/** Reports that end a path, and those after which it goes on. */
export type FatalKind =
  | "use-after-free"
  | "double-free"
  | "null-deref"
  | "list-corruption"
  | "bug"
  | "deadlock"
  | "livelock"
  | "stale-translation"
  | "expectation"
  /** No finding: the script assumes that this does not happen. */
  | "pruned";
export type WarningKind = "refcount" | "warning" | "lockdep" | "leak" | "rcu" | "sleep-in-atomic" | "data-race";
export type ReportKind = FatalKind | WarningKind;

export interface Primitive {
  readonly name: string;
  readonly run: (m: PrimitiveContext, ...args: readonly number[]) => number;
  /** Blocked here is no deadlock: an actor waits for work, that is for the word of its step to become non-zero. */
  readonly idle: boolean;
}

/** Declares a step primitive: guard and effect in one function, which answers BLOCKED or the result. */
export function primitive(name: string, run: Primitive["run"], options: { idle?: boolean } = {}): Primitive {
  return { name, run, idle: options.idle ?? false };
}

/** What a body can hand to the machine: a step, or a call of another kernel function. */
export type Request = Step | Call;

export interface Call {
  readonly op: typeof Op.call | typeof Op.tailCall;
  readonly fn: Callable;
  readonly args: readonly Value[];
  readonly fact?: string;
}

/** A kernel function as the automaton needs it. */
export interface Callable {
  readonly id: number;
  readonly name: string;
}

/** What may be an argument or a result of a kernel function: values, never objects with a life of their own. */
export type Value =
  number | boolean | string | null | undefined | void | { readonly addr: number } | Callable | readonly Value[];

const identity = (n: number): unknown => n;
export const asBoolean = (n: number): boolean => n !== 0;

interface StepSpec<R> {
  op: Op;
  addr?: number;
  a?: number;
  b?: number;
  access?: Access;
  choices?: number;
  primitive?: Primitive;
  args?: readonly number[];
  decode?: (result: number) => R;
  text: (names: Names) => string;
}

/** The word that stands for a value in memory: NULL is 0, a function is its number. */
export function wordOf(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === null || value === undefined) return 0;
  if (typeof value === "function") return (value as unknown as Callable).id;
  if (typeof value === "object" && "addr" in value) return (value as { addr: number }).addr;
  throw new Error(`a ${typeof value} does not fit a word`);
}

/** Takes one step; evaluates to its result. */
export function* step<R = number>(spec: StepSpec<R>): Kernel<R> {
  return (yield {
    op: spec.op,
    addr: spec.addr ?? 0,
    a: spec.a ?? 0,
    b: spec.b ?? 0,
    access: spec.access ?? "marked",
    choices: spec.choices ?? 1,
    primitive: spec.primitive ?? null,
    args: spec.args ?? [],
    decode: spec.decode ?? identity,
    text: spec.text,
  }) as R;
}

/** Says which numbered step of the function's description the (first) step of `body` is; traces print it. */
export function* fact<R>(number: number | string, body: Kernel<R>): Kernel<R> {
  let item = body.next();
  if (item.done) return item.value;
  item = body.next(yield { ...item.value, fact: String(number) });
  while (!item.done) item = body.next(yield item.value);
  return item.value;
}
