/**
 * The text of a session as a script. Who goes back and then does something else leaves a script in which the
 * statement that was under way stops there (`until step 5`), and what came after it is gone.
 */
import type { Statement } from "../../grammar/ast.ts";
import { parse } from "../../grammar/parse.ts";
import type { SourceText, Span } from "../../grammar/span.ts";
import type { ReadFile } from "../bind/includes.ts";
import { bindScript } from "../bind/script.ts";
import { kernelText, type Item } from "../program.ts";

/** How far a script has come. */
export interface Progress {
  readonly items: readonly Item[];
  /** How many items have begun. */
  readonly begun: number;
  /** The item whose CPU is in the middle of it, and how many steps that has taken since it began. */
  readonly under?: { readonly item: Item; readonly steps: number };
}

/** The script without what has not begun; undefined where it is in the middle of a file that it includes. */
export function upToHere(source: SourceText, { items, begun, under }: Progress): string | undefined {
  if (under !== undefined && (under.item.from !== source || isPrepared(under.item))) return undefined;
  // Statements of a file that is included stand or fall with the line that includes it.
  const included = items.map((item, i) => ({ item, hasBegun: i < begun })).filter(({ item }) => item.from !== source);
  if (included.length > 0 && included.some(({ hasBegun }) => !hasBegun)) return undefined;
  const { script } = parse(source);
  let text = "";
  let from = 0;
  const replace = (at: Span, by: string): void => {
    text += source.text.slice(from, at.start) + by;
    from = at.end;
  };
  for (const statement of script.statements) {
    const own = items.flatMap((item, i) =>
      item.from === source && isInside(item.at, statement.at) ? [{ item, hasBegun: i < begun }] : [],
    );
    const mains = own.filter(({ item }) => !isPrepared(item));
    const kept = mains.filter(({ hasBegun }) => hasBegun).map(({ item }) => item);
    const stops = under !== undefined && kept.includes(under.item);
    if (own.length === 0 ? keeps(statement, begun, items, source) : kept.length === mains.length && !stops) continue;
    const lines = kept.map((item) => lineOf(source, statement, item, item === under?.item ? under.steps : undefined));
    // What was made for a statement that has not begun itself.
    const next = own.findLast(({ hasBegun }) => hasBegun)?.item;
    const main = mains[kept.length]?.item;
    if (next !== undefined && isPrepared(next) && main !== undefined) lines.push(lineOf(source, statement, main, 0));
    if (lines.length > 0) replace(statement.at, lines.join("\n"));
    else replace(wholeLine(source, statement.at), "");
  }
  return text + source.text.slice(from);
}
/** What makes no item of its own: a declaration, which is read before anything runs, or a label for what follows. */
function keeps(statement: Statement, begun: number, items: readonly Item[], source: SourceText): boolean {
  if (statement.kind === "schedule") return false;
  if (statement.kind !== "onCpu") return true;
  const next = items.slice(begun).find(({ from }) => from === source);
  return next === undefined || statement.at.start < next.at.start;
}
const isInside = (inner: Span, outer: Span): boolean => inner.start >= outer.start && inner.end <= outer.end;

/** It is not in the text: what a statement needs was made for it. */
function isPrepared(item: Item): boolean {
  return item.kind === "run" && item.note !== undefined;
}

/** The lines that a statement stands on, if there is nothing else on them. */
function wholeLine({ text }: SourceText, at: Span): Span {
  const start = text.lastIndexOf("\n", at.start - 1) + 1;
  const end = /^[ \t;]*(?:(?:#|\/\/)[^\n]*)?(?:\n|$)/.exec(text.slice(at.end))?.[0].length;
  return end !== undefined && text.slice(start, at.start).trim() === "" ? { start, end: at.end + end } : at;
}

/** One item as a line of its own, which stops after so many steps. */
function lineOf(source: SourceText, statement: Statement, item: Item, steps: number | undefined): string {
  if (item.kind === "race" || item.kind === "expect" || item.kind === "show") return source.slice(statement.at);
  const label = `cpu${item.cpu}: `;
  if (item.kind === "step") return `${label}step ${steps ?? item.count}`;
  if (item.kind === "continue" && steps !== undefined) return `${label}continue until step ${steps}`;
  const body = bodyOf(statement);
  const clause = body !== undefined && "until" in body ? body.until?.at : undefined;
  const outer = statement.kind === "onCpu" ? statement.until?.at : undefined;
  const until = clause ?? outer;
  const end = clause?.start ?? body?.at.end ?? statement.at.end;
  const text = source.text.slice(body?.at.start ?? statement.at.start, end).trim();
  if (steps === undefined) return `${label}${text}${until === undefined ? "" : ` ${source.slice(until)}`}`;
  const takesUntil = body !== undefined && ["assign", "block", "continue", "expression"].includes(body.kind);
  return `${label}${takesUntil ? text : `{ ${text} }`} until step ${steps}`;
}
function bodyOf(statement: Statement): Statement | undefined {
  return statement.kind === "onCpu" ? statement.body : statement;
}

/** The same script on another kernel; of several `for kernel`, the one that names it stays, or else the first. */
export function onKernel(source: SourceText, kernel: string): string {
  const { statements } = parse(source).script;
  const line = statements.find(({ kind }) => kind === "kernel");
  const loops = statements.filter((statement) => statement.kind === "forKernel");
  const wanted = kernel.replace(/\s+/g, "");
  const chosen =
    loops.find(({ kernels }) => kernels.some(({ parts }) => parts.map(({ name }) => name).join("+") === wanted)) ??
    loops[0];
  const { text } = source;
  if (line !== undefined) return `${text.slice(0, line.at.start)}kernel ${kernel}${text.slice(line.at.end)}`;
  const first = statements[0]?.at.start ?? text.length;
  let result = `${text.slice(0, first)}kernel ${kernel}\n`;
  let from = first;
  for (const loop of loops) {
    const { start, end } = loop.body.at;
    const inner = text.slice(start + 1, end - 1).replace(/^[ \t]*\n|\n[ \t]*$/g, "");
    result += text.slice(from, loop.at.start) + (loop === chosen ? inner : "");
    from = loop.at.end;
  }
  return result + text.slice(from);
}

/** A session is about one kernel: the one that is asked for, or the first of several. */
export function onOneKernel(source: SourceText, kernel: string | undefined, readFile: ReadFile | undefined): string {
  if (kernel !== undefined) return onKernel(source, kernel);
  const { programs } = bindScript(source, readFile === undefined ? {} : { readFile });
  const [first] = programs;
  const { statements } = parse(source).script;
  const isAboutOne = first === undefined || !statements.some(({ kind }) => kind === "forKernel");
  return isAboutOne ? source.text : onKernel(source, kernelText(first.kernel));
}

/** The script without a schedule of its own. */
export function withoutSchedule(source: SourceText): string {
  const { text } = source;
  const line = parse(source).script.statements.find(({ kind }) => kind === "schedule");
  if (line === undefined) return text;
  const { start, end } = wholeLine(source, line.at);
  return text.slice(0, start) + text.slice(end);
}

export function statementsIn(source: SourceText): number {
  return parse(source).script.statements.length;
}
