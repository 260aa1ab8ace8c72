import type { ParserMethod } from "chevrotain";
import type { Argument, BinaryOp, Expr, Ident, Member, Range, Unary, Update } from "./ast.ts";
import { plain, PrimaryParser, tight, inCall, type Mode } from "./parser-primaries.ts";
import * as t from "./tokens.ts";
import { tagWords, typeWords } from "./words.ts";

const ARITHMETIC = 9;
/** How tightly operators bind. */
export const levels: ReadonlyMap<string, number> = new Map(
  [["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<", ">", "<=", ">="], [".."], ["<<", ">>"], ["+", "-"]]
    .concat([["*", "/", "%"]])
    .flatMap((operators, index) => operators.map((operator): [string, number] => [operator, index + 1])),
);

/** Operators that cannot follow the arguments of a bare call: the sum could be an argument or a result. */
const unclearBehindCall = /^(?:\+|-|\*|\/|%|<<|>>|&|\^|\.\.)$/;

/** Expressions, C's precedence, and the three rules for calls without parentheses. */
export abstract class ExpressionParser extends PrimaryParser {
  readonly expression: ParserMethod<[Mode?], Expr> = this.RULE("expression", (mode = plain): Expr => {
    const start = this.offset();
    let expr = this.SUBRULE(this.binary, { ARGS: [1, mode] });
    this.OPTION({
      GATE: () => !mode.tight,
      DEF: () => {
        const test = expr;
        this.CONSUME(t.Question);
        const yes = this.nested(() => this.SUBRULE1(this.expression, { ARGS: [mode] }));
        this.require(t.Colon, "E120", "expected `:` and the other value of `?`");
        this.CONSUME(t.Colon);
        const no = this.nested(() => this.SUBRULE2(this.expression, { ARGS: [mode] }));
        expr = { kind: "conditional", test, yes, no, at: this.since(start) };
      },
    });
    return expr;
  });

  /** Precedence climbing: operators of at least this level. */
  readonly binary: ParserMethod<[number?, Mode?], Expr> = this.RULE("binary", (lowest = 1, mode = plain): Expr => {
    const start = this.offset();
    let left = this.SUBRULE(this.unary, { ARGS: [mode] });
    let links = 0;
    this.MANY({
      GATE: () => this.infixLevel(mode) >= lowest,
      DEF: () => {
        this.limitChain(++links);
        this.OR([
          {
            ALT: () => {
              left = this.SUBRULE(this.range, { ARGS: [start, left, mode] });
            },
          },
          {
            ALT: () => {
              const level = this.infixLevel(mode);
              const op = this.CONSUME(t.InfixOperator).image as BinaryOp;
              const right = this.SUBRULE(this.binary, { ARGS: [level + 1, mode] });
              left = { kind: "binary", op, left, right, at: this.since(start) };
            },
          },
        ]);
      },
    });
    return left;
  });

  /** The level of the operator that goes on with this expression, or 0. */
  private infixLevel(mode: Mode): number {
    if (!this.looksInfix()) return 0;
    const { image } = this.LA(1);
    if (mode.tight && !this.infixInArgument(image)) return 0;
    return levels.get(image) ?? 0;
  }

  private infixInArgument(operator: string): boolean {
    if (operator === "|") return true;
    if (operator === "..") return !this.spaced() || this.spaced(2);
    return unclearBehindCall.test(operator) && !this.spaced();
  }

  /** What follows the start of a range: `..end`, `..+length`, or `..` alone for one page. */
  private readonly range: ParserMethod<[number, Expr, Mode], Range> = this.RULE(
    "range",
    (from: number, start: Expr, mode: Mode): Range => {
      const before = this.spaced();
      this.CONSUME(t.DotDot);
      const page = !before && this.spaced();
      let end: Expr | undefined;
      let length: Expr | undefined;
      this.OR([
        {
          GATE: () => !page && this.next(t.Plus) && !this.spaced(2),
          ALT: () => {
            this.CONSUME(t.Plus);
            length = this.SUBRULE1(this.binary, { ARGS: [ARITHMETIC, mode] });
          },
        },
        {
          GATE: () => !page && this.beginsOperand(),
          ALT: () => {
            end = this.SUBRULE2(this.binary, { ARGS: [ARITHMETIC, mode] });
          },
        },
        { ALT: () => undefined },
      ]);
      const range: Range = { kind: "range", start, end, length, at: this.since(from) };
      if (this.next(t.DotDot))
        this.fail("E109", this.spanOf(this.LA(1)), "a range has one start and one end", "write `start..end`");
      return range;
    },
  );

