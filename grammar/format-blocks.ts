/** Statements that hold others, and whole scripts: what stands on which line. */
import type * as ast from "./ast.ts";
import type { Block, Init, Statement } from "./ast.ts";
import type { Where } from "./format-declarations.ts";
import { typeText } from "./format-expressions.ts";
import { cpusText, kernelText, StatementFormatter, type Simple } from "./format-statements.ts";
import { BREAK, Writer } from "./format-writer.ts";
import type { Span } from "./span.ts";
import { tokenize } from "./parse.ts";

/** `head {`, what stands in it, `}`. */
interface Part {
  readonly head: string;
  /** Where in the source the line of the head ends. */
  readonly headEnd: number;
  readonly inside: Span;
  readonly empty: boolean;
  readonly write: () => void;
}

/** Every statement, line by line. */
export class ScriptFormatter extends StatementFormatter {
  private readonly writer: Writer;

  constructor({ source, comments }: ast.Script) {
    super(source);
    this.writer = new Writer(source, comments);
  }

  script({ statements }: ast.Script): string {
    this.statements(statements, "shared");
    return this.writer.finish();
  }

  private statements(statements: readonly Statement[], where: Where = "local"): void {
    statements.forEach((statement, index) => {
      const write = (): void => {
        this.writer.before(statement.at.start);
        this.statement(statement, where);
      };
      if (statement.kind === "label") this.writer.outdented(write);
      else write();
      if (statements[index + 1]?.kind === "block" && statement.kind !== "label") this.writer.terminate();
    });
  }

  private statement(statement: Statement, where: Where = "local"): void {
    const { at } = statement;
    switch (statement.kind) {
      case "onCpu":
        return this.onCpu(statement);
      case "block":
        return this.parts([this.part("", at.start, statement)], "", at.end);
      case "fn":
        return this.fn("fn ", statement, at);
      case "race":
        return this.parts([this.part("race ", at.start, statement.body)], "", at.end);
      case "struct":
        return this.struct(statement);
      case "ops":
        return this.ops(statement);
      case "patch":
        return this.patch(statement);
      case "if":
        return this.if(statement);
      case "switch":
        return this.switch(statement);
      case "while": {
        const { test, body } = statement;
        return this.parts([this.part(`while ${this.expression(test)} `, test.at.end, body)], "", at.end);
      }
      case "doWhile": {
        const { test, body } = statement;
        return this.parts([this.part("do ", at.start, body)], ` while ${this.expression(test)}`, at.end);
      }
      case "for":
        return this.for(statement);
      case "forIn": {
        const { name, values, body } = statement;
        const head = `for ${name.name} in ${values.map((value) => this.listed(value)).join(", ")} `;
        return this.parts([this.part(head, body.at.start, body)], "", at.end);
      }
      case "forKernel": {
        const head = `for kernel in ${statement.kernels.map(kernelText).join(`,${BREAK}`)} `;
        return this.parts([this.part(head, at.start, statement.body, where)], "", at.end);
      }
      case "forEach": {
        const { macro, args, body } = statement;
        const head = `${macro.name}(${this.arguments(args)}) `;
        return this.parts([this.part(head, args.at(-1)?.at.end ?? macro.at.end, body)], "", at.end);
      }
      default:
        return this.line(statement, where);
    }
  }

  // ---- lines

  private line(statement: Simple, where: Where): void {
    const { writer } = this;
    const text = this.oneLine(statement, where);
    const init = lastInit(statement);
    const flat = init === undefined || init.fields.length === 0 || (writer.fits(text) && !writer.hasComment(init.at));
    if (flat) return writer.line(text, statement.at.end);
    const tail = statement.kind === "assign" ? this.until(statement.until) : "";
    const head = text.slice(0, text.length - tail.length - this.init(init).length);
    this.fieldByField(head, init, tail, statement.at.end);
  }

