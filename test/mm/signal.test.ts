/** Fatal signals: who waits killably goes away empty-handed, and whoever stood behind him in a queue gets his turn. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EINTR, ERESTARTSYS } from "../../runtime/machine/errno.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { mutex_lock, mutex_lock_killable, mutex_unlock } from "../../runtime/machine/mutex.ts";
import {
  down_read,
  down_read_killable,
  down_write,
  down_write_killable,
  up_read,
  up_write,
} from "../../runtime/machine/rwsem.ts";
import { send_sigkill } from "../../runtime/machine/signal.ts";
import { asBoolean, type Kernel } from "../../runtime/machine/step.ts";
import { int, mutex, Struct } from "../../runtime/machine/struct.ts";
import { load } from "../../runtime/machine/access.ts";
import { wait_event_killable, wait_queue_head } from "../../runtime/machine/wait.ts";
import { vm_munmap } from "../../runtime/mm/mmap.ts";
import { World } from "./world.ts";

const kill = kernelFunction(
  "kill",
  function* (tasks: number): Kernel<void> {
    yield* send_sigkill(tasks);
  },
  { params: ["tasks"] },
);
class box extends Struct {
  lock = mutex();
  ready = int();
}
const hold_write = kernelFunction("hold_write", function* (world_mm: World["mm"]): Kernel<void> {
  yield* down_write(world_mm.mmap_sem);
});
const release_write = kernelFunction("release_write", function* (mm: World["mm"]): Kernel<void> {
  yield* up_write(mm.mmap_sem);
});
const read_killable = kernelFunction("read_killable", function* (mm: World["mm"]): Kernel<number> {
  const error = yield* down_read_killable(mm.mmap_sem);
  if (error === 0) yield* up_read(mm.mmap_sem);
  return error;
});
const write_killable = kernelFunction("write_killable", function* (mm: World["mm"]): Kernel<number> {
  const error = yield* down_write_killable(mm.mmap_sem);
  if (error === 0) yield* up_write(mm.mmap_sem);
  return error;
});
const read_plainly = kernelFunction("read_plainly", function* (mm: World["mm"]): Kernel<void> {
  yield* down_read(mm.mmap_sem);
  yield* up_read(mm.mmap_sem);
});
const holds = kernelFunction("holds", function* (mm: World["mm"]): Kernel<void> {
  yield* down_read(mm.mmap_sem);
});
const lock = kernelFunction("lock", function* (x: box): Kernel<void> {
  yield* mutex_lock(x.lock);
});
const unlock = kernelFunction("unlock", function* (x: box): Kernel<void> {
  yield* mutex_unlock(x.lock);
});
const lock_killable = kernelFunction("lock_killable", function* (x: box): Kernel<number> {
  const error = yield* mutex_lock_killable(x.lock);
  if (error === 0) yield* mutex_unlock(x.lock);
  return error;
});
const is_ready = kernelFunction("is_ready", function* (x: box): Kernel<boolean> {
  return asBoolean(yield* load(x.ready));
});
const wait = kernelFunction("wait", function* (x: box, q: wait_queue_head): Kernel<number> {
  return yield* wait_event_killable(q, is_ready as never, x);
});
const CPU1 = 1 << 1;
/** From a CPU that has nothing else to do. */
const killed = (world: World, tasks: number): void => world.runOn(5, kill, tasks);

test("a queued waiter leaves with -EINTR; a free lock is taken though a signal is pending", () => {
  for (const wait of [read_killable, write_killable]) {
    const world = new World([], [], "v5.6");
    world.runKeepingLocks(0, hold_write, world.mm);
    world.start(1, wait, world.mm);
    world.step(1);
    assert.throws(() => world.finish(1), /blocked/);
    killed(world, CPU1);
    assert.is(world.finish(1), -EINTR);
    assert.is(world.peek(world.mm.mmap_sem.queue), 0);
    world.runKeepingLocks(0, release_write, world.mm);
    assert.is(world.runOn(1, wait, world.mm), 0);
    assert.is(world.peek(world.mm.mmap_sem.count), 0);
  }
});

test("readers behind a writer who is killed enter at once", () => {
  const world = new World([], [], "v5.6");
  world.runKeepingLocks(0, holds, world.mm);
  world.start(1, write_killable, world.mm);
  world.step(1);
  world.start(2, read_plainly, world.mm);
  world.step(2);
  assert.throws(() => world.finish(2), /blocked/);
  killed(world, CPU1);
  assert.is(world.finish(1), -EINTR);
  world.finish(2);
  assert.is(world.peek(world.mm.mmap_sem.count), 1);
});

test("a killed munmap() does nothing; a signal at any time leaves the lock as it was", () => {
  const world = new World([], [], "v5.6");
  world.runKeepingLocks(0, hold_write, world.mm);
  world.start(0, release_write, world.mm);
  world.start(1, vm_munmap, world.mm, 0x1000, 0x2000);
  world.start(2, kill, CPU1);
  const { findings, deadlocks, finals } = world.explore([0, 1, 2], () => {
    assert.is(world.peek(world.mm.mmap_sem.count), 0);
    assert.is(world.peek(world.mm.mmap_sem.queue), 0);
  });
  assert.is(findings.size + deadlocks, 0);
  assert.ok(finals >= 1);
});

test("a mutex, and a condition that never comes", () => {
  const world = new World([], [], "v5.6");
  const b = world.object(box);
  const wq = world.object(wait_queue_head);
  world.runKeepingLocks(0, lock, b);
  world.start(1, lock_killable, b);
  world.start(2, wait, b, wq);
  assert.throws(() => world.finish(1), /blocked/);
  assert.throws(() => world.finish(2), /blocked/);
  killed(world, CPU1 | (1 << 2));
  assert.is(world.finish(1), -EINTR);
  assert.is(world.finish(2), -ERESTARTSYS);
  assert.is(world.peek(wq.waiting), 0);
  world.runKeepingLocks(0, unlock, b);
  assert.is(world.runOn(1, lock_killable, b), 0);
  world.poke(b.ready, 1);
  assert.is(world.runOn(2, wait, b, wq), 0);
});

test.run();
