/**
 * What the rules ask of kernels that do as 5.6 does not: the drafts, where nobody waits and one call tells when all is
 * over; those that tell page by page; and "make interval notifier updates safe", where release() says who is gone. Each
 * form of a rule is alone in what it says of a mutation.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Era } from "../../runtime/machine/era.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { Op, primitive, step, type Kernel } from "../../runtime/machine/step.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { device, device_unmap } from "../../runtime/drivers/device.ts";
import { dup_mm } from "../../runtime/mm/dup_mmap.ts";
import { user_store } from "../../runtime/mm/fault.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { type mm_struct, VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { vm_mmap_pgoff } from "../../runtime/mm/mmap.ts";
import { mmu_interval_notifier_insert, mmu_interval_notifier_remove } from "../../runtime/mm/mmu_interval_notifier.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "../../runtime/mm/mmu_notifier.ts";
import { mmu_notifier_register, mmu_notifier_unregister } from "../../runtime/mm/mmu_notifier_register.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  mmu_notifier,
  mmu_notifier_ops,
  type mmu_notifier_range,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { vm_mprotect } from "../../runtime/mm/mprotect.ts";
import { cpuPte } from "../../runtime/mm/tlb.ts";
import { insert } from "../../runtime/mm/translations.ts";
import { reclaim_pages } from "../../runtime/mm/vmscan.ts";
import type { OracleName } from "../support/oracles.ts";
import { invalidate, range } from "./gpus.ts";
import { checkBodies, World } from "./world.ts";

const test = suite("rules in other kernels");

const A = 0x1000;
const RW = VM_READ | VM_WRITE;

// ---- a driver with a notifier of the list

const ops = staticObject(mmu_notifier_ops, "vga_ops");
const vga = staticObject(device, "vga");
const vga_range = kernelFunction(
  "vga_range",
  function* (_mn: mmu_notifier, _mm: mm_struct, start: number, end: number): Kernel<void> {
    yield* device_unmap(vga, start, end);
  },
  { params: ["mn", "mm", "start", "end"] },
);
const vga_page = kernelFunction(
  "vga_page",
  function* (_mn: mmu_notifier, _mm: mm_struct, address: number): Kernel<void> {
    yield* device_unmap(vga, address, address + A);
  },
  { params: ["mn", "mm", "address"] },
);
const mapNow = primitive("vga_map", (m, mm = 0, addr = 0) => {
  const entry = cpuPte((word) => m.peek(word), mm, addr);
  return insert(m, vga.addr, addr, entry, mm) ? 1 : 0;
});
const vga_map = kernelFunction(
  "vga_map",
  function* (mm: mm_struct, addr: number): Kernel<void> {
    yield* step({ op: Op.primitive, addr: vga.addr, primitive: mapNow, args: [mm.addr, addr], text: () => "vga_map" });
  },
  { params: ["mm", "addr"] },
);
function registered(world: World): mmu_notifier {
  world.poke(ops.invalidate_range, vga_range.id);
  world.poke(ops.invalidate_page, vga_page.id);
  const mn = world.object(mmu_notifier);
  world.poke(mn.ops, ops.addr);
  assert.is(world.run(mmu_notifier_register, mn, world.mm), 0);
  return mn;
}
function onePage(world: World): void {
  world.run(vm_mmap_pgoff, world.mm, A, 2 * A, RW);
  world.runOn(1, user_store, world.mm, A, 1);
}

// ---- one with an interval notifier that is released

const npu_ops = staticObject(mmu_interval_notifier_ops, "npu_ops");
const npu_invalidate = kernelFunction(
  "npu_invalidate",
  function* (_sub: mmu_interval_notifier, _range: mmu_notifier_range, _cur_seq: number): Kernel<boolean> {
    return true;
  },
  { params: ["sub", "range", "cur_seq"] },
);
const npu_leave = kernelFunction(
  "npu_leave",
  function* (sub: mmu_interval_notifier, _range: mmu_notifier_range, _cur_seq: number): Kernel<boolean> {
    yield* mmu_interval_notifier_remove(sub);
    return true;
  },
  { params: ["sub", "range", "cur_seq"] },
);
const npu_release = kernelFunction("npu_release", function* (_sub: mmu_interval_notifier): Kernel<void> {}, {
  params: ["sub"],
});
function inserted(world: World, callback: typeof npu_leave): mmu_interval_notifier {
  world.poke(npu_ops.invalidate, callback.id);
  world.poke(npu_ops.release, npu_release.id);
  const sub = world.object(mmu_interval_notifier);
  assert.is(world.run(mmu_interval_notifier_insert, sub, world.mm, A, A, npu_ops), 0);
  return sub;
}
function invalidated(world: World): void {
  world.run(mmu_notifier_invalidate_range_start, range(world));
  world.run(mmu_notifier_invalidate_range_end, range(world));
}
function leavesInCallback(world: World): void {
  inserted(world, npu_leave);
  invalidated(world);
}
/** From outside, with nothing under way. */
function leaves(world: World): void {
  const sub = inserted(world, npu_invalidate);
  world.run(mmu_interval_notifier_remove, sub);
  invalidated(world);
}

