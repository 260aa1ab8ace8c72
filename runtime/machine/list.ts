/**
 * struct list_head and hlist, in partial steps: under its lock nobody sees them half done, without it everybody does.
 * list_head carries CONFIG_DEBUG_LIST's checks; hlists have none, their poison speaks when it is dereferenced.
 */
import { load, store, WRITE_ONCE, READ_ONCE } from "./access.ts";
import { kernelFunction } from "./function.ts";
import { Op, primitive, step, type Kernel, type PrimitiveContext } from "./step.ts";
import { at, pointer, pointerToWord, Struct, WORD, type Pointer, type Ref } from "./struct.ts";

/** include/linux/poison.h, in as many bits as an address of ours has. */
export const LIST_POISON1 = 0xdead000000100;
export const LIST_POISON2 = 0xdead000000122;

export class list_head extends Struct {
  static readonly short: string = "list";
  next = pointer(() => list_head);
  prev = pointer(() => list_head);
}

/** A plain store of a value that is no object's address. */
export function* poison(ref: Ref<unknown>, value: typeof LIST_POISON1 | typeof LIST_POISON2): Kernel<void> {
  const name = value === LIST_POISON1 ? "LIST_POISON1" : "LIST_POISON2";
  yield* step({
    op: Op.store,
    addr: ref.addr,
    a: value,
    access: "plain",
    text: (names) => `${ref.expr(names)} = ${name}`,
  });
}

const NEXT = 0; // offsets in a list_head
const PREV = WORD;

// Between two steps of an operation a lockless reader may look, and a second writer is caught by the checks.
const init = primitive("INIT_LIST_HEAD", (m, list = 0) => {
  m.write(list + NEXT, list);
  m.write(list + PREV, list);
  return 0;
});
function checkedNeighbours(m: PrimitiveContext, prev: number, next: number): void {
  if (m.read(next + PREV) !== prev) m.fail("list-corruption", "list_add corruption. next->prev should be prev", next);
  if (m.read(prev + NEXT) !== next) m.fail("list-corruption", "list_add corruption. prev->next should be next", prev);
}
/** Everything but the pointer that publishes. */
const addBetween = (m: PrimitiveContext, node: number, prev: number, next: number): number => {
  checkedNeighbours(m, prev, next);
  if (node === prev || node === next) m.fail("list-corruption", "list_add double add", node);
  m.write(next + PREV, node);
  m.write(node + NEXT, next);
  m.write(node + PREV, prev);
  return 0;
};
const addHead = primitive("list_add", (m, node = 0, head = 0) => addBetween(m, node, head, m.read(head + NEXT)));
const addTail = primitive("list_add_tail", (m, node = 0, head = 0) => {
  const prev = m.read(head + PREV);
  addBetween(m, node, prev, head);
  return prev;
});
const prepareRcu = primitive("list_add_rcu", (m, node = 0, head = 0) => {
  const next = m.read(head + NEXT);
  m.write(node + NEXT, next);
  m.write(node + PREV, head);
  return next;
});
const unlinkBack = primitive("list_del", (m, entry = 0) => {
  const next = m.read(entry + NEXT);
  const prev = m.read(entry + PREV);
  if (next === LIST_POISON1) m.fail("list-corruption", "list_del corruption, entry->next is LIST_POISON1", entry);
  if (prev === LIST_POISON2) m.fail("list-corruption", "list_del corruption, entry->prev is LIST_POISON2", entry);
  if (m.read(prev + NEXT) !== entry)
    m.fail("list-corruption", "list_del corruption. prev->next should be entry", entry);
  if (m.read(next + PREV) !== entry)
    m.fail("list-corruption", "list_del corruption. next->prev should be entry", entry);
  m.write(next + PREV, prev);
  return 0;
});
const unlinkForth = primitive("list_del", (m, entry = 0) => {
  m.write(m.read(entry + PREV) + NEXT, m.read(entry + NEXT));
  return 0;
});
const poisonBoth = primitive("list_del", (m, entry = 0) => {
  m.write(entry + NEXT, LIST_POISON1);
  m.write(entry + PREV, LIST_POISON2);
  return 0;
});
/** Evaluates to the neighbour that the primitive has found, or to nothing. */
function listStep(run: typeof init, list: list_head, args: readonly list_head[], text: string): Kernel<list_head> {
  return step({
    op: Op.primitive,
    addr: list.addr,
    primitive: run,
    args: args.map((arg) => arg.addr),
    // A neighbour may be NULL where nobody initialised the list; the others have nothing to say.
    decode: (addr) => (run === addTail || run === prepareRcu ? at(list_head, addr) : undefined) as list_head,
    text: (names) => text.replaceAll("@", list.expr(names)),
  });
}

