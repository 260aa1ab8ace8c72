import { test } from "uvu";
import * as assert from "uvu/assert";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { down_read, down_write, up_read, up_write } from "../../runtime/machine/rwsem.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { mmdrop, mmget, mmgrab, mmput } from "../../runtime/mm/fork.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { hmm_mirror_register, hmm_mirror_unregister } from "../../runtime/mm/hmm.ts";
import {
  hmm_range_fault,
  hmm_range_register,
  hmm_range_snapshot,
  hmm_range_unregister,
  hmm_range_wait_until_valid,
} from "../../runtime/mm/hmm_range.ts";
import { hmm, hmm_mirror, hmm_mirror_ops, hmm_range, type hmm_update } from "../../runtime/mm/hmm_types.ts";
import { HMM_PFN_SPECIAL, HMM_PFN_VALID, HMM_PFN_WRITE } from "../../runtime/mm/hmm_walk.ts";
import { vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { VM_READ, VM_WRITE, type mm_struct } from "../../runtime/mm/mm_types.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "../../runtime/mm/mmu_notifier.ts";
import { mmu_notifier_range_init } from "../../runtime/mm/mmu_notifier_types.ts";
import { EAGAIN, EFAULT, EINVAL, EPERM } from "../../runtime/machine/errno.ts";
import { at } from "../../runtime/machine/struct.ts";
import { checkBodies, World } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const READ = HMM_PFN_VALID;
const WRITE = HMM_PFN_VALID | HMM_PFN_WRITE;

const nop = kernelFunction(
  "nop",
  function* (_mirror: hmm_mirror, _update: hmm_update): Kernel<number> {
    return 0;
  },
  { params: ["mirror", "update"] },
);
const ops = staticObject(hmm_mirror_ops);

const registerMirror = kernelFunction(
  "registerMirror",
  function* (mirror: hmm_mirror, mm: mm_struct): Kernel<number> {
    yield* down_write(mm.mmap_sem);
    const error = yield* hmm_mirror_register(mirror, mm);
    yield* up_write(mm.mmap_sem);
    return error;
  },
  { params: ["mirror", "mm"] },
);
/** Faults with mmap_sem held, and gives it back unless that has happened. */
const fault = kernelFunction(
  "fault",
  function* (range: hmm_range, mm: mm_struct): Kernel<number> {
    yield* down_read(mm.mmap_sem);
    const ret = yield* hmm_range_fault(range, true);
    if (ret !== -EAGAIN) yield* up_read(mm.mmap_sem);
    return ret;
  },
  { params: ["range", "mm"] },
);
const snapshot = kernelFunction(
  "snapshot",
  function* (range: hmm_range, mm: mm_struct): Kernel<number> {
    yield* down_read(mm.mmap_sem);
    const ret = yield* hmm_range_snapshot(range);
    yield* up_read(mm.mmap_sem);
    return ret;
  },
  { params: ["range", "mm"] },
);

interface Scene {
  readonly world: World;
  readonly mirror: hmm_mirror;
  readonly range: hmm_range;
}
/** A process with 0x1000-0x5000 rw, 0x5000-0x6000 r, a gap, 0x7000-0x8000 none; mirrored. */
function scene(patches: readonly string[] = []): Scene {
  const world = new World(patches);
  world.poke(ops.sync_cpu_device_pagetables, nop.id);
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x5000, RW);
  world.run(vm_mmap_pgoff, world.mm, 0x5000, 0x6000, VM_READ);
  world.run(vm_mmap_pgoff, world.mm, 0x7000, 0x8000, 0);
  const mirror = world.object(hmm_mirror);
  world.poke(mirror.ops, ops.addr);
  assert.is(world.run(registerMirror, mirror, world.mm), 0);
  return { world, mirror, range: world.object(hmm_range) };
}
/** Registers, faults and unregisters; the result, and the flags of each entry. */
function faulting({ world, range }: Scene, start: number, end: number, request: number): [number, number[]] {
  world.poke(range.default_flags, request);
  assert.is(world.run(hmm_range_register, range, world.mm, start, end, 12), 0);
  const ret = world.run(fault, range, world.mm);
  const entries = [];
  for (let i = 0; i < (end - start) / 0x1000; i++) entries.push(world.peek(range.entries.at(i)));
  world.run(hmm_range_unregister, range);
  checkBodies(world);
  return [ret, entries.map((e) => (e > 0 ? e % 8 : e))];
}
const hmmOf = (world: World): hmm => at(hmm, world.peek(world.mm.hmm));

