/** `for x in RANGE`, and the list walks of the kernel, as the loops that they are. */
import type { Expr, ForEach, ForIn } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/span.ts";
import { nearest } from "../../grammar/suggest.ts";
import { load, READ_ONCE } from "../../runtime/machine/access.ts";
import { hlist_head, hlist_node, list_head } from "../../runtime/machine/list.ts";
import { checkTraversal } from "../../runtime/machine/rcu-checks.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import { at, Struct, type Pointer, type StructClass } from "../../runtime/machine/struct.ts";
import { PAGE_SIZE } from "../../runtime/mm/pgtable.ts";
import type { CodeBinder } from "./code.ts";
import { run, truth, type Bound } from "./expression.ts";
import { bindAssign } from "./assign.ts";
import { memberOf } from "./macros-memory.ts";
import { BOOLEAN, NUMBER, typeText } from "./types.ts";

type BoundPlace = Bound & { readonly kind: "place" };

const number = (value: number, at: Span): Bound => ({ kind: "constant", value, type: NUMBER, at });
const operation = (op: "+" | "<" | "==", left: Bound, right: Bound, at: Span): Bound => ({
  kind: "binary",
  op,
  left,
  right,
  type: op === "+" ? NUMBER : BOOLEAN,
  at,
});

// ---- for x in ...

export function addForIn(code: CodeBinder, statement: ForIn): void {
  const { names } = code;
  const values = statement.values.map((value) => names.bindArgument(value));
  if (values.includes(undefined)) return;
  const bound = values as Bound[];
  const ranges = bound.filter((value) => value.type.kind === "range");
  names.locals?.enter();
  if (ranges.length === 0) addForNumbers(code, statement, bound);
  else if (bound.length === 1) addForPages(code, statement, bound[0] as Bound);
  else names.scope.error("E309", statement.at, "`for` goes through one range, page by page, or through numbers");
  names.locals?.leave();
}
/** Sets the variable of the loop. */
function setLoopVariable(code: CodeBinder, { name }: ForIn, value: Expr): void {
  const target: Expr = { kind: "name", name: name.name, at: name.at };
  bindAssign(code, { kind: "assign", target, op: "=", value, until: undefined, at: name.at });
}
/** An expression of ours in the place of one of the text. */
function asExpr(code: CodeBinder, bound: Bound): Expr {
  const expr: Expr = { kind: "null", at: bound.at };
  code.names.supply(expr, bound);
  return expr;
}
function addForPages(code: CodeBinder, statement: ForIn, range: Bound): void {
  const { at: where } = statement;
  const next = code.temporary(NUMBER, where);
  const end = code.temporary(NUMBER, where);
  const part = (index: number): Bound =>
    range.kind === "range"
      ? index === 0
        ? range.start
        : range.end
      : { kind: "place", place: { kind: "field", record: range, index }, type: NUMBER, at: where };
  code.addSet(next, part(0), where);
  code.addSet(end, part(1), where);
  const top = code.here;
  const branch = code.addBranch(operation("<", next, end, where), where);
  setLoopVariable(code, statement, asExpr(code, next));
  code.addTurns(statement.body, where, top, branch, () =>
    code.addSet(next, operation("+", next, number(PAGE_SIZE, where), where), where),
  );
}
function addForNumbers(code: CodeBinder, statement: ForIn, values: readonly Bound[]): void {
  const { at: where } = statement;
  const i = code.temporary(NUMBER, where);
  code.addSet(i, number(0, where), where);
  const top = code.here;
  const branch = code.addBranch(operation("<", i, number(values.length, where), where), where);
  const value = values.reduceRight(
    (otherwise, one, n): Bound =>
      n === values.length - 1
        ? one
        : {
            kind: "conditional",
            test: operation("==", i, number(n, where), where),
            yes: one,
            no: otherwise,
            type: one.type,
            at: where,
          },
    values[values.length - 1] as Bound,
  );
  setLoopVariable(code, statement, asExpr(code, value));
  code.addTurns(statement.body, where, top, branch, () =>
    code.addSet(i, operation("+", i, number(1, where), where), where),
  );
}

// ---- list walks

/** How a macro walks: which node is first, and which comes after one. */
interface Walk {
  /** Of the kernel's arguments, which is which. */
  readonly args: readonly ("pos" | "next" | "head" | "member")[];
  readonly node: () => StructClass;
  /** The word that points to the first node, and the one that points on. */
  readonly first: (head: number) => Pointer<Struct>;
  readonly on: (node: number) => Pointer<Struct>;
  /** Whether the walk is over where it comes back to its head; otherwise at NULL. */
  readonly isRing: boolean;
  readonly isMarked: boolean;
  /** Only readers may go through it. */
  readonly readers?: "rcu" | "srcu";
}
const ring = (args: Walk["args"], options: { back?: boolean; marked?: boolean } = {}): Walk => {
  const readers = options.marked === true ? { readers: "rcu" as const } : {};
  const link = (addr: number): Pointer<Struct> =>
    (options.back === true ? at(list_head, addr).prev : at(list_head, addr).next) as Pointer<Struct>;
  return {
    args,
    node: () => list_head,
    first: link,
    on: link,
    isRing: true,
    isMarked: options.marked === true,
    ...readers,
  };
};
const chain = (args: Walk["args"], readers?: Walk["readers"]): Walk => ({
  args,
  node: () => hlist_node,
  first: (addr) => at(hlist_head, addr).first as Pointer<Struct>,
  on: (addr) => at(hlist_node, addr).next as Pointer<Struct>,
  isRing: false,
  isMarked: readers !== undefined,
  ...(readers === undefined ? {} : { readers }),
});
const WALKS: Readonly<Record<string, Walk>> = {
  list_for_each: ring(["pos", "head"]),
  list_for_each_safe: ring(["pos", "next", "head"]),
  list_for_each_entry: ring(["pos", "head", "member"]),
  list_for_each_entry_safe: ring(["pos", "next", "head", "member"]),
  list_for_each_entry_reverse: ring(["pos", "head", "member"], { back: true }),
  list_for_each_entry_rcu: ring(["pos", "head", "member"], { marked: true }),
  hlist_for_each_entry: chain(["pos", "head", "member"]),
  hlist_for_each_entry_safe: chain(["pos", "next", "head", "member"]),
  hlist_for_each_entry_rcu: chain(["pos", "head", "member"], "rcu"),
  hlist_for_each_entry_srcu: chain(["pos", "head", "member"], "srcu"),
};

