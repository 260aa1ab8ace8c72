/** Each invariant of the model catches a mutation of the kernel that nothing else catches. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { storePrivate } from "../../runtime/machine/access.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { Moved } from "../../runtime/machine/machine.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { Op, primitive, step, type Kernel } from "../../runtime/machine/step.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { device, device_unmap } from "../../runtime/drivers/device.ts";
import { dup_mm } from "../../runtime/mm/dup_mmap.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { FOLL_WRITE, get_user_pages_unlocked, internal_get_user_pages_fast } from "../../runtime/mm/gup.ts";
import { clean_record_shared_mapping_range } from "../../runtime/mm/mapping_dirty_helpers.ts";
import { do_mincore } from "../../runtime/mm/mincore.ts";
import { address_space, type mm_struct, VM_HUGEPAGE, VM_READ, VM_SHARED, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { mmap_file, vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { mmu_notifier_register } from "../../runtime/mm/mmu_notifier_register.ts";
import { mmu_notifier, mmu_notifier_ops, type mmu_notifier_range } from "../../runtime/mm/mmu_notifier_types.ts";
import { vm_mprotect } from "../../runtime/mm/mprotect.ts";
import { allocate, initList } from "../../runtime/mm/page_alloc.ts";
import { dax_memory, PMD_SIZE, pte_page, PUD_SIZE } from "../../runtime/mm/pgtable.ts";
import { cpuPte } from "../../runtime/mm/tlb.ts";
import { insert } from "../../runtime/mm/translations.ts";
import { oracles, type OracleName } from "../support/oracles.ts";
import { pteOf } from "./watch.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const A = 0x1000;

// ---- what they are shown

function onePage(world: World, flags = RW): void {
  world.run(vm_mmap_pgoff, world.mm, A, 0x3000, flags);
  world.runOn(1, user_store, world.mm, A, 1);
}

const open_dax = kernelFunction(
  "open_dax",
  function* (file: address_space): Kernel<void> {
    yield* initList(file.i_mmap);
    yield* storePrivate(file.dax, true);
    yield* storePrivate(file.i_size, PUD_SIZE);
    yield* storePrivate(file.memory, yield* allocate(dax_memory, "devm_memremap_pages()"));
  },
  { params: ["file"] },
);
/** The memory of a DAX device, mapped by one entry. */
function dax(world: World): address_space {
  const file = world.object(address_space);
  world.run(open_dax, file);
  world.run(mmap_file, world.mm, PUD_SIZE, 2 * PUD_SIZE, RW | VM_SHARED | VM_HUGEPAGE, file, 0);
  world.run(user_store, world.mm, PUD_SIZE, 1);
  return file;
}

// ---- a driver that does as it should

const ops = staticObject(mmu_notifier_ops, "vga_ops");
const vga = staticObject(device, "vga");
const vga_invalidate = kernelFunction(
  "vga_invalidate",
  function* (_mn: mmu_notifier, [, start, end]: mmu_notifier_range): Kernel<number> {
    yield* device_unmap(vga, start, end);
    return 0;
  },
  { params: ["mn", "range"] },
);
const mapNow = primitive("vga_map", (m, mm = 0, addr = 0) => {
  const look = (word: number): number => m.peek(word);
  return insert(m, vga.addr, addr, cpuPte(look, mm, addr), mm) ? 1 : 0;
});
const vga_map = kernelFunction(
  "vga_map",
  function* (mm: mm_struct, addr: number): Kernel<void> {
    yield* step({ op: Op.primitive, addr: vga.addr, primitive: mapNow, args: [mm.addr, addr], text: () => "vga_map" });
  },
  { params: ["mm", "addr"] },
);

// ---- one mutation for each

interface Case {
  readonly oracle: OracleName;
  readonly kernel?: readonly string[];
  readonly mutations: readonly Mutation[];
  /** What happens; the kinds of what the searches in it have found. */
  readonly scene: (world: World) => string[];
}
const alone = (scene: (world: World) => void): Case["scene"] => {
  return (world) => {
    scene(world);
    return [];
  };
};
function inEveryOrder(world: World, actors: readonly number[]): string[] {
  const { findings, deadlocks } = world.explore(actors);
  return [...[...findings.values()].map(({ kind }) => kind), ...(deadlocks > 0 ? ["deadlock"] : [])];
}

