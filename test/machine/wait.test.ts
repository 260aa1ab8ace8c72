import { test } from "uvu";
import * as assert from "uvu/assert";
import { load, READ_ONCE, store, WRITE_ONCE } from "../../runtime/machine/access.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import { container_of, embed, flag, int, Struct } from "../../runtime/machine/struct.ts";
import {
  complete,
  complete_all,
  completion,
  reinit_completion,
  wait_event,
  wait_event_timeout,
  wait_for_completion,
  wait_queue_head,
  wake_up_all,
} from "../../runtime/machine/wait.ts";
import { flush_work, schedule_work, work_struct } from "../../runtime/machine/workqueue.ts";
import { brute } from "../support/brute.ts";
import { Rig, WORK_ACTOR } from "../support/rig.ts";

class waited extends Struct {
  wq = embed(wait_queue_head);
  ready = flag();
  done = embed(completion);
  work = embed(work_struct);
  count = int();
}

const isReady = kernelFunction("isReady", function* (w: Value): Kernel<boolean> {
  return yield* READ_ONCE((w as waited).ready);
});
const waiter = kernelFunction("waiter", function* (w: waited): Kernel<void> {
  yield* wait_event(w.wq, isReady, w);
});
const impatient = kernelFunction("impatient", function* (w: waited): Kernel<boolean> {
  return yield* wait_event_timeout(w.wq, isReady, w);
});
const storeThenWake = kernelFunction("storeThenWake", function* (w: waited): Kernel<void> {
  yield* WRITE_ONCE(w.ready, true);
  yield* wake_up_all(w.wq);
});
const wakeThenStore = kernelFunction("wakeThenStore", function* (w: waited): Kernel<void> {
  yield* wake_up_all(w.wq);
  yield* WRITE_ONCE(w.ready, true);
});
const wakeForNothing = kernelFunction("wakeForNothing", function* (w: waited): Kernel<void> {
  yield* wake_up_all(w.wq);
});

function scene(): { rig: Rig; w: waited } {
  const rig = new Rig();
  return { rig, w: rig.object(waited, "w") };
}

test("who finds the condition true does not wait", () => {
  const { rig, w } = scene();
  rig.poke(w.ready, 1);
  rig.start(0, waiter, w).steps(0, 1);
  assert.ok(rig.machine.isFinished(0));
});

test("a wake-up between the two tests is not lost: the second test sees the condition", () => {
  const { rig, w } = scene();
  rig.start(0, waiter, w).steps(0, 2);
  assert.is(rig.peek(w.wq.waiting), 1);
  assert.is(rig.start(1, storeThenWake, w).go(1), "done");
  rig.steps(0, 2);
  assert.ok(rig.machine.isFinished(0));
  assert.is(rig.peek(w.wq.waiting), 0);
});

test("no order of storing, then waking lets the waiter sleep on; waking first does", () => {
  const good = scene();
  good.rig.start(0, waiter, good.w).start(1, storeThenWake, good.w);
  const right = brute(good.rig.machine, { cpus: [0, 1] });
  assert.is(right.deadlocks, 0);
  assert.ok(right.finals > 0);
  const bad = scene();
  bad.rig.start(0, waiter, bad.w).start(1, wakeThenStore, bad.w);
  const wrong = brute(bad.rig.machine, { cpus: [0, 1] });
  assert.is(wrong.deadlocks, 1, "the lost wake-up");
  assert.ok(wrong.events.has("report deadlock|waiter|cpu0 waits in schedule(&w->wq)"));
});

test("one wake-up wakes everybody, and a wake-up for nothing sends them back to sleep", () => {
  const { rig, w } = scene();
  for (const actor of [0, 1]) assert.is(rig.start(actor, waiter, w).go(actor), "blocked");
  assert.is(rig.peek(w.wq.waiting), 0b11);
  const asleep = rig.hash();
  rig.start(2, wakeForNothing, w).go(2);
  for (const actor of [0, 1]) assert.is(rig.go(actor), "blocked");
  assert.is(rig.hash(), asleep, "after a round they are where they were");
  rig.start(2, storeThenWake, w).go(2);
  for (const actor of [0, 1]) assert.is(rig.go(actor), "done");
});

test("a waiter with a time-out never sleeps for ever, and says what the condition was", () => {
  const { rig, w } = scene();
  rig.start(0, impatient, w).start(1, wakeThenStore, w);
  const graph = brute(rig.machine, { cpus: [0, 1] });
  assert.is(graph.deadlocks, 0);
  const late = scene();
  assert.is(late.rig.start(0, impatient, late.w).go(0), "blocked", "choice 0 is to be woken");
  late.rig.step(0, 1);
  assert.is(late.rig.peek(late.w.wq.waiting), 0);
  assert.is(late.rig.go(0), "done");
});

const done = kernelFunction("done", function* (w: waited): Kernel<void> {
  yield* wait_for_completion(w.done);
});
const completes = kernelFunction("completes", function* (w: waited, how: string): Kernel<void> {
  if (how === "all") yield* complete_all(w.done);
  else if (how === "again") yield* reinit_completion(w.done);
  else yield* complete(w.done);
});

test("complete lets one wait pass, whether it comes before or after", () => {
  const { rig, w } = scene();
  for (const actor of [0, 1]) assert.is(rig.start(actor, done, w).go(actor), "blocked");
  rig.runOn(2, completes, w, "one");
  assert.is(rig.go(0), "done");
  assert.is(rig.go(1), "blocked");
  rig.runOn(2, completes, w, "one");
  rig.runOn(2, completes, w, "one");
  assert.is(rig.go(1), "done");
  assert.is(rig.start(0, done, w).go(0), "done");
  assert.is(rig.start(0, done, w).go(0), "blocked");
});

test("complete_all lets everybody pass for ever, until reinit_completion", () => {
  const { rig, w } = scene();
  rig.runOn(2, completes, w, "all");
  for (let i = 0; i < 3; i++) assert.is(rig.start(0, done, w).go(0), "done");
  rig.runOn(2, completes, w, "one");
  assert.is(rig.start(0, done, w).go(0), "done");
  rig.runOn(2, completes, w, "again");
  assert.is(rig.start(0, done, w).go(0), "blocked");
});

const work = kernelFunction("work", function* (item: work_struct): Kernel<void> {
  const w = container_of(item, waited, "work");
  yield* store(w.count, (yield* load(w.count)) + 1);
});
const schedules = kernelFunction("schedules", function* (w: waited): Kernel<boolean> {
  return yield* schedule_work(w.work);
});
const flushes = kernelFunction("flushes", function* (w: waited): Kernel<number> {
  yield* flush_work(w.work);
  return yield* load(w.count);
});

test("a work item runs on its own actor, once for each time it was queued", () => {
  const { rig, w } = scene();
  rig.poke(w.work.func, work.id);
  assert.ok(rig.machine.isIdle(WORK_ACTOR));
  assert.is(rig.run(schedules, w), true);
  assert.is(rig.run(schedules, w), false, "it is queued already");
  assert.is(rig.start(0, flushes, w).go(0), "blocked");
  rig.steps(WORK_ACTOR, 1);
  assert.not(rig.canMove(0), "it runs");
  assert.is(rig.runOn(1, schedules, w), true, "while it runs it may be queued again");
  assert.is(rig.go(WORK_ACTOR), "blocked");
  assert.is(rig.peek(w.count), 2);
  assert.is(rig.go(0), "done");
  assert.ok(rig.machine.isIdle(WORK_ACTOR));
});

test.run();
