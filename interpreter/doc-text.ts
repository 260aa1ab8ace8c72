/** Prints a body: one numbered line a step, its branches as C has them, and the locks beside it. */
import type { Arm, Line, StepLine } from "./doc-tree.ts";

const WIDTH = 80;
const LOCKS_AT = 58;
const INDENT = 4;

export function bodyText(lines: readonly Line[]): string[] {
  return new Printer(lines).text;
}

class Printer {
  readonly text: string[] = [];
  private number = 0;
  /** Where each label is, and which are gone to. */
  private readonly places = new Map<string, number>();
  private shownLocks = "";

  constructor(lines: readonly Line[]) {
    this.block(lines, 0);
  }
  private block(lines: readonly Line[], depth: number): void {
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i] as Line;
      const next = lines[i + 1];
      if (line.kind === "label") this.places.set(line.label, this.number + 1);
      else if (line.kind === "step") {
        const asked = next?.kind === "branch" && this.asksAbout(next.arms, line);
        if (asked && next.kind === "branch") {
          this.branch(next.arms, depth, line);
          i++;
        } else this.step(line, depth);
      } else if (line.kind === "branch") this.branch(line.arms, depth, undefined);
      else this.end(line, depth, i === lines.length - 1);
    }
  }
  /** Whether a branch asks for nothing but what the step before it gave, once: C writes them as one. */
  private asksAbout(arms: readonly [Arm, Arm?], step: StepLine): boolean {
    const condition = arms[0]?.condition;
    if (step.asks === undefined || condition === undefined) return false;
    const [before, after, ...more] = condition.split(step.asks);
    return after !== undefined && more.length === 0 && !/[\w>]$/.test(before ?? "") && !/^\w/.test(after);
  }
  private branch(arms: readonly [Arm, Arm?], depth: number, asked: StepLine | undefined): void {
    const [first, second] = arms;
    const text = `if (${first.condition ?? "..."})`;
    if (asked !== undefined) this.step(asked, depth, text);
    else this.put("", text, depth);
    const locks = this.shownLocks;
    this.block(first.lines, depth + 1);
    if (second === undefined) return;
    this.shownLocks = locks;
    this.put("", "else", depth);
    this.block(second.lines, depth + 1);
  }
  private step(line: StepLine, depth: number, instead?: string): void {
    const mark = line.silent ? "-" : String(++this.number);
    const into = line.into === undefined ? "" : `${line.into} = `;
    const locks = [...line.locks, ...line.given.map((lock) => `gave up ${lock}`)].join(", ");
    const text = instead ?? `${into}${line.text};`;
    this.put(mark, text, depth, locks === this.shownLocks ? undefined : `[${locks}]`);
    this.shownLocks = locks;
  }
  private end(line: Extract<Line, { text: string; label: string }>, depth: number, isLast: boolean): void {
    if (line.kind === "again") {
      const what = line.text === "" ? "" : `: ${line.text}`;
      this.put("", `again from ${this.places.get(line.label) ?? 1}${what}`, depth);
    } else if (line.kind === "cut") this.put("", "... (more than is shown here)", depth);
    else if (line.text !== "return" || depth > 0 || !isLast) this.put("", `${line.text};`, depth);
  }
  private put(mark: string, text: string, depth: number, locks?: string): void {
    const left = `${mark.padStart(4)}  ${" ".repeat(depth * INDENT)}${text}`;
    if (locks === undefined) this.text.push(left);
    else this.text.push(`${left.padEnd(LOCKS_AT)}  ${locks}`);
    void WIDTH;
  }
}
