/** Prints a body: one numbered line a step, its branches as C has them, and the locks beside it. */
import { ends, type Arm, type Line, type StepLine } from "./doc-tree.ts";

const WIDTH = 80;
const LOCKS_AT = 56;
const INDENT = 4;
const MARGIN = 6;
export const WIDEST = 100;

export function bodyText(lines: readonly Line[]): string[] {
  return new Printer(lines).text;
}

class Printer {
  readonly text: string[] = [];
  private number = 0;
  /** Where each label is. */
  private readonly places = new Map<string, number>();
  private shownLocks = "";
  /** How often each word is used: what is used once is named for nobody. */
  private readonly uses: ReadonlyMap<string, number>;

  constructor(lines: readonly Line[]) {
    this.uses = usesIn(lines);
    this.block(lines, 0);
  }
  private block(lines: readonly Line[], depth: number): void {
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i] as Line;
      const next = lines[i + 1];
      if (line.kind === "label") {
        if (line.text !== "") this.put("", `${line.text};`, depth);
        this.places.set(line.label, this.number + 1);
      } else if (line.kind === "step") {
        const returned = next?.kind === "return" ? this.asked(/^return (.*)$/.exec(next.text)?.[1], line) : undefined;
        if (returned !== undefined) {
          this.step(line, depth, `return ${returned};`);
          i++;
          continue;
        }
        const condition = next?.kind === "branch" ? this.asked(next.arms[0].condition, line) : undefined;
        if (condition !== undefined && next?.kind === "branch") {
          this.branch(next.arms, depth, line, condition);
          i++;
        } else if (isRead(line) && line.silent) {
          const reads = readsFrom(lines, i, (k) => this.asked(conditionAt(lines[k + 1]), lines[k] as StepLine));
          this.put("-", `read ${reads.join(", ")}`, depth);
          i += reads.length - 1;
        } else this.step(line, depth);
      } else if (line.kind === "branch") this.branch(line.arms, depth, undefined, line.arms[0].condition);
      else this.end(line, depth, i === lines.length - 1);
    }
  }
  /** The condition with the step in it, if it asks for nothing but what the step before gave: C writes both as one. */
  private asked(condition: string | undefined, step: StepLine): string | undefined {
    if (condition === undefined) return undefined;
    if (step.asks !== undefined) return timesIn(condition, step.asks) === 1 ? condition : undefined;
    const { into } = step;
    if (into === undefined || timesIn(condition, into) !== 1 || (this.uses.get(into) ?? 0) > 1) return undefined;
    return condition.replace(into, step.text);
  }
  private branch(
    arms: readonly [Arm, Arm?],
    depth: number,
    asked: StepLine | undefined,
    condition: string | undefined,
    before = "",
  ): void {
    const [first, second] = arms;
    const [assertion, ...more] = first.lines;
    const asserts =
      assertion?.kind === "step" && more.every((m) => m.kind === "bug") && /^(BUG|WARN)_ON\(/.test(assertion.text);
    if (asserts && second === undefined) {
      this.step(asked ?? assertion, depth, `${assertion.text};`);
      return;
    }
    const text = `${before}if (${condition ?? "..."})`;
    if (asked !== undefined) this.step(asked, depth, text);
    else this.put("", text, depth);
    const locks = this.shownLocks;
    this.block(first.lines, depth + 1);
    if (ends(first.lines)) this.shownLocks = locks;
    if (second === undefined) return;
    this.shownLocks = locks;
    const [only, ...others] = second.lines;
    if (only?.kind === "branch" && others.length === 0) {
      this.branch(only.arms, depth, undefined, only.arms[0].condition, "else ");
      return;
    }
    this.put("", "else", depth);
    this.block(second.lines, depth + 1);
  }
  private step(line: StepLine, depth: number, instead?: string): void {
    const mark = line.silent ? "-" : String(++this.number);
    const isDeclaration = line.text.startsWith("struct ");
    const into = line.into === undefined || isDeclaration || !this.uses.has(line.into) ? "" : `${line.into} = `;
    const locks = [...line.locks, ...line.given.map((lock) => `-${lock}`)].join(", ");
    const text = instead ?? (isRead(line) ? `read ${line.text}` : `${into}${line.text};`);
    this.put(mark, text, depth, locks === this.shownLocks ? undefined : `[${locks}]`);
    this.shownLocks = locks;
  }
  private end(line: Extract<Line, { text: string; label: string }>, depth: number, isLast: boolean): void {
    if (line.kind === "again") {
      const what = line.text === "" ? "" : `: ${line.text}`;
      this.put("", `again from ${this.places.get(line.label) ?? 1}${what}`, depth);
    } else if (line.kind === "cut") this.put("", "... (more than is shown here)", depth);
    else if (line.kind === "bug" || line.kind === "nothing") return;
    else if (line.text !== "return" || depth > 0 || !isLast) this.put("", `${line.text};`, depth);
  }
  private put(mark: string, text: string, depth: number, locks?: string): void {
    const margin = " ".repeat(depth * INDENT);
    const [first = "", ...more] = wrapped(text, WIDTH - MARGIN - margin.length);
    const left = `${mark.padStart(4)}  ${margin}${first}`;
    const beside = `${left.padEnd(LOCKS_AT)}  ${locks}`;
    if (locks === undefined || beside.length <= WIDEST) this.text.push(locks === undefined ? left : beside);
    else this.text.push(left, `${" ".repeat(Math.max(MARGIN, WIDEST - locks.length))}${locks}`);
    for (const rest of more) this.text.push(`${" ".repeat(MARGIN)}${margin}${" ".repeat(2 * INDENT)}${rest}`);
  }
}

