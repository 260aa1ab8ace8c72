/** The past of a machine, looked at without going there. */
import type { Machine, Mark } from "./machine.ts";
import { ACTORS_MAX } from "./rcu.ts";

/** Looks at the state as it was at a mark, and puts everything back. `look` must not take steps. */
export function asOf<R>(machine: Machine, mark: Mark, look: () => R): R {
  const { memory, locals, held } = machine;
  const { lo, hi, top, journalWord, journalOld } = memory;
  const swap = (i: number): void => {
    const word = journalWord[i] as number;
    const actor = ~word;
    const [array, at] =
      word >= 0 ? [memory.words, word] : actor < ACTORS_MAX ? [locals, actor] : [held, actor - ACTORS_MAX];
    const now = array[at] as number;
    array[at] = journalOld[i] as number;
    journalOld[i] = now;
  };
  for (let i = top - 1; i >= mark.top; i--) swap(i);
  Object.assign(memory, mark);
  try {
    return look();
  } finally {
    for (let i = mark.top; i < top; i++) swap(i);
    Object.assign(memory, { lo, hi, top });
  }
}
