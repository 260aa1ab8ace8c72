/** Who can move: the CPUs, and three that run callbacks. */

export const CPUS_MAX = 8;
export const RCU_ACTOR = 8;
export const SRCU_ACTOR = 9;
export const WORK_ACTOR = 10;
export const ACTORS = 11;

export function actorName(actor: number): string {
  if (actor === RCU_ACTOR) return "rcu";
  if (actor === SRCU_ACTOR) return "srcu";
  if (actor === WORK_ACTOR) return "work";
  return `cpu${actor}`;
}
/** Everybody's name, by number. */
export const ACTOR_NAMES: readonly string[] = Array.from({ length: ACTORS }, (_, actor) => actorName(actor));
/** Those whose bits are set: "cpu0, cpu2". */
export function actorsIn(bits: number): string {
  return ACTOR_NAMES.filter((_, actor) => (bits & (1 << actor)) !== 0).join(", ");
}
