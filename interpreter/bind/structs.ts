/** What the types of a script mean: `struct` declarations, the kernel's own types, and C's words for numbers. */
import type { CType, Declarator, Struct as StructStatement } from "../../grammar/ast.ts";
import type { SourceText } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import { declarableIn, declarableTypes, kernelTypes, typeIn } from "../../runtime/kernel.ts";
import {
  atomic,
  embed,
  flag,
  int,
  memberKey,
  mutex,
  pointer,
  refcount,
  spinlock,
  Struct,
  words,
  type Member,
  type StructClass,
} from "../../runtime/machine/struct.ts";
import { ARRAY_MAX } from "./word-objects.ts";
import { recordType } from "./callbacks.ts";
import type { Scope } from "./scope.ts";
import { ofAnotherKernel } from "./eras.ts";
import { ANY, BOOLEAN, NUMBER, type Type } from "./types.ts";

/** Locks and counters: one word each, with operations of their own. */
const SPECIALS: Readonly<Record<string, { readonly make: () => Member; readonly type: Type }>> = {
  mutex: { make: mutex, type: { kind: "mutex" } },
  spinlock: { make: spinlock, type: { kind: "spinlock" } },
  spinlock_t: { make: spinlock, type: { kind: "spinlock" } },
  raw_spinlock_t: { make: spinlock, type: { kind: "spinlock" } },
  atomic_t: { make: atomic, type: { kind: "atomic" } },
  atomic_long_t: { make: atomic, type: { kind: "atomic" } },
  atomic64_t: { make: atomic, type: { kind: "atomic" } },
  refcount_t: { make: refcount, type: { kind: "refcount" } },
};
const TRUTHS: readonly string[] = ["bool", "_Bool"];

/** What a type of C stands for. */
export type Meaning =
  | { readonly kind: "struct"; readonly cls: StructClass }
  /** What the kernel hands to callbacks: constant, no object of its own. */
  | { readonly kind: "record"; readonly type: Type }
  | { readonly kind: "special"; readonly make: () => Member; readonly type: Type }
  | { readonly kind: "scalar"; readonly type: Type };

interface Declared {
  readonly statement: StructStatement;
  readonly source: SourceText;
  readonly prefix: string;
}

/** Classes by the text of all structs of a script: the same text gives the same classes, and types of one number. */
const worlds = new Map<string, Map<string, StructClass>>();

export class Structs {
  private readonly scope: Scope;
  private readonly declared = new Map<string, Declared>();
  private classes: Map<string, StructClass> | undefined;
  /** Those that would hold themselves: there is no class of them. */
  private readonly endless = new Set<string>();

  constructor(scope: Scope) {
    this.scope = scope;
  }

  /** To be called for all of them before any is used. */
  declare(statement: StructStatement): void {
    const { scope } = this;
    const { name, at } = statement.name;
    const full = scope.prefix + name;
    if (this.declared.has(full)) scope.error("E229", at, `\`struct ${name}\` is declared already`);
    else if (Object.hasOwn(declarableTypes, name) || Object.hasOwn(kernelTypes, name))
      scope.error("E229", at, `\`struct ${name}\` is a type of the kernel`, "give yours another name");
    else this.declared.set(full, { statement, source: scope.source, prefix: scope.prefix });
  }
  /** Looks at the fields of all of them. */
  check(): void {
    const { scope } = this;
    for (const { statement, source, prefix } of this.declared.values())
      scope.within(source, prefix, () => this.checkFields(statement));
  }
  private checkFields(statement: StructStatement): void {
    const { scope } = this;
    const full = scope.prefix + statement.name.name;
    const seen = new Set<string>();
    for (const field of statement.fields)
      for (const declarator of field.names) {
        const { name, at } = declarator.name;
        if (seen.has(name)) scope.error("E229", at, `\`${name}\` is declared already`);
        seen.add(name);
        if (declarator.value !== undefined)
          scope.error("E228", declarator.at, "a field has no value of its own", "the object gets it: `x.field = ...`");
        if (field.type === undefined) continue;
        const meaning = this.meaning(field.type, declarator.pointer);
        if (meaning === undefined) this.unknownType(field.type);
        else if (meaning.kind === "struct" && !declarator.pointer && this.holds(meaning.cls, full)) {
          scope.error("E227", at, `a \`struct ${statement.name.name}\` cannot hold itself`, "a pointer can: `*`");
          this.endless.add(full);
          scope.addMistaken(statement.name.name);
        }
        this.arrayLength(declarator, meaning);
      }
  }
  /** Whether an object of this type holds one of that name, directly or in what it embeds. */
  private holds(cls: StructClass, name: string, seen = new Set<string>()): boolean {
    const declared = this.declared.get(cls.name);
    if (cls.name === name) return true;
    if (declared === undefined || seen.has(cls.name)) return false;
    seen.add(cls.name);
    return declared.statement.fields.some((field) =>
      field.names.some((d) => {
        const inner = d.pointer || field.type === undefined ? undefined : this.find(field.type.name);
        return inner !== undefined && this.holds(inner, name, seen);
      }),
    );
  }

  unknownType({ name, at }: CType): void {
    if (this.endless.has(this.scope.prefix + name)) return; // told where it is declared
    if (ofAnotherKernel(this.scope, name, at)) return;
    const meant = nearest(name, this.names());
    const help =
      meant === undefined
        ? `\`struct ${name} { ... }\` with the members that are used here would declare it`
        : `did you mean \`${meant}\`?`;
    this.scope.error("E255", at, `no type of objects is called \`${name}\` in this version`, help);
  }