const CASES: readonly Case[] = [
  {
    oracle: "O1", // the leaf is split, and what is left is an empty entry
    mutations: [{ in: "walk_pud_range", drop: "pud_none", result: false }],
    scene: (world) => {
      dax(world);
      world.start(0, do_mincore, world.mm, PUD_SIZE, PUD_SIZE + A);
      return inEveryOrder(world, [0]).filter((kind) => kind !== "bug"); // that is how the model says it
    },
  },
  {
    oracle: "O2", // nobody uses the translation that was forgotten
    mutations: [{ in: "tlb_flush_mmu_tlbonly", drop: "flush_tlb_range" }],
    scene: alone((world) => {
      onePage(world);
      world.run(vm_munmap, world.mm, A, 0x3000);
    }),
  },
  {
    oracle: "O3", // the page stays what it was, and the device only reads
    mutations: [{ in: "vga_invalidate", drop: "device_unmap" }],
    scene: alone((world) => {
      onePage(world);
      const mn = world.object(mmu_notifier);
      world.poke(ops.invalidate_range_start, vga_invalidate.id);
      world.poke(mn.ops, ops.addr);
      world.run(mmu_notifier_register, mn, world.mm);
      world.run(vga_map, world.mm, A);
      world.run(vm_mprotect, world.mm, A, 0x3000, VM_READ);
    }),
  },
  {
    oracle: "O4", // there is no notifier to miss it
    mutations: [{ in: "unmap_vmas", drop: "mmu_notifier_invalidate_range_start" }],
    scene: (world) => {
      onePage(world);
      world.start(0, vm_munmap, world.mm, A, 0x3000);
      world.start(1, user_store, world.mm, A, 2);
      return inEveryOrder(world, [0, 1]);
    },
  },
  {
    oracle: "O5", // who has found the table has not looked into it yet
    mutations: [{ in: "tlb_flush_mmu_tlbonly", drop: "flush_tlb_range" }],
    scene: alone((world) => {
      world.run(vm_mmap_pgoff, world.mm, A, 0x3000, RW);
      world.run(get_user_pages_unlocked, world.mm, A, FOLL_WRITE); // no TLB has the page, and it has one more user
      world.start(1, internal_get_user_pages_fast, world.mm, A, FOLL_WRITE);
      world.until(1, "gup_pte_range");
      world.start(0, vm_munmap, world.mm, A, 0x3000);
      while (!world.machine.isFinished(0)) if (!canStep(world, 0)) return;
    }),
  },
  {
    oracle: "O6",
    kernel: ["pagewalk-pud-snapshot"],
    mutations: [{ in: "walk_pud_range", drop: "split_huge_pud" }],
    scene: (world) => {
      dax(world);
      world.start(0, do_mincore, world.mm, PUD_SIZE, PUD_SIZE + A);
      return inEveryOrder(world, [0]);
    },
  },
  {
    oracle: "O7",
    mutations: [{ in: "__vm_munmap", drop: "up_read" }],
    scene: (world) => {
      onePage(world);
      world.start(0, vm_munmap, world.mm, A, 0x3000);
      return inEveryOrder(world, [0]);
    },
  },
  {
    oracle: "O8",
    mutations: [{ in: "tlb_finish_mmu", drop: "atomic_dec(&mm->tlb_flush_pending" }],
    scene: alone((world) => {
      onePage(world);
      world.run(vm_munmap, world.mm, A, 0x2000);
      world.run(mmput, world.mm);
    }),
  },
  {
    oracle: "O9", // the page has been written out since it was made dirty, and is now to be written out again
    mutations: [{ in: "zap_pte_range", drop: "set_page_dirty" }],
    scene: (world) => {
      onePage(world, RW | VM_SHARED);
      world.poke(pte_page(pteOf(world, A)).flags, 0);
      world.start(0, vm_munmap, world.mm, A, 0x2000);
      return inEveryOrder(world, [0]);
    },
  },
  {
    oracle: "O10",
    mutations: [{ in: "copy_one_pte", drop: "ptep_set_wrprotect" }],
    scene: (world) => {
      onePage(world);
      world.start(0, dup_mm, world.mm);
      world.start(1, user_load, world.mm, A);
      return inEveryOrder(world, [0, 1]);
    },
  },
  {
    oracle: "O11", // it is cleared, and was clear
    mutations: [
      { in: "pmd_none_or_clear_bad", drop: "pmd_none", result: false },
      { in: "pmd_none_or_clear_bad", drop: "pmd_clear_bad" },
    ],
    scene: alone((world) => {
      world.run(vm_mmap_pgoff, world.mm, PMD_SIZE, 3 * PMD_SIZE, RW | VM_HUGEPAGE);
      world.run(vm_mmap_pgoff, world.mm, 3 * PMD_SIZE, 3 * PMD_SIZE + A, RW);
      world.run(user_store, world.mm, PMD_SIZE, 1);
      world.run(user_store, world.mm, 3 * PMD_SIZE, 1);
      world.run(dup_mm, world.mm);
    }),
  },
];
/** Takes a step unless it has to wait. */
function canStep(world: World, actor: number): boolean {
  return world.step(actor) !== Moved.blocked;
}

function judge({ kernel = [], scene }: Case, mutations: readonly Mutation[]): { breaches: string[]; found: string[] } {
  const world = new World(kernel, mutations, "v5.6");
  world.oracles = "keep";
  const found = [...scene(world), ...world.findings.map(({ kind, message }) => `${kind}: ${message}`)];
  checkBodies(world);
  return { breaches: [...world.violations].map(([oracle, what]) => `${oracle}: ${what}`), found };
}

for (const one of CASES)
  test(`${one.oracle} is silent about the kernel, and alone in what it says of a mutation`, () => {
    assert.equal(judge(one, []), { breaches: [], found: [] });
    const { breaches, found } = judge(one, one.mutations);
    assert.equal(
      breaches.map((breach) => breach.split(":")[0]),
      [one.oracle],
      breaches.join("; "),
    );
    assert.equal(found, []);
  });

test("who collects dirty bits splits a leaf, and loses one (R6.7); the walk of 5.7 leaves it alone", () => {
  for (const [kernel, lost] of [
    [[], true],
    [["dirty-helpers-pud"], false],
  ] as const) {
    const world = new World(kernel, [], "v5.6");
    world.oracles = "keep";
    const file = dax(world);
    world.start(0, clean_record_shared_mapping_range, file, 0, 1);
    world.start(1, user_store, world.mm, PUD_SIZE, 2);
    world.explore([0, 1]);
    assert.is(world.violations.has("O9"), lost);
  }
});

test("there is a mutation for each", () => {
  assert.equal(
    CASES.map(({ oracle }) => oracle),
    oracles().map(({ name }) => name),
  );
});

test.run();
