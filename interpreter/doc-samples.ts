/** Which results of a step are worth trying, and which arguments: enough of them that every branch is taken. */
import { Op, type Step, type Value } from "../runtime/machine/step.ts";
import { at, Ref, Struct, type StructClass } from "../runtime/machine/struct.ts";
import type { Situation } from "./doc-follow.ts";
import {
  anyFunction,
  containersOf,
  isStruct,
  MIDDLE,
  PAGE_SIZE,
  shortName,
  type Container,
  type World,
} from "./doc-world.ts";

/** Tells pages of made-up PTEs from all made-up objects. */
const PAGE = 2 ** 52 + 2 ** 51;
/** No index of it at any level of the page tables is that of another level. */
export const ADDRESS = 0x123456789000;
const USER_END = 2 ** 47;
/** How many objects that the body knows already are tried for a pointer. */
const ALIASES_MAX = 3;

/** What pointers to embedded members have turned out to point into, by the text of the step that read them. */
export type Containers = Map<string, Container>;

/** One result to try; making it may take a new object. */
export type Result = (situation: Situation) => unknown;

/** The results of a step. */
export function resultsOf(step: Step, text: string, s: Situation, containers: Containers): Result[] {
  const { op } = step;
  if (op === Op.choose) return Array.from({ length: step.choices }, (_, i) => () => i);
  if (op === Op.allocate) {
    const { constructor: cls } = step.decode(s.world.peekAddress()) as Struct;
    return [fresh(cls as StructClass, text, containers), () => step.decode(0)];
  }
  const [zero, one, some] = [step.decode(0), step.decode(1), step.decode(s.world.peekAddress())];
  if (typeof one === "boolean") return [() => true, () => false];
  if (isStruct(some)) {
    const cls = some.constructor as StructClass;
    const null_ = at(cls, 0);
    return [fresh(cls, text, containers), () => null_, ...aliases(cls, s).map((object) => () => object)];
  }
  if (zero === null && typeof one === "function") return [() => anyFunction(memberName(text)), () => null];
  if (zero === null && some instanceof Ref)
    return [(other) => step.decode(other.world.make(undefined, "")), () => null];
  if (typeof zero !== "number") return [() => zero, ...(some === zero ? [] : [() => some])];
  if (isQuiet(op)) return [() => undefined];
  if (op === Op.add) return [0, 1, 2, -1].map((n) => () => n);
  return numbersFor(text, s).map((n) => () => n);
}
function isQuiet(op: Op): boolean {
  return op !== Op.load && op !== Op.silentLoad && op !== Op.add && op !== Op.exchange && op !== Op.compareExchange;
}

/** A new object for a pointer that was read; where it points into the middle of something, into that. */
function fresh(cls: StructClass, text: string, containers: Containers): Result {
  return ({ world }) => {
    const all = containersOf(cls);
    const container = containers.get(text) ?? (all.length === 1 ? all[0] : undefined);
    if (container !== undefined) {
      const base = world.make(container.cls, freeName(world, [shortName(container.cls), memberName(text)]));
      return at(cls, base + container.offset);
    }
    if (all.length > 0 && isLink(cls)) return at(cls, world.make(undefined, "") + MIDDLE);
    return at(cls, world.make(cls, freeName(world, [shortName(cls), memberName(text)])));
  };
}
/** Lists and trees are made of members: their nodes lie in something. */
function isLink(cls: StructClass): boolean {
  return "next" in at(cls, 0) || "rb_left" in at(cls, 0);
}
export function freeName(world: World, wanted: readonly string[]): string {
  const free = wanted.find((name) => /^[A-Za-z_]\w*$/.test(name) && !world.has(name));
  if (free !== undefined) return free;
  for (let n = 2; ; n++) if (!world.has(`${wanted[0]}${n}`)) return `${wanted[0]}${n}`;
}
/** "next" of "READ_ONCE(mm->mm_rb.next)", "rb_left" of "node->rb_left". */
export function memberName(text: string): string {
  return /(\w+)\W*$/.exec(text.replace(/\[.*$/, ""))?.[1] ?? text;
}
function aliases(cls: StructClass, s: Situation): Struct[] {
  const known = [...s.args, ...s.known.map(({ value }) => value)];
  const fits = known.filter((v): v is Struct => isStruct(v) && !v.isNull && v.constructor === cls);
  return [...new Set(fits)].slice(-ALIASES_MAX);
}

/** Numbers that a word of this name may hold. */
function numbersFor(text: string, s: Situation): number[] {
  const word = memberName(text);
  const known = s.known.map(({ value }) => value).filter((v) => typeof v === "number");
  if (/flags|mask/.test(word)) return FLAGS;
  if (/^pte\[|ptep_get/.test(text)) return [0, PAGE + 1, PAGE + 3, PAGE + 5, ...known.filter((n) => n >= PAGE)];
  if (/^(pfns|daddrs)$/.test(word) && !/\[/.test(text)) return [0, s.world.peekAddress() + MIDDLE];
  if (/\[/.test(text)) return [0, PAGE + 1, PAGE + 3, -1, -2];
  if (word === "page_shift") return [12, 21];
  if (/length/.test(word)) return [2 * PAGE_SIZE, 64 * PAGE_SIZE];
  if (/start|end|address/.test(word)) {
    const addresses = known.filter((n) => n >= PAGE_SIZE && n < USER_END);
    const near = addresses.slice(-4).flatMap((a) => [a, a + PAGE_SIZE, Math.max(0, a - PAGE_SIZE)]);
    return [...new Set([...near, ADDRESS, ADDRESS + 32 * PAGE_SIZE])];
  }
  return [0, 1, 2, -1];
}
const FLAGS = [0, 1, 2, 3, 4, 7, 0x400, 0x403, 0x4000, 0x4003, 0x10000000, 0x10000003];

/** Arguments to try for a parameter that is a number, by its name. */
export function numberArguments(name: string): Value[] {
  if (/flags|prot|request/.test(name)) return [3, 0, 1, 2, 4, 0x10, 0x13];
  if (/page_shift/.test(name)) return [12];
  if (/^(end|bound)$/.test(name))
    return [4, 1, 64, 0, -2, 2 ** 20, 2 ** 30].map((n) => ADDRESS + n * PAGE_SIZE).concat(ADDRESS + 2048);
  if (/ceiling/.test(name)) return [USER_END, ADDRESS + 8 * PAGE_SIZE];
  if (/floor/.test(name)) return [0, ADDRESS - 8 * PAGE_SIZE];
  if (/start|addr|virt/.test(name)) return [ADDRESS, ADDRESS + 2048];
  if (/orig_pte/.test(name)) return [PAGE + 1, PAGE + 3, PAGE + 5];
  if (/^(pfns|daddrs)$/.test(name)) return [PAGE + 2 ** 40, 0];
  if (/^(n|npages)$/.test(name)) return [2, 1, 0];
  return [0, 1, 2, -11];
}
