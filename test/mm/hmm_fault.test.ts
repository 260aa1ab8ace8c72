/** hmm_range_fault() of 5.6: what it says of every kind of entry, and a driver around it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { device, device_map, device_read, device_unmap } from "../../runtime/drivers/device.ts";
import { storePrivate } from "../../runtime/machine/access.ts";
import { EBUSY, EFAULT, EPERM } from "../../runtime/machine/errno.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import type { Mutation } from "../../runtime/machine/mutation.ts";
import { mutex_lock, mutex_unlock } from "../../runtime/machine/mutex.ts";
import { placeOf } from "../../runtime/machine/report.ts";
import { down_read, up_read } from "../../runtime/machine/rwsem.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { at, container_of, embed, mutex, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";
import { user_load, user_store } from "../../runtime/mm/fault.ts";
import { hmm_range_fault_flags } from "../../runtime/mm/hmm_fault.ts";
import { HMM_FAULT_SNAPSHOT } from "../../runtime/mm/hmm_fault_walk.ts";
import { hmm_range } from "../../runtime/mm/hmm_types.ts";
import { HMM_PFN_VALID, HMM_PFN_WRITE } from "../../runtime/mm/hmm_walk.ts";
import { allocate, initList } from "../../runtime/mm/page_alloc.ts";
import { mmap_file, vm_mmap_pgoff, vm_munmap } from "../../runtime/mm/mmap.ts";
import { address_space, VM_HUGEPAGE, VM_READ, VM_SHARED, VM_WRITE, type mm_struct } from "../../runtime/mm/mm_types.ts";
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
import {
  dax_memory,
  make_device_private_entry,
  make_migration_entry,
  nth_page,
  pgd_table,
  PMD_SIZE,
  pmd_table,
  pte_page,
  pte_table,
  PUD_SIZE,
  pud_table,
} from "../../runtime/mm/pgtable.ts";
import { checkBodies, World, type Explored } from "./world.ts";

const RW = VM_READ | VM_WRITE;
const READ = HMM_PFN_VALID;
const WRITE = HMM_PFN_VALID | HMM_PFN_WRITE;
const NONE = 0;
const ERROR = -1;
const DEVICE_PRIVATE = 4;

/** A driver as Documentation/vm/hmm.rst of 5.6 has it. */
class gpu extends Struct {
  sub = embed(mmu_interval_notifier);
  range = embed(hmm_range);
  /** Guards dev. */
  lock = mutex();
  dev = embed(device);
}
const gpu_invalidate = kernelFunction(
  "gpu_invalidate",
  function* (sub: mmu_interval_notifier, range: mmu_notifier_range, cur_seq: number): Kernel<boolean> {
    const g = container_of(sub, gpu, "sub");
    yield* mutex_lock(g.lock);
    yield* mmu_interval_set_seq(sub, cur_seq);
    yield* device_unmap(g.dev, range[1], range[2]);
    yield* mutex_unlock(g.lock);
    return true;
  },
  { params: ["sub", "range", "cur_seq"] },
);
const gpu_ops = staticObject(mmu_interval_notifier_ops);

/** With mmap_sem held for reading. */
const fault = kernelFunction(
  "fault",
  function* (range: hmm_range, mm: mm_struct, flags: number): Kernel<number> {
    yield* down_read(mm.mmap_sem);
    const ret = yield* hmm_range_fault_flags(range, flags);
    yield* up_read(mm.mmap_sem);
    return ret;
  },
  { params: ["range", "mm", "flags"] },
);
const begin = kernelFunction(
  "begin",
  function* (g: gpu): Kernel<void> {
    yield* setSeq(g, yield* mmu_interval_read_begin(g.sub));
  },
  { params: ["g"] },
);
const setSeq = kernelFunction(
  "setSeq",
  function* (g: gpu, seq: number): Kernel<void> {
    yield* storePrivate(g.range.notifier_seq, seq);
  },
  { params: ["g", "seq"] },
);
const gpu_fault = kernelFunction(
  "gpu_fault",
  function* (g: gpu, mm: mm_struct): Kernel<number> {
    const seq = yield* mmu_interval_read_begin(g.sub);
    yield* setSeq(g, seq);
    const ret = yield* fault(g.range, mm, 0);
    if (ret === -EBUSY) return yield* gpu_fault.restart(g, mm);
    if (ret < 0) return ret;
    yield* mutex_lock(g.lock);
    if (yield* mmu_interval_read_retry(g.sub, seq)) {
      yield* mutex_unlock(g.lock);
      return yield* gpu_fault.restart(g, mm);
    }
    yield* device_map(g.dev, g.range, mm);
    yield* mutex_unlock(g.lock);
    return yield* device_read(g.dev, START);
  },
  { params: ["g", "mm"] },
);

