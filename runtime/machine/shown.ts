/** What a class says of its objects to those who look on. Nothing here takes a step. */
import type { hlist_head, list_head } from "./list.ts";
import { at, type Struct, type StructClass } from "./struct.ts";

/** The word at an address, as it is now. */
export type Peek = (addr: number) => number;

/** A member of which more is to be said than its value, or something else. */
export interface Shown {
  readonly member: string;
  /** In words: behind the value, if it has one. "": nothing. */
  readonly says?: (object: Struct, peek: Peek) => string;
  /** Of a list: every object on it has a line of its own. */
  readonly each?: Each;
}
export interface Each {
  readonly type: StructClass;
  /** Where the link lies in it. */
  readonly offset: number;
  /** What its line has behind its name; `owner`: of the list. */
  readonly cells: (object: Struct, owner: Struct, peek: Peek) => readonly string[];
}
type Link = Struct & { readonly next: unknown };
type NamesOf<S, T> = { readonly [K in keyof S]: S[K] extends T ? K : never }[keyof S] & string;

export function explained<S extends Struct>(member: keyof S & string, says: (object: S, peek: Peek) => string): Shown {
  return { member, says: says as unknown as (object: Struct, peek: Peek) => string };
}
/** `link`: the member by which objects of the type are on the list. */
export function listed<S extends Struct, E extends Struct>(
  member: NamesOf<S, list_head | hlist_head>,
  type: StructClass<E>,
  link: NamesOf<E, Link>,
  cells: (object: E, owner: S, peek: Peek) => readonly string[],
): Shown {
  const offset = (at(type, 0)[link] as Link).addr;
  return { member, each: { type, offset, cells: cells as unknown as Each["cells"] } };
}