  readonly unary: ParserMethod<[Mode?], Expr> = this.RULE("unary", (mode = plain): Expr => {
    this.requireOperand();
    return this.OR([
      { ALT: () => this.SUBRULE(this.prefixed, { ARGS: [mode] }) },
      { GATE: () => this.castEnd() > 0 && this.castHasOperand(), ALT: () => this.SUBRULE(this.cast, { ARGS: [mode] }) },
      { ALT: () => this.SUBRULE(this.postfix, { ARGS: [mode] }) },
    ]);
  });

  private castHasOperand(): boolean {
    const behind = this.castEnd() + 1;
    return this.beginsOperand(behind) && !(this.nextIs(t.InfixOperator, behind) && this.spaced(behind + 1));
  }

  private readonly prefixed: ParserMethod<[Mode], Unary | Update> = this.RULE(
    "prefixed",
    (mode: Mode): Unary | Update => {
      const start = this.offset();
      const op = this.CONSUME(t.PrefixOperator).image;
      const operand = this.nested(() => this.SUBRULE(this.unary, { ARGS: [mode] }));
      const at = this.since(start);
      if (op === "++" || op === "--") return { kind: "update", op, prefix: true, operand, at };
      return { kind: "unary", op: op as Unary["op"], operand, at };
    },
  );

  /** Read and dropped; the place of what remains takes it in. */
  private readonly cast: ParserMethod<[Mode], Expr> = this.RULE("cast", (mode: Mode): Expr => {
    const start = this.offset();
    this.CONSUME(t.LParen);
    this.SUBRULE(this.ctype, { ARGS: [Math.max(1, this.scanType().count)] });
    this.MANY(() => this.CONSUME(t.Star));
    this.CONSUME(t.RParen);
    const operand = this.nested(() => this.SUBRULE(this.unary, { ARGS: [mode] }));
    return this.widened(operand, start);
  });

  protected readonly postfix: ParserMethod<[Mode], Expr> = this.RULE("postfix", (mode: Mode = plain): Expr => {
    const start = this.offset();
    let expr = this.SUBRULE(this.primary, { ARGS: [mode] });
    this.refuseThreeDots(expr, mode);
    let links = 0;
    this.MANY({
      GATE: () => this.goesOn(expr, mode),
      DEF: () => {
        this.limitChain(++links);
        expr = this.SUBRULE(this.suffix, { ARGS: [start, expr] });
      },
    });
    if (mode.bare && isCallable(expr)) this.refuseLooseRange();
    this.OPTION1({
      GATE: () => mode.bare && isCallable(expr) && this.beginsArgument(),
      DEF: () => {
        const callee = expr;
        const args = this.SUBRULE(this.bareArguments, { ARGS: [mode] });
        expr = { kind: "call", callee, args, bare: true, at: this.since(start) };
        this.refuseLooseRange();
        this.refuseArithmetic(callee, args);
      },
    });
    this.OPTION2({
      GATE: () => !(mode.tight && this.spaced()) && !(this.looksPrefix() && this.beginsOperand(2)),
      DEF: () => {
        const operand = expr;
        const op = this.OR([{ ALT: () => this.CONSUME(t.PlusPlus) }, { ALT: () => this.CONSUME(t.MinusMinus) }]);
        expr = { kind: "update", op: op.image as Update["op"], prefix: false, operand, at: this.since(start) };
      },
    });
    return expr;
  });

  private goesOn(expr: Expr, mode: Mode): boolean {
    if (this.next(t.LParen)) return isCallable(expr) && this.isCallOfC(mode);
    return !(mode.tight && this.spaced());
  }

  /** `f(`, and `f (` unless another argument that does not begin with an operator follows the `)`. */
  private isCallOfC(mode: Mode): boolean {
    if (!this.spaced()) return true;
    if (mode.tight) return false;
    if (!mode.bare) return true;
    const behind = this.behindBracket();
    if (this.next(t.Comma, behind)) return !mode.commas;
    return this.nextIs(t.PrefixOperator, behind) || !this.beginsArgument(behind);
  }

