/**
 * Statements of a CPU as a function of the machine. They become a flat list of instructions, and each instruction is
 * left by a tail call to the next: so where a CPU stands is (instruction, what this one has read so far), a loop comes
 * back to the same place, and nothing read by a finished statement is remembered.
 */
import type { Assign, Block, Expr, Statement } from "../../grammar/ast.ts";
import type { SourceText, Span } from "../../grammar/span.ts";
import { store, storePrivate } from "../../runtime/machine/access.ts";
import { BUG_ON } from "../../runtime/machine/bug.ts";
import type { AnyBody } from "../../runtime/machine/function.ts";
import { BLOCKED, Op, primitive, step, type Call, type Kernel, type Value } from "../../runtime/machine/step.ts";
import type { Ref } from "../../runtime/machine/struct.ts";
import type { Code } from "../program.ts";
import { ScriptError } from "../script-error.ts";
import { isWord } from "./builtins.ts";
import { firstCall, look, memberAt, run, truth, type Bound, type Place } from "./expression.ts";
import type { ExpressionBinder } from "./names.ts";
import { compatible, isCounter, NUMBER, typeOfKept, typeText, type Type } from "./types.ts";

type Instruction =
  | { readonly kind: "do"; readonly at: Span; readonly run: () => Kernel<void> }
  | { readonly kind: "branch"; readonly at: Span; readonly test: Bound; yes: number; no: number }
  | { readonly kind: "jump"; readonly at: Span; to: number };

const NOWHERE = -1;
const END = Number.MAX_SAFE_INTEGER;

export class CodeBinder {
  private readonly names: ExpressionBinder;
  private readonly code: Instruction[] = [];
  private readonly statements: number[] = [];
  private statement = -1;
  private readonly labels = new Map<string, { at: number; used: boolean; where: Span }>();
  private readonly gotos: { label: string; jump: Extract<Instruction, { kind: "jump" }> }[] = [];
  private readonly loops: { breaks: { to: number }[]; continues: { to: number }[] }[] = [];

  constructor(names: ExpressionBinder) {
    this.names = names;
  }

  /** The top-level statements of a CPU. */
  addStatements(statements: readonly Statement[]): void {
    for (const statement of statements) {
      this.statement++;
      this.add(statement);
    }
  }

  finish(fn: number): { code: Code; body: AnyBody } {
    this.resolveGotos();
    const { code, statements } = this;
    const places = code.map((instruction) => instruction.at);
    return {
      code: { fn, places, statements: [...statements] },
      body: bodyOf(fn, code, this.names.scope.source) as AnyBody,
    };
  }
  private resolveGotos(): void {
    const { scope } = this.names;
    for (const { label, jump } of this.gotos) {
      const target = this.labels.get(label);
      if (target === undefined) continue; // the grammar has said so
      jump.to = target.at;
      target.used = true;
    }
    for (const [name, label] of this.labels)
      if (!label.used) scope.warning("E231", label.where, `nothing goes to the label \`${name}\``);
  }

  private emit<I extends Instruction>(instruction: I): I {
    this.code.push(instruction);
    this.statements.push(this.statement);
    return instruction;
  }
  private get here(): number {
    return this.code.length;
  }

