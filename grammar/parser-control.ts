import type { ParserMethod } from "chevrotain";
import type * as ast from "./ast.ts";
import type { Block, Expr, Statement } from "./ast.ts";
import { InitParser } from "./parser-init.ts";
import { plain, tight } from "./parser-primaries.ts";
import * as t from "./tokens.ts";

/** Branches, loops and jumps. */
export abstract class ControlParser extends InitParser {
  /** A declaration in the head of a `for`. */
  abstract readonly declare: ParserMethod<[number?], ast.Declare>;
  abstract readonly varLine: ParserMethod<[], ast.Declare>;

  readonly ifStatement: ParserMethod<[], ast.If> = this.RULE("ifStatement", (): ast.If => {
    const start = this.offset();
    const arms = [this.SUBRULE1(this.ifArm)];
    // A loop, not a recursion: three thousand arms are no deeper than one.
    this.MANY({
      GATE: () => this.next(t.If, 2),
      DEF: () => {
        this.CONSUME1(t.Else);
        arms.push(this.SUBRULE2(this.ifArm));
      },
    });
    const otherwise = this.OPTION(() => {
      this.CONSUME2(t.Else);
      return this.SUBRULE(this.body, { ARGS: ["else"] });
    });
    return { kind: "if", arms, otherwise, at: this.since(start) };
  });

  private readonly ifArm: ParserMethod<[], ast.IfArm> = this.RULE("ifArm", (): ast.IfArm => {
    const start = this.offset();
    this.CONSUME(t.If);
    const test = this.SUBRULE(this.headCondition, { ARGS: ["if"] });
    const body = this.SUBRULE(this.body, { ARGS: ["if"] });
    return { test, body, at: this.since(start) };
  });

  readonly whileStatement: ParserMethod<[], ast.While> = this.RULE("whileStatement", (): ast.While => {
    const start = this.offset();
    this.CONSUME(t.While);
    const test = this.SUBRULE(this.headCondition, { ARGS: ["while"] });
    const body = this.inLoop(() => this.SUBRULE(this.body, { ARGS: ["while"] }));
    return { kind: "while", test, body, at: this.since(start) };
  });

  readonly doStatement: ParserMethod<[], ast.DoWhile> = this.RULE("doStatement", (): ast.DoWhile => {
    const start = this.offset();
    this.CONSUME(t.Do);
    this.requireBlock("do");
    const body = this.inLoop(() => this.SUBRULE(this.block));
    this.MANY(() => this.CONSUME(t.Newline));
    this.require(t.While, "E107", "`do { ... }` ends in `while`: expected `while`", "write `do { ... } while (x)`");
    this.CONSUME(t.While);
    const { test } = this.SUBRULE(this.condition);
    return { kind: "doWhile", body, test, at: this.since(start) };
  });

  // ---- for

  /** `for (int i = 0; ...`, but not `for (u8.x = 0; ...`, where the word is a name like any other. */
  private declaresInFor(): boolean {
    const { base, count } = this.scanType();
    return base && (this.next(t.Name, 1 + count) || this.next(t.Star, 1 + count));
  }

  readonly forStatement: ParserMethod<[], ast.For> = this.RULE("forStatement", (): ast.For => {
    const start = this.offset();
    this.CONSUME(t.For);
    if (!this.next(t.LParen)) this.refuseFor();
    this.CONSUME(t.LParen);
    const first = this.OPTION1({
      GATE: () => !this.next(t.Semicolon),
      DEF: () => this.SUBRULE(this.forFirst),
    });
    this.requireSemicolon();
    this.CONSUME1(t.Semicolon);
    const test = this.OPTION2({
      GATE: () => !this.next(t.Semicolon),
      DEF: () => this.SUBRULE(this.wholeCondition),
    });
    this.requireSemicolon();
    this.CONSUME2(t.Semicolon);
    const next = this.OPTION3({
      GATE: () => !this.next(t.RParen),
      DEF: () => this.SUBRULE(this.simpleList),
    });
    this.require(t.RParen, "E106", "expected the `)` of `for`", FOR_HELP);
    this.CONSUME(t.RParen);
    const body = this.inLoop(() => this.SUBRULE(this.body, { ARGS: ["for"] }));
    return { kind: "for", first: first ?? [], test, next: next ?? [], body, at: this.since(start) };
  });

