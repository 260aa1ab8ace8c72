import { EOF, type IToken, type ParserMethod } from "chevrotain";
import type * as ast from "./ast.ts";
import type { Block, Expr, Ident, Statement, Until } from "./ast.ts";
import { ExpressionParser, isCallable } from "./parser-expressions.ts";
import { listed, plain, type Mode } from "./parser-primaries.ts";
import * as t from "./tokens.ts";
import { stringValue } from "./literals.ts";
import { maxCpuNumber } from "./words.ts";

interface Condition {
  readonly test: Expr;
  /** In parentheses of its own, so that any statement may follow. */
  readonly enclosed: boolean;
}

/** Blocks, bodies, conditions, and the statements that both C and scripts have. */
export abstract class StatementParser extends ExpressionParser {
  /** One statement; a mistake in it is reported, and reading goes on behind it. Nothing for a prototype. */
  abstract readonly guarded: ParserMethod<[], Statement | undefined>;
  abstract readonly statement: ParserMethod<[], Statement | undefined>;
  abstract readonly init: ParserMethod<[], ast.Init>;

  readonly statements: ParserMethod<[], Statement[]> = this.RULE("statements", (): Statement[] => {
    const list: Statement[] = [];
    this.MANY({
      GATE: () => !this.next(t.RBrace),
      DEF: () =>
        this.OR([
          { ALT: () => this.CONSUME(t.Separator) },
          {
            GATE: () => !this.nextIs(t.Separator),
            ALT: () => {
              const statement = this.SUBRULE(this.guarded);
              if (statement !== undefined) list.push(statement);
            },
          },
        ]),
    });
    return list;
  });

  readonly block: ParserMethod<[], Block> = this.RULE("block", (): Block => {
    const start = this.offset();
    this.CONSUME(t.LBrace);
    const statements = this.SUBRULE(this.statements);
    this.CONSUME(t.RBrace);
    return { kind: "block", braces: true, statements, at: this.since(start) };
  });

  /** The body of an `if` or a loop: a block, or one statement, perhaps on the next line. */
  protected readonly body: ParserMethod<[string], Block> = this.RULE("body", (keyword: string): Block => {
    this.MANY(() => this.CONSUME(t.Newline));
    if (this.next(t.RBrace) || this.next(t.Else) || this.next(EOF)) this.missingBody(keyword);
    const start = this.offset();
    return this.OR<Block>([
      { GATE: () => this.next(t.LBrace), ALT: () => this.SUBRULE(this.block) },
      {
        ALT: (): Block => {
          this.CONSUME(t.Semicolon);
          return { kind: "block", braces: false, statements: [], at: this.since(start) };
        },
      },
      {
        GATE: () => !this.next(t.Semicolon),
        ALT: (): Block => {
          const statement = this.nested(() => this.SUBRULE(this.guarded));
          const statements = statement === undefined ? [] : [statement];
          return { kind: "block", braces: false, statements, at: this.since(start) };
        },
      },
    ]);
  });

  private missingBody(keyword: string): never {
    const at = this.spanOf(this.LA(1));
    return this.fail("E107", at, `the body of \`${keyword}\` is missing`, `write \`${keyword} ... { ... }\``);
  }

  protected requireBlock(owner: string, help?: string): void {
    this.require(t.LBrace, "E107", `the body of \`${owner}\` stands in braces: expected \`{\``, help);
  }

  protected inLoop<T>(read: () => T): T {
    this.loops++;
    const result = read();
    this.loops--;
    return result;
  }

  protected outsideLoops<T>(read: () => T): T {
    const { loops } = this;
    this.loops = 0;
    const result = read();
    this.loops = loops;
    return result;
  }

  // ---- conditions

  /** `(x)` is the whole condition unless an operator follows its `)`. */
  protected readonly condition: ParserMethod<[], Condition> = this.RULE("condition", (): Condition => {
    const enclosed = this.next(t.LParen) && this.endsCondition(this.behindBracket());
    this.inCondition = true;
    const test = this.OR([
      { GATE: () => enclosed, ALT: () => this.SUBRULE(this.group) },
      { ALT: () => this.SUBRULE(this.expression, { ARGS: [plain] }) },
    ]);
    if (this.isAssignment()) this.refuseAssignment();
    this.inCondition = false;
    return { test, enclosed };
  });

