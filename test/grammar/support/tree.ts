import * as assert from "uvu/assert";
import type * as ast from "../../../grammar/ast.ts";
import { parse } from "../../../grammar/parse.ts";
import { SourceText } from "../../../grammar/span.ts";

/**
 * Trees as short text, for tables of `text -> tree`. Statements stand one behind the other, `; ` between; calls
 * read `f(a, b)` however they were written, so that two spellings of one thing come out alike.
 */
export function treeOf(text: string): string {
  const { script, diagnostics } = parse(new SourceText("test.hmm", text));
  const errors = diagnostics.map(({ code, message }) => `${code} ${message}`);
  return [showStatements(script.statements), ...errors].filter((part) => part !== "").join(" !! ");
}

/** The codes of what is wrong, in order. */
export function codesOf(text: string): string[] {
  return parse(new SourceText("test.hmm", text)).diagnostics.map(({ code }) => code);
}

function showStatements(statements: readonly ast.Statement[]): string {
  return statements.map(showStatement).join("; ");
}

function showBlock(block: ast.Block | undefined): string {
  return block === undefined ? "" : `{${showStatements(block.statements)}}`;
}

function showUntil(until: ast.Until | undefined): string {
  if (until === undefined) return "";
  const { what, returns, count } = until;
  const places = {
    function: () => (what.kind === "function" ? what.name.name : ""),
    label: () => (what.kind === "label" ? `${what.function.name}.${what.label.name}` : ""),
    text: () => (what.kind === "text" ? JSON.stringify(what.text) : ""),
    blocked: () => "[blocked]",
    steps: () => (what.kind === "steps" ? `[step ${what.count}]` : ""),
  };
  return ` until ${places[what.kind]()}${returns ? " returns" : ""}${count === 1 ? "" : ` #${count}`}`;
}

function showCallback(callback: ast.Callback): string {
  if (callback.kind === "callbackName") return `${callback.name.name}=${callback.target.name}`;
  return `${callback.name.name}(${names(callback.params)})${showBlock(callback.body)}`;
}

function names(params: readonly ast.Param[]): string {
  return params.map(({ name }) => name.name).join(", ");
}

function showDeclare(declare: ast.Declare): string {
  const { type } = declare;
  const head = type === undefined ? "var" : `${type.struct ? "struct " : ""}${type.name}`;
  const parts = declare.names.map(({ name, pointer, size, value }) => {
    const array = size === undefined ? "" : `[${show(size)}]`;
    return `${pointer ? "*" : ""}${name.name}${array}${value === undefined ? "" : ` = ${showValue(value)}`}`;
  });
  return `(declare ${head}: ${parts.join(", ")})`;
}

function showValue(value: ast.Expr | ast.Init): string {
  if (value.kind !== "init") return show(value);
  const fields = value.fields.map((field) => {
    const key = field.name !== undefined ? `.${field.name.name}=` : field.index && `[${show(field.index)}]=`;
    return `${key ?? ""}${showValue(field.value)}`;
  });
  return `{${fields.join(", ")}}`;
}

function showExpectation(what: ast.Expectation): string {
  if (what.kind === "blocked")
    return `blocked cpu${what.cpu.number}${what.on === undefined ? "" : ` on ${show(what.on)}`}`;
  if (what.kind === "condition") return show(what.test);
  const where = what.in === undefined ? "" : ` in ${what.in.name}`;
  return `${what.kind} ${what.report?.name ?? "any"}${where}`;
}

function showKernel(kernel: ast.KernelName): string {
  return kernel.parts.map(({ name }) => name).join(" + ");
}

function showSwitch(statement: ast.Switch): string {
  const arms = statement.arms.map(
    ({ values, isDefault, body }) =>
      `${[...values.map(show), ...(isDefault ? ["default"] : [])].join("|")}: ${showBlock(body)}`,
  );
  return `(switch ${[show(statement.value), ...arms].join(" ")})`;
}

function showIf({ arms, otherwise }: ast.If): string {
  const shown = arms.map(({ test, body }) => `${show(test)} ${showBlock(body)}`).join(" elif ");
  return `(if ${shown}${otherwise === undefined ? "" : ` else ${showBlock(otherwise)}`})`;
}

function showFor({ first, test, next, body }: ast.For): string {
  const head = [showStatements(first), test === undefined ? "" : show(test), showStatements(next)].join(" | ");
  return `(for ${head} ${showBlock(body)})`;
}

