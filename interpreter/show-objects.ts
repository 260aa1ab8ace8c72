/** Objects of any type as one line each: `hmm  kref 2  dead false  ranges: range, range#2`. */
import { showValue } from "../runtime/machine/access.ts";
import { FunctionPointer } from "../runtime/machine/function.ts";
import { hlist_head, list_head } from "../runtime/machine/list.ts";
import type { Machine } from "../runtime/machine/machine.ts";
import { headerType } from "../runtime/machine/memory.ts";
import type { Value } from "../runtime/machine/step.ts";
import { rw_semaphore } from "../runtime/machine/rwsem.ts";
import {
  addressText,
  at,
  headerAddress,
  SLOT,
  Atomic,
  memberNameIn,
  membersOf,
  Ref,
  Refcount,
  Struct,
  WORD,
  Words,
  type Member,
  type StructClass,
} from "../runtime/machine/struct.ts";
import { arenaOf, firstFreeStatic, STATIC_ARENA, typeByNumber } from "../runtime/machine/types.ts";
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
/** All live objects under a heading, one line each. */
export function objectLines(machine: Machine, heading: string): string[] {
  return liveObjects(machine)
    .filter((object) => headingOf(machine, object) === heading)
    .map((object) => ({ object, line: objectLine(machine, object) }))
    .filter(({ object, line }) => !isKernels(object) || !(heading === "mm" || UNUSED.test(line)))
    .map(({ line }) => line);
}
/**
 * The kernel's own data is there from the start: it is told of when somebody has used it. init_mm is nobody's address
 * space, though it counts its users.
 */
const UNUSED = /^\S+(?: {2}\S+ (?:0|NULL|false|empty|all 0))*$/;
export function isKernels({ addr }: Struct): boolean {
  return addr < STATIC_ARENA + firstFreeStatic() * SLOT;
}
function objectLine(machine: Machine, object: Struct): string {
  const { shows } = object.constructor as StructClass;
  const members = membersIn(object, machine.era);
  const cls = object.constructor as StructClass;
  const isOf = (name: string): string => memberNameIn(cls, name, machine.era);
  const wanted = shows === undefined ? members : shows.flatMap((name) => members.filter(([one]) => one === isOf(name)));
  const cells = wanted.flatMap(([name, member]) => cellsOf(machine, name, member, shows !== undefined));
  return [object.expr(machine), ...cells].join("  ");
}

/** "dead false"; of an embedded struct its members. Locks and links have places of their own. */
function cellsOf(machine: Machine, name: string, member: Member, isAskedFor: boolean): string[] {
  if (member instanceof rw_semaphore) return [];
  if (member instanceof list_head || member instanceof hlist_head)
    return isAskedFor ? [`${name}: ${listText(machine, member)}`] : [];
  if (member instanceof Words) return [`${name}: ${wordsText(machine, member)}`];
  if (member instanceof Struct) {
    const { shows } = member.constructor as StructClass;
    const inner = membersIn(member, machine.era).filter(([field]) => shows === undefined || shows.includes(field));
    const [only] = inner;
    if (inner.length === 1 && only !== undefined && isAskedFor) return cellsOf(machine, name, only[1], true);
    return inner.flatMap(([field, part]) => cellsOf(machine, `${name}.${field}`, part, false));
  }
  if (member instanceof Ref || member instanceof Atomic || member instanceof Refcount)
    return [`${name} ${valueText(machine, member)}`];
  return [];
}
function valueText(machine: Machine, member: Ref<unknown> | Atomic | Refcount): string {
  const word = machine.peek(member.addr);
  const value = member instanceof Ref ? member.decode(word) : word;
  return showOne(value as Value, machine);
}
/** What is on a list, in its order, by the names of the objects that hold the links. */
function listText(machine: Machine, head: list_head | hlist_head): string {
  const names: string[] = [];
  const first = head instanceof list_head ? head.next.addr : head.first.addr;
  for (let node = machine.peek(first); node !== 0 && node !== head.addr; node = machine.peek(node)) {
    if (names.length === LIST_MAX) return `${names.join(", ")} ...`;
    const isFreed = machine.memory.header(node) < 0;
    names.push(
      `${addressText(headerAddress(node) + WORD, machine) ?? `0x${node.toString(16)}`}${isFreed ? " (freed)" : ""}`,
    );
    if (isFreed) break;
  }
  return names.length === 0 ? "empty" : names.join(", ");
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

/** Functions whose addresses lie in tables that hold nothing else: the callbacks. */
export function functionsInTables(machine: Machine): number[] {
  return liveObjects(machine).flatMap((object) => {
    const members = membersOf(object).map(([, member]) => member);
    if (members.length === 0 || !members.every((member) => member instanceof FunctionPointer)) return [];
    return members.flatMap((member) => machine.peek((member as FunctionPointer<[], void>).addr) || []);
  });
}
