/** Objects of any type as one line each: `hmm  kref 2  dead false  ranges: range, range#2`. */
import { showValue } from "../runtime/machine/access.ts";
import { hlist_head, list_head } from "../runtime/machine/list.ts";
import type { Machine } from "../runtime/machine/machine.ts";
import { headerType } from "../runtime/machine/memory.ts";
import type { Value } from "../runtime/machine/step.ts";
import { rw_semaphore } from "../runtime/machine/rwsem.ts";
import type { Each, Shown } from "../runtime/machine/shown.ts";
import {
  addressText,
  at,
  headerAddress,
  SLOT,
  Atomic,
  memberNameIn,
  Ref,
  Refcount,
  Struct,
  WORD,
  Words,
  type Member,
  type StructClass,
} from "../runtime/machine/struct.ts";
import { arenaOf, firstFreeStatic, STATIC_ARENA, typeByNumber } from "../runtime/machine/types.ts";
import { wait_queue_head } from "../runtime/machine/wait.ts";
import { actorsIn } from "./actors.ts";
import { membersIn } from "./bind/members.ts";
import { showOne } from "./bind/values.ts";

const OBJECTS = "objects";
const LIST_MAX = 16;
const WORDS_MAX = 16;

/** Live objects, static ones first, by address. */
export function liveObjects(machine: Machine): Struct[] {
  const bases = [...machine.memory.objects()].filter((base) => machine.memory.peek(base) > 0).sort((a, b) => a - b);
  return bases.map((base) => at(typeByNumber(headerType(machine.memory.peek(base))), base + WORD));
}
/** Under which heading an object is told of; undefined: nobody asks for it by itself. */
export function headingOf(machine: Machine, object: Struct): string | undefined {
  const cls = object.constructor as StructClass;
  if (cls.heading !== undefined) return cls.heading;
  const isDeclared = object.addr < arenaOf(0) && !isKernels(object) && machine.name(object.addr) !== undefined;
  return isDeclared && cls.variables !== true ? OBJECTS : undefined;
}
/** All live objects under a heading: first those of which more than a line is told. What is told there has no line. */
export function objectLines(machine: Machine, heading: string): string[] {
  const objects = liveObjects(machine).filter((object) => headingOf(machine, object) === heading);
  const long = objects.filter((object) => wantedOf(machine, object).some(({ shown }) => shown?.each !== undefined));
  const told = long.map((object) => toldOf(machine, object));
  const listed = new Set(told.flatMap(({ items }) => items));
  const others = objects.filter((object) => !long.includes(object) && !listed.has(object));
  return [...told, ...others.map((object) => toldOf(machine, object))]
    .filter(({ object, lines }) => !isKernels(object) || !(heading === "mm" || UNUSED.test(lines[0] ?? "")))
    .flatMap(({ lines }) => lines);
}
/**
 * The kernel's own data is there from the start: it is told of when somebody has used it. init_mm is nobody's address
 * space, though it counts its users.
 */
const UNUSED = /^\S+(?: {2}\S+ (?:0|NULL|false|empty|all 0))*$/;
export function isKernels({ addr }: Struct): boolean {
  return addr < STATIC_ARENA + firstFreeStatic() * SLOT;
}
interface Told {
  readonly object: Struct;
  /** Its own line, and one for each object on a list of it whose class has more to say of those than their names. */
  readonly lines: readonly string[];
  /** Those objects. */
  readonly items: readonly Struct[];
}
function toldOf(machine: Machine, object: Struct): Told {
  const cells = [object.expr(machine)];
  const below: string[] = [];
  const items: Struct[] = [];
  for (const { name, member, shown } of wantedOf(machine, object)) {
    if (shown?.each === undefined) {
      cells.push(...cellsOf(machine, object, { name, member, shown }));
      continue;
    }
    const listed = itemsOn(machine, object, member as List, shown.each);
    below.push(...listed.map(({ text }) => `  ${name}: ${text}`));
    items.push(...listed.flatMap(({ item }) => item ?? []));
  }
  return { object, lines: [cells.join("  "), ...below], items };
}
type List = list_head | hlist_head;
interface Wanted {
  readonly name: string;
  readonly member: Member;
  /** What its class says of it, if it names the members to be shown. */
  readonly shown: Partial<Shown> | undefined;
}
function wantedOf(machine: Machine, object: Struct): Wanted[] {
  const { shows } = object.constructor as StructClass;
  const members = membersIn(object, machine.era);
  if (shows === undefined) return members.map(([name, member]) => ({ name, member, shown: undefined }));
  const cls = object.constructor as StructClass;
  return shows.flatMap((one) => {
    const shown = typeof one === "string" ? { member: one } : one;
    const called = memberNameIn(cls, shown.member, machine.era);
    const found = members.find(([name]) => name === called);
    return found === undefined ? [] : [{ name: found[0], member: found[1], shown }];
  });
}