  private readonly forFirst: ParserMethod<[], Statement[]> = this.RULE("forFirst", (): Statement[] =>
    this.OR<Statement[]>([
      {
        GATE: () => this.declaresInFor(),
        ALT: () => [this.SUBRULE(this.declare, { ARGS: [this.scanType().count] })],
      },
      { GATE: () => this.nextWord("var") && this.next(t.Name, 2), ALT: () => [this.SUBRULE(this.varLine)] },
      { ALT: () => this.SUBRULE(this.simpleList) },
    ]),
  );

  private requireSemicolon(): void {
    this.require(t.Semicolon, "E106", "C's `for` has three parts: expected `;`", FOR_HELP);
  }

  private refuseFor(): void {
    const word = this.LA(2);
    if (this.next(t.Name) && this.next(t.Name, 2)) {
      this.fail("E106", this.spanOf(word), `expected \`in\`, found ${this.describe(word)}`, FOR_HELP);
    }
    this.fail("E106", this.spanOf(this.LA(1)), "C's `for` needs its parentheses", FOR_HELP);
  }

  readonly forIn: ParserMethod<[], ast.ForIn> = this.RULE("forIn", (): ast.ForIn => {
    const start = this.offset();
    this.CONSUME(t.For);
    const name = this.ident(this.CONSUME1(t.Name));
    this.CONSUME2(t.Name);
    const values: Expr[] = [this.SUBRULE1(this.binary, { ARGS: [1, tight] })];
    this.MANY({
      GATE: () => !this.next(t.LBrace),
      DEF: () => {
        this.OPTION(() => this.CONSUME(t.Comma));
        values.push(this.SUBRULE2(this.binary, { ARGS: [1, tight] }));
      },
    });
    this.requireBlock("for", FOR_HELP);
    const body = this.inLoop(() => this.SUBRULE(this.block));
    return { kind: "forIn", name, values, body, at: this.since(start) };
  });

  /** `list_for_each_entry(pos, head, member) body` */
  readonly forEach: ParserMethod<[], ast.ForEach> = this.RULE("forEach", (): ast.ForEach => {
    const start = this.offset();
    const macro = this.ident(this.LA(1));
    const call = this.SUBRULE(this.postfix, { ARGS: [plain] });
    const args = call.kind === "call" ? call.args : [];
    if (call.kind !== "call" || call.bare) this.requireBlock(macro.name);
    const body = this.inLoop(() => this.SUBRULE(this.body, { ARGS: [macro.name] }));
    return { kind: "forEach", macro, args, body, at: this.since(start) };
  });

  // ---- switch

  readonly switchStatement: ParserMethod<[], ast.Switch> = this.RULE("switchStatement", (): ast.Switch => {
    const start = this.offset();
    this.CONSUME(t.Name);
    const { test: value } = this.SUBRULE(this.condition);
    this.requireBlock("switch");
    this.CONSUME(t.LBrace);
    const arms: ast.SwitchArm[] = [];
    this.MANY({
      GATE: () => !this.next(t.RBrace),
      DEF: () =>
        this.OR([
          { ALT: () => this.CONSUME(t.Separator) },
          { GATE: () => !this.nextIs(t.Separator), ALT: () => arms.push(this.SUBRULE(this.switchArm)) },
        ]),
    });
    this.CONSUME(t.RBrace);
    return this.ACTION((): ast.Switch => {
      this.refuseFallThrough(arms);
      return { kind: "switch", value, arms: arms.map(withoutBreak), at: this.since(start) };
    });
  });

