/** How far a search is, for somebody who waits for it. */
import { grouped } from "./numbers.ts";

/** A line when the first second is over, and then at most once a second. */
export function progress(tell: (line: string) => void): (states: number, depth: number) => void {
  const started = performance.now();
  let last = 0;
  return (states, depth) => {
    const seconds = Math.floor((performance.now() - started) / 1000);
    if (seconds === last) return;
    last = seconds;
    tell(`${grouped(states)} states in ${seconds} s, depth ${depth}; Ctrl-C prints what was found`);
  };
}
