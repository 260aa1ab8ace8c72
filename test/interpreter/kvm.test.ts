/** KVM of scripts/lib/ against whatever takes pages away, as it is, and with each of the slips that drivers made. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bound, checked, reportsOf } from "../support/bound.ts";

const test = suite("kvm");

/** A line of the driver, and what stands there by mistake. */
type Slip = readonly [there: string, instead: string];
function driver(version: string, slips: readonly Slip[]): string {
  const own = readFileSync(`scripts/lib/kvm-${version}.hmm`, "utf8").replace('include "kvm.hmm"\n', "");
  let text = readFileSync("scripts/lib/kvm.hmm", "utf8") + own;
  for (const [there, instead] of slips) {
    assert.is(text.split(there).length, 2, `"${there}" stands there once`);
    text = text.replace(there, instead);
  }
  return text;
}

const FAULTS = `cpu0: mmap 0x1000..0x2000
cpu0: kvm = kvm_create mm
race {
  cpu0: WHAT
  cpu1: kvm_page_fault kvm 0x1000
}
cpu2: device_read spt 0x1000
cpu2: kvm_destroy kvm`;
const HAS = "cpu0: kvm_page_fault kvm 0x1000\nrace {";
/** While the guest faults a page that it may have already; or while somebody closes the VM. */
const AGAINST = {
  munmap: FAULTS.replace("WHAT", "munmap 0x1000..0x2000"),
  reclaim: FAULTS.replace("WHAT", "reclaim_pages 0x1000..0x2000").replace("race {", HAS),
  dontneed: FAULTS.replace("WHAT", "madvise 0x1000..0x2000 MADV_DONTNEED").replace("race {", HAS),
  fork: `struct mm_struct *child
cpu0: mmap 0x1000..0x2000
cpu0: store 0x1000 1
cpu0: kvm = kvm_create mm
race {
  cpu0: child = fork
  cpu1: kvm_page_fault kvm 0x1000
}
cpu2: device_write spt 0x1000 7
cpu3: switch_mm child
cpu3: theirs = load 0x1000
expect theirs == 1
cpu2: kvm_destroy kvm`,
  cow: `struct mm_struct *child
cpu0: mmap 0x1000..0x2000
cpu0: store 0x1000 1
cpu0: child = fork
cpu0: kvm = kvm_create mm
race {
  cpu0: store 0x1000 2
  cpu1: kvm_page_fault kvm 0x1000
}
cpu2: seen = device_read spt 0x1000
expect seen == 2 || seen == -EFAULT
cpu2: kvm_destroy kvm`,
  exit: `cpu0: mmap 0x1000..0x2000
cpu0: kvm = kvm_create mm
cpu0: kvm_page_fault kvm 0x1000
race {
  cpu0: mmput mm
  cpu1: kvm_destroy kvm
}`,
} as const;
type What = keyof typeof AGAINST;

function reports(kernel: string, version: string, what: What, slips: readonly Slip[]): string[] {
  const result = checked(
    bound(`kernel ${kernel}\nstruct kvm *kvm\n${driver(version, slips)}\n${AGAINST[what]}\nexpect no bug`),
  );
  assert.is(result.stopped, undefined);
  return reportsOf(result);
}

const V5_12 = ["v5.12", "v5.1"] as const;
const KERNELS = [
  ["v2.6.27", "v2.6.27"],
  ["v3.6", "v2.6.27"],
  ["v3.8", "v2.6.27"],
  ["v3.10", "v2.6.27"],
  ["v5.1", "v5.1"],
  ["v5.6", "v5.1"],
  V5_12,
  ["v6.1", "v5.1"],
] as const;
/** The kernel's own: who unregisters during the exit deletes what has been deleted (MN-11). */
const ITS_OWN: Record<string, string[]> = { "v3.6, exit": ["null-deref in __hlist_del"] };
for (const [kernel, version] of KERNELS)
  for (const what of Object.keys(AGAINST) as What[])
    test(`${kernel}, ${what}: nothing is wrong with the driver`, () => {
      assert.equal(reports(kernel, version, what, []), ITS_OWN[`${kernel}, ${what}`] ?? []);
    });