  private add(statement: Statement): void {
    const { scope } = this.names;
    if ("until" in statement && statement.until !== undefined) {
      const help = "put it behind the `}`, or give this statement a line of its own";
      scope.error("E234", statement.until.at, "`until` leads a CPU from outside: it cannot stand inside a block", help);
      return;
    }
    switch (statement.kind) {
      case "block":
        return this.addBlock(statement);
      case "expression":
        return this.addExpression(statement.expr);
      case "assign":
        return this.addAssign(statement);
      case "if":
        return this.addIf(statement);
      case "switch":
        return this.addSwitch(statement);
      case "while":
        return this.addLoop(statement.test, statement.body, [], statement.at);
      case "doWhile":
        return this.addDoWhile(statement.body, statement.test, statement.at);
      case "for":
        for (const s of statement.first) this.add(s);
        return this.addLoop(statement.test, statement.body, statement.next, statement.at);
      case "label":
        this.labels.set(statement.name.name, { at: this.here, used: false, where: statement.at });
        return;
      case "goto": {
        const jump = this.emit({ kind: "jump" as const, at: statement.at, to: NOWHERE });
        this.gotos.push({ label: statement.label.name, jump });
        return;
      }
      case "return":
        this.addReturn(statement.value, statement.at);
        return;
      case "break":
        this.loops.at(-1)?.breaks.push(this.emit({ kind: "jump" as const, at: statement.at, to: NOWHERE }));
        return;
      case "continue":
        // One outside a loop the grammar has refused.
        this.loops.at(-1)?.continues.push(this.emit({ kind: "jump" as const, at: statement.at, to: NOWHERE }));
        return;
      case "wait":
      case "assume":
      case "assert":
        return this.addCondition(statement.kind, statement.test, statement.at);
      default:
        if ("name" in statement) scope.addMistaken(statement.name.name);
        scope.error("E290", statement.at, `this version has no ${WHAT[statement.kind] ?? "use for this here"} yet`);
    }
  }
  private addBlock(block: Block): void {
    for (const statement of block.statements) this.add(statement);
  }

  // ---- simple statements

  private addExpression(expr: Expr): void {
    if (expr.kind === "update") {
      const one: Expr = { kind: "number", value: 1, at: expr.at };
      const op = expr.op === "++" ? "+=" : "-=";
      this.addAssign({ kind: "assign", target: expr.operand, op, value: one, until: undefined, at: expr.at });
      return;
    }
    const bound = this.names.bind(expr);
    if (bound === undefined) return this.names.scope.addMistaken("$");
    const keep =
      bound.type.kind === "void" || bound.type.kind === "string" ? undefined : this.resultPlace("$", bound.type);
    this.emit({
      kind: "do",
      at: expr.at,
      *run() {
        const value = yield* run(bound);
        if (keep !== undefined) yield* storePrivate(keep, value);
      },
    });
  }
  private resultPlace(name: string, type: Type): Ref<Value> {
    return this.names.scope.resultOf(this.names.cpu, name, type).ref() as Ref<Value>;
  }

  private addAssign(statement: Assign): void {
    const value = this.assigned(statement.value);
    if (value === undefined) {
      if (statement.target.kind === "name") this.names.scope.addMistaken(statement.target.name);
      return;
    }
    const place = this.target(statement, typeOfKept(value.type));
    if (place === undefined) return;
    const { op } = statement;
    const combined: Bound =
      op === "="
        ? value
        : {
            kind: "binary",
            op: op.slice(0, -1) as "+",
            left: { kind: "place", place, type: NUMBER, at: statement.target.at },
            right: value,
            type: NUMBER,
            at: statement.at,
          };
    this.emit({ kind: "do", at: statement.at, run: () => assign(place, combined) });
  }
  private assigned(expr: Assign["value"]): Bound | undefined {
    const { scope } = this.names;
    if (expr.kind === "init") {
      scope.error("E290", expr.at, "this version has no objects local to a call yet");
      return undefined;
    }
    const value = this.names.bindValue(expr);
    if (value === undefined || !["array", "spinlock", "mutex"].includes(value.type.kind)) return value;
    const text = scope.source.slice(expr.at);
    scope.error("E314", expr.at, `\`${text}\` is ${typeText(value.type)}: it can be passed on, not kept`);
    return undefined;
  }
  private target(statement: Assign, type: Type): Place | undefined {
    const { scope } = this.names;
    const { target } = statement;
    if (target.kind === "name") {
      const { name } = target;
      const shared = scope.shared.get(name);
      if (shared !== undefined) {
        if (!this.mayHold(name, shared.type, type, statement.value.at)) return undefined;
        return { kind: "variable", ref: shared.ref(), isPrivate: false };
      }
      if (scope.objects.has(name)) {
        const help = "its members can, and a result is kept in a name of its own";
        scope.error("E225", target.at, `\`${name}\` is an object; it cannot be assigned to`, help);
        return undefined;
      }
      if (statement.op !== "=" && scope.findResult(this.names.cpu, name) === undefined) {
        this.names.unknownName(name, target.at);
        return undefined;
      }
      const known = scope.findResult(this.names.cpu, name);
      if (known !== undefined && !this.mayHold(name, known.type, type, statement.value.at)) return undefined;
      const variable = scope.resultOf(this.names.cpu, name, type);
      return { kind: "variable", ref: variable.ref(), isPrivate: true };
    }
    const bound = this.names.bind(target);
    if (bound === undefined) return undefined;
    const text = scope.source.slice(target.at);
    if (isWord(bound)) return this.mayHold(text, bound.type, type, statement.value.at) ? bound.place : undefined;
    const change = CHANGES[statement.op] ?? "set";
    const help = isCounter(bound.type)
      ? `\`${bound.type.kind}_${change}(&${text}${change === "set" ? ", VALUE" : ""})\``
      : undefined;
    scope.error(
      "E226",
      target.at,
      `\`${text}\` ${help === undefined ? "" : "is a counter: it "}cannot be assigned to`,
      help,
    );
    return undefined;
  }
  private mayHold(name: string, type: Type, value: Type, at: Span): boolean {
    if (compatible(type, value)) return true;
    const message = `\`${name}\` is ${typeText(type)}; this is ${typeText(value)}`;
    this.names.scope.error("E315", at, message);
    return false;
  }

