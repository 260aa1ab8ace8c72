/** Expressions as text. A `BREAK` in it is a blank, or the end of a line that would be too long. */
import type { Argument, Call, CType, Expr, NumberLiteral, Range, Unary, Update } from "./ast.ts";
import { BREAK } from "./format-writer.ts";
import { tokenize } from "./parse.ts";
import { levels } from "./parser-expressions.ts";
import type { SourceText, Span } from "./span.ts";
import { StringToken } from "./tokens.ts";
import { typeWords } from "./words.ts";

// How tightly a node holds together, beside the operators in `levels`.
const CONDITIONAL = 0;
const BINARY = 1;
const UNARY = 12;
const UPDATED = 13;
const PRIMARY = 14;

const RANGE = levels.get("..")!;
const logical = new Set(["&&", "||"]);
const bitwise = new Set(["&", "|", "^", "<<", ">>"]);
/** What may stand, without blanks, in an argument of a call without parentheses. */
const tightOperators = new Set(["+", "-", "*", "/", "%", "|"]);

export class ExpressionFormatter {
  protected readonly source: SourceText;

  constructor(source: SourceText) {
    this.source = source;
  }

  /** A value that ends its statement: a call may do without parentheses. */
  value(expr: Expr): string {
    return (expr.kind === "call" ? this.bareCall(expr) : undefined) ?? this.expression(expr);
  }

  expression(expr: Expr): string {
    switch (expr.kind) {
      case "number":
        return this.number(expr);
      case "string":
        return this.string(expr.at);
      case "boolean":
        return String(expr.value);
      case "null":
        return "NULL";
      case "name":
        return expr.name;
      case "cpu":
        return `cpu${expr.number}`;
      case "result":
        return "$";
      case "defaults":
        return "...";
      case "sizeof":
        return `sizeof(${uncommented(expr.of)})`;
      case "type":
        return typeText(expr.type);
      case "member":
        return `${this.operand(expr.object, PRIMARY)}.${expr.name.name}`;
      case "index":
        return `${this.operand(expr.object, PRIMARY)}[${this.expression(expr.index)}]`;
      case "call":
        return `${this.operand(expr.callee, PRIMARY)}(${this.arguments(expr.args)})`;
      case "unary":
      case "update":
        return this.unary(expr);
      case "binary":
        return this.binary(expr.op, expr.left, expr.right);
      case "conditional": {
        const { test, yes, no } = expr;
        return `${this.operand(test, BINARY)} ? ${this.operand(yes, BINARY)} : ${this.operand(no, CONDITIONAL)}`;
      }
      case "range":
        return this.range(expr);
    }
  }

  /** Where no call without parentheses may stand, and no conditional either. */
  caseValue(expr: Expr): string {
    return this.operand(expr, BINARY);
  }

  /** As in `for x in a, b`, where white space ends a value. */
  listed(expr: Expr): string {
    return this.simple(expr) ?? this.operand(expr, PRIMARY);
  }

  /** Between parentheses. */
  arguments(args: readonly Argument[]): string {
    return args.map((arg) => named(arg, this.argument(arg.value))).join(`,${BREAK}`);
  }

  /** A string as the author spelled it, found in the place of what holds it. */
  string(at: Span): string {
    return tokenize(this.source.slice(at)).tokens.find(({ tokenType }) => tokenType === StringToken)?.image ?? '""';
  }

  /** Without parentheses, if all arguments are simple. */
  protected bareCall({ callee, args }: Call): string | undefined {
    const name = this.tight(callee);
    const texts = args.map((arg) => {
      const text = this.simple(arg.value);
      return text === undefined ? undefined : named(arg, text);
    });
    if (name === undefined || texts.length === 0 || texts.includes(undefined)) return undefined;
    return [name, ...texts].join(" ");
  }

  // ---- arguments

