/**
 * struct list_head and hlist, in partial steps: under its lock nobody sees them half done, without it everybody does.
 * list_head carries CONFIG_DEBUG_LIST's checks; hlists have none, their poison speaks when it is dereferenced.
 */
import { load, store, WRITE_ONCE, READ_ONCE } from "./access.ts";
import { kernelFunction } from "./function.ts";
import { Op, primitive, step, type Kernel } from "./step.ts";
import { at, Pointer, pointer, pointerToWord, Struct } from "./struct.ts";

/** include/linux/poison.h, in as many bits as an address of ours has. */
export const LIST_POISON1 = 0xdead000000100;
export const LIST_POISON2 = 0xdead000000122;

export class list_head extends Struct {
  static readonly short: string = "list";
  next = pointer(() => list_head);
  prev = pointer(() => list_head);
}

const poison1 = at(list_head, LIST_POISON1);
const poison2 = at(list_head, LIST_POISON2);

const corruption = (message: string) => primitive("list_debug", (m) => m.fail("list-corruption", message));
function* CHECK(ok: boolean, message: string): Kernel<void> {
  if (!ok) yield* step({ op: Op.silentPrimitive, primitive: corruption(message), text: () => message });
}

export const INIT_LIST_HEAD = kernelFunction(
  "INIT_LIST_HEAD",
  function* (list: list_head): Kernel<void> {
    yield* WRITE_ONCE(list.next, list);
    yield* store(list.prev, list);
  },
  { source: "include/linux/list.h", params: ["list"], internal: true },
);

const __list_add = kernelFunction(
  "__list_add",
  function* (node: list_head, prev: list_head, next: list_head): Kernel<void> {
    const back = yield* load(next.prev);
    yield* CHECK(back === prev, "list_add corruption. next->prev should be prev.");
    const forth = yield* load(prev.next);
    yield* CHECK(forth === next, "list_add corruption. prev->next should be next.");
    yield* CHECK(node !== prev && node !== next, "list_add double add.");
    yield* store(next.prev, node);
    yield* store(node.next, next);
    yield* store(node.prev, prev);
    yield* WRITE_ONCE(prev.next, node);
  },
  { source: "include/linux/list.h", params: ["new", "prev", "next"], internal: true },
);
/** Adds after `head`: a stack. */
export const list_add = kernelFunction(
  "list_add",
  function* (node: list_head, head: list_head): Kernel<void> {
    const next = yield* load(head.next);
    yield* __list_add(node, head, next);
  },
  { source: "include/linux/list.h", params: ["new", "head"], internal: true },
);
/** Adds before `head`: a queue. */
export const list_add_tail = kernelFunction(
  "list_add_tail",
  function* (node: list_head, head: list_head): Kernel<void> {
    const prev = yield* load(head.prev);
    yield* __list_add(node, prev, head);
  },
  { source: "include/linux/list.h", params: ["new", "head"], internal: true },
);

