/**
 * Typed views of modelled memory.
 *
 * A kernel struct is a class whose field initialisers declare its members once, in order:
 *
 *     class vm_area_struct extends Struct {
 *       vm_start = int();
 *       vm_next = pointer(() => vm_area_struct);
 *     }
 *
 * `at(vm_area_struct, addr)` is then a typed pointer. Views hold nothing but an address, are interned, and so can be
 * compared with `===`; NULL is the view at address 0. Every member is a word of its own, eight bytes from the next.
 */
import { existsIn, type Life } from "./era.ts";
import type { Shown } from "./shown.ts";

export const WORD = 8;
/** Every object owns one aligned slot of this many bytes: its header word first, then its members. */
export const SLOT = 16 * 1024;

/**
 * Objects too large for a slot have arenas of their own, with larger slots: pages of 2 MiB and of 1 GiB, whose contents
 * are words like any others.
 */
export const HUGE_ARENA = 2 ** 52 + 120 * 2 ** 44;
export const GIANT_ARENA = 2 ** 52 + 130 * 2 ** 44;
const LARGE_ARENAS_END = 2 ** 52 + 140 * 2 ** 44;
const HUGE_SLOT = 2 ** 23;
const GIANT_SLOT = 2 ** 32;
/** How many bytes the slot at `addr` has. */
export function slotSize(addr: number): number {
  if (addr < HUGE_ARENA || addr >= LARGE_ARENAS_END) return SLOT;
  return addr < GIANT_ARENA ? HUGE_SLOT : GIANT_SLOT;
}

/** The header word of the object that owns `addr`. */
export function headerAddress(addr: number): number {
  const size = slotSize(addr);
  return Math.floor(addr / size) * size;
}

/** What printing needs to know about the machine: what lives where, and under which name a script knows it. */
export interface Names {
  /** The script's name for the object, or the variable, at this address. */
  name(addr: number): string | undefined;
  /** The type of the object that owns this address, or owned it until it was freed. */
  typeAt(addr: number): StructClass | undefined;
  functionName?(id: number): string;
  /** The kernel that names are to be those of. */
  readonly era?: string | undefined;
}

/** A word of a struct that kernel code may load and store. `T` is what a load hands to the body. */
export class Ref<out T = number> {
  readonly addr: number;
  readonly owner: Struct;
  name = "";
  constructor(owner: Struct, addr: number) {
    this.owner = owner;
    this.addr = addr;
  }
  decode(word: number): T {
    return word as T;
  }
  /** The word as C would spell it: `mm->mm_users`, `hmm->mirrors_sem.count`. */
  expr(names: Names): string {
    return wordExpr(this, names);
  }
}

export class Int extends Ref<number> {
  declare private readonly brand: "int";
}
export class Flag extends Ref<boolean> {
  declare private readonly brand: "flag";
  override decode(word: number): boolean {
    return word !== 0;
  }
}
export class Pointer<S extends Struct> extends Ref<S> {
  readonly target: () => StructClass<S>;
  constructor(owner: Struct, addr: number, target: () => StructClass<S>) {
    super(owner, addr);
    this.target = target;
  }
  override decode(word: number): S {
    return at(this.target(), word);
  }
}
/** A pointer to a pointer word, such as `hlist_node.pprev`. */
export class PointerToWord<R extends Ref<unknown>> extends Ref<R | null> {
  readonly make: (addr: number) => R;
  constructor(owner: Struct, addr: number, make: (addr: number) => R) {
    super(owner, addr);
    this.make = make;
  }
  override decode(word: number): R | null {
    return word === 0 ? null : this.make(word);
  }
}

/** Words with operations of their own. They are branded, so that `spin_lock(mm.mm_users)` does not compile. */
export abstract class Special {
  readonly addr: number;
  readonly owner: Struct;
  name = "";
  constructor(owner: Struct, addr: number) {
    this.owner = owner;
    this.addr = addr;
  }
  expr(names: Names): string {
    return wordExpr(this, names);
  }
}
export class Atomic extends Special {
  declare private readonly brand: "atomic_t";
}
export class Refcount extends Special {
  declare private readonly brand: "refcount_t";
}
export class SpinLock extends Special {
  declare private readonly brand: "spinlock_t";
}
export class Mutex extends Special {
  declare private readonly brand: "mutex";
}

