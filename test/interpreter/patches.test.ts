/** Bodies of the kernel replaced by a script, several kernels in one script, files under names of their own. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SourceText } from "../../grammar/span.ts";
import { bindScript } from "../../interpreter/bind/script.ts";
import { kernelText } from "../../interpreter/program.ts";
import { judge } from "../../interpreter/verdict.ts";
import { bound, checked, reportsOf } from "../support/bound.ts";
import { captured as hmm } from "./support/captured.ts";

/** 5.2's own bodies, as a script has them: what hmm-range-mmget replaced. */
const REVERT = `
patch revert-mmget {
  fn hmm_range_register(range, mm, start, end, page_shift) {
    range.valid = false
    range.hmm = NULL
    if ((start & 0xfff) != 0 || (end & 0xfff) != 0) return -EINVAL
    if (start >= end) return -EINVAL
    range.page_shift = page_shift
    range.start = start
    range.end = end
    hmm = hmm_get_or_create mm
    if (hmm == NULL) return -EFAULT
    if hmm.mm == NULL || hmm.dead {
      hmm_put hmm
      return -EFAULT
    }
    range.hmm = hmm
    mutex_lock hmm.lock
    list_add_rcu range.list hmm.ranges
    if (hmm.notifiers == 0) range.valid = true
    mutex_unlock hmm.lock
    return 0
  }
  fn hmm_range_unregister(range) {
    hmm = range.hmm
    if (hmm == NULL || range.end <= range.start) return
    mutex_lock hmm.lock
    list_del_rcu range.list
    mutex_unlock hmm.lock
    range.valid = false
    hmm_put hmm
    range.hmm = NULL
  }
}
`;
const RACE = `
cpu0: mmap 0x1000..0x3000
hmm_mirror m
cpu0: {
  down_write mm.mmap_sem
  hmm_mirror_register m mm
  up_write mm.mmap_sem
}
race {
  cpu0: mmput mm
  cpu1: ret = hmm_range_fault m 0x1000..0x2000
}
`;
const kinds = (text: string): string[] => [...new Set(checked(bound(text)).reports.map(({ finding }) => finding.kind))];

const patches = suite("patches");

patches("a patch that reverts a fix brings the race back that the fix closes", () => {
  const fixed = kinds(`kernel v5.2 + hmm-range-mmget\n${RACE}`);
  const unfixed = kinds(`kernel v5.2\n${RACE}`);
  assert.equal(fixed, []);
  assert.ok(unfixed.includes("use-after-free"));
  const reverted = kinds(`kernel v5.2 + hmm-range-mmget + revert-mmget\n${REVERT}${RACE}`);
  assert.equal(reverted.sort(), unfixed.sort());
  assert.equal(
    kinds(`kernel v5.2 + hmm-range-mmget\n${REVERT}${RACE}`),
    [],
    "a patch that is not applied does nothing",
  );
});

patches("a fix tried in a script does what the built-in one does", () => {
  const fix = `
patch mmget {
  fn hmm_range_register(range, mm, start, end, page_shift) {
    if (!mmget_not_zero(mm)) return -EFAULT
    ret = base(range, mm, start, end, page_shift)
    if (ret != 0) mmput(mm)
    return ret
  }
  fn hmm_range_unregister(range) {
    mm_of = range.hmm.mm
    base(range)
    mmput mm_of
  }
}
`;
  assert.equal(kinds(`kernel v5.2 + mmget\n${fix}${RACE}`), []);
  const half = fix.replace("if (!mmget_not_zero(mm)) return -EFAULT", "mmget(mm)");
  assert.ok(kinds(`kernel v5.2 + mmget\n${half}${RACE}`).includes("use-after-free"), "mmget() is no mmget_not_zero()");
});

patches("patches are applied in their order, each on what is there", () => {
  const two = `
var log = 0
patch one {
  fn find_vma(mm, addr) {
    log = log * 10 + 1
    return base(mm, addr)
  }
}
patch two {
  fn find_vma(mm, addr) {
    log = log * 10 + 2
    return base(mm, addr)
  }
}
`;
  const exit = (order: string, log: number): number => {
    const text = `kernel v5.2 + ${order}\n${two}cpu0: vma = find_vma mm 0x1000\nexpect log == ${log}\n`;
    return judge(checked(bound(text))).exitCode;
  };
  assert.is(exit("one", 1), 0);
  assert.is(exit("one + two", 21), 0);
  assert.is(exit("two + one", 12), 0);
});

patches("a body that starts over starts itself over, not what replaced it", () => {
  const text = `kernel v5.2 + count
var entered = 0
patch count {
  fn remove_vma_list(vma) {
    entered++
    base(vma)
  }
}
cpu0: mmap 0x1000..
cpu0: mmap 0x3000.. r
cpu0: mmap 0x5000..
cpu0: munmap 0x1000..0x6000
expect entered == 1
`;
  assert.is(judge(checked(bound(text))).exitCode, 0);
});

patches("for kernel: the body under each, the rest around every one of them", () => {
  const text = `for kernel in v5.2, v5.2 + hmm-range-mmget {
${RACE.replace(/^hmm_mirror m\n/m, "")}
}
hmm_mirror m
`;
  const { programs } = bindScript(new SourceText("kernels.hmm", text));
  assert.equal(
    programs.map(({ kernel }) => kernelText(kernel)),
    ["v5.2", "v5.2 + hmm-range-mmget"],
  );
  const [before, after] = programs.map((program) => reportsOf(checked(program)));
  assert.ok(before?.some((report) => report.startsWith("use-after-free")));
  assert.equal(after, []);
});

patches("for kernel: one verdict each, and the worst exit code", () => {
  const text = `for kernel in v5.2, v5.2 + hmm-range-mmget {${RACE}}\n`;
  const { code, out } = hmm(["check", "a.hmm"], { "a.hmm": text });
  assert.is(code, 1);
  assert.match(out, /kernel v5\.2\n/);
  assert.match(out, /kernel v5\.2 \+ hmm-range-mmget\n/);
  assert.match(out, /VERIFIED/);
  const lines = hmm(["check", "--json", "a.hmm"], { "a.hmm": text }).out.trim().split("\n");
  const kernels = lines.map((line) => (JSON.parse(line) as { kernel: string }).kernel);
  assert.equal(kernels, ["v5.2", "v5.2 + hmm-range-mmget"]);
});

patches("include as: names of a file under a name of its own, twice if need be", () => {
  const files = {
    "a.hmm": `kernel v5.2
include "lib/counter.hmm" as a
include "lib/counter.hmm" as b
cpu0: a.bump 2
cpu0: b.bump 3
cpu0: x = a.count * 10 + b.count
expect x == 23
`,
    "lib/counter.hmm": "var count = 0\nstruct box { unsigned long n; }\nfn bump(by) {\n  count = count + by\n}\n",
  };
  assert.is(hmm(["check", "a.hmm"], files).code, 0);
  const clash = { ...files, "a.hmm": 'var count = 0\ninclude "lib/counter.hmm"\n' };
  assert.match(hmm(["check", "a.hmm"], clash).err, /error\[E229\]: `count` is declared already/);
});

patches("the script of the README's first race is the same under a script's own copy of the kernel's fix", () => {
  const text = readFileSync("scripts/004-hmm-range-mmget.hmm", "utf8");
  const reverted = text.replace(/^kernel .*$/m, "$& + revert-mmget") + REVERT;
  const before = checked(bound(text)).reports;
  const after = checked(bound(reverted)).reports;
  assert.equal(before, []);
  assert.ok(after.some(({ finding }) => finding.kind === "use-after-free"));
});

patches.run();
