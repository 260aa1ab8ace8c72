/**
 * Each invariant of notifiers catches a mutation of the kernel, or of a driver, that nothing else catches.
 *
 * Three of them are what the machine says itself: I8 is its report of a stale translation, I10 that of sleeping in
 * atomic context, I12 lockdep's circle with the map of invalidations. There the report is what only the mutation
 * brings about, and O7, which passes on whatever lockdep says, is the one other rule that may repeat it. I7 has two
 * halves: what is counted here, and the BUG of the last mmdrop().
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { store } from "../../runtime/machine/access.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { mutex_lock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import { Op, primitive, step, type Kernel } from "../../runtime/machine/step.ts";
import { container_of, embed, mutex, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { device, device_read, device_unmap } from "../../runtime/drivers/device.ts";
import { user_store } from "../../runtime/mm/fault.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { FOLL_WRITE, get_user_pages_unlocked } from "../../runtime/mm/gup.ts";
import { type mm_struct, VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import {
  mmu_interval_notifier_insert,
  mmu_interval_notifier_remove,
  mmu_interval_read_begin,
  mmu_interval_read_retry,
  mmu_interval_set_seq,
} from "../../runtime/mm/mmu_interval_notifier.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_invalidate_range_start_nonblock,
} from "../../runtime/mm/mmu_notifier.ts";
import { mmu_notifier_register, mmu_notifier_unregister } from "../../runtime/mm/mmu_notifier_register.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  type mmu_notifier_range,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { cpuPte } from "../../runtime/mm/tlb.ts";
import { insert } from "../../runtime/mm/translations.ts";
import { invariants, type OracleName } from "../support/oracles.ts";
import { equip, gpu, gpu_fault, gpu_ops, invalidate, kvm_ops, npu_ops, range } from "./gpus.ts";
import { checkBodies, World } from "./world.ts";

const A = 0x1000;

// ---- drivers

/** Takes the gpu out of service. */
const gpu_stop = kernelFunction(
  "gpu_stop",
  function* (g: gpu): Kernel<void> {
    yield* mutex_lock(g.lock);
    yield* store(g.spte, null);
    yield* mutex_unlock(g.lock);
    yield* mmu_interval_notifier_remove(g.sub);
  },
  { params: ["g"] },
);

/** Its device has pages of the process itself. */
class vga_card extends Struct {
  sub = embed(mmu_interval_notifier);
  lock = mutex();
}
const vga = staticObject(device, "vga");
const vga_ops = staticObject(mmu_interval_notifier_ops, "vga_ops");
const vga_invalidate = kernelFunction(
  "vga_invalidate",
  function* (sub: mmu_interval_notifier, [, start, end]: mmu_notifier_range, cur_seq: number): Kernel<boolean> {
    const card = container_of(sub, vga_card, "sub");
    yield* mutex_lock(card.lock);
    yield* mmu_interval_set_seq(sub, cur_seq);
    yield* device_unmap(vga, start, end);
    yield* mutex_unlock(card.lock);
    return true;
  },
  { params: ["sub", "range", "cur_seq"] },
);
const look = primitive("pte", (m, mm = 0, addr = 0) => cpuPte((word) => m.peek(word), mm, addr));
const enter = primitive("vga_map", (m, mm = 0, addr = 0, entry = 0) => (insert(m, vga.addr, addr, entry, mm) ? 1 : 0));
const vga_fault = kernelFunction(
  "vga_fault",
  function* (card: vga_card, mm: mm_struct, addr: number): Kernel<void> {
    const seq = yield* mmu_interval_read_begin(card.sub);
    const entry = yield* step<number>({
      ...{ op: Op.primitive, addr: vga.addr, primitive: look, args: [mm.addr, addr], text: () => "pte" },
    });
    if (entry !== 0) yield* vga_map(card, mm, addr, entry, seq);
  },
  { params: ["card", "mm", "addr"] },
);
const vga_map = kernelFunction(
  "vga_map",
  function* (card: vga_card, mm: mm_struct, addr: number, entry: number, seq: number): Kernel<void> {
    yield* mutex_lock(card.lock);
    const args = [mm.addr, addr, entry];
    if (!(yield* mmu_interval_read_retry(card.sub, seq)))
      yield* step({ op: Op.primitive, addr: vga.addr, primitive: enter, args, text: () => "vga_map" });
    yield* mutex_unlock(card.lock);
  },
  { params: ["card", "mm", "addr", "entry", "seq"] },
);

