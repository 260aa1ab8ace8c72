import type { ParserMethod } from "chevrotain";
import type * as ast from "./ast.ts";
import type { Ident } from "./ast.ts";
import { quote } from "./diagnostic.ts";
import { stringValue } from "./literals.ts";
import { DeclarationParser } from "./parser-declarations.ts";
import { nearest } from "./suggest.ts";
import * as t from "./tokens.ts";
import { reportKinds } from "./words.ts";

const SHOW_HELP = "`show locks, vmas`, `show device gpu`";
const KERNEL_HELP = "write `kernel v5.2 + odp-v4`";

/** What only scripts have: the kernel, CPUs driven by hand, races, expectations. */
export abstract class DrivingParser extends DeclarationParser {
  // ---- kernels

  readonly kernelLine: ParserMethod<[], ast.KernelLine> = this.RULE("kernelLine", (): ast.KernelLine => {
    const start = this.offset();
    this.CONSUME(t.Name);
    const kernel = this.SUBRULE(this.kernelName);
    if (!this.atEnd()) this.refuseBehindKernel();
    return { kind: "kernel", kernel, at: this.since(start) };
  });

  private readonly kernelName: ParserMethod<[], ast.KernelName> = this.RULE("kernelName", (): ast.KernelName => {
    const start = this.offset();
    this.requirePatchName();
    const parts: Ident[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: t.Plus,
      DEF: () => {
        parts.push(this.SUBRULE(this.patchName));
      },
    });
    return { parts, at: this.since(start) };
  });

  /** As many touching words, numbers, hyphens and dots as there are: `odp-v4`, `v5.2-rc1`, `v2.6.27`. */
  readonly patchName: ParserMethod<[], Ident> = this.RULE("patchName", (): Ident => {
    const start = this.offset();
    this.requirePatchName();
    let first = true;
    this.AT_LEAST_ONE({
      GATE: () => first || !this.spaced(),
      DEF: () => {
        first = false;
        this.OR([
          { ALT: () => this.CONSUME(t.Word) },
          { ALT: () => this.CONSUME(t.Numeral) },
          { ALT: () => this.CONSUME(t.Minus) },
          { ALT: () => this.CONSUME(t.Dot) },
        ]);
      },
    });
    const at = this.since(start);
    return { name: this.source.slice(at), at };
  });

  private requirePatchName(): void {
    if (this.nextIs(t.Word) || this.nextIs(t.Numeral)) return;
    const message = `expected a kernel version or patch name, found ${this.describe(this.LA(1))}`;
    this.fail("E133", this.spanOf(this.LA(1)), message, KERNEL_HELP);
  }

  private refuseBehindKernel(): void {
    const found = this.LA(1);
    const message = `expected \`+\` or the end of the line, found ${this.describe(found)}`;
    this.fail("E133", this.spanOf(found), message, `patches are joined with \`+\`: ${KERNEL_HELP}`);
  }

  readonly forKernel: ParserMethod<[], ast.ForKernel> = this.RULE("forKernel", (): ast.ForKernel => {
    const start = this.offset();
    this.CONSUME(t.For);
    this.CONSUME1(t.Name);
    this.CONSUME2(t.Name);
    const kernels: ast.KernelName[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        kernels.push(this.SUBRULE(this.kernelName));
      },
    });
    this.requireBlock("for kernel", "write `for kernel in v5.2, v5.2 + odp-v4 { ... }`");
    const body = this.outsideLoops(() => this.SUBRULE(this.block));
    return { kind: "forKernel", kernels, body, at: this.since(start) };
  });

  readonly include: ParserMethod<[], ast.Include> = this.RULE("include", (): ast.Include => {
    const start = this.offset();
    this.CONSUME(t.Name);
    if (!this.RECORDING_PHASE && !this.next(t.StringToken)) this.refuseInclude();
    const path = this.CONSUME(t.StringToken);
    const literal: ast.StringLiteral = { kind: "string", value: stringValue(path.image), at: this.spanOf(path) };
    const as = this.OPTION({
      GATE: () => this.nextWord("as"),
      DEF: () => {
        this.CONSUME2(t.Name);
        if (!this.next(t.Name)) this.missing("a name");
        return this.ident(this.CONSUME3(t.Name));
      },
    });
    return { kind: "include", path: literal, as, at: this.since(start) };
  });

  private refuseInclude(): void {
    let ahead = 1;
    while (!this.atEnd(ahead) && !this.spaced(ahead + 1)) ahead++;
    const { startOffset } = this.LA(1);
    const written = this.atEnd() ? "" : this.text({ start: startOffset, end: t.endOf(this.LA(ahead)) }).trim();
    const path = /^[\w./-]+$/.test(written) ? written : "lib/gpu.hmm";
    this.fail("E126", this.spanOf(this.LA(1)), "`include` takes a path in quotes", `write \`include "${path}"\``);
  }

  // ---- races and CPUs

  readonly race: ParserMethod<[], ast.Race> = this.RULE("race", (): ast.Race => {
    const start = this.offset();
    this.CONSUME(t.Name);
    this.requireBlock("race", "write `race { cpu0: ... }`");
    const body = this.outsideLoops(() => this.SUBRULE(this.block));
    return { kind: "race", body, at: this.since(start) };
  });

  readonly step: ParserMethod<[], ast.Step> = this.RULE("step", (): ast.Step => {
    const start = this.offset();
    this.CONSUME(t.Name);
    const count = this.OPTION(() => this.CONSUME(t.NumberToken));
    const steps = count === undefined ? 1 : Number(count.image);
    if (!this.RECORDING_PHASE && (!this.atEnd() || !(steps >= 1))) {
      const at = this.spanOf(this.atEnd() ? this.LA(0) : this.LA(1));
      this.fail("E139", at, "`step` takes a number of steps, from 1", "`step`, `step 3`");
    }
    return { kind: "step", count: steps, at: this.since(start) };
  });

  readonly fail_: ParserMethod<[], ast.Fail> = this.RULE("failLine", (): ast.Fail => {
    const start = this.offset();
    const maybe = this.nextWord("maybe");
    this.OPTION1({ GATE: () => this.nextWord("maybe"), DEF: () => this.CONSUME1(t.Name) });
    if (!this.RECORDING_PHASE && !this.nextWord("fail")) this.missing("`fail`", "E120", "`maybe fail kmalloc`");
    this.CONSUME2(t.Name);
    this.requireName("the name of a function", "`fail kmalloc #2`, `maybe fail kmalloc`");
    const name = this.ident(this.CONSUME3(t.Name));
    const count = this.OPTION2(() => this.count(this.CONSUME(t.Count)));
    return { kind: "fail", maybe, function: name, count: count ?? 1, at: this.since(start) };
  });

  readonly sanitizer: ParserMethod<[], ast.Sanitizer> = this.RULE("sanitizer", (): ast.Sanitizer => {
    const start = this.offset();
    this.CONSUME1(t.Name);
    const names: Ident[] = [];
    this.requireName("the name of a sanitizer", "`sanitizer kcsan`");
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        this.requireName("the name of a sanitizer", "`sanitizer kcsan`");
        names.push(this.ident(this.CONSUME2(t.Name)));
      },
    });
    return { kind: "sanitizer", names, at: this.since(start) };
  });

  readonly schedule: ParserMethod<[], ast.ScheduleLine> = this.RULE("schedule", (): ast.ScheduleLine => {
    const start = this.offset();
    this.CONSUME(t.Name);
    if (!this.RECORDING_PHASE && !this.next(t.StringToken)) {
      const help = 'as `hmm run` prints it, in quotes: `schedule "0*12.1*3"`';
      this.fail("E143", this.spanOf(this.LA(1)), "`schedule` takes a schedule in quotes", help);
    }
    const token = this.CONSUME(t.StringToken);
    const text: ast.StringLiteral = { kind: "string", value: stringValue(token.image), at: this.spanOf(token) };
    return { kind: "schedule", text, at: this.since(start) };
  });

  readonly conditionLine: ParserMethod<[], ast.Condition> = this.RULE("conditionLine", (): ast.Condition => {
    const start = this.offset();
    const kind = this.CONSUME(t.Name).image as ast.Condition["kind"];
    const test = this.SUBRULE(this.wholeCondition);
    const until = this.OPTION(() => this.SUBRULE(this.until));
    return { kind, test, until, at: this.since(start) };
  });

  // ---- what is looked at

  readonly invariant: ParserMethod<[], ast.Invariant> = this.RULE("invariant", (): ast.Invariant => {
    const start = this.offset();
    const when = this.CONSUME(t.Name).image as ast.Invariant["when"];
    const test = this.SUBRULE(this.wholeCondition);
    return { kind: "invariant", when, test, at: this.since(start) };
  });

  readonly show: ParserMethod<[], ast.Show> = this.RULE("show", (): ast.Show => {
    const start = this.offset();
    this.CONSUME(t.Name);
    const items: ast.ShowItem[] = [];
    this.requireName("what to show", SHOW_HELP);
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        items.push(this.SUBRULE(this.showItem));
      },
    });
    return { kind: "show", items, at: this.since(start) };
  });

  private readonly showItem: ParserMethod<[], ast.ShowItem> = this.RULE("showItem", (): ast.ShowItem => {
    const start = this.offset();
    this.requireName("what to show", SHOW_HELP);
    const what = this.ident(this.CONSUME1(t.Name));
    const name = this.OPTION(() => this.ident(this.CONSUME2(t.Name)));
    return { what, name, at: this.since(start) };
  });

  readonly expect: ParserMethod<[], ast.Expect> = this.RULE("expect", (): ast.Expect => {
    const start = this.offset();
    this.CONSUME1(t.Name);
    const operand = !this.isAssignment(2) && (!this.looksInfix(2) || this.looksPrefix(2));
    const sometimes = this.nextWord("sometimes") && operand;
    this.OPTION({ GATE: () => sometimes, DEF: () => this.CONSUME2(t.Name) });
    if (!this.RECORDING_PHASE && this.atEnd()) this.refuseExpect();
    const what = this.SUBRULE(this.expectation);
    if (sometimes && this.is(what, "none")) {
      this.report("E132", what.at, "`no` is about every outcome, `sometimes` about one", "write `expect no bug`");
    }
    return { kind: "expect", sometimes, what, at: this.since(start) };
  });

  private is(what: ast.Expectation, kind: ast.Expectation["kind"]): boolean {
    return !this.RECORDING_PHASE && what.kind === kind;
  }

  private refuseExpect(): void {
    const forms = "`expect ret == 0`, `expect sometimes ...`, `expect bug use-after-free in f`, `expect no bug`";
    const help = `${forms}, \`expect blocked cpu1 on LOCK\``;
    this.fail("E132", this.spanOf(this.LA(1)), "`expect` needs something to expect", help);
  }

  private readonly expectation: ParserMethod<[], ast.Expectation> = this.RULE("expectation", (): ast.Expectation => {
    const start = this.offset();
    return this.OR<ast.Expectation>([
      { GATE: () => this.nextWord("blocked") && this.next(t.Cpu, 2), ALT: () => this.SUBRULE(this.expectBlocked) },
      {
        GATE: () => this.nextWord("no") && this.next(t.Name, 2),
        ALT: () => {
          this.CONSUME(t.Name);
          const { report, in: where } = this.SUBRULE1(this.reportClause, { ARGS: [true] });
          return { kind: "none", report, in: where, at: this.since(start) };
        },
      },
      { GATE: () => this.beginsReport(), ALT: () => this.SUBRULE2(this.reportClause, { ARGS: [false] }) },
      {
        ALT: () => {
          const test = this.SUBRULE(this.wholeCondition);
          return { kind: "condition", test, at: this.since(start) };
        },
      },
    ]);
  });

  private readonly expectBlocked: ParserMethod<[], ast.ExpectBlocked> = this.RULE(
    "expectBlocked",
    (): ast.ExpectBlocked => {
      const start = this.offset();
      this.CONSUME1(t.Name);
      const token = this.CONSUME(t.Cpu);
      const cpu: ast.CpuName = { kind: "cpu", number: this.cpuNumber(token), at: this.spanOf(token) };
      const on = this.OPTION({
        GATE: () => this.nextWord("on"),
        DEF: () => {
          this.CONSUME2(t.Name);
          return this.SUBRULE(this.expression);
        },
      });
      return { kind: "blocked", cpu, on, at: this.since(start) };
    },
  );

  /** How many tokens from here on are one hyphenated word. */
  private kindLength(ahead: number): number {
    let length = 1;
    while (
      this.next(t.Minus, ahead + length) &&
      this.nextIs(t.Word, ahead + length + 1) &&
      !this.spaced(ahead + length) &&
      !this.spaced(ahead + length + 1)
    ) {
      length += 2;
    }
    return length;
  }

  /** `bug`, a kind of report or what was meant for one, and then nothing or `in f`. */
  private beginsReport(): boolean {
    if (!this.next(t.Name)) return false;
    if (this.nextWord("bug") && (this.atEnd(2) || this.nextIs(t.Word, 2))) return true;
    if (this.spelledApart(1) !== undefined) return true;
    const length = this.kindLength(1);
    const ends = this.atEnd(1 + length) || this.nextWord("in", 1 + length);
    return ends && (length > 1 || reportKinds.includes(this.LA(1).image));
  }

  /** `use after free`: how many words from here on are a kind without its hyphens. */
  private spelledApart(ahead: number): number | undefined {
    let kind = this.LA(ahead).image;
    for (let count = 1; this.nextIs(t.Word, ahead + count); count++) {
      kind += `-${this.LA(ahead + count).image}`;
      if (reportKinds.includes(kind)) return count + 1;
    }
    return undefined;
  }

  private readonly reportClause: ParserMethod<[boolean?], ast.ExpectReport> = this.RULE(
    "reportClause",
    (): ast.ExpectReport => {
      const start = this.offset();
      let report: Ident | undefined;
      this.OPTION1({ GATE: () => this.nextWord("bug"), DEF: () => this.CONSUME1(t.Name) });
      this.OPTION2({
        GATE: () => !this.nextWord("in"),
        DEF: () => {
          report = this.SUBRULE(this.reportKind);
        },
      });
      const where = this.OPTION3({
        GATE: () => this.nextWord("in"),
        DEF: () => {
          this.CONSUME2(t.Name);
          if (!this.next(t.Name)) this.missing("the name of a function");
          const name = this.ident(this.CONSUME3(t.Name));
          this.OPTION4(() => {
            this.CONSUME(t.LParen);
            this.CONSUME(t.RParen);
          });
          return name;
        },
      });
      return { kind: "report", report, in: where, at: this.since(start) };
    },
  );

  private readonly reportKind: ParserMethod<[], Ident> = this.RULE("reportKind", (): Ident => {
    const start = this.offset();
    const apart = this.spelledApart(1);
    let left = apart ?? this.kindLength(1);
    this.AT_LEAST_ONE({
      GATE: () => left-- > 0,
      DEF: () => this.OR([{ ALT: () => this.CONSUME(t.Word) }, { ALT: () => this.CONSUME(t.Minus) }]),
    });
    const at = this.since(start);
    const name = this.source.slice(at);
    if (apart !== undefined || !reportKinds.includes(name)) this.refuseKind(name, at);
    return { name, at };
  });

  private refuseKind(name: string, at: ast.Ident["at"]): void {
    if (this.RECORDING_PHASE) return;
    const hyphenated = name.trim().replace(/\s+/g, "-");
    const meant = reportKinds.includes(hyphenated) ? hyphenated : nearest(hyphenated, reportKinds);
    const reason = hyphenated === name ? "" : "kinds are hyphenated: ";
    const help =
      meant === undefined ? `the kinds are ${reportKinds.join(", ")}` : `${reason}did you mean \`${meant}\`?`;
    this.report("E203", at, `no kind of report is called ${quote(name)}`, help);
  }
}
