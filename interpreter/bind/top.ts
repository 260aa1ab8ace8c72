/** What a script declares at its top, for all CPUs: words, locks, objects, tables of callbacks. */
import type { Call, CType, Declare, Declarator, Enum, Ops, Statement } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { list_head } from "../../runtime/machine/list.ts";
import { wordOf } from "../../runtime/machine/step.ts";
import type { Struct, StructClass } from "../../runtime/machine/struct.ts";
import { arrayClass } from "./word-objects.ts";
import { bindOps, declareOps } from "./callbacks.ts";
import { asDeclare, isObjectDeclaration } from "./declarations.ts";
import { numeric } from "./expression.ts";
import { initialValues, initializerOf, memberAtPath } from "./init.ts";
import type { ExpressionBinder } from "./names.ts";
import type { Scope } from "./scope.ts";
import type { Meaning } from "./structs.ts";
import { NULL_TYPE, NUMBER, type Type } from "./types.ts";

/** Macros that declare something. */
const DECLARING: Readonly<Record<string, string>> = {
  DEFINE_MUTEX: "mutex",
  DEFINE_SPINLOCK: "spinlock",
  DECLARE_RWSEM: "rw_semaphore",
  LIST_HEAD: "list_head",
  HLIST_HEAD: "hlist_head",
  DECLARE_WAIT_QUEUE_HEAD: "wait_queue_head",
  DECLARE_COMPLETION: "completion",
  DEFINE_SRCU: "srcu_struct",
  DEFINE_STATIC_SRCU: "srcu_struct",
};
/** What a module says about itself. */
const OF_MODULES =
  /^(EXPORT_SYMBOL\w*|MODULE_\w+|module_init|module_exit|module_param\w*|subsys_initcall|late_initcall)$/;

export class TopDeclarations {
  private readonly scope: Scope;
  /** Binds what belongs to no CPU. */
  private readonly names: () => ExpressionBinder;
  private readonly tables: { readonly statement: Ops; readonly object: Struct; readonly bind: () => void }[] = [];

  constructor(scope: Scope, names: () => ExpressionBinder) {
    this.scope = scope;
    this.names = names;
  }

  /** Whether it was a declaration. All of them are read before anything that runs. */
  add(statement: Statement): boolean {
    const { scope } = this;
    switch (statement.kind) {
      case "declare":
        this.addDeclare(statement);
        return true;
      case "enum":
        this.addEnum(statement);
        return true;
      case "ops": {
        const object = declareOps(scope, statement);
        const { source, prefix } = scope;
        const bind = (): void => void scope.within(source, prefix, () => object && bindOps(scope, statement, object));
        if (object !== undefined) this.tables.push({ statement, object, bind });
        return true;
      }
      case "expression":
        if (isObjectDeclaration(scope, statement)) this.addDeclare(asDeclare(statement));
        else if (statement.expr.kind !== "call" || !this.addMacro(statement.expr)) return false;
        return true;
      default:
        return false;
    }
  }
  /** Binds the callbacks, when everything that they may name is there. */
  finish(): void {
    for (const table of this.tables) table.bind();
  }

  private addMacro(call: Call): boolean {
    if (call.callee.kind !== "name") return false;
    const { name, at } = call.callee;
    if (OF_MODULES.test(name)) return true;
    const type = Object.hasOwn(DECLARING, name) ? DECLARING[name] : undefined;
    const [arg] = call.args;
    if (type === undefined || arg?.value.kind !== "name") return false;
    const declared = { name: arg.value.name, at: arg.value.at };
    const ctype: CType = { struct: true, name: type, at };
    const declarator = { name: declared, pointer: false, size: undefined, value: undefined, at: arg.at };
    this.addDeclare({ kind: "declare", type: ctype, names: [declarator], at: call.at });
    return true;
  }

