import type { ParserMethod } from "chevrotain";
import type * as ast from "./ast.ts";
import type { Ident } from "./ast.ts";
import { quote } from "./diagnostic.ts";
import { ControlParser } from "./parser-control.ts";
import { listed } from "./parser-primaries.ts";
import * as t from "./tokens.ts";

/** What scripts and C declare: words, objects, functions, types, tables of callbacks. */
export abstract class DeclarationParser extends ControlParser {
  abstract readonly patchName: ParserMethod<[], Ident>;

  // ---- variables and objects

  readonly varLine: ParserMethod<[], ast.Declare> = this.RULE("varLine", (): ast.Declare => {
    const start = this.offset();
    this.CONSUME(t.Name);
    const names = this.SUBRULE(this.declarators);
    return { kind: "declare", type: undefined, names, at: this.since(start) };
  });

  /** A type of so many words, and what is declared with it. */
  readonly declare: ParserMethod<[number?], ast.Declare> = this.RULE("declare", (count = 1): ast.Declare => {
    const start = this.offset();
    const type = this.SUBRULE(this.ctype, { ARGS: [count] });
    const names = this.SUBRULE(this.declarators);
    return { kind: "declare", type, names, at: this.since(start) };
  });

  private readonly declarators: ParserMethod<[], ast.Declarator[]> = this.RULE("declarators", (): ast.Declarator[] => {
    const names: ast.Declarator[] = [];
    if (!this.next(t.Star)) this.requireDeclared();
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        names.push(this.SUBRULE(this.declarator));
      },
    });
    return names;
  });

  private readonly declarator: ParserMethod<[], ast.Declarator> = this.RULE("declarator", (): ast.Declarator => {
    const start = this.offset();
    let pointer = false;
    this.MANY(() => {
      this.CONSUME(t.Star);
      pointer = true;
    });
    this.requireDeclared();
    const name = this.ident(this.CONSUME(t.Name));
    const size = this.OPTION1(() => {
      this.CONSUME(t.LBracket);
      const length = this.OPTION2({ GATE: () => !this.next(t.RBracket), DEF: () => this.SUBRULE(this.expression) });
      this.require(t.RBracket, "E115", "expected `]`");
      this.CONSUME(t.RBracket);
      return length;
    });
    const value = this.OPTION3(() => {
      this.CONSUME(t.Assign);
      return this.SUBRULE(this.value, { ARGS: [listed] });
    });
    return { name, pointer, size, value, at: this.since(start) };
  });

  private requireDeclared(): void {
    this.require(t.Name, "E121", "a declaration needs a name", "`var hits = 0`, `unsigned long seq;`");
  }

  // ---- functions

  readonly fn: ParserMethod<[], ast.Fn> = this.RULE("fn", (): ast.Fn => {
    const start = this.offset();
    this.CONSUME1(t.Name);
    if (!this.next(t.Name)) this.missing("a name");
    const name = this.ident(this.CONSUME2(t.Name));
    const params = this.OPTION(() => this.SUBRULE(this.params)) ?? [];
    const body = this.SUBRULE(this.functionBody, { ARGS: [name, params, "fn "] });
    return { kind: "fn", name, params, body, at: this.since(start) };
  });

  /** A definition; a prototype is read and dropped. */
  readonly cfunction: ParserMethod<[], ast.Fn | undefined> = this.RULE("cfunction", (): ast.Fn | undefined => {
    const start = this.offset();
    this.SUBRULE(this.ctype, { ARGS: [Math.max(1, this.scanType().count)] });
    this.MANY(() => this.CONSUME(t.Star));
    const name = this.ident(this.CONSUME(t.Name));
    const params = this.SUBRULE(this.params);
    const body = this.OPTION({
      GATE: () => !this.atEnd(),
      DEF: () => this.SUBRULE(this.functionBody, { ARGS: [name, params, "fn "] }),
    });
    return body === undefined ? undefined : { kind: "fn", name, params, body, at: this.since(start) };
  });

  private readonly functionBody: ParserMethod<[Ident, readonly ast.Param[], string], ast.Block> = this.RULE(
    "functionBody",
    (name: Ident, params: readonly ast.Param[], keyword: string): ast.Block => {
      if (!this.RECORDING_PHASE && !this.next(t.LBrace)) {
        const what = keyword === "" ? "the callback" : "the function";
        const found = this.describe(this.LA(1));
        const message = `${what} \`${name.name}\` needs a body: expected \`{\`, found ${found}`;
        const head = `${keyword}${name.name}(${params.map((param) => param.name.name).join(", ")}) { ... }`;
        const help = keyword === "" ? `\`${head}\` or \`.${name.name} = my_function\`` : `\`${head}\``;
        this.fail("E137", this.spanOf(this.LA(1)), message, help);
      }
      return this.outsideLoops(() => this.SUBRULE(this.block));
    },
  );

  /** Of `struct x *p` the last word counts; commas may be missing; `void` and `...` name nothing. */
  protected readonly params: ParserMethod<[], ast.Param[]> = this.RULE("params", (): ast.Param[] => {
    const params: ast.Param[] = [];
    this.CONSUME(t.LParen);
    this.MANY({
      GATE: () => !this.next(t.RParen),
      DEF: () =>
        this.OR([
          { ALT: () => this.CONSUME(t.Comma) },
          { ALT: () => this.CONSUME(t.Ellipsis) },
          {
            ALT: () => {
              const param = this.SUBRULE(this.param);
              if (param !== undefined) params.push(param);
            },
          },
        ]),
    });
    this.require(t.RParen, "E115", "expected a parameter or `)`", "`fn f(sub, range) { ... }`");
    this.CONSUME(t.RParen);
    return params;
  });

  private readonly param: ParserMethod<[], ast.Param | undefined> = this.RULE("param", (): ast.Param | undefined => {
    // `mm_t *p`, `foo *p`: a name before a star is a type, whatever it is.
    const count = this.scanType().count || (this.next(t.Star, 2) ? 1 : 0);
    let name: Ident | undefined;
    let type: ast.CType | undefined;
    let pointer = false;
    this.OR([
      {
        GATE: () => count > 0,
        ALT: () => {
          type = this.SUBRULE(this.ctype, { ARGS: [count] });
          this.MANY1(() => {
            this.CONSUME(t.Star);
            pointer = true;
          });
          this.OPTION1(() => {
            name = this.ident(this.CONSUME1(t.Name));
          });
        },
      },
      {
        ALT: () => {
          name = this.ident(this.CONSUME2(t.Name));
        },
      },
    ]);
    this.OPTION2(() => {
      this.CONSUME(t.LBracket);
      this.OPTION3(() => this.CONSUME(t.Numeral));
      this.CONSUME(t.RBracket);
      pointer = true;
    });
    return name === undefined ? undefined : { name, type, pointer };
  });

  // ---- types and tables of callbacks

  readonly struct: ParserMethod<[], ast.Struct> = this.RULE("struct", (): ast.Struct => {
    const start = this.offset();
    this.CONSUME1(t.Name);
    const name = this.ident(this.CONSUME2(t.Name));
    const fields: ast.Declare[] = [];
    this.CONSUME(t.LBrace);
    this.MANY({
      GATE: () => !this.next(t.RBrace),
      DEF: () =>
        this.OR([
          { ALT: () => this.CONSUME(t.Separator) },
          {
            GATE: () => !this.nextIs(t.Separator),
            ALT: () => {
              const field = this.SUBRULE(this.guardedField);
              if (field !== undefined) fields.push(field);
            },
          },
        ]),
    });
    this.CONSUME(t.RBrace);
    return { kind: "struct", name, fields, at: this.since(start) };
  });

  private readonly guardedField: ParserMethod<[], ast.Declare | undefined> = this.RULE("guardedField", () =>
    this.guard<ast.Declare>(false, () => {
      const scan = this.scanType();
      const typed = this.next(t.Name) && (this.next(t.Name, 2) || this.next(t.Star, 2));
      const fits = scan.count > 0 || typed;
      if (!fits) {
        const help = "`mutex lock`, `struct mm_struct *mm;`, `u64 pfns[16];`";
        this.fail("E121", this.spanOf(this.LA(1)), "a field needs a type and a name", help);
      }
      return this.OR<ast.Declare | undefined>([
        { GATE: () => fits, ALT: () => this.SUBRULE(this.declare, { ARGS: [Math.max(1, scan.count)] }) },
        { ALT: () => this.SUBRULE(this.nothing) },
      ]);
    }),
  );

  /** `enum gpu_limits { GPU_PAGES = 4, GPU_SHIFT };` */
  readonly enumLine: ParserMethod<[], ast.Enum> = this.RULE("enumLine", (): ast.Enum => {
    const start = this.offset();
    const items: ast.Enumerator[] = [];
    this.CONSUME1(t.Name);
    this.OPTION1(() => this.CONSUME2(t.Name));
    this.CONSUME(t.LBrace);
    this.MANY({
      GATE: () => !this.next(t.RBrace),
      DEF: () =>
        this.OR([
          { ALT: () => this.CONSUME(t.Newline) },
          { ALT: () => this.CONSUME(t.Comma) },
          {
            ALT: () => {
              const name = this.ident(this.CONSUME3(t.Name));
              const value = this.OPTION2(() => {
                this.CONSUME(t.Assign);
                return this.SUBRULE(this.expression, { ARGS: [listed] });
              });
              items.push({ name, value });
            },
          },
        ]),
    });
    this.require(t.RBrace, "E121", "expected a name or `}`", "`enum { GPU_PAGES = 4, GPU_SHIFT };`");
    this.CONSUME(t.RBrace);
    return { kind: "enum", items, at: this.since(start) };
  });

  /** `mmu_notifier_ops NAME { ... }`, `static const struct mmu_notifier_ops NAME = { ... }` */
  readonly ops: ParserMethod<[number?], ast.Ops> = this.RULE("ops", (count = 1): ast.Ops => {
    const start = this.offset();
    const ctype = this.SUBRULE(this.ctype, { ARGS: [count] });
    const type = this.ACTION((): Ident => ({ name: ctype.name, at: ctype.at }));
    const name = this.ident(this.CONSUME(t.Name));
    this.OPTION(() => this.CONSUME(t.Assign));
    const callbacks: ast.Callback[] = [];
    this.CONSUME(t.LBrace);
    this.MANY({
      GATE: () => !this.next(t.RBrace),
      DEF: () =>
        this.OR([
          { ALT: () => this.CONSUME(t.Separator) },
          { ALT: () => this.CONSUME(t.Comma) },
          {
            GATE: () => !this.nextIs(t.Separator) && !this.next(t.Comma),
            ALT: () => {
              const callback = this.SUBRULE(this.guardedCallback);
              if (callback !== undefined) callbacks.push(callback);
            },
          },
        ]),
    });
    this.CONSUME(t.RBrace);
    return { kind: "ops", type, name, callbacks, at: this.since(start) };
  });

  private readonly guardedCallback: ParserMethod<[], ast.Callback | undefined> = this.RULE("guardedCallback", () =>
    this.guard<ast.Callback>(true, () => {
      const types = this.scanType().count;
      const named = this.next(t.Dot) || this.next(t.Assign, 2);
      const fits = named || (this.next(t.Name, 1 + types) && this.next(t.LParen, 2 + types));
      if (!fits) this.refuseCallback();
      return this.OR<ast.Callback | undefined>([
        { GATE: () => fits, ALT: () => this.SUBRULE(this.callback) },
        { ALT: () => this.SUBRULE(this.nothing) },
      ]);
    }),
  );

  private readonly callback: ParserMethod<[], ast.Callback> = this.RULE("callback", (): ast.Callback => {
    const start = this.offset();
    const named = this.next(t.Dot) || this.next(t.Assign, 2);
    const types = this.scanType().count;
    return this.OR<ast.Callback>([
      {
        GATE: () => named,
        ALT: () => {
          this.OPTION1(() => this.CONSUME(t.Dot));
          const name = this.SUBRULE(this.memberName);
          this.require(t.Assign, "E108", "expected `=` and the name of a function");
          this.CONSUME(t.Assign);
          this.OPTION2(() => this.CONSUME(t.Ampersand));
          if (!this.next(t.Name)) this.missing("the name of a function", "E108");
          const target = this.ident(this.CONSUME1(t.Name));
          return { kind: "callbackName", name, target, at: this.since(start) };
        },
      },
      {
        GATE: () => !named,
        ALT: () => {
          this.OPTION3({ GATE: () => types > 0, DEF: () => this.SUBRULE(this.ctype, { ARGS: [types] }) });
          const name = this.ident(this.CONSUME2(t.Name));
          const params = this.SUBRULE(this.params);
          const body = this.SUBRULE(this.functionBody, { ARGS: [name, params, ""] });
          return { kind: "callbackBody", name, params, body, at: this.since(start) };
        },
      },
    ]);
  });

  private refuseCallback(): void {
    const name = this.next(t.Name) ? this.LA(1).image : "invalidate";
    const help = `\`${name}(sub, range, cur_seq) { ... }\` or \`.${name} = my_function\``;
    this.fail("E108", this.spanOf(this.LA(1)), "a callback needs its parameters and a body", help);
  }

  /** `patch NAME { fn f(a) { ... } }` */
  readonly patch: ParserMethod<[], ast.Patch> = this.RULE("patch", (): ast.Patch => {
    const start = this.offset();
    this.CONSUME(t.Name);
    const name = this.SUBRULE(this.patchName);
    this.requireBlock("patch", "`patch NAME { fn hmm_range_register(range, mirror) { ... } }`");
    const { statements } = this.SUBRULE(this.block);
    const functions: ast.Fn[] = [];
    this.ACTION(() => {
      for (const statement of statements) {
        if (statement.kind === "fn") functions.push(statement);
        else this.refuseInPatch(statement);
      }
    });
    return { kind: "patch", name, functions, at: this.since(start) };
  });

  private refuseInPatch(statement: ast.Statement): void {
    const { start, end } = statement.at;
    const line = this.source.slice({ start, end }).split(/[\r\n]/, 1)[0]!;
    const message = `${quote(line, 30)} is no function; a patch replaces functions`;
    this.report(
      "E205",
      { start, end: start + line.length },
      message,
      "`fn NAME(...) { ... }`; `base(...)` is the old body",
    );
  }

  /**
   * The alternative that is never taken: whatever it would take was refused before. It is there so that any token may
   * begin the rule; otherwise the list around it would end at a mistake instead of reporting it.
   */
  protected readonly nothing: ParserMethod<[], undefined> = this.RULE("nothing", (): undefined => {
    this.CONSUME(t.AnyToken);
    return undefined;
  });

  /**
   * Reads one piece, and if it is mistaken says so and skips to where the next one can begin: a separator (or comma)
   * of this block, or the block's end. Blocks on the way are read, so that their mistakes are reported as well.
   */
  protected guard<T>(commas: boolean, read: () => T | undefined): T | undefined {
    const { depth, loops } = this;
    const first = this.LA(1);
    let result: T | undefined;
    let failed = false;
    try {
      result = read();
    } catch (thrown) {
      // Where a missing bracket was put in, that it is missing has been said.
      if (!this.isPutIn(this.LA(1))) this.reportThrown(thrown);
      failed = true;
    }
    this.depth = depth;
    this.loops = loops;
    this.inCondition = false;
    // What a mistaken head announced as data would not read as statements.
    const data = /^(?:struct|union|enum|typedef|switch|patch)$|_ops$/.test(first.image);
    this.MANY9({
      GATE: () => failed && !this.atBoundary(first, commas),
      DEF: () =>
        this.OR9([
          {
            GATE: () => this.next(t.LBrace) && !this.isAssignment(0) && !data,
            ALT: () => this.SUBRULE9(this.block),
          },
          { ALT: () => this.CONSUME9(t.AnyToken) },
        ]),
    });
    return result;
  }
}
