import type { ParserMethod } from "chevrotain";
import type * as ast from "./ast.ts";
import { listed } from "./parser-primaries.ts";
import { StatementParser } from "./parser-statements.ts";
import * as t from "./tokens.ts";

/** What an object or array begins with: `{ .start = a, .end = b }`, `{ [2] = a }`, `{ 1, 2 }`, `{}`, `{ 0 }`. */
export abstract class InitParser extends StatementParser {
  readonly init: ParserMethod<[], ast.Init> = this.RULE("init", (): ast.Init => {
    const start = this.offset();
    const fields: ast.InitField[] = [];
    this.CONSUME(t.LBrace);
    this.MANY({
      GATE: () => !this.next(t.RBrace),
      DEF: () =>
        this.OR([
          { ALT: () => this.CONSUME(t.Newline) },
          { ALT: () => this.CONSUME(t.Comma) },
          { GATE: () => this.next(t.Dot), ALT: () => fields.push(this.SUBRULE(this.namedField)) },
          { GATE: () => this.next(t.LBracket), ALT: () => fields.push(this.SUBRULE(this.indexedField)) },
          // All is zero: nothing is named.
          { GATE: () => this.isZero(), ALT: () => this.CONSUME(t.AnyToken) },
          { ALT: () => fields.push(this.SUBRULE(this.plainField)) },
        ]),
    });
    this.requireInitEnd();
    this.CONSUME(t.RBrace);
    return { kind: "init", fields, at: this.since(start) };
  });

  private isZero(): boolean {
    return /^(0|NULL)$/.test(this.LA(1).image) && this.next(t.RBrace, 2);
  }
  private requireInitEnd(): void {
    this.require(t.RBrace, "E122", "expected `.field = value`", "write `{ .start = a, .end = b }`");
  }

  private readonly namedField: ParserMethod<[], ast.InitField> = this.RULE("namedField", (): ast.InitField => {
    const start = this.offset();
    this.CONSUME(t.Dot);
    const name = this.SUBRULE(this.memberName);
    this.require(t.Assign, "E122", "expected `=` and the value of the field");
    this.CONSUME(t.Assign);
    const value = this.SUBRULE(this.value, { ARGS: [listed] });
    return { name, index: undefined, value, at: this.since(start) };
  });

  private readonly indexedField: ParserMethod<[], ast.InitField> = this.RULE("indexedField", (): ast.InitField => {
    const start = this.offset();
    this.CONSUME(t.LBracket);
    const index = this.SUBRULE(this.expression, { ARGS: [listed] });
    this.require(t.RBracket, "E122", "expected `]`, `=` and the value of the element");
    this.CONSUME(t.RBracket);
    this.require(t.Assign, "E122", "expected `=` and the value of the element");
    this.CONSUME(t.Assign);
    const value = this.SUBRULE(this.value, { ARGS: [listed] });
    return { name: undefined, index, value, at: this.since(start) };
  });

  /** Just the next one. */
  private readonly plainField: ParserMethod<[], ast.InitField> = this.RULE("plainField", (): ast.InitField => {
    const start = this.offset();
    if (this.next(t.Name) && this.next(t.Assign, 2)) this.requireInitEnd();
    const value = this.SUBRULE(this.value, { ARGS: [listed] });
    return { name: undefined, index: undefined, value, at: this.since(start) };
  });
}
