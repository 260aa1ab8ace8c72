/** What `show` prints of page tables and TLBs. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hmm } from "../support/cli.ts";

const test = suite("show");

function shown(script: string): string[] {
  const { code, out, err } = hmm(["run", "-e", script]);
  assert.is(code, 0, err);
  return out.split("\n").filter((line) => line.startsWith("  "));
}

test("a CPU's translations, page by page, until they are flushed", () => {
  const mapped = "kernel v5.6; cpu0: mmap 0x1000..0x3000; cpu0: store 0x1000 1; cpu0: load 0x2000";
  const [first, second, ...more] = shown(`${mapped}; show tlb`);
  assert.match(first ?? "", /^ {2}cpu0: mm 0x1000 -> page \d+ rw$/);
  assert.match(second ?? "", /^ {2}cpu0: mm 0x2000 -> page \d+ ro$/);
  assert.equal(more, []);
  assert.equal(shown(`${mapped}; cpu0: munmap 0x1000..0x3000; show tlb`), ["  none"]);
});

test("a translation that the page tables do not know any more is stale", () => {
  const lines = shown(
    "kernel v5.6; cpu0: mmap 0x1000..0x2000; cpu0: store 0x1000 1; " +
      "cpu1: munmap 0x1000..0x2000 until tlb_finish_mmu; show tlb; cpu1: continue; show tlb",
  );
  assert.is(lines.length, 2);
  assert.match(lines[0] ?? "", /-> page \d+ rw \(stale: nothing is mapped there\)$/);
  assert.is(lines[1], "  none");
});

test("huge leaves say so", () => {
  const lines = shown(
    "kernel v5.6; cpu0: mmap 0x200000..0x400000 huge; cpu0: store 0x200000 1; show pagetables; show tlb",
  );
  assert.match(lines[0] ?? "", /^ {2}0x200000 -> huge page \d+ rw huge$/);
  assert.match(lines[1] ?? "", /^ {2}cpu0: mm 0x200000 -> huge page \d+ rw$/);
});

test.run();
