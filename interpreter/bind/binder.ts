/** Statement by statement: what a script does, as items of a program. */
import type { Race, Statement, Until as UntilClause } from "../../grammar/ast.ts";
import type { SourceText, Span } from "../../grammar/span.ts";
import { allFunctions, type AnyBody } from "../../runtime/machine/function.ts";
import type { FunctionBody } from "../../runtime/machine/automaton.ts";
import { Op, type Call, type Kernel, type Value } from "../../runtime/machine/step.ts";
import type { StructClass } from "../../runtime/machine/struct.ts";
import { constants, defaultObjects, firstMm } from "../../runtime/kernel.ts";
import { applyPatch, resolveBodies, type Era } from "../../runtime/patch.ts";
import { mm_struct } from "../../runtime/mm/mm_types.ts";
import { CPUS_MAX } from "../actors.ts";
import type { Item, OutcomeWord, Program, RaceItem } from "../program.ts";
import { numeric, type Bound } from "./expression.ts";
import { CodeBinder } from "./code.ts";
import { asDeclare, isObjectDeclaration } from "./declarations.ts";
import { bindExpectation, bindInvariant, bindUntil, checkShow } from "./expectations.ts";
import { Functions } from "./functions.ts";
import type { PlacedStatement } from "./includes.ts";
import type { ChosenKernel } from "./kernels.ts";
import { bindLook } from "./look.ts";
import { ExpressionBinder } from "./names.ts";
import { applyOwn, asBase, bindPatch, type OwnPatch, type OwnReplacement } from "./patches.ts";
import { readRuns } from "../schedule.ts";
import { bindSanitizer } from "./sanitizers.ts";
import { Scope, type Variable } from "./scope.ts";
import { TopDeclarations } from "./top.ts";
import { showWord } from "./values.ts";
import { memberNames, vocabulary } from "./vocabulary.ts";

/** Statements that a CPU cannot run. */
const OF_THE_SCRIPT: ReadonlySet<Statement["kind"]> = new Set([
  ...(["declare", "enum", "expect", "fn", "forKernel", "include", "invariant", "kernel"] as const),
  ...(["ops", "patch", "race", "sanitizer", "schedule", "show", "struct"] as const),
]);

/** Those of them that are no declarations of data, and yet read before anything runs. */
const READ_BEFORE: ReadonlySet<Statement["kind"]> = new Set([
  ...(["fn", "include", "invariant", "kernel", "patch", "struct"] as const),
]);

type Unplaced<I> = I extends Item ? Omit<I, "from"> : never;

export class ScriptBinder {
  readonly scope: Scope;
  private readonly source: SourceText;
  private readonly kernel: ChosenKernel;
  private readonly top: TopDeclarations;
  private readonly ownFunctions: Functions;
  private readonly items: Item[] = [];
  private readonly invariants: Program["invariants"][number][] = [];
  private readonly functions = new Map<number, FunctionBody>();
  private readonly replacements = new Map<OwnPatch, readonly OwnReplacement[]>();
  private nextFunction = allFunctions().length + 1;
  private readonly codes = new Map<number, { readonly places: readonly Span[]; readonly from: SourceText }>();
  private schedule: Program["schedule"];
  private declarations = 0;
  private cpu = 0;
  private cpus = 1;
  private kcsan = false;

  constructor(source: SourceText, kernel: ChosenKernel) {
    this.source = source;
    this.kernel = kernel;
    this.scope = new Scope(source, kernel);
    this.ownFunctions = new Functions(this.scope, kernel.text, this.enter, (id, body) => this.functions.set(id, body));
    this.scope.functions = this.ownFunctions;
    this.scope.constantOf = (expr) => {
      const bound = this.binder(undefined).bindNumber(expr, "it must be a constant");
      return bound?.kind === "constant" ? numeric(bound.value) : undefined;
    };
    this.top = new TopDeclarations(this.scope, () => this.binder(undefined));
    const mm = this.scope.addObject("mm", mm_struct as unknown as StructClass<mm_struct>);
    this.scope.onSetUp((machine) => firstMm(machine, mm));
  }
  private readonly enter = (body: FunctionBody): number => {
    const id = this.nextFunction++;
    this.functions.set(id, body);
    return id;
  };

