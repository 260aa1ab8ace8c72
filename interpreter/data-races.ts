/** KCSAN in a script that wants it: who races with whom where everybody stands. */
import { findRaces } from "../runtime/machine/kcsan.ts";
import type { Director } from "./director.ts";

/**
 * Files the data races of the state that a race is in. `mover`: who has just moved, for of the others it has been said
 * before; nobody, and all are looked at.
 */
export function lookForRaces(director: Director, mover = -1): void {
  if (director.program.kcsan !== true || !director.inRace) return;
  const actors = director.actorsOfRace();
  if (mover >= 0) return findRaces(director.machine, mover, actors);
  for (const [i, actor] of actors.entries()) findRaces(director.machine, actor, actors.slice(i + 1));
}