// ---- what happens

function inserted(world: World, start = A): gpu {
  const g = world.object(gpu);
  assert.is(world.run(mmu_interval_notifier_insert, g.sub, world.mm, start, 0x1000, gpu_ops), 0);
  return g;
}
function registered(world: World, ops = kvm_ops): gpu {
  const g = world.object(gpu);
  world.poke(g.mn.ops, ops.addr);
  assert.is(world.run(mmu_notifier_register, g.mn, world.mm), 0);
  return g;
}
function inEveryOrder(world: World, actors: readonly number[]): string[] {
  const { findings, deadlocks } = world.explore(actors);
  return [...[...findings.values()].map(({ kind }) => kind), ...(deadlocks > 0 ? ["deadlock"] : [])];
}
const start = (world: World): void => world.run(mmu_notifier_invalidate_range_start, range(world));
const end = (world: World): void => world.run(mmu_notifier_invalidate_range_end, range(world));

interface Case {
  readonly oracle: OracleName;
  readonly mutations: readonly Mutation[];
  /** What happens; the kinds of what searches in it have found. */
  readonly scene: (world: World) => readonly string[] | void;
  /** The report that the rule passes on, and who else does. */
  readonly report?: string;
  readonly also?: readonly OracleName[];
}
const CASES: readonly Case[] = [
  {
    oracle: "I1",
    mutations: [{ in: "mn_itree_inv_end", drop: "--subscriptions->active_invalidate_ranges", result: 0 }],
    scene(world) {
      inserted(world);
      start(world);
      end(world);
    },
  },
  {
    oracle: "I2", // nobody waits
    mutations: [{ in: "mn_itree_inv_end", drop: "subscriptions->invalidate_seq =" }],
    scene(world) {
      inserted(world);
      start(world);
      end(world);
    },
  },
  {
    oracle: "I3", // who walks the tree is through
    mutations: [{ in: "mmu_interval_notifier_remove", drop: "subscriptions->invalidate_seq", result: 2 }],
    scene(world) {
      const g = inserted(world);
      start(world);
      world.start(1, mmu_interval_notifier_remove, g.sub);
      world.start(0, mmu_notifier_invalidate_range_end, range(world));
      return inEveryOrder(world, [0, 1]);
    },
  },
  {
    oracle: "I4",
    mutations: [{ in: "__mmu_interval_notifier_insert", drop: "interval_sub->invalidate_seq =" }],
    scene: (world) => void inserted(world),
  },
  {
    oracle: "I5", // the next invalidation would trip over it
    mutations: [{ in: "mn_itree_inv_end", drop: "hlist_del" }],
    scene(world) {
      inserted(world);
      start(world);
      inserted(world, 0x5000);
      end(world);
    },
  },
  {
    oracle: "I6", // nobody frees it
    mutations: [{ in: "mmu_notifier_unregister", drop: "synchronize_srcu" }],
    scene(world) {
      const g = registered(world);
      world.start(0, invalidate, range(world));
      world.start(1, mmu_notifier_unregister, g.mn, world.mm);
      return inEveryOrder(world, [0, 1]);
    },
  },
  {
    oracle: "I7", // the mm lives for ever
    mutations: [{ in: "mmu_notifier_unregister", drop: "mmdrop" }],
    scene(world) {
      const g = registered(world);
      world.run(mmu_notifier_unregister, g.mn, world.mm);
    },
  },
  {
    oracle: "I8", // somebody else has the page, too: it is not freed
    mutations: [{ in: "vga_map", drop: "mmu_interval_read_retry", result: false }],
    report: "stale-translation",
    scene(world) {
      world.poke(vga_ops.invalidate, vga_invalidate.id);
      world.run(vm_mmap_pgoff, world.mm, A, 0x3000, VM_READ | VM_WRITE);
      world.runOn(1, user_store, world.mm, A, 1);
      world.run(get_user_pages_unlocked, world.mm, A, FOLL_WRITE);
      const card = world.object(vga_card);
      world.run(mmu_interval_notifier_insert, card.sub, world.mm, A, 0x1000, vga_ops);
      world.start(1, vga_fault, card, world.mm, A);
      world.until(1, "vga_map");
      world.run(vm_munmap, world.mm, A, 0x3000);
      world.finish(1);
      world.start(1, device_read, vga, A);
      return inEveryOrder(world, [1]);
    },
  },
  {
    oracle: "I9", // a device that counts never maps anything again
    mutations: [{ in: "mn_hlist_invalidate_end", drop: "mn_hlist_invalidate_end" }],
    scene(world) {
      registered(world);
      start(world);
      end(world);
    },
  },
  {
    oracle: "I10", // nobody holds the lock
    mutations: [{ in: "npu_start", drop: "mmu_notifier_range_blockable", result: true }],
    report: "sleep-in-atomic",
    also: ["O7"],
    scene(world) {
      registered(world, npu_ops);
      assert.is(world.run(mmu_notifier_invalidate_range_start_nonblock, range(world)), 0);
      end(world);
    },
  },
  {
    oracle: "I11", // nobody faults at the same time
    mutations: [{ in: "gpu_invalidate", swap: ["mutex_lock", "mmu_interval_set_seq"] }],
    scene(world) {
      const g = inserted(world);
      start(world);
      end(world);
      world.run(gpu_fault, g);
    },
  },
  {
    oracle: "I12", // one after the other
    mutations: [{ in: "gpu_stop", swap: ["mutex_unlock", "mmu_interval_notifier_remove"] }],
    report: "lockdep",
    also: ["O7"],
    scene(world) {
      const g = inserted(world);
      start(world);
      end(world);
      world.run(gpu_stop, g);
    },
  },
];