  /** One field a line. */
  private fieldByField(head: string, init: Init, tail: string, end: number): void {
    const { writer } = this;
    writer.line(`${head}{`, init.at.start + 1);
    writer.inner(init.at.end - 1, () => {
      for (const field of init.fields) {
        const { value, at } = field;
        writer.before(at.start);
        const text = `${this.fieldHead(field)}${this.fieldValue(value)},`;
        const flat = value.kind !== "init" || (writer.fits(text) && !writer.hasComment(value.at));
        if (flat) writer.line(text, at.end);
        else this.fieldByField(this.fieldHead(field), value, ",", at.end);
      }
    });
    writer.line(`}${tail}`, end);
  }

  private onCpu({ cpus, body, until, at }: ast.OnCpu): void {
    const { writer } = this;
    if (body === undefined) return writer.line(`${cpusText(cpus)}:`, at.end);
    writer.prefix = `${cpusText(cpus)}: `;
    if (body.kind === "block") this.parts([this.part("", body.at.start, body)], this.until(until), at.end);
    else this.statement(body);
  }

  // ---- braces

  private part(head: string, headEnd: number, block: Block, where: Where = "local"): Part {
    const { at, braces, statements } = block;
    return {
      head,
      headEnd: braces ? at.start + 1 : headEnd,
      inside: braces ? { start: at.start + 1, end: at.end - 1 } : at,
      empty: statements.length === 0,
      write: () => this.statements(statements, where),
    };
  }

  /** A chain of blocks, `if x {`, `} else {`, `}`; what holds nothing closes on its line. */
  private parts(parts: readonly Part[], tail: string, end: number): void {
    const { writer } = this;
    let text = "";
    for (const { head, headEnd, inside, empty, write } of parts) {
      text += `${head}{`;
      if (!empty || writer.hasComment(inside)) {
        writer.line(text, headEnd);
        writer.inner(inside.end, write);
        text = "";
      }
      text += "}";
    }
    writer.line(`${text}${tail}`, end);
  }

  private if({ arms, otherwise, at }: ast.If): void {
    const parts = arms.map(({ test, body }, index) =>
      this.part(`${index === 0 ? "" : " else "}if ${this.expression(test)} `, test.at.end, body),
    );
    // Its `else` has no place of its own.
    if (otherwise !== undefined) parts.push(this.part(" else ", arms.at(-1)!.at.end, otherwise));
    this.parts(parts, "", at.end);
  }

  private for({ first, test, next, body, at }: ast.For): void {
    const listed = (list: readonly Statement[]): string => list.map((part) => this.inHead(part)).join(", ");
    const parts = [listed(first), test === undefined ? "" : ` ${this.expression(test)}`];
    parts.push(next.length === 0 ? "" : ` ${listed(next)}`);
    const headEnd = next.at(-1)?.at.end ?? test?.at.end ?? first.at(-1)?.at.end ?? at.start;
    this.parts([this.part(`for (${parts.join(";")}) `, headEnd, body)], "", at.end);
  }

  private inHead(statement: Statement): string {
    if (statement.kind === "declare") return this.declaration(statement, "head");
    return statement.kind === "assign" || statement.kind === "expression" ? this.action(statement, true) : "";
  }

  // ---- switch

  private switch({ value, arms, at }: ast.Switch): void {
    const inside = { start: value.at.end, end: at.end - 1 };
    const write = (): void => {
      for (const arm of arms) this.arm(arm);
    };
    const head = `switch ${this.test(value)} `;
    this.parts([{ head, headEnd: value.at.end, inside, empty: arms.length === 0, write }], "", at.end);
  }

