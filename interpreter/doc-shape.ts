/** Brings a tree into the shape of C: what both arms of a branch end with stands behind it, early returns come first. */
import { ends, keyOf, type Arm, type Branch, type Line } from "./doc-tree.ts";

/** An arm this short may leave early; a longer one stands in an `if`. */
const EARLY_MAX = 4;

export function shaped(lines: readonly Line[]): Line[] {
  return lines.flatMap((line) => (line.kind === "branch" ? shapedBranch(line) : [line]));
}
function shapedBranch({ arms: [first, second] }: Branch): Line[] {
  const a: Arm = { ...first, lines: shaped(first.lines) };
  if (second === undefined) return [{ kind: "branch", arms: [a] }];
  const b: Arm = { ...second, lines: shaped(second.lines) };
  for (const [stops, goesOn] of [
    [a, b],
    [b, a],
  ] as const)
    if (stops.lines.at(-1)?.kind === "bug" && stops.lines.length === 2)
      return [{ kind: "branch", arms: [stops] }, ...goesOn.lines];
  const same = commonTail(a.lines, b.lines);
  const tail = a.lines.slice(a.lines.length - same);
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
