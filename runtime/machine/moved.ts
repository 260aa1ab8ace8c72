/** What became of a step. */
export const Moved = {
  /** It cannot be taken now; nothing happened. */
  blocked: 0,
  yes: 1,
  /** Taken; `reports` holds what there was to say. */
  withReports: 2,
  /** The path ends here; the last of `reports` says why. */
  fatal: 3,
} as const;
export type Moved = (typeof Moved)[keyof typeof Moved];

/** Where `undoTo` can go back to. */
export interface Mark {
  readonly top: number;
  readonly lo: number;
  readonly hi: number;
}