  /** Types and functions first, then what is declared with them, then what runs. */
  bind(statements: readonly PlacedStatement[]): void {
    const { scope } = this;
    const each = (action: (statement: Statement) => void, placed: readonly PlacedStatement[]): void => {
      for (const { statement, from, prefix } of placed) scope.within(from, prefix, () => action(statement));
    };
    for (const { prefix, from } of statements) {
      if (prefix !== "") scope.prefixes.add(prefix);
      for (const [, label] of from.text.matchAll(/\buntil\s+[\w.]+\.(\w+)/g)) scope.untilLabels.add(label ?? "");
    }
    each((statement) => {
      if (statement.kind === "enum") this.top.add(statement);
      if (statement.kind === "struct") scope.structs.declare(statement);
      if (statement.kind === "fn") this.ownFunctions.declare(statement);
    }, statements);
    scope.structs.check();
    const others: PlacedStatement[] = [];
    for (const placed of statements)
      if (
        placed.statement.kind !== "enum" &&
        !scope.within(placed.from, placed.prefix, () => this.top.add(placed.statement))
      )
        others.push(placed);
    this.declarations = statements.filter((s) => !others.includes(s) || READ_BEFORE.has(s.statement.kind)).length;
    for (const patch of this.kernel.patches)
      if ("statement" in patch) this.replacements.set(patch, bindPatch(scope, patch, this.enter));
    this.top.finish();
    each((statement) => this.add(statement), others);
    this.ownFunctions.checkUncalled();
  }

