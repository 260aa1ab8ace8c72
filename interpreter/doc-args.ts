/** Arguments to try a body with: what its parameters are called says what they are, as it does to a reader of C. */
import { allFunctions, functionById } from "../runtime/machine/function.ts";
import type { Value } from "../runtime/machine/step.ts";
import { at, atomic, mutex, pointer, refcount, spinlock, Struct, type StructClass } from "../runtime/machine/struct.ts";
import { heldBy, levelOfName, madeEntry, noteEntry } from "./doc-entries.ts";
import { swap_slot } from "../runtime/mm/swap_slot.ts";
import { mm_walk, mm_walk_ops } from "../runtime/mm/pagewalk_types.ts";
import { paramsOf, Situation, type Code } from "./doc-follow.ts";
import { ADDRESS, numberArguments, remember, type Containers, type Result } from "./doc-samples.ts";
import {
  allTypes,
  anyFunction,
  array,
  word,
  PAGE_SIZE,
  shortName,
  World,
  type Known,
  containersOf,
  type Container,
} from "./doc-world.ts";

/** A way to fill a parameter: makes its objects in the world and says under which names they are known. */
type Filler = (world: World) => Known[];

/** Parameters that are not called after their type. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  new: ["list_head"],
  entry: ["list_head"],
  head: ["list_head", "hlist_head"],
  pos: ["list_head"],
  n: ["hlist_node"],
  h: ["hlist_head"],
  wq: ["wait_queue_head"],
  ssp: ["srcu_struct"],
  sem: ["rw_semaphore"],
  x: ["completion"],
  list: ["list_head"],
  work: ["work_struct"],
  prev: ["vm_area_struct"],
  src_vma: ["vm_area_struct"],
  dst_vma: ["vm_area_struct"],
  mpnt: ["vm_area_struct"],
  src: ["vm_area_struct"],
  dst: ["vm_area_struct"],
  oldmm: ["mm_struct"],
  prealloc: ["page"],
  old_page: ["page"],
  new_page: ["page"],
  cached: ["page"],
  mapping: ["address_space"],
  file: ["address_space"],
  slot: ["swap_slot"],
  table: ["pte_table"],
  hmm: ["hmm"],
  task: ["task_struct"],
  dev: ["device"],
  owner: ["hmm_range"],
  ops: ["mmu_notifier_ops", "mmu_interval_notifier_ops"],
};
const BOOLEANS =
  /^(take_mmap_sem|write|writable|write_fault|fault|downgrade|new_below|block|blockable|dirty|only_end|huge|freeze|retried|sofar|counted|valid)$/;
const FUNCTIONS = /^(func|release|condition)$/;
const SITUATIONS_MAX = 120;
const PROBES = 24;
const ALL_DEAD = 2;
const PROBE_STEPS = 24;
/** Where a range begins that is walked from somewhere in it. */
const BEFORE = 5 * PAGE_SIZE;

class link_holder extends Struct {
  static readonly variables = true;
  link = pointer(() => typeCalled("rb_node") ?? link_holder);
}

/** Locks and counters that stand alone. */
class loose extends Struct {
  static readonly variables = true;
  spinlock = spinlock();
  mutex = mutex();
  atomic = atomic();
  refcount = refcount();
}
const LOOSE: Readonly<Record<string, keyof loose>> = {
  "spinlock lock": "spinlock",
  "mutex lock": "mutex",
  v: "atomic",
  r: "refcount",
};

const called = new Map<string, StructClass | undefined>();
function typeCalled(name: string): StructClass | undefined {
  if (!called.has(name)) called.set(name, searchType(name));
  return called.get(name);
}
function searchType(name: string): StructClass | undefined {
  const types = allTypes();
  return types.find((cls) => cls.name === name) ?? types.find((cls) => shortName(cls) === name) ?? nested(name);
}
/** Types that are only ever embedded. */
function nested(name: string): StructClass | undefined {
  const seen = new Set<StructClass>();
  const visit = (cls: StructClass): void => {
    if (seen.has(cls)) return;
    seen.add(cls);
    for (const member of Object.values(at(cls, 0)) as unknown[])
      if (member instanceof Struct) visit(member.constructor as StructClass);
  };
  allTypes().forEach(visit);
  return [...seen].find((cls) => cls.name === name) ?? [...seen].find((cls) => shortName(cls) === name);
}

/** An object, or the member of one, if the body has been seen to go from the member to the object. */
const objectOf =
  (name: string, cls: StructClass, container: Container | undefined): Filler =>
  (world) => {
    if (container !== undefined)
      return [{ name, value: at(cls, world.make(container.cls, shortName(container.cls)) + container.offset) }];
    if (containersOf(cls).length > 0) world.make(undefined, ""); // room before it, for what it may lie in
    return [{ name, value: at(cls, world.make(cls, world.pick([name]))) }];
  };
const nullOf =
  (name: string, cls: StructClass): Filler =>
  (world) => {
    world.make(undefined, ""); // objects lie where they do in the other situations
    if (containersOf(cls).length > 0) world.make(undefined, "");
    return [{ name, value: at(cls, 0) }];
  };