/** A load whose value has no name but its own text. */
function isRead(line: StepLine): boolean {
  return (
    line.asks !== undefined &&
    !line.call &&
    (/^p[gumt][de]\[/.test(line.text) || !/[(=+]|--/.test(line.text.replace(/^(READ_ONCE|atomic_read)\(/, "")))
  );
}
function conditionAt(line: Line | undefined): string | undefined {
  return line?.kind === "branch" ? line.arms[0].condition : undefined;
}
/** Private loads one after the other, none of which is the condition of what follows. */
function readsFrom(lines: readonly Line[], from: number, asked: (i: number) => string | undefined): string[] {
  const reads: string[] = [];
  for (let i = from; i < lines.length; i++) {
    const line = lines[i] as Line;
    if (line.kind !== "step" || !line.silent || !isRead(line) || asked(i) !== undefined) break;
    reads.push(line.text);
  }
  return reads;
}
function timesIn(text: string, part: string): number {
  const quoted = part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return [...text.matchAll(new RegExp(`(?<![\\w>.])${quoted}(?![\\w.>-]|\\[)`, "g"))].length;
}
function usesIn(lines: readonly Line[]): Map<string, number> {
  const uses = new Map<string, number>();
  const enter = (text: string): void => {
    for (const [word] of text.matchAll(/[A-Za-z_]\w*/g)) uses.set(word, (uses.get(word) ?? 0) + 1);
  };
  const visit = (line: Line): void => {
    if (line.kind === "branch")
      for (const arm of line.arms) {
        if (arm === undefined) continue;
        if (arm === line.arms[0]) enter(arm.condition ?? "");
        arm.lines.forEach(visit);
      }
    else enter(line.text.replaceAll(/(->|\.)\w+/g, ""));
  };
  lines.forEach(visit);
  return uses;
}
/** Lines of at most `width`, the second and later ones being indented by whoever prints them. */
function wrapped(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const at = Math.max(
    text.lastIndexOf(", ", width - 1) + 1,
    text.lastIndexOf(" || ", width - 4) + 3,
    text.lastIndexOf(" && ", width - 4) + 3,
    text.lastIndexOf(" ? ", width - 2) + 2,
    text.lastIndexOf(" : ", width - 2) + 2,
  );
  if (at < 20) {
    const later = text.indexOf(", ") + 1; // nothing to break it at before: as soon after as can be
    if (later === 0 || later > width + 20) return [text];
    return [text.slice(0, later), ...wrapped(text.slice(later).trimStart(), width - 2 * INDENT)];
  }
  return [text.slice(0, at), ...wrapped(text.slice(at).trimStart(), width - 2 * INDENT)];
}
