/**
 * The program of the engine's design spike: K rounds of { get a reference; lock; counter++; unlock; put }.
 * Its state counts are known exactly, and the benchmark runs it beside the spike itself.
 */
import { load, store } from "../../runtime/machine/access.ts";
import { atomic_dec_and_test, atomic_inc } from "../../runtime/machine/atomic.ts";
import { kernelFunction } from "../../runtime/machine/function.ts";
import { spin_lock, spin_unlock } from "../../runtime/machine/spinlock.ts";
import type { Kernel } from "../../runtime/machine/step.ts";
import { atomic, int, spinlock, Struct } from "../../runtime/machine/struct.ts";
import { staticObject } from "../../runtime/machine/types.ts";

class counter extends Struct {
  lock = spinlock();
  value = int();
  refs = atomic();
  freed = int();
}
export const shared = staticObject(counter);

const get = kernelFunction("get", function* (): Kernel<void> {
  yield* atomic_inc(shared.refs);
});
const put = kernelFunction("put", function* (): Kernel<void> {
  if (yield* atomic_dec_and_test(shared.refs)) yield* store(shared.freed, 1);
});
const critical = kernelFunction("critical", function* (): Kernel<void> {
  yield* spin_lock(shared.lock);
  const value = yield* load(shared.value);
  yield* store(shared.value, value + 1);
  yield* spin_unlock(shared.lock);
});
export const rounds = kernelFunction("rounds", function* (n: number): Kernel<void> {
  for (let i = 0; i < n; i++) {
    yield* get();
    yield* critical();
    yield* put();
  }
});
