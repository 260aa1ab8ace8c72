import { grouped } from "./numbers.ts";

/** Every bound a search or a run has: its name, its default and the sentence that is said when it is hit. */
export interface Limits {
  /** Distinct states. */
  readonly maxStates: number;
  /** Steps of one path. */
  readonly maxSteps: number;
  /** Megabytes of the whole process. */
  readonly maxMemory: number;
  /** Seconds; 0: none. */
  readonly timeout: number;
}
export const DEFAULT_LIMITS: Limits = { maxStates: 100_000_000, maxSteps: 100_000, maxMemory: 4096, timeout: 0 };

export type Stopped =
  | { readonly by: "max-states" | "max-steps" | "max-memory" | "timeout"; readonly text: string }
  | { readonly by: "interrupt"; readonly text: string };

const CHECK_EVERY = 1 << 14;
const CHECK_MEMORY_EVERY = 1 << 18; // asking for it takes a millisecond

/** Watches over a search. `tick` is cheap enough for every state. */
export class Watch {
  private readonly limits: Limits;
  private readonly started = performance.now();
  private ticks = 0;
  /** Set from outside: Ctrl-C. */
  interrupted = false;
  /** Told now and then how far the search is. */
  onProgress: ((states: number, depth: number) => void) | undefined;

  constructor(limits: Limits) {
    this.limits = limits;
  }
  tick(states: number, depth: number): Stopped | undefined {
    const { maxStates, maxSteps } = this.limits;
    if (states > maxStates) return { by: "max-states", text: `stopped at ${grouped(maxStates)} states (--max-states)` };
    if (depth > maxSteps)
      return { by: "max-steps", text: `stopped at a path of ${grouped(maxSteps)} steps (--max-steps)` };
    if ((++this.ticks & (CHECK_EVERY - 1)) !== 0) return undefined;
    this.onProgress?.(states, depth);
    return this.slowTick();
  }
  private slowTick(): Stopped | undefined {
    const { maxMemory, timeout } = this.limits;
    if (this.interrupted) return { by: "interrupt", text: "interrupted" };
    if (timeout > 0 && performance.now() - this.started > timeout * 1000)
      return { by: "timeout", text: `stopped after ${timeout} s (--timeout)` };
    if ((this.ticks & (CHECK_MEMORY_EVERY - 1)) === 0 && process.memoryUsage.rss() > maxMemory * 2 ** 20)
      return { by: "max-memory", text: `stopped at ${maxMemory} MB of memory (--max-memory)` };
    return undefined;
  }
}