const values = (name: string, list: readonly Value[]): Filler[] => list.map((value) => () => [{ name, value }]);

/** struct mmu_notifier_range: mm, start, end, event, blockable. The model hands it on as a value. */
const notifierRange =
  (pages: number, blockable: boolean): Filler =>
  (world) => {
    const mm = typeCalled("mm_struct") as StructClass;
    const space = at(mm, world.make(mm, "mm"));
    const [start, end] = [ADDRESS, ADDRESS + pages * PAGE_SIZE];
    return [
      { name: "range", value: [space, start, end, "MMU_NOTIFY_UNMAP", blockable] },
      { name: "range->start", value: start },
      { name: "range->end", value: end },
      { name: "range->blockable", value: blockable },
      { name: "mm", value: space },
    ];
  };
/** struct hmm_update. */
const update =
  (blockable: boolean): Filler =>
  () => [
    { name: "update", value: [ADDRESS, ADDRESS + PAGE_SIZE, "MMU_NOTIFY_UNMAP", blockable] },
    { name: "update->start", value: ADDRESS },
    { name: "update->end", value: ADDRESS + PAGE_SIZE },
    { name: "update->blockable", value: blockable },
  ];
/** What HMM of 5.2 wants to know of a walk. */
const walk =
  (name: "walk" | "context", flags: number, mask: number, fault: boolean, vma: boolean): Filler =>
  (world) => {
    const [range, vm, mine] = ["hmm_range", "vm_area_struct", "hmm_vma_walk"].map(typeCalled) as [
      StructClass,
      StructClass,
      StructClass,
    ];
    const r = at(range, world.make(range, "range"));
    const area = vma ? at(vm, world.make(vm, "vma")) : at(vm, 0);
    const pfns = world.make(array, "range->pfns");
    const what = [area, r, ADDRESS - BEFORE, pfns, flags, mask];
    return [
      {
        name,
        value:
          name === "walk" ? [...what, fault] : [at(mine, world.make(mine, "hmm_vma_walk")), ...what, fault ? 0 : 8],
      },
      { name: "range->start", value: ADDRESS - BEFORE },
      { name: "range->pfns", value: pfns },
      { name: "range->default_flags", value: flags },
      { name: "range->pfn_flags_mask", value: mask },
      { name: "range->vma", value: area },
      { name: "walk->fault", value: fault },
    ];
  };

const ASKED: readonly (readonly [number, number, boolean, boolean])[] = [
  [3, 0, true, true],
  [1, 0, true, true],
  [0, 3, true, true],
  [3, 0, false, true],
  [3, 0, true, false],
];

/** The ways to fill a parameter; the first is the usual one. Several lists: what it is depends on the function. */
function fillers(name: string, of: string, container: Container | undefined): Filler[][] {
  if (name === "range") {
    const cls = typeCalled("hmm_range");
    const tuple = [notifierRange(4, true), notifierRange(4, false), notifierRange(1, true), notifierRange(1, false)];
    return cls === undefined || /notifier|invalidate|^mn_/.test(of)
      ? [tuple]
      : [[objectOf(name, cls, container), nullOf(name, cls)], tuple];
  }
  if (name === "update") return [[update(true), update(false)]];
  if (name === "walk") return [[objectOf(name, mm_walk, container)], ASKED.map((asked) => walk(name, ...asked))];
  if (name === "context") return [ASKED.map((asked) => walk(name, ...asked))];
  const level = levelOfName(name);
  if (level !== undefined && !/^(pgd|entry)$/.test(name)) {
    const held = heldBy(name, level, of).map((value): Filler => (world) => [{ name, value: value(world) }]);
    if (/^(orig|old)_|val$|^leaf$/.test(name) || hasPointerToo(name, of)) return [held];
    return [[entryOf(name, level)], held, ...objects(name, container)];
  }
  if (name === "entry" && !/list/.test(sourceOf(of)))
    return [[entryOf(name, "pmd"), entryOf(name, "pte")], [objectOf(name, swap_slot, undefined)]];
  if (name === "ops" && /pagewalk/.test(sourceOf(of))) return [[objectOf(name, mm_walk_ops, undefined)]];
  if (name === "private") return [[(world) => [{ name, value: world.make(word, name) }]]];
  const member = LOOSE[name];
  if (member !== undefined) return [[(world) => [{ name, value: looseMember(world, name, member) }]]];
  if (name === "link") return [[(world) => [{ name, value: at(link_holder, world.make(link_holder, "*link")).link }]]];
  if (name === "pfn") return [[(world) => [{ name, value: at(word, world.make(word, "*pfn")).value }]]];
  if (/^(pfns|daddrs)$/.test(name)) return [[(world) => [{ name, value: world.make(array, name) }]]];
  if (name === "tables" || name === "pages") return [[...lists(name)]];
  if (BOOLEANS.test(name)) return [values(name, [true, false])];
  if (FUNCTIONS.test(name)) return [values(name, [anyFunction(name)])];
  const types = objects(name, container);
  if (types.length > 0) return types;
  return [values(name, numberArguments(name))];
}
const entryOf =
  (name: string, level: Parameters<typeof madeEntry>[0]): Filler =>
  (world) => [{ name, value: madeEntry(level, world) }];
