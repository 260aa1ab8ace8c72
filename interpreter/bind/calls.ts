/** Calls: which entry of the table a name means, and how the arguments of a script become those of the kernel. */
import type { Argument, Call } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { Callable, Param } from "../../runtime/callable.ts";
import { loadPrivate } from "../../runtime/machine/access.ts";
import { imageWriter } from "../../runtime/kernel.ts";
import { Op, primitive, step, type Kernel, type Value } from "../../runtime/machine/step.ts";
import { rw_semaphore } from "../../runtime/machine/rwsem.ts";
import { at, membersOf, NULL, Struct } from "../../runtime/machine/struct.ts";
import { current_mm, get_current, type task_struct } from "../../runtime/mm/current.ts";
import { ScriptError } from "../script-error.ts";
import { numeric, run, type Bound, type Frame } from "./expression.ts";
import { constant, misfit, TOLD, type Misfit, type Source } from "./fit.ts";
import type { ExpressionBinder } from "./names.ts";
import { passed } from "./own-calls.ts";
import { fitMapping } from "./mapping.ts";
import { fitRange } from "./ranges.ts";
import { described, isWords, signature, written } from "./signature.ts";
import { isCounter, objectType, typeOfMember, typeOfResult, typeText, type Type } from "./types.ts";
import { unknownFunction } from "./unknown.ts";

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
  const flags = entry.params.flatMap(({ of }) =>
    of.kind === "flags" || of.kind === "mapping" ? Object.keys(of.words) : [],
  );
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
  const least = params.filter((p) => p.otherwise === undefined && !isWords(p)).length;
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
    return {
      *values() {
        return [yield* current_mm()];
      },
      from: [],
    };
  }
  if (param.of.kind === "ignored" && queue[0] !== undefined && queue[0].value.kind !== "defaults") {
    queue.shift();
    return constant(0);
  }
  if (param.of.kind === "flags") return fitFlags(binder, param, queue);
  if (param.of.kind === "mapping") return fitMapping(binder, param.of, queue);
  const next = queue[0];
  if (next?.value.kind === "defaults") return fitDefault(binder, entry, param, next.value.at, fitted);
  if (next === undefined) {
    if (param.otherwise !== undefined) return constant(param.otherwise);
    return misfit("E300", at, `${takes(entry)}; \`${param.name}\` is missing`, fitted, described(entry));
  }
  if (param.of.kind === "range") return fitRange(binder, entry, param, queue, fitted);
  if (param.of.kind === "function") return fitFunction(binder, entry, param, queue, fitted);
  const source = fitValue(binder, entry, param, next, fitted);
  if (!("fitted" in source)) queue.shift();
  // It may be meant for a parameter that is still to come.
  else if (param.otherwise !== undefined && entry.params.at(-1) !== param) return constant(param.otherwise);
  return source;
}

