/** From an expression of the text to a bound one: what its names mean to the CPU, or in the function, that has it. */
import type { Call, Expr, Ident, Member as MemberExpr } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import { reportKinds } from "../../grammar/words.ts";
import type { Callable, Param } from "../../runtime/callable.ts";
import { at, type Member, type StructClass } from "../../runtime/machine/struct.ts";
import { task_struct } from "../../runtime/mm/current.ts";
import type { Value } from "../../runtime/machine/step.ts";
import { bindBuiltin, builtin, currentTask, isArithmetic } from "./builtins.ts";
import { bindCall } from "./calls.ts";
import { showWords } from "../show.ts";
import { ScriptError } from "../script-error.ts";
import { folded, numeric, type Bound, type Place } from "./expression.ts";
import type { Definition } from "./functions.ts";
import type { Locals } from "./locals.ts";
import { bindOwnCall } from "./own-calls.ts";
import { rangeEnds } from "./ranges.ts";
import type { Scope, Variable } from "./scope.ts";
import { ANY, BOOLEAN, compatible, isCounter, NUMBER, objectType, typeOfMember, typeText, type Type } from "./types.ts";
import { bindUnary } from "./unary.ts";
import { olderMember } from "./eras.ts";
import { membersIn } from "./members.ts";
import { existsSomewhere, unknownFunction } from "./unknown.ts";

const LAST_RESULT = "$";
/** Calls that do no more than the name of a word does. */
const READS: readonly string[] = ["READ_ONCE", "atomic_read", "refcount_read", "kref_read"];

type MakeDefault = (cls: StructClass, at: Span) => Bound | undefined;

export interface Home {
  /** The CPU whose statements these are. Neither that nor `locals`: an expectation, which belongs to nobody. */
  readonly cpu?: number | undefined;
  /** Those of the function whose body this is. */
  readonly locals?: Locals;
  readonly owner?: Definition;
  readonly kernel: string;
  /** Prepares what `...` needs and nobody has made yet; returns what to use. */
  readonly makeDefault?: MakeDefault;
}

export class ExpressionBinder {
  readonly scope: Scope;
  readonly cpu: number;
  readonly locals: Locals | undefined;
  /** The function whose body this is. */
  readonly owner: Definition | undefined;
  readonly outside: boolean;
  /** What is known of the type that is wanted: of the variable that is assigned to. */
  expected: Type | undefined;
  private readonly bound = new Map<Expr, Bound | undefined>();
  private readonly supplied = new Map<Expr, Bound>();
  readonly kernel: string;
  readonly makeDefault: MakeDefault | undefined;

  constructor(scope: Scope, home: Home) {
    this.scope = scope;
    this.cpu = home.cpu ?? 0;
    this.locals = home.locals;
    this.owner = home.owner;
    this.outside = home.cpu === undefined && home.locals === undefined;
    this.kernel = home.kernel;
    this.makeDefault = home.makeDefault;
  }

  isVariable(name: string): boolean {
    const { scope } = this;
    if (this.locals?.find(name) !== undefined || scope.findShared(name) !== undefined) return true;
    return this.locals === undefined && scope.resultsCalled(name).length > 0;
  }