  private addReturn(value: Expr | undefined, at: Span): void {
    if (value !== undefined) this.addExpression(value);
    this.emit({ kind: "jump", at, to: END });
  }

  private addCondition(kind: "wait" | "assume" | "assert", expr: Expr, at: Span): void {
    const test = this.names.bindValue(expr);
    if (test === undefined) return;
    const text = this.names.scope.source.slice(expr.at);
    if (kind === "assert") {
      this.emit({
        kind: "do",
        at,
        *run() {
          yield* BUG_ON(!truth(yield* run(test)), `assert ${text}`);
        },
      });
      return;
    }
    const call = firstCall(test);
    if (call !== undefined) {
      const message = `\`${kind}\` looks at the state in one step; it cannot call \`${call.name}\``;
      this.names.scope.error(
        "E224",
        call.at,
        message,
        "names and members are read as they stand: `wait mm.mm_users == 1`",
      );
      return;
    }
    const guard = primitive(kind, (m) => {
      if (truth(look(test, m))) return 0;
      return kind === "wait" ? BLOCKED : m.fail("pruned", text);
    });
    this.emit({
      kind: "do",
      at,
      *run() {
        yield* step({ op: Op.primitive, primitive: guard, text: () => `${kind} ${text}` });
      },
    });
  }

  // ---- compound statements