function fitFlags(binder: ExpressionBinder, param: Param, queue: Argument[]): Source {
  if (param.of.kind !== "flags") throw new Error("not flags");
  const { words, initial, orNumber } = param.of;
  const first = queue[0];
  const isWord = first?.value.kind === "name" && Object.hasOwn(words, first.value.name);
  if (orNumber === true && first !== undefined && first.value.kind !== "defaults" && !isWord) {
    const bound = binder.bindNumber(first.value, "flags are a number");
    queue.shift();
    if (bound !== undefined)
      return {
        *values(frame) {
          return [numeric(yield* run(bound, frame))];
        },
        from: [bound],
      };
  }
  let value: number | undefined;
  for (;;) {
    const arg = queue[0]?.value;
    const word = arg?.kind === "name" ? arg.name : arg?.kind === "cpu" ? `cpu${arg.number}` : "";
    if (!Object.hasOwn(words, word)) break;
    value = (value ?? 0) | (words[word] as number);
    queue.shift();
  }
  if (queue[0]?.value.kind === "defaults") queue.length = 1;
  return constant(value ?? initial);
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
  const { of } = param;
  return {
    *values(frame) {
      if (of.kind === "number" || of.kind === "address") return [numeric(yield* run(bound, frame))];
      const value = yield* passed(bound, frame);
      if (of.kind !== "object") return [value];
      const cls = of.type();
      // A number is a pointer if the binder could not tell: NULL, or an error that ERR_PTR() made one.
      if (!(value instanceof Struct)) return [cls === (Struct as unknown) ? NULL(no_object) : at(cls, numeric(value))];
      if (bound.type.kind === "any" && !(value instanceof cls)) throw wrongObject(entry, param, value, arg.value.at);
      return [value];
    },
    from: [bound],
  };
}
class no_object extends Struct {}
/** What the binder could not know. */
function wrongObject(entry: Callable, param: Param, value: Struct, where: Span): ScriptError {
  const wanted = param.of.kind === "object" ? `a struct ${param.of.type().name}` : "another object";
  const given = `a struct ${value.constructor.name}`;
  return new ScriptError("E301", where, `\`${entry.name}\` expects ${wanted} for \`${param.name}\`, this is ${given}`);
}
/** A function of the script's that the kernel is to call. */
function fitFunction(
  binder: ExpressionBinder,
  entry: Callable,
  param: Param,
  queue: Argument[],
  fitted: number,
): Source | Misfit {
  const arg = queue[0] as Argument;
  const { value } = arg;
  const name = value.kind === "unary" && value.op === "&" ? value.operand : value;
  const definition = name.kind === "name" ? binder.scope.functions?.find(name.name) : undefined;
  if (param.of.kind !== "function" || definition === undefined) {
    const text = binder.scope.source.slice(arg.at);
    const message = `\`${entry.name}\` expects a function for \`${param.name}\`, \`${text}\` is none of this script's`;
    return misfit("E301", arg.at, message, fitted, described(entry));
  }
  queue.shift();
  const callback = binder.scope.functions?.callback(
    definition,
    param.of.params.map((type) => objectType(type())),
    arg.at,
  );
  return callback === undefined ? TOLD : constant(callback);
}
/** "did you mean `mm.mmap_sem`?", for `down_read mm`. */
function memberMeant(param: Param, type: Type, text: string): string | undefined {
  if (type.kind !== "object") return undefined;
  const members = membersOf(at(type.cls, 0)).filter(([, member]) => accepts(param, typeOfMember(member)) === null);
  const [only] = members;
  return members.length === 1 && only !== undefined ? `did you mean \`${text}.${only[0]}\`?` : undefined;
}
function isLock(type: Type): boolean {
  return ["spinlock", "mutex"].includes(type.kind) || (type.kind === "object" && type.cls === rw_semaphore);
}
/** Null if a value of this type fits; otherwise what is wanted, in words. */
function accepts(param: Param, type: Type): string | null {
  const { of } = param;
  switch (of.kind) {
    case "object": {
      if (type.kind === "null" || type.kind === "any") return null;
      const cls = of.type();
      const fits = type.kind === "object" && (type.cls === cls || type.cls.prototype instanceof cls || cls === Struct);
      return fits ? null : cls === (Struct as unknown) ? "an object" : `a struct ${cls.name}`;
    }
    case "number":
    case "address":
      return ["number", "boolean", "any"].includes(type.kind) || isCounter(type)
        ? null
        : of.kind === "number"
          ? "a number"
          : "an address";
    case "lock":
      if (type.kind === "any") return null;
      if (of.lock === "any") return isLock(type) ? null : "a lock";
      if (of.lock === "rwsem") return type.kind === "object" && type.cls === rw_semaphore ? null : "a rw_semaphore";
      return type.kind === of.lock ? null : `a ${of.lock}`;
    case "atomic":
      return type.kind === "atomic" || type.kind === "any" ? null : "an atomic counter";
    case "refcount":
      return type.kind === "refcount" || type.kind === "any" ? null : "a reference count";
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
      *values(frame) {
        const values = [];
        for (const bound of value) values.push(yield* run(bound, frame));
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

/** Which CPU is in a process without users; -1: none is. */
const users = primitive("mm_users", (m, addr = 0) => (m.peek(addr) > 0 ? -1 : m.actor));

function calling(binder: ExpressionBinder, entry: Callable, sources: readonly Source[], where: Span): Bound {
  const { image } = entry;
  if (image !== undefined) binder.scope.onSetUp((machine) => image(imageWriter(machine)));
  binder.noteCall(entry, new Map(entry.params.map((param, i) => [param.name, sources[i]?.from ?? []])));
  return {
    kind: "call",
    name: entry.name,
    type: typeOfResult(entry.result),
    at: where,
    parts: sources.flatMap((source) => source.from),
    *run(frame: Frame): Kernel<Value> {
      if (entry.needsUsers === true) yield* mustHaveUsers(yield* get_current(), entry.name, where);
      const values: Value[] = [];
      for (const source of sources) values.push(...(yield* source.values(frame)));
      return yield* (entry.run as (...args: Value[]) => Kernel<Value>)(...values);
    },
  };
}
/** A process without users is gone: nobody is left to make a system call in it. */
function* mustHaveUsers(task: task_struct, name: string, where: Span): Kernel<void> {
  if (yield* loadPrivate(task.kthread)) return; // others must have kept it alive: if not, that is the bug
  const mm = yield* loadPrivate(task.mm);
  if (mm.isNull)
    throw new ScriptError(
      "E242",
      where,
      `this CPU calls ${name}, and runs in no address space`,
      "`switch_mm mm` gives it one",
    );
  const cpu = yield* step({
    op: Op.silentPrimitive,
    primitive: users,
    args: [mm.mm_users.addr],
    text: () => "mm_users",
  });
  if (cpu >= 0)
    throw new ScriptError(
      "E242",
      where,
      `cpu${cpu} calls ${name} in a process whose last user is gone (mm_users is 0)`,
      "nobody is left to make a system call; what runs after exit is a kernel thread or a driver",
    );
}