export const INIT_LIST_HEAD = kernelFunction(
  "INIT_LIST_HEAD",
  function* (list: list_head): Kernel<void> {
    yield* listStep(init, list, [list], "INIT_LIST_HEAD(&@)");
  },
  { source: "include/linux/list.h", params: ["list"], atom: true },
);
/** Adds after `head`: a stack. */
export const list_add = kernelFunction(
  "list_add",
  function* (node: list_head, head: list_head): Kernel<void> {
    yield* listStep(addHead, head, [node, head], "@.next->prev = new, new->next = @.next, new->prev = &@");
    yield* WRITE_ONCE(head.next, node);
  },
  { source: "include/linux/list.h", params: ["new", "head"], atom: true },
);
/** Adds before `head`: a queue. */
export const list_add_tail = kernelFunction(
  "list_add_tail",
  function* (node: list_head, head: list_head): Kernel<void> {
    const prev = yield* listStep(addTail, head, [node, head], "@.prev = new, new->next = &@, new->prev = @.prev");
    yield* WRITE_ONCE(prev.next, node);
  },
  { source: "include/linux/list.h", params: ["new", "head"], atom: true },
);

const __list_del_entry = kernelFunction(
  "__list_del_entry",
  function* (entry: list_head): Kernel<void> {
    yield* listStep(unlinkBack, entry, [entry], "@.next->prev = @.prev");
    yield* listStep(unlinkForth, entry, [entry], "WRITE_ONCE(@.prev->next, @.next)");
  },
  { source: "include/linux/list.h", params: ["entry"], atom: true },
);
/** Takes `entry` out and poisons it: a second list_del is caught. */
export const list_del = kernelFunction(
  "list_del",
  function* (entry: list_head): Kernel<void> {
    yield* __list_del_entry(entry);
    yield* listStep(poisonBoth, entry, [entry], "@.next = LIST_POISON1, @.prev = LIST_POISON2");
  },
  { source: "include/linux/list.h", params: ["entry"], atom: true },
);
/** Takes `entry` out and leaves it an empty list. */
export const list_del_init = kernelFunction(
  "list_del_init",
  function* (entry: list_head): Kernel<void> {
    yield* __list_del_entry(entry);
    yield* INIT_LIST_HEAD(entry);
  },
  { source: "include/linux/list.h", params: ["entry"], atom: true },
);
/** Takes `entry` out of the list it is in and adds it after `head`. */
export const list_move = kernelFunction(
  "list_move",
  function* (entry: list_head, head: list_head): Kernel<void> {
    yield* __list_del_entry(entry);
    yield* list_add(entry, head);
  },
  { source: "include/linux/list.h", params: ["list", "head"], atom: true },
);
export const list_move_tail = kernelFunction(
  "list_move_tail",
  function* (entry: list_head, head: list_head): Kernel<void> {
    yield* __list_del_entry(entry);
    yield* list_add_tail(entry, head);
  },
  { source: "include/linux/list.h", params: ["list", "head"], atom: true },
);
/** Takes `entry` out; `next` stays, so that a reader who stands on it can go on. */
export const list_del_rcu = kernelFunction(
  "list_del_rcu",
  function* (entry: list_head): Kernel<void> {
    yield* __list_del_entry(entry);
    yield* poison(entry.prev, LIST_POISON2);
  },
  { source: "include/linux/rculist.h", params: ["entry"], atom: true },
);
/** Adds after `head`; the node is complete before it is published, the pointer behind it is mended last. */
export const list_add_rcu = kernelFunction(
  "list_add_rcu",
  function* (node: list_head, head: list_head): Kernel<void> {
    const next = yield* listStep(prepareRcu, head, [node, head], "new->next = @.next, new->prev = &@");
    yield* WRITE_ONCE(head.next, node);
    yield* store(next.prev, node);
  },
  { source: "include/linux/rculist.h", params: ["new", "head"], atom: true },
);
export const list_empty = kernelFunction(
  "list_empty",
  function* (head: list_head): Kernel<boolean> {
    return (yield* READ_ONCE(head.next)) === head;
  },
  { source: "include/linux/list.h", params: ["head"], atom: true },
);
/** The entry after `pos`, or null at the end: one step of list_for_each. */
export const list_next = kernelFunction(
  "list_next",
  function* (pos: list_head, head: list_head): Kernel<list_head | null> {
    const next = yield* load(pos.next);
    return next === head ? null : next;
  },
  { source: "include/linux/list.h", params: ["pos", "head"], internal: true },
);

export class hlist_node extends Struct {
  static readonly short: string = "node";
  next = pointer(() => hlist_node);
  /** The pointer that points here: the head's `first`, or the `next` of the node before. */
  pprev = pointerToWord((addr) => linkAt(addr));
}
export class hlist_head extends Struct {
  static readonly short: string = "head";
  first = pointer(() => hlist_node);
}

