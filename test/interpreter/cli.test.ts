/** The command line: what runs, what it answers, and with which exit code. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readFileSync } from "node:fs";
import { codes } from "../../grammar/codes.ts";
import { hmm } from "../support/cli.ts";

const test = suite("cli");
const SCRIPT = "scripts/004-odp-dying-mm.hmm";

test("the mission's own line runs as it stands, and says what it made", () => {
  const ran = hmm(["run", "-e", "cpu0: mmap 0x1000..; cpu1: hmm_range_fault ..."]);
  assert.is(ran.code, 0, ran.err);
  assert.match(ran.out, /cpu1: m: a mirror without callbacks, registered/);
  assert.match(ran.out, /hmm_range_fault\(range, true\) = 1/);
});

test("help and version, of everything", () => {
  assert.match(hmm(["--help"]).out, /Exit codes/);
  assert.is(hmm(["--version"]).out, `hmm ${JSON.parse(readFileSync("package.json", "utf8")).version}\n`);
  for (const command of ["run", "check", "test", "doc", "explain"]) {
    const ran = hmm([command, "--help"]);
    assert.is(ran.code, 0);
    assert.match(ran.out, new RegExp(`^usage: hmm ${command}`));
  }
});

test("a wrong command line is exit 2, with a reason and no trace of ours", () => {
  for (const args of [
    [],
    ["chek"],
    ["run"],
    ["run", "no-such-file.hmm"],
    ["run", "scripts"],
    ["run", SCRIPT, "extra"],
    ["run", SCRIPT, "--seed", "x"],
    ["run", SCRIPT, "--trace", "words"],
    ["run", SCRIPT, "--schedule", "nonsense"],
    ["run", SCRIPT, "--schedule", "000000:0*3"],
    ["run", SCRIPT, "--bogus"],
    ["check", SCRIPT, "--max-states", "-1"],
    ["check", SCRIPT, "--kernel", "v9.9"],
    ["check", SCRIPT, "--kernel", "v5.2 + odp-mmget-not-zero"],
    ["test", "no-such-folder"],
    ["explain", "E9999"],
  ]) {
    const ran = hmm(args);
    assert.is(ran.code, 2, args.join(" "));
    assert.not.match(ran.err + ran.out, /\.ts:|\.js:|\bat .*\(/, args.join(" "));
  }
});

test("a schedule that fits the script but not the machine is refused", () => {
  const token = /--schedule (\w+):/.exec(hmm(["check", SCRIPT]).out)?.[1];
  const ran = hmm(["run", SCRIPT, "--schedule", `${token}:5*3`]);
  assert.is(ran.code, 2);
  assert.match(ran.err, /its step 1 cannot be taken/);
});

test("standard input, -e and a seed", () => {
  const text = "var x\nrace { cpu0: x = 1\ncpu1: x = 2 }";
  const seeded = hmm(["run", "-", "--seed", "7"], text);
  assert.is(seeded.code, 0);
  assert.is(hmm(["run", "-", "--seed", "7"], text).out, seeded.out);
  const results = new Set([1, 2, 3, 4, 5, 6, 7, 8].map((seed) => hmm(["run", "-", "--seed", String(seed)], text).out));
  assert.ok(results.size > 1, "eight seeds, one order");
});

test("limits are named, and the verdict is undecided", () => {
  const few = hmm(["check", SCRIPT, "--max-states", "500"]);
  assert.match(few.out, /^INCOMPLETE: stopped at 500 states \(--max-states\)/m);
  const fixed = hmm(["check", "scripts/004-odp-mmget-not-zero.hmm", "--max-states", "500"]);
  assert.is(fixed.code, 3);
  assert.not.match(fixed.out, /VERIFIED/);
});

test("what allocates or loops without end stops at a limit, or is a livelock", () => {
  const endless = hmm(["check", "-e", "cpu0: while (1) { mmgrab mm }", "--max-steps", "1000"]);
  assert.is(endless.code, 3);
  assert.match(endless.out, /a path of 1,000 steps \(--max-steps\)/);
  const run = hmm(["run", "-e", "cpu0: while (1) { mmgrab mm }", "--max-steps", "1000"]);
  assert.is(run.code, 3);
  for (const text of ["cpu0: while (1) {}", "var x\nrace { cpu0: while (x == 0) {}\ncpu1: x = 0 }"]) {
    const ran = hmm(["check", "-e", text]);
    assert.is(ran.code, 1);
    assert.match(ran.out, /soft lockup/);
  }
  const fine = hmm(["check", "-e", "var x\nrace { cpu0: while (x == 0) {}\ncpu1: x = 1 }"]);
  assert.is(fine.code, 0, fine.out);
});

test("--json says what the text says", () => {
  const check = JSON.parse(hmm(["check", SCRIPT, "--json"]).out);
  assert.is(check.version, 1);
  assert.is(check.exit, 0);
  assert.is(check.reports[0].kind, "use-after-free");
  assert.is(check.reports[0].stack[0], "find_vma");
  assert.ok(hmm(["check", SCRIPT]).out.includes(check.verdict));
  const run = JSON.parse(hmm(["run", SCRIPT, "--schedule", check.reports[0].schedule, "--json"]).out);
  assert.ok(run.events.some((e: { kind: string; report?: string }) => e.report === "use-after-free"));
});

test("diagrams are plain ASCII without tabs, 78 columns for two CPUs and 100 for more", () => {
  const three = `kernel v5.2 + odp-v4
ib_umem_odp umem
cpu0: mmap 0x1000..0x2000
cpu0: ib_umem_odp_get umem 0x1000..0x2000
race {
  cpu0: mmput mm
  cpu1, cpu2: pagefault_mr umem 0x1000..0x2000
}`;
  for (const [out, width] of [
    [hmm(["check", SCRIPT, "--all"]).out, 78],
    [hmm(["check", SCRIPT, "--full"]).out, 78],
    [hmm(["check", "-e", three, "--max-states", "3000"]).out, 100],
  ] as const) {
    assert.match(out, /^CPU 0 +CPU 1/m);
    const pictures = out
      .split("\n")
      .filter((line) => !/^(replay|VIOLATION|INCOMPLETE|kernel BUG in| {2})/.test(line) || line.startsWith("   "));
    for (const line of pictures) assert.ok(line.length <= width && /^[\x20-\x7e]*$/.test(line), line);
  }
});

test("explain: every code, in one line each", () => {
  const overview = hmm(["explain"]).out;
  for (const [code, { summary }] of Object.entries(codes)) assert.ok(overview.includes(`  ${code}  ${summary}`), code);
});

test("explain: a code, in either case, with both examples", () => {
  const ran = hmm(["explain", "e105"]);
  assert.is(ran.code, 0);
  assert.match(ran.out, /^E105: [\s\S]*Wrong:[\s\S]*Right:/);
});

test.run();
