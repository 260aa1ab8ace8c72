/** The members that structs have in an era. */
import { membersOf, type Member, type Struct, type StructClass } from "../../runtime/machine/struct.ts";
import { existsIn } from "../../runtime/patch.ts";

/** All of them, if nobody says which era it is. */
export function membersIn(struct: Struct, era: string | undefined): (readonly [name: string, member: Member])[] {
  const { lives } = struct.constructor as StructClass;
  const members = [...membersOf(struct)];
  return lives === undefined || era === undefined
    ? members
    : members.filter(([name]) => existsIn(lives[name] ?? {}, era));
}
