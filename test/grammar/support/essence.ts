import type * as ast from "../../../grammar/ast.ts";

type Tree = { readonly [key: string]: unknown };

/**
 * A tree without what the formatter may change. That is: places; braces; `->` or `.`; calls with or without
 * parentheses; `struct` before the type of an object; white space in `sizeof`. Parentheses, casts, prototypes and the
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
    case "declare":
      return declaration(tree as unknown as ast.Declare);
    case "struct":
      return { ...tree, fields: (tree["fields"] as ast.Declare[]).map((field) => ({ field: objectsOf(field) })) };
    case "sizeof":
      return { ...tree, of: (tree["of"] as string).replace(/\/\*[^]*?\*\/|(?:\/\/|#).*|\s/g, "") };
    default:
      return tree;
  }
}

function declaration({ type, names }: ast.Declare): Tree {
  if (type === undefined) return { kind: "var", names };
  const [only] = names;
  const isPlain = names.length === 1 && only?.size === undefined && only?.pointer === false;
  if (!type.struct || only === undefined || !isPlain) return { kind: "typed", type, names };
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
