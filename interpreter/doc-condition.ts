/**
 * What tells one group of situations from the others, as a C programmer would ask. Nothing but the cases that were
 * tried is looked at: a condition is right for all of these, and the simplest that is.
 */
import { isEntryValue, questionsAbout } from "./doc-entries.ts";
import { errnoText, render, PAGE_SIZE, isNull, isStruct, type Known } from "./doc-world.ts";
import type { Situation } from "./doc-follow.ts";
import { boundary } from "./doc-naming.ts";
import type { Value } from "../runtime/machine/step.ts";
import type { StructClass } from "../runtime/machine/struct.ts";

interface Atom {
  readonly text: string;
  readonly cost: number;
  /** Of each situation, whether it holds. */
  readonly truth: Uint8Array;
}

const TERMS_MAX = 4;
const PAGE_SHIFT = 12;
const TASK_SIZE = 2 ** 47;

/** The condition under which exactly `those` of all situations are; undefined if no simple one fits. */
export function conditionOf(those: readonly Situation[], others: readonly Situation[]): string | undefined {
  const all = [...those, ...others];
  const atoms = atomsOf(all);
  const isTarget = (i: number): boolean => i < those.length;
  const exact = atoms.filter(({ truth }) => truth.every((t, i) => (t === 1) === isTarget(i)));
  if (exact.length > 0) return cheapest(exact).text;
  const wide = atoms.filter(({ truth }) => truth.every((t, i) => t === 1 || !isTarget(i)));
  const narrow = atoms.filter(({ truth }) => truth.every((t, i) => t === 0 || isTarget(i)));
  const and = cover(wide, (truth, i) => !isTarget(i) && truth[i] === 0, all.length - those.length);
  const or = cover(narrow, (truth, i) => isTarget(i) && truth[i] === 1, those.length);
  const best = [and, or].filter((terms) => terms !== undefined).sort((a, b) => a.length - b.length)[0];
  if (best === undefined) return undefined;
  return best === and ? best.map(({ text }) => text).join(" && ") : best.map(({ text }) => text).join(" || ");
}
/** As few atoms as a greedy look finds that together cover all there is to cover; in the order of their asking. */
function cover(
  atoms: readonly Atom[],
  covers: (truth: Uint8Array, i: number) => boolean,
  needed: number,
): Atom[] | undefined {
  const left = new Set<number>();
  const size = atoms[0]?.truth.length ?? 0;
  for (const { truth } of atoms) for (let i = 0; i < size; i++) if (covers(truth, i)) left.add(i);
  if (left.size < needed) return undefined;
  const chosen: Atom[] = [];
  while (left.size > 0) {
    if (chosen.length === TERMS_MAX) return undefined;
    let best: Atom | undefined;
    let most = 0;
    for (const atom of atoms) {
      let count = 0;
      for (const i of left) if (covers(atom.truth, i)) count++;
      const better = count > most || (count === most && best !== undefined && atom.cost < best.cost);
      if (count > 0 && better) [best, most] = [atom, count];
    }
    if (best === undefined) return undefined;
    for (const i of left) if (covers(best.truth, i)) left.delete(i);
    chosen.push(best);
  }
  return chosen.sort((a, b) => b.cost - a.cost);
}
function cheapest(atoms: readonly Atom[]): Atom {
  return atoms.reduce((best, atom) => (atom.cost < best.cost ? atom : best));
}

