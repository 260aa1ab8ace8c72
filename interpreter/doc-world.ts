/**
 * The made-up world in which `hmm doc` follows a body: objects that stand for "whatever is there", numbers that tell
 * many cases apart, and the names under which a reader of C would know them.
 */
import { showValue } from "../runtime/machine/access.ts";
import type { KernelFunction } from "../runtime/machine/function.ts";
import { Op, type Callable, type Value } from "../runtime/machine/step.ts";
import {
  at,
  headerAddress,
  int,
  membersOf,
  Ref,
  SLOT,
  slotSize,
  Struct,
  WORD,
  type Names,
  type StructClass,
} from "../runtime/machine/struct.ts";
import { ARENA, STATIC_ARENA, staticObjects, typeByNumber } from "../runtime/machine/types.ts";
import { showNumber } from "./bind/values.ts";

/** Where made-up objects lie: no actor's arena is there. */
const MADE_UP = STATIC_ARENA + 150 * ARENA;
const KERNEL_ADDRESSES = 2 ** 52;
export const PAGE_SIZE = 4096;

/** Something that the body knows, under the name that it has in C. */
export interface Known {
  readonly name: string;
  readonly value: Value;
}
/** An object of the world. */
interface Thing {
  readonly cls: StructClass | undefined;
  readonly name: string;
}
/** That a pointer to an embedded member is one into a `cls`, at an offset. */
export interface Container {
  readonly cls: StructClass;
  readonly offset: number;
  readonly path: string;
}

export const isStruct = (value: unknown): value is Struct => value instanceof Struct;
export const isNull = (value: Value): boolean => value === null || (isStruct(value) && value.isNull);

/** Every struct that some module has given a number, which is every one that can be allocated or declared. */
export function allTypes(): StructClass[] {
  const types: StructClass[] = [];
  for (;;) {
    try {
      types.push(typeByNumber(types.length));
    } catch {
      return types;
    }
  }
}
/** Where a struct is embedded in others, directly or further in. */
export function containersOf(inner: StructClass): readonly Container[] {
  let found = containers.get(inner);
  if (found === undefined) containers.set(inner, (found = searchContainers(inner)));
  return found;
}
const containers = new Map<StructClass, readonly Container[]>(); // types do not change
function searchContainers(inner: StructClass): readonly Container[] {
  return allTypes().flatMap((cls) =>
    [...embeddedIn(at(cls, 0), "")]
      .filter(({ struct }) => struct.constructor === inner)
      .map(({ struct, path }) => ({ cls, offset: struct.addr, path })),
  );
}
function* embeddedIn(struct: Struct, prefix: string): Generator<{ struct: Struct; path: string }> {
  for (const [name, member] of membersOf(struct))
    if (isStruct(member)) {
      yield { struct: member, path: prefix + name };
      yield* embeddedIn(member, `${prefix}${name}.`);
    }
}
/** Names of the words of a struct by offset, those of embedded structs included. */
function wordNames(cls: StructClass): Map<number, string> {
  const names = new Map<number, string>();
  const enter = (struct: Struct): void => {
    for (const [name, member] of membersOf(struct))
      if (isStruct(member)) enter(member);
      else names.set(member.addr, name);
  };
  enter(at(cls, 0));
  return names;
}

export const shortName = (cls: StructClass): string => cls.short ?? cls.name;

/** The first of these names that is free; with a number, if none is. */
export function freeName(wanted: readonly string[], taken: (name: string) => boolean): string {
  const names = wanted.filter((name) => /^[A-Za-z_]\w*$/.test(name));
  const free = names.find((name) => !taken(name));
  if (free !== undefined) return free;
  for (let n = 2; ; n++) if (!taken(`${names[0]}${n}`)) return `${names[0]}${n}`;
}

/** Numbers in a row that a pointer points to, and one alone. */
export class array extends Struct {
  static readonly variables = true;
  first = int();
}
export class word extends Struct {
  static readonly variables = true;
  value = int();
}