  program(): Program {
    const name = this.source.name.replace(/^.*\//, "").replace(/\.hmm$/, "");
    return {
      name,
      source: this.source,
      kernel: { era: this.kernel.era, patches: this.kernel.patches.map((p) => p.name) },
      items: this.items,
      invariants: this.invariants,
      schedule: this.schedule,
      outcomeWords: this.outcomeWords(),
      barriers: this.scope.barriers.size,
      kcsan: this.kcsan,
      cpus: this.cpus,
      machine: { bodies: this.bodies(), era: this.kernel.era },
      codes: new Map([...this.codes, ...this.ownFunctions.codes()]),
      functionNames: () => [...this.ownFunctions.names(), ...this.scope.callbackNames],
      vocabulary: {
        names: () => vocabulary(this.binder(undefined)),
        members: (expression) => memberNames(this.binder(undefined), expression),
      },
      currentCpu: this.cpu,
      declarations: this.declarations,
      look: (source) => bindLook(this.binder(undefined), source),
      setUp: (machine) => this.scope.setUp(machine),
    };
  }
  /** The kernel's functions with the patches in their order, and the script's own. */
  private bodies(): ReadonlyMap<number, FunctionBody> {
    const { bodies } = resolveBodies(this.kernel.era as Era, []);
    for (const [id, body] of this.functions) bodies.set(id, body);
    for (const patch of this.kernel.patches)
      if ("statement" in patch) applyOwn(bodies, this.replacements.get(patch) ?? []);
      else applyPatch(bodies, patch, this.kernel.era as Era);
    for (const { id, around } of this.ownFunctions.wrappers) {
      const old = bodies.get(id);
      if (old === undefined) continue;
      const base = this.nextFunction++;
      bodies.set(base, asBase(old, id, base));
      const goOn = function* (args: Value[]): Kernel<Value> {
        const request: Call = { op: Op.tailCall, fn: { id: base, name: old.name }, args };
        return (yield request) as Value;
      };
      bodies.set(id, { ...old, body: ((...args: Value[]) => around(goOn(args))) as unknown as AnyBody });
    }
    return bodies;
  }
  private outcomeWords(): OutcomeWord[] {
    const variables = [...this.scope.allVariables()].filter((v) => !v.name.startsWith("$"));
    const times = new Map<string, number>();
    for (const { name } of variables) times.set(name, (times.get(name) ?? 0) + 1);
    const nameOf = (v: Variable): string =>
      v.cpu >= 0 && (times.get(v.name) ?? 0) > 1 ? `cpu${v.cpu}.${v.name}` : v.name;
    return variables
      .filter((v) => !["mutex", "spinlock"].includes(v.type.kind))
      .map((v) => ({ name: nameOf(v), addr: v.addr, show: (machine, word) => showWord(machine, v.type, word) }));
  }

  private addItem(item: Unplaced<Item>): void {
    this.items.push({ ...item, from: this.scope.source } as Item);
  }

  // ---- statements at the top

  private add(statement: Statement): void {
    const { scope } = this;
    switch (statement.kind) {
      case "kernel":
      case "include":
      case "struct":
      case "fn":
      case "patch":
        return; // read before
      case "onCpu":
        return this.addOnCpu(statement);
      case "race":
        return this.addRace(statement);
      case "expect": {
        const expectation = bindExpectation(this.binder(undefined), statement, this.knownCpus);
        const text = scope.source.slice(statement.at).trim();
        if (expectation !== undefined && "report" in expectation && expectation.report === "data-race")
          this.kcsan = true;
        if (expectation !== undefined) this.addItem({ kind: "expect", expectation, text, at: statement.at });
        return;
      }
      case "invariant": {
        const invariant = bindInvariant(this.binder(undefined), statement);
        if (invariant !== undefined) this.invariants.push(invariant);
        return;
      }
      case "show": {
        checkShow(this.binder(undefined), statement);
        const what = statement.items.map((item) => ({ word: item.what.name, name: item.name?.name }));
        return this.addItem({ kind: "show", what, at: statement.at });
      }
      case "schedule":
        return this.addSchedule(statement);
      case "sanitizer":
        for (const { name, at } of statement.names) this.kcsan = bindSanitizer(scope, name, at) || this.kcsan;
        return;
      default:
        this.addStatement(this.cpu, statement);
    }
  }

  private addSchedule({ text, at }: Extract<Statement, { kind: "schedule" }>): void {
    const { scope } = this;
    const help = "leave one of them out";
    if (this.schedule !== undefined) return scope.error("E235", at, "this script has a schedule already", help);
    const runs = readRuns(text.value);
    if ("error" in runs) scope.error("E244", text.at, runs.error);
    else this.schedule = { runs, at, from: scope.source };
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
      this.addStatement(cpu, statement.body, statement.until);
    }
  }
  private readonly knownCpus = (numbers: readonly number[], at: Span): readonly number[] => {
    const tooHigh = numbers.find((n) => n >= CPUS_MAX);
    if (tooHigh !== undefined)
      this.scope.error("E256", at, `there is no cpu${tooHigh}: the model has cpu0 to cpu${CPUS_MAX - 1}`);
    const known = numbers.filter((n) => n < CPUS_MAX);
    this.cpus = Math.max(this.cpus, ...known.map((n) => n + 1));
    return known;
  };
  private addStatement(cpu: number, statement: Statement, clause?: UntilClause): void {
    const own = "until" in statement ? statement.until : undefined;
    const until = clause ?? own;
    // A function that it calls is bound by then, with its labels.
    const bindOwnUntil = () => (until === undefined ? undefined : bindUntil(this.binder(undefined), until));
    if (statement.kind === "continue")
      return this.addItem({ kind: "continue", cpu, until: bindOwnUntil(), at: statement.at });
    if (statement.kind === "step") return this.addItem({ kind: "step", cpu, count: statement.count, at: statement.at });
    if (statement.kind === "expression" && isObjectDeclaration(this.scope, statement)) {
      this.top.add({ ...asDeclare(statement) });
      return;
    }
    const code = new CodeBinder(this.binder(cpu));
    const whole = own === undefined ? statement : ({ ...statement, until: undefined } as Statement);
    code.addStatements(whole.kind === "block" ? whole.statements : [whole]);
    const item = { kind: "run", cpu, code: this.register(code, cpu), until: bindOwnUntil(), at: statement.at } as const;
    const value = isExpression(statement) ? this.scope.findResult(cpu, "$") : undefined;
    if (value === undefined) return this.addItem(item);
    const { name, addr, type } = value;
    this.addItem({ ...item, prints: { name, addr, show: (machine, word) => showWord(machine, type, word) } });
  }
  private register(code: CodeBinder, cpu: number): ReturnType<CodeBinder["finish"]>["code"] {
    const fn = this.nextFunction++;
    const finished = code.finish(fn);
    this.functions.set(fn, { name: `cpu${cpu}`, body: finished.body, script: true });
    this.codes.set(fn, { places: finished.code.places, from: this.scope.source });
    return finished.code;
  }