  private readonly switchArm: ParserMethod<[], ast.SwitchArm> = this.RULE("switchArm", (): ast.SwitchArm => {
    const start = this.offset();
    const values: Expr[] = [];
    let isDefault = false;
    if (!this.RECORDING_PHASE && !this.atCase()) {
      this.fail("E127", this.spanOf(this.LA(1)), `expected \`case\`, found ${this.describe(this.LA(1))}`);
    }
    this.AT_LEAST_ONE({
      GATE: () => this.atCase(),
      DEF: () => {
        const word = this.CONSUME(t.Name);
        if (word.image === "default") isDefault = true;
        else if (!this.RECORDING_PHASE && this.next(t.Colon)) this.missing("a value", "E127");
        this.OPTION({
          GATE: () => word.image === "case",
          DEF: () => values.push(this.SUBRULE(this.binary, { ARGS: [1, { ...plain, bare: false }] })),
        });
        this.require(t.Colon, "E127", "expected `:` behind the `case`");
        this.CONSUME(t.Colon);
        this.MANY1(() => this.CONSUME1(t.Newline));
      },
    });
    const from = this.offset();
    const statements: Statement[] = [];
    this.MANY2({
      GATE: () => !this.next(t.RBrace) && !this.atCase(),
      DEF: () =>
        this.OR([
          { ALT: () => this.CONSUME(t.Separator) },
          {
            GATE: () => !this.nextIs(t.Separator),
            ALT: () => {
              const statement = this.SUBRULE(this.guarded);
              if (statement !== undefined) statements.push(statement);
            },
          },
        ]),
    });
    const body: Block = { kind: "block", braces: false, statements, at: this.since(from) };
    return { values, isDefault, body, at: this.since(start) };
  });

  private atCase(): boolean {
    return this.nextWord("case") || (this.nextWord("default") && this.next(t.Colon, 2));
  }

  private refuseFallThrough(arms: readonly ast.SwitchArm[]): void {
    for (const arm of arms.slice(0, -1)) {
      const last = lastStatement(arm);
      if (last !== undefined && leaves(last)) continue;
      const at = { start: arm.at.start, end: arm.at.start + "case".length };
      this.report("E127", at, "this `case` falls through to the next", "end it with `break`, `return` or `goto`");
    }
  }

  // ---- jumps

  readonly label: ParserMethod<[], ast.Label> = this.RULE("label", (): ast.Label => {
    const start = this.offset();
    const name = this.ident(this.CONSUME(t.Name));
    this.CONSUME(t.Colon);
    return { kind: "label", name, at: this.since(start) };
  });

  readonly jump: ParserMethod<[], Statement> = this.RULE("jump", (): Statement => {
    const start = this.offset();
    return this.OR<Statement>([
      {
        ALT: () => {
          this.CONSUME(t.Goto);
          if (!this.next(t.Name)) this.missing("a label");
          const label = this.ident(this.CONSUME(t.Name));
          return { kind: "goto", label, at: this.since(start) };
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Return);
          const value = this.OPTION1({ GATE: () => !this.atEnd(), DEF: () => this.SUBRULE(this.expression) });
          return { kind: "return", value, at: this.since(start) };
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Break);
          return { kind: "break", at: this.since(start) };
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Continue);
          const until = this.OPTION2(() => this.SUBRULE(this.until));
          const what = until === undefined && this.loops > 0 ? "loop" : "run";
          return { kind: "continue", what, until, at: this.since(start) };
        },
      },
    ]);
  });
}

const FOR_HELP = "write `for (i = 0; i < n; i++) { ... }` or `for addr in RANGE { ... }`";

/** The last statement of an arm, where that is a block of C's the last one in it. */
function lastStatement(arm: ast.SwitchArm): Statement | undefined {
  let last = arm.body.statements.at(-1);
  while (last?.kind === "block") last = last.statements.at(-1);
  return last;
}

function leaves(statement: Statement): boolean {
  return ["break", "return", "goto", "continue"].includes(statement.kind);
}

function withoutBreak(arm: ast.SwitchArm): ast.SwitchArm {
  return { ...arm, body: blockWithoutBreak(arm.body) };
}

function blockWithoutBreak(block: Block): Block {
  const last = block.statements.at(-1);
  const before = block.statements.slice(0, -1);
  if (last?.kind === "break") return { ...block, statements: before };
  if (last?.kind === "block") return { ...block, statements: [...before, blockWithoutBreak(last)] };
  return block;
}
