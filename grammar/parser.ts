import type { IToken, ParserMethod } from "chevrotain";
import type { Statement } from "./ast.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { DrivingParser } from "./parser-driving.ts";
import { plain } from "./parser-primaries.ts";
import type { SourceText } from "./span.ts";
import * as t from "./tokens.ts";
import { tagWords } from "./words.ts";

/** What a statement turns out to be, from its first tokens. Names mean something only here, and only if they fit. */
type Head =
  | "onCpu"
  | "block"
  | "label"
  | "kernel"
  | "include"
  | "var"
  | "fn"
  | "race"
  | "struct"
  | "enum"
  | "ops"
  | "declare"
  | "cfunction"
  | "macro"
  | "patch"
  | "expect"
  | "invariant"
  | "show"
  | "step"
  | "fail"
  | "sanitizer"
  | "schedule"
  | "switch"
  | "forC"
  | "forIn"
  | "forKernel"
  | "forEach"
  | "condition"
  | "simple"
  | "forward"
  | "if"
  | "while"
  | "do"
  | "jump"
  | "junk";

export const wordHeads: ReadonlyMap<string, Head> = new Map<string, Head>([
  ["kernel", "kernel"],
  ["include", "include"],
  ["var", "var"],
  ["fn", "fn"],
  ["race", "race"],
  ["patch", "patch"],
  ["expect", "expect"],
  ["always", "invariant"],
  ["never", "invariant"],
  ["show", "show"],
  ["step", "step"],
  ["fail", "fail"],
  ["maybe", "fail"],
  ["sanitizer", "sanitizer"],
  ["schedule", "schedule"],
  ["wait", "condition"],
  ["assume", "condition"],
  ["assert", "condition"],
  ["switch", "switch"],
]);

/** Words that a script may well use for functions of its own: `step(3)` is a call. */
export const callable: ReadonlySet<string> = new Set([
  "kernel",
  "include",
  "var",
  "fn",
  "show",
  "step",
  "fail",
  "maybe",
  "sanitizer",
  "schedule",
  "patch",
]);

export interface Parsed {
  readonly statements: readonly Statement[];
  readonly diagnostics: readonly Diagnostic[];
}

export class ScriptParser extends DrivingParser {
  /** Of the statement at hand; only looked at before anything of it is read. */
  private head: Head = "simple";

  constructor(validate: boolean) {
    super(validate);
    this.performSelfAnalysis();
  }

  parse(source: SourceText, tokens: IToken[]): Parsed {
    this.begin(source, tokens);
    const statements = this.script();
    return { statements, diagnostics: this.diagnostics };
  }

  private readonly script: ParserMethod<[], Statement[]> = this.RULE("script", (): Statement[] =>
    this.SUBRULE(this.statements),
  );

  readonly guarded: ParserMethod<[], Statement | undefined> = this.RULE("guarded", () =>
    this.guard<Statement>(false, () => {
      const statement = this.SUBRULE(this.statement);
      if (!this.RECORDING_PHASE && !this.isEnded()) this.refuseRest(statement);
      return statement;
    }),
  );

  readonly statement: ParserMethod<[], Statement | undefined> = this.RULE("statement", (): Statement | undefined => {
    this.head = this.findHead();
    return this.OR<Statement | undefined>([
      { GATE: () => this.head === "simple", ALT: () => this.SUBRULE(this.simple, { ARGS: [plain] }) },
      { GATE: () => this.head === "onCpu", ALT: () => this.SUBRULE(this.onCpu) },
      { GATE: () => this.head === "if", ALT: () => this.SUBRULE(this.ifStatement) },
      { GATE: () => this.head === "jump", ALT: () => this.SUBRULE(this.jump) },
      { GATE: () => this.head === "label", ALT: () => this.SUBRULE(this.label) },
      { GATE: () => this.head === "block", ALT: () => this.SUBRULE(this.block) },
      { GATE: () => this.head === "while", ALT: () => this.SUBRULE(this.whileStatement) },
      { GATE: () => this.head === "do", ALT: () => this.SUBRULE(this.doStatement) },
      { GATE: () => this.head === "forC", ALT: () => this.SUBRULE(this.forStatement) },
      { GATE: () => this.head === "forIn", ALT: () => this.SUBRULE(this.forIn) },
      { GATE: () => this.head === "forKernel", ALT: () => this.SUBRULE(this.forKernel) },
      { GATE: () => this.head === "junk", ALT: () => this.SUBRULE(this.junk) },
      { ALT: () => this.SUBRULE(this.worded) },
    ]);
  });

