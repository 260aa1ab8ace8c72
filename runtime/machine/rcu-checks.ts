/** What CONFIG_PROVE_RCU asks of readers. None of it is a step that another CPU could notice. */
import { asBoolean, HoldMode, Op, primitive, step, type Kernel } from "./step.ts";
import { rcu } from "./rcu.ts";

const isReader = primitive("rcu_read_lock_held", (m) => (m.holds(rcu.addr) ? 1 : 0));
const isSrcuReader = primitive("srcu_read_lock_held", (m, domain = 0) => (m.holds(domain, HoldMode.srcu) ? 1 : 0));

function silent<R>(run: typeof isReader, decode: (n: number) => R, ...args: number[]): Kernel<R> {
  return step({ op: Op.silentPrimitive, primitive: run, args, decode, text: () => `${run.name}()` });
}
export const rcu_read_lock_held = (): Kernel<boolean> => silent(isReader, asBoolean);
export const srcu_read_lock_held = (domain: { readonly addr: number }): Kernel<boolean> =>
  silent(isSrcuReader, asBoolean, domain.addr);

const warns = (name: string, message: string) =>
  primitive(name, (m) => {
    m.warn("rcu", message);
    return 0;
  });
const nothing = (): void => {};
/** A pointer is read that only readers may read. `check`: what the kernel calls the check. */
export function suspicious(name: string, check: "rcu_dereference_check" | "rcu_dereference_protected"): Kernel<void> {
  return silent(warns(name, `suspicious ${check}() usage`), nothing);
}
const traversal = primitive("list_for_each_entry_rcu", (m) => {
  if (!m.locks.isReader()) m.warn("rcu", "RCU-list traversed in non-reader section!!");
  return 0;
});
const srcuTraversal = primitive("list_for_each_entry_srcu", (m) => {
  if (!m.locks.isSrcuReader()) m.warn("rcu", "RCU-list traversed without holding the required lock!!");
  return 0;
});
/** At the beginning of a walk. `srcu`: of a list that readers of SRCU walk. */
export const checkTraversal = (srcu: boolean): Kernel<void> => silent(srcu ? srcuTraversal : traversal, nothing);