  private readonly suffix: ParserMethod<[number, Expr], Expr> = this.RULE(
    "suffix",
    (start: number, object: Expr): Expr =>
      this.OR([
        {
          ALT: (): Expr => {
            const arrow = this.OR1([{ ALT: () => this.CONSUME(t.Dot) }, { ALT: () => this.CONSUME(t.Arrow) }]);
            const name = this.SUBRULE(this.memberName);
            return {
              kind: "member",
              object,
              name,
              arrow: arrow.image === "->",
              at: this.since(start),
            } satisfies Member;
          },
        },
        {
          ALT: (): Expr => {
            this.CONSUME(t.LBracket);
            const index = this.SUBRULE(this.expression, { ARGS: [plain] });
            this.require(t.RBracket, "E115", "expected `]`");
            this.CONSUME(t.RBracket);
            return { kind: "index", object, index, at: this.since(start) };
          },
        },
        {
          ALT: (): Expr => {
            const args = this.SUBRULE(this.callArguments);
            return { kind: "call", callee: object, args, bare: false, at: this.since(start) };
          },
        },
      ]),
  );

  /** Behind a dot every word is a name, reserved or not. */
  protected readonly memberName: ParserMethod<[], Ident> = this.RULE("memberName", (): Ident => {
    if (!this.nextIs(t.Word) && !this.next(t.Cpu)) {
      const isEra = /^v\d$/.test(this.LA(-1).image);
      this.missing("a member name", "E120", isEra ? "an era stands behind `kernel`: `kernel v5.2`" : undefined);
    }
    return this.OR([{ ALT: () => this.ident(this.CONSUME(t.Word)) }, { ALT: () => this.ident(this.CONSUME(t.Cpu)) }]);
  });

  // ---- arguments

  /** From here on: something that can only be another argument of a call without parentheses. */
  protected beginsArgument(ahead = 1): boolean {
    const type = this.LA(ahead).tokenType;
    if (!this.beginsOperand(ahead)) return false;
    return type === t.Not || type === t.Tilde || !this.nextIs(t.PrefixOperator, ahead) || this.isPrefixArgument(ahead);
  }

  private isPrefixArgument(ahead: number): boolean {
    const may = !this.next(t.Plus, ahead) || this.followsFile(ahead);
    return may && this.looksPrefix(ahead) && this.beginsOperand(ahead + 1);
  }
  /** `file NAME +0x1000`: an offset stands there, no sum. */
  private followsFile(ahead: number): boolean {
    return ["file", "dax"].includes(this.LA(ahead - 2).image);
  }

  private readonly bareArguments: ParserMethod<[Mode], Argument[]> = this.RULE(
    "bareArguments",
    (mode: Mode): Argument[] => {
      const args = [this.SUBRULE1(this.bareArgument)];
      this.MANY({
        GATE: () => this.beginsArgument() || (mode.commas && this.next(t.Comma)),
        DEF: () => {
          this.OPTION(() => this.CONSUME(t.Comma));
          if (!this.beginsArgument()) this.missingArgument();
          args.push(this.SUBRULE2(this.bareArgument));
        },
      });
      return args;
    },
  );

  readonly bareArgument: ParserMethod<[], Argument> = this.RULE("bareArgument", (): Argument => {
    const start = this.offset();
    let name: Ident | undefined;
    this.OPTION({
      GATE: () => this.next(t.Assign, 2) && !this.spaced(2) && !this.spaced(3),
      DEF: () => {
        name = this.ident(this.CONSUME(t.Name));
        this.CONSUME(t.Assign);
      },
    });
    const value = this.SUBRULE(this.binary, { ARGS: [1, tight] });
    return { name, value, at: this.since(start) };
  });

  protected readonly callArguments: ParserMethod<[], Argument[]> = this.RULE("callArguments", (): Argument[] => {
    const args: Argument[] = [];
    this.CONSUME(t.LParen);
    if (this.next(t.Comma)) this.missingArgument();
    this.OPTION1({
      GATE: () => !this.next(t.RParen),
      DEF: () => {
        args.push(this.SUBRULE1(this.callArgument));
        this.MANY(() => {
          this.OPTION2(() => this.CONSUME(t.Comma));
          if (this.next(t.Comma) || this.next(t.RParen)) this.missingArgument();
          args.push(this.SUBRULE2(this.callArgument));
        });
      },
    });
    this.require(t.RParen, "E115", "expected `,` or `)` in the arguments of a call");
    this.CONSUME(t.RParen);
    return args;
  });

