/** Commands that say where to stop. */
import { nearest } from "../../grammar/suggest.ts";
import { allFunctions, type FunctionInfo } from "../../runtime/machine/function.ts";
import { existsIn } from "../../runtime/patch.ts";
import { nothing, refused, told, type Answering, type Desk } from "./desk.ts";
import type { Session } from "./session.ts";

const FORM = "`:break find_vma`, `:break cpu1: find_vma returns`, `:break find_vma if mm.mm_users == 0`";

/** `break F`, `break cpu1: F returns if EXPR` */
export function* breakAt({ session }: Desk, args: string): Answering {
  const match = /^(?:cpu([0-7]):?\s+)?([A-Za-z_][\w.]*)(?:\(\))?(\s+returns)?(?:\s+if\s+(.+))?$/.exec(args);
  if (match === null) return refused(`\`:break\` takes a function: ${FORM}`);
  const [, cpu, name = "", returns, condition] = match;
  const known = functionNames(session);
  if (!known.includes(name)) {
    const meant = nearest(name, known);
    const hint = meant === undefined ? "" : `; did you mean \`${meant}\`?`;
    return refused(`there is no function \`${name}\`${hint}`);
  }
  const stop = session.addStop({
    kind: "break",
    text: args,
    function: name,
    returns: returns !== undefined,
    cpu: cpu === undefined ? undefined : Number(cpu),
    condition: condition === undefined ? undefined : session.look(condition),
  });
  return told(`breakpoint ${stop.number}: ${stop.text}`);
}
/** Of the kernel, and the script's own. */
export function functionNames({ program }: Session): string[] {
  const here = (info: FunctionInfo): boolean => info.internal !== true && existsIn(info, program.kernel.era);
  const kernel = allFunctions().flatMap(({ info, name }) => (here(info) ? name : []));
  return [...new Set([...kernel, ...(program.functionNames?.() ?? [])])];
}

export function* watch({ session }: Desk, args: string): Answering {
  if (args === "") return refused("`:watch` takes an expression: `:watch mm.mm_users`");
  const look = session.look(args);
  const stop = session.addStop({ kind: "watch", text: look.text, look });
  return told(`watch ${stop.number}: ${look.text} = ${look.value(session.timeline.director.machine)}`);
}

export function* remove({ session }: Desk, args: string): Answering {
  if (!/^\d{1,6}$/.test(args)) return refused("`:delete` takes the number that `:stops` lists");
  return session.deleteStop(Number(args)) ? nothing : refused(`there is no breakpoint or watch ${args}`);
}