  /** As `bind`, but each expression once, however often it is asked for. */
  bindOnce(expr: Expr): Bound | undefined {
    if (!this.bound.has(expr)) this.bound.set(expr, this.bind(expr));
    return this.bound.get(expr);
  }
  /** What an expression of ours, which no text has, stands for. */
  supply(expr: Expr, bound: Bound): void {
    this.supplied.set(expr, bound);
  }
  /** A number, or undefined after an error. */
  bindNumber(expr: Expr, why: string): Bound | undefined {
    const bound = this.bindOnce(expr);
    return bound !== undefined && this.isNumeric(bound, why) ? bound : undefined;
  }
  /** Something that can be tested or compared: not the result of a function that has none. */
  bindValue(expr: Expr): Bound | undefined {
    const bound = this.bind(expr);
    if (bound === undefined) return undefined;
    if (bound.type.kind !== "void" && bound.type.kind !== "string") return bound;
    // A function with a mistake in it may have lost its `return`.
    const isOwn = expr.kind === "call" && this.scope.functions?.find(this.calledName(expr.callee) ?? "") !== undefined;
    if (isOwn && this.scope.diagnostics.some(({ severity }) => severity === "error")) return undefined;
    const text = this.scope.source.slice(expr.at);
    const why = bound.type.kind === "void" ? "gives no value" : "is a string: no value that a CPU could keep";
    this.scope.error("E314", expr.at, `\`${text}\` ${why}`);
    return undefined;
  }
  /** What a function of the script takes: a range too. */
  bindArgument(expr: Expr): Bound | undefined {
    return expr.kind === "range" ? this.bindRange(expr) : this.bindValue(expr);
  }
  private bindRange(expr: Extract<Expr, { kind: "range" }>): Bound | undefined {
    const ends = rangeEnds(this, expr);
    if (ends === undefined) return undefined;
    return { kind: "range", start: ends[0], end: ends[1], type: { kind: "range" }, at: expr.at };
  }

  bind(expr: Expr): Bound | undefined {
    const { scope } = this;
    switch (expr.kind) {
      case "number":
        return { kind: "constant", value: expr.value, type: NUMBER, at: expr.at };
      case "boolean":
        return { kind: "constant", ...scope.literal(expr.value), at: expr.at };
      case "null":
        return this.supplied.get(expr) ?? { kind: "constant", ...scope.literal(null), at: expr.at };
      case "string":
        return { kind: "constant", value: expr.value, type: { kind: "string" }, at: expr.at };
      case "name":
        return this.bindName(expr.name, expr.at);
      case "result":
        return this.bindResult(LAST_RESULT, expr.at);
      case "member":
        return this.bindMember(expr);
      case "index":
        return this.bindIndex(expr.object, expr.index, expr.at);
      case "call":
        return this.bindCallExpression(expr);
      case "unary":
        return bindUnary(this, expr);
      case "binary": {
        const left = this.bindValue(expr.left);
        const right = this.bindValue(expr.right);
        if (left === undefined || right === undefined) return undefined;
        const { op } = expr;
        const type: Type = ["==", "!=", "<", "<=", ">", ">=", "&&", "||"].includes(op) ? BOOLEAN : NUMBER;
        if (type === NUMBER && !(this.isNumeric(left) && this.isNumeric(right))) return undefined;
        return this.folded({ kind: "binary", op, left, right, type, at: expr.at });
      }
      case "conditional":
        return this.bindConditional(expr);
      case "range":
        scope.error("E309", expr.at, "a range is not a value", "it stands where a function takes one");
        return undefined;
      case "defaults":
        scope.error("E310", expr.at, "`...` stands for default arguments only");
        return undefined;
      case "cpu":
        scope.error("E217", expr.at, "a CPU is not a value here", "`cpu1.ret` is a result of cpu1");
        return undefined;
      case "update": {
        const help = `on a line of its own: \`${scope.source.slice(expr.at)}\``;
        scope.error("E218", expr.at, `\`${expr.op}\` changes its operand: it stands alone, as a statement`, help);
        return undefined;
      }
      case "sizeof":
      case "type":
        scope.error("E319", expr.at, "types have no sizes here", "`kzalloc(sizeof(*p), GFP_KERNEL)` goes by the type");
        return undefined;
    }
  }
  private bindConditional(expr: Extract<Expr, { kind: "conditional" }>): Bound | undefined {
    const test = this.bindValue(expr.test);
    const yes = this.bindValue(expr.yes);
    const no = this.bindValue(expr.no);
    if (test === undefined || yes === undefined || no === undefined) return undefined;
    if (compatible(yes.type, no.type)) {
      const type = yes.type.kind === "null" || yes.type.kind === "boolean" ? no.type : yes.type;
      return { kind: "conditional", test, yes, no, type, at: expr.at };
    }
    const message = `this is ${typeText(yes.type)} or ${typeText(no.type)}; it can be one of them only`;
    this.scope.error("E315", expr.at, message);
    return undefined;
  }
  isNumeric(bound: Bound, why = "arithmetic takes numbers"): boolean {
    if (["number", "boolean", "any"].includes(bound.type.kind) || isCounter(bound.type)) return true;
    const text = this.scope.source.slice(bound.at);
    this.scope.error("E311", bound.at, `\`${text}\` is ${typeText(bound.type)}; ${why}`);
    return false;
  }

