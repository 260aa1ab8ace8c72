/** A device, its driver as Documentation/vm/hmm.rst of 5.2 has it, and what becomes of the driver with a line less. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  device,
  device_map,
  device_map_addresses,
  device_read,
  device_unmap,
  device_write,
} from "../../runtime/drivers/device.ts";
import { TRANSLATIONS_MAX } from "../../runtime/mm/translations.ts";
import { keepRecentFaults, rememberFault } from "../../runtime/drivers/recent_fault.ts";
import { imageWriter } from "../../runtime/kernel.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { mutex_lock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import { placeOf } from "../../runtime/machine/report.ts";
import { down_read, down_write, up_read, up_write } from "../../runtime/machine/rwsem.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { container_of, embed, mutex, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { mmget_not_zero, mmgrab, mmput } from "../../runtime/mm/fork.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { hmm_mirror_register } from "../../runtime/mm/hmm.ts";
import {
  hmm_range_fault,
  hmm_range_register,
  hmm_range_unregister,
  hmm_range_valid,
  hmm_range_wait_until_valid,
} from "../../runtime/mm/hmm_range.ts";
import { hmm_mirror, hmm_mirror_ops, hmm_range, type hmm_update } from "../../runtime/mm/hmm_types.ts";
import { HMM_PFN_VALID, HMM_PFN_WRITE } from "../../runtime/mm/hmm_walk.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_READ, VM_WRITE, type mm_struct } from "../../runtime/mm/mm_types.ts";
import { TASK_SIZE } from "../../runtime/mm/pgtable.ts";
import { EAGAIN, EBUSY, EFAULT, EINVAL, ENOMEM } from "../../runtime/machine/errno.ts";
import { checkBodies, World, type Explored } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const WRITE = HMM_PFN_VALID | HMM_PFN_WRITE;
const START = 0x1000;
const END = 0x2000;

class gpu extends Struct {
  mirror = embed(hmm_mirror);
  range = embed(hmm_range);
  /** Guards dev. */
  lock = mutex();
  dev = embed(device);
}

const gpu_sync = kernelFunction("gpu_sync", function* (m: hmm_mirror, update: hmm_update): Kernel<number> {
  const g = container_of(m, gpu, "mirror");
  yield* mutex_lock(g.lock);
  yield* device_unmap(g.dev, update[0], update[1]);
  yield* mutex_unlock(g.lock);
  return 0;
});
const gpu_release = kernelFunction("gpu_release", function* (m: hmm_mirror): Kernel<void> {
  const g = container_of(m, gpu, "mirror");
  yield* mutex_lock(g.lock);
  yield* device_unmap(g.dev, 0, TASK_SIZE);
  yield* mutex_unlock(g.lock);
});
const gpu_ops = staticObject(hmm_mirror_ops);

const gpu_register = kernelFunction("gpu_register", function* (g: gpu, mm: mm_struct): Kernel<number> {
  yield* mmgrab(mm);
  yield* down_write(mm.mmap_sem);
  const error = yield* hmm_mirror_register(g.mirror, mm);
  yield* up_write(mm.mmap_sem);
  return error;
});

/** mmap_sem is held until the device has its pages. The caller is a user of the mm. */
const gpu_fault = kernelFunction("gpu_fault", function* (g: gpu, mm: mm_struct): Kernel<number> {
  if (!(yield* mmget_not_zero(mm))) return -EFAULT;
  let ret = yield* hmm_range_register(g.range, mm, START, END, 12);
  if (ret === 0) {
    ret = yield* gpu_fault_again(g, mm);
    yield* hmm_range_unregister(g.range);
  }
  yield* mmput(mm);
  return ret < 0 ? ret : yield* device_read(g.dev, START);
});
const gpu_fault_again = kernelFunction("gpu_fault", function* (g: gpu, mm: mm_struct): Kernel<number> {
  if (!(yield* hmm_range_wait_until_valid(g.range))) return -EBUSY;
  yield* down_read(mm.mmap_sem);
  const ret = yield* hmm_range_fault(g.range, true);
  if (ret === -EAGAIN) return yield* gpu_fault_again.restart(g, mm);
  if (ret < 0) {
    yield* up_read(mm.mmap_sem);
    return ret;
  }
  yield* mutex_lock(g.lock);
  if (!(yield* hmm_range_valid(g.range))) {
    yield* mutex_unlock(g.lock);
    yield* up_read(mm.mmap_sem);
    return yield* gpu_fault_again.restart(g, mm);
  }
  yield* device_map(g.dev, g.range, mm);
  yield* mutex_unlock(g.lock);
  yield* up_read(mm.mmap_sem);
  return ret;
});