/** The word at `addr` as a link of an hlist, whoever owns it. */
function linkAt(addr: number): Pointer<hlist_node> {
  return at(hlist_head, addr).first;
}

export function* INIT_HLIST_HEAD(h: hlist_head): Kernel<void> {
  yield* store(h.first, null);
}
export const INIT_HLIST_NODE = kernelFunction(
  "INIT_HLIST_NODE",
  function* (n: hlist_node): Kernel<void> {
    yield* store(n.next, null);
    yield* store(n.pprev, null);
  },
  { source: "include/linux/list.h", params: ["n"], atom: true },
);
/** The raw unlink: four accesses, in this order. */
const __hlist_del = kernelFunction(
  "__hlist_del",
  function* (n: hlist_node): Kernel<void> {
    const next = yield* load(n.next);
    const pprev = (yield* load(n.pprev)) ?? linkAt(0);
    yield* WRITE_ONCE(pprev, next);
    if (!next.isNull) yield* store(next.pprev, pprev);
  },
  { source: "include/linux/list.h", params: ["n"], atom: true },
);
export const hlist_unhashed = kernelFunction(
  "hlist_unhashed",
  function* (n: hlist_node): Kernel<boolean> {
    return (yield* load(n.pprev)) === null;
  },
  { source: "include/linux/list.h", params: ["n"], atom: true },
);
export const hlist_del = kernelFunction(
  "hlist_del",
  function* (n: hlist_node): Kernel<void> {
    yield* __hlist_del(n);
    yield* poison(n.next, LIST_POISON1);
    yield* poison(n.pprev, LIST_POISON2);
  },
  { source: "include/linux/list.h", params: ["n"], atom: true },
);
/** `next` is kept: a walker that stands on `n` can go on. */
export const hlist_del_rcu = kernelFunction(
  "hlist_del_rcu",
  function* (n: hlist_node): Kernel<void> {
    yield* __hlist_del(n);
    yield* poison(n.pprev, LIST_POISON2);
  },
  { source: "include/linux/rculist.h", params: ["n"], atom: true },
);
export const hlist_del_init = kernelFunction(
  "hlist_del_init",
  function* (n: hlist_node): Kernel<void> {
    if (yield* hlist_unhashed(n)) return;
    yield* __hlist_del(n);
    yield* store(n.next, null);
    yield* store(n.pprev, null);
  },
  { source: "include/linux/list.h", params: ["n"], atom: true },
);
/** `next` is kept, and a second call does nothing. */
export const hlist_del_init_rcu = kernelFunction(
  "hlist_del_init_rcu",
  function* (n: hlist_node): Kernel<void> {
    if (yield* hlist_unhashed(n)) return;
    yield* __hlist_del(n);
    yield* WRITE_ONCE(n.pprev, null);
  },
  { source: "include/linux/rculist.h", params: ["n"], atom: true },
);
export const hlist_add_head = kernelFunction(
  "hlist_add_head",
  function* (n: hlist_node, h: hlist_head): Kernel<void> {
    const first = yield* load(h.first);
    yield* store(n.next, first);
    if (!first.isNull) yield* store(first.pprev, at(hlist_head, n.next.addr).first);
    yield* WRITE_ONCE(h.first, n);
    yield* store(n.pprev, h.first);
  },
  { source: "include/linux/list.h", params: ["n", "h"], atom: true },
);
/** The node is complete before it is published; the old first is mended last. */
export const hlist_add_head_rcu = kernelFunction(
  "hlist_add_head_rcu",
  function* (n: hlist_node, h: hlist_head): Kernel<void> {
    const first = yield* load(h.first);
    yield* store(n.next, first);
    yield* store(n.pprev, h.first);
    yield* WRITE_ONCE(h.first, n);
    if (!first.isNull) yield* store(first.pprev, at(hlist_head, n.next.addr).first);
  },
  { source: "include/linux/rculist.h", since: "v2.6.27", params: ["n", "h"], atom: true },
);
/** As it was before 2.6.26: the old first points back to the node before anybody can find that. */
export const hlist_add_head_rcu_2_6_24 = kernelFunction(
  "hlist_add_head_rcu",
  function* (n: hlist_node, h: hlist_head): Kernel<void> {
    const first = yield* load(h.first);
    yield* store(n.next, first);
    yield* store(n.pprev, h.first);
    if (!first.isNull) yield* store(first.pprev, at(hlist_head, n.next.addr).first);
    yield* store(h.first, n);
  },
  { source: "include/linux/list.h", until: "v2.6.27", params: ["n", "h"], atom: true },
);
export const hlist_empty = kernelFunction(
  "hlist_empty",
  function* (h: hlist_head): Kernel<boolean> {
    return (yield* READ_ONCE(h.first)).isNull;
  },
  { source: "include/linux/list.h", params: ["h"], atom: true },
);
