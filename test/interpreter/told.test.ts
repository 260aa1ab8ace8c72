/** What is told is what happened: stops, diagrams, origins, and expectations that nothing can be said about. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hmm } from "../support/cli.ts";

const test = suite("told");

const run = (script: string, ...more: string[]): string => hmm(["run", "-e", script, ...more]).out;
const check = (script: string, ...more: string[]): string => hmm(["check", "-e", script, ...more]).out;

/** The columns of the first diagram, line by line. */
function diagramOf(output: string): string[] {
  const lines = output.split("\n");
  const from = lines.findIndex((line) => line.startsWith("CPU "));
  const to = lines.indexOf("", from);
  return lines.slice(from, to).map((line) => line.trim());
}
/** Texts in the order given, whatever stands between them. */
function inOrder(lines: readonly string[], ...texts: string[]): void {
  let from = 0;
  for (const text of texts) {
    const found = lines.findIndex((line, i) => i >= from && line.includes(text));
    assert.ok(found >= 0, `${text} is not where it should be:\n${lines.join("\n")}`);
    from = found + 1;
  }
}

test("run and check agree on an expectation after statements without a race", () => {
  const script = "cpu1: r = mmget_not_zero mm\nexpect r == true";
  for (const command of ["run", "check"]) {
    const ran = hmm([command, "-e", script]);
    assert.is(ran.code, 0, ran.out);
    assert.match(ran.out, /ok +expect r == true/);
  }
  assert.is(hmm(["run", "-e", script.replace("true", "false")]).code, 1);
});

test("one run says nothing about what some other interleaving might do", () => {
  const out = run("var hits\nrace { cpu0: hits += 1\ncpu1: hits += 1 }\nexpect sometimes hits == 1");
  assert.not.match(out, /FAIL/);
  assert.match(out, /\? +expect sometimes hits == 1/);
});

test("what no path gets to is not said to hold", () => {
  const out = check("var x\nrace { cpu0: x = 1\ncpu1: x = 2 }\nalways x < 1\nexpect x == 9");
  assert.match(out, /FAIL +expect x == 9 +\(no path gets there\)/);
});

test("a broken expectation is nothing anybody expected", () => {
  const out = check("var x\nrace { cpu0: x = 1\ncpu1: x = 2 }\nexpect x == 2");
  assert.match(out, /^VIOLATION: expect x == 2 does not hold/m);
});

test("a search that was stopped decides nothing that it has not seen", () => {
  const race = "cpu0: mmap 0x1000..\nrace { cpu0: mmget mm\ncpu1: mmget mm }";
  const out = check(`${race}\nexpect no bug\nexpect bug use-after-free`, "--max-states", "1");
  assert.match(out, /\? +expect no bug +\(undecided/);
  assert.match(out, /\? +expect bug use-after-free +\(undecided/);
  assert.not.match(out, /Observation/);
});

test("`until ... returns` stops after the function, not after a part of it", () => {
  const out = run("cpu0: mmap 0x1000..\ncpu0: mmput mm until unmap_vmas returns");
  assert.match(out, /stops in mmput > __mmput > exit_mmap > free_pgtables$/m); // what comes next
});

test("`until ... #2` counts calls, not rounds of a loop within one", () => {
  const out = run("cpu0: mmap 0x1000..\ncpu0: mmap 0x3000..\ncpu0: mmput mm until unmap_vmas #2");
  assert.match(out, /was not met/);
});

test("a stop is told after the step that led to it", () => {
  const lines = hmm(["run", "scripts/004-odp-by-hand.hmm", "--trace=steps"]).out.split("\n");
  inOrder(lines, "range->valid  // true", "find_vma(mm, 0x1000)", "> find_vma", "mm->mm_rb.rb_node");
});

test("a double free names who freed first", () => {
  const out = check("race { cpu0: mmput mm\ncpu1: { mmgrab mm; mmdrop mm } }");
  assert.match(out, /Double free by cpu1[^]*?Freed by cpu0/);
});

test("the diagram shows where a CPU was when others came in", () => {
  inOrder(
    diagramOf(hmm(["check", "scripts/004-odp-dying-mm.hmm"]).out),
    "range->valid",
    "find_vma(mm, 0x1000)",
    "mm->mm_rb.rb_node",
    "vm_area_free(vma)",
    "*** use-after-free ***",
  );
});

test("a count that went below zero is in the diagram", () => {
  const out = check("race { cpu0: mmput mm\ncpu1: mmput mm }");
  const bug = out.slice(out.indexOf("kernel BUG"));
  inOrder(diagramOf(bug), "mmput(mm)", "atomic_dec_and_test", "mmput(mm)", "atomic_dec_and_test", "BUG_ON", "*** bug");
});

test("an access that is no step of its own is shown as it is reported", () => {
  const out = check("cpu0: mmap 0x1000..\nrace { cpu0: mmput mm\ncpu1: { mmget mm; mmput mm } }");
  assert.match(out, /Read of freed memory by cpu1: vma->vm_mm/);
  inOrder(diagramOf(out), "vm_area_free(vma)", "unmap_vmas(", "vma->vm_mm", "*** use-after-free ***");
});

test("a lock given up twice is shown both times", () => {
  const out = check("race { cpu0: { down_read mm.mmap_sem; up_read mm.mmap_sem; up_read mm.mmap_sem }\n}");
  inOrder(diagramOf(out), "up_read", "up_read", "*** lockdep ***");
});

test("a lock that is never given up is told, with who holds it", () => {
  const held = check("race { cpu0: down_read mm.mmap_sem\ncpu1: find_vma mm 0x1000 }");
  assert.match(held, /WARNING: lock held when returning to user space!\nBy cpu0\ncpu0 holds &mm->mmap_sem \(read\)/);
  const given = check("race { cpu0: { down_read mm.mmap_sem; up_read mm.mmap_sem }\ncpu1: find_vma mm 0x1000 }");
  assert.match(given, /^VERIFIED/m);
});

test("no diagram names what Linux has not", () => {
  const out = hmm(["check", "scripts/004-odp-dying-mm.hmm", "--full"]).out;
  assert.not.match(out, /pagefault_mr\(umem, range/);
  assert.not.match(out, /list_next\(/);
});

test.run();
