import { tokenMatcher, type IToken, type ParserMethod } from "chevrotain";
import type { Expr, Ident } from "./ast.ts";
import { quote } from "./diagnostic.ts";
import { numberValue, stringValue } from "./literals.ts";
import { TypeParser } from "./parser-types.ts";
import type { Span } from "./span.ts";
import * as t from "./tokens.ts";

/** How an expression is read where it stands. */
export interface Mode {
  /** Calls may do without parentheses. */
  readonly bare: boolean;
  /** Within such a call's arguments: white space decides where one ends. */
  readonly tight: boolean;
  /** Whether a comma goes on with the arguments of a bare call. */
  readonly commas: boolean;
}

export const plain: Mode = { bare: true, tight: false, commas: true };
/** Where a comma separates other things: declarations, the parts of a `for`. */
export const listed: Mode = { bare: true, tight: false, commas: false };
/** Between the parentheses of a call: C's rules. */
export const inCall: Mode = { bare: false, tight: false, commas: false };
export const tight: Mode = { bare: false, tight: true, commas: false };

/** What expressions are made of: names, literals, parentheses. */
export abstract class PrimaryParser extends TypeParser {
  abstract readonly expression: ParserMethod<[Mode?], Expr>;
  abstract readonly unary: ParserMethod<[Mode?], Expr>;

  /** Expressions that stood in parentheses: they are never taken for the call without parentheses that they hold. */
  protected grouped = new WeakSet<Expr>();

  /** Whether an expression can begin with this token. */
  protected beginsOperand(ahead = 1): boolean {
    const type = this.LA(ahead).tokenType;
    switch (type) {
      case t.Name:
      case t.Cpu:
      case t.StringToken:
      case t.Dollar:
      case t.Ellipsis:
      case t.Null:
      case t.True:
      case t.False:
      case t.LParen:
        return true;
      default:
        return this.nextIs(t.Numeral, ahead) || this.nextIs(t.PrefixOperator, ahead);
    }
  }

  protected readonly primary: ParserMethod<[Mode], Expr> = this.RULE("primary", (mode: Mode): Expr =>
    this.OR([
      { GATE: () => this.isSizeOf(), ALT: () => this.SUBRULE(this.sizeOf, { ARGS: [mode] }) },
      {
        ALT: (): Expr => {
          const name = this.CONSUME(t.Name);
          return { kind: "name", name: name.image, at: this.spanOf(name) };
        },
      },
      { ALT: () => this.numeral(this.CONSUME(t.Numeral)) },
      { ALT: () => this.SUBRULE(this.group) },
      { ALT: () => this.SUBRULE(this.constant) },
    ]),
  );

  private readonly constant: ParserMethod<[], Expr> = this.RULE("constant", (): Expr => {
    const at = this.spanOf(this.LA(1));
    return this.OR<Expr>([
      {
        ALT: (): Expr => ({ kind: "string", value: stringValue(this.CONSUME(t.StringToken).image), at }),
      },
      {
        ALT: (): Expr => {
          this.CONSUME(t.Null);
          return { kind: "null", at };
        },
      },
      {
        ALT: (): Expr => {
          this.CONSUME(t.True);
          return { kind: "boolean", value: true, at };
        },
      },
      {
        ALT: (): Expr => {
          this.CONSUME(t.False);
          return { kind: "boolean", value: false, at };
        },
      },
      { ALT: (): Expr => ({ kind: "cpu", number: this.cpuNumber(this.CONSUME(t.Cpu)), at }) },
      {
        ALT: (): Expr => {
          this.CONSUME(t.Dollar);
          return { kind: "result", at };
        },
      },
      {
        ALT: (): Expr => {
          this.CONSUME(t.Ellipsis);
          return { kind: "defaults", at };
        },
      },
    ]);
  });

  protected cpuNumber(token: IToken): number {
    return Number(token.image.slice("cpu".length));
  }

  private numeral(token: IToken): Expr {
    const at = this.spanOf(token);
    const value = numberValue(token.image);
    if (token.image !== "") this.checkNumeral(token, value, at);
    return { kind: "number", value, at };
  }