test("mirrors and ranges hold the hmm; the last one to go frees it", () => {
  const { world, mirror, range } = scene();
  const h = hmmOf(world);
  assert.is(world.run(hmm_range_register, range, world.mm, 0x1000, 0x2000, 12), 0);
  assert.is(world.peek(h.kref.refcount), 2);
  assert.is(world.peek(range.valid), 1);
  world.run(hmm_mirror_unregister, mirror);
  world.run(hmm_mirror_unregister, mirror);
  assert.not(world.isFreed(h));
  world.run(hmm_range_unregister, range);
  assert.ok(world.isFreed(h));
  assert.is(world.peek(world.mm.hmm), 0);
  assert.is(world.peek(world.mm.mm_count), 1);
  world.run(mmput, world.mm);
  assert.equal(world.live(), []);
  assert.ok(world.isFreed(world.mm));
  checkBodies(world);
});

test("an hmm that outlives its address space is dead, and goes with its mirror", () => {
  const { world, mirror, range } = scene();
  const h = hmmOf(world);
  world.run(mmgrab, world.mm);
  world.run(mmput, world.mm);
  assert.is(world.peek(h.dead), 1);
  assert.is(world.run(hmm_range_register, range, world.mm, 0x1000, 0x2000, 12), -EFAULT);
  assert.is(world.run(hmm_range_wait_until_valid, range), false);
  world.run(hmm_mirror_unregister, mirror);
  world.run(mmdrop, world.mm);
  assert.ok(world.isFreed(world.mm));
  assert.equal(world.live(), []);
});

test("a mirror that holds the last reference to the mm frees it under hmm_free()'s feet (HMM-08)", () => {
  const { world, mirror } = scene();
  world.run(mmput, world.mm);
  assert.throws(() => world.run(hmm_mirror_unregister, mirror), /freed memory/);
  const finding = world.findings.at(-1);
  assert.is(finding?.stack[0]?.name, "hmm_free");
  assert.is(finding?.objectType?.name, "mm_struct");
  assert.is(finding?.freedBy, "__mmdrop");
});

test("arguments are checked", () => {
  const { world, range } = scene();
  assert.is(world.run(hmm_range_register, range, world.mm, 0x1800, 0x3000, 12), -EINVAL);
  assert.is(world.run(hmm_range_register, range, world.mm, 0x3000, 0x3000, 12), -EINVAL);
  const mirror = world.object(hmm_mirror);
  assert.is(world.run(registerMirror, mirror, world.mm), -EINVAL, "a mirror needs ops");
});

test("registering a mirror without mmap_sem is a BUG", () => {
  const world = new World();
  const mirror = world.object(hmm_mirror);
  world.poke(mirror.ops, ops.addr);
  assert.throws(() => world.run(hmm_mirror_register, mirror, world.mm), /down_read_trylock/);
});

test("a write fault makes pages present and writable", () => {
  assert.equal(faulting(scene(), 0x1000, 0x4000, WRITE), [3, [WRITE, WRITE, WRITE]]);
});

test("what is present is reported as it is", () => {
  const s = scene();
  s.world.run(user_store, s.world.mm, 0x1000, 1);
  assert.equal(faulting(s, 0x1000, 0x2000, READ), [1, [WRITE]]);
});

test("a read fault of untouched memory finds the zero page, which 5.2 takes for an error", () => {
  assert.equal(faulting(scene(), 0x1000, 0x3000, READ), [-EFAULT, [0, 0]]);
  const s = scene();
  s.world.run(user_load, s.world.mm, 0x1000);
  s.world.poke(s.range.default_flags, READ);
  s.world.run(hmm_range_register, s.range, s.world.mm, 0x1000, 0x2000, 12);
  assert.is(s.world.run(snapshot, s.range, s.world.mm), 0);
  assert.is(s.world.peek(s.range.entries.at(0)), HMM_PFN_SPECIAL);
});

test("no request, no fault", () => {
  assert.equal(faulting(scene(), 0x1000, 0x3000, 0), [0, [0, 0]]);
});

test("a VMA that cannot be read is -EPERM, no VMA at all -EFAULT", () => {
  assert.equal(faulting(scene(), 0x7000, 0x8000, READ), [-EPERM, [0]]);
  assert.equal(faulting(scene(), 0x9000, 0xa000, READ), [-EFAULT, [0]]);
});

test("a gap before a VMA has no VMA to fault in: 5.2 goes through NULL", () => {
  const s = scene();
  s.world.run(vm_mmap_pgoff, s.world.mm, 0x9000, 0xa000, RW);
  s.world.poke(s.range.default_flags, WRITE);
  s.world.run(hmm_range_register, s.range, s.world.mm, 0x8000, 0xa000, 12);
  assert.throws(() => s.world.run(fault, s.range, s.world.mm), /NULL/);
  assert.is(s.world.findings.at(-1)?.stack[0]?.name, "handle_mm_fault");
});

