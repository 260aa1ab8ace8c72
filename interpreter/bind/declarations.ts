/** Declarations in bodies: variables and objects local to a call, or a CPU's own. */
import type { CType, Declare, Declarator, Expr, Init, Statement } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { storePrivate } from "../../runtime/machine/access.ts";
import { stackObject } from "../../runtime/machine/alloc.ts";
import type { list_head } from "../../runtime/machine/list.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { Special, Struct, type StructClass } from "../../runtime/machine/struct.ts";
import { arrayClass, localWordClass, wordIn } from "./word-objects.ts";
import { bindAssign } from "./assign.ts";
import type { CodeBinder } from "./code.ts";
import { run, type Frame, type Local } from "./expression.ts";
import { initializerOf, initialValues, memberAtPath, type InitialValue } from "./init.ts";
import type { Scope } from "./scope.ts";
import type { Meaning } from "./structs.ts";
import { NULL_TYPE, objectType, type Type } from "./types.ts";

/** `hmm_range r`: read as a call, but it declares an object. */
export function isObjectDeclaration(scope: Scope, statement: Statement): boolean {
  if (statement.kind !== "expression" || statement.expr.kind !== "call" || !statement.expr.bare) return false;
  const { callee, args } = statement.expr;
  if (callee.kind !== "name" || args.length !== 1 || args[0]?.value.kind !== "name") return false;
  return scope.structs.isDeclarable(callee.name) || scope.structs.isSpecial(callee.name) || callee.name === "device";
}
/** The declaration that such a call is. */
export function asDeclare(statement: Extract<Statement, { kind: "expression" }>): Declare {
  const { expr } = statement;
  if (expr.kind !== "call" || expr.callee.kind !== "name") throw new Error("not a declaration");
  const [arg] = expr.args;
  const value = arg?.value;
  if (value?.kind !== "name") throw new Error("not a declaration");
  const type: CType = { struct: true, name: expr.callee.name, at: expr.callee.at };
  const name = { name: value.name, at: value.at };
  return {
    kind: "declare",
    type,
    names: [{ name, pointer: false, size: undefined, value: undefined, at: value.at }],
    at: statement.at,
  };
}

export function declareLocals(code: CodeBinder, statement: Extract<Statement, { kind: "expression" }> | Declare): void {
  const declare = statement.kind === "declare" ? statement : asDeclare(statement);
  const { scope } = code.names;
  if (/^static\b/.test(scope.source.slice(statement.at))) {
    const help = "declare it at the top: there it is one for all calls";
    scope.error("E290", statement.at, "this version has no static variables of functions", help);
    for (const { name } of declare.names) scope.addMistaken(name.name);
    return;
  }
  for (const declarator of declare.names) declareOne(code, declare.type, declarator);
}

/** Macros that declare an object in a body, and how the object begins. */
const DECLARING: Readonly<Record<string, string>> = {
  LIST_HEAD: "list_head",
  DECLARE_COMPLETION_ONSTACK: "completion",
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK: "wait_queue_head",
};
/** `LIST_HEAD(gone);` in a body. */
export function declareByMacro(code: CodeBinder, expr: Expr): boolean {
  if (expr.kind !== "call" || expr.callee.kind !== "name") return false;
  const { name, at } = expr.callee;
  const type = Object.hasOwn(DECLARING, name) ? DECLARING[name] : undefined;
  const value = expr.args[0]?.value;
  if (type === undefined || value?.kind !== "name") return false;
  const declared = { name: value.name, at: value.at };
  declareOne(
    code,
    { struct: true, name: type, at },
    { name: declared, pointer: false, size: undefined, value: undefined, at },
  );
  if (type !== "list_head") return true;
  const head = code.names.bindName(value.name, value.at);
  if (head !== undefined)
    code.addStep(expr.at, [head], function* (frame) {
      const list = (yield* run(head, frame)) as list_head;
      yield* storePrivate(list.next, list);
      yield* storePrivate(list.prev, list);
    });
  return true;
}

function declareOne(code: CodeBinder, type: CType | undefined, declarator: Declarator): void {
  const { names } = code;
  const { scope } = names;
  const { name, at } = declarator.name;
  if (names.locals?.isTaken(name) === true) {
    scope.error("E229", at, `\`${name}\` is declared already`);
    return;
  }
  const meaning = type === undefined ? undefined : scope.structs.meaning(type, declarator.pointer);
  if (type !== undefined && meaning === undefined) {
    scope.structs.unknownType(type);
    scope.addMistaken(name);
    return;
  }
  if (declarator.size !== undefined) {
    const length = scope.structs.arrayLength(declarator, meaning);
    if (length !== undefined) declareObject(code, declarator, arrayClass(length, name), `u64 ${name}[${length}]`);
    else scope.addMistaken(name);
    return;
  }
  if (meaning?.kind === "struct" && !declarator.pointer)
    return declareObject(code, declarator, meaning.cls, `struct ${meaning.cls.name} ${name}`);
  if (type !== undefined && meaning?.kind === "special" && !declarator.pointer)
    return declareWord(code, declarator, type.name, meaning);
  const declared = type === undefined ? undefined : scope.structs.typeOf(type, declarator.pointer);
  declareVariable(code, declarator, declared);
}