function judge({ scene }: Case, mutations: readonly Mutation[]): { breaches: string[]; found: string[] } {
  const world = equip(new World([], mutations, "v5.6"));
  world.oracles = "keep";
  const searched = scene(world) ?? [];
  checkBodies(world);
  return {
    breaches: [...world.violations].map(([oracle, what]) => `${oracle}: ${what}`),
    found: [...searched, ...world.findings.map(({ kind }) => kind)],
  };
}
for (const one of CASES)
  test(`${one.oracle} is silent about the kernel, and alone in what it says of a mutation`, () => {
    assert.equal(judge(one, []), { breaches: [], found: [] });
    const { breaches, found } = judge(one, one.mutations);
    assert.equal(
      breaches.map((breach) => breach.split(":")[0]).sort(),
      [one.oracle, ...(one.also ?? [])].sort(),
      breaches.join("; "),
    );
    assert.equal(found, one.report === undefined ? [] : [one.report]);
  });

test("I7: an mm that is freed with a notifier on its list is a BUG", () => {
  const world = equip(
    new World(
      [],
      [
        { in: "mmu_notifier_unregister", drop: "mmu_notifier_unregister" },
        { in: "mn_hlist_release", drop: "mn_hlist_release" },
      ],
      "v5.6",
    ),
  );
  world.oracles = "keep";
  const g = registered(world);
  world.run(mmput, world.mm);
  world.start(0, mmu_notifier_unregister, g.mn, world.mm);
  assert.equal(inEveryOrder(world, [0]), ["bug"]);
  assert.equal([...world.violations.keys()], ["I7"]);
});

test("what they remember is taken back with the steps", () => {
  const world = equip(new World([], [], "v5.6"));
  world.oracles = "keep";
  const [g, kvm] = [inserted(world), registered(world)];
  const before = world.machine.mark();
  world.run(mmu_interval_notifier_remove, g.sub);
  world.run(mmu_notifier_unregister, kvm.mn, world.mm);
  world.machine.undoTo(before);
  start(world);
  const between = world.machine.mark();
  end(world);
  world.machine.undoTo(between);
  end(world);
  assert.equal([...world.violations], []);
  end(world); // which is one too many
  assert.ok(world.violations.has("I1") && world.violations.has("I9"));
});

test("there is a mutation for each", () => {
  assert.equal(
    CASES.map(({ oracle }) => oracle),
    invariants().map(({ name }) => name),
  );
});

test.run();
