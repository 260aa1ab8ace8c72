/** Brings a tree into the shape of C: what both arms of a branch end with stands behind it, early returns first. */
import { ends, keyOf, type Arm, type Branch, type Line } from "./doc-tree.ts";

/** An arm this short may leave early; a longer one stands in an `if`. */
const EARLY_MAX = 4;

/** `constants`: names of what never changes, so that a question about it may be asked anywhere, and more than once. */
export function shaped(lines: readonly Line[], constants: readonly string[] = []): Line[] {
  return lines.flatMap((line) => (line.kind === "branch" ? shapedBranch(line, constants) : [line]));
}
function shapedBranch({ arms: [first, second] }: Branch, constants: readonly string[]): Line[] {
  const a: Arm = { ...first, lines: shaped(first.lines, constants) };
  if (second === undefined) return [{ kind: "branch", arms: [a] }];
  const b: Arm = { ...second, lines: shaped(second.lines, constants) };
  for (const [stops, goesOn] of [
    [a, b],
    [b, a],
  ] as const)
    if (stops.lines.at(-1)?.kind === "bug" && stops.lines.length === 2)
      return [{ kind: "branch", arms: [stops] }, ...goesOn.lines];
  if (constants.includes((a.condition ?? "").replace("!", ""))) {
    const both = woven(a, b);
    if (both !== undefined) return both;
  }
  const same = commonTail(a.lines, b.lines);
  const tail = a.lines.slice(a.lines.length - same).map((line, i) => alike(line, b.lines.at(i - same) as Line));
  const x: Arm = { ...a, lines: a.lines.slice(0, a.lines.length - same) };
  const y: Arm = { ...b, lines: b.lines.slice(0, b.lines.length - same) };
  if (x.lines.length === 0 && y.lines.length === 0) return tail;
  const truth = trueArm(a, b);
  if (truth?.condition !== undefined) return [{ kind: "return", text: `return ${truth.condition}`, label: "" }];
  // What leaves early stands first, and the rest is not indented.
  if (same === 0 || onlyReturn(tail, x, y)) {
    const [early, late] = size(a.lines) <= size(b.lines) ? [a, b] : [b, a];
    if (ends(early.lines)) return [{ kind: "branch", arms: [early] }, ...late.lines];
    if (ends(late.lines)) return [{ kind: "branch", arms: [late] }, ...early.lines];
  }
  if (x.lines.length === 0) return [{ kind: "branch", arms: [y] }, ...tail];
  if (y.lines.length === 0) return [{ kind: "branch", arms: [x] }, ...tail];
  return [{ kind: "branch", arms: size(x.lines) <= size(y.lines) ? [x, y] : [y, x] }, ...tail];
}
/** Where one arm returns true and the other false: the former. */
function trueArm(a: Arm, b: Arm): Arm | undefined {
  const text = ({ lines: [line, ...more] }: Arm): string =>
    line?.kind === "return" && more.length === 0 ? line.text : "";
  if (text(a) === "return true" && text(b) === "return false") return a;
  return text(b) === "return true" && text(a) === "return false" ? b : undefined;
}
/** Whether all that arms share is the end of the function, while both do something. */
function onlyReturn(tail: readonly Line[], x: Arm, y: Arm): boolean {
  if (tail.length !== 1 || x.lines.length === 0 || y.lines.length === 0) {
    const rest = x.lines.length === 0 ? y : x;
    return tail.length === 1 && size(rest.lines) > EARLY_MAX;
  }
  return true;
}
/** What both arms do, once, and between it what only one does. Undefined: they have too little in common. */
function woven(a: Arm, b: Arm): Line[] | undefined {
  const rows = commonLines(a.lines, b.lines);
  if (rows.length < 3 || rows.length * 2 < Math.min(a.lines.length, b.lines.length)) return undefined;
  return weave(a, b, rows);
}
function weave(a: Arm, b: Arm, rows = commonLines(a.lines, b.lines)): Line[] {
  const out: Line[] = [];
  let [i, j] = [0, 0];
  for (const [x, y] of [...rows, [a.lines.length, b.lines.length] as const]) {
    const arms = [
      { ...a, lines: a.lines.slice(i, x) },
      { ...b, lines: b.lines.slice(j, y) },
    ].filter(({ lines }) => lines.length > 0);
    const [one, two] = arms;
    if (one !== undefined) out.push({ kind: "branch", arms: two === undefined ? [one] : [one, two] });
    if (x < a.lines.length) out.push(wovenLine(a.lines[x] as Line, b.lines[y] as Line, a, b));
    [i, j] = [x + 1, y + 1];
  }
  return out;
}
/** One line of two: of two branches that ask the same the arms are woven in turn. */
function wovenLine(x: Line, y: Line, a: Arm, b: Arm): Line {
  if (x.kind !== "branch" || y.kind !== "branch" || keyOf(x) === keyOf(y)) return alike(x, y);
  const arms = x.arms.map((arm, n) => {
    const [one, two] = [arm?.lines ?? [], y.arms[n]?.lines ?? []];
    return arm === undefined ? arm : { ...arm, lines: weave({ ...a, lines: one }, { ...b, lines: two }) };
  });
  return { kind: "branch", arms: arms as unknown as Branch["arms"] };
}
/** Equal for lines that can be woven into one. */
function questionOf(line: Line): string {
  return line.kind === "branch" ? `if ${line.arms.map((arm) => arm?.condition ?? "").join(" else ")}` : keyOf(line);
}
/** The longest common subsequence, as places in both. */
function commonLines(a: readonly Line[], b: readonly Line[]): (readonly [number, number])[] {
  const [x, y] = [a.map(questionOf), b.map(questionOf)];
  const best = Array.from({ length: x.length + 1 }, () => new Array<number>(y.length + 1).fill(0));
  const at = (i: number, j: number): number => best[i]?.[j] ?? 0;
  for (let i = x.length - 1; i >= 0; i--)
    for (let j = y.length - 1; j >= 0; j--)
      (best[i] as number[])[j] = x[i] === y[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const rows: (readonly [number, number])[] = [];
  for (let i = 0, j = 0; i < x.length && j < y.length;)
    if (x[i] === y[j]) rows.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  return rows;
}
/** A line that two arms share: a lock that is held in one of them only is marked so. */
function alike(a: Line, b: Line): Line {
  if (a.kind === "step" && b.kind === "step")
    return { ...a, locks: either(a.locks, b.locks), given: either(a.given, b.given) };
  if (a.kind !== "branch" || b.kind !== "branch") return a;
  const arms = a.arms.map((arm, i) => {
    const other = b.arms[i]?.lines ?? [];
    return arm === undefined ? arm : { ...arm, lines: arm.lines.map((line, n) => alike(line, other[n] ?? line)) };
  });
  return { kind: "branch", arms: arms as unknown as Branch["arms"] };
}
function either(a: readonly string[], b: readonly string[]): string[] {
  const sure = (lock: string): string => lock.replace(/\?$/, "");
  const names = [...new Set([...a, ...b].map(sure))];
  return names.map((lock) => (a.includes(lock) && b.includes(lock) ? lock : `${lock}?`));
}
function commonTail(a: readonly Line[], b: readonly Line[]): number {
  let n = 0;
  while (n < a.length && n < b.length && keyOf(a[a.length - 1 - n] as Line) === keyOf(b[b.length - 1 - n] as Line)) n++;
  return n;
}
function size(lines: readonly Line[]): number {
  return lines.reduce(
    (n, line) => n + (line.kind === "branch" ? line.arms.reduce((m, arm) => m + size(arm?.lines ?? []), 1) : 1),
    0,
  );
}