  // ---- names

  bindName(name: string, where: Span): Bound | undefined {
    const { scope } = this;
    const local = this.locals?.find(name);
    if (local !== undefined) return { kind: "place", place: { kind: "local", local }, type: local.type, at: where };
    const object = scope.findObject(name, this.locals === undefined && !this.outside ? this.cpu : undefined);
    if (object !== undefined) {
      const cls = object.constructor as StructClass;
      return { kind: "constant", value: object as Value, type: objectType(cls), at: where };
    }
    const constant = scope.constant(name);
    const variable = this.variable(name, where);
    if (variable === "ambiguous") return undefined;
    if (variable !== undefined) return this.read(variable, where);
    if (constant !== undefined) return { kind: "constant", ...constant, at: where };
    if (name === "current" && !this.outside) return currentTask(where);
    if (scope.callables.has(name) || scope.functions?.find(name) !== undefined) {
      return this.bindCallExpression({
        kind: "call",
        callee: { kind: "name", name, at: where },
        args: [],
        bare: true,
        at: where,
      });
    }
    const macro = builtin(this, name);
    if (macro !== undefined && !this.outside) {
      const callee: Expr = { kind: "name", name, at: where };
      return bindBuiltin(this, { kind: "call", callee, args: [], bare: true, at: where }, macro);
    }
    this.unknownName(name, where);
    return undefined;
  }
  unknownName(name: string, where: Span): void {
    const { scope } = this;
    if (scope.isMistaken(name)) return;
    if (existsSomewhere(this, name)) return unknownFunction(this, name, where, [], true);
    const cpu = this.outside || this.locals !== undefined ? undefined : this.cpu;
    const near = this.locals === undefined ? undefined : nearest(name, this.locals.names());
    const meant = showWords().includes(name)
      ? `show ${name}`
      : (near ?? scope.suggestion(name, cpu) ?? (this.outside ? nearest(name, reportKinds) : undefined));
    const [elsewhere] = scope.resultsCalled(name);
    const help =
      elsewhere !== undefined
        ? `\`${name}\` of cpu${elsewhere.cpu} is its own; ${oneForAll(elsewhere)}`
        : meant === undefined
          ? undefined
          : `did you mean \`${meant}\`?`;
    scope.error("E251", where, `nothing is called \`${name}\` here`, help);
  }
  private variable(name: string, where: Span): Variable | "ambiguous" | undefined {
    const { scope } = this;
    const shared = scope.findShared(name);
    if (this.locals !== undefined) return shared;
    if (!this.outside) return scope.findResult(this.cpu, name) ?? shared;
    if (shared !== undefined) return shared;
    const candidates = scope.resultsCalled(name);
    if (candidates.length <= 1) return candidates[0];
    const names = candidates.map((v) => `\`cpu${v.cpu}.${name}\``).join(" or ");
    scope.error("E252", where, `several CPUs keep a result called \`${name}\``, `${names}?`);
    return "ambiguous";
  }
  private bindResult(name: string, where: Span): Bound | undefined {
    const inBody = this.outside || this.locals !== undefined;
    const variable = inBody ? undefined : this.scope.findResult(this.cpu, name);
    if (variable !== undefined) return this.read(variable, where);
    if (!this.scope.isMistaken(LAST_RESULT))
      this.scope.error("E253", where, "`$` is the last result of this CPU, and there is none before this line");
    return undefined;
  }
  private read(variable: Variable, where: Span): Bound {
    const ref = variable.ref();
    return {
      kind: "place",
      place: { kind: "variable", ref, isPrivate: variable.cpu >= 0 },
      type: variable.type,
      at: where,
    };
  }