  /** `enum { GPU_PAGES = 4, GPU_SHIFT }`: constants. */
  private addEnum({ items }: Enum): void {
    const { scope } = this;
    let next = 0;
    for (const { name, value } of items) {
      const given = value === undefined ? next : scope.constantOf(value);
      if (given === undefined) {
        if (value !== undefined) scope.error("E228", value.at, "an enumerator is a constant");
        scope.addMistaken(name.name);
        continue;
      }
      if (this.isNew(name.name, name.at)) scope.constants.set(scope.prefix + name.name, given);
      next = given + 1;
    }
  }

  private addDeclare(statement: Declare): void {
    for (const declarator of statement.names)
      if (!this.addOne(statement.type, declarator)) this.scope.addMistaken(declarator.name.name);
  }
  /** Whether it could be declared. */
  private addOne(type: CType | undefined, declarator: Declarator): boolean {
    const { scope } = this;
    const { name, at } = declarator.name;
    const meaning = type === undefined ? undefined : scope.structs.meaning(type, declarator.pointer);
    if (type !== undefined && meaning === undefined) {
      scope.structs.unknownType(type);
      return false;
    }
    if (!this.isNew(name, at)) return true;
    if (declarator.size !== undefined) {
      const length = scope.structs.arrayLength(declarator, meaning);
      if (length !== undefined) this.addObject(declarator, arrayClass(length));
      return length !== undefined;
    }
    if (meaning?.kind === "struct" && !declarator.pointer) {
      this.addObject(declarator, meaning.cls);
      return true;
    }
    return this.addWord(declarator, typeOfWord(scope, type, declarator, meaning));
  }
  private addObject(declarator: Declarator, cls: StructClass): void {
    const { scope } = this;
    const object = scope.addObject(declarator.name.name, cls);
    if (object instanceof list_head)
      scope.onSetUp(({ memory }) => {
        for (const link of [object.next, object.prev]) memory.set(memory.wordAt(link.addr), object.addr);
      });
    const { value } = declarator;
    if (value === undefined) return;
    if (value.kind !== "init") {
      scope.error("E314", value.at, "an object begins with `{ ... }`", "`{ .seq = 1 }`");
      return;
    }
    for (const initial of initialValues(this.names(), cls, value)) {
      const word = memberAtPath(object, initial.path);
      if (initial.value.kind !== "constant") {
        const help = "a CPU can change it: `cpu0: x.seq = mm.mm_users`";
        scope.error("E228", initial.value.at, "what is there from the start begins with constants", help);
      } else if (word !== undefined) {
        const given = wordOf(initial.value.value);
        scope.onSetUp(({ memory }) => memory.set(memory.wordAt(word.addr), given));
      }
    }
  }
  private addWord({ name, value }: Declarator, type: Type): boolean {
    const { scope } = this;
    if (value?.kind === "init") {
      scope.error("E314", value.at, "`{ ... }` begins an object; this is one word");
      return false;
    }
    if (value === undefined) {
      scope.addShared(name.name, type.kind === "null" ? NUMBER : type, 0);
      return true;
    }
    const bound = this.names().bindValue(initializerOf(value));
    if (bound === undefined) return false;
    if (bound.kind !== "constant") {
      const help = "a CPU can change it: `cpu0: x = mm.mm_users`";
      scope.error("E228", bound.at, "a shared word begins with a constant", help);
      return false;
    }
    const isPointer = bound.type.kind === "object" || bound.type.kind === "null";
    if (type.kind === "number" && isPointer) {
      scope.error("E311", bound.at, `\`${scope.source.slice(bound.at)}\` is a pointer; a shared word holds a number`);
      return false;
    }
    scope.addShared(name.name, type.kind === "null" ? bound.type : type, numeric(bound.value));
    return true;
  }
  private isNew(name: string, at: Span): boolean {
    const { scope } = this;
    if (!scope.isTaken(name) && !scope.constants.has(scope.prefix + name)) return true;
    scope.error("E229", at, `\`${name}\` is declared already`);
    return false;
  }
}

function typeOfWord(scope: Scope, type: CType | undefined, declarator: Declarator, meaning: Meaning | undefined): Type {
  if (type === undefined) return NULL_TYPE;
  if (meaning?.kind === "special" && !declarator.pointer) return meaning.type;
  return scope.structs.typeOf(type, declarator.pointer) ?? NUMBER;
}
