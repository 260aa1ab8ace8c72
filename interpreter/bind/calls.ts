/** Calls: which entry of the table a name means, and how the arguments of a script become those of the kernel. */
import type { Argument, Call, Expr } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { Callable, Param } from "../../runtime/callable.ts";
import { Op, primitive, step, type Kernel, type Value } from "../../runtime/machine/step.ts";
import { rw_semaphore } from "../../runtime/machine/rwsem.ts";
import { NULL, Struct } from "../../runtime/machine/struct.ts";
import { mm_struct } from "../../runtime/mm/mm_types.ts";
import { PAGE_SIZE } from "../../runtime/mm/pgtable.ts";
import { ScriptError } from "../script-error.ts";
import { memberAt, numeric, run, type Bound } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { typeOfResult, typeText, type Type } from "./types.ts";

/** How one parameter gets its values. */
interface Source {
  readonly values: () => Kernel<readonly Value[]>;
  /** The expressions behind it, where it has any. */
  readonly from: readonly Bound[];
}
const constant = (...values: Value[]): Source => ({
  *values() {
    return values;
  },
  from: [],
});

/** Why an entry does not take these arguments. */
interface Misfit {
  readonly code: string;
  readonly at: Span;
  readonly message: string;
  readonly help?: string | undefined;
  /** How many arguments did fit: the best misfit is the one told. */
  readonly fitted: number;
}

export function bindCall(binder: ExpressionBinder, call: Call | { callee: Expr; args: readonly Argument[]; at: Span }): Bound | undefined {
  const { scope } = binder;
  if (call.callee.kind !== "name") {
    scope.error("E216", call.callee.at, "this cannot be called", "a call begins with the name of a function");
    return undefined;
  }
  const { name } = call.callee;
  const entries = scope.callables.get(name);
  if (entries === undefined) {
    unknownFunction(binder, name, call.callee.at, call.args);
    return undefined;
  }
  let best: Misfit | undefined;
  for (const entry of entries) {
    const fit = fitArguments(binder, entry, call.args, call.at);
    if (!("fitted" in fit)) return calling(binder, entry, fit, call.at);
    if (best === undefined || fit.fitted > best.fitted) best = fit;
  }
  if (best !== undefined) scope.error(best.code, best.at, best.message, best.help);
  return undefined;
}

function unknownFunction(binder: ExpressionBinder, name: string, at: Span, args: readonly Argument[]): void {
  const { scope } = binder;
  const elsewhere = scope.elsewhere.get(name)?.[0];
  if (elsewhere !== undefined) {
    scope.error("E261", at, `\`${name}\` is not a function of ${binder.kernel}`, whereItIs(elsewhere));
    return;
  }
  if (binder.isVariable(name)) {
    const arg = args[0]?.value;
    const text = arg === undefined ? "" : scope.source.slice(arg.at);
    const help = text.startsWith("-") ? `write \`${name} - ${text.slice(1)}\`` : undefined;
    scope.error("E214", at, `\`${name}\` is a variable, not a function`, help);
    return;
  }
  const meant = scope.suggestion(name, binder.cpu);
  scope.error(
    "E260",
    at,
    `\`${name}\` is not a function of ${binder.kernel}`,
    meant === undefined ? undefined : `did you mean \`${meant}\`?`,
  );
}
function whereItIs(entry: Callable): string {
  const parts = [];
  if (entry.patch !== undefined) parts.push(`it comes with \`+ ${entry.patch}\``);
  if (entry.since !== undefined) parts.push(`it exists since ${entry.since}`);
  if (entry.until !== undefined) parts.push(`it is gone in ${entry.until}`);
  return parts.join(", ");
}

/** "hmm_range_fault(m, range, [flags])" */
export function signature(entry: Callable): string {
  const params = entry.params
    .filter((p) => p.of.kind !== "current-mm")
    .map((p) => (p.otherwise !== undefined || p.of.kind === "flags" ? `[${p.name}]` : p.name));
  return `${entry.name}(${params.join(", ")})`;
}
function misfit(code: string, at: Span, message: string, fitted: number, help?: string): Misfit {
  return { code, at, message, fitted, help };
}