  private bindMember(expr: MemberExpr): Bound | undefined {
    const { scope } = this;
    if (expr.object.kind === "cpu") return this.bindResultOf(expr.object.number, expr.name, expr.at);
    if (expr.object.kind === "name" && scope.prefixes.has(`${scope.prefix}${expr.object.name}.`))
      return this.bindName(`${expr.object.name}.${expr.name.name}`, expr.at);
    const object = this.bind(expr.object);
    if (object === undefined) return undefined;
    if (object.type.kind === "range" || object.type.kind === "record") return this.bindField(object, expr);
    if (object.type.kind === "any") return this.bindAnyMember(object, expr);
    const member = this.memberOf(object, expr);
    if (member === undefined) return undefined;
    const isPrivate = object.type.kind === "object" && object.type.cls === task_struct;
    const place: Place = { kind: "member", object, name: expr.name.name, isPrivate };
    return { kind: "place", place, type: typeOfMember(member), at: expr.at };
  }
  /** Of a range, or of what the kernel hands to a callback. */
  private bindField(record: Bound, expr: MemberExpr): Bound | undefined {
    const { name, at: where } = expr.name;
    const fields = record.type.kind === "record" ? record.type.fields : RANGE_FIELDS;
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field !== undefined)
      return { kind: "place", place: { kind: "field", record, index: field.index }, type: field.type, at: expr.at };
    const help = `it has: ${Object.keys(fields).join(", ")}`;
    this.scope.error("E221", where, `${typeText(record.type)} has no member \`${name}\``, help);
    return undefined;
  }
  /** Its type shows when it runs; some type must have such a member. */
  private bindAnyMember(object: Bound, expr: MemberExpr): Bound {
    return { kind: "place", place: { kind: "member", object, name: expr.name.name }, type: ANY, at: expr.at };
  }
  private memberOf(object: Bound, expr: MemberExpr): Member | undefined {
    const { scope } = this;
    const { name, at: where } = expr.name;
    if (object.type.kind !== "object") {
      const text = scope.source.slice(expr.object.at);
      const what = text === "NULL" ? "has" : `is ${typeText(object.type)}: it has`;
      scope.error("E220", where, `\`${text}\` ${what} no members`);
      return undefined;
    }
    const { cls } = object.type;
    const members = membersIn(at(cls, 0), scope.kernel.era, scope.kernel.patches);
    const member = members.find(([known]) => known === name)?.[1];
    if (member !== undefined) return member;
    const names = members.map(([known]) => known);
    const meant = nearest(name, names);
    const help =
      olderMember(name, this.kernel, names) ??
      (meant === undefined ? `it has: ${names.join(", ")}` : `did you mean \`${meant}\`?`);
    scope.error("E221", where, `struct ${cls.name} has no member \`${name}\` in ${this.kernel}`, help);
    return undefined;
  }
  /** `cpu1.ret` */
  private bindResultOf(cpu: number, { name }: Ident, where: Span): Bound | undefined {
    const { scope } = this;
    const variable = scope.findResult(cpu, name);
    if (variable === undefined) {
      if (scope.isMistaken(name)) return undefined;
      const meant = nearest(name, scope.namesOf(cpu));
      const help = meant === undefined ? undefined : `did you mean \`cpu${cpu}.${meant}\`?`;
      scope.error("E254", where, `cpu${cpu} keeps no result called \`${name}\``, help);
      return undefined;
    }
    if (this.outside || (cpu === this.cpu && this.locals === undefined)) return this.read(variable, where);
    const help = oneForAll(variable);
    const who = this.locals === undefined ? `cpu${this.cpu}` : "a function";
    scope.error("E219", where, `\`${name}\` of cpu${cpu} is its own: ${who} cannot get at it`, help);
    return undefined;
  }
  private bindIndex(arrayExpr: Expr, indexExpr: Expr, where: Span): Bound | undefined {
    const array = this.bind(arrayExpr);
    const index = this.bindNumber(indexExpr, "an index is a number");
    if (array === undefined || index === undefined) return undefined;
    // A number may be the address of an array: `range.pfns` is one.
    const isAddress = array.type.kind === "number" && array.kind === "place";
    if (array.type.kind !== "array" && array.type.kind !== "any" && !isAddress) {
      const text = this.scope.source.slice(arrayExpr.at);
      this.scope.error("E222", arrayExpr.at, `\`${text}\` is ${typeText(array.type)}, not an array`);
      return undefined;
    }
    return { kind: "place", place: { kind: "element", array, index }, type: NUMBER, at: where };
  }

  // ---- calls

  private bindCallExpression(call: Call): Bound | undefined {
    const { scope } = this;
    const name = this.calledName(call.callee);
    if (this.outside) {
      if (name !== undefined && isArithmetic(name)) return bindBuiltin(this, call, builtin(this, name));
      this.noCallHere(call);
      return undefined;
    }
    const definition = name === undefined ? undefined : scope.functions?.find(name);
    if (definition !== undefined) return bindOwnCall(this, call, definition);
    const known = name === undefined ? undefined : builtin(this, name);
    if (known !== undefined) return bindBuiltin(this, call, known);
    return bindCall(this, call);
  }
  /** `f`, and `g.f` of a file included as g. */
  private calledName(callee: Expr): string | undefined {
    if (callee.kind === "name") return callee.name;
    if (callee.kind !== "member" || callee.object.kind !== "name") return undefined;
    return `${callee.object.name}.${callee.name.name}`;
  }

  private noCallHere(call: Call): void {
    const text = this.scope.source.slice(call.at);
    const [arg] = call.args;
    const isRead = call.callee.kind === "name" && READS.includes(call.callee.name) && call.args.length === 1;
    const argument = arg === undefined ? "" : this.scope.source.slice(arg.at).replace(/^&/, "");
    const isFrequency = call.callee.kind === "name" && /^(always|never)$/.test(call.callee.name);
    const help = isRead
      ? `write \`${argument}\``
      : isFrequency
        ? `of the end of every run: \`expect CONDITION\`; of every state: \`${text.split(" ", 1)[0]} CONDITION\``
        : "call it before, and keep the result: `ret = ...`";
    this.scope.error("E224", call.at, `an expectation only looks at the state; \`${text}\` would call something`, help);
  }

  /** What a later `...` in the text stands for follows from the calls before it. */
  noteCall(entry: Callable, args: ReadonlyMap<string, readonly Bound[]>): void {
    const { scope } = this;
    const ends = entry.maps === undefined ? undefined : args.get(entry.maps);
    const [start, end] = ends ?? [];
    if (start?.kind === "constant" && end?.kind === "constant")
      scope.lastRange = [numeric(start.value), numeric(end.value)];
    const registered = entry.registers === undefined ? undefined : args.get(entry.registers)?.[0];
    if (registered?.type.kind === "object" && registered.kind === "constant")
      scope.lastRegistered.set(registered.type.cls, registered);
  }
  /** What `...` stands for in the place of one parameter; a range is two numbers. */
  defaultFor(param: Param, where: Span): readonly Bound[] | undefined {
    const { scope } = this;
    if (param.of.kind === "range")
      return scope.lastRange?.map((value) => ({ kind: "constant", value, type: NUMBER, at: where }));
    if (param.of.kind !== "object") return undefined;
    const cls = param.of.type();
    const object = scope.lastRegistered.get(cls) ?? this.makeDefault?.(cls, where);
    return object === undefined ? undefined : [object];
  }

  folded(expr: Extract<Bound, { kind: "unary" | "binary" }>): Bound | undefined {
    try {
      return folded(expr);
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      this.scope.error(error.code, error.at, error.message, error.help);
      return undefined;
    }
  }
}

const RANGE_FIELDS: Readonly<Record<string, { readonly index: number; readonly type: Type }>> = {
  start: { index: 0, type: NUMBER },
  end: { index: 1, type: NUMBER },
};

/** What makes a CPU's own result everybody's. */
function oneForAll({ name, type }: Variable): string {
  const declaration = type.kind === "object" ? `struct ${type.cls.name} *${name};` : `var ${name} = 0`;
  return `\`${declaration}\` at the top makes it one word for all CPUs`;
}