  /** Statements that begin with a word which is a name anywhere else, or with a type. */
  private readonly worded: ParserMethod<[], Statement | undefined> = this.RULE("worded", (): Statement | undefined =>
    this.OR<Statement | undefined>([
      { GATE: () => this.head === "kernel", ALT: () => this.SUBRULE(this.kernelLine) },
      { GATE: () => this.head === "include", ALT: () => this.SUBRULE(this.include) },
      { GATE: () => this.head === "var", ALT: () => this.SUBRULE(this.varLine) },
      { GATE: () => this.head === "fn", ALT: () => this.SUBRULE(this.fn) },
      { GATE: () => this.head === "race", ALT: () => this.SUBRULE(this.race) },
      { GATE: () => this.head === "patch", ALT: () => this.SUBRULE(this.patch) },
      { GATE: () => this.head === "expect", ALT: () => this.SUBRULE(this.expect) },
      { GATE: () => this.head === "invariant", ALT: () => this.SUBRULE(this.invariant) },
      { GATE: () => this.head === "show", ALT: () => this.SUBRULE(this.show) },
      { GATE: () => this.head === "step", ALT: () => this.SUBRULE(this.step) },
      { GATE: () => this.head === "fail", ALT: () => this.SUBRULE(this.fail_) },
      { GATE: () => this.head === "sanitizer", ALT: () => this.SUBRULE(this.sanitizer) },
      { GATE: () => this.head === "schedule", ALT: () => this.SUBRULE(this.schedule) },
      { GATE: () => this.head === "condition", ALT: () => this.SUBRULE(this.conditionLine) },
      { GATE: () => this.head === "switch", ALT: () => this.SUBRULE(this.switchStatement) },
      { GATE: () => this.head === "forEach", ALT: () => this.SUBRULE(this.forEach) },
      { GATE: () => this.head === "struct", ALT: () => this.SUBRULE(this.struct) },
      { GATE: () => this.head === "enum", ALT: () => this.SUBRULE(this.enumLine) },
      { GATE: () => this.head === "ops", ALT: () => this.SUBRULE(this.ops, { ARGS: [this.typeCount()] }) },
      { GATE: () => this.head === "declare", ALT: () => this.SUBRULE(this.declare, { ARGS: [this.typeCount()] }) },
      { GATE: () => this.head === "cfunction", ALT: () => this.SUBRULE(this.cfunction) },
      { GATE: () => this.head === "macro", ALT: () => this.SUBRULE(this.macro) },
      { ALT: () => this.SUBRULE(this.forward) },
    ]),
  );

  /** `static DEFINE_MUTEX(lock);` */
  private readonly macro: ParserMethod<[], Statement> = this.RULE("macro", (): Statement => {
    this.SUBRULE(this.ctype, { ARGS: [this.typeCount()] });
    return this.SUBRULE(this.simple, { ARGS: [plain] });
  });

  /** `struct mm_struct;` says nothing. */
  private readonly forward: ParserMethod<[], undefined> = this.RULE("forward", (): undefined => {
    this.SUBRULE(this.ctype, { ARGS: [this.typeCount()] });
    return undefined;
  });

  private typeCount(): number {
    return Math.max(1, this.scanType().count);
  }

  // ---- heads

  private findHead(): Head {
    switch (this.LA(1).tokenType) {
      case t.Name:
        return this.findWordHead();
      case t.Cpu:
        return this.isCpuLabel() ? "onCpu" : "simple";
      case t.LBrace:
        return "block";
      case t.If:
        return "if";
      case t.While:
        return "while";
      case t.Do:
        return "do";
      case t.For:
        return this.findForHead();
      case t.Goto:
      case t.Return:
      case t.Break:
      case t.Continue:
        return "jump";
      default:
        return this.beginsOperand() || this.next(t.DotDot) ? "simple" : "junk";
    }
  }

  private isCpuLabel(): boolean {
    if (this.looksInfix(2) && !this.next(t.DotDot, 2)) return this.looksPrefix(2);
    return !this.isAssignment(2) && ![t.Dot, t.Arrow, t.LBracket, t.Question].includes(this.LA(2).tokenType);
  }

  private findForHead(): Head {
    if (!this.next(t.Name, 2) || !this.nextWord("in", 3)) return "forC";
    return this.nextWord("kernel", 2) ? "forKernel" : "forIn";
  }

