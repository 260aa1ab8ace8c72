/** Which results of a step are worth trying, and which arguments: enough of them that every branch is taken. */
import { Op, type Step, type Value } from "../runtime/machine/step.ts";
import { at, Ref, Struct, type StructClass } from "../runtime/machine/struct.ts";
import { EINTR } from "../runtime/machine/errno.ts";
import { MMF_OOM_VICTIM, MMF_UNSTABLE, VM_HUGEPAGE, VM_SHARED } from "../runtime/mm/mm_types.ts";
import { entryResults } from "./doc-entries.ts";
import type { Situation } from "./doc-follow.ts";
import {
  anyFunction,
  array,
  containersOf,
  isStruct,
  MIDDLE,
  PAGE_SIZE,
  shortName,
  type Container,
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
  const own = ownResult(step, s);
  if (own !== undefined) return [own];
  const onEntry = entryResults(step, s);
  if (onEntry !== undefined) return onEntry.map((result) => (other) => result(other.world));
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
  if (zero === null && typeof one === "function") return [() => anyFunction(text), () => null];
  if (zero === null && some instanceof Ref)
    return [(other) => step.decode(other.world.make(undefined, "")), () => null];
  if (typeof zero === "string") return wordsOf(step);
  if (typeof zero !== "number") return [() => zero, ...(some === zero ? [] : [() => some])];
  if (/_killable\(/.test(text)) return [() => 0, () => -EINTR];
  if (isQuiet(op)) return [() => undefined];
  if (/(pfns|daddrs)$/.test(text)) return [() => 0, (other) => other.world.make(array, text)];
  if (op === Op.add) return [0, 1, 2, -1].map((n) => () => n);
  return numbersFor(text, s, op === Op.silentLoad).map((n) => () => n);
}
/** Results that are told by words: those of 0, 1, ... until there are no more. */
function wordsOf({ decode }: Step): Result[] {
  const words = [0, 1, 2, 3, 4, 5].map((n) => decode(n)).filter((word) => typeof word === "string");
  return [...new Set(words)].map((word) => () => word);
}
/** A word that nobody else touches is what it was when this CPU last looked, or wrote. */
function ownResult(step: Step, s: Situation): Result | undefined {
  const known = s.own.get(step.addr);
  if (step.op !== Op.silentLoad || known === undefined) return undefined;
  return "word" in known ? () => step.decode(known.word) : () => known.value;
}
/** Whether a step tells the body nothing new. */
export function isKnown(step: Step, s: Situation): boolean {
  return step.op === Op.silentLoad && s.own.has(step.addr);
}
/** Keeps in mind what a step has shown of the CPU's own words. */
export function remember(step: Step, value: unknown, s: Situation): void {
  if (step.op === Op.silentStore) s.own.set(step.addr, { word: step.a });
  else if (step.op === Op.silentLoad && !s.own.has(step.addr)) s.own.set(step.addr, { value });
  else if (step.op === Op.store && s.own.has(step.addr)) s.own.set(step.addr, { word: step.a });
}
function isQuiet(op: Op): boolean {
  return op !== Op.load && op !== Op.silentLoad && op !== Op.add && op !== Op.exchange && op !== Op.compareExchange;
}

/** A new object for a pointer that was read; where it points into the middle of something, into that. */
export function fresh(cls: StructClass, text: string, containers: Containers): Result {
  return ({ world }) => {
    const all = containersOf(cls);
    const container = containers.get(text) ?? (all.length === 1 ? all[0] : undefined);
    if (container !== undefined) {
      const base = world.make(container.cls, world.pick([shortName(container.cls), memberName(text)]));
      return at(cls, base + container.offset);
    }
    if (all.length > 0 && isLink(cls)) return at(cls, world.make(undefined, "") + MIDDLE);
    return at(cls, world.make(cls, world.pick([shortName(cls), memberName(text)])));
  };
}
/** Lists and trees are made of members: their nodes lie in something. */
function isLink(cls: StructClass): boolean {
  return "next" in at(cls, 0) || "rb_left" in at(cls, 0);
}
/** "next" of "READ_ONCE(mm->mm_rb.next)", "rb_left" of "node->rb_left". */
export function memberName(text: string): string {
  return /(\w+)\W*$/.exec(text.replace(/\[.*$/, ""))?.[1] ?? text;
}
function aliases(cls: StructClass, s: Situation): Struct[] {
  const known = isLink(cls) ? s.args : [...s.args, ...s.known.map(({ value }) => value)];
  const around = known.filter(isStruct).map((v) => s.world.objectAround(v.addr));
  const fits = [...known, ...around].filter((v): v is Struct => isStruct(v) && !v.isNull && v.constructor === cls);
  return [...new Set(fits)].slice(-ALIASES_MAX);
}

/** Numbers that a word of this name may hold. A word of the CPU's own is what it ought to be, others are anything. */
function numbersFor(text: string, s: Situation, own: boolean): number[] {
  const word = memberName(text);
  const known = s.known.map(({ value }) => value).filter((v) => typeof v === "number");
  if (text === "mm->flags") return [0, MMF_UNSTABLE, MMF_OOM_VICTIM];
  if (/flags|mask/.test(word)) return own ? [3, 0, 1, VM_HUGEPAGE + 3, VM_SHARED + 3] : FLAGS;
  if (/\[/.test(text)) return [0, PAGE + 1, PAGE + 3, -1, -2];
  if (word === "page_shift") return [12, 11];
  if (word === "invalidate_seq") return [2, 3, 4, 5];
  if (/length/.test(word)) return [2, 8, 64].map((n) => n * PAGE_SIZE);
  if (word === "vm_pgoff") return [2, 0];
  if (!/start|end|address/.test(word)) return [0, 1, 2, -1];
  const addresses = [...new Set(known.filter((n) => n >= PAGE_SIZE && n < USER_END))];
  if (own) {
    const begin = s.known.findLast(({ name }) => name === text.replace(/end$/, "start"))?.value;
    const from = addresses[0] ?? ADDRESS;
    if (/end/.test(word)) return LENGTHS.map((n) => (typeof begin === "number" ? begin : from) + n * PAGE_SIZE);
    return addresses.length === 0 ? [from] : [from, from - 4 * PAGE_SIZE, from + 2 * PAGE_SIZE];
  }
  // What ends before an address that it was looked up by is never found.
  const below = /end/.test(word) ? 0 : PAGE_SIZE;
  const near = addresses.slice(-3).flatMap((a) => [a, a + PAGE_SIZE, a - below, a + 5 * PAGE_SIZE]);
  return near.length > 0 ? [...new Set(near)] : [ADDRESS, ADDRESS + 32 * PAGE_SIZE];
}
/** Pages of a range: usual ones, and where an array of 16 has an end. */
const LENGTHS = [4, 1, 16, 17, 0];
const FLAGS = [0, 1, 2, 3, 4, 7, VM_SHARED + 3, VM_HUGEPAGE + 3, 0x400, 0x403, 0x4000, 0x4003, 0x10000000, 0x10000003];

/** Arguments to try for a parameter that is a number, by its name. */
export function numberArguments(name: string): Value[] {
  if (name === "vm_flags") return [3, 1, VM_SHARED + 3, VM_HUGEPAGE + 3];
  if (/flags|prot|request/.test(name)) return [3, 0, 1, 2, 4, 0x10, 0x13];
  if (/page_shift/.test(name)) return [12, 11];
  if (/^(end|bound)$/.test(name))
    return [4, 1, 16, 17, 0, -2, 2 ** 10, 2 ** 20, 2 ** 30]
      .map((n) => ADDRESS + n * PAGE_SIZE)
      .concat(name === "end" ? [ADDRESS + 1, USER_END + PAGE_SIZE] : []);
  if (/ceiling/.test(name)) return [USER_END, ADDRESS + 8 * PAGE_SIZE];
  if (/floor/.test(name)) return [0, ADDRESS - 8 * PAGE_SIZE];
  if (/start/.test(name)) return [ADDRESS, ADDRESS + 1];
  if (/addr|virt/.test(name)) return [ADDRESS];
  if (/^(n|npages|size)$/.test(name)) return [2, 1, 0];
  if (/^(first_index|nr|pgoff)$/.test(name)) return [2];
  return /^(i|idx|count)$/.test(name) ? [1, 0, 2] : [0, 1, 2, -11];
}
