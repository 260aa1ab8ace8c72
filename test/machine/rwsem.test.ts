import { test } from "uvu";
import * as assert from "uvu/assert";
import { load, store } from "../../runtime/machine/access.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import {
  down_read,
  down_read_trylock,
  down_write,
  down_write_trylock,
  downgrade_write,
  rw_semaphore,
  up_read,
  up_write,
  waiters,
} from "../../runtime/machine/rwsem.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { embed, int, Struct } from "../../runtime/machine/struct.ts";
import { brute } from "../support/brute.ts";
import { Rig } from "../support/rig.ts";

class guarded extends Struct {
  sem = embed(rw_semaphore);
  word = int();
}

const reader = kernelFunction("reader", function* (g: guarded): Kernel<number> {
  yield* down_read(g.sem);
  const value = yield* load(g.word);
  yield* up_read(g.sem);
  return value;
});
const writer = kernelFunction("writer", function* (g: guarded): Kernel<void> {
  yield* down_write(g.sem);
  yield* store(g.word, 1);
  yield* up_write(g.sem);
});
const downgrader = kernelFunction("downgrader", function* (g: guarded): Kernel<number> {
  yield* down_write(g.sem);
  yield* downgrade_write(g.sem);
  const value = yield* load(g.word);
  yield* up_read(g.sem);
  return value;
});
const recursive = kernelFunction("recursive", function* (g: guarded): Kernel<void> {
  yield* down_read(g.sem);
  yield* down_read(g.sem);
  yield* up_read(g.sem);
  yield* up_read(g.sem);
});
const tryBoth = kernelFunction("tryBoth", function* (g: guarded): Kernel<string> {
  const read = yield* down_read_trylock(g.sem);
  if (read) yield* up_read(g.sem);
  const write = yield* down_write_trylock(g.sem);
  if (write) yield* up_write(g.sem);
  return `${read ? "r" : "-"}${write ? "w" : "-"}`;
});
const wrongUps = kernelFunction("wrongUps", function* (g: guarded): Kernel<void> {
  yield* down_read(g.sem);
  yield* up_write(g.sem);
  yield* downgrade_write(g.sem);
  yield* up_read(g.sem);
  yield* up_read(g.sem);
});

function scene(): { rig: Rig; g: guarded; queue: () => string } {
  const rig = new Rig();
  const g = rig.object(guarded, "g");
  const queue = (): string =>
    waiters(rig.peek(g.sem.queue))
      .map((w) => `${w.actor}${w.writer ? "w" : "r"}`)
      .join(" ");
  return { rig, g, queue };
}

test("readers share, a writer has it alone", () => {
  const { rig, g, queue } = scene();
  rig.start(0, reader, g).start(1, reader, g).start(2, writer, g);
  rig.steps(0, 1).steps(1, 1);
  assert.is(rig.peek(g.sem.count), 2);
  rig.steps(2, 1); // queues
  assert.is(queue(), "2w");
  assert.not(rig.canMove(2));
  rig.steps(0, 2);
  assert.not(rig.canMove(2));
  rig.steps(1, 2);
  assert.is(rig.peek(g.sem.count), -1);
  assert.is(queue(), "");
  assert.is(rig.holds(2, g.sem), "exclusive", "the lock is handed over before the sleeper has woken");
  assert.is(rig.next(2), "down_write(&g->sem)");
  assert.is(rig.go(2), "done");
  assert.is(rig.peek(g.sem.count), 0);
});

test("a queued writer stops new readers; readers enter after it, all at once", () => {
  const { rig, g, queue } = scene();
  for (const actor of [0, 2, 3]) rig.start(actor, reader, g);
  rig.start(1, writer, g).start(4, writer, g);
  rig.steps(0, 1).steps(1, 1).steps(2, 1).steps(4, 1).steps(3, 1);
  assert.is(rig.peek(g.sem.count), 1, "the second and third reader wait, though a reader has it");
  assert.is(queue(), "1w 2r 4w 3r");
  rig.steps(0, 2);
  assert.is(queue(), "2r 4w 3r");
  rig.steps(1, 3);
  assert.is(rig.peek(g.sem.count), 2, "every queued reader is let in, past the writer between them");
  assert.is(queue(), "4w");
  for (const actor of [2, 3]) {
    assert.is(rig.holds(actor, g.sem), "shared", "a woken reader has the lock before it runs");
    assert.is(rig.next(actor), "down_read(&g->sem)");
  }
  assert.equal([rig.go(2), rig.go(3), rig.go(4)], ["done", "done", "done"]);
  assert.is(rig.findings.length, 0);
});

