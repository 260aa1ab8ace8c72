/** What becomes of a device if an operation breaks the order that notifiers are promised: slips that steps can make. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { device, device_map_page, device_read, device_unmap, device_write } from "../../runtime/drivers/device.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { mutex_lock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import { placeOf } from "../../runtime/machine/report.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { embed, mutex, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { dup_mm } from "../../runtime/mm/dup_mmap.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { FOLL_WRITE, get_user_pages_fast } from "../../runtime/mm/gup.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_READ, VM_WRITE, type mm_struct } from "../../runtime/mm/mm_types.ts";
import {
  mmu_interval_notifier_insert,
  mmu_interval_read_begin,
  mmu_interval_read_retry,
  mmu_interval_set_seq,
} from "../../runtime/mm/mmu_interval_notifier.ts";
import {
  mmu_interval_notifier,
  mmu_interval_notifier_ops,
  type mmu_notifier_range,
} from "../../runtime/mm/mmu_notifier_types.ts";
import { put_page } from "../../runtime/mm/page_alloc.ts";
import { World } from "./world.ts";

const A = 0x1000;

/** A driver that pins a page only until it has mapped it, and takes no mmap_sem. */
class npu extends Struct {
  sub = embed(mmu_interval_notifier);
  lock = mutex();
}
const dev = staticObject(device, "npu");
const driver = staticObject(npu, "driver");
const ops = staticObject(mmu_interval_notifier_ops, "npu_ops");
const invalidate = kernelFunction(
  "npu_invalidate",
  function* (sub: mmu_interval_notifier, range: mmu_notifier_range, seq: number): Kernel<boolean> {
    yield* mutex_lock(driver.lock);
    yield* mmu_interval_set_seq(sub, seq);
    yield* device_unmap(dev, range[1], range[2]);
    yield* mutex_unlock(driver.lock);
    return true;
  },
  { params: ["sub", "range", "cur_seq"] },
);
const fault = kernelFunction(
  "npu_fault",
  function* (mm: mm_struct): Kernel<void> {
    const seq = yield* mmu_interval_read_begin(driver.sub);
    const page = yield* get_user_pages_fast(mm, A, FOLL_WRITE);
    if (page.isNull) return;
    yield* mutex_lock(driver.lock);
    const again = yield* mmu_interval_read_retry(driver.sub, seq);
    if (!again) yield* device_map_page(dev, A, page, 1, mm);
    yield* mutex_unlock(driver.lock);
    yield* put_page(page);
    if (again) return yield* fault.restart(mm);
  },
  { params: ["mm"] },
);
/** The device uses the page, whenever it likes. */
const use = kernelFunction(
  "npu_use",
  function* (write: boolean): Kernel<void> {
    if (write) yield* device_write(dev, A, 3);
    else yield* device_read(dev, A);
  },
  { params: ["write"] },
);

/** What is found if the driver faults, and the device uses the page, while something happens to it. */
function against(what: "munmap" | "fork", mutations: readonly Mutation[] = []): string[] {
  const world = new World([], mutations, "v5.6");
  world.poke(ops.invalidate, invalidate.id);
  world.run(vm_mmap_pgoff, world.mm, A, A + 0x2000, VM_READ | VM_WRITE);
  world.run(user_store, world.mm, A, 1);
  world.run(user_store, world.mm, A + 0x1000, 1);
  assert.is(world.run(mmu_interval_notifier_insert, driver.sub, world.mm, A, 0x1000, ops), 0);
  world.run(fault, world.mm);
  if (what === "munmap") world.start(0, vm_munmap, world.mm, A, A + 0x1000);
  else world.start(0, dup_mm, world.mm);
  world.start(1, fault, world.mm);
  world.start(2, use, what === "fork");
  const { findings, deadlocks } = world.explore([0, 1, 2]);
  assert.is(deadlocks, 0);
  return [...findings.values()].map((finding) => `${finding.kind} in ${placeOf(finding)}`);
}

test("in the kernel's order the device never uses what is not there", () => {
  assert.equal(against("munmap"), []);
  assert.equal(against("fork"), []);
});
test("zapped before notifiers are told: the device still has the page", () => {
  const zapFirst: Mutation = { in: "unmap_vmas", swap: ["mmu_notifier_invalidate_range_start", "unmap_vmas"] };
  assert.ok(against("munmap", [zapFirst]).includes("stale-translation in device_read"));
});
test("the end told before the zap and the flush: the device has it again", () => {
  const endFirst: Mutation = { in: "unmap_vmas", swap: ["unmap_vmas", "mmu_notifier_invalidate_range_end"] };
  assert.ok(against("munmap", [endFirst]).includes("stale-translation in device_read"));
});
test("fork() without the write protection: the device writes to what is the child's, too", () => {
  const shared: Mutation = { in: "copy_one_pte", drop: "ptep_set_wrprotect" };
  assert.ok(against("fork", [shared]).includes("stale-translation in device_write"));
});
test("freed without a flush: the TLB of a CPU still has the page", () => {
  const world = new World([], [{ in: "tlb_finish_mmu", drop: "tlb_flush_mmu_tlbonly" }], "v5.6");
  world.run(vm_mmap_pgoff, world.mm, A, A + 0x1000, VM_READ | VM_WRITE);
  world.runOn(1, user_store, world.mm, A, 1);
  world.start(0, vm_munmap, world.mm, A, A + 0x1000);
  world.start(1, user_load, world.mm, A);
  const { findings } = world.explore([0, 1]);
  assert.ok([...findings.values()].some(({ kind }) => kind === "stale-translation"));
});

test.run();
