/**
 * Leaves single steps of kernel functions out, or swaps two, by name: how it is shown that a line matters, without a
 * second body.
 */
import { Op, type Call, type Request, type Step } from "./step.ts";
import type { Names } from "./struct.ts";

export interface Mutation {
  /** The function whose body is changed. */
  readonly in: string;
  /** The step or call: the name of the function called, or what the step's text begins with. */
  readonly drop?: string;
  /** What the body is told instead, where it wants a result: what the dropped step would have said. */
  readonly result?: unknown;
  /** Two steps that follow each other directly, of which the second needs no result of the first. */
  readonly swap?: readonly [string, string];
  /** Leave out only the n-th of a run of the body, counted from 1; otherwise every one. */
  readonly occurrence?: number;
}

const anonymous: Names = { name: () => undefined, typeAt: () => undefined };

type Body = Generator<Request, unknown, unknown>;
/** Begins a body anew: it does the same again if it is told the same. */
type Make = () => Body;

export function mutated(
  name: string,
  make: Make,
  mutations: readonly Mutation[],
  functionName: (fn: number) => string,
): Body {
  const mine = mutations.filter((mutation) => mutation.in === name);
  return mine.reduce<Make>((inner, mutation) => () => apply(inner, mutation, functionName), make)();
}

function apply(make: Make, mutation: Mutation, functionName: (fn: number) => string): Body {
  const fits = (request: Request, wanted: string | undefined): boolean => {
    if (wanted === undefined) return false;
    if (request.op === Op.call || request.op === Op.tailCall) return functionName((request as Call).fn.id) === wanted;
    return (request as Step).text(anonymous).startsWith(wanted);
  };
  return mutation.swap === undefined ? dropping(make(), mutation, fits) : swapping(make, mutation.swap, fits);
}

function* dropping(body: Body, mutation: Mutation, fits: (r: Request, wanted?: string) => boolean): Body {
  let seen = 0;
  let item = body.next();
  while (item.done !== true) {
    const dropped =
      fits(item.value, mutation.drop) && (mutation.occurrence === undefined || ++seen === mutation.occurrence);
    item = body.next(dropped ? mutation.result : yield item.value);
  }
  return item.value;
}

/** What comes second is asked of a body that is told nothing of the first; then one begins anew that is told both. */
function* swapping(
  make: Make,
  [first, second]: readonly [string, string],
  fits: (r: Request, wanted?: string) => boolean,
): Body {
  let body = make();
  const told: unknown[] = [];
  let item = body.next();
  while (item.done !== true) {
    const held = item.value;
    const ahead = fits(held, first) ? after(make, [...told, undefined]) : undefined;
    if (ahead?.done === false && fits(ahead.value, second)) {
      const result: unknown = yield ahead.value;
      told.push(yield held, result);
      body = make();
      item = replay(body, told);
      continue;
    }
    told.push(yield held);
    item = body.next(told.at(-1));
  }
  return item.value;
}
const after = (make: Make, told: readonly unknown[]): IteratorResult<Request, unknown> => replay(make(), told);
function replay(body: Body, told: readonly unknown[]): IteratorResult<Request, unknown> {
  let item = body.next();
  for (const result of told) if (item.done !== true) item = body.next(result);
  return item;
}