export type Member = Ref<unknown> | Special | Struct | Words;

/** A fixed array of words, such as the entries of a page-table page. */
export class Words {
  readonly owner: Struct;
  readonly addr: number;
  readonly length: number;
  name = "";
  private readonly made = new Map<number, Int>();
  constructor(owner: Struct, addr: number, length: number) {
    this.owner = owner;
    this.addr = addr;
    this.length = length;
  }
  /** Element `i`; beyond the end it is the word that C would reach there. */
  at(i: number): Int {
    let ref = this.made.get(i);
    if (ref === undefined) {
      ref = new Int(this.owner, this.addr + i * WORD);
      ref.name = `${this.name}[${i}]`;
      this.made.set(i, ref);
    }
    return ref;
  }
}

/** First and first-no-more era of members, or the patch that brings them. */
export type Lives = Readonly<Record<string, Life & { readonly patch?: string }>>;
/** What some eras call a member, or without one a variable of the type, if not as its class does. */
export interface OtherName extends Life {
  readonly member?: string;
  readonly name: string;
  /** The struct itself is called so, not only variables of its type. */
  readonly ofType?: boolean;
}

export interface StructClass<S extends Struct = Struct> {
  new (addr: number): S;
  /** How kernel code calls a variable of this type: "vma", "mm". Defaults to the name of the class. */
  readonly short?: string;
  /**
   * It is handed over to all CPUs as soon as it is there, and nobody asks who made it: allocated from one arena for
   * all, so that states which differ in that only are one.
   */
  readonly common?: boolean;
  /** Where objects that are too large for a slot come from: HUGE_ARENA or GIANT_ARENA. Implies `common`. */
  readonly arena?: number | undefined;
  /** What a number says that is the address of one, with bits of its own in the low places. */
  readonly valueText?: (value: number, names: Names) => string;
  /** Its words go by names of their own: they are variables, not members of anything. */
  readonly variables?: boolean;
  /**
   * Under which heading the state is told of objects of this type: "mm", "notifiers", "devices", "objects". Without
   * one they are told of only if a script has given them a name.
   */
  readonly heading?: string;
  /** Which members, in which order; lists by what is on them. All but locks and links, if it does not say. */
  readonly shows?: readonly (string | Shown)[];
  /** Members that only some eras have. */
  readonly lives?: Lives;
  readonly otherNames?: readonly OtherName[];
  /** It is an array: its words go by the array's name and an index. */
  readonly elements?: boolean;
  readonly name: string;
}

interface Cursor {
  struct: Struct;
  next: number;
}
let cursor: Cursor | null = null; // the struct whose field initialisers are running right now; never kept

export abstract class Struct {
  readonly addr: number;
  constructor(addr: number) {
    this.addr = addr;
    cursor = { struct: this, next: addr };
  }
  get isNull(): boolean {
    return this.addr === 0;
  }
  /** How C would name this object: a script's name for it, or its type's short name, or its place in its owner. */
  expr(names: Names): string {
    if (this.addr === 0) return "NULL";
    const cls = this.constructor as StructClass;
    const owner = names.typeAt(this.addr);
    const base = headerAddress(this.addr) + WORD;
    const path = owner === undefined || owner === cls ? undefined : pathTo(owner, this.addr - base, cls);
    if (owner === undefined || path === undefined) return names.name(this.addr) ?? shortName(cls, names.era);
    return member(base, owner, path, names);
  }
}

/** How kernel code of that era calls a variable of the type. */
export function shortName(cls: StructClass, era?: string): string {
  return otherName(cls, undefined, era) ?? cls.short ?? cls.name;
}
/** How that era calls the type. */
export const typeName = (cls: StructClass, era?: string): string =>
  (era === undefined ? undefined : cls.otherNames?.find((other) => other.ofType === true && existsIn(other, era)))
    ?.name ?? cls.name;