/** As drivers do it: mmap_sem and the mm are given up after the fault. `checks`: under the lock, or before it. */
type Checks = "inside" | "outside";
const early_fault = kernelFunction("early_fault", function* (g: gpu, mm: mm_struct, checks: Checks): Kernel<number> {
  let ret = yield* hmm_range_register(g.range, mm, START, END, 12);
  if (ret !== 0) return ret;
  ret = yield* early_fault_again(g, mm, checks);
  yield* hmm_range_unregister(g.range);
  return ret < 0 ? ret : yield* device_read(g.dev, START);
});
const early_fault_again = kernelFunction(
  "early_fault",
  function* (g: gpu, mm: mm_struct, checks: Checks): Kernel<number> {
    if (!(yield* mmget_not_zero(mm))) return -EFAULT;
    yield* down_read(mm.mmap_sem);
    const ret = yield* hmm_range_fault(g.range, true);
    if (ret !== -EAGAIN) yield* up_read(mm.mmap_sem);
    yield* mmput(mm);
    if (ret < 0) return ret;
    const early = checks === "inside" || (yield* hmm_range_valid(g.range));
    yield* mutex_lock(g.lock);
    const valid = checks === "inside" ? yield* hmm_range_valid(g.range) : early;
    if (valid) yield* device_map(g.dev, g.range, mm);
    yield* mutex_unlock(g.lock);
    return valid ? ret : -EAGAIN;
  },
);

/** One page, present, mirrored by a gpu that has not mapped it yet. */
function scene(mutations: readonly Mutation[] = []): { world: World; g: gpu } {
  const world = new World([], mutations);
  world.poke(gpu_ops.sync_cpu_device_pagetables, gpu_sync.id);
  world.poke(gpu_ops.release, gpu_release.id);
  world.run(vm_mmap_pgoff, world.mm, START, END, RW);
  const g = world.object(gpu);
  world.poke(g.mirror.ops, gpu_ops.addr);
  world.poke(g.range.default_flags, WRITE);
  assert.is(world.run(gpu_register, g, world.mm), 0);
  world.run(user_store, world.mm, START, 7);
  return { world, g };
}
const told = ({ findings }: Explored): string[] => [
  ...new Set([...findings.values()].map((f) => `${f.kind} in ${placeOf(f)}`)),
];
const STALE = ["stale-translation in device_read"];

interface Race {
  readonly against: "munmap" | "exit";
  readonly fault?: "documented" | Checks;
  readonly without?: Mutation;
}
/** All interleavings of a fault of the device with what takes its page away; a third CPU has the device read once. */
function race({ against, fault = "documented", without }: Race): string[] {
  const { world, g } = scene(without === undefined ? [] : [without]);
  if (fault !== "documented") world.oracles = "off"; // the driver has bugs
  if (against === "exit") world.start(0, mmput, world.mm);
  else world.start(0, vm_munmap, world.mm, START, END);
  if (fault === "documented") world.start(1, gpu_fault, g, world.mm);
  else world.start(1, early_fault, g, world.mm, fault);
  world.start(2, device_read, g.dev, START);
  const explored = world.explore([0, 1, 2], () => {
    if (without === undefined && fault === "documented") assert.is(world.peek(g.dev.entries.at(0)), 0);
  });
  assert.is(explored.deadlocks, 0);
  checkBodies(world);
  return told(explored);
}
const NO_CHECK: Mutation = { in: "early_fault", drop: "hmm_range_valid", result: true };

test("the documented driver is never caught, neither in munmap nor in exit", () => {
  assert.equal(race({ against: "munmap" }), []);
  assert.equal(race({ against: "exit" }), []);
});
test("a driver whose callback lets nothing go is", () => {
  assert.equal(race({ against: "munmap", without: { in: "gpu_sync", drop: "device_unmap" } }), STALE);
  assert.equal(race({ against: "exit", without: { in: "gpu_release", drop: "device_unmap" } }), STALE);
});
test("against exit the check under the driver's lock is what keeps a fault from mapping too late", () => {
  assert.equal(race({ against: "exit", fault: "inside" }), []);
  assert.equal(race({ against: "exit", fault: "inside", without: NO_CHECK }), STALE);
  assert.equal(race({ against: "exit", fault: "outside" }), STALE);
});
test("against munmap it is not enough: 5.2 makes a range valid again, so mmap_sem must be held until then", () => {
  assert.equal(race({ against: "munmap", fault: "inside" }), STALE);
  assert.equal(race({ against: "munmap", fault: "inside", without: NO_CHECK }), STALE);
  assert.equal(race({ against: "munmap", fault: "outside" }), STALE);
});