  private findWordHead(): Head {
    const word = this.LA(1).image;
    if (this.next(t.Colon, 2)) return "label";
    if (/^cpu$/i.test(word) && this.nextIs(t.Numeral, 2) && this.next(t.Colon, 3)) return "onCpu";
    const behind = this.LA(2).tokenType;
    if (this.isAssignment(2) || [t.Dot, t.Arrow, t.PlusPlus, t.MinusMinus].includes(behind)) return "simple";
    const head = wordHeads.get(word);
    if (head !== undefined && !(callable.has(word) && behind === t.LParen)) return head;
    if (word === "enum" && (behind === t.LBrace || this.next(t.LBrace, 3))) return "enum";
    if (word.includes("for_each") && (behind === t.LParen || this.beginsArgument(2))) return "forEach";
    return this.findTypeHead();
  }

  /** Declarations, by the words for types and by what stands behind them. */
  private findTypeHead(): Head {
    const { count, base } = this.scanType();
    if (count === 0) return this.findNamedTypeHead();
    if (tagWords.has(this.LA(1).image) && count === 2 && this.next(t.LBrace, 3)) {
      return this.LA(1).image === "struct" ? "struct" : "junk";
    }
    let name = 1 + count;
    while (this.next(t.Star, name)) name++;
    if (!this.next(t.Name, name))
      return base && this.atEnd(1 + count) && tagWords.has(this.LA(1).image) ? "forward" : "declare";
    if (this.next(t.LParen, name + 1)) return base ? "cfunction" : "macro";
    if (this.LA(count).image.endsWith("_ops") && this.opensOps(name + 1)) return "ops";
    return "declare";
  }

  /** `hmm_mirror_ops ops {`, `hmm_range r = {` */
  private findNamedTypeHead(): Head {
    if (/^(?:typedef|case)$/.test(this.LA(1).image) && this.beginsOperand(2)) return "junk";
    if (!this.next(t.Name, 2)) return "simple";
    if (this.LA(1).image.endsWith("_ops") && this.opensOps(3)) return "ops";
    return this.next(t.Assign, 3) && this.next(t.LBrace, 4) ? "declare" : "simple";
  }

  private opensOps(ahead: number): boolean {
    return this.next(t.LBrace, ahead) || (this.next(t.Assign, ahead) && this.next(t.LBrace, ahead + 1));
  }

  // ---- ends and mistakes

  private isEnded(): boolean {
    const last = this.LA(0).tokenType;
    // A block and a label end themselves.
    return this.atEnd() || last === t.RBrace || last === t.Colon || last === t.Semicolon;
  }

  private refuseRest(statement: Statement | undefined): void {
    const found = this.LA(1);
    const message = `expected the end of the statement, found ${this.describe(found)}`;
    this.fail("E115", this.spanOf(found), message, this.helpForRest(statement, found));
  }

  private helpForRest(statement: Statement | undefined, found: IToken): string {
    const called = statement?.kind === "expression" && statement.expr.kind === "call" ? statement.expr : undefined;
    if (found.tokenType === t.LBrace && called?.callee.kind === "name") {
      return `to define a function, write \`fn ${called.callee.name}(...) { ... }\``;
    }
    if (found.tokenType === t.Comma) return "there is no comma operator; use two statements";
    if (found.tokenType === t.Until) return "`until` follows a call, an assignment, a block or `continue`";
    return "begin a new line, or put a `;` between two statements";
  }

  /** A statement cannot begin so. */
  private readonly junk: ParserMethod<[], undefined> = this.RULE("junk", (): undefined => {
    const found = this.LA(1);
    const at = this.spanOf(found);
    if (found.tokenType === t.Else) {
      this.fail("E119", at, "`else` without an `if` before it", "at the prompt: write `} else {` on one line");
    }
    if (found.image === "case")
      this.fail("E127", at, "`case` without a `switch` around it", "use `if ... else if ...`");
    if (found.tokenType === t.Name) {
      this.fail("E128", at, `there is no \`${found.image}\` here`, "use the type itself");
    }
    if (found.tokenType === t.Until) {
      this.fail(
        "E115",
        at,
        "`until` follows a call, an assignment, a block or `continue`",
        "`cpu0: continue until find_vma`",
      );
    }
    this.fail("E120", at, `expected a statement, found ${this.describe(found)}`);
    return this.SUBRULE(this.nothing);
  });
}
