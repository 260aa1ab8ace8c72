/** Fatal signals: a bit for each task that has SIGKILL pending. Nothing takes it back. */
import { Op, primitive, step, type Kernel, type PrimitiveContext } from "./step.ts";
import { int, Struct } from "./struct.ts";
import { staticObject } from "./types.ts";

class signals extends Struct {
  static readonly short: string = "signals";
  /** Tasks that are to die, as bits. */
  sigkill = int();
}
const pending = staticObject(signals);

/** Of a primitive: whether the task that takes the step has one. */
export const killed = (m: PrimitiveContext): boolean => (m.read(pending.sigkill.addr) & (1 << m.actor)) !== 0;

const send = primitive("send_sig", (m, tasks = 0) => {
  m.write(pending.sigkill.addr, m.read(pending.sigkill.addr) | tasks);
  return 0;
});
/** SIGKILL for tasks, given as bits: who of them sleeps killably wakes. */
export function* send_sigkill(tasks: number): Kernel<void> {
  const cpus = Array.from({ length: 8 }, (_, cpu) => cpu).filter((cpu) => (tasks & (1 << cpu)) !== 0);
  const text = (): string => cpus.map((cpu) => `send_sig(SIGKILL, cpu${cpu})`).join(", ");
  yield* step({ op: Op.primitive, addr: pending.sigkill.addr, primitive: send, args: [tasks], text });
}