  private readonly callArgument: ParserMethod<[], Argument> = this.RULE("callArgument", (): Argument => {
    const start = this.offset();
    let name: Ident | undefined;
    this.OPTION({
      GATE: () => this.next(t.Assign, 2),
      DEF: () => {
        name = this.ident(this.CONSUME(t.Name));
        this.CONSUME(t.Assign);
      },
    });
    this.requireOperand();
    const value = this.OR([
      { GATE: () => this.isTypeArgument(), ALT: () => this.SUBRULE(this.typeArgument) },
      { ALT: () => this.SUBRULE(this.expression, { ARGS: [inCall] }) },
    ]);
    return { name, value, at: this.since(start) };
  });

  private isTypeArgument(): boolean {
    if (!this.next(t.Name)) return false;
    const word = this.LA(1).image;
    return tagWords.has(word) ? this.next(t.Name, 2) : typeWords.has(word) && !this.next(t.LParen, 2);
  }

  private readonly typeArgument: ParserMethod<[], Expr> = this.RULE("typeArgument", (): Expr => {
    const type = this.SUBRULE(this.ctype, { ARGS: [Math.max(1, this.scanType().count)] });
    this.MANY(() => this.CONSUME(t.Star));
    return { kind: "type", type, at: type.at };
  });

  // ---- mistakes

  protected requireOperand(what = "an expression"): void {
    if (this.RECORDING_PHASE || this.beginsOperand()) return;
    if (this.next(t.DotDot)) this.refuseRange();
    this.missing(what);
  }

  /** `f ..end`: going by the white space, the range begins here. */
  private refuseLooseRange(): void {
    if (this.next(t.DotDot) && this.spaced() && !this.spaced(2)) this.refuseRange();
  }

  private refuseRange(): never {
    return this.fail("E109", this.spanOf(this.LA(1)), "a range needs a start", "write `start..end`");
  }

  private missingArgument(): void {
    this.fail("E111", this.spanOf(this.LA(1)), "an argument is missing here");
  }

  private refuseThreeDots(expr: Expr, mode: Mode): void {
    if (this.RECORDING_PHASE || !this.next(t.Ellipsis) || this.spaced() || (mode.bare && isCallable(expr))) return;
    const at = this.spanOf(this.LA(1));
    const help = `write \`${this.text(expr.at)}..\` for one page`;
    this.fail("E113", at, "`...` stands for the default arguments; a range has two dots", help);
  }

  /** `f a + 1`: the two readings are spelt out. */
  private refuseArithmetic(callee: Expr, args: readonly Argument[]): void {
    if (this.RECORDING_PHASE || !this.looksInfix() || !unclearBehindCall.test(this.LA(1).image)) return;
    const op = this.LA(1);
    if (this.atEnd(2)) return;
    const name = this.text(callee.at);
    const texts = args.map((arg) => this.text(arg.at));
    const operand = this.operandText();
    const gap = op.image === ".." ? "" : " ";
    const rest = `${gap}${op.image}${gap}${operand}`;
    const help = `write \`${name}(${texts.join(", ")}${rest})\` or \`(${name} ${texts.join(" ")})${rest}\``;
    const message = `\`${op.image}\` after the arguments of \`${name}\` can be read in two ways`;
    this.fail("E110", this.spanOf(op), message, help);
  }

  /** The text of the operand behind the operator ahead, as far as nothing separates its tokens. */
  private operandText(): string {
    const start = this.LA(2).startOffset;
    let ahead = 2;
    while (!this.spaced(ahead + 1) && !this.atEnd(ahead + 1) && !/^[),\]{]$/.test(this.LA(ahead + 1).image)) ahead++;
    return this.text({ start, end: t.endOf(this.LA(ahead)) });
  }
}

/** What can be called without parentheses: a name, or a member of something. */
export function isCallable(expr: Expr): boolean {
  return expr.kind === "name" || expr.kind === "member";
}
