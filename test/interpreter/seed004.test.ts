/** Seed 004 both ways: the race, both fixes, and each fix without the step that it is about. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bound, boundFile, checked, reportsOf } from "../support/bound.ts";
import { hmm } from "../support/cli.ts";

const test = suite("seed 004");
const SCRIPT = "scripts/004-odp-dying-mm.hmm";
const BUGGY = "v5.2 + odp-v4";
const GET = "v5.2 + odp-v4 + odp-mmget-not-zero";
const RANGE = "v5.2 + odp-v4 + hmm-range-mmget";
const RACE = "use-after-free in find_vma";

test("without a fix find_vma() walks freed VMAs, with two switches and no fewer", () => {
  const result = checked(boundFile(SCRIPT, BUGGY));
  const [first] = result.reports;
  assert.is(first?.finding.kind, "use-after-free");
  assert.is(first?.finding.stack[0]?.name, "find_vma");
  assert.is(first?.finding.objectType?.name, "vm_area_struct");
  assert.is(first?.finding.freedBy, "remove_vma");
  assert.is(first?.finding.stack.at(-1)?.name, "pagefault_mr");
  assert.is(first?.switches, 2);
  assert.is(first?.full?.proven, true);
});

test("R-13: range->valid was read as true just before, and could not save it", () => {
  const [first] = checked(boundFile(SCRIPT, BUGGY)).reports;
  const steps = (first?.full?.trace.events ?? []).flatMap((e) => (e.kind === "step" ? e : []));
  const read = steps.findLast((s) => s.actor === 1 && s.text === "range->valid");
  const cleared = steps.findLast((s) => s.actor === 0 && s.text === "range->valid = false");
  assert.is(read?.result, "true");
  assert.ok((read?.number ?? 0) < (cleared?.number ?? 0));
  assert.is(steps.at(-1)?.text, "vma->vm_end");
});

for (const kernel of [GET, RANGE]) {
  test(`${kernel} is safe in every interleaving`, () => {
    const result = checked(boundFile(SCRIPT, kernel));
    assert.equal(reportsOf(result), []);
    assert.is(result.stopped, undefined);
    assert.is(result.livelockDecided, true);
  });
}

test("dropping mmget_not_zero() from ODP brings the race back", () => {
  const mutation = { in: "ib_umem_odp_map_dma_pages", drop: "mmget_not_zero", result: true };
  assert.ok(reportsOf(checked(boundFile(SCRIPT, GET), [mutation])).includes(RACE));
});
test("dropping mmget_not_zero() from hmm_range_register() brings the race back", () => {
  const mutation = { in: "hmm_range_register", drop: "mmget_not_zero", result: true };
  assert.ok(reportsOf(checked(boundFile(SCRIPT, RANGE), [mutation])).includes(RACE));
});
test("dropping the mmput() of either fix leaves the address space for ever", () => {
  const program = bound(`kernel ${GET}
ib_umem_odp umem
cpu0: mmap 0x1000..0x2000
cpu0: ib_umem_odp_get umem 0x1000..0x2000
race {
  cpu0: mmput mm
  cpu1: pagefault_mr umem 0x1000..0x2000
}
expect mm.mm_users == 0`);
  assert.equal(reportsOf(checked(program)), []);
  const mutation = { in: "ib_umem_odp_map_dma_pages", drop: "mmput" };
  assert.equal(reportsOf(checked(program, [mutation])), ["expectation"]);
});

test("R-13 with a plain mirror: the check only moves the window", () => {
  const script = "scripts/004-valid-check.hmm";
  assert.ok(reportsOf(checked(boundFile(script))).includes(RACE));
});

test("by hand, along the mail's diagram, it is the same report", () => {
  const ran = hmm(["run", "scripts/004-odp-by-hand.hmm"]);
  assert.is(ran.code, 0);
  assert.match(ran.out, /^BUG: KASAN: use-after-free in find_vma$/m);
  assert.match(ran.out, /stops in mmput > __mmput > exit_mmap > remove_vma/);
});

test("the script under either fix says honestly that nothing was found, and fails its expectation", () => {
  const ran = hmm(["check", SCRIPT, "--kernel", GET]);
  assert.is(ran.code, 1);
  assert.match(ran.out, /^VERIFIED up to hash compaction: all [\d,]+ states/m);
  assert.match(ran.out, /FAIL {2}expect bug use-after-free in find_vma {2}\(nothing was found\)/);
});

test("bodies run again give the same steps", () => {
  for (const kernel of [BUGGY, GET, RANGE]) {
    const result = checked(boundFile(SCRIPT, kernel));
    assert.is(result.impure(), null);
  }
});

test("no body takes more than 64 steps in one frame", () => {
  const { byFunction } = checked(boundFile(SCRIPT, BUGGY)).statistics;
  for (const [name, { deepest }] of byFunction) assert.ok(deepest <= 64, `${name}: ${deepest}`);
});

test.run();
