/**
 * Macros and the like: calls whose arguments are places, types or conditions rather than values, or that do nothing in
 * the model.
 */
import type { Call } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { choose } from "../../runtime/machine/choose.ts";
import { get_current, task_struct } from "../../runtime/mm/current.ts";
import { numeric, run, type Bound } from "./expression.ts";
import { bindBase } from "./base.ts";
import type { Builtin } from "./macro.ts";
import { accesses } from "./macros-access.ts";
import { allocations } from "./macros-memory.ts";
import { arithmetic } from "./macros-numbers.ts";
import { waits } from "./macros-wait.ts";
import type { ExpressionBinder } from "./names.ts";
import { BOOLEAN, NUMBER, VOID } from "./types.ts";

/** Printing. */
const LEVEL = "debug|dbg|info|notice|warn|warning|err|error|crit|alert|emerg|cont";
const PRINTS = new RegExp(`^((pr|dev|netdev|drm|ibdev)_(${LEVEL})|printk|DRM_(DEBUG|INFO|WARN|ERROR)|trace_\\w+)`);
/** Hints to the scheduler, and what only a compiler or a checker of the kernel looks at. */
const SILENT: readonly string[] = [
  ...["cpu_relax", "dump_stack", "BUILD_BUG_ON", "lockdep_set_class", "might_fault", "destroy_work_on_stack"],
  ...["mdelay", "mutex_destroy", "ndelay", "prefetch", "udelay"],
];
const BARRIERS: readonly string[] = [
  ...["barrier", "mb", "rmb", "wmb", "smp_mb", "smp_rmb", "smp_wmb", "smp_mb__after_atomic", "smp_mb__before_atomic"],
  ...["smp_mb__after_spinlock", "smp_mb__after_srcu_read_unlock", "smp_read_barrier_depends", "dma_rmb", "dma_wmb"],
];
/** Of the names that print those that are suggested. */
const PRINT_NAMES: readonly string[] = ["pr_debug", "pr_err", "pr_info", "pr_warn", "printk", "dev_dbg", "dev_err"];

const nothing = (name: string, at: Span): Bound => ({
  kind: "call",
  name,
  type: VOID,
  at,
  parts: [],
  *run() {
    return undefined;
  },
});
/** What is called among its arguments is called all the same, as far as it is known: they are C's to evaluate. */
const silent: Builtin = {
  summary: "does nothing here",
  bind(binder, call, name) {
    const called = call.args.filter(({ value }) => callsSomething(binder, value));
    const parts = called.flatMap(({ value }) => binder.bindValue(value) ?? []);
    if (parts.length === 0) return nothing(name, call.at);
    return {
      ...nothing(name, call.at),
      parts,
      *run(frame) {
        for (const part of parts) yield* run(part, frame);
        return undefined;
      },
    };
  },
};
function callsSomething(binder: ExpressionBinder, node: unknown): boolean {
  if (typeof node !== "object" || node === null) return false;
  if (Array.isArray(node)) return node.some((one) => callsSomething(binder, one));
  const { kind, callee } = node as Partial<Call>;
  if (kind === "call" && callee?.kind === "name") {
    const { scope } = binder;
    if (scope.callables.has(callee.name) || scope.functions?.find(callee.name) !== undefined) return true;
  }
  return Object.values(node).some((one) => callsSomething(binder, one));
}
/** The run is sequentially consistent: each barrier that it passes over is counted, and the count told. */
const barrier: Builtin = {
  summary: "a barrier, which is not modelled",
  bind({ scope }, call, name) {
    scope.barriers.add(`${scope.source.name}:${call.at.start}`);
    return nothing(name, call.at);
  },
};
/** A hint to the compiler: its argument. */
const transparent: Builtin = {
  summary: "its argument",
  bind(binder, call, name) {
    const [value] = call.args;
    if (call.args.length === 1 && value !== undefined) return binder.bind(value.value);
    binder.scope.error(
      "E300",
      call.at,
      `\`${name}\` takes 1 argument, ${call.args.length} given`,
      "it is its argument",
    );
    return undefined;
  },
};

const TABLE: Readonly<Record<string, Builtin>> = {
  ...accesses,
  ...allocations,
  ...arithmetic,
  ...waits,
  likely: transparent,
  unlikely: transparent,
  choose: { summary: "one of several constants: all of them are tried", bind: bindChoose },
};

/** What a name means as a macro, if anything. */
export function builtin(binder: ExpressionBinder, name: string): Builtin | undefined {
  if (name === "base" && binder.owner?.base !== undefined) return { summary: "the old body", bind: bindBase };
  if (Object.hasOwn(TABLE, name)) return TABLE[name];
  if (PRINTS.test(name) || SILENT.includes(name)) return silent;
  return BARRIERS.includes(name) ? barrier : undefined;
}
/** All of them, for those who list what there is. */
export function macros(): readonly { readonly name: string; readonly summary: string }[] {
  return builtinNames().map((name) => {
    const known = Object.hasOwn(TABLE, name) ? TABLE[name] : BARRIERS.includes(name) ? barrier : silent;
    return { name, summary: known?.summary ?? "" };
  });
}
export function builtinNames(): string[] {
  return [...Object.keys(TABLE), ...BARRIERS, ...SILENT, ...PRINT_NAMES];
}
/** Whether it only computes: constants may be made with it. */
export function isArithmetic(name: string): boolean {
  return Object.hasOwn(arithmetic, name) && !/^time_/.test(name);
}
export function bindBuiltin(binder: ExpressionBinder, call: Call, known: Builtin | undefined): Bound | undefined {
  return known?.bind(binder, call, call.callee.kind === "name" ? call.callee.name : "");
}

/** `current` */
export function currentTask(at: Span): Bound {
  const type = { kind: "object", cls: task_struct } as const;
  return { kind: "call", name: "current", type, at, parts: [], run: get_current };
}

function bindChoose(binder: ExpressionBinder, call: Call): Bound | undefined {
  const { scope } = binder;
  const numbers: number[] = [];
  let areBooleans = true;
  for (const { value } of call.args) {
    const bound = binder.bind(value);
    if (bound === undefined) return undefined;
    if (bound.kind !== "constant" || (bound.type.kind !== "number" && bound.type.kind !== "boolean")) {
      const help = "`x = choose(0, 1)`; what they stand for an `if` can say";
      scope.error("E313", value.at, "`choose` takes constant numbers: all of them are tried", help);
      return undefined;
    }
    areBooleans &&= bound.type.kind === "boolean";
    numbers.push(numeric(bound.value));
  }
  if (numbers.length === 0) {
    scope.error("E300", call.at, "`choose` needs at least one value", "`x = choose(0, 1)`");
    return undefined;
  }
  return {
    kind: "call",
    name: "choose",
    type: areBooleans ? BOOLEAN : NUMBER,
    at: call.at,
    parts: [],
    *run() {
      return numbers[yield* choose(numbers.length, `choose(${numbers.join(", ")})`)] as number;
    },
  };
}