/** What one situation is made of. Situations that agree so far have the same objects at the same places. */
export class World implements Names {
  readonly things: Map<number, Thing>;
  /** How new objects are called: the first of some names that nobody has. */
  pick: (wanted: readonly string[]) => string = (wanted) => freeName(wanted, (name) => this.has(name));
  /** Which pointer each object was made for. */
  readonly owners: Map<number, string>;
  /** How many pointers to page-table entries were made. */
  entries: number;
  private made: number;
  constructor(from?: World) {
    this.things = new Map(from?.things);
    this.owners = new Map(from?.owners);
    this.made = from?.made ?? 0;
    this.entries = from?.entries ?? 0;
  }
  copy(): World {
    return new World(this);
  }
  typeAt(addr: number): StructClass | undefined {
    const base = headerAddress(addr);
    const thing = this.things.get(base);
    return thing === undefined ? (staticAt(base)?.object.constructor as StructClass | undefined) : thing.cls;
  }
  name(addr: number): string | undefined {
    const base = headerAddress(addr);
    const thing = this.things.get(base);
    if (thing === undefined) return staticAt(base)?.name;
    if (thing?.cls?.variables === true)
      return thing.cls === array ? `${thing.name}[${(addr - base) / WORD - 1}]` : thing.name;
    return addr === base + WORD ? thing?.name : undefined;
  }
  /** Where the next object would be, in the middle of its slot or at `offset` of one. */
  peekAddress(offset = 0): number {
    return MADE_UP + this.made * SLOT + WORD + offset;
  }
  /** Makes the next object; `cls` undefined: something that `addr` points into, nobody knows yet what. */
  make(cls: StructClass | undefined, name: string): number {
    const { arena } = cls ?? {};
    const base = arena === undefined ? MADE_UP + this.made++ * SLOT : arena + this.made++ * slotSize(arena);
    this.things.set(base, { cls, name });
    return base + WORD;
  }
  /** Whether `name` is taken by an object. */
  has(name: string): boolean {
    return [...this.things.values()].some((thing) => thing.name === name);
  }
  /** The whole object of which something lies at this address. */
  objectAround(addr: number): Struct | undefined {
    const base = headerAddress(addr);
    const cls = this.things.get(base)?.cls;
    return cls === undefined ? undefined : at(cls, base + WORD);
  }
  /** Whether an address lies in what was made for the pointer called `name`. */
  isOwn(addr: number, name: string): boolean {
    return this.owners.get(headerAddress(addr)) === name;
  }
  isUntyped(addr: number): boolean {
    const base = headerAddress(addr);
    return this.things.has(base) && this.things.get(base)?.cls === undefined;
  }
}
function staticAt(base: number): ReturnType<typeof staticObjects>[number] | undefined {
  return base < STATIC_ARENA || base >= MADE_UP ? undefined : staticObjects()[(base - STATIC_ARENA) / SLOT];
}

/** In the middle of a slot, with room for any container on both sides. */
export const MIDDLE = SLOT / 2;

/** Which struct a pointer into an untyped slot turns out to point into, by the word that the body found from it. */
export function containerBy(
  inner: StructClass,
  pointer: number,
  word: { readonly addr: number; readonly text: string },
): Container | undefined {
  const fits = containersOf(inner).filter(({ cls, offset }) => {
    const name = wordNames(cls).get(word.addr - pointer + offset);
    return name !== undefined && new RegExp(`\\b${shortName(cls)}->${name}\\b`).test(word.text);
  });
  return fits[0];
}
/** The same by an object that the body made of the pointer. */
export function containerByObject(inner: StructClass, pointer: number, object: Struct): Container | undefined {
  const cls = object.constructor as StructClass;
  return containersOf(inner).find((c) => c.cls === cls && pointer - c.offset === object.addr);
}

const stand = new Map<string, KernelFunction>();
/** Stands for whatever function a pointer holds. It has no body: nobody but `hmm doc` ever calls it. */
export function anyFunction(name: string): KernelFunction {
  let fn = stand.get(name);
  if (fn === undefined) {
    const made: unknown = function* (...args: readonly Value[]): Generator<unknown, unknown, unknown> {
      return yield { op: Op.call, fn: made as Callable, args };
    };
    fn = Object.defineProperties(made as object, {
      name: { value: name },
      id: { value: -1 - stand.size },
      info: { value: {} },
      bodies: { value: [] },
    }) as unknown as KernelFunction;
    stand.set(name, fn);
  }
  return fn;
}

/** Objects in a row, as bodies gather them: how many there are says nothing. */
export function isList(value: Value): boolean {
  return Array.isArray(value) && (value as readonly Value[]).every(isStruct);
}
/** A value as C would write it, before numbers are given names. */
export function render(value: Value, world: Names): string {
  if (value === undefined) return "";
  if (isList(value)) return "{ ... }";
  if (Array.isArray(value)) return `{ ${(value as readonly Value[]).map((v) => render(v, world)).join(", ")} }`;
  if (typeof value === "number" && value < KERNEL_ADDRESSES) return showNumber(value);
  if (value instanceof Ref) return `&${value.expr(world)}`;
  return showValue(value, world);
}
/** "-EAGAIN" for -11; undefined for a number that is no error code. */
export function errnoText(value: number): string | undefined {
  const text = value < 0 ? showNumber(value) : "";
  return text.startsWith("-E") ? text : undefined;
}