/** A process with 0x1000-0x4000, whose second page is not present yet, and a device that has none of it. */
function process(): { world: World; dev: device; range: hmm_range } {
  const { world, g } = scene();
  world.run(vm_munmap, world.mm, START, END);
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x4000, RW);
  world.run(user_store, world.mm, 0x1000, 1);
  world.run(user_store, world.mm, 0x3000, 2);
  return { world, dev: g.dev, range: g.range };
}
/** Faults [start, end) of a range and leaves it registered. */
const fault_range = kernelFunction(
  "fault_range",
  function* (range: hmm_range, mm: mm_struct, start: number, end: number): Kernel<number> {
    yield* hmm_range_register(range, mm, start, end, 12);
    yield* down_read(mm.mmap_sem);
    const ret = yield* hmm_range_fault(range, true);
    yield* up_read(mm.mmap_sem);
    yield* rememberFault(range);
    return ret;
  },
);
const entries = (world: World, dev: device): number[] =>
  Array.from({ length: TRANSLATIONS_MAX }, (_, i) => (world.peek(dev.entries.at(i)) === 0 ? 0 : 1)).flatMap((is, i) =>
    is === 1 ? world.peek(dev.addresses.at(i)) : [],
  );

test("a device reads and writes the process's own memory", () => {
  const { world, dev, range } = process();
  assert.is(world.run(device_read, dev, 0x1000), -EFAULT);
  assert.is(world.run(fault_range, range, world.mm, 0x1000, 0x4000), 3);
  assert.is(world.run(device_map, dev, range, world.mm), 3);
  assert.is(world.run(device_read, dev, 0x1000), 1);
  assert.is(world.run(device_read, dev, 0x3000), 2);
  assert.is(world.run(device_write, dev, 0x2008, 5), 0);
  assert.is(world.run(user_load, world.mm, 0x2008), 5);
  world.run(device_unmap, dev, 0x2000, 0x3000);
  assert.equal(entries(world, dev), [0x1000, 0x3000]);
  assert.is(world.run(device_write, dev, 0x2008, 5), -EFAULT);
  world.run(hmm_range_unregister, range);
});
test("entries that are no page are left out, and a read-only page is not written to", () => {
  const { world, dev, range } = process();
  world.poke(range.default_flags, 0);
  world.poke(range.entries.at(1), 0);
  assert.is(world.run(fault_range, range, world.mm, 0x1000, 0x4000), 3);
  assert.is(world.run(device_map, dev, range, world.mm), 2);
  assert.equal(entries(world, dev), [0x1000, 0x3000]);
  world.poke(range.entries.at(0), world.peek(range.entries.at(0)) - HMM_PFN_WRITE);
  assert.is(world.run(device_map, dev, range, world.mm), 2);
  assert.is(world.run(device_write, dev, 0x1000, 1), -EFAULT);
  assert.is(world.run(device_read, dev, 0x1000), 1);
  assert.equal(entries(world, dev), [0x1000, 0x3000], "an entry is replaced, not doubled");
});
test("equal tables are equal states, whatever was mapped first", () => {
  const { world, dev, range } = process();
  world.run(fault_range, range, world.mm, 0x1000, 0x4000);
  const fingerprint = (): string => `${world.machine.memory.lo}:${world.machine.memory.hi}`;
  const before = fingerprint();
  const pages = [0, 1, 2].map((i) => world.peek(range.entries.at(i)));
  const only = (kept: readonly number[]): void => {
    for (const [i, page] of pages.entries()) world.poke(range.entries.at(i), kept.includes(i) ? page : 0);
    world.run(device_map, dev, range, world.mm);
  };
  const orders = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ].map((order) => {
    for (const i of order) only([i]);
    only([0, 1, 2]);
    assert.equal(entries(world, dev), [0x1000, 0x2000, 0x3000]);
    const full = fingerprint();
    world.run(device_unmap, dev, 0, TASK_SIZE);
    assert.is(fingerprint(), before, "and nothing is left of an empty one");
    return full;
  });
  assert.is(new Set(orders).size, 1);
});
test("a full table is told, and an error", () => {
  const { world, dev, range } = process();
  world.run(fault_range, range, world.mm, 0x1000, 0x2000);
  const page = world.peek(range.entries.at(0));
  for (let i = 0; i < TRANSLATIONS_MAX; i++) {
    world.poke(dev.addresses.at(i), 0x100000 + i * 0x1000);
    world.poke(dev.entries.at(i), page);
  }
  assert.is(world.run(device_map, dev, range, world.mm), -ENOMEM);
  assert.equal(
    world.findings.map((f) => f.message),
    [`a device has room for ${TRANSLATIONS_MAX} pages`],
  );
  world.run(device_unmap, dev, 0x13f000, 0x140000);
  assert.is(world.run(device_map, dev, range, world.mm), 1);
  assert.is(world.run(device_read, dev, 0x1000), 1);
});