// ---- what is tried

interface Case {
  readonly what: string;
  readonly oracle: OracleName;
  readonly era: Era;
  readonly kernel?: readonly string[];
  readonly scene: (world: World) => void;
  readonly mutations: readonly Mutation[];
}
const SAFE = { era: "v5.5", kernel: ["interval-updates-safe"] } as const;
const reclaims = (world: World): void => {
  onePage(world);
  world.run(reclaim_pages, world.mm, A, 2 * A);
};
const copies = (world: World): void => {
  onePage(world);
  registered(world);
  world.run(dup_mm, world.mm);
  world.run(vga_map, world.mm, A);
  world.run(user_store, world.mm, A, 2);
};
const CASES: readonly Case[] = [
  {
    ...{ what: "removed in invalidate(), and forgotten", oracle: "I6", ...SAFE, scene: leavesInCallback },
    mutations: [{ in: "mn_itree_inv_end", drop: "hlist_add_head" }],
  },
  {
    ...{ what: "released before it was taken out of the tree", oracle: "I6", ...SAFE, scene: leaves },
    mutations: [{ in: "mmu_interval_notifier_remove", drop: "mmu_interval_notifier_remove", result: 0 }],
  },
  {
    ...{ what: "released from under its own callback", oracle: "I6", ...SAFE, scene: leavesInCallback },
    mutations: [{ in: "mmu_interval_notifier_remove", drop: "mmu_interval_notifier_remove", result: 0 }],
  },
  {
    ...{ what: "the end of an invalidation keeps the reference", oracle: "I7", ...SAFE, scene: leavesInCallback },
    mutations: [{ in: "mn_itree_inv_end", drop: "mmdrop" }],
  },
  {
    ...{ what: "unregistered, and told of an invalidation that comes later", oracle: "I6", era: "mmu-notifier-v3" },
    kernel: ["mmu-notifier-spinlock"],
    mutations: [{ in: "mmu_notifier_unregister", drop: "hlist_del_rcu" }],
    scene(world) {
      const mn = registered(world);
      world.start(1, invalidate, range(world));
      world.until(1, "vga_range"); // whom it has found already it may go on with
      world.run(mmu_notifier_unregister, mn, world.mm);
      world.finish(1);
      world.run(invalidate, range(world));
    },
  },
  {
    ...{ what: "drafts: the call at the end leaves a page with the device", oracle: "O3", era: "mmu-notifier-v3" },
    mutations: [{ in: "vga_range", drop: "device_unmap" }],
    scene(world) {
      onePage(world);
      registered(world);
      world.run(vga_map, world.mm, A);
      world.run(vm_mprotect, world.mm, A, 2 * A, VM_READ);
    },
  },
  {
    ...{ what: "drafts: the process dies, and nobody is told", oracle: "O4", era: "mmu-notifier-v3" },
    mutations: [{ in: "exit_mmap", drop: "mmu_notifier_release" }],
    scene(world) {
      onePage(world);
      world.run(mmput, world.mm);
    },
  },
  {
    ...{ what: "page by page: the device keeps what was copied", oracle: "O3", era: "v3.6", scene: copies },
    mutations: [{ in: "vga_page", drop: "device_unmap" }],
  },
  ...(["v2.6.27", "v3.6", "v3.8", "v3.10"] as const).map((era): Case => {
    const mutations = [{ in: "try_to_unmap_one", drop: "mmu_notifier_invalidate_page" }];
    return { what: "page by page: reclaim tells nobody", oracle: "O4", era, scene: reclaims, mutations };
  }),
];

function judge({ era, kernel = [], scene }: Case, mutations: readonly Mutation[]): string[] {
  const world = new World(kernel, mutations, era);
  world.oracles = "keep";
  scene(world);
  checkBodies(world);
  return [...world.violations.keys(), ...world.findings.map(({ kind, message }) => `${kind}: ${message}`)];
}
for (const one of CASES)
  test(`${one.oracle} in ${[one.era, ...(one.kernel ?? [])].join(" + ")}: ${one.what}`, () => {
    assert.equal(judge(one, []), []);
    assert.equal(judge(one, one.mutations), [one.oracle]);
  });

test.run();
