import type * as ast from "../../../grammar/ast.ts";
import { typeWords } from "../../../grammar/words.ts";

type Tree = { readonly [key: string]: unknown };

/**
 * A tree without what the formatter may change. That is: places; braces; `->` or `.`; calls with or without
 * parentheses; `&` before an argument or the value of a field; types of parameters; types of variables that are numbers
 * or pointers; `struct` before the type of an object; white space in `sizeof`. Parentheses, casts, prototypes and the
 * last `break` of an arm are not in the tree in the first place.
 */
export function essenceOf(script: ast.Script): unknown {
  return essence(script.statements);
}

const dropped = new Set(["at", "braces", "arrow", "bare"]);

function essence(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(essence);
  if (typeof node !== "object" || node === null) return node;
  const tree = special(node as Tree);
  return Object.fromEntries(
    Object.entries(tree)
      .filter(([key]) => !dropped.has(key))
      .map(([key, value]) => [key, essence(value)]),
  );
}

function special(tree: Tree): Tree {
  switch (tree["kind"]) {
    case "fn":
    case "callbackBody":
      return { ...tree, params: (tree["params"] as ast.Param[]).map(({ name }) => name.name) };
    case "declare":
      return declaration(tree as unknown as ast.Declare);
    case "struct":
      return { ...tree, fields: (tree["fields"] as ast.Declare[]).map((field) => ({ field: objectsOf(field) })) };
    case "sizeof":
      return { ...tree, of: (tree["of"] as string).replace(/\/\*[^]*?\*\/|(?:\/\/|#).*|\s/g, "") };
    case "call":
    case "forEach":
      return { ...tree, args: (tree["args"] as ast.Argument[]).map(passed) };
    case "init":
      return { ...tree, fields: (tree["fields"] as ast.InitField[]).map(passed) };
    default:
      return tree;
  }
}

function passed<T extends { readonly value: ast.Expr | ast.Init }>(entry: T): T {
  let { value } = entry;
  while (value.kind === "unary" && value.op === "&") value = value.operand;
  return { ...entry, value };
}

function declaration(declare: ast.Declare): Tree {
  const { type, names } = declare;
  const sized = names.some(({ size }) => size !== undefined);
  if (type === undefined || (!sized && (isNumber(type) || names.every(({ pointer }) => pointer)))) {
    return { kind: "var", names: names.map((name) => ({ ...name, pointer: false })) };
  }
  const [only] = names;
  if (!type.struct || names.length > 1 || only === undefined || sized) return { kind: "typed", type, names };
  if (only.value?.kind === "init") return { kind: "typed", type: { ...type, struct: false }, names };
  if (only.value !== undefined) return { kind: "typed", type, names };
  // `struct gpu g` and `gpu g` are one thing, and the latter is read as a call.
  const name = (text: string): Tree => ({ kind: "name", name: text });
  const args = [{ name: undefined, value: name(only.name.name) }];
  return { kind: "expression", expr: { kind: "call", callee: name(type.name), args }, until: undefined };
}

function objectsOf({ type, names }: ast.Declare): Tree {
  const byValue = names.every(({ pointer }) => !pointer);
  return { type: type === undefined || !byValue ? type : { ...type, struct: false }, names };
}

function isNumber({ struct, name }: ast.CType): boolean {
  return !struct && (/^(?:size|gfp|u?int\d+)_t$/.test(name) || name.split(" ").every((word) => typeWords.has(word)));
}

/** What comments say, in order, without their marks and white space. */
export function commentsOf(script: ast.Script): string {
  return script.comments.map(({ text }) => text.replace(/[\s#*/\\]/g, "")).join("");
}

/** Every `kind` in a tree, and every operator. */
export function kindsIn(node: unknown, kinds = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(node)) for (const item of node) kindsIn(item, kinds);
  else if (typeof node === "object" && node !== null) {
    const { kind, op } = node as Tree;
    if (typeof kind === "string") kinds.add(kind);
    if (typeof op === "string") kinds.add(op);
    for (const value of Object.values(node)) kindsIn(value, kinds);
  }
  return kinds;
}