const START = 0x1000;
interface Scene {
  readonly world: World;
  readonly g: gpu;
}
function scene(
  options: { length?: number; start?: number; request?: number; flags?: number; mutations?: readonly Mutation[] } = {},
): Scene {
  const { length = 0x2000, start = START, request = WRITE, flags = RW, mutations = [] } = options;
  const world = new World([], mutations, "v5.6");
  world.poke(gpu_ops.invalidate, gpu_invalidate.id);
  const g = world.object(gpu);
  if (flags !== 0) world.run(vm_mmap_pgoff, world.mm, start, start + length, flags);
  assert.is(world.run(mmu_interval_notifier_insert, g.sub, world.mm, start, length, gpu_ops), 0);
  world.poke(g.range.notifier, g.sub.addr);
  world.poke(g.range.start, start);
  world.poke(g.range.end, start + Math.min(length, 0x4000));
  world.poke(g.range.default_flags, request);
  world.run(begin, g);
  return { world, g };
}
const entries = ({ world, g }: Scene, n = 2): number[] =>
  Array.from({ length: n }, (_, i) => world.peek(g.range.entries.at(i)));
/** Low bits, as request words; the rest is the page. */
const flagsOf = (entry: number): number => (entry < 0 ? entry : entry % 8);
const run = ({ world, g }: Scene, flags = 0): number => world.run(fault, g.range, world.mm, flags);
/** Address of the entry of a table that stands for `addr`. */
function slot({ world }: Scene, level: "pud" | "pmd" | "pte", addr: number): { addr: number } {
  const pgd = at(pgd_table, world.peek(world.mm.pgd));
  const pud = at(pud_table, world.peek(pgd.entries.at(0))).entries.at(Math.floor(addr / PUD_SIZE));
  if (level === "pud") return pud;
  const pmd = at(pmd_table, world.peek(pud)).entries.at(Math.floor((addr % PUD_SIZE) / PMD_SIZE));
  if (level === "pmd") return pmd;
  return at(pte_table, world.peek(pmd)).entries.at(Math.floor((addr % PMD_SIZE) / 0x1000));
}

test("what is not there is faulted in, as the range asks", () => {
  const write = scene();
  assert.is(run(write), 2);
  assert.equal(entries(write).map(flagsOf), [WRITE, WRITE]);
  const read = scene({ request: READ });
  assert.is(run(read), 2);
  assert.equal(entries(read).map(flagsOf), [READ, READ]);
  checkBodies(write.world);
});

test("a snapshot faults nothing in, and tells the zero page", () => {
  const s = scene();
  s.world.run(user_load, s.world.mm, START);
  assert.is(run(s, HMM_FAULT_SNAPSHOT), 2);
  assert.equal(entries(s).map(flagsOf), [READ, NONE]);
});

test("a range that was invalidated since is -EBUSY, and nothing is looked at", () => {
  const s = scene();
  s.world.poke(s.g.sub.invalidate_seq, 7);
  assert.is(run(s), -EBUSY);
  assert.equal(entries(s), [NONE, NONE]);
});

test("VMAs that do not allow it, and gaps", () => {
  assert.is(run(scene({ flags: VM_READ })), -EPERM);
  const read = scene({ flags: VM_READ, request: READ });
  assert.is(run(read), 2);
  assert.is(run(scene({ flags: VM_WRITE })), -EFAULT);
  const unreadable = scene({ flags: VM_WRITE });
  assert.is(run(unreadable, HMM_FAULT_SNAPSHOT), 2);
  const gap = scene({ flags: 0 });
  assert.is(run(gap), -EFAULT);
  assert.equal(entries(gap), [ERROR, NONE]);
  const empty = scene({ flags: 0 });
  assert.is(run(empty, HMM_FAULT_SNAPSHOT) >= 0, true);
});

test("a page that migrates counts as none although it was asked for: the bug that 5.7 fixed", () => {
  const s = scene();
  s.world.run(user_store, s.world.mm, START, 1);
  const pte = slot(s, "pte", START);
  s.world.poke(pte, make_migration_entry(pte_page(s.world.peek(pte)), true));
  assert.is(run(s), 2);
  assert.equal(entries(s).map(flagsOf), [NONE, WRITE]);
});

