/**
 * Notifiers of each era: what registration takes and gives back, who calls release() and when, who waits for whom, and
 * what start and end answer. A row for each kernel, and mutations that must not go unnoticed.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EAGAIN, EINTR, ENOMEM } from "../../runtime/machine/errno.ts";
import { ERAS, existsIn, type Era } from "../../runtime/machine/era.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { rcu_read_lock, rcu_read_unlock, srcu_read_lock, srcu_read_unlock } from "../../runtime/machine/rcu.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at, NULL } from "../../runtime/machine/struct.ts";
import { mm_alloc, mmgrab, mmput } from "../../runtime/mm/fork.ts";
import { VM_READ, VM_SHARED, type address_space, type mm_struct } from "../../runtime/mm/mm_types.ts";
import { mmap_file } from "../../runtime/mm/mmap.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_only_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_invalidate_range_start_nonblock,
} from "../../runtime/mm/mmu_notifier.ts";
import { srcu } from "../../runtime/mm/mmu_notifier_hlist.ts";
import {
  mmu_notifier_register,
  mmu_notifier_unregister,
  mmu_notifier_unregister_no_release,
} from "../../runtime/mm/mmu_notifier_register.ts";
import { mmu_notifier_release } from "../../runtime/mm/mmu_notifier_release.ts";
import { mmu_notifier, mmu_notifier_subscriptions } from "../../runtime/mm/mmu_notifier_types.ts";
import { atDraft, Scene, seen } from "./notifier_scene.ts";
import { namedFile } from "./tables.ts";
import { checkBodies } from "./world.ts";

// ---- what is looked at

/** How many references two registrations take, and how many are left when both are unregistered. */
function references(era: Era, mutations: readonly Mutation[]): string {
  const scene = new Scene(era, mutations);
  const [first, second] = [scene.register(), scene.register()];
  const taken = scene.references;
  scene.run(mmu_notifier_unregister, first, scene.mm);
  scene.run(mmu_notifier_unregister, second, scene.mm);
  assert.is(scene.live().length, atDraft(era) ? 0 : 1, "the mm keeps its list");
  const left = scene.references;
  scene.run(mmput, scene.mm);
  assert.equal(scene.live(), [], "and gives it up with the last reference");
  assert.ok(scene.isFreed(scene.mm));
  if (mutations.length === 0) checkBodies(scene);
  return `${taken}, ${left}`;
}
/** What has been allocated when all locks are taken: by the first registration, and by the second. */
function allocated(era: Era, mutations: readonly Mutation[]): string {
  if (atDraft(era)) return "nothing";
  const scene = new Scene(era, mutations);
  const before = [0, 1].map(() => {
    scene.start(0, mmu_notifier_register, scene.make(), scene.mm);
    scene.until(0, "mm_take_all_locks");
    const there = scene.live().length;
    scene.finish(0);
    return there;
  });
  assert.is(scene.live().length, 1, "what was not needed is freed");
  return before.join(", ");
}
/** How release() is called by the end of the process: on the list still, and inside of which section. */
function atExit(era: Era, mutations: readonly Mutation[]): string {
  const scene = new Scene(era, mutations);
  const [first, second] = [scene.register(), scene.register()];
  scene.run(mmgrab, scene.mm);
  scene.start(0, mmput, scene.mm);
  scene.until(0, "noteRelease");
  const how = `${scene.isLinked(second) ? "linked" : "unlinked"}, ${scene.reads(0)}`;
  scene.finish(0);
  assert.is(scene.told, 2414, "newest first, each once");
  assert.not.ok(scene.isLinked(first) || scene.isLinked(second));
  assert.not.ok(scene.isFreed(scene.mm));
  if (!atDraft(era)) for (const mn of [first, second]) scene.run(mmu_notifier_unregister, mn, scene.mm);
  assert.is(scene.told, 2414, "who unregisters later finds it done");
  assert.is(scene.references, 1);
  return how;
}
/** Inside of which section the end of the process takes the notifiers off the list. */
function atUnlink(era: Era, mutations: readonly Mutation[]): string {
  const scene = new Scene(era, mutations);
  scene.register();
  scene.start(0, mmput, scene.mm);
  scene.until(0, atDraft(era) ? "hlist_del_rcu" : "hlist_del_init_rcu");
  return scene.reads(0);
}
/** The same of who unregisters; "none": it leaves release() alone. */
function atUnregister(era: Era, mutations: readonly Mutation[]): string {
  const scene = new Scene(era, mutations);
  const mn = scene.register();
  if (atDraft(era)) {
    scene.run(mmu_notifier_unregister, mn, scene.mm);
    return scene.told === 0 ? "none" : "some";
  }
  scene.start(0, mmu_notifier_unregister, mn, scene.mm);
  scene.until(0, "noteRelease");
  const how = `${scene.isLinked(mn) ? "linked" : "unlinked"}, ${scene.reads(0)}`;
  scene.finish(0);
  assert.is(scene.told, 14);
  assert.not.ok(scene.isLinked(mn));
  return how;
}
/** Who waits until a callback that runs is over: who unregisters, and the end of the process. */
function waiters(era: Era, mutations: readonly Mutation[]): string {
  const waits = (begin: (scene: Scene, mn: mmu_notifier) => void): boolean => {
    const scene = new Scene(era, mutations);
    const mn = scene.register();
    scene.run(mmu_notifier_invalidate_range_start, scene.range);
    scene.start(1, mmu_notifier_invalidate_range_end, scene.range);
    scene.until(1, atDraft(era) ? "noteFlush" : "noteEnd");
    begin(scene, mn);
    const waited = scene.waits(0);
    scene.finish(1);
    scene.finish(0);
    return waited;
  };
  const names: string[] = [];
  if (waits((scene, mn) => scene.start(0, mmu_notifier_unregister, mn, scene.mm))) names.push("unregister");
  if (waits((scene) => scene.start(0, mmu_notifier_release, scene.mm))) names.push("release");
  return names.join(", ");
}
const enter_section = kernelFunction(
  "enter_section",
  function* (): Kernel<void> {
    yield* rcu_read_lock();
    yield* srcu_read_lock(srcu);
    yield* srcu_read_unlock(srcu);
    yield* rcu_read_unlock();
  },
  { params: [] },
);
/** Whether the end of a process waits for readers though it has no notifier any more. */
function emptyList(era: Era, mutations: readonly Mutation[]): string {
  const scene = new Scene(era, mutations);
  scene.run(mmu_notifier_unregister, scene.register(), scene.mm);
  scene.start(1, enter_section);
  for (let step = 0; step < 2; step++) scene.step(1);
  scene.start(0, mmu_notifier_release, scene.mm);
  return scene.waits(0) ? "release" : "nobody";
}
/** What notifiers hear of start and end, newest first, and of an end that flushes nothing. */
function invalidation(era: Era, mutations: readonly Mutation[]): string {
  const scene = new Scene(era, mutations);
  scene.register();
  scene.register(["flush"]);
  scene.run(mmu_notifier_invalidate_range_start, scene.range);
  scene.run(mmu_notifier_invalidate_range_end, scene.range);
  const all = scene.told;
  scene.poke(seen.text, 0);
  scene.run(mmu_notifier_invalidate_range_start, scene.range);
  scene.run(mmu_notifier_invalidate_range_only_end, scene.range);
  return `${all}; ${scene.told}`;
}
/** What comes of it, and who hears what, if the second of three refuses. The first has no end, the second cannot. */
function refusal(era: Era, mutations: readonly Mutation[]): string {
  if (!existsIn({ since: "v4.19" }, era)) return "nobody can";
  const scene = new Scene(era, mutations);
  scene.oracles = "off"; // up to 5.11 nobody is told of the end
  scene.register(["start"]);
  scene.register(["start"], -EAGAIN);
  scene.register(["start", "end"]);
  const error = scene.run(mmu_notifier_invalidate_range_start_nonblock, scene.range);
  assert.is(error, -EAGAIN);
  const told = scene.told;
  assert.is(scene.findings.length, 0);
  scene.run(mmu_notifier_invalidate_range_start, scene.range);
  return `${told}, ${scene.findings.map(({ message }) => message).join()}`;
}

