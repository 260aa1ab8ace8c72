/**
 * lib/interval_tree.c: closed intervals by where they begin, those that begin alike in the order in which they came.
 *
 * Differs: a chain in that order, so that equal trees are equal states; each operation is one step, for it is atomic
 * wherever it is right. A node that is taken out is poisoned: whoever goes on from it is caught.
 */
import { storePrivate } from "../machine/access.ts";
import { asBoolean, Op, primitive, step, type Kernel, type Primitive, type PrimitiveContext } from "../machine/step.ts";
import { at, flag, int, pointer, Struct } from "../machine/struct.ts";
import { hlist_head, LIST_POISON1 } from "../machine/list.ts";

export class interval_tree_node extends Struct {
  static readonly short: string = "node";
  static readonly shows: readonly string[] = ["start", "last"];
  /** What guards the tree. */
  next = pointer(() => interval_tree_node);
  /** Set by RB_CLEAR_NODE() and cleared by interval_tree_insert(); taking the node out leaves it as it is. */
  is_empty = flag();
  /** Constant while in a tree. */
  start = int();
  /** Last address of it. Constant while in a tree. */
  last = int();
}
/** Leads to the leftmost node. */
export class rb_root_cached extends hlist_head {
  static override readonly short: string = "root";
}

const node = at(interval_tree_node, 0);
const NEXT = node.next.addr;
const IS_EMPTY = node.is_empty.addr;
const START = node.start.addr;
const LAST = node.last.addr;
const FIRST = at(rb_root_cached, 0).first.addr;

const insert = primitive("interval_tree_insert", (m, root = 0, added = 0) => {
  let link = root + FIRST;
  const start = m.read(added + START);
  for (let other = m.read(link); other !== 0 && m.read(other + START) <= start; other = m.read(link)) {
    if (other === added) m.fail("list-corruption", "interval_tree_insert of a node that is in the tree", added);
    link = other + NEXT;
  }
  m.write(added + NEXT, m.read(link));
  m.write(added + IS_EMPTY, 0);
  m.write(link, added);
  return 0;
});
const remove = primitive("interval_tree_remove", (m, root = 0, gone = 0) => {
  let link = root + FIRST;
  for (let other = m.read(link); other !== gone; other = m.read(link)) {
    if (other === 0) m.fail("list-corruption", "interval_tree_remove of a node that is not in the tree", gone);
    link = other + NEXT;
  }
  m.write(link, m.read(gone + NEXT));
  m.write(gone + NEXT, LIST_POISON1);
  return 0;
});
/** The first from there on that meets [start, last], or 0. */
function search(m: PrimitiveContext, from: number, start: number, last: number): number {
  for (let other = from; other !== 0 && m.read(other + START) <= last; other = m.read(other + NEXT))
    if (m.read(other + LAST) >= start) return other;
  return 0;
}
const first = primitive("interval_tree_iter_first", (m, root = 0, start = 0, last = 0) =>
  search(m, m.read(root + FIRST), start, last),
);
const next = primitive("interval_tree_iter_next", (m, from = 0, start = 0, last = 0) =>
  search(m, m.read(from + NEXT), start, last),
);

const hex = (n: number): string => (n < 4096 ? String(n) : `0x${n.toString(16)}`);
function treeStep<R>(
  run: Primitive,
  on: Struct,
  args: readonly (number | Struct)[],
  decode: (result: number) => R,
): Kernel<R> {
  return step({
    op: Op.primitive,
    addr: on.addr,
    primitive: run,
    args: args.map((arg) => (typeof arg === "number" ? arg : arg.addr)),
    decode,
    text: (names) => {
      const texts = args.map((arg) => (typeof arg === "number" ? hex(arg) : `&${arg.expr(names)}`));
      return `${run.name}(${texts.join(", ")})`;
    },
  });
}
const asNode = (addr: number): interval_tree_node => at(interval_tree_node, addr);
function nothing(): void {}

export function* interval_tree_insert(added: interval_tree_node, root: rb_root_cached): Kernel<void> {
  yield* treeStep(insert, root, [root, added], nothing);
}
export function* interval_tree_remove(gone: interval_tree_node, root: rb_root_cached): Kernel<void> {
  yield* treeStep(remove, root, [root, gone], nothing);
}
/** The first interval that meets [start, last], or NULL. */
export function interval_tree_iter_first(
  root: rb_root_cached,
  start: number,
  last: number,
): Kernel<interval_tree_node> {
  return treeStep(first, root, [root, start, last], asNode);
}
/** The next one after `from`, which must still be in its tree. */
export function interval_tree_iter_next(
  from: interval_tree_node,
  start: number,
  last: number,
): Kernel<interval_tree_node> {
  return treeStep(next, from, [from, start, last], asNode);
}

const isEmpty = primitive("RB_EMPTY_NODE", (m, one = 0) => m.read(one + IS_EMPTY));
/** Whether it has not been inserted since it was cleared: false, too, of one that was taken out. */
export function RB_EMPTY_NODE(one: interval_tree_node): Kernel<boolean> {
  return treeStep(isEmpty, one, [one], asBoolean);
}
/** Of a node that nobody else can reach yet: no step of its own. */
export function* RB_CLEAR_NODE(one: interval_tree_node): Kernel<void> {
  yield* storePrivate(one.is_empty, true);
}
