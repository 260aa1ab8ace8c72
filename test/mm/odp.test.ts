import { test } from "uvu";
import * as assert from "uvu/assert";
import { ib_umem_odp } from "../../runtime/drivers/ib_types.ts";
import { MLX5_PF_FLAGS_DOWNGRADE, MLX5_PF_FLAGS_PREFETCH, pagefault_mr } from "../../runtime/drivers/mlx5_odp.ts";
import { context, ib_umem_odp_get, ib_umem_odp_release } from "../../runtime/drivers/umem_odp.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { placeOf } from "../../runtime/machine/report.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_invalidate_range_start_nonblock,
} from "../../runtime/mm/mmu_notifier.ts";
import { mmu_notifier_range_init } from "../../runtime/mm/mmu_notifier_types.ts";
import { EAGAIN, EFAULT, EINVAL } from "../../runtime/machine/errno.ts";
import { checkBodies, World, type Explored } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const MMGET = ["odp-v4", "odp-mmget-not-zero"];
const RANGE_MMGET = ["odp-v4", "hmm-range-mmget"];

/** Three VMAs; a umem over the middle one, whose first page is present. */
function scene(
  patches: readonly string[] = ["odp-v4"],
  mutations: readonly Mutation[] = [],
  writable = true,
): { world: World; umem: ib_umem_odp } {
  const world = new World(patches, mutations);
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x4000, RW);
  world.run(vm_mmap_pgoff, world.mm, 0x6000, 0x8000, RW);
  world.run(vm_mmap_pgoff, world.mm, 0xa000, 0xc000, RW);
  const umem = world.object(ib_umem_odp);
  assert.is(world.run(ib_umem_odp_get, umem, world.mm, 0x6000, 0x8000, writable), 0);
  world.run(user_store, world.mm, 0x6000, 1);
  return { world, umem };
}

/** A device fault against the end of the process. */
function dying(patches: readonly string[], mutations: readonly Mutation[] = []): Explored {
  const { world, umem } = scene(patches, mutations);
  if (patches.length === 1) world.oracles = "off"; // a driver with a bug
  world.start(0, mmput, world.mm);
  world.start(1, pagefault_mr, umem, 0x6000, 0x8000, 0);
  const explored = world.explore([0, 1], () => {
    if (mutations.length > 0) return;
    assert.is(world.peek(umem.umem_mutex), 0);
    assert.is(world.peek(world.mm.mmap_sem.count), 0);
    assert.is(world.peek(world.mm.mm_users), 0);
  });
  assert.is(explored.deadlocks, 0);
  checkBodies(world);
  return explored;
}
const places = ({ findings }: Explored): string[] => [...findings.values()].map((f) => `${f.kind} in ${placeOf(f)}`);

test("a fault maps pages and tells the device; release gives everything back", () => {
  for (const patches of [["odp-v4"], MMGET, RANGE_MMGET]) {
    const { world, umem } = scene(patches);
    assert.is(world.run(pagefault_mr, umem, 0x6000, 0x8000, 0), 2);
    assert.is(world.peek(umem.npages), 2);
    assert.is.not(world.peek(umem.xlt.at(0)), 0);
    assert.is.not(world.peek(umem.xlt.at(1)), 0);
    assert.is(world.peek(world.mm.mm_users), 1);
    world.run(ib_umem_odp_release, umem);
    assert.is(world.peek(umem.npages), 0);
    assert.is(world.peek(world.mm.mm_count), 1);
    world.run(mmput, world.mm);
    assert.equal(world.live(), []);
    assert.equal(world.findings, []);
    checkBodies(world);
  }
});

test("a umem outlives the process", () => {
  const { world, umem } = scene();
  world.run(pagefault_mr, umem, 0x6000, 0x7000, 0);
  world.run(mmput, world.mm);
  assert.is(world.peek(umem.npages), 0);
  assert.is(world.peek(umem.xlt.at(0)), 0);
  assert.is(world.peek(umem.dying), 1);
  assert.is(world.run(pagefault_mr, umem, 0x6000, 0x7000, 0), -EFAULT);
  world.run(ib_umem_odp_release, umem);
  assert.ok(world.isFreed(world.mm));
  assert.equal(world.live(), []);
});

test("two umems of a process share one per_mm", () => {
  const { world, umem } = scene();
  const other = world.object(ib_umem_odp);
  assert.is(world.run(ib_umem_odp_get, other, world.mm, 0x1000, 0x3000, true), 0);
  assert.is(world.peek(other.per_mm), world.peek(umem.per_mm));
  world.run(ib_umem_odp_release, umem);
  assert.is.not(world.peek(context.per_mm_list.next), context.per_mm_list.addr);
  world.run(ib_umem_odp_release, other);
  assert.is(world.peek(context.per_mm_list.next), context.per_mm_list.addr);
});

