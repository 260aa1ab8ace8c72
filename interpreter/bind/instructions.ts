/**
 * Statements as a flat list of instructions. Each is left by a tail call to the next, so where a CPU stands is
 * (instruction, locals that are still wanted, what this instruction has read so far): a loop comes back to the same
 * place, and nothing read by a finished statement is remembered.
 */
import type { Span } from "../../grammar/span.ts";
import type { SourceText } from "../../grammar/span.ts";
import { endOfScope } from "../../runtime/machine/alloc.ts";
import type { AnyBody } from "../../runtime/machine/function.ts";
import { Op, type Call, type Kernel, type Value } from "../../runtime/machine/step.ts";
import { Special, Struct } from "../../runtime/machine/struct.ts";
import { ScriptError } from "../script-error.ts";
import { coerced, localsIn, run, truth, type Bound, type Frame, type Local } from "./expression.ts";
import type { Type } from "./types.ts";

export type Instruction = { readonly at: Span; readonly statement: number } & (
  | {
      readonly kind: "do";
      readonly run: (frame: Frame) => Kernel<void>;
      /** The expressions that it evaluates, and the local that it sets. */
      readonly reads: readonly Bound[];
      readonly sets: Local | undefined;
    }
  | { readonly kind: "branch"; readonly test: Bound; yes: number; no: number }
  | { readonly kind: "jump"; to: number; readonly isGoto: boolean }
  | { readonly kind: "return"; readonly value: Bound | undefined }
);
export type Jump = Extract<Instruction, { kind: "jump" }>;
export type Branch = Extract<Instruction, { kind: "branch" }>;

/** Not known yet. */
export const NOWHERE = -1;

/** Where a CPU can be after an instruction. */
export function successors(code: readonly Instruction[], pc: number): number[] {
  const instruction = code[pc];
  switch (instruction?.kind) {
    case "do":
      return [pc + 1];
    case "branch":
      return instruction.test.kind === "constant"
        ? [truth(instruction.test.value) ? instruction.yes : instruction.no]
        : [instruction.yes, instruction.no];
    case "jump":
      return [instruction.to];
    default:
      return [];
  }
}

/** Per instruction, and for the end behind the last: the locals that are still wanted there, in order. */
function wantedLocals(code: readonly Instruction[], locals: readonly Local[]): readonly (readonly Local[])[] {
  // What owns memory is wanted to the end: it is freed there.
  const owners = new Set(locals.filter((local) => local.owns));
  const wanted = Array.from({ length: code.length + 1 }, () => new Set<Local>(owners));
  for (let changed = true; changed;) {
    changed = false;
    for (let pc = code.length - 1; pc >= 0; pc--) {
      const here = wanted[pc] as Set<Local>;
      const before = here.size;
      const instruction = code[pc] as Instruction;
      const set = instruction.kind === "do" ? instruction.sets : undefined;
      for (const next of successors(code, pc))
        for (const local of wanted[next] ?? []) if (local !== set) here.add(local);
      for (const read of readsOf(instruction)) for (const local of localsIn(read)) here.add(local);
      if (here.size > before) changed = true;
    }
  }
  return wanted.map((set) => [...set].sort((a, b) => a.index - b.index));
}
function readsOf(instruction: Instruction): readonly Bound[] {
  switch (instruction.kind) {
    case "do":
      return instruction.reads;
    case "branch":
      return [instruction.test];
    case "return":
      return instruction.value === undefined ? [] : [instruction.value];
    case "jump":
      return [];
  }
}

/** Where paths meet they are in one place: not at the jumps that lead to it. */
export function landing(code: readonly Instruction[], target: number): number {
  let pc = target;
  for (let next = code[pc]; next?.kind === "jump" && next.to > pc; next = code[pc]) pc = next.to;
  return pc;
}

/** The instructions that can be reached. */
export function reachable(code: readonly Instruction[]): ReadonlySet<number> {
  const seen = new Set<number>();
  const open = [0];
  for (let pc = open.pop(); pc !== undefined; pc = open.pop()) {
    if (seen.has(pc)) continue;
    seen.add(pc);
    open.push(...successors(code, pc));
  }
  return seen;
}

/** What a body is made of. */
export interface BodyParts {
  readonly fn: number;
  readonly code: readonly Instruction[];
  /** For mistakes that show only when it runs. */
  readonly source: SourceText;
  readonly locals: readonly Local[];
  /** How many of them are parameters: these come first. */
  readonly params: number;
  /** What it returns; read when it runs, for a recursive function knows late. */
  readonly result: () => Type;
}

/**
 * The statements of a CPU, which have no locals, or a function's: body(instruction, the locals wanted there). No
 * function comes back to its instruction 0, where all its parameters are given.
 */
export function bodyOf({ fn, code, source, locals, params, result }: BodyParts): AnyBody {
  const wanted = wantedLocals(code, locals);
  const given = locals.slice(0, params);
  const owners = locals.filter((local) => local.owns);

  function* goTo(target: number, frame: Frame): Kernel<Value> {
    const pc = landing(code, target);
    const values = (wanted[Math.min(pc, code.length)] ?? []).map((local) => frame[local.index]);
    const request: Call = { op: Op.tailCall, fn: { id: fn, name: "" }, args: [pc, ...values] };
    return (yield request) as Value;
  }
  function* leave(frame: Frame, value: Value): Kernel<Value> {
    for (const { index } of owners) {
      const object = frame[index];
      if (object instanceof Struct || object instanceof Special) yield* endOfScope(object);
    }
    return value;
  }
  return function* (start: number, ...values: Value[]): Kernel<Value> {
    const frame: Frame = new Array<Value>(locals.length).fill(undefined);
    // The call itself passes all parameters, whether or not they are wanted.
    (start === 0 ? given : (wanted[start] ?? [])).forEach((local, i) => (frame[local.index] = values[i]));
    const instruction = code[start];
    switch (instruction?.kind) {
      case "do":
        yield* placed(source, instruction.run(frame));
        return yield* goTo(start + 1, frame);
      case "branch": {
        const holds = truth(yield* placed(source, run(instruction.test, frame)));
        return yield* goTo(holds ? instruction.yes : instruction.no, frame);
      }
      case "return": {
        const { value } = instruction;
        const returned = value === undefined ? undefined : yield* placed(source, run(value, frame));
        return yield* leave(frame, value === undefined ? undefined : coerced(returned, result()));
      }
      case "jump":
        return yield* goTo(instruction.to, frame);
      case undefined:
        return yield* leave(frame, coerced(undefined, result()));
    }
  } as AnyBody;
}

/** A mistake that shows only when it runs is in the file that the statement stands in. */
function* placed<R>(source: SourceText, body: Kernel<R>): Kernel<R> {
  try {
    return yield* body;
  } catch (error) {
    throw error instanceof ScriptError ? error.in(source) : error;
  }
}