export function addForEach(code: CodeBinder, statement: ForEach): void {
  const { names } = code;
  const { scope } = names;
  const { name, at: where } = statement.macro;
  const walk = Object.hasOwn(WALKS, name) ? WALKS[name] : undefined;
  if (walk === undefined) {
    const meant = nearest(name, Object.keys(WALKS));
    const help = meant === undefined ? `there are: ${Object.keys(WALKS).join(", ")}` : `did you mean \`${meant}\`?`;
    scope.error("E260", where, `\`${name}\` is no list walk that is known here`, help);
    return;
  }
  if (statement.args.length < walk.args.length) {
    const shape = walk.args.join(", ");
    const message = `\`${name}\` takes ${walk.args.length} arguments, ${statement.args.length} given`;
    scope.error("E300", where, message, `\`${name}(${shape}) { ... }\``);
    return;
  }
  const argument = (kind: Walk["args"][number]): Expr | undefined => statement.args[walk.args.indexOf(kind)]?.value;
  const pos = cursor(code, argument("pos"));
  const head = argument("head");
  const bound = head === undefined ? undefined : names.bindValue(head);
  if (pos === undefined || bound === undefined || pos.type.kind !== "object") return;
  const member = argument("member");
  const field = member === undefined ? { addr: 0 } : memberOf(names, pos.type.cls, member);
  if (field === undefined) return;
  // Behind the member the kernel takes a condition under which others than readers may go through it.
  const last = statement.args[walk.args.length]?.value;
  const allowed = last === undefined || walk.readers === undefined ? undefined : names.bindValue(last);
  if (walk.readers !== undefined) addReaderCheck(code, walk.readers, allowed, where);
  addWalk(code, statement, walk, pos, bound, field.addr);
}
function addReaderCheck(code: CodeBinder, readers: "rcu" | "srcu", allowed: Bound | undefined, at: Span): void {
  const parts = allowed === undefined ? [] : [allowed];
  code.addStep(at, parts, function* (frame) {
    if (allowed === undefined || !truth(yield* run(allowed, frame))) yield* checkTraversal(readers === "srcu");
  });
}
/** The variable that goes through the list. */
function cursor(code: CodeBinder, expr: Expr | undefined): BoundPlace | undefined {
  const { names } = code;
  if (expr === undefined) return undefined;
  const bound = names.bind(expr);
  if (bound === undefined) return undefined;
  if (bound.kind === "place" && bound.type.kind === "object" && bound.type.embedded !== true) return bound;
  const text = names.scope.source.slice(expr.at);
  const message = `\`${text}\` is ${typeText(bound.type)}: a list walk needs a pointer of its type`;
  names.scope.error("E315", expr.at, message, `\`struct region *${text};\` declares one`);
  return undefined;
}

/**
 * pos = entry(first); while (pos is no head) { next = entry(pos->next) where that is read first; ...; pos = next }. The
 * node that the walk stands on is kept beside `pos`, which after the last one points at no object.
 */
function addWalk(
  code: CodeBinder,
  { body, at: where }: ForEach,
  walk: Walk,
  pos: BoundPlace,
  head: Bound,
  offset: number,
): void {
  const isSafe = walk.args.includes("next");
  const nodeType = { kind: "object", cls: walk.node() } as const;
  const start = code.temporary(head.type, where);
  const node = code.temporary(nodeType, where);
  const after = isSafe ? code.temporary(nodeType, where) : undefined;
  const follow = (from: Bound, link: Walk["on"]): Bound => ({
    kind: "call",
    name: "next",
    type: nodeType,
    at: where,
    parts: [from],
    *run(frame): Kernel<Value> {
      const word = link(((yield* run(from, frame)) as Struct).addr);
      return yield* walk.isMarked ? READ_ONCE(word) : load(word);
    },
  });
  const pure = (parts: readonly Bound[], type: Bound["type"], of: (...values: Struct[]) => Value): Bound => ({
    kind: "call",
    name: "entry",
    type,
    at: where,
    parts,
    *run(frame): Kernel<Value> {
      const values: Struct[] = [];
      for (const part of parts) values.push((yield* run(part, frame)) as Struct);
      return of(...values);
    },
  });
  const { type } = pos;
  if (type.kind !== "object") return;
  code.addSet(start, head, where);
  code.addSet(node, follow(start, walk.first), where);
  const top = code.here;
  const goesOn = pure([node, start], BOOLEAN, (n, s) => (walk.isRing ? n.addr !== s.addr : n.addr !== 0));
  const branch = code.addBranch(goesOn, where);
  code.addSet(
    pos,
    pure([node], type, (n) => at(type.cls, n.addr - offset)),
    where,
  );
  if (after !== undefined) code.addSet(after, follow(node, walk.on), where);
  code.addTurns(body, where, top, branch, () => code.addSet(node, after ?? follow(node, walk.on), where));
}