/** What it says if one refuses that also has an end. */
function unpaired(era: Era, mutations: readonly Mutation[]): string {
  if (!existsIn({ since: "v4.19" }, era)) return "";
  const scene = new Scene(era, mutations);
  scene.oracles = "off"; // who refuses must not have an end
  scene.register(["start", "end"], -EAGAIN);
  scene.run(mmu_notifier_invalidate_range_start_nonblock, scene.range);
  return scene.findings.map(({ message }) => message).join();
}

// ---- what is expected

interface Row {
  readonly references: string;
  readonly allocated: string;
  readonly atExit: string;
  readonly atUnlink: string;
  readonly atUnregister: string;
  readonly waiters: string;
  readonly emptyList: string;
  readonly invalidation: string;
  readonly refusal: string;
  readonly unpaired: string;
}
const look = {
  ...{ references, allocated, atExit, atUnlink, atUnregister },
  ...{ waiters, emptyList, invalidation, refusal, unpaired },
} satisfies Record<keyof Row, (era: Era, mutations: readonly Mutation[]) => string>;
const questions = Object.keys(look) as (keyof Row)[];

/** What differs from the era before. */
const DRAFT: Row = {
  ...{ references: "1, 1", allocated: "nothing" },
  ...{ atExit: "unlinked, rcu", atUnlink: "rcu", atUnregister: "none" },
  ...{ waiters: "release", emptyList: "nobody", invalidation: "2313; 2313", refusal: "nobody can", unpaired: "" },
};
const B1: Row = {
  ...DRAFT,
  ...{ references: "3, 1", allocated: "1, 2" },
  ...{ atUnlink: "nothing", atUnregister: "unlinked, rcu" },
  ...{ waiters: "unregister, release", emptyList: "release", invalidation: "1112; 1112" },
};
const B2: Row = { ...B1, atExit: "linked, rcu", atUnregister: "linked, rcu" };
const B4: Row = { ...B1, atExit: "unlinked, srcu", atUnlink: "srcu", atUnregister: "unlinked, srcu" };
const C: Row = { ...B2, atExit: "linked, srcu", atUnregister: "linked, srcu" };
const C2: Row = { ...C, atUnlink: "srcu", invalidation: "11231312; 1112", refusal: "312111, " };
const WARNS = "mmu_notifier_range_blockable(range) || _ret != -EAGAIN";
const D0: Row = { ...C2, allocated: "1, 1", refusal: `312111, ${WARNS}` };
const D1: Row = { ...D0, emptyList: "nobody" };
const E2: Row = { ...D1, refusal: `31211132, ${WARNS}`, unpaired: "ops->invalidate_range_end" };
const rows: Record<Era, Row> = {
  "mmu-notifier-v3": DRAFT,
  ...{ "v2.6.27": B1, "v3.6": B2, "v3.8": B4, "v3.10": C },
  ...{ "v4.19": C2, "v5.1": C2, "v5.2": C2, "v5.3": C2 },
  ...{ "v5.4": D0, "v5.5": D1, "v5.6": D1, "v5.8": D1, "v5.10": D1 },
  ...{ "v5.12": E2, "v5.18": E2, "v6.0": E2, "v6.1": E2 },
};

