/** From an expression of the text to a bound one: what its names mean on the CPU that runs it. */
import type { Expr, Member as MemberExpr, Call } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { Callable, Param } from "../../runtime/callable.ts";
import { at, membersOf, type StructClass } from "../../runtime/machine/struct.ts";
import type { Value } from "../../runtime/machine/step.ts";
import type { mm_struct } from "../../runtime/mm/mm_types.ts";
import { bindBuiltin, isBuiltin } from "./builtins.ts";
import { bindCall } from "./calls.ts";
import { constantValue, numeric, type Bound, type Place } from "./expression.ts";
import type { Scope, Variable } from "./scope.ts";
import { BOOLEAN, NUMBER, typeOfMember, typeText, type Type } from "./types.ts";

const LAST_RESULT = "$";

export class ExpressionBinder {
  readonly scope: Scope;
  /** The CPU whose code this is; undefined in expectations, which belong to none. */
  readonly cpu: number;
  readonly outside: boolean;
  readonly kernel: string;
  /** Prepares what `...` needs and nobody has made yet; returns what to use. */
  readonly makeDefault: ((cls: StructClass, at: Span) => Bound | undefined) | undefined;

  constructor(
    scope: Scope,
    options: {
      cpu: number | undefined;
      kernel: string;
      makeDefault?: (cls: StructClass, at: Span) => Bound | undefined;
    },
  ) {
    this.scope = scope;
    this.cpu = options.cpu ?? 0;
    this.outside = options.cpu === undefined;
    this.kernel = options.kernel;
    this.makeDefault = options.makeDefault;
  }

  currentMm(): mm_struct {
    return this.scope.objects.get("mm") as mm_struct;
  }
  isVariable(name: string): boolean {
    return this.scope.shared.has(name) || this.scope.resultsCalled(name).length > 0;
  }

  /** As `bind`; for callers that go on without the value. Errors are in the scope's list either way. */
  tryBind(expr: Expr): Bound | undefined {
    return this.bind(expr);
  }

  bind(expr: Expr): Bound | undefined {
    const { scope } = this;
    switch (expr.kind) {
      case "number":
        return { kind: "constant", value: expr.value, type: NUMBER, at: expr.at };
      case "boolean":
        return { kind: "constant", ...scope.literal(expr.value), at: expr.at };
      case "null":
        return { kind: "constant", ...scope.literal(null), at: expr.at };
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
        return this.bindUnary(expr);
      case "binary": {
        const left = this.bind(expr.left);
        const right = this.bind(expr.right);
        if (left === undefined || right === undefined) return undefined;
        const { op } = expr;
        const type: Type = ["==", "!=", "<", "<=", ">", ">=", "&&", "||"].includes(op) ? BOOLEAN : NUMBER;
        if (type === NUMBER && !(this.isNumeric(left) && this.isNumeric(right))) return undefined;
        return folded({ kind: "binary", op, left, right, type, at: expr.at });
      }
      case "conditional": {
        const test = this.bind(expr.test);
        const yes = this.bind(expr.yes);
        const no = this.bind(expr.no);
        if (test === undefined || yes === undefined || no === undefined) return undefined;
        return { kind: "conditional", test, yes, no, type: yes.type, at: expr.at };
      }
      case "range":
        scope.error("E309", expr.at, "a range is not a value", "it stands where a function takes one");
        return undefined;
      case "defaults":
        scope.error("E310", expr.at, "`...` stands for default arguments only");
        return undefined;
      case "cpu":
        scope.error("E217", expr.at, "a CPU is not a value here", "`cpu1.ret` is a result of cpu1");
        return undefined;
      case "update":
        scope.error("E218", expr.at, `\`${expr.op}\` changes its operand: it stands alone, as a statement`);
        return undefined;
      default:
        scope.error("E290", expr.at, "this version does not know what to do with this here");
        return undefined;
    }
  }
  private isNumeric(bound: Bound): boolean {
    if (["number", "boolean", "atomic"].includes(bound.type.kind)) return true;
    const text = this.scope.source.slice(bound.at);
    this.scope.error("E311", bound.at, `\`${text}\` is ${typeText(bound.type)}; arithmetic takes numbers`);
    return false;
  }

  // ---- names