  /** The class of that name: the script's own, or the kernel's. */
  find(name: string): StructClass | undefined {
    for (const full of [this.scope.prefix + name, name]) {
      const cls = this.classOf(full);
      if (cls !== undefined) return cls;
    }
    return typeIn(name, this.scope.kernel.era);
  }
  isDeclarable(name: string): boolean {
    return this.find(name) !== undefined && !this.scope.callables.has(name);
  }
  names(): string[] {
    return [...this.declared.keys(), ...declarableIn(this.scope.kernel.era), ...Object.keys(SPECIALS)];
  }
  /** What `TYPE NAME` declares; undefined if there is no such type. */
  meaning(type: CType, isPointer = false): Meaning | undefined {
    const { name } = type;
    const special = Object.hasOwn(SPECIALS, name) ? SPECIALS[name] : undefined;
    if (special !== undefined) return { kind: "special", ...special };
    const cls = this.find(name);
    if (cls !== undefined) return { kind: "struct", cls };
    const record = recordType(name, this.scope.kernel.era);
    if (record !== undefined) return { kind: "record", type: record };
    if (type.struct) return undefined;
    if (name === "void" || (isPointer && name === "char")) return { kind: "scalar", type: ANY };
    if (TRUTHS.includes(name)) return { kind: "scalar", type: BOOLEAN };
    // A word that is no type of C either: `foo x` is no declaration, but `foo_t x` is.
    return /^[a-z_ 0-9]*\b(char|short|int|long|signed|unsigned|float|double|u?int|ulong|ushort|_*[us]\d+|\w+_t)$/.test(
      name,
    )
      ? { kind: "scalar", type: NUMBER }
      : undefined;
  }
  isSpecial(name: string): boolean {
    return Object.hasOwn(SPECIALS, name);
  }
  /** The type of a variable so declared. */
  typeOf(type: CType, isPointer: boolean): Type | undefined {
    const meaning = this.meaning(type, isPointer);
    if (meaning === undefined) return undefined;
    if (meaning.kind === "struct") return { kind: "object", cls: meaning.cls };
    if (meaning.kind === "special" || meaning.kind === "record") return meaning.type;
    return isPointer && meaning.type.kind !== "any" ? { kind: "array" } : meaning.type;
  }
  /** `[4]` behind a name; undefined if there is none, or after an error. */
  arrayLength(declarator: Declarator, meaning: Meaning | undefined): number | undefined {
    const { size } = declarator;
    if (size === undefined) return undefined;
    const { scope } = this;
    if (meaning !== undefined && meaning.kind !== "scalar" && !declarator.pointer) {
      scope.error("E290", declarator.at, "this version has arrays of numbers only");
      return undefined;
    }
    const told = scope.diagnostics.length;
    const value = scope.constantOf(size);
    if (scope.diagnostics.length > told) return undefined;
    if (value !== undefined && Number.isInteger(value) && value > 0 && value <= ARRAY_MAX) return value;
    const help = "`u64 pfns[4]`; with `kcalloc` it can be any number";
    scope.error("E318", size.at, `the length of an array is a constant from 1 to ${ARRAY_MAX}`, help);
    return undefined;
  }

  private classOf(name: string): StructClass | undefined {
    const declared = this.declared.get(name);
    if (declared === undefined || this.endless.has(name)) return undefined;
    this.classes ??= this.world();
    let cls = this.classes.get(name);
    if (cls === undefined) this.classes.set(name, (cls = this.makeClass(declared)));
    return cls;
  }
  private world(): Map<string, StructClass> {
    const texts = [...this.declared].map(([name, { statement, source }]) => `${name}: ${source.slice(statement.at)}`);
    const key = [this.scope.kernel.era, ...texts].join("\n"); // a type of the kernel may change from era to era
    let classes = worlds.get(key);
    if (classes === undefined) worlds.set(key, (classes = new Map()));
    return classes;
  }
  private makeClass({ statement, source, prefix }: Declared): StructClass {
    const name = prefix + statement.name.name;
    const { scope } = this;
    const fields = statement.fields.flatMap((field) =>
      field.names.map((declarator) => ({ type: field.type, declarator })),
    );
    const makers = fields.map(({ type, declarator }) => ({
      key: memberKey(declarator.name.name),
      make: () => scope.within(source, prefix, () => this.member(type, declarator)),
    }));
    const cls = class extends Struct {
      static readonly short = statement.name.name;
      static readonly heading = "objects";
      constructor(addr: number) {
        super(addr);
        for (const { key, make } of makers) (this as unknown as Record<string, Member>)[key] = make();
      }
    };
    return Object.defineProperty(cls, "name", { value: name });
  }
  private member(type: CType | undefined, declarator: Declarator): Member {
    const meaning = type === undefined ? undefined : this.meaning(type, declarator.pointer);
    if (declarator.size !== undefined) return words(this.scope.constantOf(declarator.size) ?? 1);
    if (meaning?.kind === "struct") return declarator.pointer ? pointer(() => meaning.cls) : embed(meaning.cls);
    if (meaning?.kind === "special" && !declarator.pointer) return meaning.make();
    return meaning?.kind === "scalar" && meaning.type.kind === "boolean" && !declarator.pointer ? flag() : int();
  }
}