test("arguments are checked", () => {
  const { world, umem } = scene();
  const other = world.object(ib_umem_odp);
  assert.is(world.run(ib_umem_odp_get, other, world.mm, 0x1000, 0x1000, true), -EINVAL);
  assert.is(world.run(ib_umem_odp_get, other, world.mm, 0x100000, 0x200000, true), -EINVAL);
  assert.equal(
    world.findings.map((f) => f.kind),
    ["warning"],
  );
  assert.is(world.run(pagefault_mr, umem, 0x5000, 0x6000, 0), -EINVAL);
  assert.is(world.run(pagefault_mr, umem, 0x9000, 0xa000, 0), -EINVAL);
  assert.is(world.run(pagefault_mr, umem, 0x7000, 0x9000, 0), -EAGAIN);
  assert.is(world.peek(umem.npages), 1);
  const readOnly = scene(["odp-v4"], [], false);
  assert.is(readOnly.world.run(pagefault_mr, readOnly.umem, 0x6000, 0x7000, MLX5_PF_FLAGS_PREFETCH), -EINVAL);
  assert.is(readOnly.world.run(pagefault_mr, readOnly.umem, 0x6000, 0x7000, MLX5_PF_FLAGS_DOWNGRADE), 1);
  const prefetchReads = MLX5_PF_FLAGS_PREFETCH + MLX5_PF_FLAGS_DOWNGRADE;
  assert.is(readOnly.world.run(pagefault_mr, readOnly.umem, 0x6000, 0x7000, prefetchReads), 1);
});

test("two faults can lose an update of npages, which is added to without umem_mutex", () => {
  const { world, umem } = scene();
  world.run(user_store, world.mm, 0x7000, 1);
  world.start(0, pagefault_mr, umem, 0x6000, 0x7000, 0);
  world.start(1, pagefault_mr, umem, 0x7000, 0x8000, 0);
  const counts = new Set<number>();
  const explored = world.explore([0, 1], () => counts.add(world.peek(umem.npages)));
  assert.equal(places(explored), []);
  assert.equal([...counts].sort(), [1, 2]);
});

test("munmap takes the pages from the device first", () => {
  const { world, umem } = scene();
  world.run(pagefault_mr, umem, 0x6000, 0x8000, 0);
  world.run(vm_munmap, world.mm, 0x6000, 0x7000);
  assert.is(world.peek(umem.npages), 1);
  assert.is(world.peek(umem.xlt.at(0)), 0);
  assert.is.not(world.peek(umem.xlt.at(1)), 0);
});

test("a non-blocking invalidation of a umem is refused by the driver, and HMM loses that (5.2)", () => {
  const { world } = scene();
  const change = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", world.mm, 0x6000, 0x7000);
  assert.is(world.run(mmu_notifier_invalidate_range_start_nonblock, change), 0);
  world.run(mmu_notifier_invalidate_range_end, change);
});

test("-EAGAIN of an explicit MR becomes -EFAULT: the inverted condition (HMM-19)", () => {
  const { world, umem } = scene();
  const change = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", world.mm, 0x6000, 0x7000);
  world.run(mmu_notifier_invalidate_range_start, change);
  assert.is(world.run(pagefault_mr, umem, 0x6000, 0x7000, 0), -EFAULT);
  world.run(mmu_notifier_invalidate_range_end, change);
  assert.is(world.run(pagefault_mr, umem, 0x6000, 0x7000, 0), 1);
});

test("a fault that breaks COW waits for the umem_mutex it holds (HMM-17)", () => {
  const { world, umem } = scene();
  world.run(user_load, world.mm, 0x7000);
  world.run(pagefault_mr, umem, 0x6000, 0x7000, 0);
  assert.throws(() => world.run(pagefault_mr, umem, 0x7000, 0x8000, 0), /blocked/);
  assert.is(world.machine.stackOf(0)[0]?.name, "ib_umem_odp_unmap_dma_pages");
});

test("dead-check and valid-check against exit_mmap (HMM-12, HMM-13)", () => {
  const found = places(dying(["odp-v4"]));
  assert.ok(found.includes("use-after-free in find_vma"), found.join("; "));
  assert.ok(found.some((place) => place.startsWith("use-after-free in hmm_vma_")));
});

test("mmget_not_zero in the driver, or in the range, closes it", () => {
  assert.equal(places(dying(MMGET)), []);
  assert.equal(places(dying(RANGE_MMGET)), []);
});

test("without their essential step the fixes fix nothing", () => {
  for (const [patches, fn] of [
    [MMGET, "ib_umem_odp_map_dma_pages"],
    [RANGE_MMGET, "hmm_range_register"],
  ] as const) {
    const explored = dying(patches, [{ in: fn, drop: "mmget_not_zero", result: true }]);
    assert.ok(places(explored).includes("use-after-free in find_vma"));
  }
});

test("munmap against a device fault: fine, unless a VMA above makes 5.2 walk the hole without one", () => {
  for (const above of [false, true]) {
    const { world, umem } = scene();
    if (above) world.oracles = "off"; // a kernel with a bug
    if (!above) world.run(vm_munmap, world.mm, 0x7000, 0xc000);
    world.run(pagefault_mr, umem, 0x6000, 0x7000, 0);
    world.start(0, vm_munmap, world.mm, 0x6000, 0x7000);
    world.start(1, pagefault_mr, umem, 0x6000, 0x7000, 0);
    const explored = world.explore([0, 1]);
    assert.equal(places(explored), above ? ["null-deref in handle_mm_fault"] : []);
    assert.is(explored.deadlocks, 0);
  }
});

test.run();