function showStatement(statement: ast.Statement): string {
  const s = statement;
  switch (s.kind) {
    case "onCpu": {
      const body = s.body === undefined ? "" : ` ${showStatement(s.body)}`;
      return `(cpu ${s.cpus.numbers.join(",")}:${body}${showUntil(s.until)})`;
    }
    case "block":
      return showBlock(s);
    case "kernel":
      return `(kernel ${showKernel(s.kernel)})`;
    case "include":
      return `(include ${s.path.value}${s.as === undefined ? "" : ` as ${s.as.name}`})`;
    case "declare":
      return showDeclare(s);
    case "fn":
      return `(fn ${s.name.name}(${names(s.params)}) ${showBlock(s.body)})`;
    case "race":
      return `(race ${showBlock(s.body)})`;
    case "enum":
      return `(enum ${s.items.map(({ name, value }) => name.name + (value ? `=${show(value)}` : "")).join(", ")})`;
    case "struct":
      return `(struct ${s.name.name} ${s.fields.map(showDeclare).join(" ")})`;
    case "ops":
      return `(ops ${s.type.name} ${s.name.name} ${s.callbacks.map(showCallback).join(" ")})`;
    case "patch":
      return `(patch ${s.name.name} ${showStatements(s.functions)})`;
    case "expect":
      return `(expect ${s.sometimes ? "sometimes " : ""}${showExpectation(s.what)})`;
    case "invariant":
      return `(${s.when} ${show(s.test)})`;
    case "show":
      return `(show ${s.items.map(({ what, name }) => (name ? `${what.name} ${name.name}` : what.name)).join(", ")})`;
    case "step":
      return `(step ${s.count})`;
    case "fail":
      return `(${s.maybe ? "maybe " : ""}fail ${s.function.name} #${s.count})`;
    case "schedule":
      return `(schedule ${JSON.stringify(s.text.value)})`;
    case "sanitizer":
      return `(sanitizer ${s.names.map(({ name }) => name).join(", ")})`;
    default:
      return showControl(s);
  }
}

type Control = Exclude<
  ast.Statement,
  | ast.OnCpu
  | ast.Block
  | ast.KernelLine
  | ast.Include
  | ast.Declare
  | ast.Fn
  | ast.Race
  | ast.Struct
  | ast.Enum
  | ast.Ops
  | ast.Patch
  | ast.Expect
  | ast.Invariant
  | ast.Show
  | ast.Step
  | ast.Fail
  | ast.Sanitizer
  | ast.ScheduleLine
>;

function showControl(s: Control): string {
  switch (s.kind) {
    case "if":
      return showIf(s);
    case "switch":
      return showSwitch(s);
    case "while":
      return `(while ${show(s.test)} ${showBlock(s.body)})`;
    case "doWhile":
      return `(do ${showBlock(s.body)} ${show(s.test)})`;
    case "for":
      return showFor(s);
    case "forIn":
      return `(for ${s.name.name} in ${s.values.map(show).join(", ")} ${showBlock(s.body)})`;
    case "forKernel":
      return `(for kernel ${s.kernels.map(showKernel).join(", ")} ${showBlock(s.body)})`;
    case "forEach":
      return `(each ${s.macro.name}(${s.args.map(showArgument).join(", ")}) ${showBlock(s.body)})`;
    case "label":
      return `${s.name.name}:`;
    case "goto":
      return `(goto ${s.label.name})`;
    case "return":
      return s.value === undefined ? "(return)" : `(return ${show(s.value)})`;
    case "break":
      return "(break)";
    case "continue":
      return `(continue ${s.what}${showUntil(s.until)})`;
    case "wait":
    case "assume":
    case "assert":
      return `(${s.kind} ${show(s.test)}${showUntil(s.until)})`;
    case "assign":
      return `(${show(s.target)} ${s.op} ${showValue(s.value)}${showUntil(s.until)})`;
    case "expression":
      return `${show(s.expr)}${showUntil(s.until)}`;
  }
}

function showArgument({ name, value }: ast.Argument): string {
  return name === undefined ? show(value) : `${name.name}=${show(value)}`;
}

function show(expr: ast.Expr): string {
  const e = expr;
  switch (e.kind) {
    case "number":
      return String(e.value);
    case "string":
      return JSON.stringify(e.value);
    case "boolean":
      return String(e.value);
    case "null":
      return "NULL";
    case "name":
      return e.name;
    case "cpu":
      return `cpu${e.number}`;
    case "result":
      return "$";
    case "defaults":
      return "...";
    case "sizeof":
      return `sizeof[${e.of}]`;
    case "type":
      return `type[${e.type.name}]`;
    case "member":
      return `${show(e.object)}${e.arrow ? "->" : "."}${e.name.name}`;
    case "index":
      return `${show(e.object)}[${show(e.index)}]`;
    case "call":
      return `${show(e.callee)}(${e.args.map(showArgument).join(", ")})`;
    case "unary":
      return `[${e.op} ${show(e.operand)}]`;
    case "update":
      return e.prefix ? `[${e.op} ${show(e.operand)}]` : `[${show(e.operand)} ${e.op}]`;
    case "binary":
      return `[${show(e.left)} ${e.op} ${show(e.right)}]`;
    case "conditional":
      return `[${show(e.test)} ? ${show(e.yes)} : ${show(e.no)}]`;
    case "range": {
      const rest = e.end !== undefined ? show(e.end) : e.length !== undefined ? `+${show(e.length)}` : "";
      return `<${show(e.start)}..${rest}>`;
    }
  }
}

/** Checks a table of `text, tree`. */
export function checkTrees(rows: readonly (readonly [text: string, tree: string])[]): void {
  for (const [text, tree] of rows) assert.is(treeOf(text), tree, text);
}

/** Checks a table of `text, reports`: `line:column code message`, and behind it `help: ...` where there is one. */
export function checkReports(rows: readonly (readonly [text: string, reports: readonly string[]])[]): void {
  for (const [text, reports] of rows) assert.equal(reportsOf(text), reports, text);
}

export function reportsOf(text: string): string[] {
  const source = new SourceText("test.hmm", text);
  return parse(source).diagnostics.flatMap(({ at, code, message, help }) => {
    const { line, column } = source.position(at.start);
    const report = `${line}:${column} ${code} ${message}`;
    return help === undefined ? [report] : [report, `help: ${help}`];
  });
}
