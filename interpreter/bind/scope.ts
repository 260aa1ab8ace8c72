/** The names of a script: its objects, variables and CPUs' results, and where they live. */
import { distance, nearest } from "../../grammar/suggest.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { SourceText, Span } from "../../grammar/span.ts";
import type { Callable } from "../../runtime/callable.ts";
import { ERRNO, errnoByName } from "../../runtime/errno.ts";
import type { Machine } from "../../runtime/machine/machine.ts";
import { at, Int, Pointer, Ref, SLOT, Struct, WORD, words, type StructClass } from "../../runtime/machine/struct.ts";
import { firstFreeStatic, STATIC_ARENA, typeNumber } from "../../runtime/machine/types.ts";
import { PAGE_SIZE } from "../../runtime/mm/pgtable.ts";
import type { Bound } from "./expression.ts";
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
  readonly ref: () => Ref<unknown>;
  readonly addr: number;
}

const CONSTANTS: Readonly<Record<string, number>> = { PAGE_SIZE, PAGE_SHIFT: 12, GFP_KERNEL: 0 };

export class Scope {
  readonly diagnostics: Diagnostic[] = [];
  readonly callables: ReadonlyMap<string, readonly Callable[]>;
  /** Names that exist in other kernels than this one: what they say about themselves. */
  readonly elsewhere: ReadonlyMap<string, readonly Callable[]>;
  readonly objects = new Map<string, Struct>();
  readonly shared = new Map<string, Variable>();
  /** Names whose declaration or assignment has been refused: not known, but not to be reported again. */
  private readonly mistaken = new Set<string>();
  private readonly results = new Map<number, Map<string, Variable>>();
  /** Which source the binder is in right now: the script, or a file that it includes. */
  source: SourceText;
  /** The range mapped last and the object registered last, in the order of the text: what `...` stands for. */
  lastRange: readonly [number, number] | undefined;
  readonly lastRegistered = new Map<StructClass, Bound>();
  private nextSlot = firstFreeStatic();
  private readonly setUps: ((machine: Machine) => void)[] = [];
  private readonly variableSlots = new Map<number, { base: number; used: number }>();

  constructor(
    source: SourceText,
    callables: ReadonlyMap<string, readonly Callable[]>,
    elsewhere: ReadonlyMap<string, readonly Callable[]>,
  ) {
    this.source = source;
    this.callables = callables;
    this.elsewhere = elsewhere;
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
    const addr = STATIC_ARENA + this.nextSlot++ * SLOT + WORD;
    const object = at(cls, addr);
    this.setUps.push((machine) => {
      machine.makeStatic(addr, typeNumber(cls));
      machine.nameObject(addr, name);
    });
    this.objects.set(name, object);
    return object;
  }
  onSetUp(action: (machine: Machine) => void): void {
    this.setUps.push(action);
  }
  setUp(machine: Machine): void {
    for (const action of this.setUps) action(machine);
  }

  addShared(name: string, type: Type, initial: number): Variable {
    const variable = this.makeVariable(name, -1, type);
    this.shared.set(name, variable);
    this.setUps.push((machine) => machine.memory.set(machine.memory.wordAt(variable.addr), initial));
    return variable;
  }
  /** The variable that `cpu` keeps results called `name` in, made if need be. */
  resultOf(cpu: number, name: string, type: Type): Variable {
    let mine = this.results.get(cpu);
    if (mine === undefined) this.results.set(cpu, (mine = new Map()));
    let variable = mine.get(name);
    if (variable === undefined) mine.set(name, (variable = this.makeVariable(name, cpu, type)));
    else if (variable.type.kind === "null" || variable.type.kind === "void") variable.type = type;
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
    const variable: Variable = { name, cpu, type, addr, ref: () => refOf(owner, addr, name, variable.type) };
    return variable;
  }

  // ---- names

  constant(name: string): { value: number | boolean | null; type: Type } | undefined {
    const value = Object.hasOwn(CONSTANTS, name) ? CONSTANTS[name] : errnoByName(name);
    return typeof value === "number" ? { value, type: NUMBER } : undefined;
  }
  literal(value: boolean | null): { value: boolean | null; type: Type } {
    return { value, type: value === null ? NULL_TYPE : BOOLEAN };
  }
  /** The name most like one that nobody knows. */
  suggestion(name: string, cpu: number | undefined): string | undefined {
    const names = [...this.objects.keys(), ...this.shared.keys(), ...this.callables.keys()];
    if (/^[A-Z]/.test(name)) names.push(...Object.keys(CONSTANTS), ...Object.keys(ERRNO));
    if (cpu !== undefined) names.push(...(this.results.get(cpu)?.keys() ?? []));
    else for (const mine of this.results.values()) names.push(...mine.keys());
    const meant = nearest(name, names);
    return meant === undefined || (name.length <= 3 && distance(name, meant, 1) > 1) ? undefined : meant;
  }
}

function refOf(owner: Struct, addr: number, name: string, type: Type): Ref<unknown> {
  const ref = type.kind === "object" ? new Pointer(owner, addr, () => type.cls) : new Int(owner, addr);
  ref.name = name;
  return ref;
}
