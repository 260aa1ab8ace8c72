/** Callbacks under way, as panels and `show` tell of them: who is inside of which, for what. */
import { FunctionPointer } from "../runtime/machine/function.ts";
import type { Machine } from "../runtime/machine/machine.ts";
import type { Value } from "../runtime/machine/step.ts";
import { membersOf, Struct } from "../runtime/machine/struct.ts";
import { ACTORS, actorName } from "./actors.ts";
import { showNumber, showOne } from "./bind/values.ts";
import { headingOf, liveObjects } from "./show-objects.ts";

/** Functions whose addresses lie in tables that hold nothing else: the callbacks. */
export function functionsInTables(machine: Machine): number[] {
  return liveObjects(machine).flatMap((object) => {
    const members = membersOf(object).map(([, member]) => member);
    if (members.length === 0 || !members.every((member) => member instanceof FunctionPointer)) return [];
    return members.flatMap((member) => machine.peek((member as FunctionPointer<[], void>).addr) || []);
  });
}

/** One line each; those only that are called for objects under this heading. */
export function callbackLines(machine: Machine, heading: string): string[] {
  const callbacks = new Set(functionsInTables(machine));
  const lines: string[] = [];
  for (let actor = 0; actor < ACTORS; actor++)
    for (const { fn, args } of [...machine.automaton.calls(machine.locals[actor] as number)].reverse()) {
      const [target, ...rest] = args;
      if (!callbacks.has(fn) || !(target instanceof Struct) || headingOf(machine, target) !== heading) continue;
      const call = [`${actorName(actor)} in ${machine.functionName(fn)}`, `of ${target.expr(machine)}`];
      lines.push([...call, ...rest.flatMap((arg, i) => argCells(machine, fn, i + 1, arg))].join("  "));
    }
  return lines;
}
/** "cur_seq 3"; of what is invalidated the range, what happens to it, and whether that may sleep. */
function argCells(machine: Machine, fn: number, i: number, arg: Value): string[] {
  if (!Array.isArray(arg)) {
    const name = machine.automaton.infoOf(fn).params?.[i];
    return [`${name === undefined ? "" : `${name} `}${showOne(arg, machine)}`];
  }
  const parts = arg as readonly Value[];
  const from = parts.findIndex((part) => typeof part === "number");
  const [start, end] = parts.slice(from);
  const range = typeof start === "number" && typeof end === "number" ? [`for ${rangeText(start, end)}`] : [];
  const event = parts.filter((part) => typeof part === "string");
  return [...range, ...event, ...(parts.at(-1) === false ? ["may not sleep"] : [])];
}
function rangeText(start: number, end: number): string {
  return `[${showNumber(start)}, ${showNumber(end)})`;
}