const DIRTY = 0x10;
const complaint = (world: World): string => world.findings.map((f) => `${f.kind}: ${f.message}`).join();
test("what became of the page is told", () => {
  const scenes: readonly (readonly [string, (world: World) => void])[] = [
    ["its page was freed", (world) => void world.run(vm_munmap, world.mm, 0x1000, 0x2000)],
    ["its page was freed", (world) => void world.run(mmput, world.mm)],
  ];
  for (const [message, happens] of scenes) {
    const { world, dev, range } = process();
    world.oracles = "off"; // the driver has bugs
    world.run(fault_range, range, world.mm, 0x1000, 0x2000);
    world.poke(range.entries.at(1), 0);
    world.run(device_map, dev, range, world.mm);
    world.run(hmm_range_unregister, range);
    world.poke(gpu_ops.sync_cpu_device_pagetables, idle.id);
    world.poke(gpu_ops.release, 0);
    happens(world);
    assert.throws(() => world.run(device_read, dev, 0x1000), message);
    assert.is(complaint(world), `stale-translation: ${message}`);
  }
});
const idle = kernelFunction("idle", function* (_mirror: hmm_mirror, _update: hmm_update): Kernel<number> {
  return 0;
});
test("the CPU's page table is the judge", () => {
  for (const [change, message] of [
    [(_pte: number) => 0, "it was unmapped"],
    [(pte: number) => pte + 0x4000, "another page was mapped there"],
    [(pte: number) => pte - 2, "it was made read-only"],
  ] as const) {
    const { world, dev, range } = process();
    world.oracles = "off"; // nobody tells the driver
    world.run(fault_range, range, world.mm, 0x1000, 0x2000);
    world.run(device_map, dev, range, world.mm);
    const pte = world.peek(range.entries.at(0)) + DIRTY; // which is all that tells them apart
    const { memory } = world.machine;
    const [word] = Array.from({ length: memory.size }, (_, i) => memory.addressOf(i)).filter(
      (addr) => world.machine.typeAt(addr)?.name === "pte_table" && memory.peek(addr) === pte,
    );
    world.poke({ addr: word ?? 0 }, change(pte));
    if (message.includes("read-only")) assert.is(world.run(device_read, dev, 0x1000), 1);
    assert.throws(() => world.run(device_write, dev, 0x1000, 3), message);
    assert.is(complaint(world), `stale-translation: ${message}`);
  }
});
test("addresses stand for this CPU's last fault, if it was there", () => {
  const { world, dev, range } = process();
  assert.is(world.run(device_map_addresses, dev, 0x1000, 0x2000), -EINVAL);
  world.run(fault_range, range, world.mm, 0x1000, 0x4000);
  assert.is(world.run(device_map_addresses, dev, 0x1000, 0x2000), -EINVAL, "nobody asked for it to be kept");
  keepRecentFaults(imageWriter(world.machine));
  world.run(hmm_range_unregister, range);
  world.run(fault_range, range, world.mm, 0x1000, 0x4000);
  assert.is(world.runOn(1, device_map_addresses, dev, 0x1000, 0x2000), -EINVAL, "that was another CPU's");
  assert.is(world.run(device_map_addresses, dev, 0x3000, 0x5000), -EINVAL);
  assert.is(world.run(device_map_addresses, dev, 0x2000, 0x4000), 2);
  assert.equal(entries(world, dev), [0x2000, 0x3000]);
  assert.is(world.run(device_read, dev, 0x3000), 2);
  checkBodies(world);
});

test.run();