/** "dead false"; of an embedded struct its members. Locks and links have places of their own. */
function cellsOf(machine: Machine, object: Struct, { name, member, shown }: Wanted, path = name): string[] {
  const words = shown?.says?.(object, (addr) => machine.peek(addr)) ?? "";
  if (member instanceof rw_semaphore) return [];
  if (member instanceof list_head || member instanceof hlist_head)
    return shown === undefined ? [] : [`${path}: ${listText(machine, member)}`];
  if (member instanceof wait_queue_head) {
    const waiting = machine.peek(member.waiting.addr);
    return waiting === 0 ? [] : [`${path}: ${actorsIn(waiting)}`];
  }
  if (member instanceof Words) return [`${path}: ${wordsText(machine, member)}`];
  if (member instanceof Struct) {
    if (words !== "") return [`${path} ${words}`];
    const inner = wantedOf(machine, member);
    const [only] = inner;
    if (inner.length === 1 && only !== undefined && shown !== undefined)
      return cellsOf(machine, member, { ...only, shown: only.shown ?? {} }, path);
    return inner.flatMap((part) => {
      const isLink = part.member instanceof list_head || part.member instanceof hlist_head;
      return isLink ? [] : cellsOf(machine, member, part, `${path}.${part.name}`);
    });
  }
  if (member instanceof Ref || member instanceof Atomic || member instanceof Refcount)
    return [`${path} ${valueText(machine, member)}`, ...(words === "" ? [] : [words])];
  return [];
}
function valueText(machine: Machine, member: Ref<unknown> | Atomic | Refcount): string {
  const word = machine.peek(member.addr);
  const value = member instanceof Ref ? member.decode(word) : word;
  return showOne(value as Value, machine);
}
/** The links of a list, in its order: no more than anybody wants to read, and none behind one that was freed. */
function linksOn(machine: Machine, head: List): { readonly links: readonly number[]; readonly goesOn: boolean } {
  const links: number[] = [];
  const first = head instanceof list_head ? head.next.addr : head.first.addr;
  for (let node = machine.peek(first); node !== 0 && node !== head.addr; node = machine.peek(node)) {
    if (links.length === LIST_MAX) return { links, goesOn: true };
    links.push(node);
    if (isFreed(machine, node)) break;
  }
  return { links, goesOn: false };
}
const isFreed = (machine: Machine, addr: number): boolean => machine.memory.header(addr) < 0;
/** What is on a list by the names of the objects that hold the links. */
function listText(machine: Machine, head: List): string {
  const { links, goesOn } = linksOn(machine, head);
  const names = links.map((node) => {
    const name = addressText(headerAddress(node) + WORD, machine) ?? `0x${node.toString(16)}`;
    return isFreed(machine, node) ? `${name} (freed)` : name;
  });
  return names.length === 0 ? "empty" : `${names.join(", ")}${goesOn ? " ..." : ""}`;
}
/** What is on a list, with what the class of its owner tells of each. */
function itemsOn(
  machine: Machine,
  owner: Struct,
  head: List,
  { type, offset, cells }: Each,
): { readonly item?: Struct; readonly text: string }[] {
  const { links, goesOn } = linksOn(machine, head);
  const items = links.map((node) => {
    const item = at(type, node - offset);
    const name = item.expr(machine);
    if (isFreed(machine, node)) return { text: `${name} (freed)` };
    return { item, text: [name, ...cells(item, owner, (addr) => machine.peek(addr))].join("  ") };
  });
  return goesOn ? [...items, { text: "..." }] : items;
}
/** The elements that are not 0, each behind its index. */
function wordsText(machine: Machine, words: Words): string {
  const texts: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = machine.peek(words.addr + i * WORD);
    if (word === 0) continue;
    if (texts.length === WORDS_MAX) return `${texts.join(" ")} ...`;
    texts.push(`[${i}] ${showValue(word, machine)}`);
  }
  return texts.length === 0 ? "all 0" : texts.join(" ");
}
