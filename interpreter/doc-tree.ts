/** A body as a tree: what it does, in order, and where it branches. */

export interface StepLine {
  readonly kind: "step";
  /** What C would say, without `if` and `;`. */
  readonly text: string;
  /** The name that what it gave goes by from here on, where that is not the text itself. */
  readonly into: string | undefined;
  /** A call of another function, with how many steps if it is told as one thing. */
  readonly call: boolean;
  /** No other CPU can tell when it happens. */
  readonly silent: boolean;
  /** The result is what it is called after: conditions that ask it may take its place. */
  readonly asks: string | undefined;
  readonly locks: readonly string[];
  readonly given: readonly string[];
}
export interface Arm {
  /** Undefined: nothing simple tells it from the arms before it. */
  readonly condition: string | undefined;
  readonly lines: readonly Line[];
}
export interface Branch {
  readonly kind: "branch";
  /** One or two. */
  readonly arms: readonly [Arm, Arm?];
}
export interface End {
  readonly kind: "return" | "again" | "cut" | "bug" | "nothing";
  readonly text: string;
  /** Again: where to. */
  readonly label: string;
}
/** Where a body begins that something may come back to. */
export interface Label {
  readonly kind: "label";
  /** What its variables are at first. */
  readonly text: string;
  readonly label: string;
}
export type Line = StepLine | Branch | End | Label;

/** Equal for lines that a reader cannot tell apart. */
export function keyOf(line: Line): string {
  return JSON.stringify(line, (key, value: unknown) => (key === "locks" || key === "given" ? undefined : value));
}
/** Whether what follows these lines is never reached. */
export function ends(lines: readonly Line[]): boolean {
  const last = lines.at(-1);
  if (last === undefined || last.kind === "step" || last.kind === "label") return false;
  if (last.kind !== "branch") return true;
  const [first, second] = last.arms;
  return second !== undefined && ends(first.lines) && ends(second.lines);
}
