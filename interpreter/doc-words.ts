/** What a step, a call or a value is called in a situation. */
import { functionById, type FunctionInfo } from "../runtime/machine/function.ts";
import type { Value } from "../runtime/machine/step.ts";
import { same, withoutTables } from "./doc-entries.ts";
import type { Situation, Stop } from "./doc-follow.ts";
import type { Loops } from "./doc-loops.ts";
import { conditionOf } from "./doc-condition.ts";
import { oneText } from "./doc-naming.ts";
import { isList, isNull, isStruct, render, type Known } from "./doc-world.ts";

/** Situations that ask for the same thing, and what that is. */
export interface Group {
  readonly text: string;
  readonly members: readonly Situation[];
}

/** Pointers into the middle of something go by their own names. */
export function renamed(text: string, s: Situation): string {
  let out = withoutTables(text, s.known);
  for (const { name, value } of s.known) {
    if (!isStruct(value) || value.isNull) continue;
    const full = render(value, s.world);
    if (full.startsWith("&") && !name.includes(" "))
      out = out.replaceAll(new RegExp(`${full.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![\\w.>-])`, "g"), name);
  }
  return out;
}
export function valueText(value: Value, s: Situation): string {
  if (typeof value === "object" && value !== null) {
    const known = s.known.findLast((k: Known) => same(k.value, value) && !k.name.startsWith("old "));
    if (known !== undefined && !isList(value) && (!isStruct(value) || !value.isNull)) return known.name;
  }
  if (typeof value === "number" && value >= 2 ** 52) {
    const known = s.known.findLast((k) => k.value === value);
    if (known !== undefined) return known.name;
    if (s.world.typeAt(value)?.valueText !== undefined) return String(value);
  }
  if (isList(value)) return "{ ... }";
  if (Array.isArray(value)) return `{ ${(value as readonly Value[]).map((v) => valueText(v, s)).join(", ")} }`;
  return renamed(render(value, s.world), s);
}
export function argTexts(args: readonly Value[], s: Situation, info: FunctionInfo = {}): string {
  return args
    .flatMap((arg, i) => {
      const param = info.params?.[i] ?? "";
      if (info.own?.includes(param) === true) return [];
      const bits = info.bits?.[param];
      if (bits !== undefined && typeof arg === "number") return [bitsText(arg, bits)];
      if (!Array.isArray(arg)) return [valueText(arg, s)];
      const known = s.known.findLast((k) => sameTuple(k.value, arg));
      if (known !== undefined) return [known.name];
      const [, start, end] = arg as readonly Value[];
      if (isList(arg)) return [];
      if (param !== "range" || typeof start !== "number" || typeof end !== "number") return param === "" ? [] : [param];
      return [`[${valueText(start, s)}, ${valueText(end, s)})`];
    })
    .join(", ");
}
/** "FAULT_FLAG_WRITE | FAULT_FLAG_REMOTE" */
function bitsText(value: number, bits: Readonly<Record<string, number>>): string {
  const set = Object.entries(bits).filter(([, bit]) => Math.floor(value / bit) % 2 === 1);
  const rest = set.reduce((left, [, bit]) => left - bit, value);
  return set.length === 0 || rest !== 0 ? String(value) : set.map(([name]) => name).join(" | ");
}
function sameTuple(a: Value, b: Value): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return false;
  const [x, y] = [a as readonly Value[], b as readonly Value[]];
  return x.length > 0 && x.length === y.length && x.every((v, i) => v === y[i]);
}
/** Of variables of a loop that no one text fits: what each of them may be. */
export function eachText(texts: readonly string[], members: readonly Situation[]): string {
  const rows = texts.map((text) => text.split(VARIABLES));
  const parts = (rows[0] as string[]).map((_, i) => {
    const column = rows.map((row) => row[i] ?? "");
    const one = oneText(column, members);
    if (one !== undefined) return one;
    const values = column.map((text) => text.slice(text.indexOf(" = ") + 3));
    const [first] = column as [string];
    const chosen = eitherOf(values, members);
    if (chosen !== undefined) return `${first.slice(0, first.indexOf(" = "))} = ${chosen}`;
    return `${first.slice(0, first.indexOf(" = "))} = ${[...new Set(values)].slice(0, 3).join(" or ")}`;
  });
  return parts.join(VARIABLES);
}
/** One of two values, if there is a question that tells which. */
function eitherOf(values: readonly string[], members: readonly Situation[]): string | undefined {
  const [one, two, ...more] = [...new Set(values)];
  if (one === undefined || two === undefined || more.length > 0) return undefined;
  const those = members.filter((_, i) => values[i] === one);
  const others = members.filter((_, i) => values[i] !== one);
  const condition = conditionOf(those, others);
  return condition === undefined ? undefined : `${condition} ? ${one} : ${two}`;
}
const VARIABLES = "; ";
export function passesMemberOfNull(stop: Stop): boolean {
  return stop.kind === "call" && stop.args.some((arg) => isStruct(arg) && arg.addr > 0 && arg.addr < 2 ** 20);
}
/** Whether a group hands on NULL where the other hands on a member of what is NULL here: C never would. */
export function passesNothing(group: Group, other: Group): boolean {
  const nothing = new Set(
    (group.members[0] as Situation).known.filter(({ value }) => isNull(value)).map((k) => k.name),
  );
  if (!group.text.includes("NULL") || nothing.size === 0) return false;
  const text = other.text.replaceAll(/&(\w+)->[\w.]+/g, (all, name: string) => (nothing.has(name) ? "NULL" : all));
  return text === group.text && text !== other.text;
}
/** Without those that stay what they are. */
export function changes(text: string): string {
  return text
    .split(VARIABLES)
    .filter((one) => !/^(.*) = \1$/.test(one))
    .join(", ");
}
/** What the variables of a loop are when it begins, or when it goes round. */
export function variables(loops: Loops, { fn, args }: Extract<Stop, { kind: "again" | "loop" }>, s: Situation): string {
  const params = functionById(fn)?.info.params ?? [];
  return [...(loops.get(fn)?.keys() ?? [])]
    .map((i) => `${params[i] ?? `argument ${i + 1}`} = ${valueText(args[i], s)}`)
    .join(VARIABLES);
}