const sourceOf = (fn: string): string => allFunctions().find(({ name }) => name === fn)?.info.source ?? "";
/** Whether a function has both an entry and what was seen in it: pud and pudp. */
const hasPointerToo = (name: string, of: string): boolean =>
  allFunctions()
    .find((fn) => fn.name === of)
    ?.info.params?.includes(`${name}p`) === true;
function objects(name: string, container: Container | undefined): Filler[][] {
  const types = (TYPES[name] ?? [name]).map(typeCalled).filter((cls) => cls !== undefined);
  return types.map((cls) => [objectOf(name, cls, container), nullOf(name, cls)]);
}
function looseMember(world: World, name: string, member: keyof loose): Value {
  return at(loose, world.make(loose, name.replace(/^.* /, "")))[member] as unknown as Value;
}
/** None, or one of each kind there is. */
function* lists(name: string): Generator<Filler> {
  const one = name === "pages" ? "page" : "table";
  const types = (name === "pages" ? ["page"] : ["pte_table", "pmd_table", "pud_table"]).map(typeCalled);
  const known = (list: Value, first: Value): Known[] => [
    { name, value: list },
    { name: one, value: first },
  ];
  for (const cls of types) {
    if (cls === undefined) continue;
    if (cls === types[0]) yield () => known([], at(cls, 0));
    yield (world) => {
      const object = at(cls, world.make(cls, world.pick([shortName(cls)])));
      return known([object], object);
    };
  }
}

/** What a step or a call may give. */
type ResultsFor = (s: Situation) => readonly Result[];

/** The situations in which a function is looked at, before its first step. */
export function situationsFor(code: Code, containers: Containers, fn: number, resultsFor: ResultsFor): Situation[] {
  const params = paramsOf(code, fn);
  const choices = params.map((name) => fillers(name, functionById(fn)?.name ?? "", containers.get(name)));
  let best: Situation[] = [];
  let fewest = Infinity;
  for (const lists of product(choices)) {
    const situations = combinations(lists).map((row) => filled(row, params));
    for (const s of situations) s.begin(code, fn, s.origin);
    const alive = situations.filter((s) => s.stop.kind !== "dead");
    const probes = Array.from({ length: PROBES }, (_, n) => alive[spread(n, 1) % alive.length]).filter(
      (s) => s !== undefined,
    );
    const soon = probes.filter((s, n) => diesSoon(s.copy(), n, code, resultsFor)).length;
    const dead = alive.length === 0 ? ALL_DEAD : 1 - alive.length / situations.length + soon / probes.length;
    if (dead < fewest) [best, fewest] = [alive, dead];
  }
  return best;
}
/** Whether a body does not get far with such arguments: they are of the wrong types. */
function diesSoon(s: Situation, n: number, code: Code, resultsFor: ResultsFor): boolean {
  for (let i = 0; i < PROBE_STEPS; i++) {
    const { stop } = s;
    if (stop.kind !== "step" && stop.kind !== "call") break;
    const results = resultsFor(s);
    const value = results[spread(n, i) % results.length]?.(s);
    if (stop.kind === "step") {
      remember(stop.step, value, s);
      noteEntry(stop.step, value, s);
    }
    s.go(code, value);
  }
  return s.stop.kind === "dead";
}
function filled(row: readonly Filler[], params: readonly string[]): Situation {
  const world = new World();
  const known = row.map((fill) => fill(world));
  const situation = new Situation(world, known.flat());
  situation.origin = params.map((_, i) => known[i]?.[0]?.value);
  return situation;
}
function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((rows, list) => rows.flatMap((row) => list.map((item) => [...row, item])), [[]]);
}
/** A number that looks drawn by lot, but is the same every time. */
function spread(n: number, i: number): number {
  return Math.imul(n * 31 + i + 1, 0x9e3779b1) >>> 16;
}
/** All of few; of many the usual ones, each with every other value of one or two parameters. */
function combinations(lists: readonly (readonly Filler[])[]): Filler[][] {
  const size = lists.reduce((n, list) => n * list.length, 1);
  if (size <= SITUATIONS_MAX) return product(lists);
  const usual = lists.map((list) => list[0] as Filler);
  const rows = new Set<Filler[]>([usual]);
  lists.forEach((list, i) => {
    for (const one of list.slice(1)) {
      rows.add(usual.with(i, one));
      lists.slice(i + 1).forEach((more, j) => {
        for (const two of more.slice(1)) rows.add(usual.with(i, one).with(i + 1 + j, two));
      });
    }
  });
  // And some of all the others, spread evenly: a branch may want three of them.
  for (let n = 1; n <= SITUATIONS_MAX; n++)
    rows.add(lists.map((list, i) => list[spread(n, i) % list.length] as Filler));
  return [...rows].slice(0, 2 * SITUATIONS_MAX);
}