for (const era of ERAS)
  test(`${era}: registration, release(), start and end`, () => {
    const row = Object.fromEntries(questions.map((question) => [question, look[question](era, [])]));
    assert.equal(row, rows[era]);
  });

/** Each makes the answer to one question another, or ends in an error. */
const noticed: readonly (readonly [keyof Row, Era, Mutation])[] = [
  ["references", "v2.6.27", { in: "do_mmu_notifier_register", drop: "mmgrab" }],
  ["references", "v3.6", { in: "mmu_notifier_unregister", drop: "mmdrop" }],
  ["references", "v5.4", { in: "__mmu_notifier_register", drop: "mmgrab" }],
  ["references", "v5.6", { in: "mmu_notifier_unregister", drop: "mmdrop" }],
  ["allocated", "v3.8", { in: "do_mmu_notifier_register", drop: "kfree" }],
  ["atExit", "v2.6.27", { in: "__mmu_notifier_release", drop: "rcu_read_lock" }],
  ["atExit", "v3.8", { in: "__mmu_notifier_release", drop: "srcu_read_lock" }],
  ["atUnlink", "v4.19", { in: "__mmu_notifier_release", drop: "srcu_read_lock" }],
  ["atUnlink", "v5.6", { in: "mn_hlist_release", drop: "srcu_read_lock" }],
  ["atUnregister", "v2.6.27", { in: "mmu_notifier_unregister", drop: "hlist_del_rcu" }],
  ["atUnregister", "v3.8", { in: "mmu_notifier_unregister", drop: "hlist_del_rcu" }],
  ["atUnregister", "v3.10", { in: "mmu_notifier_unregister", drop: "hlist_del_init_rcu" }],
  ["atUnregister", "v3.6", { in: "mmu_notifier_unregister", drop: "rcu_read_lock" }],
  ["waiters", "v2.6.27", { in: "mmu_notifier_unregister", drop: "synchronize_rcu" }],
  ["waiters", "v3.6", { in: "__mmu_notifier_release", drop: "synchronize_rcu" }],
  ["waiters", "v3.8", { in: "mmu_notifier_unregister", drop: "synchronize_srcu" }],
  ["waiters", "v3.10", { in: "__mmu_notifier_release", drop: "synchronize_srcu" }],
  ["waiters", "v4.19", { in: "mmu_notifier_unregister", drop: "synchronize_srcu" }],
  ["waiters", "v5.6", { in: "mn_hlist_release", drop: "synchronize_srcu" }],
  ["waiters", "v3.6", { in: "__mmu_notifier_invalidate_range_end", drop: "rcu_read_lock" }],
  ["waiters", "v5.3", { in: "__mmu_notifier_invalidate_range_end", drop: "srcu_read_lock" }],
  ["emptyList", "v4.19", { in: "__mmu_notifier_release", drop: "synchronize_srcu" }],
  ["emptyList", "v5.6", { in: "__mmu_notifier_release", drop: "hlist_empty", result: false }],
  ["invalidation", "v3.10", { in: "__mmu_notifier_invalidate_range_start", drop: "noteStart" }],
  ["invalidation", "v5.6", { in: "mn_hlist_invalidate_end", drop: "noteFlush" }],
  ["refusal", "v4.19", { in: "__mmu_notifier_invalidate_range_start", drop: "noteStart", occurrence: 1, result: 0 }],
  ["refusal", "v5.12", { in: "mn_hlist_invalidate_range_start", drop: "noteEnd" }],
];
for (const [question, era, mutation] of noticed)
  test(`${era}: without ${mutation.drop} in ${mutation.in} it is another kernel`, () => {
    let answer: string | null = null;
    try {
      answer = look[question](era, [mutation]);
    } catch {
      return;
    }
    assert.is.not(answer, rows[era][question]);
  });