  private endsCondition(behind: number): boolean {
    const type = this.LA(behind).tokenType;
    const prefix = type === t.Star || type === t.PlusPlus || type === t.MinusMinus;
    if (prefix && this.looksPrefix(behind)) return true;
    if (this.looksInfix(behind) || this.isAssignment(behind)) return false;
    return ![t.Question, t.Dot, t.Arrow, t.LBracket, t.PlusPlus, t.MinusMinus].includes(type);
  }

  /** The condition of `if` and `while`, which says what may follow it. */
  protected readonly headCondition: ParserMethod<[string], Expr> = this.RULE(
    "headCondition",
    (keyword: string): Expr => {
      const { test, enclosed } = this.SUBRULE(this.condition);
      if (!this.RECORDING_PHASE && !enclosed && !this.next(t.LBrace) && !this.beginsJump()) {
        const found = this.atEnd() ? "" : `, found ${this.describe(this.LA(1))}`;
        const help = `write \`${keyword} (CONDITION) STATEMENT\` or \`${keyword} CONDITION { ... }\``;
        this.fail("E104", this.spanOf(this.LA(1)), `the condition must be followed by \`{\`${found}`, help);
      }
      return test;
    },
  );

  private beginsJump(): boolean {
    return this.next(t.Goto) || this.next(t.Return) || this.next(t.Break) || this.next(t.Continue);
  }

  /** The whole expression of `wait`, `always` and their like. */
  protected readonly wholeCondition: ParserMethod<[], Expr> = this.RULE("wholeCondition", (): Expr => {
    this.inCondition = true;
    const test = this.SUBRULE(this.expression, { ARGS: [plain] });
    if (this.isAssignment()) this.refuseAssignment();
    this.inCondition = false;
    return test;
  });

  // ---- assignments and expressions

  readonly simple: ParserMethod<[Mode?], ast.Assign | ast.ExpressionStatement> = this.RULE(
    "simple",
    (mode = plain): ast.Assign | ast.ExpressionStatement => {
      const start = this.offset();
      const target = this.SUBRULE(this.expression, { ARGS: [mode] });
      let op: ast.AssignOp | undefined;
      let value: Expr | ast.Init = target;
      this.OPTION1({
        GATE: () => this.isAssignment(),
        DEF: () => {
          this.checkTarget(target);
          op = this.CONSUME(t.AssignOperator).image as ast.AssignOp;
          value = this.SUBRULE(this.value, { ARGS: [mode] });
        },
      });
      if (op === undefined) this.refuseComparison(target);
      const until = this.OPTION2(() => this.SUBRULE(this.until));
      const at = this.since(start);
      if (op === undefined) return { kind: "expression", expr: target, until, at };
      return { kind: "assign", target, op, value, until, at };
    },
  );

  /** The right side of `=`. */
  protected readonly value: ParserMethod<[Mode], Expr | ast.Init> = this.RULE(
    "value",
    (mode: Mode): Expr | ast.Init => {
      if (!this.next(t.LBrace)) this.requireOperand("a value");
      const value = this.OR<Expr | ast.Init>([
        { ALT: () => this.SUBRULE(this.init) },
        { ALT: () => this.SUBRULE(this.expression, { ARGS: [mode] }) },
      ]);
      if (this.isAssignment()) {
        const message = "two assignments in one statement: each is a step of its own";
        this.fail("E136", this.spanOf(this.LA(1)), message, "write one assignment per line");
      }
      return value;
    },
  );