  private checkNumeral(token: IToken, value: number, at: Span): void {
    const help = "numbers are written `4096`, `0x1000`, `4K`, `2M`";
    if (tokenMatcher(token, t.Fraction))
      this.report("E134", at, `${quote(token.image)}: there are no fractions here`, help);
    else if (tokenMatcher(token, t.BadNumber)) {
      const octal = /^0[0-7]+$/.test(token.image);
      const decimal = octal ? `octal numbers are not read; in decimal it is \`${parseInt(token.image, 8)}\`` : help;
      this.report("E117", at, `${quote(token.image)} is not a number`, decimal);
    } else if (value === Infinity) {
      this.report("E138", at, `${quote(token.image)} is too large`, "numbers reach 2^53, addresses 2^47");
    }
  }

  protected readonly group: ParserMethod<[], Expr> = this.RULE("group", (): Expr => {
    const start = this.offset();
    this.CONSUME(t.LParen);
    const inner = this.SUBRULE(this.expression, { ARGS: [plain] });
    if (this.isAssignment()) this.refuseAssignment();
    if (this.next(t.Comma)) {
      this.fail(
        "E115",
        this.spanOf(this.LA(1)),
        "expected `)`, found `,`",
        "there is no comma operator; use two statements",
      );
    }
    this.require(t.RParen, "E115", "expected `)`");
    this.CONSUME(t.RParen);
    const expr = this.widened(inner, start);
    this.ACTION(() => this.grouped.add(expr));
    return expr;
  });

  private isSizeOf(): boolean {
    return this.nextWord("sizeof") && (this.next(t.LParen, 2) || this.next(t.Name, 2) || this.next(t.Star, 2));
  }

  /** Opaque: `sizeof(struct gpu)`, `sizeof(*p)`, `sizeof x`. */
  private readonly sizeOf: ParserMethod<[Mode], Expr> = this.RULE("sizeOf", (mode: Mode): Expr => {
    const start = this.offset();
    this.CONSUME(t.Name);
    const from = this.offset();
    let close = this.next(t.LParen) ? this.behindBracket() - 2 : 0;
    this.OR([
      {
        GATE: () => close > 0,
        ALT: () => {
          this.CONSUME(t.LParen);
          this.MANY({ GATE: () => --close > 0, DEF: () => this.CONSUME(t.AnyToken) });
          this.CONSUME(t.RParen);
        },
      },
      { ALT: () => this.nested(() => this.SUBRULE(this.unary, { ARGS: [{ ...mode, bare: false }] })) },
    ]);
    const operand = this.source.slice(this.since(from));
    const of = operand.startsWith("(") ? operand.slice(1, -1) : operand;
    return { kind: "sizeof", of, at: this.since(start) };
  });

  // ---- mistakes

  /** Something is missing here, behind the token read last. */
  protected missing(what: string, code = "E120", help?: string): never {
    const found = this.LA(1);
    if (this.atEnd() || this.next(t.RParen) || this.next(t.RBracket) || this.next(t.Comma)) {
      const last = this.LA(0).image;
      const behind = last.trim() === "" ? "" : ` after ${quote(last)}`;
      return this.fail(code, this.spanOf(found), `${what} is missing${behind}`, help);
    }
    return this.fail(code, this.spanOf(found), `expected ${what}, found ${this.describe(found)}`, help);
  }

  protected requireName(what: string, help?: string): void {
    if (!this.next(t.Name)) this.missing(what, "E120", help);
  }

  protected refuseAssignment(): never {
    const op = this.LA(1);
    if (this.inCondition) {
      const help = "did you mean `==`? to keep a result, assign on the line before";
      return this.fail("E105", this.spanOf(op), `\`${op.image}\` assigns; a condition compares with \`==\``, help);
    }
    const message = "an assignment is a statement of its own, not a value";
    return this.fail("E136", this.spanOf(op), message, "write one assignment per line");
  }

  // ---- helpers

  protected ident(token: IToken): Ident {
    return { name: token.image, at: this.spanOf(token) };
  }

  protected widened(expr: Expr, start: number): Expr {
    return { ...expr, at: this.since(start) };
  }
}
