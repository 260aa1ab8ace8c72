import type { IToken, ParserMethod } from "chevrotain";
import type { CType } from "./ast.ts";
import { ParserBase } from "./parser-base.ts";
import { LParen, Name, RParen, Star } from "./tokens.ts";
import { storageWords, tagWords, typeWords } from "./words.ts";

export interface TypeScan {
  /** How many words belong to the type. */
  readonly count: number;
  /** Whether any of them is a type, and not only `static` and the like. */
  readonly base: boolean;
}

/** C's types: sequences of ordinary names, told from other names by what they are and by what follows. */
export abstract class TypeParser extends ParserBase {
  /** Which words from here on are a type; none if this is no type. */
  protected scanType(ahead = 1): TypeScan {
    let at = ahead;
    let base = false;
    for (;;) {
      if (!this.next(Name, at)) break;
      const word = this.LA(at).image;
      if (tagWords.has(word) && this.next(Name, at + 1)) {
        base = true;
        at += 2;
      } else if (typeWords.has(word)) {
        base = true;
        at++;
      } else if (storageWords.has(word) || (word.startsWith("__") && at > ahead && this.next(Name, at + 1))) at++;
      else if (!base && word.endsWith("_t") && (this.next(Name, at + 1) || this.next(Star, at + 1))) {
        base = true;
        at++;
      } else break;
    }
    return { count: at - ahead, base };
  }

  /** `(unsigned long)`, `(struct gpu *)`, `(foo *)`: how far ahead the `)` is, or 0 if this is no cast. */
  protected castEnd(): number {
    if (!this.next(LParen)) return 0;
    let { count, base } = this.scanType(2);
    if (count === 0 && this.next(Name, 2)) {
      // A lone name is a type if it can be nothing else: behind it a `*` and nothing, or by its ending.
      if (!this.next(Star, 3) && !(this.LA(2).image.endsWith("_t") && this.next(RParen, 3))) return 0;
      count = 1;
      base = true;
    }
    if (!base) return 0;
    let end = 2 + count;
    while (this.next(Star, end)) end++;
    return this.next(RParen, end) ? end : 0;
  }

  /** As many words as `scanType` counted. */
  protected readonly ctype: ParserMethod<[number?], CType> = this.RULE("ctype", (count = 1): CType => {
    const start = this.offset();
    const words: IToken[] = [];
    this.AT_LEAST_ONE({
      GATE: () => words.length < count,
      DEF: () => {
        words.push(this.CONSUME(Name));
      },
    });
    return { ...nameOfType(words.map((word) => word.image)), at: this.since(start) };
  });
}

function nameOfType(words: readonly string[]): { struct: boolean; name: string } {
  const tag = words.findIndex((word) => tagWords.has(word));
  // An enum is a number, whatever it is called.
  if (tag >= 0 && words[tag] === "enum") return { struct: false, name: "int" };
  if (tag >= 0 && tag + 1 < words.length) return { struct: true, name: words[tag + 1]! };
  const told = words.filter((word) => !storageWords.has(word));
  return { struct: false, name: told.length === 0 ? "int" : told.join(" ") };
}