function otherName(cls: StructClass, member: string | undefined, era: string | undefined): string | undefined {
  if (era === undefined) return undefined;
  return cls.otherNames?.find((other) => other.member === member && existsIn(other, era))?.name;
}
/** A path of members, as that era writes it. */
function pathIn(cls: StructClass, path: string, era: string | undefined): string {
  if (cls.otherNames === undefined) return path;
  const [first = "", ...rest] = path.split(".");
  return [otherName(cls, first, era) ?? first, ...rest].join(".");
}
function member(base: number, owner: StructClass, path: string, names: Names): string {
  const name = names.name(base) ?? shortName(owner, names.era);
  return owner.elements === true ? name + path.slice(path.indexOf("[")) : `${name}->${pathIn(owner, path, names.era)}`;
}
function wordExpr(word: { addr: number; owner: Struct; name: string }, names: Names): string {
  const owner = names.typeAt(word.addr);
  const base = headerAddress(word.addr) + WORD;
  if (owner?.variables === true) return names.name(word.addr) ?? word.name;
  const path = owner === undefined ? undefined : pathTo(owner, word.addr - base);
  if (owner !== undefined && path !== undefined) return member(base, owner, path, names);
  const cls = word.owner.constructor as StructClass;
  if (cls.elements === true) return word.name;
  const name = pathIn(cls, word.name, names.era);
  return word.owner.isNull ? `((struct ${cls.name} *)NULL)->${name}` : `${shortName(cls, names.era)}->${name}`;
}

/** A kernel address as C would write it: `umem`, `&hmm->lock`; undefined where nothing ever lived. */
export function addressText(addr: number, names: Names): string | undefined {
  const owner = names.typeAt(addr);
  if (owner === undefined) return undefined;
  const base = headerAddress(addr) + WORD;
  if (addr === base) return names.name(base) ?? shortName(owner, names.era);
  return memberText(addr, names);
}
/** The same for what cannot be the object itself, though it may be its first member: "&pmd->ptl". */
export function memberText(addr: number, names: Names): string | undefined {
  const owner = names.typeAt(addr);
  if (owner === undefined) return undefined;
  const base = headerAddress(addr) + WORD;
  if (owner.variables === true && names.name(addr) !== undefined) return `&${names.name(addr)}`;
  const path = pathTo(owner, addr - base);
  return path === undefined ? undefined : `&${member(base, owner, path, names)}`;
}

const paths = new Map<StructClass, { offset: number; path: string; cls: StructClass | null }[]>();

/** Which member lies at `offset` in a `cls`: the embedded struct of type `wanted`, or else the word. */
/** Whether an object of one type is, or embeds, one of another at `offset`. */
export function isAt(cls: StructClass, offset: number, wanted: StructClass): boolean {
  return (cls === wanted && offset === 0) || pathTo(cls, offset, wanted) !== undefined;
}
function pathTo(cls: StructClass, offset: number, wanted: StructClass | null = null): string | undefined {
  let list = paths.get(cls);
  if (list === undefined) paths.set(cls, (list = [...pathsWithin(at(cls, 0), "")]));
  return list.find((entry) => entry.offset === offset && entry.cls === wanted)?.path;
}
function* pathsWithin(
  struct: Struct,
  prefix: string,
): Generator<{ offset: number; path: string; cls: StructClass | null }> {
  for (const [name, m] of membersOf(struct)) {
    const path = prefix + name;
    if (m instanceof Struct) {
      yield { offset: m.addr, path, cls: m.constructor as StructClass };
      yield* pathsWithin(m, `${path}.`);
    } else if (m instanceof Words) {
      for (let i = 0; i < m.length; i++) yield { offset: m.addr + i * WORD, path: `${path}[${i}]`, cls: null };
    } else yield { offset: m.addr, path, cls: null };
  }
}

function allot(words: number): Cursor & { addr: number } {
  if (cursor === null) throw new Error("a member was declared outside a struct");
  const addr = cursor.next;
  cursor.next += words * WORD;
  return Object.assign(cursor, { addr });
}
/** For modules that bring a kind of word of their own. */
export function declare<M>(make: new (owner: Struct, addr: number) => M): M {
  const { struct, addr } = allot(1);
  return new make(struct, addr);
}

