/** Two bodies beside each other, line by line: what is in one only, with some lines of both around it. */

const AROUND = 3;

/** Undefined: there is no difference. Numbers of steps do not count as one. */
export function differences(before: readonly string[], after: readonly string[]): string[] | undefined {
  const rows = aligned(before, after);
  const changed = rows.flatMap((row, i) => (row.sign === " " ? [] : i));
  if (changed.length === 0) return undefined;
  const out: string[] = [];
  let skipped = false;
  rows.forEach((row, i) => {
    const near = changed.some((at) => Math.abs(at - i) <= AROUND);
    if (near) out.push(`${row.sign}${row.text}`);
    else if (!skipped) out.push("  ...");
    skipped = !near;
  });
  return out;
}
interface Row {
  readonly sign: " " | "-" | "+";
  readonly text: string;
}
/** The longest common subsequence of the lines; the numbers shown are those of `after`. */
function aligned(before: readonly string[], after: readonly string[]): Row[] {
  const same = (i: number, j: number): boolean => plain(before[i] ?? "") === plain(after[j] ?? "");
  const best = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0));
  const at = (i: number, j: number): number => best[i]?.[j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      (best[i] as number[])[j] = same(i, j) ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const rows: Row[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length)
    if (i < before.length && j < after.length && same(i, j)) {
      rows.push({ sign: " ", text: after[j++] as string });
      i++;
    } else if (i < before.length && at(i + 1, j) >= at(i, j + 1)) rows.push({ sign: "-", text: before[i++] as string });
    else rows.push({ sign: "+", text: after[j++] as string });
  return rows;
}
/** Without what shifts when a step is added: numbers, and where it says to go back to. */
function plain(line: string): string {
  return line
    .replace(/^ {0,3}\d+ /, "")
    .replace(/again from \d+/, "again from")
    .replace(/\s+/g, " ")
    .trim();
}
