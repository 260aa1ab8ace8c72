/** list_head and hlist, as scripts call them. */
import { object, returnsBoolean, returnsNothing, type Callable } from "../callable.ts";
import {
  hlist_add_head,
  hlist_add_head_rcu,
  hlist_del,
  hlist_del_init,
  hlist_del_init_rcu,
  hlist_del_rcu,
  hlist_empty,
  hlist_head,
  hlist_node,
  hlist_unhashed,
  INIT_HLIST_HEAD,
  INIT_HLIST_NODE,
  INIT_LIST_HEAD,
  list_add,
  list_add_rcu,
  list_add_tail,
  list_del,
  list_del_init,
  list_del_rcu,
  list_empty,
  list_head,
  list_move,
  list_move_tail,
} from "../machine/list.ts";
import { table } from "./table.ts";

const list = object("list", () => list_head);
const node = object("new", () => list_head);
const head = object("head", () => list_head);
const entry = object("entry", () => list_head);
const lists = [
  ...table("include/linux/list.h", [
    ["INIT_LIST_HEAD", INIT_LIST_HEAD, [list], returnsNothing, "makes an empty list"],
    ["list_add", list_add, [node, head], returnsNothing, "adds in front"],
    ["list_add_tail", list_add_tail, [node, head], returnsNothing, "adds at the end"],
    ["list_del", list_del, [entry], returnsNothing, "takes an entry out and poisons it"],
    ["list_del_init", list_del_init, [entry], returnsNothing, "takes an entry out and leaves it an empty list"],
    ["list_move", list_move, [list, head], returnsNothing, "takes an entry out of its list and adds it in front"],
    ["list_move_tail", list_move_tail, [list, head], returnsNothing, "the same, but adds it at the end"],
    ["list_empty", list_empty, [head], returnsBoolean, "whether a list has no entry"],
  ]),
  ...table("include/linux/rculist.h", [
    ["list_add_rcu", list_add_rcu, [node, head], returnsNothing, "adds in front, where readers go without a lock"],
    ["list_del_rcu", list_del_rcu, [entry], returnsNothing, "takes an entry out; readers who stand on it can go on"],
  ]),
];

const n = object("n", () => hlist_node);
const h = object("h", () => hlist_head);
const hlists = [
  ...table("include/linux/list.h", [
    ["INIT_HLIST_HEAD", INIT_HLIST_HEAD, [h], returnsNothing, "makes an empty hlist"],
    ["INIT_HLIST_NODE", INIT_HLIST_NODE, [n], returnsNothing, "makes a node that is in no hlist"],
    ["hlist_add_head", hlist_add_head, [n, h], returnsNothing, "adds in front"],
    ["hlist_del", hlist_del, [n], returnsNothing, "takes a node out and poisons it"],
    ["hlist_del_init", hlist_del_init, [n], returnsNothing, "takes a node out, if it is in; it can be added again"],
    ["hlist_empty", hlist_empty, [h], returnsBoolean, "whether an hlist has no node"],
    ["hlist_unhashed", hlist_unhashed, [n], returnsBoolean, "whether a node is in no hlist"],
  ]),
  ...table("include/linux/rculist.h", [
    ["hlist_add_head_rcu", hlist_add_head_rcu, [n, h], returnsNothing, "adds in front, where readers need no lock"],
    ["hlist_del_rcu", hlist_del_rcu, [n], returnsNothing, "takes a node out; readers who stand on it can go on"],
    ["hlist_del_init_rcu", hlist_del_init_rcu, [n], returnsNothing, "the same, if it is in"],
  ]),
];

export const listCallables: readonly Callable[] = [...lists, ...hlists];
