/** Callables that are all alike, as rows of a table. */
import type { Callable, Param, ResultKind } from "../callable.ts";

export type Row = readonly [
  name: string,
  run: Callable["run"],
  params: readonly Param[],
  result: ResultKind,
  summary: string,
];

export const table = (source: string, rows: readonly Row[]): readonly Callable[] =>
  rows.map(([name, run, params, result, summary]) => ({ name, params, result, summary, source, run }));

/** The same under other names. */
export const synonyms = (entries: readonly Callable[], rename: (name: string) => string): readonly Callable[] =>
  entries.map((entry) => ({ ...entry, name: rename(entry.name), synonymOf: entry.name }));
