/** Statements of a CPU, or of a function, as instructions. */
import type { Block, Expr, Statement } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { storePrivate } from "../../runtime/machine/access.ts";
import { BUG } from "../../runtime/machine/bug.ts";
import type { AnyBody } from "../../runtime/machine/function.ts";
import { BLOCKED, Op, primitive, step, type Kernel, type Value } from "../../runtime/machine/step.ts";
import type { Ref } from "../../runtime/machine/struct.ts";
import type { Code } from "../program.ts";
import { assignTo, bindAssign } from "./assign.ts";
import { declareByMacro, declareLocals, isObjectDeclaration } from "./declarations.ts";
import { firstCall, look, run, truth, type Bound, type Frame, type Local } from "./expression.ts";
import { bindFail } from "./failures.ts";
import { bodyOf, landing, NOWHERE, reachable, type Branch, type Instruction, type Jump } from "./instructions.ts";
import { addForEach, addForIn } from "./loops.ts";
import type { ExpressionBinder } from "./names.ts";
import { BOOLEAN, compatible, NUMBER, typeOfKept, typeText, VOID, type Type } from "./types.ts";

/** An instruction without what the binder adds. */
type Draft<I> = I extends Instruction ? Omit<I, "statement"> : never;

interface Loop {
  readonly breaks: { to: number }[];
  readonly continues: { to: number }[];
}

export class CodeBinder {
  readonly names: ExpressionBinder;
  private readonly code: Instruction[] = [];
  private statement = -1;
  private readonly labels = new Map<string, { at: number; used: boolean; where: Span }>();
  private readonly gotos: { label: string; jump: Jump }[] = [];
  private readonly loops: Loop[] = [];
  /** `return`s in a CPU's block: they end the block. */
  private readonly returns: Jump[] = [];
  /** How many were made: each has a name of its own. */
  private temporaries = 0;
  /** What the function returns, as far as is known; of a CPU's statements nothing. */
  private returned: Type | undefined;

  constructor(names: ExpressionBinder) {
    this.names = names;
    // The parameters are given at instruction 0: no loop may come back to it.
    if (names.locals !== undefined) this.emit({ kind: "jump", at: { start: 0, end: 0 }, to: 1, isGoto: false });
  }

  /** The top-level statements of a CPU, or of a function. */
  addStatements(statements: readonly Statement[]): void {
    for (const statement of statements) {
      this.statement++;
      this.add(statement);
    }
    for (const jump of this.returns.splice(0)) jump.to = this.here;
  }
  /** `params`: how many of the locals are parameters. */
  finish(fn: number, params = 0): { code: Code; body: AnyBody } {
    this.resolveGotos();
    this.warnOfUnreachable();
    const { code } = this;
    const { scope } = this.names;
    return {
      code: {
        fn,
        places: code.map((instruction) => instruction.at),
        statements: code.map((instruction) => instruction.statement),
      },
      body: bodyOf({
        fn,
        code,
        source: scope.source,
        locals: this.names.locals?.all ?? [],
        params,
        result: () => this.names.owner?.returns ?? this.result,
      }),
    };
  }
  /** What it returns, as far as it has been read. */
  get result(): Type {
    return this.returned ?? VOID;
  }
  /** Which instruction each label stands for. */
  labelPlaces(): ReadonlyMap<string, number> {
    return new Map([...this.labels].map(([name, label]) => [name, landing(this.code, label.at)]));
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
      if (!label.used && !scope.untilLabels.has(name))
        scope.warning("E231", label.where, `nothing goes to the label \`${name}\``);
  }
  /** Of statements that nothing leads to, the first of each run of them. */
  private warnOfUnreachable(): void {
    const { scope } = this.names;
    // Where a condition was mistaken nobody knows what is reached.
    if (scope.isIncomplete || scope.diagnostics.some((d) => d.severity === "error")) return;
    const reached = reachable(this.code);
    // A statement may be made of several: a walk goes on behind a body that always leaves.
    const placeOf = ({ at }: Instruction): string => `${at.start} ${at.end}`;
    const places = new Set(this.code.filter((_, pc) => reached.has(pc)).map(placeOf));
    let told = false;
    this.code.forEach((instruction, pc) => {
      if (instruction.kind === "jump" && !instruction.isGoto) return; // of ours
      if (reached.has(pc) || places.has(placeOf(instruction))) told = false;
      else if (!told) {
        told = true;
        scope.warning("E236", instruction.at, "no path leads to this statement");
      }
    });
  }

