/**
 * Long work that comes up for air: between two breaths its driver may handle signals. Who does not care drains it.
 */
export type Breathing<R> = Generator<void, R>;

/** How many steps a search takes between two breaths: some milliseconds. */
export const STEPS_A_BREATH = 1 << 15;

export function drain<R>(work: Breathing<R>): R {
  for (;;) {
    const item = work.next();
    if (item.done === true) return item.value;
  }
}

/** Runs the event loop once at every breath. */
export async function drive<R>(work: Breathing<R>): Promise<R> {
  for (;;) {
    const item = work.next();
    if (item.done === true) return item.value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
