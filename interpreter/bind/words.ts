/** Which expressions name a word of memory. */
import type { Bound } from "./expression.ts";

/** Whether it is a word that can be loaded and stored. */
export function isWord(bound: Bound): bound is Bound & { kind: "place" } {
  if (bound.kind !== "place" || bound.place.kind === "field") return false;
  if (bound.type.kind === "object") return bound.type.embedded !== true;
  return !["atomic", "refcount", "array", "spinlock", "mutex"].includes(bound.type.kind);
}
