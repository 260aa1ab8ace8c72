/**
 * What the last fault or snapshot of each CPU has found: for device_map of addresses, whose script keeps no hmm_range
 * of its own. Kept only in machines that want it, so that other scripts have no state that they do not use.
 */
import { Op, primitive, step, type Kernel } from "../machine/step.ts";
import { at, flag, int, pointer, Struct, WORD, words } from "../machine/struct.ts";
import { ACTORS_MAX } from "../machine/rcu.ts";
import { staticObject } from "../machine/types.ts";
import type { ImageWriter } from "../image.ts";
import { hmm, HMM_RANGE_PAGES_MAX, hmm_range } from "../mm/hmm_types.ts";
import { mm_struct } from "../mm/mm_types.ts";
import { mmu_interval_notifier } from "../mm/mmu_notifier_types.ts";
import { PAGE_SIZE } from "../mm/pgtable.ts";

/** Each is one CPU's own business: nobody else looks at it. */
class recent_fault extends Struct {
  mm = pointer(() => mm_struct);
  start = int();
  end = int();
  entries = words(HMM_RANGE_PAGES_MAX);
}
const recent = Array.from({ length: ACTORS_MAX }, () => staticObject(recent_fault));

class recent_faults extends Struct {
  wanted = flag();
}
const switches = staticObject(recent_faults);
/** For a machine that is to keep them. */
export function keepRecentFaults(write: ImageWriter): void {
  write(switches.wanted, true);
}

const NULL_FAULT = at(recent_fault, 0);
const ofActor = (actor: number): recent_fault => recent[actor] ?? NULL_FAULT;

const remember = primitive("remember_fault", (m, range = 0) => {
  if (m.peek(switches.wanted.addr) === 0) return 0;
  const from = at(hmm_range, range);
  const fault = ofActor(m.actor);
  const start = m.read(from.start.addr);
  const end = m.read(from.end.addr);
  const count = (end - start) / PAGE_SIZE;
  const own = m.read(from.pfns.addr);
  const pfns = own === 0 ? from.entries.addr : own;
  const notifier = m.read(from.notifier.addr);
  const owner = notifier === 0 ? at(hmm, m.read(from.hmm.addr)) : at(mmu_interval_notifier, notifier);
  m.write(fault.mm.addr, m.peek(owner.mm.addr));
  m.write(fault.start.addr, start);
  m.write(fault.end.addr, count > HMM_RANGE_PAGES_MAX ? start : end); // a longer one is nobody's but its owner's
  for (let i = 0; i < HMM_RANGE_PAGES_MAX; i++)
    m.write(fault.entries.at(i).addr, i < count ? m.read(pfns + i * WORD) : 0);
  return 0;
});
/** Notes what a registered range holds, after a fault or snapshot of it has succeeded. No step of its own. */
export function* rememberFault(range: hmm_range): Kernel<void> {
  yield* step({ op: Op.silentPrimitive, primitive: remember, args: [range.addr], text: () => "" });
}

const recall = primitive("recall_fault", (m, start = 0, end = 0) => {
  const fault = ofActor(m.actor);
  return m.read(fault.start.addr) <= start && end <= m.read(fault.end.addr) ? fault.addr : 0;
});
/** This CPU's last one, if it covers the range; NULL otherwise. No step of its own. */
export function recentFault(start: number, end: number): Kernel<recent_fault> {
  return step({
    op: Op.silentPrimitive,
    primitive: recall,
    args: [start, end],
    decode: (addr) => at(recent_fault, addr),
    text: () => "",
  });
}
