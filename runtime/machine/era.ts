/** The kernels of the model and their order: what exists in which of them, and what it is called there. */

/** Oldest first. */
export const ERAS = [
  "mmu-notifier-v3",
  "v2.6.27",
  "v3.6",
  "v3.8",
  "v3.10",
  "v4.19",
  "v5.1",
  "v5.2",
  "v5.3",
  "v5.4",
  "v5.5",
  "v5.6",
  "v5.8",
  "v5.10",
  "v5.12",
  "v5.18",
  "v6.0",
  "v6.1",
] as const;
export type Era = (typeof ERAS)[number];

/** First and first-no-more era of something; absent: no bound. */
export interface Life {
  readonly since?: string | null;
  readonly until?: string;
}
const age = (era: string): number => ERAS.indexOf(era as Era);
export function existsIn({ since, until }: Life, era: string): boolean {
  const begun = since === undefined || since === null || (age(since) >= 0 && age(since) <= age(era));
  return begun && (until === undefined || age(era) < age(until));
}
/** The eras of something, oldest first. */
export const erasOf = (life: Life): readonly Era[] => ERAS.filter((era) => existsIn(life, era));
/** In words, for who reads: "", "since v5.5", "up to v5.4", "v5.2 to v5.4", "v5.2". Empty: all have it. */
export const lifeText = (life: Life): string => erasText(erasOf(life));
/** The same of some eras, oldest first. */
export function erasText(eras: readonly Era[]): string {
  const [first, last] = [eras[0], eras.at(-1)];
  if (first === undefined || last === undefined) return "none";
  if (first === last) return first;
  if (eras.length < ERAS.indexOf(last) - ERAS.indexOf(first) + 1) return eras.join(", ");
  if (first === ERAS[0]) return last === ERAS.at(-1) ? "" : `up to ${last}`;
  return last === ERAS.at(-1) ? `since ${first}` : `${first} to ${last}`;
}
