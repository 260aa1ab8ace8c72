import { test } from "uvu";
import * as assert from "uvu/assert";
import { load } from "../../runtime/machine/access.ts";
import { kfree, kzalloc } from "../../runtime/machine/alloc.ts";
import { kernelFunction, type KernelFunction } from "../../runtime/machine/function.ts";
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
  INIT_LIST_HEAD,
  LIST_POISON1,
  LIST_POISON2,
  list_add,
  list_add_rcu,
  list_add_tail,
  list_del,
  list_del_init,
  list_del_rcu,
  list_empty,
  list_head,
  list_next,
} from "../../runtime/machine/list.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at, embed, int, Struct } from "../../runtime/machine/struct.ts";
import { brute } from "../support/brute.ts";
import { Rig } from "../support/rig.ts";

class entry extends Struct {
  id = int();
  link = embed(list_head);
  node = embed(hlist_node);
}
class owner extends Struct {
  list = embed(list_head);
  bucket = embed(hlist_head);
}

interface Scene {
  readonly rig: Rig;
  readonly o: owner;
  readonly entries: readonly [entry, entry, entry];
  /** The list forwards and backwards, by number of the entry. */
  readonly order: () => string;
  readonly chain: () => string;
}
function scene(): Scene {
  const rig = new Rig();
  const o = rig.object(owner, "o");
  const entries = [rig.object(entry, "a"), rig.object(entry, "b"), rig.object(entry, "c")] as const;
  rig.run(INIT_LIST_HEAD, o.list);
  const nameOf = (field: "link" | "node", addr: number): string =>
    ["a", "b", "c"][entries.findIndex((e) => e[field].addr === addr)] ?? "?";
  const around = (way: "next" | "prev"): string => {
    let text = "";
    for (let addr = rig.peek(o.list[way]); addr !== o.list.addr; addr = rig.peek(at(list_head, addr)[way]))
      text += nameOf("link", addr);
    return text;
  };
  const chain = (): string => {
    let text = "";
    let pprev = o.bucket.first.addr;
    for (let addr = rig.peek(o.bucket.first); addr !== 0; addr = rig.peek(at(hlist_node, addr).next)) {
      assert.is(rig.peek(at(hlist_node, addr).pprev), pprev, "pprev points at what points here");
      pprev = at(hlist_node, addr).next.addr;
      text += nameOf("node", addr);
    }
    return text;
  };
  return { rig, o, entries, order: () => `${around("next")} ${around("prev")}`, chain };
}

test("list_add is a stack, list_add_tail a queue", () => {
  const { rig, o, entries, order } = scene();
  const [a, b, c] = entries;
  assert.is(rig.run(list_empty, o.list), true);
  rig.run(list_add, a.link, o.list);
  rig.run(list_add, b.link, o.list);
  assert.is(order(), "ba ab");
  rig.run(list_add_tail, c.link, o.list);
  assert.is(order(), "bac cab");
  assert.is(rig.run(list_empty, o.list), false);
  assert.is(rig.run(list_next, a.link, o.list), c.link);
  assert.is(rig.run(list_next, c.link, o.list), null);
  rig.run(list_del_init, a.link);
  assert.is(order(), "bc cb");
  assert.is(rig.run(list_empty, a.link), true);
  rig.run(list_add_rcu, a.link, o.list);
  assert.is(order(), "abc cba");
});

test("list_del poisons, list_del_rcu leaves the way on, and touching poison is caught", () => {
  const { rig, o, entries, order } = scene();
  const [a, b] = entries;
  for (const e of [a, b]) rig.run(list_add_tail, e.link, o.list);
  rig.run(list_del_rcu, a.link);
  assert.equal([rig.peek(a.link.next), rig.peek(a.link.prev)], [b.link.addr, LIST_POISON2]);
  rig.run(list_del, b.link);
  assert.equal([rig.peek(b.link.next), rig.peek(b.link.prev)], [LIST_POISON1, LIST_POISON2]);
  assert.is(order(), " ");
  const walk = kernelFunction("walk", function* (from: list_head): Kernel<list_head> {
    return yield* load((yield* load(from.next)).next);
  });
  const late = new Rig();
  const c = late.object(entry, "c");
  late.poke(c.link.next, LIST_POISON1);
  assert.is(late.start(0, walk, c.link).go(0), "fatal");
  assert.equal(late.messages(), ["list-corruption: Read at list poison 0xdead000000100"]);
});

test("CONFIG_DEBUG_LIST: what is deleted wrongly is told in the kernel's words", () => {
  const told = (spoil: (s: Scene) => void, fn: KernelFunction<[list_head], void>): string => {
    const s = scene();
    for (const e of s.entries) s.rig.run(list_add_tail, e.link, s.o.list);
    spoil(s);
    assert.is(s.rig.start(0, fn, s.entries[1].link).go(0), "fatal");
    return s.rig.messages().join();
  };
  const [isPoison1, isPoison2, prev, next] = [
    told((s) => s.rig.run(list_del, s.entries[1].link), list_del),
    told((s) => s.rig.run(list_del_rcu, s.entries[1].link), list_del_rcu),
    told((s) => s.rig.poke(s.entries[0].link.next, s.o.list.addr), list_del),
    told((s) => s.rig.poke(s.entries[2].link.prev, s.o.list.addr), list_del),
  ];
  assert.is(isPoison1, "list-corruption: list_del corruption, entry->next is LIST_POISON1");
  assert.is(isPoison2, "list-corruption: list_del corruption, entry->prev is LIST_POISON2");
  assert.is(prev, "list-corruption: list_del corruption. prev->next should be entry");
  assert.is(next, "list-corruption: list_del corruption. next->prev should be entry");
});

