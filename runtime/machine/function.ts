/**
 * Kernel functions: ordinary generators that the machine unrolls into automata.
 *
 * A body keeps nothing but locals: what it does next follows from its arguments and the results it was handed. A frame
 * remembers every result until it returns, so:
 *   - whatever takes more than one step is a kernelFunction, never a bare `function*`: returning is what forgets;
 *   - a loop that can go round without bound is `return yield* f.restart(args)`, its live locals being the arguments;
 *   - a value that only steers a branch is read by a step that answers the question (`atomic_dec_and_test`).
 */
import { Op, type Callable, type Kernel, type Value } from "./step.ts";
import { declare, Ref } from "./struct.ts";

export type AnyBody = (...args: never[]) => Kernel<unknown>;
export type Body<A extends readonly Value[], R> = (...args: A) => Kernel<R>;

/** Where a body comes from and what it leaves out; `hmm explain` prints it. */
export interface FunctionInfo {
  /** Kernel file: "mm/hmm.c". */
  readonly source?: string;
  /** One line of description. */
  readonly summary?: string;
  /** How the model differs from the kernel, where it does. */
  readonly differs?: string;
  /** Under which name the written description of the kernel lists its steps: "FAULT52". */
  readonly facts?: string;
  /** First and first-no-more era in which it exists; absent: no bound. */
  readonly since?: string;
  readonly until?: string;
  /** Names of the parameters, for printing calls. */
  readonly params?: readonly string[];
  /** Those that the kernel's function has not, for it finds them elsewhere: not told. */
  readonly own?: readonly string[];
  /** Parameters that are sets of bits, and what these are called. */
  readonly bits?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** A helper of ours: a part of its caller as far as anybody who reads is concerned. */
  readonly internal?: boolean;
  /** Told as one thing: readers know what list_add() does. */
  readonly atom?: boolean;
}

export interface KernelFunction<A extends readonly Value[] = readonly Value[], R = unknown> extends Callable {
  (...args: A): Kernel<R>;
  readonly info: FunctionInfo;
  /** The bodies by era, oldest first; `since` null: as far back as the model goes. */
  readonly bodies: readonly { readonly since: string | null; readonly body: Body<A, R>; readonly facts?: string }[];
  /** Adds the body that holds from an era on, and the name under which its steps are described. */
  since(era: string, body: Body<A, R>, facts?: string): this;
  /** Puts one before the oldest, which from now on holds from that era on. */
  before(era: string, body: Body<A, R>, facts?: string): this;
  /** A tail call: this frame is replaced, its caller stays. */
  restart(...args: A): Kernel<R>;
}

const registry: KernelFunction<never, unknown>[] = []; // every function there is; its index is the function's id
const FIRST_ID = 1; // 0 is NULL

export function kernelFunction<A extends readonly Value[], R>(
  name: string,
  body: Body<A, R>,
  info: FunctionInfo = {},
): KernelFunction<A, R> {
  const fn = functionOf<A, R>(registry.length + FIRST_ID, name, body, info);
  registry.push(fn as unknown as KernelFunction<never, unknown>);
  return fn;
}

function functionOf<A extends readonly Value[], R>(
  id: number,
  name: string,
  body: Body<A, R>,
  info: FunctionInfo,
): KernelFunction<A, R> {
  const bodies: { since: string | null; body: Body<A, R>; facts?: string }[] = [
    { since: null, body, ...(info.facts === undefined ? {} : { facts: info.facts }) },
  ];
  const call = function* (...args: A): Kernel<R> {
    return (yield { op: Op.call, fn, args }) as R;
  };
  const fn = Object.defineProperties(call, {
    name: { value: name },
    id: { value: id },
    info: { value: info },
    bodies: { value: bodies },
    since: {
      value(era: string, later: Body<A, R>, facts = info.facts) {
        bodies.push({ since: era, body: later, ...(facts === undefined ? {} : { facts }) });
        return fn;
      },
    },
    before: {
      value(era: string, older: Body<A, R>, facts = info.facts) {
        const [oldest] = bodies;
        if (oldest !== undefined) oldest.since = era;
        bodies.unshift({ since: null, body: older, ...(facts === undefined ? {} : { facts }) });
        return fn;
      },
    },
    restart: {
      value: function* (...args: A): Kernel<R> {
        return (yield { op: Op.tailCall, fn, args }) as R;
      },
    },
  }) as unknown as KernelFunction<A, R>;
  return fn;
}

/** Functions that a script brings: what they are called and what they do, the machine knows that runs them. */
const strangers = new Map<number, KernelFunction<never, unknown>>();
function* noBody(): Kernel<unknown> {
  return undefined;
}
function stranger(id: number): KernelFunction<never, unknown> {
  let fn = strangers.get(id);
  if (fn === undefined) strangers.set(id, (fn = functionOf(id, "", noBody, {})));
  return fn;
}

export function functionById(id: number): KernelFunction<never, unknown> | null {
  return registry[id - FIRST_ID] ?? null;
}
/** As functionById, and what a script brings. */
export function functionNumbered(id: number): KernelFunction {
  return (functionById(id) ?? stranger(id)) as unknown as KernelFunction;
}
export function allFunctions(): readonly KernelFunction<never, unknown>[] {
  return registry;
}

/** A member that holds the address of a kernel function, as `ops` tables and callbacks do. */
export class FunctionPointer<A extends readonly Value[], R> extends Ref<KernelFunction<A, R> | null> {
  override decode(word: number): KernelFunction<A, R> | null {
    return (word === 0 ? null : functionNumbered(word)) as unknown as KernelFunction<A, R> | null;
  }
}
export const functionPointer = <A extends readonly Value[], R>(): FunctionPointer<A, R> =>
  declare(FunctionPointer<A, R>);

/** A replacement of one function's body, as patches are made of. */
export interface Replacement {
  readonly fn: Callable;
  readonly body: Body<never, unknown>;
  /** Under which name the steps of the new body are described, if not under the old one. */
  readonly facts?: string;
  /** First era in which it is this body, where eras that the patch applies to differ. */
  readonly since?: string;
}
export function replaces<A extends readonly Value[], R>(
  fn: KernelFunction<A, R>,
  body: Body<A, R>,
  facts = fn.info.facts,
  life: { readonly since?: string } = {},
): Replacement {
  return { fn, body: body as unknown as Body<never, unknown>, ...(facts === undefined ? {} : { facts }), ...life };
}
