/** The names of a script: its objects, variables and CPUs' results, and where they live. */
import { distance, nearest } from "../../grammar/suggest.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { SourceText, Span } from "../../grammar/span.ts";
import type { Callable } from "../../runtime/callable.ts";
import { constants } from "../../runtime/kernel.ts";
import { ERRNO, errnoByName } from "../../runtime/machine/errno.ts";
import type { Machine } from "../../runtime/machine/machine.ts";
import {
  at,
  Atomic,
  Int,
  Mutex,
  Pointer,
  Refcount,
  SLOT,
  SpinLock,
  Struct,
  WORD,
  words,
  type Member,
  type StructClass,
} from "../../runtime/machine/struct.ts";
import { firstFreeStatic, STATIC_ARENA, typeNumber } from "../../runtime/machine/types.ts";
import type { Expr } from "../../grammar/ast.ts";
import type { Bound } from "./expression.ts";
import type { Functions } from "./functions.ts";
import { Structs } from "./structs.ts";
import { tablesOf, type ChosenKernel } from "./kernels.ts";
import { BOOLEAN, NULL_TYPE, NUMBER, type Type } from "./types.ts";

const WORDS_OF_A_CPU = 1024; // and as many again when they are used up

/** What the variables of a script live in: each word is a variable with a name of its own. */
class script_variables extends Struct {
  static readonly variables = true;
  slots = words(WORDS_OF_A_CPU);
}

export interface Variable {
  readonly name: string;
  /** -1: shared by all CPUs. */
  readonly cpu: number;
  type: Type;
  /** The word as a member of nothing: to be read and written, locked or counted, as its type says. */
  readonly ref: () => Member;
  readonly addr: number;
}

export class Scope {
  readonly diagnostics: Diagnostic[] = [];
  readonly callables: ReadonlyMap<string, readonly Callable[]>;
  /** Names that exist in other kernels than this one: what they say about themselves. */
  readonly elsewhere: ReadonlyMap<string, readonly Callable[]>;
  readonly kernel: ChosenKernel;
  readonly objects = new Map<string, Struct>();
  readonly shared = new Map<string, Variable>();
  private readonly ownObjects = new Map<number, Map<string, Struct>>();
  readonly structs = new Structs(this);
  /** The script's own functions; set by who binds their bodies. */
  functions: Functions | undefined;
  /** Those that the script declares itself: enumerators. */
  readonly constants = new Map<string, number>();
  /** Functions that a `fail` names, and the numbers under which their failures are counted. */
  readonly failures = new Map<string, number>();
  /** Places of the barriers in the text. */
  readonly barriers = new Set<string>();
  /** Names of callbacks in tables: places where a CPU can be stopped, too. */
  readonly callbackNames = new Set<string>();
  /** Labels that an `until` names. */
  readonly untilLabels = new Set<string>();
  /** What stands before the names of the file that the binder is in: "gpu." for one included as gpu. */
  prefix = "";
  /** Some of the text could not be read: what is missing may be what else is missed. */
  isIncomplete = false;
  /** Every such prefix. */
  readonly prefixes = new Set<string>();
  /** The value of a constant expression, or undefined; set by who binds expressions. */
  constantOf: (expr: Expr) => number | undefined = () => undefined;
  /** Names whose declaration or assignment has been refused: not known, but not to be reported again. */
  private readonly mistaken = new Set<string>();
  private readonly results = new Map<number, Map<string, Variable>>();
  /** Which source the binder is in right now: the script, or a file that it includes. */
  source: SourceText;
  /** The range mapped last and the object registered last, in the order of the text: what `...` stands for. */
  lastRange: readonly [number, number] | undefined;
  readonly lastRegistered = new Map<StructClass, Bound>();
  private devices = 0;
  private nextSlot = firstFreeStatic();
  private readonly setUps: ((machine: Machine) => void)[] = [];
  private readonly variableSlots = new Map<number, { base: number; used: number }>();