export const int = (): Int => declare(Int);
export const flag = (): Flag => declare(Flag);
export const atomic = (): Atomic => declare(Atomic);
export const refcount = (): Refcount => declare(Refcount);
export const spinlock = (): SpinLock => declare(SpinLock);
export const mutex = (): Mutex => declare(Mutex);
export function pointer<S extends Struct>(target: () => StructClass<S>): Pointer<S> {
  const { struct, addr } = allot(1);
  return new Pointer(struct, addr, target);
}
export function pointerToWord<R extends Ref<unknown>>(make: (addr: number) => R): PointerToWord<R> {
  const { struct, addr } = allot(1);
  return new PointerToWord(struct, addr, make);
}
export function words(length: number): Words {
  const { struct, addr } = allot(length);
  return new Words(struct, addr, length);
}
export function embed<S extends Struct>(cls: StructClass<S>): S {
  if (cursor === null) throw new Error("a member was declared outside a struct");
  const outer: Cursor = cursor;
  const inner = at(cls, outer.next);
  outer.next = endOf(inner);
  return inner;
}

const ends = new WeakMap<Struct, number>();
function endOf(struct: Struct): number {
  return ends.get(struct) ?? struct.addr;
}
function build<S extends Struct>(cls: StructClass<S>, addr: number): S {
  const outer: Cursor | null = cursor;
  const view = new cls(addr);
  ends.set(view, (cursor as Cursor | null)?.next ?? addr);
  cursor = outer;
  for (const [name, m] of membersOf(view)) if (!(m instanceof Struct)) m.name = name;
  return view;
}

const interned = new Map<StructClass, Map<number, Struct>>(); // views are values: this is a cache, not state

/** The view of type `cls` at `addr`: a typed pointer. Address 0 is NULL. */
export function at<S extends Struct>(cls: StructClass<S>, addr: number): S {
  let views = interned.get(cls);
  if (views === undefined) interned.set(cls, (views = new Map()));
  let view = views.get(addr);
  if (view === undefined) {
    view = build(cls, addr);
    views.set(addr, view);
  }
  return view as S;
}

export const NULL = <S extends Struct>(cls: StructClass<S>): S => at(cls, 0);

/** Bytes that a struct takes, header not counted. */
export function sizeOf(cls: StructClass): number {
  return endOf(at(cls, 0));
}

/** The members of a struct by name, in order of declaration; embedded structs are members themselves. */
export function membersOf(struct: Struct): [string, Member][] {
  return (Object.entries(struct) as [string, unknown][])
    .filter((entry): entry is [string, Member] => isMember(entry[1]))
    .map(([key, m]) => [key.endsWith(TAKEN) ? key.slice(0, -TAKEN.length) : key, m]);
}
/** By the name that its class gives it, or some era. */
export function memberNamed(struct: Struct, name: string): Member | undefined {
  const members = struct as unknown as Record<string, unknown>;
  const other = (struct.constructor as StructClass).otherNames?.find((one) => one.name === name)?.member;
  const key = memberKey(other ?? name);
  const member = members[key];
  return Object.hasOwn(struct, key) && isMember(member) ? member : undefined;
}
/** What that era calls a member. */
export const memberNameIn = (cls: StructClass, name: string, era: string | undefined): string =>
  otherName(cls, name, era) ?? name;

/** Structs of a script have members of any name: those that mean something else here get another key. */
const TAKEN = "$";
const taken: readonly string[] = ["addr", "isNull", "expr", "constructor", "__proto__"];
export const memberKey = (name: string): string => (taken.includes(name) ? name + TAKEN : name);

function isMember(value: unknown): value is Member {
  return value instanceof Ref || value instanceof Special || value instanceof Words || value instanceof Struct;
}

/** From an embedded member back to the object that holds it. */
export function container_of<S extends Struct, K extends keyof S & string>(
  member: { readonly addr: number },
  cls: StructClass<S>,
  field: K,
): S {
  const offset = (at(cls, 0)[field] as unknown as { addr: number }).addr;
  return at(cls, member.addr - offset);
}