  emit<I extends Instruction>(draft: Draft<I>): I {
    const instruction = { ...draft, statement: this.statement } as unknown as I;
    this.code.push(instruction);
    return instruction;
  }
  /** One step, or several, of a statement. */
  addStep(at: Span, reads: readonly Bound[], body: (frame: Frame) => Kernel<void>, sets?: Local): void {
    this.emit<Extract<Instruction, { kind: "do" }>>({ kind: "do", at, reads, sets, run: body });
  }
  addJump(at: Span, to = NOWHERE, isGoto = false): Jump {
    return this.emit<Jump>({ kind: "jump", at, to, isGoto });
  }
  /** Goes on behind it if the test holds. */
  addBranch(test: Bound, at: Span): Branch {
    return this.emit<Branch>({ kind: "branch", at, test, yes: this.here + 1, no: NOWHERE });
  }
  get isInLoop(): boolean {
    return this.loops.length > 0 || this.labels.size > 0;
  }
  get here(): number {
    return this.code.length;
  }

  add(statement: Statement): void {
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
        if (isObjectDeclaration(scope, statement)) return declareLocals(this, statement);
        if (declareByMacro(this, statement.expr)) return;
        return this.addExpression(statement.expr);
      case "declare":
        return declareLocals(this, statement);
      case "assign":
        return bindAssign(this, statement);
      case "if":
        return this.addIf(statement);
      case "switch":
        return this.addSwitch(statement);
      case "while":
        return this.addLoop(statement.test, statement.body, [], statement.at);
      case "doWhile":
        return this.addDoWhile(statement.body, statement.test, statement.at);
      case "for":
        this.names.locals?.enter();
        for (const s of statement.first) this.add(s);
        this.addLoop(statement.test, statement.body, statement.next, statement.at);
        this.names.locals?.leave();
        return;
      case "forIn":
        return addForIn(this, statement);
      case "forEach":
        return addForEach(this, statement);
      case "label":
        this.labels.set(statement.name.name, { at: this.here, used: false, where: statement.at });
        return;
      case "goto":
        this.gotos.push({ label: statement.label.name, jump: this.addJump(statement.at, NOWHERE, true) });
        return;
      case "return":
        return this.addReturn(statement.value, statement.at);
      case "break":
        this.loops.at(-1)?.breaks.push(this.addJump(statement.at, NOWHERE, true));
        return;
      case "continue":
        // One outside a loop the grammar has refused.
        this.loops.at(-1)?.continues.push(this.addJump(statement.at, NOWHERE, true));
        return;
      case "wait":
      case "assume":
      case "assert":
        return this.addCondition(statement.kind, statement.test, statement.at);
      case "fail":
        return bindFail(this, statement);
      default: // belongs to the script, not to a body: the grammar has said so
    }
  }
  addBlock(block: Block): void {
    this.names.locals?.enter();
    for (const statement of block.statements) this.add(statement);
    this.names.locals?.leave();
  }

  // ---- simple statements

  private addExpression(expr: Expr): void {
    if (expr.kind === "update") {
      const one: Expr = { kind: "number", value: 1, at: expr.at };
      const op = expr.op === "++" ? "+=" : "-=";
      bindAssign(this, { kind: "assign", target: expr.operand, op, value: one, until: undefined, at: expr.at });
      return;
    }
    const bound = this.names.bind(expr);
    if (bound === undefined) return this.names.scope.addMistaken("$");
    const keep = this.names.locals === undefined && isKept(bound.type) ? this.resultPlace("$", bound.type) : undefined;
    this.addStep(expr.at, [bound], function* (frame) {
      const value = yield* run(bound, frame);
      if (keep !== undefined) yield* storePrivate(keep, value);
    });
  }
  private resultPlace(name: string, type: Type): Ref<Value> {
    return this.names.scope.resultOf(this.names.cpu, name, type).ref() as Ref<Value>;
  }

  private addReturn(value: Expr | undefined, at: Span): void {
    if (this.names.locals === undefined) {
      if (value !== undefined) this.addExpression(value);
      this.returns.push(this.addJump(at, NOWHERE, true));
      return;
    }
    const bound = value === undefined ? undefined : this.names.bindValue(value);
    if (value !== undefined && bound === undefined) return;
    if (bound !== undefined) this.addResult(bound);
    this.emit<Extract<Instruction, { kind: "return" }>>({ kind: "return", at, value: bound });
  }
  /** What one `return` gives must go with what the others give. */
  private addResult(bound: Bound): void {
    const { type } = bound;
    const mine = typeOfKept(type);
    if (this.returned === undefined || this.returned.kind === "null" || this.returned.kind === "any")
      this.returned = mine;
    else if (!compatible(this.returned, mine)) {
      const message = `this is ${typeText(mine)}; another \`return\` gives ${typeText(this.returned)}`;
      this.names.scope.error("E315", bound.at, message);
    } else if (this.returned.kind === "boolean" && mine.kind === "number") this.returned = mine;
  }

  private addCondition(kind: "wait" | "assume" | "assert", expr: Expr, at: Span): void {
    const test = this.names.bindValue(expr);
    if (test === undefined) return;
    const text = this.names.scope.source.slice(expr.at);
    if (kind === "assert") {
      this.addStep(at, [test], function* (frame) {
        if (!truth(yield* run(test, frame))) yield* BUG(`assert ${text}`);
      });
      return;
    }
    const call = firstCall(test);
    if (call !== undefined) {
      const message = `\`${kind}\` looks at the state in one step; it cannot call \`${call.name}\``;
      const help = "names and members are read as they stand: `wait mm.mm_users == 1`";
      this.names.scope.error("E224", call.at, message, help);
      return;
    }
    this.addStep(at, [test], (frame) =>
      step({
        op: Op.primitive,
        primitive: primitive(kind, (m) => {
          if (truth(look(test, m, frame))) return 0;
          return kind === "wait" ? BLOCKED : m.fail("pruned", text);
        }),
        decode: () => undefined,
        text: () => `${kind} ${text}`,
      }),
    );
  }

  // ---- compound statements

  private branch(test: Expr, at: Span): Branch | undefined {
    const bound = this.names.bindValue(test);
    return bound === undefined ? undefined : this.addBranch(bound, at);
  }
  private addIf(statement: Extract<Statement, { kind: "if" }>): void {
    const ends: Jump[] = [];
    for (const arm of statement.arms) {
      const branch = this.branch(arm.test, arm.test.at);
      this.addBlock(arm.body);
      ends.push(this.addJump(arm.at));
      if (branch !== undefined) branch.no = this.here;
    }
    if (statement.otherwise !== undefined) this.addBlock(statement.otherwise);
    for (const end of ends) end.to = this.here;
  }
  private addSwitch(statement: Extract<Statement, { kind: "switch" }>): void {
    const { names } = this;
    const ends: Jump[] = [];
    const subject = names.bindNumber(statement.value, "`switch` tells numbers apart");
    if (subject === undefined) return;
    names.locals?.enter();
    // It is evaluated once.
    const value = this.temporary(NUMBER, statement.value.at);
    this.addSet(value, subject, statement.value.at);
    this.checkArms(statement.arms);
    const fallback = statement.arms.find((arm) => arm.isDefault);
    // `break` leaves the switch; `continue` belongs to the loop around it.
    const outer = this.loops.at(-1);
    const loop: Loop = { breaks: [], continues: outer?.continues ?? [] };
    this.loops.push(loop);
    for (const arm of statement.arms) {
      if (arm === fallback || arm.isDefault) continue;
      const branch = this.addArm(value, arm.values, arm.at);
      this.addBlock(arm.body);
      ends.push(this.addJump(arm.at));
      if (branch !== undefined) branch.no = this.here;
    }
    if (fallback !== undefined) this.addBlock(fallback.body);
    this.loops.pop();
    for (const end of [...ends, ...loop.breaks]) end.to = this.here;
    names.locals?.leave();
  }
  private checkArms(arms: Extract<Statement, { kind: "switch" }>["arms"]): void {
    const { scope } = this.names;
    const seen = new Set<string>();
    for (const arm of arms) {
      for (const value of arm.values) {
        const text = scope.source.slice(value.at);
        if (seen.has(text)) scope.error("E229", value.at, `\`case ${text}\` is there already`);
        seen.add(text);
      }
      if (arm.isDefault && seen.has("")) scope.error("E229", arm.at, "`default` is there already");
      if (arm.isDefault) seen.add("");
    }
  }
  private addArm(value: Bound, cases: readonly Expr[], at: Span): Branch | undefined {
    const tests = cases.map((one): Bound | undefined => {
      const right = this.names.bindNumber(one, "`case` takes a number");
      return right && { kind: "binary", op: "==", left: value, right, type: BOOLEAN, at: one.at };
    });
    if (tests.includes(undefined)) return undefined;
    const [first, ...more] = tests as [Bound, ...Bound[]];
    const either = (left: Bound, right: Bound): Bound => ({ kind: "binary", op: "||", left, right, type: BOOLEAN, at });
    return this.addBranch(more.reduce(either, first), at);
  }
  private addLoop(test: Expr | undefined, body: Block, next: readonly Statement[], at: Span): void {
    const top = this.here;
    const branch = test === undefined ? undefined : this.branch(test, test.at);
    this.addTurns(body, at, top, branch, () => {
      for (const statement of next) this.add(statement);
    });
  }
  /** The body of a loop that begins at `top`, and what a turn ends with; the branch leads out of it. */
  addTurns(body: Block, at: Span, top: number, branch: Branch | undefined, next: () => void): void {
    const loop = this.inLoop(body);
    for (const jump of loop.continues) jump.to = this.here;
    next();
    this.addJump(at, top);
    if (branch !== undefined) branch.no = this.here;
    for (const jump of loop.breaks) jump.to = this.here;
  }
  private inLoop(body: Block): Loop {
    const loop: Loop = { breaks: [], continues: [] };
    this.loops.push(loop);
    this.addBlock(body);
    this.loops.pop();
    return loop;
  }
  private addDoWhile(body: Block, test: Expr, at: Span): void {
    const top = this.here;
    const loop = this.inLoop(body);
    for (const jump of loop.continues) jump.to = this.here;
    const branch = this.branch(test, at);
    if (branch !== undefined) {
      branch.yes = top;
      branch.no = this.here;
    }
    for (const jump of loop.breaks) jump.to = this.here;
  }

  // ---- for those who write parts of statements

  /** A place of its own that no name leads to. */
  temporary(type: Type, at: Span): Bound & { kind: "place" } {
    const { names } = this;
    const name = `$${this.temporaries++}`;
    if (names.locals !== undefined) {
      const local = names.locals.declare(name, type, at);
      return { kind: "place", place: { kind: "local", local }, type, at };
    }
    const ref = names.scope.resultOf(names.cpu, name, type).ref();
    return { kind: "place", place: { kind: "variable", ref, isPrivate: true }, type, at };
  }
  /** `place = value`, as a statement of ours. */
  addSet(target: Bound & { kind: "place" }, value: Bound, at: Span): void {
    assignTo(this, target, value, at);
  }
}

function isKept(type: Type): boolean {
  return !["void", "string", "range", "record", "function"].includes(type.kind);
}