  constructor(source: SourceText, kernel: ChosenKernel) {
    const { here, elsewhere } = tablesOf(kernel);
    this.source = source;
    this.kernel = kernel;
    this.callables = here;
    this.elsewhere = elsewhere;
  }

  /** Does something as if the binder were in another file. */
  within<R>(source: SourceText, prefix: string, action: () => R): R {
    const before = { source: this.source, prefix: this.prefix };
    this.source = source;
    this.prefix = prefix;
    try {
      return action();
    } finally {
      this.source = before.source;
      this.prefix = before.prefix;
    }
  }

  error(code: string, where: Span, message: string, help?: string): void {
    const { source } = this;
    this.diagnostics.push({
      code,
      severity: "error",
      source,
      at: where,
      message,
      ...(help === undefined ? {} : { help }),
    });
  }
  warning(code: string, where: Span, message: string, help?: string): void {
    const { source } = this;
    this.diagnostics.push({
      code,
      severity: "warning",
      source,
      at: where,
      message,
      ...(help === undefined ? {} : { help }),
    });
  }

  addMistaken(name: string): void {
    this.mistaken.add(name);
  }
  isMistaken(name: string): boolean {
    return this.mistaken.has(name);
  }

  // ---- objects and variables

  /** A live object of the script's own, there from the start. */
  addObject<S extends Struct>(name: string, cls: StructClass<S>): S {
    const object = this.makeObject(name, cls);
    this.objects.set(this.prefix + name, object);
    return object;
  }
  /** The same, under no name that is looked up. */
  makeObject<S extends Struct>(name: string, cls: StructClass<S>): S {
    const addr = STATIC_ARENA + this.nextSlot++ * SLOT + WORD;
    const object = at(cls, addr);
    this.setUps.push((machine) => {
      machine.makeStatic(addr, typeNumber(cls));
      machine.nameObject(addr, name);
    });
    return object;
  }
  /** A number for a DAX device that is named for the first time. */
  nextDevice(dax: boolean): number {
    return dax ? this.devices++ : 0;
  }
  /** One of a CPU's own, declared in its statements. */
  addOwnObject(cpu: number, name: string, cls: StructClass): Struct {
    let mine = this.ownObjects.get(cpu);
    if (mine === undefined) this.ownObjects.set(cpu, (mine = new Map()));
    let object = mine.get(name);
    if (object === undefined) mine.set(name, (object = this.makeObject(name, cls)));
    return object;
  }
  /** `cpu`: whose statements these are; an expectation sees what one CPU alone has. */
  findObject(name: string, cpu?: number): Struct | undefined {
    if (cpu !== undefined) {
      const own = this.ownObjects.get(cpu)?.get(name);
      if (own !== undefined) return own;
    }
    const object = this.objects.get(this.prefix + name) ?? this.objects.get(name);
    if (object !== undefined || cpu !== undefined) return object;
    const [only, ...others] = [...this.ownObjects.values()].flatMap((mine) => mine.get(name) ?? []);
    return others.length === 0 ? only : undefined;
  }
  findShared(name: string): Variable | undefined {
    return this.shared.get(this.prefix + name) ?? this.shared.get(name);
  }
  /** Whether something that this file declares at its top has the name. */
  isTaken(name: string): boolean {
    const full = this.prefix + name;
    return this.objects.has(full) || this.shared.has(full) || this.functions?.has(full) === true;
  }
  onSetUp(action: (machine: Machine) => void): void {
    this.setUps.push(action);
  }
  setUp(machine: Machine): void {
    for (const action of this.setUps) action(machine);
  }

