/** The members that structs have in an era. */
import { memberNameIn, membersOf, type Member, type Struct, type StructClass } from "../../runtime/machine/struct.ts";
import { existsIn } from "../../runtime/patch.ts";

/** All of them, if nobody says which era it is; those that come with a patch only where its name is given. */
export function membersIn(
  struct: Struct,
  era: string | undefined,
  patches: readonly { readonly name: string }[] = [],
): (readonly [name: string, member: Member])[] {
  const cls = struct.constructor as StructClass;
  const { lives = {} } = cls;
  const members = [...membersOf(struct)];
  if (era === undefined) return members;
  const there = members.filter(([name]) => existsIn(lives[name] ?? {}, era) && comesWith(lives[name] ?? {}, patches));
  return there.map(([name, member]) => [memberNameIn(cls, name, era), member]);
}
/** Whether what may be a patch's is there. */
export const comesWith = (
  { patch }: { readonly patch?: string },
  patches: readonly { readonly name: string }[],
): boolean => patch === undefined || patches.some(({ name }) => name === patch);
