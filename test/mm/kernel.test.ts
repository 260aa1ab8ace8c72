import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Callable } from "../../runtime/callable.ts";
import { callables, declarableTypes, defaultObjects, patches } from "../../runtime/kernel.ts";
import { allFunctions, kernelFunction } from "../../runtime/machine/function.ts";
import { placeOf } from "../../runtime/machine/report.ts";
import type { Kernel, Value } from "../../runtime/machine/step.ts";
import { hmm_mirror, hmm_range } from "../../runtime/mm/hmm_types.ts";
import { VM_READ, VM_WRITE } from "../../runtime/mm/mm_types.ts";
import { isBuiltIn, type Era } from "../../runtime/patch.ts";
import { vm_mmap_pgoff } from "../../runtime/mm/mmap.ts";
import { mmput } from "../../runtime/mm/fork.ts";
import { down_read, up_read } from "../../runtime/machine/rwsem.ts";
import { errnoByName, errnoName } from "../../runtime/machine/errno.ts";
import { checkBodies, World } from "./world.ts";

/** The entry of this name that takes so many arguments. */
function callable(name: string, params: number): Callable {
  const entry = callables.find((c) => c.name === name && c.params.length === params);
  if (entry === undefined) throw new Error(`no callable ${name} of ${params}`);
  return entry;
}
type Run = (...args: readonly Value[]) => Kernel<Value>;
const call = (entry: Callable, ...args: readonly Value[]): Kernel<Value> => (entry.run as unknown as Run)(...args);

const registerDefault = kernelFunction(
  "registerDefault",
  function* (object: hmm_mirror, mm: Value): Kernel<Value> {
    const recipe = defaultObjects.find((d) => d.type() === hmm_mirror);
    return yield* (recipe as NonNullable<typeof recipe>).prepare(mm as { addr: number }, object, [0, 0x10000]);
  },
  { params: ["object", "mm"] },
);
const faultLocked = kernelFunction(
  "faultLocked",
  function* (mirror: hmm_mirror, mm: Value, start: number, end: number): Kernel<Value> {
    const { mmap_sem } = mm as import("../../runtime/mm/mm_types.ts").mm_struct;
    yield* down_read(mmap_sem);
    const ret = yield* call(callable("hmm_range_fault", 3), mirror, start, end, 3);
    yield* up_read(mmap_sem);
    return ret;
  },
  { params: ["mirror", "mm", "start", "end"] },
);

test("what a call maps or registers is one of its parameters", () => {
  for (const { name, params, maps, registers, summary, source } of callables) {
    for (const word of [maps, registers])
      assert.ok(word === undefined || params.some((p) => p.name === word), `${name}: ${word}`);
    assert.ok(summary.length > 0 && source.length > 0, name);
  }
});

test("patches need patches that exist, and apply where what they need applies", () => {
  for (const patch of patches)
    for (const need of patch.needs) {
      const other = patches.find((p) => p.name === need);
      const has = (era: Era): boolean => other !== undefined && (other.eras.includes(era) || isBuiltIn(other, era));
      assert.ok(patch.eras.every(has), patch.name);
    }
  const named = new Set(patches.map((p) => p.name));
  for (const { name, patch } of callables) assert.ok(patch === undefined || named.has(patch), name);
});

test("kernel functions name their parameters, and the kernel's own say where they come from", () => {
  const ours = allFunctions().filter((f) => /^(mm|kernel|drivers|include|arch)\//.test(f.info.source ?? ""));
  assert.ok(ours.length > 80);
  for (const { name, info, bodies } of ours) {
    const [{ body } = { body: undefined }] = bodies;
    if (body !== undefined && body.length > 0) assert.is(info.params?.length, body.length, name);
    if (!/^(mm|drivers)\//.test(info.source ?? "") || info.internal === true) continue;
    assert.ok(
      ours.some((f) => f.name === name && f.info.summary !== undefined),
      `${name} has no summary`,
    );
  }
});

test("objects that can be declared fit a slot and can be made", () => {
  const world = new World();
  for (const type of Object.values(declarableTypes)) world.object(type());
});

test("error codes go both ways", () => {
  assert.is(errnoByName("EINVAL"), 22);
  assert.is(errnoName(-22), "-EINVAL");
  assert.is(errnoName(22), undefined);
  assert.is(errnoByName("EWHAT"), undefined);
});

test("the race of the mission: a mirror without callbacks, faulted while its process ends", () => {
  const world = new World();
  world.oracles = "off"; // a driver with bugs
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x5000, VM_READ | VM_WRITE);
  const mirror = world.object(hmm_mirror);
  assert.is(world.run(registerDefault, mirror, world.mm), 0);
  assert.is(world.run(faultLocked, mirror, world.mm, 0x1000, 0x3000), 2);
  world.start(0, mmput, world.mm);
  world.start(1, faultLocked, mirror, world.mm, 0x1000, 0x3000);
  const places = [...world.explore([0, 1]).findings.values()].map((f) => `${f.kind} in ${placeOf(f)}`);
  assert.ok(places.includes("use-after-free in find_vma"), places.join("; "));
  checkBodies(world);
});

test("a range of the script's own has room for its own pages, and says so beyond", () => {
  const world = new World();
  world.run(vm_mmap_pgoff, world.mm, 0x1000, 0x100000, VM_READ | VM_WRITE);
  const mirror = world.object(hmm_mirror);
  world.run(registerDefault, mirror, world.mm);
  assert.is(world.run(faultLocked, mirror, world.mm, 0x1000, 0x11000), 16);
  assert.is(world.run(faultLocked, mirror, world.mm, 0x1000, 0x12000), -22);
  assert.match(world.findings.at(-1)?.message ?? "", /room for 16 pages/);
  assert.ok(callable("hmm_range_fault", 3).params[0]?.of.kind === "object");
  world.object(hmm_range);
});

test.run();