test("a page of a device is reported as it is, unless the range asks for its coming back", () => {
  const s = scene();
  s.world.run(user_store, s.world.mm, START, 1);
  const pte = slot(s, "pte", START);
  s.world.poke(pte, make_device_private_entry(pte_page(s.world.peek(pte)), true));
  assert.is(run(s), 2);
  assert.equal(entries(s).map(flagsOf), [WRITE | DEVICE_PRIVATE, WRITE]);
});

test("a huge page is told page by page", () => {
  const s = scene({ start: PMD_SIZE, length: PMD_SIZE, flags: RW | VM_HUGEPAGE });
  s.world.run(user_store, s.world.mm, PMD_SIZE, 1);
  const head = pte_page(s.world.peek(slot(s, "pmd", PMD_SIZE)));
  assert.is(run(s), 4);
  assert.equal(
    entries(s, 4),
    [0, 1, 2, 3].map((n) => nth_page(head, n).addr + WRITE),
  );
});

test("a huge page that migrates is waited for if it is asked for, and left alone if not", () => {
  const s = scene({ start: PMD_SIZE, length: PMD_SIZE, flags: RW | VM_HUGEPAGE });
  s.world.run(user_store, s.world.mm, PMD_SIZE, 1);
  const pmd = slot(s, "pmd", PMD_SIZE);
  const page = pte_page(s.world.peek(pmd));
  s.world.poke(pmd, make_migration_entry(page, true));
  s.world.poke(s.g.range.entries.at(0), 77);
  assert.is(run(s, HMM_FAULT_SNAPSHOT), 0);
  assert.is(entries(s)[0], 77);
  s.world.start(0, fault, s.g.range, s.world.mm, 0);
  s.world.until(0, "pmd_migration_entry_wait");
});

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
/** The memory of a DAX device, mapped by one PUD. */
function dax(request: number, write: boolean): Scene {
  const s = scene({ start: PUD_SIZE, length: PUD_SIZE, flags: 0, request });
  const { world } = s;
  const file = world.object(address_space);
  world.run(open_dax, file);
  const flags = RW | VM_SHARED | VM_HUGEPAGE;
  assert.is(world.run(mmap_file, world.mm, PUD_SIZE, 2 * PUD_SIZE, flags, file, 0), PUD_SIZE);
  if (write) world.run(user_store, world.mm, PUD_SIZE, 1);
  else world.run(user_load, world.mm, PUD_SIZE);
  return s;
}

test("a leaf of 1 GiB of a DAX device", () => {
  const s = dax(WRITE, true);
  assert.is(run(s), 4);
  assert.equal(entries(s, 4).map(flagsOf), [WRITE, WRITE, WRITE, WRITE]);
  assert.is(run(dax(READ, false)), 4);
});

test("a read-only leaf of 1 GiB is faulted with the PUD lock held: a deadlock, until 5.7", () => {
  const s = dax(WRITE, false);
  s.world.oracles = "off"; // a kernel with a bug
  assert.throws(() => run(s), /blocked|deadlock|recursive/);
});

// ---- a driver

/** `neighbour`: what is mapped behind the page keeps its tables. */
function raced(mutations: readonly Mutation[] = [], neighbour = true): Explored {
  const { world, g } = scene({ length: 0x1000, mutations });
  if (!neighbour) world.oracles = "off"; // 5.6 walks tables that munmap() frees
  if (neighbour) world.run(vm_mmap_pgoff, world.mm, START + 0x1000, START + 0x2000, RW);
  world.run(user_store, world.mm, START, 1);
  world.start(0, vm_munmap, world.mm, START, START + 0x1000);
  world.start(1, gpu_fault, g, world.mm);
  const found = world.explore([0, 1]);
  checkBodies(world);
  return found;
}
const places = ({ findings }: Explored): string[] => [...findings.values()].map((f) => `${f.kind} in ${placeOf(f)}`);

test("a driver's fault against munmap: it never uses what is gone", () => {
  const found = raced();
  assert.equal(places(found), []);
  assert.is(found.deadlocks, 0);
});

test("without set_seq or the retry it does", () => {
  for (const mutation of [
    { in: "gpu_invalidate", drop: "mmu_interval_set_seq" },
    { in: "gpu_fault", drop: "mmu_interval_read_retry", result: false },
  ])
    assert.ok(
      places(raced([mutation])).some((place) => /^stale-translation in device_read/.test(place)),
      mutation.drop,
    );
});

test("in a hole the walk goes down into tables that munmap() frees with mmap_sem downgraded: 6.0 fixed that", () => {
  assert.ok(places(raced([], false)).some((place) => /^use-after-free in walk_pud_range/.test(place)));
});

test.run();