const [V2_6_27] = KERNELS;
const CHECK = "if mmu_notifier_retry(kvm, seq) {";
const LOCK = "  spin_lock kvm.mmu_lock\n";
const RETRY = `  ${CHECK}
    spin_unlock kvm.mmu_lock
    put_page page
    goto again
  }
`;
const UNLOCKED = RETRY.replace("    spin_unlock kvm.mmu_lock\n", "");
const COUNT = "  if kvm.mmu_notifier_count != 0 {\n    return true\n  }\n";
const SEQ = "return kvm.mmu_notifier_seq != seq";
const READ = "  seq = kvm.mmu_notifier_seq\n";
const FIND = "  page = get_user_pages_unlocked addr write\n";
const START = "  kvm.mmu_notifier_count++\n";
const DOWN = "  kvm.mmu_notifier_count--\n";
const END = `  kvm.mmu_notifier_seq++\n${DOWN}`;
const ZAP = "  device_unmap spt start..end\n";
const GRAB = "  mmgrab mm  #";
const LEAVE = "  mmu_notifier_unregister kvm.mmu_notifier kvm.mm\n";
const DROP = "  mmdrop kvm.mm\n";
const FREE = "  kfree kvm\n";

const STALE = "stale-translation in device_read";
const mistakes: readonly (readonly [name: string, what: What, found: string, ...slips: Slip[]])[] = [
  ["nobody checks", "munmap", STALE, [CHECK, "if false {"]],
  ["only the count is checked", "munmap", STALE, [SEQ, "return false"]],
  ["only the number is checked", "fork", "stale-translation in device_write", [COUNT, ""]],
  ["the check is made without the lock", "munmap", STALE, [LOCK + RETRY, UNLOCKED + LOCK]],
  ["the page is found before the number is read", "munmap", STALE, [READ + FIND, FIND + READ]],
  ["the number goes up at the start", "dontneed", STALE, [END, DOWN], [START, `${START}  kvm.mmu_notifier_seq++\n`]],
  ["the number does not go up", "munmap", STALE, [END, DOWN]],
  ["the count does not go up", "munmap", "bug in kvm_invalidate_end", [START, ""]],
  ["the count does not go down", "dontneed", "livelock", [DOWN, ""]],
  ["nothing is taken away at the start", "dontneed", STALE, [ZAP, ""]],
  ["it frees itself first", "exit", "use-after-free in kvm_destroy", [LEAVE + DROP + FREE, FREE + LEAVE + DROP]],
  ["it stays on the list", "exit", "use-after-free in kvm_flush_shadow", [LEAVE, ""]],
  ["it drops a reference that it has not", "exit", "use-after-free in exit_mmap", [GRAB, "  #"]],
];
for (const [name, what, found, ...slips] of mistakes)
  for (const [kernel, version] of [V2_6_27, V5_12] as const)
    test(`${kernel}, ${what}: ${name}`, () => {
      const all = reports(kernel, version, what, slips);
      assert.ok(all.includes(found), all.join("\n"));
    });

const harmless: readonly (readonly [name: string, what: What, ...slips: Slip[]])[] = [
  ["under the lock the order of the two does not matter", "dontneed", [END, `${DOWN}  kvm.mmu_notifier_seq++\n`]],
  ["registration has a reference of its own", "exit", [GRAB, "  #"], [DROP, ""]],
  ["it has it as long as it is registered", "exit", [LEAVE + DROP, DROP + LEAVE]],
];
for (const [name, what, ...slips] of harmless)
  for (const [kernel, version] of [V2_6_27, V5_12] as const)
    test(`${kernel}, ${what}: ${name}`, () => {
      assert.equal(reports(kernel, version, what, slips), []);
    });

test.run();