const __list_del_entry = kernelFunction(
  "__list_del_entry",
  function* (entry: list_head): Kernel<void> {
    const next = yield* load(entry.next);
    const prev = yield* load(entry.prev);
    yield* CHECK(next !== poison1, "list_del corruption, entry->next is LIST_POISON1");
    yield* CHECK(prev !== poison2, "list_del corruption, entry->prev is LIST_POISON2");
    const forth = yield* load(prev.next);
    yield* CHECK(forth === entry, "list_del corruption. prev->next should be entry.");
    const back = yield* load(next.prev);
    yield* CHECK(back === entry, "list_del corruption. next->prev should be entry.");
    yield* store(next.prev, prev);
    yield* WRITE_ONCE(prev.next, next);
  },
  { source: "include/linux/list.h", params: ["entry"], internal: true },
);
/** Takes `entry` out and poisons it: a second list_del is caught. */
export const list_del = kernelFunction(
  "list_del",
  function* (entry: list_head): Kernel<void> {
    yield* __list_del_entry(entry);
    yield* store(entry.next, poison1);
    yield* store(entry.prev, poison2);
  },
  { source: "include/linux/list.h", params: ["entry"], internal: true },
);
/** Takes `entry` out and leaves it an empty list. */
export const list_del_init = kernelFunction(
  "list_del_init",
  function* (entry: list_head): Kernel<void> {
    yield* __list_del_entry(entry);
    yield* INIT_LIST_HEAD(entry);
  },
  { source: "include/linux/list.h", params: ["entry"], internal: true },
);
/** Takes `entry` out; `next` stays, so that a reader who stands on it can go on. */
export const list_del_rcu = kernelFunction(
  "list_del_rcu",
  function* (entry: list_head): Kernel<void> {
    yield* __list_del_entry(entry);
    yield* store(entry.prev, poison2);
  },
  { source: "include/linux/rculist.h", params: ["entry"], internal: true },
);
/** Adds after `head`; the pointer that publishes it is written before the one behind it is mended. */
export const list_add_rcu = kernelFunction(
  "list_add_rcu",
  function* (node: list_head, head: list_head): Kernel<void> {
    const next = yield* load(head.next);
    yield* store(node.next, next);
    yield* store(node.prev, head);
    yield* WRITE_ONCE(head.next, node);
    yield* store(next.prev, node);
  },
  { source: "include/linux/rculist.h", params: ["new", "head"], internal: true },
);
export const list_empty = kernelFunction(
  "list_empty",
  function* (head: list_head): Kernel<boolean> {
    return (yield* READ_ONCE(head.next)) === head;
  },
  { source: "include/linux/list.h", params: ["head"], internal: true },
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
const pprevPoison = linkAt(LIST_POISON2);
const nextPoison = at(hlist_node, LIST_POISON1);

/** The raw unlink: four accesses, in this order. */
const __hlist_del = kernelFunction(
  "__hlist_del",
  function* (n: hlist_node): Kernel<void> {
    const next = yield* load(n.next);
    const pprev = (yield* load(n.pprev)) ?? linkAt(0);
    yield* WRITE_ONCE(pprev, next);
    if (!next.isNull) yield* store(next.pprev, pprev);
  },
  { source: "include/linux/list.h", params: ["n"], internal: true },
);
export const hlist_unhashed = kernelFunction(
  "hlist_unhashed",
  function* (n: hlist_node): Kernel<boolean> {
    return (yield* load(n.pprev)) === null;
  },
  { source: "include/linux/list.h", params: ["n"], internal: true },
);
export const hlist_del = kernelFunction(
  "hlist_del",
  function* (n: hlist_node): Kernel<void> {
    yield* __hlist_del(n);
    yield* store(n.next, nextPoison);
    yield* store(n.pprev, pprevPoison);
  },
  { source: "include/linux/list.h", params: ["n"], internal: true },
);
/** `next` is kept: a walker that stands on `n` can go on. */
export const hlist_del_rcu = kernelFunction(
  "hlist_del_rcu",
  function* (n: hlist_node): Kernel<void> {
    yield* __hlist_del(n);
    yield* store(n.pprev, pprevPoison);
  },
  { source: "include/linux/rculist.h", params: ["n"], internal: true },
);
export const hlist_del_init = kernelFunction(
  "hlist_del_init",
  function* (n: hlist_node): Kernel<void> {
    if (yield* hlist_unhashed(n)) return;
    yield* __hlist_del(n);
    yield* store(n.next, null);
    yield* store(n.pprev, null);
  },
  { source: "include/linux/list.h", params: ["n"], internal: true },
);
/** `next` is kept, and a second call does nothing. */
export const hlist_del_init_rcu = kernelFunction(
  "hlist_del_init_rcu",
  function* (n: hlist_node): Kernel<void> {
    if (yield* hlist_unhashed(n)) return;
    yield* __hlist_del(n);
    yield* WRITE_ONCE(n.pprev, null);
  },
  { source: "include/linux/rculist.h", params: ["n"], internal: true },
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
  { source: "include/linux/list.h", params: ["n", "h"], internal: true },
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
  { source: "include/linux/rculist.h", params: ["n", "h"], internal: true },
);
export const hlist_empty = kernelFunction(
  "hlist_empty",
  function* (h: hlist_head): Kernel<boolean> {
    return (yield* READ_ONCE(h.first)).isNull;
  },
  { source: "include/linux/list.h", params: ["h"], internal: true },
);
