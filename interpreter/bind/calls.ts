/** Calls: which entry of the table a name means, and how the arguments of a script become those of the kernel. */
import type { Argument, Call, Expr } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { Callable, Param } from "../../runtime/callable.ts";
import { imageWriter } from "../../runtime/kernel.ts";
import { Op, primitive, step, type Kernel, type Value } from "../../runtime/machine/step.ts";
import { rw_semaphore } from "../../runtime/machine/rwsem.ts";
import { at, membersOf, NULL, Struct } from "../../runtime/machine/struct.ts";
import { mm_struct } from "../../runtime/mm/mm_types.ts";
import { PAGE_SIZE } from "../../runtime/mm/pgtable.ts";
import { ScriptError } from "../script-error.ts";
import { folded, memberAt, numeric, run, type Bound } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { described, signature, written } from "./signature.ts";
import { typeOfMember, typeOfResult, typeText, type Type } from "./types.ts";
import { unknownFunction } from "./unknown.ts";
import { showNumber } from "./values.ts";

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
/** An argument is wrong whatever is called, and that has been told. */
const TOLD: Misfit = { code: "", at: { start: 0, end: 0 }, message: "", fitted: -1 };

export function bindCall(binder: ExpressionBinder, call: Call): Bound | undefined {
  const { scope } = binder;
  if (call.callee.kind !== "name") {
    const text = scope.source.slice(call.callee.at);
    scope.error("E216", call.callee.at, `\`${text}\` is no function`, "a call begins with the name of one");
    return undefined;
  }
  const { name } = call.callee;
  const entries = scope.callables.get(name);
  if (entries === undefined) {
    unknownFunction(binder, name, call.callee.at, call.args, call.bare);
    return undefined;
  }
  let best: Misfit | undefined;
  const before = scope.diagnostics.length;
  for (const entry of entries) {
    const own = scope.diagnostics.length;
    const fit = fitArguments(binder, entry, call.args, call.at);
    if (!("fitted" in fit)) {
      scope.diagnostics.splice(before, own - before); // what only entries of the same name did not like
      return calling(binder, entry, fit, call.at);
    }
    if (best === undefined || fit.fitted > best.fitted) best = fit;
  }
  if (best !== undefined && best !== TOLD) scope.error(best.code, best.at, best.message, best.help);
  return undefined;
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
  const params = written(entry);
  const named = new Map<string, Argument>();
  const queue: Argument[] = [];
  for (const arg of args) {
    if (arg.name === undefined) queue.push(arg);
    else if (params.some((p) => p.name === arg.name?.name)) named.set(arg.name.name, arg);
    else {
      const meant = nearest(
        arg.name.name,
        params.map((p) => p.name),
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
  const [extra] = queue;
  if (extra === undefined || extra.value.kind === "defaults") return sources;
  return leftOver(binder, entry, extra, args.length, fitted);
}

const UNTIL_OFTEN = ["until", "till", "til", "upto"];

/** One argument too many, or a word that is none of the function's. */
function leftOver(binder: ExpressionBinder, entry: Callable, extra: Argument, given: number, fitted: number): Misfit {
  const text = binder.scope.source.slice(extra.at);
  const flags = entry.params.flatMap(({ of }) => (of.kind === "flags" ? Object.keys(of.words) : []));
  if (extra.value.kind === "name" && extra.value.name.length > 2 && nearest(text, UNTIL_OFTEN) !== undefined)
    return misfit("E300", extra.at, `${takes(entry)}, ${given} given`, fitted, "did you mean `until`?");
  if (flags.length > 0 && extra.value.kind !== "name" && given <= written(entry).length)
    return misfit("E316", extra.at, `\`${text}\` is no word that \`${entry.name}\` takes`, fitted, wordsOf(flags));
  if (flags.length === 0 || extra.value.kind !== "name")
    return misfit("E300", extra.at, `${takes(entry)}, ${given} given`, fitted, described(entry));
  const unlike = (word: string): number => Math.abs(word.length - text.length);
  const meant = nearest(
    text,
    [...flags].sort((a, b) => unlike(a) - unlike(b)),
  );
  const help = meant === undefined ? wordsOf(flags) : `did you mean \`${meant}\`?`;
  return misfit("E316", extra.at, `\`${text}\` is no word that \`${entry.name}\` takes`, fitted, help);
}
const wordsOf = (flags: readonly string[]): string => `its words are ${flags.join(", ")}`;
/** "`find_vma` takes 2 arguments (mm, addr)" */
function takes(entry: Callable): string {
  const params = written(entry);
  const least = params.filter((p) => p.otherwise === undefined && p.of.kind !== "flags").length;
  const most = params.length;
  const number = least === most ? String(most) : `${least} to ${most}`;
  const names = most === 0 ? "" : ` (${params.map((p) => p.name).join(", ")})`;
  return `\`${entry.name}\` takes ${most === 0 ? "no" : number} argument${number === "1" ? "" : "s"}${names}`;
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
  if (param.of.kind === "ignored" && queue[0] !== undefined && queue[0].value.kind !== "defaults") {
    queue.shift();
    return constant(0);
  }
  if (param.of.kind === "flags") return fitFlags(param, queue);
  const next = queue[0];
  if (next?.value.kind === "defaults") return fitDefault(binder, entry, param, next.value.at, fitted);
  if (next === undefined) {
    if (param.otherwise !== undefined) return constant(param.otherwise);
    return misfit("E300", at, `${takes(entry)}; \`${param.name}\` is missing`, fitted, described(entry));
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
    if (arg?.kind !== "name" || !Object.hasOwn(words, arg.name)) break;
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
  if (first.value.kind === "range" || (first.value.kind === "binary" && first.value.op === "+")) {
    const ends = rangeEnds(binder, first.value);
    if (ends === undefined) return TOLD;
    queue.shift();
    return readRange(binder, first.at, ends);
  }
  const second = queue[1];
  const start = binder.bindOnce(first.value);
  if (start === undefined) return TOLD;
  const end = second === undefined ? undefined : binder.bindOnce(second.value);
  if (start.type.kind === "number" && end?.type.kind === "number") {
    queue.splice(0, 2);
    return readRange(binder, first.at, [start, end]);
  }
  const text = binder.scope.source.slice(first.at);
  if (first.value.kind === "binary" && first.value.op === "-") {
    const help = `write \`${text.replace(/\s*-\s*/, "..")}\``;
    return misfit("E304", first.at, `\`${text}\` is a subtraction; a range has two dots`, fitted, help);
  }
  const help = /^\w+$/.test(text) ? `\`${text}..\` is one page, \`${text}..+8K\` two` : "a range is `start..end`";
  return misfit(
    "E303",
    first.at,
    `\`${entry.name}\` expects a range for \`${param.name}\`, \`${text}\` is ${typeText(start.type)}`,
    fitted,
    start.type.kind === "number" ? help : described(entry),
  );
}
const ENDS = "a range is made of addresses";

/** `a..b`, `a..+n`, `a..`; and, where a range is wanted, `a+n`. Undefined after an error. */
function rangeEnds(
  binder: ExpressionBinder,
  expr: Extract<Expr, { kind: "range" | "binary" }>,
): readonly [Bound, Bound] | undefined {
  const plus = (start: Bound, length: Bound): Bound =>
    folded({ kind: "binary", op: "+", left: start, right: length, type: { kind: "number" }, at: expr.at });
  const page: Bound = { kind: "constant", value: PAGE_SIZE, type: { kind: "number" }, at: expr.at };
  if (expr.kind === "binary") {
    const start = binder.bindNumber(expr.left, ENDS);
    const length = binder.bindNumber(expr.right, ENDS);
    return start === undefined || length === undefined ? undefined : [start, plus(start, length)];
  }
  const start = binder.bindNumber(expr.start, ENDS);
  if (expr.end !== undefined) {
    const end = binder.bindNumber(expr.end, ENDS);
    return start === undefined || end === undefined ? undefined : [start, end];
  }
  const length = expr.length === undefined ? page : binder.bindNumber(expr.length, ENDS);
  return start === undefined || length === undefined ? undefined : [start, plus(start, length)];
}
function readRange(binder: ExpressionBinder, at: Span, [start, end]: readonly [Bound, Bound]): Source {
  if (start.kind === "constant" && end.kind === "constant")
    checkRange(binder, at, numeric(start.value), numeric(end.value));
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
  const [low, high] = [showNumber(from), showNumber(to)];
  if (to <= from)
    scope.error(
      "E305",
      at,
      `this range is empty: its end, ${high}, is not above its start, ${low}`,
      "the end is excluded",
    );
  else if (from < 0 || to > ADDRESS_MAX)
    scope.error("E306", at, "this range leaves user memory", "user addresses are 0 to 0x7fffffffffff (2^47 - 1)");
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
  const isRange = arg.value.kind === "range";
  const bound = isRange ? undefined : binder.bindOnce(arg.value);
  if (bound === undefined && !isRange) return TOLD;
  const type: Type = bound?.type ?? { kind: "range" };
  const wanted = accepts(param, type);
  if (bound === undefined || wanted !== null) {
    const text = binder.scope.source.slice(arg.value.at);
    return misfit(
      "E301",
      arg.value.at,
      `\`${entry.name}\` expects ${wanted} for \`${param.name}\`, \`${text}\` is ${typeText(type)}`,
      fitted,
      memberMeant(param, type, text) ?? described(entry),
    );
  }
  const isNull = bound.type.kind === "null" && param.of.kind === "object" ? param.of.type() : null;
  const place = bound.kind === "place" ? bound.place : undefined;
  const isCount = param.of.kind === "atomic" || param.of.kind === "refcount"; // whose name, elsewhere, is its value
  return {
    *values() {
      if (isNull !== null) return [NULL(isNull)];
      if (isCount && place !== undefined) return [(yield* memberAt(place)) as unknown as Value];
      return [yield* run(bound)];
    },
    from: [bound],
  };
}
/** "did you mean `mm.mmap_sem`?", for `down_read mm`. */
function memberMeant(param: Param, type: Type, text: string): string | undefined {
  if (type.kind !== "object") return undefined;
  const members = membersOf(at(type.cls, 0)).filter(([, member]) => accepts(param, typeOfMember(member)) === null);
  const [only] = members;
  return members.length === 1 && only !== undefined ? `did you mean \`${text}.${only[0]}\`?` : undefined;
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
      return type.kind === "number" || type.kind === "boolean"
        ? null
        : of.kind === "number"
          ? "a number"
          : "an address";
    case "lock":
      if (of.lock === "any") {
        const isLock =
          ["spinlock", "mutex"].includes(type.kind) || (type.kind === "object" && type.cls === rw_semaphore);
        return isLock ? null : "a lock";
      }
      if (of.lock === "rwsem") return type.kind === "object" && type.cls === rw_semaphore ? null : "a rw_semaphore";
      return type.kind === of.lock ? null : `a ${of.lock}`;
    case "atomic":
      return type.kind === "atomic" ? null : "an atomic counter";
    case "refcount":
      return type.kind === "refcount" ? null : "a reference count";
    default:
      return null;
  }
}

/** `...` for one parameter. */
function fitDefault(
  binder: ExpressionBinder,
  entry: Callable,
  param: Param,
  at: Span,
  fitted: number,
): Source | Misfit {
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
  const why =
    param.of.kind === "range" ? "nothing is mapped before this line" : `there is no default for \`${param.name}\``;
  return misfit("E308", at, `\`...\` stands for the defaults, and ${why}`, fitted, `${signature(entry)}`);
}

// ---- the call itself

const users = primitive("mm_users", (m, addr = 0) => (m.peek(addr) > 0 ? 1 : 0));

function calling(binder: ExpressionBinder, entry: Callable, sources: readonly Source[], at: Span): Bound {
  const mm = binder.currentMm();
  binder.noteCall(entry, new Map(entry.params.map((param, i) => [param.name, sources[i]?.from ?? []])));
  const { cpu } = binder;
  const { image } = entry;
  if (image !== undefined) binder.scope.onSetUp((machine) => image(imageWriter(machine)));
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
