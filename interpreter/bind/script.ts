/** A whole script: from its text to a program, or to every mistake in it. */
import type { Declarator, Expect, Expr, Race, Statement } from "../../grammar/ast.ts";
import { sortByPlace, type Diagnostic } from "../../grammar/diagnostic.ts";
import { parse } from "../../grammar/parse.ts";
import { SourceText, type Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import { allFunctions, type AnyBody } from "../../runtime/machine/function.ts";
import type { FunctionBody } from "../../runtime/machine/automaton.ts";
import type { ReportKind, Value } from "../../runtime/machine/step.ts";
import type { StructClass } from "../../runtime/machine/struct.ts";
import { callables, declarableTypes, defaultObjects, firstMm } from "../../runtime/kernel.ts";
import { resolveBodies, type Era } from "../../runtime/patch.ts";
import { mm_struct } from "../../runtime/mm/mm_types.ts";
import { CPUS_MAX } from "../director.ts";
import { showWords } from "../show.ts";
import type { Expectation, ExpectItem, Item, OutcomeWord, Program, RaceItem, Until } from "../program.ts";
import { look, numeric, truth, type Bound } from "./expression.ts";
import { CodeBinder } from "./code.ts";
import { expandIncludes, type ReadFile } from "./includes.ts";
import { chooseKernel, tablesOf, type ChosenKernel } from "./kernels.ts";
import { ExpressionBinder } from "./names.ts";
import { bindReportKind } from "./reports.ts";
import { Scope, type Variable } from "./scope.ts";
import { showWord } from "./values.ts";
import { NUMBER, typeText } from "./types.ts";

export interface BindOptions {
  /** Overrides the script's own kernel line: "v5.2 + odp-v4". */
  readonly kernel?: string;
  /** Reads a file that a script includes; undefined if there is none, or none that may be read. */
  readonly readFile?: ReadFile;
}

export interface BoundScript {
  /** Undefined if there is any error. */
  readonly program: Program | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

export function bindScript(source: SourceText, options: BindOptions = {}): BoundScript {
  const parsed = parse(source);
  const diagnostics: Diagnostic[] = [...parsed.diagnostics];
  const statements = expandIncludes(parsed.script, options.readFile, diagnostics);
  const kernel = chooseKernel(statements, options.kernel, source, diagnostics);
  if (kernel === undefined) return { program: undefined, diagnostics: tidy(diagnostics, source) };
  const binder = new ScriptBinder(source, kernel);
  for (const name of namesLost(diagnostics)) binder.scope.addMistaken(name);
  for (const { statement, from } of statements) binder.add(statement, from);
  diagnostics.push(...binder.scope.diagnostics);
  const failed = diagnostics.some((d) => d.severity === "error");
  return { program: failed ? undefined : binder.program(), diagnostics: tidy(diagnostics, source) };
}

/** What is assigned or defined in a text that could not be read as a whole: whoever uses it makes no mistake. */
function namesLost(diagnostics: readonly Diagnostic[]): string[] {
  const texts = new Set(diagnostics.filter((d) => d.severity === "error").map((d) => d.source.text));
  return [...texts].flatMap((text) =>
    [...text.matchAll(/([A-Za-z_]\w*)\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)|\bfn\s+(\w+)/g)].map(([, x, f]) => x ?? f ?? ""),
  );
}

/** Codes of what the text alone can tell. */
const isGrammars = ({ code, severity }: Diagnostic): boolean => severity === "error" && /^E(1|20|21[01])/.test(code);

/**
 * The script's own first, by place. Each once, for a mistake in what several CPUs run is met by each of them; and
 * where the grammar has refused something, what else is said about the same word follows from that.
 */
function tidy(diagnostics: readonly Diagnostic[], main: SourceText): Diagnostic[] {
  const taken = new Map<string, Diagnostic>();
  const kept = diagnostics.filter((d) => {
    const key = `${d.source.name}:${d.at.start}`;
    const first = taken.get(key);
    if (first === undefined) taken.set(key, d);
    return first === undefined || (!isGrammars(first) && first.code !== d.code);
  });
  const ofMain = kept.filter((d) => d.source === main);
  return sortByPlace([...ofMain, ...kept.filter((d) => d.source !== main)]);
}

/** Statements that a CPU cannot run. */
const OF_THE_SCRIPT: ReadonlySet<Statement["kind"]> = new Set([
  ...(["declare", "expect", "fn", "forKernel", "include", "invariant", "kernel"] as const),
  ...(["ops", "patch", "race", "sanitizer", "show", "struct"] as const),
]);

type Unplaced<I> = I extends Item ? Omit<I, "from"> : never;

class ScriptBinder {
  readonly scope: Scope;
  private readonly source: SourceText;
  private readonly kernel: ChosenKernel;
  private readonly items: Item[] = [];
  private readonly invariants: { text: string; holds: Program["invariants"][number]["holds"]; at: Span }[] = [];
  private readonly functions = new Map<number, FunctionBody>();
  private nextFunction = allFunctions().length + 1;
  private cpu = 0;
  private cpus = 1;

  constructor(source: SourceText, kernel: ChosenKernel) {
    this.source = source;
    this.kernel = kernel;
    const { here, elsewhere } = tablesOf(kernel);
    this.scope = new Scope(source, here, elsewhere);
    const mm = this.scope.addObject("mm", mm_struct as unknown as StructClass<mm_struct>);
    this.scope.onSetUp((machine) => firstMm(machine, mm));
  }

  program(): Program {
    const { bodies } = resolveBodies(this.kernel.era as Era, this.kernel.patches);
    const all = new Map<number, FunctionBody>([...bodies, ...this.functions]);
    const name = this.source.name.replace(/^.*\//, "").replace(/\.hmm$/, "");
    return {
      name,
      source: this.source,
      kernel: { era: this.kernel.era, patches: this.kernel.patches.map((p) => p.name) },
      items: this.items,
      invariants: this.invariants,
      outcomeWords: this.outcomeWords(),
      cpus: this.cpus,
      machine: { bodies: all },
      setUp: (machine) => this.scope.setUp(machine),
    };
  }
  private outcomeWords(): OutcomeWord[] {
    const variables = [...this.scope.allVariables()].filter((v) => v.name !== "$");
    const times = new Map<string, number>();
    for (const { name } of variables) times.set(name, (times.get(name) ?? 0) + 1);
    const nameOf = (v: Variable): string =>
      v.cpu >= 0 && (times.get(v.name) ?? 0) > 1 ? `cpu${v.cpu}.${v.name}` : v.name;
    return variables.map((v) => ({
      name: nameOf(v),
      addr: v.addr,
      show: (machine, word) => showWord(machine, v.type, word),
    }));
  }

  private addItem(item: Unplaced<Item>): void {
    this.items.push({ ...item, from: this.scope.source } as Item);
  }

  // ---- statements at the top

  add(statement: Statement, from: SourceText): void {
    this.scope.source = from;
    switch (statement.kind) {
      case "kernel":
      case "include":
        return; // read before
      case "declare":
        return this.addDeclaration(statement);
      case "onCpu":
        return this.addOnCpu(statement);
      case "race":
        return this.addRace(statement);
      case "expect":
        return this.addExpect(statement);
      case "invariant":
        return this.addInvariant(statement);
      case "show":
        return this.addShow(statement);
      default:
        this.addStatement(this.cpu, statement);
    }
  }

  private addShow(statement: Extract<Statement, { kind: "show" }>): void {
    const known = showWords();
    for (const { what } of statement.items) {
      if (known.includes(what.name)) continue;
      const meant = nearest(what.name, known);
      const help = meant === undefined ? `it can show: ${known.join(", ")}` : `did you mean \`${meant}\`?`;
      this.scope.error("E232", what.at, `\`show\` knows nothing called \`${what.name}\``, help);
    }
    const what = statement.items.map((item) => ({ word: item.what.name, name: item.name?.name }));
    this.addItem({ kind: "show", what, at: statement.at });
  }

  private addDeclaration(statement: Extract<Statement, { kind: "declare" }>): void {
    for (const declarator of statement.names) {
      if (statement.type?.struct === true && !declarator.pointer && declarator.value === undefined)
        this.addObject(statement.type.name, statement.type.at, declarator.name);
      else if (!this.addWord(declarator)) this.scope.addMistaken(declarator.name.name);
    }
  }
  /** Whether it could be declared. */
  private addWord(declarator: Declarator): boolean {
    const { scope } = this;
    const { name, at } = declarator.name;
    if (!this.isNew(name, at)) return true;
    if (declarator.size !== undefined || declarator.pointer || declarator.value?.kind === "init") {
      const help = "a name that keeps a result needs no declaration: `x = ...`";
      scope.error("E290", declarator.at, "this version has shared numbers only: no arrays, pointers or objects", help);
      return false;
    }
    const value =
      declarator.value === undefined
        ? undefined
        : this.binder(undefined).bindNumber(declarator.value, "a shared word holds a number");
    if (declarator.value !== undefined && value === undefined) return false;
    if (value !== undefined && value.kind !== "constant") {
      const help = "a CPU can change it: `cpu0: x = mm.mm_users`";
      scope.error("E228", value.at, "a shared word begins with a constant", help);
      return false;
    }
    scope.addShared(name, NUMBER, value === undefined ? 0 : numeric(value.value));
    return true;
  }
  private isNew(name: string, at: Span): boolean {
    const { scope } = this;
    if (!scope.objects.has(name) && !scope.shared.has(name)) return true;
    scope.error("E229", at, `\`${name}\` is declared already`);
    return false;
  }
  /** `TYPE NAME`: an object that a driver would embed, or declare static. */
  private addObject(typeName: string, typeAt: Span, ident: { name: string; at: Span }): void {
    const type = Object.hasOwn(declarableTypes, typeName) ? declarableTypes[typeName] : undefined;
    if (type === undefined) {
      const meant = nearest(typeName, Object.keys(declarableTypes));
      const help =
        meant === undefined ? `objects are: ${Object.keys(declarableTypes).join(", ")}` : `did you mean \`${meant}\`?`;
      this.scope.error("E255", typeAt, `no kernel object is called \`${typeName}\` in this version`, help);
      this.scope.addMistaken(ident.name);
      return;
    }
    if (this.isNew(ident.name, ident.at)) this.scope.addObject(ident.name, type());
  }
  private isDeclaration(statement: Statement): boolean {
    if (statement.kind !== "expression" || statement.expr.kind !== "call" || !statement.expr.bare) return false;
    const { callee, args } = statement.expr;
    if (callee.kind !== "name" || !Object.hasOwn(declarableTypes, callee.name)) return false;
    return args.length === 1 && args[0]?.value.kind === "name";
  }

  // ---- what CPUs run

  private addOnCpu(statement: Extract<Statement, { kind: "onCpu" }>): void {
    const numbers = this.knownCpus(statement.cpus.numbers, statement.cpus.at);
    if (statement.body === undefined) {
      this.cpu = numbers[0] ?? this.cpu;
      return;
    }
    if (OF_THE_SCRIPT.has(statement.body.kind)) return this.refuseLabel(statement.body);
    for (const cpu of numbers) {
      this.cpu = cpu;
      this.addStatement(cpu, statement.body, statement.until === undefined ? undefined : this.until(statement.until));
    }
  }
  private knownCpus(numbers: readonly number[], at: Span): readonly number[] {
    const tooHigh = numbers.find((n) => n >= CPUS_MAX);
    if (tooHigh !== undefined)
      this.scope.error("E256", at, `there is no cpu${tooHigh}: the model has cpu0 to cpu${CPUS_MAX - 1}`);
    const known = numbers.filter((n) => n < CPUS_MAX);
    this.cpus = Math.max(this.cpus, ...known.map((n) => n + 1));
    return known;
  }
  private addStatement(cpu: number, statement: Statement, until?: Until): void {
    switch (statement.kind) {
      case "continue":
        this.addItem({
          kind: "continue",
          cpu,
          until: until ?? (statement.until === undefined ? undefined : this.until(statement.until)),
          at: statement.at,
        });
        return;
      case "step":
        this.addItem({ kind: "step", cpu, count: statement.count, at: statement.at });
        return;
    }
    if (statement.kind === "expression" && statement.expr.kind === "call" && this.isDeclaration(statement)) {
      const [name] = statement.expr.args;
      const { callee } = statement.expr;
      if (callee.kind === "name" && name?.value.kind === "name")
        this.addObject(callee.name, callee.at, { name: name.value.name, at: name.value.at });
      return;
    }
    const code = new CodeBinder(this.binder(cpu));
    const own = "until" in statement && statement.until !== undefined ? this.until(statement.until) : undefined;
    const whole = own === undefined ? statement : ({ ...statement, until: undefined } as Statement);
    code.addStatements(whole.kind === "block" ? whole.statements : [whole]);
    this.addItem({ kind: "run", cpu, code: this.register(code, cpu), until: until ?? own, at: statement.at });
  }
  private register(code: CodeBinder, cpu: number): ReturnType<CodeBinder["finish"]>["code"] {
    const fn = this.nextFunction++;
    const finished = code.finish(fn);
    this.functions.set(fn, { name: `cpu${cpu}`, body: finished.body satisfies AnyBody, script: true });
    return finished.code;
  }

  private refuseLabel(statement: Statement): void {
    const text = this.scope.source.slice(statement.at);
    const [word] = /^\w+/.exec(text) ?? ["this"];
    const at = { start: statement.at.start, end: statement.at.start + word.length };
    const help = "it stands on a line without `cpuN:`";
    this.scope.error("E233", at, `\`${word}\` belongs to the script, not to a CPU`, help);
  }

  private addRace(race: Race): void {
    const codes = new Map<number, CodeBinder>();
    const codeOf = (cpu: number): CodeBinder => {
      let code = codes.get(cpu);
      if (code === undefined) codes.set(cpu, (code = new CodeBinder(this.binder(cpu))));
      return code;
    };
    for (const statement of race.body.statements) this.addRaceStatement(statement, codeOf);
    const programs: RaceItem["programs"] = [...codes].map(([cpu, code]) => ({ cpu, code: this.register(code, cpu) }));
    this.addItem({ kind: "race", programs, at: race.at });
  }
  private addRaceStatement(statement: Statement, codeOf: (cpu: number) => CodeBinder): void {
    if (statement.kind === "onCpu") {
      const numbers = this.knownCpus(statement.cpus.numbers, statement.cpus.at);
      this.cpu = numbers[0] ?? this.cpu;
      if (statement.until !== undefined) return this.refuseUntil(statement.until.at);
      if (statement.body === undefined) return;
      for (const cpu of numbers) {
        this.cpu = cpu;
        this.addToRace(statement.body, codeOf(cpu));
      }
      return;
    }
    this.addToRace(statement, codeOf(this.cpu));
  }
  private addToRace(statement: Statement, code: CodeBinder): void {
    if ("until" in statement && statement.until !== undefined) return this.refuseUntil(statement.until.at);
    if (statement.kind === "continue" && statement.what === "run") {
      this.scope.error("E290", statement.at, "this version cannot race on from a paused CPU yet");
      return;
    }
    code.addStatements(statement.kind === "block" ? statement.statements : [statement]);
  }

  private refuseUntil(at: Span): void {
    const help = "set the scene before the race, or leave `until` out and let all interleavings be tried";
    this.scope.error("E234", at, "`until` leads a CPU by hand; in a race anything may interleave", help);
  }

  private binder(cpu: number | undefined): ExpressionBinder {
    return new ExpressionBinder(this.scope, {
      cpu,
      kernel: this.kernel.text,
      makeDefault: (cls, at) => this.makeDefault(cls, cpu ?? this.cpu, at),
    });
  }
  /** Nobody has registered an object of this type: one is made, and registered by this CPU before the statement. */
  private makeDefault(cls: StructClass, cpu: number, at: Span): Bound | undefined {
    const recipe = defaultObjects.find((d) => d.type() === cls);
    if (recipe === undefined) return undefined;
    let name = recipe.name;
    while (this.scope.objects.has(name) || this.scope.shared.has(name)) name += "_";
    const object = this.scope.addObject(name, cls);
    const mm = this.scope.objects.get("mm") as mm_struct;
    const fn = this.nextFunction++;
    const body = (): ReturnType<typeof recipe.prepare> => recipe.prepare(mm, object);
    this.functions.set(fn, { name: `cpu${cpu}`, body: body as AnyBody, script: true });
    const code = { fn, places: [at], statements: [0] };
    this.addItem({ kind: "run", cpu, code, until: undefined, at, note: `${name}: ${recipe.note}` });
    const bound: Bound = { kind: "constant", value: object as Value, type: { kind: "object", cls }, at };
    this.scope.lastRegistered.set(cls, bound);
    return bound;
  }

  private until(until: NonNullable<Extract<Statement, { kind: "continue" }>["until"]>): Until {
    const { what, returns, count } = until;
    if (what.kind === "function") {
      this.mustBeFunction(what.name.name, what.name.at);
      return { place: { kind: "function", name: what.name.name, returns }, count };
    }
    if (what.kind === "text") return { place: { kind: "text", text: what.text }, count };
    if (what.kind === "label") this.scope.error("E290", until.at, "this version has no functions of your own yet");
    return { place: { kind: "blocked" }, count };
  }
  private mustBeFunction(name: string, at: Span): void {
    const names = allFunctions()
      .filter((fn) => fn.info.internal !== true)
      .map((fn) => fn.name);
    if (allFunctions().some((fn) => fn.name === name)) return;
    const meant = nearest(name, names);
    const runs = callables.find((entry) => entry.name === name)?.run.name;
    const help =
      runs !== undefined && names.includes(runs)
        ? `as a statement it runs \`${runs}\``
        : meant === undefined
          ? undefined
          : `did you mean \`${meant}\`?`;
    this.scope.error("E212", at, `the modelled kernel has no function \`${name}\``, help);
  }

  // ---- expectations

  private addExpect(statement: Expect): void {
    const expectation = this.expectation(statement);
    if (expectation === undefined) return;
    const item: Unplaced<ExpectItem> = {
      kind: "expect",
      expectation,
      text: this.scope.source.slice(statement.at).trim(),
      at: statement.at,
    };
    this.addItem(item);
  }
  private expectation(statement: Expect): Expectation | undefined {
    const { what, sometimes } = statement;
    switch (what.kind) {
      case "condition": {
        const holds = this.condition(what.test);
        return holds === undefined ? undefined : { kind: "condition", sometimes, holds };
      }
      case "report":
      case "none": {
        let report: ReportKind | undefined;
        if (what.report !== undefined) {
          report = bindReportKind(this.scope, what.report);
          if (report === undefined) return undefined;
        }
        if (what.in !== undefined) this.mustBeFunction(what.in.name, what.in.at);
        return { kind: what.kind, report, in: what.in?.name };
      }
      case "blocked": {
        const [cpu] = this.knownCpus([what.cpu.number], what.cpu.at);
        if (cpu === undefined) return undefined;
        if (what.on === undefined) return { kind: "blocked", cpu, lock: undefined };
        const lock = this.binder(undefined).bind(what.on);
        if (lock === undefined) return undefined;
        if (!["mutex", "spinlock", "object"].includes(lock.type.kind)) {
          const text = this.scope.source.slice(what.on.at);
          this.scope.error("E317", what.on.at, `nobody waits for \`${text}\`: it is ${typeText(lock.type)}`);
          return undefined;
        }
        return { kind: "blocked", cpu, lock: (machine) => numeric(look(lock, machine)) };
      }
    }
  }
  private condition(test: Expr): ((machine: { peek(addr: number): number }) => boolean) | undefined {
    const bound = this.binder(undefined).bindValue(test);
    if (bound === undefined) return undefined;
    return (machine) => truth(look(bound, machine));
  }
  private addInvariant(statement: Extract<Statement, { kind: "invariant" }>): void {
    const holds = this.condition(statement.test);
    if (holds === undefined) return;
    const never = statement.when === "never";
    this.invariants.push({
      text: this.scope.source.slice(statement.at).trim(),
      holds: never ? (machine) => !holds(machine) : holds,
      at: statement.at,
    });
  }
}