  protected readonly simpleList: ParserMethod<[], Statement[]> = this.RULE("simpleList", (): Statement[] => {
    const list: Statement[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        list.push(this.SUBRULE(this.simple, { ARGS: [listed] }));
      },
    });
    return list;
  });

  private checkTarget(target: Expr): void {
    if (this.RECORDING_PHASE) return;
    const op = this.LA(1);
    const deref = target.kind === "unary" && target.op === "*";
    if (isCallable(target) || target.kind === "index" || deref) return;
    const text = this.text(target.at);
    if (target.kind !== "call") {
      this.fail(
        "E103",
        target.at,
        `${this.quoted(text)} cannot be assigned to`,
        "the left side of `=` is a name or a member",
      );
    }
    const name = target.args.length === 1 ? target.args[0]!.value : undefined;
    if (target.bare && target.callee.kind === "name" && name?.kind === "name") {
      const message = `\`${text} ${op.image} ...\` declares a variable with a type`;
      this.fail("E103", target.at, message, `leave the type out: \`${name.name} ${op.image} ...\``);
    }
    this.fail("E103", target.at, `the left side of \`${op.image}\` is a call`, `to keep a result: \`ret = ${text}\``);
  }

  private quoted(text: string): string {
    return `\`${text}\``;
  }

  /** `WARN_ON x < 0` as a whole statement would silently test `WARN_ON(x)`. */
  private refuseComparison(expr: Expr): void {
    if (this.RECORDING_PHASE || (expr.kind !== "binary" && expr.kind !== "conditional")) return;
    let whole: ast.Binary | ast.Conditional = expr;
    let left: Expr = expr;
    while ((left.kind === "binary" || left.kind === "conditional") && !this.grouped.has(left)) {
      whole = left;
      left = left.kind === "binary" ? left.left : left.test;
    }
    if (left.kind !== "call" || !left.bare || this.grouped.has(left)) return;
    const op = whole.kind === "binary" ? whole.op : "?";
    const name = this.text(left.callee.at);
    const last = left.args.at(-1)!;
    const first = left.args[0]!;
    const rest = this.text({ start: left.at.end, end: whole.at.end });
    const args = this.text({ start: first.at.start, end: last.at.end });
    const help = `write \`${name}(${args}${rest})\`, or \`(${this.text(left.at)})${rest}\` for its result`;
    const found = this.source.text.indexOf(op, left.at.end);
    const at = { start: found, end: found + op.length };
    this.fail("E110", at, `\`${op}\` after the arguments of \`${name}\` can be read in two ways`, help);
  }

  // ---- until

  readonly until: ParserMethod<[], Until> = this.RULE("until", (): Until => {
    const start = this.offset();
    this.CONSUME(t.Until);
    const what = this.SUBRULE(this.untilPlace);
    const returns = this.OPTION1({
      GATE: () => this.nextWord("returns"),
      DEF: () => this.CONSUME1(t.Name),
    });
    const count = this.OPTION2(() => this.count(this.CONSUME(t.Count)));
    if (!this.RECORDING_PHASE && what.kind === "steps" && (returns !== undefined || count !== undefined))
      this.report("E131", this.since(start), "`until step` takes a number of steps, and that is all", "`until step 3`");
    return { what, returns: returns !== undefined, count: count ?? 1, at: this.since(start) };
  });

  private readonly untilPlace: ParserMethod<[], ast.UntilPlace> = this.RULE("untilPlace", (): ast.UntilPlace => {
    if (!this.next(t.StringToken) && !this.next(t.Name)) {
      const forms =
        '`until find_vma`, `until find_vma returns #2`, `until "kfree(vma)"`, `until step 3`, `until blocked`';
      this.fail("E131", this.spanOf(this.LA(1)), "`until` needs a place to stop", forms);
    }
    return this.OR<ast.UntilPlace>([
      { ALT: () => ({ kind: "text", text: stringValue(this.CONSUME(t.StringToken).image) }) },
      {
        GATE: () => this.nextWord("blocked") && !this.next(t.Dot, 2),
        ALT: () => {
          this.CONSUME1(t.Name);
          return { kind: "blocked" };
        },
      },
      {
        GATE: () => this.nextWord("step") && this.next(t.NumberToken, 2),
        ALT: () => {
          this.CONSUME2(t.Name);
          return { kind: "steps", count: Number(this.CONSUME(t.NumberToken).image) };
        },
      },
      {
        ALT: () => {
          const path = this.SUBRULE(this.dottedName);
          this.OPTION(() => {
            this.CONSUME(t.LParen);
            this.CONSUME(t.RParen);
          });
          return this.ACTION(() => placeOfPath(path));
        },
      },
    ]);
  });

  private readonly dottedName: ParserMethod<[], Ident[]> = this.RULE("dottedName", (): Ident[] => {
    const path = [this.ident(this.CONSUME1(t.Name))];
    this.MANY(() => {
      this.CONSUME(t.Dot);
      if (!this.next(t.Name)) this.missing("a label");
      path.push(this.ident(this.CONSUME2(t.Name)));
    });
    return path;
  });

  protected count(token: IToken): number {
    const count = Number(token.image.slice(1));
    if (count < 1 || !Number.isSafeInteger(count)) this.report("E131", this.spanOf(token), "counts begin at `#1`");
    return count;
  }

  // ---- CPUs

  readonly onCpu: ParserMethod<[], ast.OnCpu> = this.RULE("onCpu", (): ast.OnCpu => {
    const start = this.offset();
    const cpus = this.SUBRULE(this.cpus);
    let body: Statement | undefined;
    let until: Until | undefined;
    this.OPTION1({
      GATE: () => !this.atEnd(),
      DEF: () =>
        this.OR([
          {
            GATE: () => this.next(t.LBrace),
            ALT: () => {
              body = this.outsideLoops(() => this.SUBRULE(this.block));
              until = this.OPTION2(() => this.SUBRULE(this.until));
            },
          },
          {
            ALT: () => {
              body = this.outsideLoops(() => this.nested(() => this.SUBRULE(this.statement)));
            },
          },
        ]),
    });
    return { kind: "onCpu", cpus, body, until, at: this.since(start) };
  });

  /** `cpu0:`, `cpu0, cpu2:`, `cpu1..cpu3:`; also `cpu 0:`, with a report. */
  private readonly cpus: ParserMethod<[], ast.Cpus> = this.RULE("cpus", (): ast.Cpus => {
    const start = this.offset();
    const numbers = new Set<number>();
    this.OR([
      { ALT: () => numbers.add(this.SUBRULE(this.spacedCpu)) },
      {
        ALT: () => {
          let last = this.labelNumber(this.CONSUME1(t.Cpu));
          numbers.add(last);
          this.MANY(() => {
            const separator = this.OR1([{ ALT: () => this.CONSUME(t.Comma) }, { ALT: () => this.CONSUME(t.DotDot) }]);
            if (!this.next(t.Cpu)) this.missing("a CPU", "E101");
            const token = this.CONSUME2(t.Cpu);
            const end = this.labelNumber(token);
            if (!this.RECORDING_PHASE && separator.tokenType === t.Comma && numbers.has(end))
              this.report(
                "E101",
                this.spanOf(token),
                `cpu${end} is named twice`,
                "each of them runs the statement once",
              );
            if (separator.tokenType === t.DotDot) this.addCpus(numbers, last, end);
            else numbers.add(end);
            last = end;
          });
        },
      },
    ]);
    const at = this.since(start);
    this.OPTION({ GATE: () => this.hasColon(), DEF: () => this.CONSUME(t.Colon) });
    return { numbers: [...numbers], at };
  });

  private readonly spacedCpu: ParserMethod<[], number> = this.RULE("spacedCpu", (): number => {
    const start = this.offset();
    this.CONSUME(t.Name);
    const number = Number(this.CONSUME(t.Numeral).image);
    const at = this.since(start);
    this.report("E101", at, "a CPU is named `cpu0:`, `cpu1:`, ...", `write \`cpu${number}:\``);
    return number <= maxCpuNumber ? number : 0;
  });

  private labelNumber(token: IToken): number {
    const number = this.cpuNumber(token);
    if (number > maxCpuNumber) {
      this.fail(
        "E123",
        this.spanOf(token),
        `there is no \`${token.image}\``,
        `CPUs are \`cpu0\` to \`cpu${maxCpuNumber}\``,
      );
    }
    return number;
  }

  private addCpus(numbers: Set<number>, first: number, last: number): void {
    if (last < first)
      this.fail(
        "E123",
        this.spanOf(this.LA(0)),
        "the last CPU comes before the first",
        `write \`cpu${last}..cpu${first}:\``,
      );
    for (let number = first; number <= last; number++) numbers.add(number);
  }

  /** Reading goes on as if the colon stood there. */
  private hasColon(): boolean {
    if (this.next(t.Colon)) return true;
    const cpu = this.LA(0);
    const name = cpu.image;
    const rest = this.next(t.LBrace) ? "{ ... }" : `${this.LA(1).image} ...`;
    const help = this.atEnd() ? `write \`${name}:\` to switch to it` : `write \`${name}: ${rest}\``;
    this.report("E101", this.spanOf(cpu), `\`${name}\` names a CPU: a colon is missing after it`, help);
    return false;
  }
}

function placeOfPath(path: readonly Ident[]): ast.UntilPlace {
  const last = path.at(-1)!;
  if (path.length === 1) return { kind: "function", name: last };
  const owner = path.slice(0, -1);
  const at = { start: owner[0]!.at.start, end: owner.at(-1)!.at.end };
  return { kind: "label", function: { name: owner.map((part) => part.name).join("."), at }, label: last };
}