function fitArguments(
  binder: ExpressionBinder,
  entry: Callable,
  args: readonly Argument[],
  at: Span,
): readonly Source[] | Misfit {
  const written = entry.params.filter((p) => p.of.kind !== "current-mm");
  const named = new Map<string, Argument>();
  const queue: Argument[] = [];
  for (const arg of args) {
    if (arg.name === undefined) queue.push(arg);
    else if (written.some((p) => p.name === arg.name?.name)) named.set(arg.name.name, arg);
    else {
      const meant = nearest(
        arg.name.name,
        written.map((p) => p.name),
      );
      const help = meant === undefined ? signature(entry) : `did you mean \`${meant}\`?`;
      return misfit("E302", arg.name.at, `\`${entry.name}\` has no parameter \`${arg.name.name}\``, 0, help);
    }
  }
  const sources: Source[] = [];
  let fitted = 0;
  for (const param of entry.params) {
    const given = named.get(param.name);
    const source = fitParam(binder, entry, param, given === undefined ? queue : [given], at, fitted);
    if ("fitted" in source) return source;
    sources.push(source);
    fitted++;
  }
  if (queue.length > 0 && queue[0]?.value.kind !== "defaults") {
    const most = written.length;
    const extra = queue[0] as Argument;
    const help =
      extra.value.kind === "name" && nearest(extra.value.name, ["until"]) !== undefined && extra.value.name.length > 3
        ? "did you mean `until`?"
        : `${signature(entry)}: ${entry.summary}`;
    const message = `\`${entry.name}\` takes ${count(most, "argument")}${most > 0 ? ` (${written.map((p) => p.name).join(", ")})` : ""}, ${args.length} given`;
    return misfit("E300", extra.at, message, fitted, help);
  }
  return sources;
}
export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function fitParam(
  binder: ExpressionBinder,
  entry: Callable,
  param: Param,
  queue: Argument[],
  at: Span,
  fitted: number,
): Source | Misfit {
  if (param.of.kind === "current-mm") {
    return constant(binder.currentMm());
  }
  if (param.of.kind === "flags") return fitFlags(param, queue);
  const next = queue[0];
  if (next?.value.kind === "defaults") return fitDefault(binder, entry, param, next.value.at, fitted);
  if (next === undefined) {
    if (param.otherwise !== undefined) return constant(param.otherwise);
    const written = entry.params.filter((p) => p.of.kind !== "current-mm");
    const names = written.map((p) => p.name).join(", ");
    return misfit(
      "E300",
      at,
      `\`${entry.name}\` takes ${count(written.length, "argument")} (${names}); \`${param.name}\` is missing`,
      fitted,
      `${signature(entry)}: ${entry.summary}`,
    );
  }
  if (param.of.kind === "range") return fitRange(binder, entry, param, queue, fitted);
  const source = fitValue(binder, entry, param, next, fitted);
  if (!("fitted" in source)) queue.shift();
  else if (param.otherwise !== undefined) return constant(param.otherwise);
  return source;
}

function fitFlags(param: Param, queue: Argument[]): Source {
  if (param.of.kind !== "flags") throw new Error("not flags");
  const { words, initial } = param.of;
  let value: number | undefined;
  for (;;) {
    const arg = queue[0]?.value;
    if (arg?.kind !== "name" || !(arg.name in words)) break;
    value = (value ?? 0) | (words[arg.name] as number);
    queue.shift();
  }
  if (queue[0]?.value.kind === "defaults") queue.length = 1;
  return constant(value ?? initial);
}

function fitRange(
  binder: ExpressionBinder,
  entry: Callable,
  param: Param,
  queue: Argument[],
  fitted: number,
): Source | Misfit {
  const first = queue[0] as Argument;
  const ends = rangeEnds(binder, first.value);
  if (ends !== undefined) {
    queue.shift();
    return readRange(binder, first.at, ends);
  }
  const second = queue[1];
  const start = binder.tryBind(first.value);
  if (start === undefined) return misfit("", first.at, "", -1);
  const end = second === undefined ? undefined : binder.tryBind(second.value);
  if (start.type.kind === "number" && end?.type.kind === "number") {
    queue.splice(0, 2);
    return readRange(binder, first.at, [start, end]);
  }
  const text = binder.scope.source.slice(first.at);
  if (/^0?x?[0-9a-f]+-[0-9a-fx]+$/i.test(text))
    return misfit("E304", first.at, `\`${text}\` is a subtraction; a range has two dots`, fitted, `write \`${text.replace("-", "..")}\``);
  const help = start.type.kind === "number" ? `\`${text}..\` is one page, \`${text}..+8K\` two` : signature(entry);
  return misfit("E303", first.at, `\`${entry.name}\` expects a range for \`${param.name}\`, \`${text}\` is ${typeText(start.type)}`, fitted, help);
}
/** `a..b`, `a..+n`, `a..`; and, where a range is wanted, `a+n`. */
function rangeEnds(binder: ExpressionBinder, expr: Expr): readonly [Bound, Bound] | undefined {
  const plus = (start: Bound, length: Bound): Bound => ({
    kind: "binary",
    op: "+",
    left: start,
    right: length,
    type: { kind: "number" },
    at: expr.at,
  });
  const page: Bound = { kind: "constant", value: PAGE_SIZE, type: { kind: "number" }, at: expr.at };
  if (expr.kind === "range") {
    const start = binder.bind(expr.start);
    const end = expr.end === undefined ? undefined : binder.bind(expr.end);
    const length = expr.length === undefined ? page : binder.bind(expr.length);
    if (start === undefined || length === undefined || (expr.end !== undefined && end === undefined)) return undefined;
    return [start, end ?? plus(start, length)];
  }
  if (expr.kind === "binary" && expr.op === "+") {
    const start = binder.tryBind(expr.left);
    const length = binder.tryBind(expr.right);
    if (start === undefined || length === undefined) return undefined;
    return [start, plus(start, length)];
  }
  return undefined;
}
function readRange(binder: ExpressionBinder, at: Span, [start, end]: readonly [Bound, Bound]): Source {
  if (start.kind === "constant" && end.kind === "constant") checkRange(binder, at, numeric(start.value), numeric(end.value));
  return {
    *values() {
      const from = numeric(yield* run(start));
      return [from, numeric(yield* run(end))];
    },
    from: [start, end],
  };
}
const ADDRESS_MAX = 2 ** 47;
function checkRange(binder: ExpressionBinder, at: Span, from: number, to: number): void {
  const { scope } = binder;
  if (to <= from) scope.error("E305", at, "this range is empty: its end is not above its start");
  else if (to > ADDRESS_MAX) scope.error("E306", at, "user addresses end at 0x800000000000 (2^47)");
  else if (from % PAGE_SIZE !== 0 || to % PAGE_SIZE !== 0)
    scope.error("E307", at, "a range begins and ends on a page boundary", "pages have 4096 (0x1000) bytes");
}

