import type { Block, Callback, Fn, Label, OnCpu, Race, Script, Statement, Until } from "./ast.ts";
import { quote, type Diagnostic } from "./diagnostic.ts";
import type { SourceText, Span } from "./span.ts";
import { nearest } from "./suggest.ts";

/**
 * What the tree alone can tell to be in the wrong place. Names are the binder's, but for labels, which belong to one
 * body.
 */
export function checkContext(script: Script, mistakes: readonly Diagnostic[]): Diagnostic[] {
  const check = new ContextCheck(script.source, mistakes);
  check.list(script.statements, { scope: "script", breakable: false, label: undefined });
  return check.diagnostics;
}

/** Where a statement stands: `body` is a function's or a callback's, `block` that of a CPU label or a loop. */
type Scope = "script" | "kernels" | "race" | "body" | "block";

interface Place {
  readonly scope: Scope;
  /** Whether a `break` has something to leave. */
  readonly breakable: boolean;
  /** The labels of the body around; undefined where there is none. */
  readonly label: Labels | undefined;
}

interface Labels {
  readonly owner: string;
  readonly names: ReadonlyMap<string, Label>;
  /** Whether a mistake may have swallowed one. */
  readonly whole: boolean;
}

/** Statements about the script as a whole. */
const scriptOnly = new Set<Statement["kind"]>([
  ...(["kernel", "include", "patch", "forKernel", "fn", "struct", "enum", "ops", "race"] as const),
  ...(["expect", "invariant", "show", "step", "sanitizer", "schedule"] as const),
]);

/** Those that cannot differ from kernel to kernel. */
const onceOnly = new Set<Statement["kind"]>(["kernel", "include", "patch", "forKernel"]);

const scopeNames: Readonly<Record<Scope, string>> = {
  script: "the script",
  kernels: "`for kernel`",
  race: "a race",
  body: "a function",
  block: "a block",
};

class ContextCheck {
  readonly diagnostics: Diagnostic[] = [];
  private readonly source: SourceText;
  /** Where something could not be read, in order. */
  private readonly mistakes: readonly number[];

  constructor(source: SourceText, mistakes: readonly Diagnostic[]) {
    this.source = source;
    this.mistakes = mistakes.map(({ at }) => at.start).sort((left, right) => left - right);
  }

  list(statements: readonly Statement[], place: Place): void {
    for (const statement of statements) this.statement(statement, place);
  }

  private statement(statement: Statement, place: Place): void {
    this.checkPlace(statement, place);
    switch (statement.kind) {
      case "onCpu":
        return this.onCpu(statement, place);
      case "fn":
        return this.body(statement.name.name, statement.body);
      case "ops":
        return statement.callbacks.forEach((callback: Callback) => {
          if (callback.kind === "callbackBody") this.body(callback.name.name, callback.body);
        });
      case "patch":
        return statement.functions.forEach((fn: Fn) => this.body(fn.name.name, fn.body));
      case "race":
        return this.race(statement);
      case "forKernel":
        return this.list(statement.body.statements, { ...place, scope: "kernels" });
      case "label":
        return this.labelPlace(statement, place);
      case "goto":
      case "return":
        return this.jump(statement, place);
      case "break":
        if (!place.breakable)
          this.report("E201", statement.at, "`break` outside a loop", "`return` ends a function or a block");
        return;
      case "continue":
        return this.continue(statement, place);
      default:
        return this.parts(statement, place);
    }
  }

  /** Branches and loops; at the script's level they are a small program of the current CPU. */
  private parts(statement: Statement, place: Place): void {
    const inner = place.label === undefined ? this.program(statement, place) : place;
    const loop = { ...inner, breakable: true };
    switch (statement.kind) {
      case "block":
        return this.list(statement.statements, inner);
      case "if":
        for (const arm of statement.arms) this.list(arm.body.statements, inner);
        return this.list(statement.otherwise?.statements ?? [], inner);
      case "switch":
        return statement.arms.forEach((arm) => this.list(arm.body.statements, loop));
      case "while":
      case "doWhile":
      case "forIn":
      case "forEach":
      case "for":
        return this.list(statement.body.statements, loop);
      case "assign":
      case "expression":
      case "wait":
      case "assume":
      case "assert":
        return this.until(statement.until, place);
    }
  }

  private program(statement: Statement, place: Place): Place {
    return {
      scope: "block",
      breakable: place.breakable,
      label: this.labelsOf("this block", [statement], statement.at),
    };
  }

  private checkPlace({ kind, at }: Statement, { scope }: Place): void {
    if (!scriptOnly.has(kind) || scope === "script" || (scope === "kernels" && !onceOnly.has(kind))) return;
    const first = { start: at.start, end: this.endOfWord(at.start) };
    const help = `move it out of ${scopeNames[scope]}, to the level of the script`;
    this.report("E202", first, `${quote(this.source.slice(first))} cannot stand inside ${scopeNames[scope]}`, help);
  }

  private endOfWord(start: number): number {
    let end = start;
    while (/\w/.test(this.source.text.charAt(end))) end++;
    return end;
  }

  // ---- CPUs and races