  addShared(name: string, type: Type, initial: number): Variable {
    const variable = this.makeVariable(name, -1, type);
    this.shared.set(this.prefix + name, variable);
    this.setUps.push((machine) => machine.memory.set(machine.memory.wordAt(variable.addr), initial));
    return variable;
  }
  /** The variable that `cpu` keeps results called `name` in, made if need be. */
  resultOf(cpu: number, name: string, type: Type): Variable {
    let mine = this.results.get(cpu);
    if (mine === undefined) this.results.set(cpu, (mine = new Map()));
    let variable = mine.get(name);
    if (variable === undefined) mine.set(name, (variable = this.makeVariable(name, cpu, type)));
    // The last result is of the type that the last call gives, whatever the one before it gave.
    else if (name === "$" || variable.type.kind === "null" || variable.type.kind === "void") variable.type = type;
    return variable;
  }
  findResult(cpu: number, name: string): Variable | undefined {
    return this.results.get(cpu)?.get(name);
  }
  resultsCalled(name: string): Variable[] {
    return [...this.results.values()].flatMap((mine) => mine.get(name) ?? []);
  }
  namesOf(cpu: number): string[] {
    return [...(this.results.get(cpu)?.keys() ?? [])].filter((name) => name !== "$");
  }
  *allVariables(): Generator<Variable> {
    yield* this.shared.values();
    for (const cpu of [...this.results.keys()].sort()) yield* this.results.get(cpu)?.values() ?? [];
  }
  private makeVariable(name: string, cpu: number, type: Type): Variable {
    let slot = this.variableSlots.get(cpu);
    if (slot === undefined || slot.used === WORDS_OF_A_CPU) {
      const base = STATIC_ARENA + this.nextSlot++ * SLOT + WORD;
      slot = { base, used: 0 };
      this.variableSlots.set(cpu, slot);
      this.setUps.push((machine) => machine.makeStatic(base, typeNumber(script_variables)));
    }
    const { base } = slot;
    const addr = base + slot.used++ * WORD;
    const owner = at(script_variables, base);
    this.setUps.push((machine) => machine.nameObject(addr, name));
    const variable: Variable = { name, cpu, type, addr, ref: () => wordOf(owner, addr, name, variable.type) };
    return variable;
  }

  // ---- names

  constant(name: string): { value: number | boolean | null; type: Type } | undefined {
    const own = this.constants.get(this.prefix + name) ?? this.constants.get(name);
    const value = own ?? (Object.hasOwn(constants, name) ? constants[name] : errnoByName(name));
    return typeof value === "number" ? { value, type: NUMBER } : undefined;
  }
  literal(value: boolean | null): { value: boolean | null; type: Type } {
    return { value, type: value === null ? NULL_TYPE : BOOLEAN };
  }
  /** The name most like one that nobody knows. */
  suggestion(name: string, cpu: number | undefined): string | undefined {
    const names = [...this.objects.keys(), ...this.shared.keys(), ...this.callables.keys()];
    names.push(...(this.functions?.names() ?? []));
    if (/^[A-Z]/.test(name)) names.push(...Object.keys(constants), ...this.constants.keys(), ...Object.keys(ERRNO));
    if (cpu !== undefined) names.push(...(this.results.get(cpu)?.keys() ?? []));
    else for (const mine of this.results.values()) names.push(...mine.keys());
    const meant = nearest(name, names);
    return meant === undefined || (name.length <= 3 && distance(name, meant, 1) > 1) ? undefined : meant;
  }
}

function wordOf(owner: Struct, addr: number, name: string, type: Type): Member {
  const word = makeWord(owner, addr, type);
  word.name = name;
  return word;
}
function makeWord(
  owner: Struct,
  addr: number,
  type: Type,
): Int | Pointer<Struct> | Atomic | Refcount | Mutex | SpinLock {
  switch (type.kind) {
    case "object":
      return new Pointer(owner, addr, () => type.cls);
    case "atomic":
      return new Atomic(owner, addr);
    case "refcount":
      return new Refcount(owner, addr);
    case "mutex":
      return new Mutex(owner, addr);
    case "spinlock":
      return new SpinLock(owner, addr);
    default:
      return new Int(owner, addr);
  }
}