  bindName(name: string, where: Span): Bound | undefined {
    const { scope } = this;
    const object = scope.objects.get(name);
    if (object !== undefined) {
      const cls = object.constructor as StructClass;
      return { kind: "constant", value: object as Value, type: { kind: "object", cls }, at: where };
    }
    const constant = scope.constant(name);
    const variable = this.variable(name, where);
    if (variable === "ambiguous") return undefined;
    if (variable !== undefined) return this.read(variable, where);
    if (constant !== undefined) return { kind: "constant", ...constant, at: where };
    if (scope.callables.has(name)) {
      return this.bindCallExpression({ kind: "call", callee: { kind: "name", name, at: where }, args: [], bare: true, at: where });
    }
    const meant = scope.suggestion(name, this.outside ? undefined : this.cpu);
    const help = meant === undefined ? undefined : `did you mean \`${meant}\`?`;
    scope.error("E251", where, `nothing is called \`${name}\` here`, help);
    return undefined;
  }
  private variable(name: string, where: Span): Variable | "ambiguous" | undefined {
    const { scope } = this;
    if (!this.outside) return scope.findResult(this.cpu, name) ?? scope.shared.get(name);
    const shared = scope.shared.get(name);
    if (shared !== undefined) return shared;
    const candidates = scope.resultsCalled(name);
    if (candidates.length <= 1) return candidates[0];
    const names = candidates.map((v) => `\`cpu${v.cpu}.${name}\``).join(" or ");
    scope.error("E252", where, `several CPUs have a \`${name}\``, `${names}?`);
    return "ambiguous";
  }
  private bindResult(name: string, where: Span): Bound | undefined {
    const variable = this.outside ? undefined : this.scope.findResult(this.cpu, name);
    if (variable !== undefined) return this.read(variable, where);
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
    if (expr.object.kind === "cpu") {
      const variable = scope.findResult(expr.object.number, expr.name.name);
      if (variable !== undefined) {
        if (this.outside || expr.object.number === this.cpu) return this.read(variable, expr.at);
        scope.error("E219", expr.at, "a result of another CPU cannot be read while CPUs run", "share it with `var`");
        return undefined;
      }
      scope.error("E254", expr.at, `cpu${expr.object.number} keeps no result called \`${expr.name.name}\``);
      return undefined;
    }
    const object = this.bind(expr.object);
    if (object === undefined) return undefined;
    const text = scope.source.slice(expr.object.at);
    if (object.type.kind !== "object") {
      scope.error("E220", expr.name.at, `\`${text}\` is ${typeText(object.type)}: it has no members`);
      return undefined;
    }
    const { cls } = object.type;
    const members = membersOf(at(cls, 0));
    const member = members.find(([name]) => name === expr.name.name)?.[1];
    if (member === undefined) {
      const meant = nearest(
        expr.name.name,
        members.map(([name]) => name),
      );
      const help = meant === undefined ? `it has: ${members.map(([name]) => name).join(", ")}` : `did you mean \`${meant}\`?`;
      scope.error("E221", expr.name.at, `struct ${cls.name} has no member \`${expr.name.name}\` in ${this.kernel}`, help);
      return undefined;
    }
    const place: Place = { kind: "member", object, name: expr.name.name };
    return { kind: "place", place, type: typeOfMember(member), at: expr.at };
  }
  private bindIndex(arrayExpr: Expr, indexExpr: Expr, where: Span): Bound | undefined {
    const array = this.bind(arrayExpr);
    const index = this.bind(indexExpr);
    if (array === undefined || index === undefined) return undefined;
    if (array.type.kind !== "array") {
      const text = this.scope.source.slice(arrayExpr.at);
      this.scope.error("E222", where, `\`${text}\` is ${typeText(array.type)}, not an array`);
      return undefined;
    }
    return { kind: "place", place: { kind: "element", array, index }, type: NUMBER, at: where };
  }

  private bindUnary(expr: Extract<Expr, { kind: "unary" }>): Bound | undefined {
    const operand = this.bind(expr.operand);
    if (operand === undefined) return undefined;
    switch (expr.op) {
      case "&": // the address of an object, an embedded struct or a lock: that is what its name stands for
      case "+":
        return operand;
      case "*":
        this.scope.error("E223", expr.at, "a pointer is followed with `.` or `->`, not with `*`");
        return undefined;
      case "!":
        return folded({ kind: "unary", op: "!", operand, type: BOOLEAN, at: expr.at });
      default:
        if (!this.isNumeric(operand)) return undefined;
        return folded({ kind: "unary", op: expr.op, operand, type: NUMBER, at: expr.at });
    }
  }

  // ---- calls

  private bindCallExpression(call: Call): Bound | undefined {
    if (this.outside) {
      const text = this.scope.source.slice(call.at);
      this.scope.error("E224", call.at, `an expectation looks at the state; \`${text}\` would call something`);
      return undefined;
    }
    if (call.callee.kind === "name" && isBuiltin(call.callee.name)) return bindBuiltin(this, call, call.callee.name);
    return bindCall(this, call);
  }

  /** What a later `...` in the text stands for follows from the calls before it. */
  noteCall(entry: Callable, args: ReadonlyMap<string, readonly Bound[]>): void {
    const { scope } = this;
    const ends = entry.maps === undefined ? undefined : args.get(entry.maps);
    const [start, end] = ends ?? [];
    if (start?.kind === "constant" && end?.kind === "constant") scope.lastRange = [numeric(start.value), numeric(end.value)];
    const registered = entry.registers === undefined ? undefined : args.get(entry.registers)?.[0];
    if (registered?.type.kind === "object") scope.lastRegistered.set(registered.type.cls, registered);
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
}

/** Constants are worked out at once, so that `0x1000 + 2 * PAGE_SIZE` is a constant like any other. */
function folded(expr: Bound): Bound {
  const isConstant = (b: Bound): boolean => b.kind === "constant";
  if (expr.kind === "unary" && isConstant(expr.operand))
    return { kind: "constant", value: constantValue(expr), type: expr.type, at: expr.at };
  if (expr.kind === "binary" && isConstant(expr.left) && isConstant(expr.right) && expr.op !== "/" && expr.op !== "%")
    return { kind: "constant", value: constantValue(expr), type: expr.type, at: expr.at };
  return expr;
}
