/** Statements that take one line. */
import type {
  Assign,
  Condition,
  Cpus,
  Expect,
  ExpectNone,
  ExpectReport,
  ExpressionStatement,
  KernelName,
  Show,
  Statement,
  Until,
} from "./ast.ts";
import { DeclarationFormatter, type Where } from "./format-declarations.ts";
import { isMistakable, beginsUpdate } from "./format-heads.ts";
import { reportKinds } from "./words.ts";

/** Those that hold no others. */
export type Simple = Extract<
  Statement,
  | {
      kind:
        | "kernel"
        | "include"
        | "declare"
        | "enum"
        | "expect"
        | "invariant"
        | "show"
        | "step"
        | "fail"
        | "schedule"
        | "sanitizer";
    }
  | { kind: "label" | "goto" | "return" | "break" | "continue" | "wait" | "assume" | "assert" }
  | { kind: "assign" | "expression" }
>;

export class StatementFormatter extends DeclarationFormatter {
  oneLine(statement: Simple, where: Where): string {
    const s = statement;
    switch (s.kind) {
      case "kernel":
        return `kernel ${kernelText(s.kernel)}`;
      case "include":
        return `include ${this.string(s.path.at)}${s.as === undefined ? "" : ` as ${s.as.name}`}`;
      case "declare":
        return this.declaration(s, where);
      case "enum":
        return this.enumeration(s);
      case "expect":
        return this.expectation(s);
      case "invariant":
        return `${s.when} ${this.test(s.test)}`;
      case "show":
        return `show ${s.items.map(showText).join(", ")}`;
      case "step":
        return s.count === 1 ? "step" : `step ${s.count}`;
      case "fail":
        return `${s.maybe ? "maybe " : ""}fail ${s.function.name}${countText(s.count)}`;
      case "schedule":
        return `schedule ${this.string(s.text.at)}`;
      case "sanitizer":
        return `sanitizer ${s.names.map(({ name }) => name).join(", ")}`;
      case "label":
        return `${s.name.name}:`;
      case "goto":
        return `goto ${s.label.name}`;
      case "return":
        return s.value === undefined ? "return" : `return ${this.expression(s.value)}`;
      case "break":
        return "break";
      case "continue":
        return `continue${this.until(s.until)}`;
      case "wait":
      case "assume":
      case "assert":
        return this.condition(s);
      case "assign":
      case "expression":
        return this.action(s);
    }
  }

  /** An assignment or an expression; in the head of a `for` its calls have their parentheses. */
  action(statement: Assign | ExpressionStatement, inHead = false): string {
    const { until } = statement;
    if (statement.kind === "expression") return `${this.whole(statement, inHead)}${this.until(until)}`;
    const { op, value } = statement;
    const right = value.kind === "init" ? this.init(value) : inHead ? this.expression(value) : this.value(value);
    return `${this.target(statement)} ${op} ${right}${this.until(until)}`;
  }

  target({ target, op }: Assign): string {
    const text = this.expression(target);
    return isMistakable(`${text} ${op}`) ? `(${text})` : text;
  }

  until(until: Until | undefined): string {
    if (until === undefined) return "";
    return ` until ${this.place(until)}${until.returns ? " returns" : ""}${countText(until.count)}`;
  }

  private whole({ expr }: ExpressionStatement, inHead: boolean): string {
    const bare = expr.kind === "call" && !inHead ? this.bareCall(expr) : undefined;
    if (bare !== undefined && !isMistakable(bare)) return bare;
    const text = this.expression(expr);
    return isMistakable(text) ? `(${text})` : text;
  }

  private condition({ kind, test, until }: Condition): string {
    return `${kind} ${this.test(test)}${this.until(until)}`;
  }

  /** What follows `wait`, `always`, `switch` and their like. */
  protected test(test: Condition["test"]): string {
    const text = this.expression(test);
    return beginsUpdate(text) ? `(${text})` : text;
  }

  private place({ what, at }: Until): string {
    switch (what.kind) {
      case "function":
        return what.name.name;
      case "label":
        return `${what.function.name}.${what.label.name}`;
      case "text":
        return this.string(at);
      case "blocked":
        return "blocked";
      case "steps":
        return `step ${what.count}`;
    }
  }

  private expectation({ sometimes, what }: Expect): string {
    const head = sometimes ? "expect sometimes" : "expect";
    switch (what.kind) {
      case "blocked":
        return `${head} blocked cpu${what.cpu.number}${what.on === undefined ? "" : ` on ${this.expression(what.on)}`}`;
      case "condition": {
        const text = this.test(what.test);
        const mistakable = /^sometimes\b/.test(text) || reportKinds.includes(text);
        return `${head} ${mistakable ? `(${text})` : text}`;
      }
      case "report":
      case "none": {
        const no = what.kind === "none" ? " no" : "";
        const where = what.in === undefined ? "" : ` in ${what.in.name}`;
        return `${head}${no} ${this.report(what)}${where}`;
      }
    }
  }

  /** `bug use-after-free` and `use-after-free` are one thing; which of them reads better the author knows. */
  private report({ report, at }: ExpectReport | ExpectNone): string {
    if (report === undefined) return "bug";
    const before = this.source.slice({ start: at.start, end: report.at.start });
    return before.includes("bug") ? `bug ${report.name}` : report.name;
  }
}

export function kernelText({ parts }: KernelName): string {
  return parts.map(({ name }) => name).join(" + ");
}

/** `cpu0`, `cpu0, cpu2`, `cpu1..cpu3` */
export function cpusText({ numbers }: Cpus): string {
  const runs: number[][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last?.at(-1) === number - 1) last.push(number);
    else runs.push([number]);
  }
  return runs
    .flatMap((run) => (run.length > 2 ? [`cpu${run[0]}..cpu${run.at(-1)}`] : run.map((number) => `cpu${number}`)))
    .join(", ");
}

function showText({ what, name }: Show["items"][number]): string {
  return name === undefined ? what.name : `${what.name} ${name.name}`;
}

function countText(count: number): string {
  return count === 1 ? "" : ` #${count}`;
}