/** `int ret;`, `var x = f()`, `struct gpu *gpu = container_of(...)` */
function declareVariable(code: CodeBinder, { name, value, at: where }: Declarator, declared: Type | undefined): void {
  const { names } = code;
  const isTyped = declared !== undefined && declared.kind !== "any";
  const type: Type = declared ?? NULL_TYPE;
  if (value?.kind === "init") {
    names.scope.error("E314", value.at, "`{ ... }` begins an object; this is a variable");
    return;
  }
  const target: Expr = { kind: "name", name: name.name, at: name.at };
  const assign = (right: Expr): void =>
    bindAssign(code, { kind: "assign", target, op: "=", value: right, until: undefined, at: where });
  if (names.locals === undefined) {
    if (value === undefined || isTyped) names.scope.resultOf(names.cpu, name.name, type);
    if (value !== undefined) assign(value);
    return;
  }
  // In `struct x *p = f(p)` the p on the right is the one that is declared, as in C.
  const outer = names.locals.find(name.name);
  const local = names.locals.declare(name.name, type, name.at, { isTyped });
  if (value !== undefined) assign(value);
  else if (outer !== undefined || code.isInLoop) clear(code, local, where);
}
/** A second turn begins with a variable that has no value again: what the first left in it is not to be told apart. */
function clear(code: CodeBinder, local: Local, where: Span): void {
  code.addStep(
    where,
    [],
    function* (frame) {
      frame[local.index] = undefined;
    },
    local,
  );
}

/** `hmm_range range`, `u64 pfns[4]`, with or without initial values. */
function declareObject(code: CodeBinder, declarator: Declarator, cls: StructClass, text: string): void {
  const { names } = code;
  const { name, at: where } = declarator.name;
  const type = objectType(cls);
  const values = declarator.value === undefined ? [] : initialOf(code, cls, declarator.value);
  const reads = values.map(({ value }) => value);
  if (names.locals === undefined) {
    const object = names.scope.addOwnObject(names.cpu, name, cls);
    if (values.length > 0)
      code.addStep(declarator.at, reads, function* (frame) {
        yield* fill(object, values, frame);
      });
    return;
  }
  const local = names.locals.declare(name, type, where, { isTyped: true, owns: true });
  code.addStep(
    declarator.at,
    [...reads, { kind: "place", place: { kind: "local", local }, type, at: where }],
    function* (frame) {
      // Declared in a loop it is the same memory in each turn.
      const known = frame[local.index];
      const object = known instanceof Struct ? known : yield* stackObject(cls, text);
      frame[local.index] = object;
      yield* fill(object, values, frame);
    },
    local,
  );
}
type Word = Extract<Meaning, { kind: "special" }>;
/** `atomic_t users = ATOMIC_INIT(1)`, `spinlock_t lock`: one word, that others can be handed. */
function declareWord(code: CodeBinder, { name, value, at: where }: Declarator, kind: string, meaning: Word): void {
  const { names } = code;
  if (names.locals === undefined) {
    names.scope.error("E290", where, `this version has no \`${kind}\` of a CPU's own`, "declare it at the top");
    names.scope.addMistaken(name.name);
    return;
  }
  const { type } = meaning;
  const initial = wordInitial(code, name.name, type, value);
  const cls = localWordClass(kind, name.name, meaning.make);
  const local = names.locals.declare(name.name, type, name.at, { isTyped: true, owns: true });
  code.addStep(
    where,
    [...initial.map((one) => one.value), { kind: "place", place: { kind: "local", local }, type, at: name.at }],
    function* (frame) {
      const known = frame[local.index];
      const object = known instanceof Special ? known.owner : yield* stackObject(cls, `${kind} ${name.name}`);
      frame[local.index] = wordIn(object);
      yield* fill(object, initial, frame);
    },
    local,
  );
}
function wordInitial(
  code: CodeBinder,
  name: string,
  type: Type,
  value: Expr | Init | undefined,
): readonly InitialValue[] {
  // A lock begins free, whatever macro says so.
  if (value === undefined || (type.kind !== "atomic" && type.kind !== "refcount")) return [];
  if (value.kind === "init") {
    code.names.scope.error("E314", value.at, "a counter begins with a number: `ATOMIC_INIT(1)`");
    return [];
  }
  const bound = code.names.bindValue(initializerOf(value));
  return bound === undefined ? [] : [{ path: [name], value: bound }];
}
function initialOf(code: CodeBinder, cls: StructClass, value: Expr | Init): readonly InitialValue[] {
  if (value.kind === "init") return initialValues(code.names, cls, value);
  const help = "`{ .start = 0x1000 }`, or member by member: `range.start = 0x1000`";
  code.names.scope.error("E314", value.at, "an object begins with `{ ... }`: objects are not copied", help);
  return [];
}
/** Nobody else knows it yet: no steps of their own. */
function* fill(object: Struct, values: readonly InitialValue[], frame: Frame): Kernel<void> {
  for (const { path, value } of values) {
    const member = memberAtPath(object, path);
    if (member !== undefined) yield* storePrivate(member, yield* run(value, frame));
  }
}