/** What could be asked about what is known; the later it was learnt the cheaper. */
function atomsOf(all: readonly Situation[]): Atom[] {
  const known = (all[0] as Situation).known;
  const atoms: Atom[] = [];
  const seen = new Set<string>();
  const add = (yes: string, no: string, cost: number, holds: (s: Situation) => boolean): void => {
    const truth = Uint8Array.from(all, (s) => (holds(s) ? 1 : 0));
    const key = truth.join("");
    if (!key.includes("1") || !key.includes("0")) return;
    const inverse = truth.map((t) => 1 - t);
    const id = `${key}:${cost}:${yes}`;
    if (seen.has(id)) return;
    seen.add(id);
    atoms.push({ text: yes, cost, truth }, { text: no, cost, truth: inverse });
  };
  const age = (k: number): number =>
    (known.length - 1 - k) * 3 + ((known[k] as Known).name.startsWith("old ") ? 200 : 0);
  for (const [k, { name }] of known.entries()) {
    const values = all.map((s) => (s.known[k] as Known).value);
    for (const text of othersIn(name, values, all))
      add(`${name} == ${text}`, `${name} != ${text}`, age(k) + 2, (s) => {
        return render((s.known[k] as Known).value, s.world) === text;
      });
    aboutOne(name, values, age(k), (yes, no, cost, test) =>
      add(yes, no, cost, (s) => test((s.known[k] as Known).value)),
    );
    for (let j = 0; j < k; j++) {
      const other = (known[j] as Known).name;
      const older = all.map((s) => (s.known[j] as Known).value);
      aboutTwo(name, other, values, older, Math.max(age(k), age(j)) + 2, (yes, no, cost, test) =>
        add(yes, no, cost, (s) => test((s.known[k] as Known).value, (s.known[j] as Known).value)),
      );
    }
  }
  return atoms;
}
/** What a pointer may be but for something of its own, by its text. */
function othersIn(name: string, values: readonly Value[], all: readonly Situation[]): Set<string> {
  const others = new Set<string>();
  values.forEach((value, i) => {
    if (!isStruct(value) || value.isNull) return;
    const text = render(value, (all[i] as Situation).world);
    if (text !== name && !(all[i] as Situation).world.isOwn(value.addr, name)) others.add(text);
  });
  return others;
}
const asked = (name: string): string => (/[ =]/.test(name) && !/^[\w>.-]+\(.*\)$/.test(name) ? `(${name})` : name);

function aboutOne(
  name: string,
  values: readonly Value[],
  cost: number,
  add: (yes: string, no: string, cost: number, test: (value: Value) => boolean) => void,
): void {
  const numbers = values.filter((v) => typeof v === "number");
  if (numbers.length < values.length) {
    if (values.some((v) => typeof v === "boolean")) add(asked(name), `!${asked(name)}`, cost, (v) => v === true);
    else if (kindsIn(values).length > 1)
      for (const cls of kindsIn(values))
        add(
          `${name} is a ${cls.short ?? cls.name}`,
          `${name} is no ${cls.short ?? cls.name}`,
          cost + 1,
          (v) => isStruct(v) && !v.isNull && v.constructor === cls,
        );
    for (const word of new Set(values.filter((v) => typeof v === "string")))
      add(`${name} is "${word}"`, `${name} is not "${word}"`, cost + 1, (v) => v === word);
    if (values.some(isNull)) add(asked(name), `!${asked(name)}`, cost, (v) => !isNull(v));
    return;
  }
  const given = new Set(numbers);
  const entry = questionsAbout(name, values);
  if (entry !== undefined) {
    for (const [i, [text, test]] of entry.entries())
      add(`${text}(${name})`, `!${text}(${name})`, cost + i / 8, (v) => test(v as number));
    return;
  }
  add(`${name} != 0`, `${name} == 0`, cost, (v) => v !== 0);
  if (numbers.some((n) => n > TASK_SIZE && n < 2 ** 52))
    add(`${name} > TASK_SIZE`, `${name} <= TASK_SIZE`, cost + 1, (v) => (v as number) > TASK_SIZE);
  if (numbers.some((n) => n < 0)) add(`${name} < 0`, `${name} >= 0`, cost + 1, (v) => (v as number) < 0);
  if (numbers.some((n) => n < 0)) add(`${name} <= 0`, `${name} > 0`, cost + 1, (v) => (v as number) <= 0);
  for (const n of given) {
    const errno = errnoText(n);
    const text = errno ?? (n === PAGE_SHIFT ? "PAGE_SHIFT" : String(n));
    if (errno !== undefined || n === PAGE_SHIFT || (n > 0 && n < 3))
      add(`${name} == ${text}`, `${name} != ${text}`, cost + 1, (v) => v === n);
  }
  if (/invalidate_seq\W*$/.test(name)) add(`${name} & 1`, `!(${name} & 1)`, cost, (v) => hasBit(v as number, 1));
  if (/flags|mask/.test(name)) {
    for (let bit = 1; bit <= 2 ** 28; bit *= 2)
      if (numbers.some((n) => hasBit(n, bit)))
        add(`${name} & ${bitName(name, bit)}`, `!(${name} & ${bitName(name, bit)})`, cost + 1, (v) =>
          hasBit(v as number, bit),
        );
  } else if (numbers.some((n) => n >= PAGE_SIZE && n < 2 ** 52))
    add(`${name} & ~PAGE_MASK`, `!(${name} & ~PAGE_MASK)`, cost + 1, (v) => (v as number) % PAGE_SIZE !== 0);
}
function kindsIn(values: readonly Value[]): StructClass[] {
  return [...new Set(values.filter(isStruct).map((v) => v.constructor as StructClass))];
}
const hasBit = (n: number, bit: number): boolean => n >= 0 && Math.floor(n / bit) % 2 === 1;
const LEVELS = [
  ["pmd", 21],
  ["pud", 30],
  ["pgd", 39],
] as const;
const VM_BITS: Readonly<Record<number, string>> = {
  0x1: "VM_READ",
  0x2: "VM_WRITE",
  0x4: "VM_EXEC",
  0x400: "VM_PFNMAP",
  0x4000: "VM_IO",
  0x8: "VM_SHARED",
  0x100: "VM_GROWSDOWN",
  0x10000000: "VM_MIXEDMAP",
  0x20000000: "VM_HUGEPAGE",
};
function bitName(name: string, bit: number): string {
  return (/vm_flags/.test(name) ? VM_BITS[bit] : undefined) ?? `0x${bit.toString(16)}`;
}