  private argument(value: Expr): string {
    const text = this.expression(value);
    // A name that is a word for types elsewhere.
    const word = /^\w+(?!\w|\()/.exec(text)?.[0] ?? "";
    return value.kind !== "type" && typeWords.has(word) ? `(${text})` : text;
  }

  /** The text of what can be an argument without parentheses, if it is short enough to be read so. */
  private simple(expr: Expr): string | undefined {
    if (expr.kind === "defaults") return "...";
    if (expr.kind !== "unary" || (expr.op !== "-" && expr.op !== "&")) return this.tight(expr);
    const operand = this.isPath(expr.operand) ? this.tight(expr.operand) : undefined;
    return operand === undefined ? undefined : expr.op + operand;
  }

  /** The text of a path, a range or a sum without blanks; undefined of anything else. */
  private tight(expr: Expr): string | undefined {
    switch (expr.kind) {
      case "number":
      case "string":
      case "boolean":
      case "null":
      case "name":
      case "cpu":
      case "result":
        return this.expression(expr);
      case "member":
        return this.isPath(expr.object) ? join(this.tight(expr.object), ".", expr.name.name) : undefined;
      case "index":
        return this.isPath(expr.object) ? join(this.tight(expr.object), "[", this.tight(expr.index), "]") : undefined;
      case "binary": {
        const level = levelOf(expr);
        if (!tightOperators.has(expr.op) || levelOf(expr.left) < level || levelOf(expr.right) <= level)
          return undefined;
        return join(this.tight(expr.left), expr.op, this.tight(expr.right));
      }
      case "range": {
        const { start, end, length } = expr;
        if ([start, end, length].some((part) => part !== undefined && levelOf(part) <= RANGE)) return undefined;
        const rest = end !== undefined ? this.tight(end) : length !== undefined ? join("+", this.tight(length)) : "";
        return join(this.tight(start), "..", rest);
      }
      default:
        return undefined;
    }
  }

  private isPath(expr: Expr): boolean {
    return levelOf(expr) === PRIMARY;
  }

  // ---- operators

  private operand(expr: Expr, lowest: number): string {
    const text = this.expression(expr);
    return levelOf(expr) < lowest ? `(${text})` : text;
  }

  private unary(expr: Unary | Update): string {
    if (expr.kind === "update" && !expr.prefix) return `${this.operand(expr.operand, PRIMARY)}${expr.op}`;
    const operand = this.operand(expr.operand, UNARY);
    // Two of them would be one token.
    return /^[-+&]/.test(operand) && operand.startsWith(expr.op[0]!)
      ? `${expr.op}(${operand})`
      : `${expr.op}${operand}`;
  }

  private binary(op: string, left: Expr, right: Expr): string {
    const level = levels.get(op)!;
    const blank = logical.has(op) ? BREAK : " ";
    return `${this.side(op, left, level)} ${op}${blank}${this.side(op, right, level + 1)}`;
  }

  /** In parentheses also where C's precedence would do and C's compilers warn. */
  private side(op: string, expr: Expr, lowest: number): string {
    const unclear = expr.kind === "binary" && expr.op !== op && (op === "||" ? expr.op === "&&" : bitwise.has(op));
    return unclear ? `(${this.expression(expr)})` : this.operand(expr, lowest);
  }

  private range({ start, end, length }: Range): string {
    const rest = end !== undefined ? this.bound(end) : length !== undefined ? `+${this.bound(length)}` : "";
    return `${this.bound(start)}..${rest}`;
  }

  private bound(expr: Expr): string {
    const tight = levelOf(expr) > RANGE ? this.tight(expr) : undefined;
    if (tight !== undefined) return tight;
    const text = this.expression(expr);
    return levelOf(expr) < UNARY || /^[+.]/.test(text) ? `(${text})` : text;
  }

  // ---- literals

  /** As the author spelled it, but for C's suffixes. */
  private number({ at, value }: NumberLiteral): string {
    const image = tokenize(this.source.slice(at)).tokens.find((token) => /^\d/.test(token.image))?.image;
    return (image ?? String(value))
      .replace(/[uUlL]+$/, "")
      .replace(/^0X/, "0x")
      .replace(/[kmg]$/, (suffix) => suffix.toUpperCase());
  }
}

export function typeText({ struct, name }: CType): string {
  return struct ? `struct ${name}` : name;
}

function named({ name }: Argument, text: string): string {
  return name === undefined ? text : `${name.name}=${text}`;
}

function levelOf(expr: Expr): number {
  switch (expr.kind) {
    case "conditional":
      return CONDITIONAL;
    case "binary":
      return levels.get(expr.op)!;
    case "range":
      return RANGE;
    case "unary":
      return UNARY;
    case "update":
      return expr.prefix ? UNARY : UPDATED;
    default:
      return PRIMARY;
  }
}

function join(...parts: readonly (string | undefined)[]): string | undefined {
  return parts.includes(undefined) ? undefined : parts.join("");
}

/** On one line, without the comments, which are written where they are found. */
function uncommented(text: string): string {
  const { tokens } = tokenize(text);
  let end = 0;
  let told = "";
  for (const { image, startOffset } of tokens) {
    if (image.trim() === "") continue;
    if (told !== "" && startOffset > end) told += " ";
    told += image;
    end = startOffset + image.length;
  }
  return told;
}