  private branch(test: Expr, at: Span): Extract<Instruction, { kind: "branch" }> | undefined {
    const bound = this.names.bindValue(test);
    if (bound === undefined) return undefined;
    return this.emit({ kind: "branch" as const, at, test: bound, yes: this.here + 1, no: NOWHERE });
  }
  private addIf(statement: Extract<Statement, { kind: "if" }>): void {
    const ends: { to: number }[] = [];
    for (const arm of statement.arms) {
      const branch = this.branch(arm.test, arm.test.at);
      this.addBlock(arm.body);
      ends.push(this.emit({ kind: "jump", at: arm.at, to: NOWHERE }));
      if (branch !== undefined) branch.no = this.here;
    }
    if (statement.otherwise !== undefined) this.addBlock(statement.otherwise);
    for (const end of ends) end.to = this.here;
  }
  private addSwitch(statement: Extract<Statement, { kind: "switch" }>): void {
    const ends: { to: number }[] = [];
    const fallback = statement.arms.find((arm) => arm.isDefault);
    for (const arm of statement.arms) {
      if (arm === fallback) continue;
      const tests = arm.values.map((value): Expr => ({
        kind: "binary",
        op: "==",
        left: statement.value,
        right: value,
        at: value.at,
      }));
      const test = tests.reduce((left, right) => ({ kind: "binary", op: "||", left, right, at: arm.at }));
      const branch = this.branch(test, arm.at);
      this.addBlock(arm.body);
      ends.push(this.emit({ kind: "jump", at: arm.at, to: NOWHERE }));
      if (branch !== undefined) branch.no = this.here;
    }
    if (fallback !== undefined) this.addBlock(fallback.body);
    for (const end of ends) end.to = this.here;
  }
  private addLoop(test: Expr | undefined, body: Block, next: readonly Statement[], at: Span): void {
    const top = this.here;
    const branch = test === undefined ? undefined : this.branch(test, test.at);
    const loop = { breaks: [] as { to: number }[], continues: [] as { to: number }[] };
    this.loops.push(loop);
    this.addBlock(body);
    this.loops.pop();
    for (const jump of loop.continues) jump.to = this.here;
    for (const statement of next) this.add(statement);
    this.emit({ kind: "jump", at, to: top });
    if (branch !== undefined) branch.no = this.here;
    for (const jump of loop.breaks) jump.to = this.here;
  }
  private addDoWhile(body: Block, test: Expr, at: Span): void {
    const top = this.here;
    const loop = { breaks: [] as { to: number }[], continues: [] as { to: number }[] };
    this.loops.push(loop);
    this.addBlock(body);
    this.loops.pop();
    for (const jump of loop.continues) jump.to = this.here;
    const branch = this.branch(test, at);
    if (branch !== undefined) {
      branch.yes = top;
      branch.no = this.here;
    }
    for (const jump of loop.breaks) jump.to = this.here;
  }
}

/** How counters are changed instead. */
const CHANGES: Readonly<Partial<Record<Assign["op"], string>>> = { "+=": "inc", "-=": "dec" };

/** What a statement is called in a message, where its kind is no word of the language. */
const WHAT: Readonly<Partial<Record<Statement["kind"], string>>> = {
  forIn: "`for ... in`",
  forEach: "list walks",
  declare: "declarations of a CPU's own",
  fn: "functions of your own",
  struct: "structs of your own",
  ops: "callbacks of your own",
  patch: "patches of your own",
  forKernel: "`for kernel`",
  fail: "`fail`",
  sanitizer: "`sanitizer`",
};

function* assign(place: Place, value: Bound): Kernel<void> {
  const result = yield* run(value);
  const ref = (yield* memberAt(place)) as Ref<Value>;
  if (place.kind === "variable" && place.isPrivate) yield* storePrivate(ref, result);
  else yield* store(ref, result);
}

/** A mistake that shows only when it runs is in the file that the statement stands in. */
function* placed<R>(source: SourceText, body: Kernel<R>): Kernel<R> {
  try {
    return yield* body;
  } catch (error) {
    throw error instanceof ScriptError ? error.in(source) : error;
  }
}

function bodyOf(fn: number, code: readonly Instruction[], source: SourceText): (pc: number) => Kernel<void> {
  function* goTo(pc: number): Kernel<void> {
    const request: Call = { op: Op.tailCall, fn: { id: fn, name: "" }, args: [pc] };
    return yield request;
  }
  return function* (start: number): Kernel<void> {
    let pc = start;
    for (;;) {
      const instruction = code[pc];
      if (instruction === undefined) return;
      if (instruction.kind === "do") {
        yield* placed(source, instruction.run());
        return yield* goTo(pc + 1);
      }
      if (instruction.kind === "branch") {
        const holds = truth(yield* placed(source, run(instruction.test)));
        return yield* goTo(holds ? instruction.yes : instruction.no);
      }
      if (instruction.to <= pc) return yield* goTo(instruction.to); // so that an idle loop is seen from outside
      pc = instruction.to;
    }
  };
}
