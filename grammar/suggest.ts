/** How far a name may be from the one it was meant to be. */
function tolerance(name: string): number {
  return Math.max(2, Math.floor(name.length / 3));
}

/**
 * Damerau's distance (insert, delete, replace, swap two neighbours) where it is at most `limit`; otherwise some
 * number beyond it.
 */
export function distance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) > limit) return limit + 1;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    let best = row;
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      let cost = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + (same ? 0 : 1));
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) cost = Math.min(cost, beforePrevious[column - 2]! + 1);
      current.push(cost);
      best = Math.min(best, cost);
    }
    if (best > limit) return limit + 1;
    beforePrevious = previous;
    previous = current;
  }
  return previous[right.length]!;
}

/**
 * The one candidate that was probably meant, or nothing. Case does not count as a difference; of equals the first
 * candidate wins. A name as short as its tolerance is like anything and gets no suggestion of a wholly different one.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  const limit = tolerance(name);
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (candidate === name) continue;
    const found = distance(wanted, candidate.toLowerCase(), Math.min(limit, bestDistance - 1));
    if (found < bestDistance && found < Math.max(name.length, candidate.length)) {
      best = candidate;
      bestDistance = found;
    }
  }
  return best;
}