// ---- what goes wrong

const FAILURES = [
  ["kzalloc", NULL(mmu_notifier_subscriptions), -ENOMEM],
  ["mm_take_all_locks", -EINTR, -EINTR],
] as const;
const REGISTERS = { before: "do_mmu_notifier_register", since: "__mmu_notifier_register" };
const registers = (era: Era): string => (existsIn({ since: "v5.4" }, era) ? REGISTERS.since : REGISTERS.before);
const released = ERAS.filter((era) => !atDraft(era));

test("registration that fails leaves nothing behind: no memory, a signal", () => {
  for (const era of released)
    for (const [drop, result, error] of FAILURES) {
      const scene = new Scene(era, [{ in: registers(era), drop, result }]);
      assert.is(scene.run(mmu_notifier_register, scene.make(), scene.mm), error, era);
      assert.is(scene.references, 1, era);
      assert.equal(scene.live(), [], era);
      assert.is(scene.peek(scene.mm.notifier_subscriptions), 0, era);
    }
});
test("an mm must have users when registration begins, and when it ends", () => {
  for (const era of released) {
    const dead = new Scene(era);
    dead.run(mmgrab, dead.mm);
    dead.run(mmput, dead.mm);
    assert.throws(() => dead.run(mmu_notifier_register, dead.make(), dead.mm), /mm_users\) <= 0/);
    const dying = new Scene(era);
    dying.oracles = "off";
    dying.start(0, mmu_notifier_register, dying.make(), dying.mm);
    dying.until(0, "mm_drop_all_locks");
    dying.poke(dying.mm.mm_users, 0);
    assert.throws(() => dying.finish(0), /mm_users\) <= 0/);
  }
});
test("who unregisters must have a reference, before and after", () => {
  for (const era of released) {
    const scene = new Scene(era);
    scene.oracles = "off";
    const mn = scene.register();
    scene.poke(scene.mm.mm_count, 0);
    assert.throws(() => scene.run(mmu_notifier_unregister, mn, scene.mm), /mm_count\) <= 0/);
    const later = new Scene(era);
    later.oracles = "off";
    const other = later.register();
    later.start(0, mmu_notifier_unregister, other, later.mm);
    later.until(0, "noteRelease");
    later.poke(later.mm.mm_count, 0);
    assert.throws(() => later.finish(0), /mm_count\) <= 0/);
  }
});