  private refuseLabel(statement: Statement): void {
    const text = this.scope.source.slice(statement.at);
    const [word] = /^\w+/.exec(text) ?? ["this"];
    const at = { start: statement.at.start, end: statement.at.start + word.length };
    const help = "it stands on a line without `cpuN:`";
    this.scope.error("E233", at, `\`${word}\` belongs to the script, not to a CPU`, help);
  }

  // ---- races

  private addRace(race: Race): void {
    const programs = new Map<number, RaceProgram>();
    const programOf = (cpu: number): RaceProgram => {
      let program = programs.get(cpu);
      if (program === undefined)
        programs.set(cpu, (program = { code: new CodeBinder(this.binder(cpu)), resumes: false, isEmpty: true }));
      return program;
    };
    for (const statement of race.body.statements) this.addRaceStatement(statement, programOf);
    const parts: RaceItem["programs"] = [...programs].map(([cpu, { code, resumes }]) => ({
      cpu,
      code: this.register(code, cpu),
      resumes,
    }));
    this.addItem({ kind: "race", programs: parts, at: race.at });
  }
  private addRaceStatement(statement: Statement, programOf: (cpu: number) => RaceProgram): void {
    if (statement.kind === "onCpu") {
      const numbers = this.knownCpus(statement.cpus.numbers, statement.cpus.at);
      this.cpu = numbers[0] ?? this.cpu;
      if (statement.until !== undefined) return this.refuseUntil(statement.until.at);
      if (statement.body === undefined) return;
      for (const cpu of numbers) {
        this.cpu = cpu;
        this.addToRace(statement.body, programOf(cpu));
      }
      return;
    }
    this.addToRace(statement, programOf(this.cpu));
  }
  private addToRace(statement: Statement, program: RaceProgram): void {
    if ("until" in statement && statement.until !== undefined) return this.refuseUntil(statement.until.at);
    if (statement.kind === "continue" && statement.what === "run") return this.addResume(statement.at, program);
    if (OF_THE_SCRIPT.has(statement.kind)) return this.refuseLabel(statement);
    program.isEmpty = false;
    program.code.addStatements(statement.kind === "block" ? statement.statements : [statement]);
  }
  /** `cpu0: continue`: the call that the CPU is in the middle of is the first thing that it does in the race. */
  private addResume(at: Span, program: RaceProgram): void {
    if (!program.isEmpty || program.resumes) {
      const help = "a CPU that was paused before the race goes on first; what follows comes after it";
      this.scope.error("E239", at, "`continue` is the first statement of its CPU in a race", help);
      return;
    }
    program.resumes = true;
    const id = this.enter({ name: "continue", body: (() => undefined) as unknown as AnyBody, script: true });
    program.code.addStep(at, [], function* () {
      const request: Call = { op: Op.call, fn: { id, name: "continue" }, args: [] };
      yield request;
    });
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
    while (this.scope.isTaken(name)) name += "_";
    const object = this.scope.addObject(name, cls);
    const mm = this.scope.objects.get("mm") as mm_struct;
    const range = this.scope.lastRange ?? ([0, constants["TASK_SIZE"] ?? 0] as const);
    const body = (): ReturnType<typeof recipe.prepare> => recipe.prepare(mm, object, range);
    const fn = this.enter({ name: `cpu${cpu}`, body: body as AnyBody, script: true });
    const code = { fn, places: [at], statements: [0] };
    this.addItem({ kind: "run", cpu, code, until: undefined, at, note: `${name}: ${recipe.note}` });
    const bound: Bound = { kind: "constant", value: object as Value, type: { kind: "object", cls }, at };
    this.scope.lastRegistered.set(cls, bound);
    return bound;
  }
}

/** A value alone on a line, rather than a call. */
function isExpression(statement: Statement): boolean {
  return statement.kind === "expression" && !["call", "update"].includes(statement.expr.kind);
}

interface RaceProgram {
  readonly code: CodeBinder;
  resumes: boolean;
  isEmpty: boolean;
}
