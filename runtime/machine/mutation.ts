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
  /** Two steps that follow each other directly, and whose results nobody looks at. */
  readonly swap?: readonly [string, string];
  /** Leave out only the n-th of a run of the body, counted from 1; otherwise every one. */
  readonly occurrence?: number;
}

const anonymous: Names = { name: () => undefined, typeAt: () => undefined };

type Body = Generator<Request, unknown, unknown>;

export function mutated(
  name: string,
  body: Body,
  mutations: readonly Mutation[],
  functionName: (fn: number) => string,
): Body {
  const mine = mutations.filter((mutation) => mutation.in === name);
  return mine.reduce((inner, mutation) => apply(inner, mutation, functionName), body);
}

function apply(body: Body, mutation: Mutation, functionName: (fn: number) => string): Body {
  const fits = (request: Request, wanted: string | undefined): boolean => {
    if (wanted === undefined) return false;
    if (request.op === Op.call || request.op === Op.tailCall) return functionName((request as Call).fn.id) === wanted;
    return (request as Step).text(anonymous).startsWith(wanted);
  };
  return mutation.swap === undefined ? dropping(body, mutation, fits) : swapping(body, mutation.swap, fits);
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

function* swapping(
  body: Body,
  [first, second]: readonly [string, string],
  fits: (r: Request, wanted?: string) => boolean,
): Body {
  let item = body.next();
  while (item.done !== true) {
    const held = item.value;
    if (!fits(held, first)) {
      item = body.next(yield held);
      continue;
    }
    item = body.next(undefined);
    if (item.done !== true && fits(item.value, second)) {
      const result: unknown = yield item.value;
      yield held;
      item = body.next(result);
    } else yield held;
  }
  return item.value;
}
