import { test } from "uvu";
import { checkReports } from "./support/tree.ts";

// What stands in the wrong place.

const CPU_HELP = "write `cpu0:`";

test("labels and jumps", () => {
  checkReports([
    ["fn f(x) {\nagain:\n  g x\n  goto again\n}", []],
    ["fn f(x) {\n  if x {\n  out:\n    g x\n  }\n  goto out\n}", []],
    ["cpu0: {\nagain:\n  f 1\n  goto again\n}", []],
    ["fn f(x) {\nagain:\n  goto agian\n}", ["3:8 E208 no label `agian` in `f`", "help: did you mean `again`?"]],
    [
      "cpu0: { goto out }",
      ["1:14 E208 no label `out` in this block", "help: write `out:` before the statement to go to"],
    ],
    ["fn f(x) {\na:\na:\n}", ["3:1 E209 the label `a` stands twice in `f`", "help: the first one is in line 2"]],
    ["fn f(x) {\nagain: = 3\n  goto gone\n}", ["2:8 E120 expected a statement, found `=`"]],
    [
      "cpu0: again: f x",
      ["1:7 E204 a label directly under a CPU label", "help: labels live in bodies: `cpu0: { again: ... }`"],
    ],
    [
      "P0: f x",
      [`1:1 E101 \`P0:\` would be a goto label; CPUs are named \`cpu0:\`, \`cpu1:\`, ...`, `help: ${CPU_HELP}`],
    ],
    ["race {\n  cpu: f x\n}", [`2:3 E101 a CPU is named \`cpu0:\`, \`cpu1:\`, ...`, `help: ${CPU_HELP}`]],
    [
      "return 1",
      ["1:1 E207 `return` outside a function or block", "help: it ends a function or a block: `cpu0: { ... }`"],
    ],
    [
      "cpu0: goto out",
      [
        "1:7 E207 `goto` outside a function or block",
        "help: labels live in functions and blocks: `cpu0: { again: ... }`",
      ],
    ],
  ]);
});

test("loops", () => {
  const help = "`return` ends a function or a block";
  const runHelp = "to let a CPU run on, write `cpu1: continue` outside of blocks";
  checkReports([
    ["fn f(x) {\n  while x { if x { break } else { continue } }\n}", []],
    ["while x { break }", []],
    ["for kernel in v5.2 { cpu0: continue }", []],
    ["race { cpu0: continue }", []],
    ["fn f(x) {\n  switch (x) {\n  case 1:\n    if (x) break\n    return\n  }\n}", []],
    ["fn f(x) { break }", [`1:11 E201 \`break\` outside a loop`, `help: ${help}`]],
    ["break", [`1:1 E201 \`break\` outside a loop`, `help: ${help}`]],
    [
      "while x { cpu0: { break } }",
      [
        "1:11 E210 `cpu0` labels a statement inside a block",
        "help: a block runs on one CPU",
        `1:19 E201 \`break\` outside a loop`,
        `help: ${help}`,
      ],
    ],
    ["fn f(x) { continue }", [`1:11 E201 \`continue\` outside a loop`, `help: ${runHelp}`]],
    ["cpu0: { continue }", [`1:9 E201 \`continue\` outside a loop`, `help: ${runHelp}`]],
  ]);
});

test("statements of the script within something else", () => {
  const out = (what: string): string => `move it out of ${what}, to the level of the script`;
  checkReports([
    [
      "fn f(x) {\n  race { cpu0: g }\n}",
      [`2:3 E202 \`race\` cannot stand inside a function`, `help: ${out("a function")}`],
    ],
    ["race {\n  cpu0: f\n  expect x\n}", [`3:3 E202 \`expect\` cannot stand inside a race`, `help: ${out("a race")}`]],
    ["cpu0: {\n  show mm\n}", [`2:3 E202 \`show\` cannot stand inside a block`, `help: ${out("a block")}`]],
    ["if x { always y }", [`1:8 E202 \`always\` cannot stand inside a block`, `help: ${out("a block")}`]],
    [
      "for kernel in v5.2 { kernel v5.3 }",
      [`1:22 E202 \`kernel\` cannot stand inside \`for kernel\``, `help: ${out("`for kernel`")}`],
    ],
    ["for kernel in v5.2 {\n  fn f(x) { g }\n  race { cpu0: f 1 }\n  expect x\n  show mm\n}", []],
    [
      "patch p {\n  fn f(x) { fn g(y) { h } }\n}",
      [`2:13 E202 \`fn\` cannot stand inside a function`, `help: ${out("a function")}`],
    ],
  ]);
});

test("CPUs", () => {
  checkReports([
    ["race {\n  f x\n}", ["2:3 E206 the first statement of a race names its CPU", "help: write `cpu0: ...`"]],
    ["race {\n  cpu0: f x\n  g x\n}", []],
    ["race {\n  cpu0: = 1\n  g x\n}", ["2:9 E120 expected a statement, found `=`"]],
    [
      "fn f(x) {\n  cpu0: g\n}",
      ["2:3 E210 `cpu0` labels a statement inside a function", "help: a function runs on whichever CPU calls it"],
    ],
    ["cpu0: cpu1: f", ["1:7 E210 a CPU label under a CPU label", "help: write `cpu0, cpu1: ...` to run it on both"]],
    [
      "fn f(x) {\n  g x until h\n}",
      [
        "2:7 E211 `until` cannot stand inside a function",
        "help: put it where the CPU calls the function: `cpu0: f until g`",
      ],
    ],
    ["cpu0: { g x } until h", []],
  ]);
});

test.run();