// ---- what only some have

test("the notifier is published by hlist_add_head() up to 5.2, then by hlist_add_head_rcu()", () => {
  for (const era of released) {
    const scene = new Scene(era);
    scene.start(0, mmu_notifier_register, scene.make(), scene.mm);
    scene.until(0, existsIn({ since: "v5.3" }, era) ? "hlist_add_head_rcu" : "hlist_add_head");
    scene.finish(0);
  }
});
test("v4.19 to v5.3: who leaves without release() calls nobody and waits for nobody", () => {
  for (const era of ["v4.19", "v5.1", "v5.2", "v5.3"] as const) {
    const scene = new Scene(era);
    const mn = scene.register();
    scene.start(1, mmu_notifier_invalidate_range_start, scene.range);
    scene.until(1, "noteStart");
    scene.run(mmu_notifier_unregister_no_release, mn, scene.mm);
    assert.is(scene.references, 1);
    assert.not.ok(scene.isLinked(mn));
    scene.finish(1);
    assert.is(scene.told, 11);
  }
});
test("since v5.4 a notifier knows its mm and has one user; since v5.5 there are kernels that want none", () => {
  for (const era of released.filter((one) => existsIn({ since: "v5.4" }, one))) {
    const scene = new Scene(era);
    const mn = scene.register();
    assert.is(scene.peek(mn.mm), scene.mm.addr);
    assert.is(scene.peek(mn.users), 1);
    if (era === "v5.4") continue;
    const other = new Scene(era);
    assert.is(other.run(mmu_notifier_register, NULL(mmu_notifier), other.mm), 0);
    assert.is(other.references, 1);
    const known = at(mmu_notifier_subscriptions, other.peek(other.mm.notifier_subscriptions));
    assert.is(other.peek(known.has_itree), 1);
    assert.is(other.peek(known.invalidate_seq), 2);
  }
});

// ---- patches

test("register-allocates-under-locks: nothing is allocated until all locks are held, nor twice", () => {
  const scene = new Scene("v3.8", [], ["register-allocates-under-locks"]);
  for (const there of [0, 1]) {
    scene.start(0, mmu_notifier_register, scene.make(), scene.mm);
    scene.until(0, "mm_drop_all_locks");
    assert.is(scene.live().length, 1);
    scene.finish(0);
    assert.is(scene.references, 2 + there);
  }
  const patch = ["register-allocates-under-locks"];
  for (const [drop, result, error] of FAILURES) {
    const failing = new Scene("v3.8", [{ in: "do_mmu_notifier_register", drop, result }], patch);
    assert.is(failing.run(mmu_notifier_register, failing.make(), failing.mm), error);
    assert.is(failing.references, 1);
    assert.equal(failing.live(), []);
  }
});

/** Two processes map two files, in two orders, the first one file twice; in how many ways their registrations stick. */
function stuck(mutations: readonly Mutation[], patches: readonly string[], era: Era): number {
  const scene = new Scene(era, mutations, patches);
  const [f, g] = [namedFile(scene, 0x1000), namedFile(scene, 0x1000)];
  const other = scene.run(mm_alloc);
  const map = (mm: mm_struct, files: readonly address_space[]): void => {
    for (const [i, file] of files.entries())
      scene.run(mmap_file, mm, 0x10000 * (i + 1), 0x10000 * (i + 1) + 0x1000, VM_READ | VM_SHARED, file, 0);
  };
  map(scene.mm, [f, g, f]);
  map(other, [g, f]);
  scene.start(0, mmu_notifier_register, scene.make(), scene.mm);
  scene.start(1, mmu_notifier_register, scene.make(), other);
  return scene.explore([0, 1]).deadlocks;
}
test("no-all-locks-mutex: two registrations wait for each other", () => {
  for (const era of released) {
    assert.is(stuck([], [], era), 0, era);
    assert.ok(stuck([], ["no-all-locks-mutex"], era) > 0, era);
  }
  const unlocked = { in: "mm_take_all_locks", drop: "mutex_lock" };
  assert.ok(stuck([unlocked, { in: "mm_drop_all_locks", drop: "mutex_unlock" }], [], "v5.2") > 0);
});

test.run();