  private arm({ values, isDefault, body, at }: ast.SwitchArm): void {
    const { writer } = this;
    const { statements } = body;
    const labels = values.map((value) => ({ text: `case ${this.caseValue(value)}:`, at: value.at }));
    if (isDefault) labels.push({ text: "default:", at: this.find("default", { start: at.start, end: body.at.start }) });
    labels.sort((left, right) => left.at.start - right.at.start);
    const block = statements.length === 1 && statements[0]?.kind === "block" ? statements[0] : undefined;
    const last = block === undefined ? undefined : labels.pop();
    writer.outdented(() => {
      writer.before(at.start);
      for (const label of labels) {
        writer.before(label.at.start);
        writer.line(label.text, label.at.end);
      }
      if (block === undefined || last === undefined) return;
      writer.before(last.at.start);
      const part = this.part(`${last.text} `, last.at.end, block);
      const write = (): void => this.armBody(block, block.at.end - 1);
      this.parts([{ ...part, empty: false, write }], "", block.at.end);
    });
    if (block === undefined) this.armBody(body, body.at.end);
  }

  private armBody(body: Block, end: number): void {
    const { writer } = this;
    this.statements(body.statements);
    if (leaves(body)) return;
    // The tree has lost the `break`; a comment may stand beside it all the same.
    const start = body.statements.at(-1)?.at.end ?? body.at.start;
    const lost = this.find("break", { start, end });
    if (lost.end > start) writer.before(lost.start);
    writer.line("break", lost.end);
  }

  /** Where a word stands that the tree does not tell of; nothing at the start if it does not. */
  private find(word: string, { start, end }: Span): Span {
    const token = tokenize(this.source.slice({ start, end })).tokens.find(({ image }) => image === word);
    if (token === undefined) return { start, end: start };
    return { start: start + token.startOffset, end: start + token.startOffset + word.length };
  }

  // ---- declarations

  private fn(keyword: string, fn: ast.Fn | ast.CallbackBody, at: Span): void {
    const params = fn.params.map(paramText).join(`,${BREAK}`);
    this.parts([this.part(`${keyword}${fn.name.name}(${params}) `, fn.name.at.end, fn.body)], "", at.end);
  }

  private struct({ name, fields, at }: ast.Struct): void {
    const { writer } = this;
    this.table(`struct ${name.name} `, name, at, fields, (field) => writer.line(this.field(field), field.at.end));
  }

  private ops({ type, name, callbacks, at }: ast.Ops): void {
    const { writer } = this;
    this.table(`${type.name} ${name.name} `, name, at, callbacks, (callback) => {
      if (callback.kind === "callbackBody") return this.fn("", callback, callback.at);
      return writer.line(`.${callback.name.name} = ${callback.target.name}`, callback.at.end);
    });
  }

  private patch({ name, functions, at }: ast.Patch): void {
    this.table(`patch ${name.name} `, name, at, functions, (fn) => this.statement(fn));
  }

  /** One entry a line. */
  private table<T extends { readonly at: Span }>(
    head: string,
    name: ast.Ident,
    at: Span,
    entries: readonly T[],
    write: (entry: T) => void,
  ): void {
    const headEnd = name.at.end;
    const writeAll = (): void => {
      for (const entry of entries) {
        this.writer.before(entry.at.start);
        write(entry);
      }
    };
    const inside = { start: headEnd, end: at.end - 1 };
    this.parts([{ head, headEnd, inside, empty: entries.length === 0, write: writeAll }], "", at.end);
  }
}

/** The initialiser that ends a statement. */
function lastInit(statement: Simple): Init | undefined {
  const value =
    statement.kind === "assign"
      ? statement.value
      : statement.kind === "declare"
        ? statement.names.at(-1)?.value
        : undefined;
  return value?.kind === "init" ? value : undefined;
}

/** Whether no `break` is needed at the end of an arm. */
function leaves(body: Block): boolean {
  let last = body.statements.at(-1);
  while (last?.kind === "block") last = last.statements.at(-1);
  return last !== undefined && ["return", "goto", "continue"].includes(last.kind);
}

/** Types stay: what is passed is checked against them. */
function paramText({ name, type, pointer }: ast.Param): string {
  return type === undefined ? name.name : `${typeText(type)} ${pointer ? "*" : ""}${name.name}`;
}
