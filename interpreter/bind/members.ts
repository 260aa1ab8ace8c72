/** The members that structs have in an era. */
import { memberNameIn, membersOf, type Member, type Struct, type StructClass } from "../../runtime/machine/struct.ts";
import { existsIn } from "../../runtime/patch.ts";

/** All of them, if nobody says which era it is. */
export function membersIn(struct: Struct, era: string | undefined): (readonly [name: string, member: Member])[] {
  const cls = struct.constructor as StructClass;
  const { lives = {} } = cls;
  const members = [...membersOf(struct)];
  if (era === undefined) return members;
  const there = members.filter(([name]) => existsIn(lives[name] ?? {}, era));
  return there.map(([name, member]) => [memberNameIn(cls, name, era), member]);
}