test("who is first in the queue is first served", () => {
  const { rig, g } = scene();
  for (const actor of [0, 1, 2]) rig.start(actor, writer, g).steps(actor, 1);
  rig.steps(0, 2);
  assert.not(rig.canMove(2));
  assert.is(rig.go(1), "done");
  assert.is(rig.go(2), "done");
});

test("a downgrade lets in the readers at the head of the queue, and nobody past a writer", () => {
  const { rig, g, queue } = scene();
  rig.start(0, downgrader, g).steps(0, 1);
  rig.start(1, reader, g).steps(1, 1).start(2, writer, g).steps(2, 1).start(3, reader, g).steps(3, 1);
  rig.steps(0, 1);
  assert.is(rig.holds(0, g.sem), "shared");
  assert.is(rig.peek(g.sem.count), 3);
  assert.is(queue(), "2w");
  const behind = scene();
  behind.rig.start(0, downgrader, behind.g).steps(0, 1);
  behind.rig.start(2, writer, behind.g).steps(2, 1).start(3, reader, behind.g).steps(3, 1);
  behind.rig.steps(0, 1);
  assert.is(behind.rig.peek(behind.g.sem.count), 1);
  assert.is(behind.queue(), "2w 3r");
});

test("reading recursively deadlocks if a writer comes in between", () => {
  const { rig, g } = scene();
  rig.start(0, recursive, g).start(1, writer, g);
  const graph = brute(rig.machine, { cpus: [0, 1] });
  assert.is(graph.deadlocks, 1);
  assert.ok(
    graph.events.has("report deadlock|recursive|cpu0 waits in down_read(&g->sem); cpu1 waits in down_write(&g->sem)"),
  );
  const alone = scene();
  alone.rig.start(0, recursive, alone.g).start(1, reader, alone.g);
  assert.is(brute(alone.rig.machine, { cpus: [0, 1] }).deadlocks, 0, "other readers do no harm");
});

test("trylocks take it only when nobody waits", () => {
  const { rig, g } = scene();
  assert.is(rig.run(tryBoth, g), "rw");
  rig.start(1, reader, g).steps(1, 1);
  assert.is(rig.run(tryBoth, g), "r-");
  rig.start(2, writer, g).steps(2, 1);
  assert.is(rig.run(tryBoth, g), "--");
  rig.steps(1, 2);
  assert.is(rig.run(tryBoth, g), "--");
});

test("what is given up otherwise than it was taken is told", () => {
  const { rig, g } = scene();
  rig.run(wrongUps, g);
  assert.equal(
    rig.findings.map((f) => `${f.kind} ${f.step}`),
    ["lockdep up_write(&g->sem)", "lockdep downgrade_write(&g->sem)", "lockdep up_read(&g->sem)"],
  );
  assert.is(rig.peek(g.sem.count), 0);
});

test("more waiters than a word can hold are a bug of the model's bounds, and said to be", () => {
  const { rig, g } = scene();
  const actors = [...Array(12).keys()].filter((actor) => actor !== 8 && actor !== 10);
  rig.start(actors[0] as number, writer, g).steps(actors[0] as number, 1);
  for (const actor of actors.slice(1)) rig.start(actor, reader, g).steps(actor, 1);
  assert.is(waiters(rig.peek(g.sem.queue)).length, 9);
  rig.start(12, reader, g).steps(12, 1);
  assert.is(rig.start(13, writer, g).go(13), "fatal");
  assert.equal(rig.messages(), ["bug: more than 10 waiters on one rw_semaphore"]);
  assert.ok(Number.isSafeInteger(rig.peek(g.sem.queue)));
});

test.run();