function aboutTwo(
  name: string,
  other: string,
  values: readonly Value[],
  older: readonly Value[],
  cost: number,
  add: (yes: string, no: string, cost: number, test: (a: Value, b: Value) => boolean) => void,
): void {
  const [a, b] = [values[0], older[0]];
  if (isStruct(a) && isStruct(b)) {
    if (a.constructor === b.constructor) add(`${name} == ${other}`, `${name} != ${other}`, cost, (x, y) => x === y);
    return;
  }
  if (!values.every((v) => typeof v === "number") || !older.every((v) => typeof v === "number")) return;
  const n = (v: Value): number => v as number;
  if (values.some(isEntryValue) || older.some(isEntryValue)) {
    add(`pte_same(${other}, ${name})`, `!pte_same(${other}, ${name})`, cost, (x, y) => x === y);
    return;
  }
  add(`${name} == ${other}`, `${name} != ${other}`, cost, (x, y) => x === y);
  add(`${name} < ${other}`, `${name} >= ${other}`, cost + 1, (x, y) => n(x) < n(y));
  add(`${name} <= ${other}`, `${name} > ${other}`, cost + 1, (x, y) => n(x) <= n(y));
  // Whether one is where a step from the other ends: however they came to be known.
  for (const [first, last, swap] of [
    [other, name, false],
    [name, other, true],
  ] as const) {
    if (!/^(end|bound)$|->end$/.test(last)) continue;
    const test = (holds: (from: number, to: number) => boolean) => (x: Value, y: Value) =>
      swap ? holds(n(x), n(y)) : holds(n(y), n(x));
    const next = `${first} + PAGE_SIZE`;
    add(
      `${next} == ${last}`,
      `${next} != ${last}`,
      cost + 14,
      test((from, to) => from + PAGE_SIZE === to),
    );
    add(
      `${next} >= ${last}`,
      `${next} < ${last}`,
      cost + 15,
      test((from, to) => from + PAGE_SIZE >= to),
    );
    for (const [level, shift] of LEVELS) {
      const what = `${level}_addr_end(${first}, ${last})`;
      const ends = test((from, to) => boundary(shift)(from, to) === to);
      add(`${what} == ${last}`, `${what} != ${last}`, cost + 20, ends);
    }
  }
  const lengths = new Set(values.map((v, i) => (n(v) - n(older[i])) / PAGE_SIZE));
  for (const length of lengths)
    if (length > 1 && length < 100 && Number.isInteger(length))
      add(
        `${name} - ${other} > ${length} * PAGE_SIZE`,
        `${name} - ${other} <= ${length} * PAGE_SIZE`,
        cost + 30,
        (x, y) => n(x) - n(y) > length * PAGE_SIZE,
      );
}