test("a write fault where writing is not allowed never ends in 5.2", () => {
  const s = scene();
  s.world.oracles = "off"; // a walk without end
  s.world.poke(s.range.default_flags, WRITE);
  s.world.run(hmm_range_register, s.range, s.world.mm, 0x5000, 0x6000, 12);
  s.world.start(0, fault, s.range, s.world.mm);
  const { finals, states } = s.world.explore([0]);
  assert.is(finals, 0);
  assert.ok(states < 200);
});

test("a range across two VMAs is walked VMA by VMA", () => {
  const s = scene();
  s.world.run(vm_mmap_pgoff, s.world.mm, 0x8000, 0xa000, RW);
  s.world.run(vm_mmap_pgoff, s.world.mm, 0xa000, 0xc000, RW);
  assert.equal(faulting(s, 0x9000, 0xb000, WRITE), [2, [WRITE, WRITE]]);
});

test("a snapshot faults nothing in", () => {
  const { world, range } = scene();
  world.run(user_store, world.mm, 0x2000, 1);
  world.run(hmm_range_register, range, world.mm, 0x1000, 0x4000, 12);
  assert.is(world.run(snapshot, range, world.mm), 3);
  assert.equal(
    [0, 1, 2].map((i) => world.peek(range.entries.at(i)) % 8),
    [0, WRITE, 0],
  );
});

test("while something is being invalidated a range is invalid, and a fault gives mmap_sem back", () => {
  const { world, range } = scene();
  const change = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", world.mm, 0x1000, 0x2000);
  world.run(hmm_range_register, range, world.mm, 0x1000, 0x3000, 12);
  world.run(mmu_notifier_invalidate_range_start, change);
  assert.is(world.peek(range.valid), 0);
  assert.is(world.run(fault, range, world.mm), -EAGAIN);
  assert.is(world.peek(world.mm.mmap_sem.count), 0);
  world.run(mmu_notifier_invalidate_range_end, change);
  assert.is(world.peek(range.valid), 1);
  assert.is(world.run(hmm_range_wait_until_valid, range), true);
});

test("a waiter wakes when the invalidation ends, or when time is up", () => {
  const { world, range } = scene();
  const change = mmu_notifier_range_init("MMU_NOTIFY_CLEAR", world.mm, 0x1000, 0x2000);
  world.run(hmm_range_register, range, world.mm, 0x1000, 0x3000, 12);
  world.run(mmu_notifier_invalidate_range_start, change);
  world.start(0, mmu_notifier_invalidate_range_end, change);
  world.start(1, hmm_range_wait_until_valid, range);
  const { findings, deadlocks } = world.explore([0, 1], () => assert.is(world.peek(range.valid), 1));
  assert.is(findings.size + deadlocks, 0);
});

test("munmap against a fault of the same range", () => {
  const { world, range } = scene();
  world.run(vm_mmap_pgoff, world.mm, 0xa000, 0xb000, RW);
  world.run(user_store, world.mm, 0xa000, 1);
  world.poke(range.default_flags, WRITE);
  world.run(hmm_range_register, range, world.mm, 0xa000, 0xb000, 12);
  world.start(0, vm_munmap, world.mm, 0xa000, 0xb000);
  world.start(1, fault, range, world.mm);
  const { findings, deadlocks } = world.explore([0, 1]);
  assert.is(findings.size + deadlocks, 0);
});

test("with hmm-range-mmget a registered range is a user of the address space", () => {
  const { world, range } = scene(["hmm-range-mmget"]);
  world.run(hmm_range_register, range, world.mm, 0x1000, 0x2000, 12);
  assert.is(world.peek(world.mm.mm_users), 2);
  world.run(mmput, world.mm);
  assert.is(world.peek(hmmOf(world).dead), 0);
  world.run(hmm_range_unregister, range);
  assert.is(world.peek(world.mm.mm_users), 0);
  assert.is(world.peek(hmmOf(world).dead), 1);
  assert.is(world.run(hmm_range_register, range, world.mm, 0x1000, 0x2000, 12), -EFAULT);
  assert.is(world.peek(hmmOf(world).kref.refcount), 1);
});

test("two mirrors that register at once share one hmm", () => {
  const world = new World();
  world.poke(ops.sync_cpu_device_pagetables, nop.id);
  const [a, b] = [world.object(hmm_mirror), world.object(hmm_mirror)];
  for (const mirror of [a, b]) world.poke(mirror.ops, ops.addr);
  world.run(mmget, world.mm);
  world.start(0, registerMirror, a, world.mm);
  world.start(1, registerMirror, b, world.mm);
  const { findings, deadlocks } = world.explore([0, 1], () =>
    assert.is(world.peek(hmmOf(world).kref.refcount), 2, "mmap_sem held for writing keeps them apart"),
  );
  assert.is(findings.size + deadlocks, 0);
});

test.run();