  private onCpu(statement: OnCpu, place: Place): void {
    const { cpus, body } = statement;
    if (place.scope === "body" || place.scope === "block") {
      const where = place.scope === "body" ? "a function runs on whichever CPU calls it" : "a block runs on one CPU";
      this.report(
        "E210",
        cpus.at,
        `${quote(this.source.slice(cpus.at))} labels a statement inside ${scopeNames[place.scope]}`,
        where,
      );
    }
    if (body === undefined) return;
    if (body.kind === "label") {
      const help = `labels live in bodies: \`${this.source.slice(cpus.at)}: { ${body.name.name}: ... }\``;
      this.report("E204", body.at, "a label directly under a CPU label", help);
    } else if (body.kind === "onCpu") {
      this.report("E210", body.cpus.at, "a CPU label under a CPU label", "write `cpu0, cpu1: ...` to run it on both");
    } else if (body.kind === "block") {
      const label = this.labelsOf("this block", body.statements, body.at);
      this.list(body.statements, { scope: "block", breakable: false, label });
    } else this.statement(body, { ...place, breakable: false });
  }

  private race({ body }: Race): void {
    const first = body.statements[0];
    if (first !== undefined && first.kind !== "onCpu" && first.kind !== "label" && !this.damaged(body.at)) {
      const at = { start: first.at.start, end: this.endOfWord(first.at.start) };
      this.report("E206", at, "the first statement of a race names its CPU", "write `cpu0: ...`");
    }
    this.list(body.statements, { scope: "race", breakable: false, label: undefined });
  }

  private continue(statement: Statement & { kind: "continue" }, { scope }: Place): void {
    if (statement.until !== undefined) return this.until(statement.until, { scope });
    if (statement.what === "run" && (scope === "body" || scope === "block")) {
      const help = "to let a CPU run on, write `cpu1: continue` outside of blocks";
      this.report("E201", statement.at, "`continue` outside a loop", help);
    }
  }

  private until(until: Until | undefined, { scope }: Pick<Place, "scope">): void {
    if (until === undefined || scope !== "body") return;
    const help = "put it where the CPU calls the function: `cpu0: f until g`";
    this.report("E211", until.at, "`until` cannot stand inside a function", help);
  }

  // ---- labels

  private body(owner: string, block: Block): void {
    const label = this.labelsOf(quote(owner), block.statements, block.at);
    this.list(block.statements, { scope: "body", breakable: false, label });
  }

  private labelPlace(statement: Label, place: Place): void {
    if (place.label !== undefined) return;
    const { name } = statement.name;
    const isCpu = /^cpu$/i.test(name);
    const message = isCpu
      ? "a CPU is named `cpu0:`, `cpu1:`, ..."
      : `${quote(`${name}:`)} would be a goto label; CPUs are named \`cpu0:\`, \`cpu1:\`, ...`;
    this.report("E101", statement.at, message, "write `cpu0:`");
  }

  private jump(statement: Statement & { kind: "goto" | "return" }, { label }: Place): void {
    if (label === undefined) {
      const help = "it ends a function or a block: `cpu0: { ... }`";
      const gotoHelp = "labels live in functions and blocks: `cpu0: { again: ... }`";
      const { kind } = statement;
      const first = { start: statement.at.start, end: statement.at.start + kind.length };
      this.report("E207", first, `\`${kind}\` outside a function or block`, kind === "goto" ? gotoHelp : help);
    } else if (statement.kind === "goto" && !label.names.has(statement.label.name) && label.whole) {
      const { name, at } = statement.label;
      const meant = nearest(name, label.names.keys());
      const help =
        meant === undefined ? `write \`${name}:\` before the statement to go to` : `did you mean \`${meant}\`?`;
      this.report("E208", at, `no label ${quote(name)} in ${label.owner}`, help);
    }
  }

  private labelsOf(owner: string, statements: readonly Statement[], at: Span): Labels {
    const names = new Map<string, Label>();
    for (const label of labelsIn(statements)) {
      const { name } = label.name;
      const first = names.get(name);
      if (first === undefined) names.set(name, label);
      else {
        const { line } = this.source.position(first.at.start);
        this.report(
          "E209",
          label.at,
          `the label ${quote(name)} stands twice in ${owner}`,
          `the first one is in line ${line}`,
        );
      }
    }
    return { owner, names, whole: !this.damaged(at) };
  }

  // ---- reports

  /** Whether what the text says here may not be all in the tree. */
  private damaged({ start, end }: Span): boolean {
    let low = 0;
    let high = this.mistakes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.mistakes[middle]! < start) low = middle + 1;
      else high = middle;
    }
    return low < this.mistakes.length && this.mistakes[low]! <= end;
  }

  private report(code: string, at: Span, message: string, help: string): void {
    this.diagnostics.push({ code, severity: "error", source: this.source, at, message, help });
  }
}

/** The labels of a body, however deep they stand in its blocks. */
function* labelsIn(statements: readonly Statement[]): Generator<Label> {
  for (const statement of statements) {
    if (statement.kind === "label") yield statement;
    for (const block of blocksOf(statement)) yield* labelsIn(block.statements);
  }
}

function blocksOf(statement: Statement): readonly Block[] {
  switch (statement.kind) {
    case "block":
      return [statement];
    case "if": {
      const arms = statement.arms.map(({ body }) => body);
      return statement.otherwise === undefined ? arms : [...arms, statement.otherwise];
    }
    case "switch":
      return statement.arms.map(({ body }) => body);
    case "while":
    case "doWhile":
    case "for":
    case "forIn":
    case "forEach":
      return [statement.body];
    default:
      return [];
  }
}
