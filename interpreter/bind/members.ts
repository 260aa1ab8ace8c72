/** The members that structs have in an era. */
import { membersOf, type Member, type Struct, type StructClass } from "../../runtime/machine/struct.ts";
import { existsIn } from "../../runtime/patch.ts";

/** All of them, if nobody says which era it is; those that come with a patch only where its name is given. */
export function membersIn(
  struct: Struct,
  era: string | undefined,
  patches: readonly { readonly name: string }[] = [],
): (readonly [name: string, member: Member])[] {
  const { lives } = struct.constructor as StructClass;
  const members = [...membersOf(struct)];
  return lives === undefined || era === undefined
    ? members
    : members.filter(([name]) => existsIn(lives[name] ?? {}, era) && comesWith(lives[name] ?? {}, patches));
}
/** Whether what may be a patch's is there. */
export const comesWith = (
  { patch }: { readonly patch?: string },
  patches: readonly { readonly name: string }[],
): boolean => patch === undefined || patches.some(({ name }) => name === patch);
