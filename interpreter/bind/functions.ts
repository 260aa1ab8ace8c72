/**
 * Functions of the script's own. A parameter has the type of what is passed, so a body is bound once for every
 * combination of types that it is called with; the machine knows each as a function like the kernel's.
 */
import type { Block, Fn, Param } from "../../grammar/ast.ts";
import type { SourceText, Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import type { FunctionBody } from "../../runtime/machine/automaton.ts";
import { allFunctions, functionNumbered, type AnyBody, type KernelFunction } from "../../runtime/machine/function.ts";
import { existsIn } from "../../runtime/patch.ts";
import { Op, type Kernel, type Value } from "../../runtime/machine/step.ts";
import type { Code } from "../program.ts";
import { builtinNames } from "./builtins.ts";
import { CodeBinder } from "./code.ts";
import { coerced } from "./expression.ts";
import { Locals } from "./locals.ts";
import { ExpressionBinder } from "./names.ts";
import type { Scope } from "./scope.ts";
import { ANY, compatible, typeKey, typeText, VOID, type Type } from "./types.ts";

/** A function as the text has it. */
export interface Definition {
  /** With the prefix of its file: "gpu.fault". */
  readonly name: string;
  readonly at: Span;
  readonly params: readonly Param[];
  readonly body: Block;
  readonly source: SourceText;
  readonly prefix: string;
  /** In a patch: the old body, for `base(...)`. */
  readonly base?: BaseFunction;
  /** What it returns is known: the kernel calls it. */
  readonly returns?: Type;
}
export interface BaseFunction {
  readonly id: number;
  readonly name: string;
  readonly params: readonly Type[];
  readonly result: Type;
}
/** A function bound for certain types of arguments. */
export interface Instance {
  readonly id: number;
  readonly definition: Definition;
  /** Known when its body is bound; until then a recursive call takes anything. */
  result: Type;
  code: Code | undefined;
  /** Instruction by label. */
  labels: ReadonlyMap<string, number>;
}

export class Functions {
  private readonly scope: Scope;
  private readonly kernel: string;
  private readonly enter: (body: FunctionBody) => number;
  private readonly replace: (id: number, body: FunctionBody) => void;
  private readonly definitions = new Map<string, Definition>();
  /** What is put round bodies of the kernel, in this order. */
  readonly wrappers: { readonly id: number; readonly around: (base: Kernel<Value>) => Kernel<Value> }[] = [];
  private readonly instances = new Map<Definition, Map<string, Instance>>();

  /** `enter` gives a function its number, `replace` its body. */
  constructor(
    scope: Scope,
    kernel: string,
    enter: (body: FunctionBody) => number,
    replace: (id: number, body: FunctionBody) => void,
  ) {
    this.scope = scope;
    this.kernel = kernel;
    this.enter = enter;
    this.replace = replace;
  }

  /** To be called for all of them before any is bound. */
  declare({ name: { name, at }, params, body }: Fn): void {
    const { scope } = this;
    const full = scope.prefix + name;
    const { era } = scope.kernel;
    if (this.definitions.has(full)) scope.error("E229", at, `the function \`${name}\` is there already`);
    else if (
      scope.callables.has(name) ||
      allFunctions().some((fn) => fn.name === name && fn.info.source !== undefined && existsIn(fn.info, era))
    ) {
      const help = `\`patch NAME { fn ${name}(...) { ... } }\` replaces it`;
      scope.error("E229", at, `\`${name}\` is a function of the kernel`, help);
    } else if (builtinNames().includes(name))
      scope.error("E229", at, `\`${name}\` is a macro of the kernel`, "give yours another name");
    else this.definitions.set(full, { name: full, at, params, body, source: scope.source, prefix: scope.prefix });
    const twice = params.find((p, i) => params.findIndex((q) => q.name.name === p.name.name) < i);
    if (twice !== undefined) scope.error("E229", twice.name.at, `\`${twice.name.name}\` is declared already`);
  }
  has(full: string): boolean {
    return this.definitions.has(full);
  }
  /** As a file names it: its own first. */
  find(name: string): Definition | undefined {
    return this.definitions.get(this.scope.prefix + name) ?? this.definitions.get(name);
  }
  names(): string[] {
    return [...this.definitions.keys()];
  }
  /** All that a definition was bound to. */
  /** Where the code of every instance stands. */
  *codes(): Generator<[number, { readonly places: readonly Span[]; readonly from: SourceText }]> {
    for (const [{ source }, instances] of this.instances)
      for (const { id, code } of instances.values())
        if (code !== undefined) yield [id, { places: code.places, from: source }];
  }
  *instancesOf(definition: Definition): Generator<Instance> {
    yield* this.instances.get(definition)?.values() ?? [];
  }

  /** A piece of the script that the kernel calls: a condition of wait_event(). */
  helper(name: string, body: (...args: Value[]) => Kernel<Value>): KernelFunction {
    return functionNumbered(this.enter({ name, body: body as AnyBody, info: { internal: true } }));
  }
  /**
   * A function that the kernel calls with arguments of these types: a callback, or what a primitive is handed. It is
   * told as the function itself. `joined`: where two of the arguments, start and end, become one range.
   */
  callback(definition: Definition, types: readonly Type[], at: Span, joined?: number): KernelFunction | undefined {
    const { scope } = this;
    if (definition.params.length !== types.length) {
      const takes = `${types.length} argument${types.length === 1 ? "" : "s"} (${types.map(typeText).join(", ")})`;
      scope.error(
        "E300",
        at,
        `the kernel calls \`${definition.name}\` with ${takes}; it takes ${definition.params.length}`,
      );
      return undefined;
    }
    const { id } = this.instance(definition, types);
    const declared = this.declaredTypes(definition);
    const name = definition.name;
    const info = { params: definition.params.map((p) => p.name.name) };
    const body = function* (...args: Value[]): Kernel<Value> {
      const passed = joined === undefined ? args : args.toSpliced(joined, 2, args.slice(joined, joined + 2));
      const given = passed.map((arg, i) => (declared[i] === undefined ? arg : coerced(arg, declared[i])));
      return (yield { op: Op.tailCall, fn: { id, name }, args: [0, ...given] }) as Value;
    };
    return functionNumbered(this.enter({ name, body: body as AnyBody, info }));
  }
  /** Puts something round the body of a kernel function; whether it has one. */
  wrap(id: number | undefined, around: (base: Kernel<Value>) => Kernel<Value>): boolean {
    if (id === undefined) return false;
    this.wrappers.push({ id, around });
    return true;
  }

  /** Binds those that nothing calls, so that their mistakes are told as well. */
  checkUncalled(): void {
    for (const definition of this.definitions.values())
      if (!this.instances.has(definition))
        this.instance(
          definition,
          definition.params.map(() => ANY),
        );
  }

  /** The parameters as declared, in words of the binder; undefined where the text leaves it open. */
  declaredTypes(definition: Definition): readonly (Type | undefined)[] {
    return definition.params.map(({ type, pointer }) =>
      type === undefined
        ? undefined
        : this.scope.within(definition.source, definition.prefix, () => this.scope.structs.typeOf(type, pointer)),
    );
  }

  instance(definition: Definition, given: readonly Type[]): Instance {
    const declared = this.declaredTypes(definition);
    const types = definition.params.map((_, i) => paramType(declared[i], given[i] ?? ANY));
    const key = types.map(typeKey).join(", ");
    let all = this.instances.get(definition);
    if (all === undefined) this.instances.set(definition, (all = new Map()));
    let instance = all.get(key);
    if (instance === undefined) {
      const id = this.enter({ name: definition.name, body: function* () {} });
      instance = { id, definition, result: definition.returns ?? ANY, code: undefined, labels: new Map() };
      all.set(key, instance);
      this.scope.within(definition.source, definition.prefix, () => this.bind(instance as Instance, types));
    }
    return instance;
  }

  private bind(instance: Instance, types: readonly Type[]): void {
    const { scope } = this;
    const { definition } = instance;
    const locals = new Locals();
    definition.params.forEach(({ name, type }, i) => {
      const meaning = type === undefined ? undefined : scope.structs.meaning(type);
      if (type !== undefined && meaning === undefined) scope.structs.unknownType(type);
      if (type?.struct === true && meaning?.kind === "struct" && definition.params[i]?.pointer === false)
        scope.error(
          "E314",
          type.at,
          "objects are not copied: they are handed on by pointer",
          `\`struct ${type.name} *${name.name}\``,
        );
      locals.declare(name.name, types[i] as Type, name.at, { isTyped: type !== undefined });
    });
    const names = new ExpressionBinder(scope, { locals, kernel: this.kernel, owner: definition });
    const code = new CodeBinder(names);
    code.addStatements(definition.body.statements);
    if (definition.returns !== undefined) this.checkResult(definition, code);
    const finished = code.finish(instance.id, definition.params.length);
    instance.result = definition.returns ?? code.result;
    instance.code = finished.code;
    instance.labels = code.labelPlaces();
    this.replace(instance.id, {
      name: definition.name,
      body: finished.body,
      own: true,
      info: { params: definition.params.map((p) => p.name.name) },
    });
  }
  /** The kernel goes by what a callback returns. */
  private checkResult({ name, at, returns = VOID }: Definition, code: CodeBinder): void {
    const { scope } = this;
    if (returns.kind === "void") return;
    if (code.result.kind === "void") {
      const help = returns.kind === "boolean" ? "`return true`, or false if it had to wait" : "`return 0`, or an error";
      scope.error("E237", at, `\`${name}\` returns ${typeText(returns)}; no \`return\` here gives one`, help);
    } else if (!compatible(returns, code.result))
      scope.error("E315", at, `\`${name}\` returns ${typeText(returns)}; this gives ${typeText(code.result)}`);
  }
  /** The name most like one that is no label of a function. */
  suggestLabel(definition: Definition, label: string): string | undefined {
    const known = [...this.instancesOf(definition)].flatMap((instance) => [...instance.labels.keys()]);
    return nearest(label, known);
  }
}

/** The declared type, or that of the argument: NULL alone says nothing. */
function paramType(declared: Type | undefined, given: Type): Type {
  if (declared !== undefined && declared.kind !== "any") return declared;
  if (given.kind === "null" || given.kind === "string") return ANY;
  return given.kind === "object" ? { kind: "object", cls: given.cls } : given;
}