function fitValue(
  binder: ExpressionBinder,
  entry: Callable,
  param: Param,
  arg: Argument,
  fitted: number,
): Source | Misfit {
  const bound = binder.tryBind(arg.value);
  if (bound === undefined) return misfit("", arg.at, "", -1); // its own errors have been told
  const wanted = accepts(param, bound.type);
  if (wanted !== null) {
    const text = binder.scope.source.slice(arg.at);
    return misfit(
      "E301",
      arg.at,
      `\`${entry.name}\` expects ${wanted} for \`${param.name}\`, \`${text}\` is ${typeText(bound.type)}`,
      fitted,
      `${signature(entry)}: ${entry.summary}`,
    );
  }
  const isNull = bound.type.kind === "null" && param.of.kind === "object" ? param.of.type() : null;
  const place = bound.kind === "place" ? bound.place : undefined;
  const byAddress = param.of.kind === "lock" || param.of.kind === "atomic";
  return {
    *values() {
      if (isNull !== null) return [NULL(isNull)];
      if (byAddress && place !== undefined) return [(yield* memberAt(place)) as unknown as Value];
      return [yield* run(bound)];
    },
    from: [bound],
  };
}
/** Null if a value of this type fits; otherwise what is wanted, in words. */
function accepts(param: Param, type: Type): string | null {
  const { of } = param;
  switch (of.kind) {
    case "object": {
      if (type.kind === "null") return null;
      const cls = of.type();
      const fits = type.kind === "object" && (type.cls === cls || type.cls.prototype instanceof cls || cls === Struct);
      return fits ? null : cls === (Struct as unknown) ? "an object" : `a struct ${cls.name}`;
    }
    case "number":
    case "address":
      return type.kind === "number" || type.kind === "boolean" ? null : of.kind === "number" ? "a number" : "an address";
    case "lock":
      if (of.lock === "rwsem") return type.kind === "object" && type.cls === rw_semaphore ? null : "a rw_semaphore";
      return type.kind === of.lock ? null : `a ${of.lock}`;
    case "atomic":
      return type.kind === "atomic" ? null : "an atomic counter";
    default:
      return null;
  }
}

/** `...` for one parameter. */
function fitDefault(binder: ExpressionBinder, entry: Callable, param: Param, at: Span, fitted: number): Source | Misfit {
  const value = binder.defaultFor(param, at);
  if (value !== undefined)
    return {
      *values() {
        const values = [];
        for (const bound of value) values.push(yield* run(bound));
        return values;
      },
      from: value,
    };
  if (param.otherwise !== undefined) return constant(param.otherwise);
  const why = param.of.kind === "range" ? "nothing is mapped before this line" : `there is no default for \`${param.name}\``;
  return misfit("E308", at, `\`...\` stands for the defaults, and ${why}`, fitted, `${signature(entry)}`);
}

// ---- the call itself

const users = primitive("mm_users", (m, addr = 0) => (m.peek(addr) > 0 ? 1 : 0));

function calling(binder: ExpressionBinder, entry: Callable, sources: readonly Source[], at: Span): Bound {
  const mm = binder.currentMm();
  binder.noteCall(entry, new Map(entry.params.map((param, i) => [param.name, sources[i]?.from ?? []])));
  const { cpu } = binder;
  return {
    kind: "call",
    name: entry.name,
    type: typeOfResult(entry.result),
    at,
    *run(): Kernel<Value> {
      if (entry.needsUsers === true) yield* mustHaveUsers(mm, entry.name, cpu, at);
      const values: Value[] = [];
      for (const source of sources) values.push(...(yield* source.values()));
      return yield* (entry.run as (...args: Value[]) => Kernel<Value>)(...values);
    },
  };
}
/** A process without users is gone: nobody is left to make a system call in it. */
function* mustHaveUsers(mm: mm_struct, name: string, cpu: number, at: Span): Kernel<void> {
  const alive = yield* step({
    op: Op.silentPrimitive,
    primitive: users,
    args: [mm.mm_users.addr],
    text: () => "mm_users",
  });
  if (alive === 0)
    throw new ScriptError(
      "E242",
      at,
      `cpu${cpu} calls ${name} in a process whose last user is gone (mm_users is 0)`,
      "nobody is left to make a system call; what runs after exit is a kernel thread or a driver",
    );
}