test("CONFIG_DEBUG_LIST: what is added wrongly is told in the kernel's words, and nothing is written", () => {
  const told = (spoil: (s: Scene) => void): string => {
    const s = scene();
    s.rig.run(list_add, s.entries[0].link, s.o.list);
    spoil(s);
    s.rig.start(0, list_add, s.entries[1].link, s.o.list);
    const before = s.rig.hash();
    assert.is(s.rig.go(0), "fatal");
    assert.is(s.rig.hash(), before);
    return s.rig.messages().join();
  };
  assert.is(
    told((s) => s.rig.poke(s.entries[0].link.prev, s.entries[2].link.addr)),
    "list-corruption: list_add corruption. next->prev should be prev",
  );
  assert.is(
    told((s) => {
      s.rig.poke(s.o.list.next, s.entries[1].link.addr);
      s.rig.poke(s.entries[1].link.prev, s.o.list.addr);
    }),
    "list-corruption: list_add double add",
  );
  const tail = scene();
  tail.rig.run(list_add, tail.entries[0].link, tail.o.list);
  tail.rig.poke(tail.entries[0].link.next, tail.entries[2].link.addr);
  assert.is(tail.rig.start(0, list_add_tail, tail.entries[1].link, tail.o.list).go(0), "fatal");
  assert.equal(tail.rig.messages(), ["list-corruption: list_add corruption. prev->next should be next"]);
});

test("lists that nobody initialised are a NULL dereference, not an accident of ours", () => {
  for (const add of [list_add, list_add_tail, list_add_rcu]) {
    const rig = new Rig();
    const [o, e] = [rig.object(owner), rig.object(entry)];
    assert.is(rig.start(0, add, e.link, o.list).go(0), "fatal", add.name);
    assert.match(rig.messages()[0] ?? "", /^null-deref: .* through NULL$/);
  }
  const rig = new Rig();
  assert.is(rig.start(0, list_del, rig.object(entry).link).go(0), "fatal");
});

test("an entry that two CPUs add, or delete, is caught in some order", () => {
  for (const fn of [list_add, list_add_tail]) {
    const { rig, o, entries } = scene();
    for (const cpu of [0, 1]) rig.start(cpu, fn, entries[0].link, o.list);
    const { events } = brute(rig.machine, { cpus: [0, 1] });
    assert.ok(
      [...events].some((event) => event.startsWith("report list-corruption|list_add")),
      fn.name,
    );
  }
  const { rig, o, entries } = scene();
  rig.run(list_add, entries[0].link, o.list);
  for (const cpu of [0, 1]) rig.start(cpu, list_del, entries[0].link);
  const { events } = brute(rig.machine, { cpus: [0, 1] });
  assert.ok([...events].some((event) => event.includes("list_del corruption")));
});

test("an hlist keeps pprev in step, and hlist_del_init takes a second call", () => {
  const { rig, o, entries, chain } = scene();
  const [a, b, c] = entries;
  assert.is(rig.run(hlist_empty, o.bucket), true);
  rig.run(hlist_add_head, a.node, o.bucket);
  rig.run(hlist_add_head_rcu, b.node, o.bucket);
  rig.run(hlist_add_head, c.node, o.bucket);
  assert.is(chain(), "cba");
  assert.is(rig.run(hlist_unhashed, b.node), false);
  rig.run(hlist_del_init, b.node);
  assert.is(chain(), "ca");
  assert.is(rig.run(hlist_unhashed, b.node), true);
  rig.run(hlist_del_init, b.node);
  assert.is(chain(), "ca");
  rig.run(hlist_del_init_rcu, c.node);
  assert.is(rig.peek(c.node.next), a.node.addr, "a walker on it can go on");
  rig.run(hlist_del_init_rcu, c.node);
  assert.is(chain(), "a");
});

test("hlist_del poisons; no check tells, only the access that follows", () => {
  const { rig, o, entries, chain } = scene();
  const [a, b] = entries;
  rig.run(hlist_add_head, a.node, o.bucket);
  rig.run(hlist_add_head, b.node, o.bucket);
  rig.run(hlist_del_rcu, b.node);
  assert.equal([rig.peek(b.node.next), rig.peek(b.node.pprev)], [a.node.addr, LIST_POISON2]);
  assert.is(chain(), "a");
  rig.run(hlist_del, a.node);
  assert.equal([rig.peek(a.node.next), rig.peek(a.node.pprev)], [LIST_POISON1, LIST_POISON2]);
  assert.is(rig.start(0, hlist_del, a.node).go(0), "fatal");
  assert.equal(rig.messages(), ["list-corruption: Write at list poison 0xdead000000122"]);
});

test("unlinking through a neighbour that was freed is a use after free", () => {
  const allocated = kernelFunction("allocated", function* (o: owner): Kernel<entry> {
    const e = yield* kzalloc(entry);
    yield* hlist_add_head(e.node, o.bucket);
    return e;
  });
  const freed = kernelFunction("freed", function* (e: entry): Kernel<void> {
    yield* kfree(e);
  });
  const rig = new Rig();
  const o = rig.object(owner, "o");
  const first = rig.run(allocated, o);
  rig.run(allocated, o);
  rig.run(freed, rig.run(allocated, o));
  assert.is(rig.start(0, hlist_add_head, first.node, o.bucket).go(0), "fatal");
  assert.equal(rig.messages(), ["use-after-free: Write of freed memory"]);
  assert.is(rig.findings[0]?.freedBy, "freed");
});

test.run();
