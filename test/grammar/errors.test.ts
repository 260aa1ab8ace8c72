import { test } from "uvu";
import { checkReports } from "./support/tree.ts";

// What is said about what is wrong: place, code, message, help.

const expectHelp =
  "help: `expect ret == 0`, `expect sometimes ...`, `expect bug use-after-free in f`, " +
  "`expect no bug`, `expect blocked cpu1 on LOCK`";
const kindsHelp =
  "help: the kinds are livelock, use-after-free, double-free, null-deref, list-corruption, " +
  "refcount, deadlock, lockdep, data-race, sleep-in-atomic, rcu, warning, bug, " +
  "stale-translation, leak, expectation";

test("labels of CPUs", () => {
  checkReports([
    [
      "cpu0 mmap 0x1000..",
      ["1:1 E101 `cpu0` names a CPU: a colon is missing after it", "help: write `cpu0: mmap ...`"],
    ],
    ["cpu1 { f }", ["1:1 E101 `cpu1` names a CPU: a colon is missing after it", "help: write `cpu1: { ... }`"]],
    ["cpu0", ["1:1 E101 `cpu0` names a CPU: a colon is missing after it", "help: write `cpu0:` to switch to it"]],
    ["cpu 0: x", ["1:1 E101 a CPU is named `cpu0:`, `cpu1:`, ...", "help: write `cpu0:`"]],
    ["cpu: x", ["1:1 E101 a CPU is named `cpu0:`, `cpu1:`, ...", "help: write `cpu0:`"]],
    [
      "thread1: f x",
      ["1:1 E101 `thread1:` would be a goto label; CPUs are named `cpu0:`, `cpu1:`, ...", "help: write `cpu0:`"],
    ],
    ["cpu0, : f", ["1:7 E101 expected a CPU, found `:`"]],
    ["cpu99: f", ["1:1 E123 there is no `cpu99`", "help: CPUs are `cpu0` to `cpu63`"]],
    ["cpu3..cpu1: f", ["1:7 E123 the last CPU comes before the first", "help: write `cpu1..cpu3:`"]],
  ]);
});

test("brackets", () => {
  checkReports([
    [
      "fn f(x) {\n  if x {\n    g\n}\nfn h() {\n  g\n}",
      ["2:8 E102 this `{` is never closed", "help: going by the indentation, its `}` is missing before line 4"],
    ],
    [
      "fn f(x) {\n  g x\n\nrace {\n  cpu0: f\n}",
      ["1:9 E102 this `{` is never closed", "help: going by the indentation, its `}` is missing before line 4"],
    ],
    ["fn f(x) {", ["1:9 E102 this `{` is never closed", "help: add the missing `}`"]],
    ["f }", ["1:3 E124 this `}` closes nothing", "help: is there one `}` too many, or a `{` missing above?"]],
    ["f )", ["1:3 E116 this `)` closes nothing", "help: is there one `)` too many?"]],
    ["f(a))", ["1:5 E116 this `)` closes nothing", "help: is there one `)` too many?"]],
    ["x = a]", ["1:6 E116 this `]` closes nothing", "help: is there one `]` too many?"]],
    ["mutex_unlock(&x", ["1:13 E112 this `(` is never closed", "help: add the missing `)`"]],
    ["mutex_unlock(&x\ny = 3", ["1:13 E112 this `(` is never closed", "help: add the missing `)`"]],
    ["if (a && (b) {\n  f\n}", ["1:4 E112 this `(` is never closed", "help: add the missing `)`"]],
    ["fn fault(sub addr {\n  f\n}", ["1:9 E112 this `(` is never closed", "help: add the missing `)`"]],
    [
      "f(a\ncpu1: g = = 1",
      ["1:2 E112 this `(` is never closed", "help: add the missing `)`", "2:11 E120 expected a value, found `=`"],
    ],
  ]);
});

test("assignments", () => {
  checkReports([
    [
      "hmm_range r = 3",
      ["1:1 E103 `hmm_range r = ...` declares a variable with a type", "help: leave the type out: `r = ...`"],
    ],
    ["f(x) = 3", ["1:1 E103 the left side of `=` is a call", "help: to keep a result: `ret = f(x)`"]],
    ["f x y = 3", ["1:1 E103 the left side of `=` is a call", "help: to keep a result: `ret = f x y`"]],
    ["3 = x", ["1:1 E103 `3` cannot be assigned to", "help: the left side of `=` is a name or a member"]],
    [
      "a = b = c",
      ["1:7 E136 two assignments in one statement: each is a step of its own", "help: write one assignment per line"],
    ],
    [
      "x = (a = b)",
      ["1:8 E136 an assignment is a statement of its own, not a value", "help: write one assignment per line"],
    ],
    ["x =", ["1:4 E120 a value is missing after `=`"]],
    ["x = = 3", ["1:5 E120 expected a value, found `=`"]],
    [
      "x = { start = 1 }",
      ["1:7 E122 expected `.field = value`, found `start`", "help: write `{ .start = a, .end = b }`"],
    ],
  ]);
});

test("conditions", () => {
  checkReports([
    [
      "cpu0: {\nout:\nif x\ngoto out\n}",
      [
        "3:5 E104 the condition must be followed by `{`",
        "help: write `if (CONDITION) STATEMENT` or `if CONDITION { ... }`",
      ],
    ],
    [
      "while x\nf",
      [
        "1:8 E104 the condition must be followed by `{`",
        "help: write `while (CONDITION) STATEMENT` or `while CONDITION { ... }`",
      ],
    ],
    [
      "if x y z",
      [
        "1:9 E104 the condition must be followed by `{`",
        "help: write `if (CONDITION) STATEMENT` or `if CONDITION { ... }`",
      ],
    ],
    [
      "if ret = -EBUSY {\n}",
      [
        "1:8 E105 `=` assigns; a condition compares with `==`",
        "help: did you mean `==`? to keep a result, assign on the line before",
      ],
    ],
    [
      "if ((ret = f(x)) < 0)\n  g",
      [
        "1:10 E105 `=` assigns; a condition compares with `==`",
        "help: did you mean `==`? to keep a result, assign on the line before",
      ],
    ],
    [
      "expect ret = 0",
      [
        "1:12 E105 `=` assigns; a condition compares with `==`",
        "help: did you mean `==`? to keep a result, assign on the line before",
      ],
    ],
    [
      "wait x = 1",
      [
        "1:8 E105 `=` assigns; a condition compares with `==`",
        "help: did you mean `==`? to keep a result, assign on the line before",
      ],
    ],
    [
      "always x += 1",
      [
        "1:10 E105 `+=` assigns; a condition compares with `==`",
        "help: did you mean `==`? to keep a result, assign on the line before",
      ],
    ],
    ["if (x)\n", ["2:1 E107 the body of `if` is missing", "help: write `if ... { ... }`"]],
  ]);
});

test("loops", () => {
  checkReports([
    [
      "for i = 0; i < 3; i++ { f }",
      [
        "1:5 E106 C's `for` needs its parentheses",
        "help: write `for (i = 0; i < n; i++) { ... }` or `for addr in RANGE { ... }`",
      ],
    ],
    [
      "for x of y { f }",
      [
        "1:7 E106 expected `in`, found `of`",
        "help: write `for (i = 0; i < n; i++) { ... }` or `for addr in RANGE { ... }`",
      ],
    ],
    [
      "for (i = 0 i < 3; i++) { f }",
      [
        "1:12 E106 C's `for` has three parts: expected `;`, found `i`",
        "help: write `for (i = 0; i < n; i++) { ... }` or `for addr in RANGE { ... }`",
      ],
    ],
    [
      "for x in y f",
      [
        "1:13 E107 the body of `for` stands in braces: expected `{`, found the end of the script",
        "help: write `for (i = 0; i < n; i++) { ... }` or `for addr in RANGE { ... }`",
      ],
    ],
    ["do f while x", ["1:4 E107 the body of `do` stands in braces: expected `{`, found `f`"]],
    [
      "do { f }",
      [
        "1:9 E107 `do { ... }` ends in `while`: expected `while`, found the end of the script",
        "help: write `do { ... } while (x)`",
      ],
    ],
    ["switch x", ["1:9 E107 the body of `switch` stands in braces: expected `{`, found the end of the script"]],
    ["case A: f", ["1:1 E127 `case` without a `switch` around it", "help: use `if ... else if ...`"]],
    [
      "switch (x) {\ncase 1:\n  f\ncase 2:\n  g\n}",
      ["2:1 E127 this `case` falls through to the next", "help: end it with `break`, `return` or `goto`"],
    ],
  ]);
});

test("ranges and operators", () => {
  checkReports([
    ["f ..0x2000", ["1:3 E109 a range needs a start", "help: write `start..end`"]],
    ["x = ..b", ["1:5 E109 a range needs a start", "help: write `start..end`"]],
    ["x = a..b..c", ["1:9 E109 a range has one start and one end", "help: write `start..end`"]],
    [
      "f 0x1000...",
      ["1:9 E113 `...` stands for the default arguments; a range has two dots", "help: write `0x1000..` for one page"],
    ],
    [
      "f x\u2026",
      ["1:4 E113 `...` stands for the default arguments; a range has two dots", "help: write `x..` for one page"],
    ],
    [
      "x = f a + 1",
      ["1:9 E110 `+` after the arguments of `f` can be read in two ways", "help: write `f(a + 1)` or `(f a) + 1`"],
    ],
    [
      "x = f a b - c.d",
      [
        "1:11 E110 `-` after the arguments of `f` can be read in two ways",
        "help: write `f(a, b - c.d)` or `(f a b) - c.d`",
      ],
    ],
    [
      "WARN_ON x < 0",
      [
        "1:11 E110 `<` after the arguments of `WARN_ON` can be read in two ways",
        "help: write `WARN_ON(x < 0)`, or `(WARN_ON x) < 0` for its result",
      ],
    ],
    [
      "f a && g b",
      [
        "1:5 E110 `&&` after the arguments of `f` can be read in two ways",
        "help: write `f(a && g b)`, or `(f a) && g b` for its result",
      ],
    ],
    [
      "f a ? b : c",
      [
        "1:5 E110 `?` after the arguments of `f` can be read in two ways",
        "help: write `f(a ? b : c)`, or `(f a) ? b : c` for its result",
      ],
    ],
    ["x = a ==", ["1:9 E120 an expression is missing after `==`"]],
    ["x = a ? b", ["1:10 E120 expected `:` and the other value of `?`, found the end of the script"]],
    ["!", ["1:2 E120 an expression is missing after `!`"]],
  ]);
});

test("arguments", () => {
  checkReports([
    ["f(a, , b)", ["1:6 E111 an argument is missing here"]],
    ["f(, a)", ["1:3 E111 an argument is missing here"]],
    ["f(a,)", ["1:5 E111 an argument is missing here"]],
    ["f a,,b", ["1:5 E111 an argument is missing here"]],
    ["f(a; b)", ["1:4 E115 expected `,` or `)` in the arguments of a call, found `;`"]],
    ["x = (a, b)", ["1:7 E115 expected `)`, found `,`", "help: there is no comma operator; use two statements"]],
    [
      "f(a) return",
      [
        "1:6 E115 expected the end of the statement, found `return`",
        "help: begin a new line, or put a `;` between two statements",
      ],
    ],
    [
      "f(a) g",
      [
        "1:6 E115 expected the end of the statement, found `g`",
        "help: begin a new line, or put a `;` between two statements",
      ],
    ],
    [
      "f(a), b",
      ["1:5 E115 expected the end of the statement, found `,`", "help: there is no comma operator; use two statements"],
    ],
    ["x.3", ["1:3 E120 expected a member name, found `3`"]],
    ["x[1", ["1:2 E112 this `[` is never closed", "help: add the missing `]`"]],
  ]);
});

test("numbers and strings", () => {
  checkReports([
    ["x = 12abc", ["1:5 E117 `12abc` is not a number", "help: numbers are written `4096`, `0x1000`, `4K`, `2M`"]],
    ["x = 0xzz", ["1:5 E117 `0xzz` is not a number", "help: numbers are written `4096`, `0x1000`, `4K`, `2M`"]],
    [
      "x = 1.5K",
      ["1:5 E134 `1.5K`: there are no fractions here", "help: numbers are written `4096`, `0x1000`, `4K`, `2M`"],
    ],
    ["x = 010", ["1:5 E117 `010` is not a number", "help: octal numbers are not read; in decimal it is `8`"]],
    [
      "x = 99999999999999999999",
      ["1:5 E138 `99999999999999999999` is too large", "help: numbers reach 2^53, addresses 2^47"],
    ],
    ['f "abc', ["1:3 E118 the string is not closed on its line", 'help: add the missing `"`']],
    [
      "f \u201cmm\u201d",
      [
        "1:3 E100 `\u201c` means nothing here",
        'help: use a plain `"`',
        "1:6 E100 `\u201d` means nothing here",
        'help: use a plain `"`',
      ],
    ],
    ["@", ["1:1 E100 `@` means nothing here"]],
    [
      "f 'a'",
      [
        "1:3 E100 `'` means nothing here",
        'help: use a plain `"`',
        "1:5 E100 `'` means nothing here",
        'help: use a plain `"`',
      ],
    ],
    ["/* foo", ["1:1 E135 this comment is never closed", "help: add the missing `*/`"]],
    ["x\u001b[31m = 3", ["1:2 E100 `\\x1b` means nothing here"]],
  ]);
});

test("functions and types", () => {
  checkReports([
    ["fn", ["1:3 E120 a name is missing after `fn`"]],
    [
      "fn f(x)",
      ["1:8 E137 the function `f` needs a body: expected `{`, found the end of the script", "help: `fn f(x) { ... }`"],
    ],
    ["fn f(x) g", ["1:9 E137 the function `f` needs a body: expected `{`, found `g`", "help: `fn f(x) { ... }`"]],
    [
      "foo(x) {\n  f\n}",
      [
        "1:8 E115 expected the end of the statement, found `{`",
        "help: to define a function, write `fn foo(...) { ... }`",
      ],
    ],
    [
      "x_ops o {\n  invalidate(sub, range)\n}",
      [
        "2:25 E137 the callback `invalidate` needs a body: expected `{`, found the end of the line",
        "help: `invalidate(sub, range) { ... }` or `.invalidate = my_function`",
      ],
    ],
    [
      "x_ops o {\n  f\n}",
      [
        "2:3 E108 a callback needs its parameters and a body",
        "help: `f(sub, range, cur_seq) { ... }` or `.f = my_function`",
      ],
    ],
    ["x_ops o {\n  .f = NULL\n}", ["2:8 E108 expected the name of a function, found `NULL`"]],
    [
      "struct gpu { lock }",
      ["1:14 E121 a field needs a type and a name", "help: `mutex lock`, `struct mm_struct *mm;`, `u64 pfns[16];`"],
    ],
    [
      "unsigned long",
      [
        "1:14 E121 a declaration needs a name, found the end of the script",
        "help: `var hits = 0`, `unsigned long seq;`",
      ],
    ],
    ["typedef int foo", ["1:1 E128 there is no `typedef` here", "help: use the type itself"]],
    [
      "patch X {\n  f\n}",
      [
        "2:3 E205 `f` is no function; a patch replaces functions",
        "help: `fn NAME(...) { ... }`; `base(...)` is the old body",
      ],
    ],
  ]);
});

test("scripts", () => {
  checkReports([
    ["else", ["1:1 E119 `else` without an `if` before it", "help: at the prompt: write `} else {` on one line"]],
    ["goto", ["1:5 E120 a label is missing after `goto`"]],
    [
      "until f",
      [
        "1:1 E115 `until` follows a call, an assignment, a block or `continue`",
        "help: `cpu0: continue until find_vma`",
      ],
    ],
    [
      "f until",
      [
        "1:8 E131 `until` needs a place to stop",
        'help: `until find_vma`, `until find_vma returns #2`, `until "kfree(vma)"`, `until step 3`, `until blocked`',
      ],
    ],
    [
      "f until #2",
      [
        "1:9 E131 `until` needs a place to stop",
        'help: `until find_vma`, `until find_vma returns #2`, `until "kfree(vma)"`, `until step 3`, `until blocked`',
      ],
    ],
    ["f until g #0", ["1:11 E131 counts begin at `#1`"]],
    [
      'kernel "v5.2"',
      ['1:8 E133 expected a kernel version or patch name, found `"v5.2"`', "help: write `kernel v5.2 + odp-v4`"],
    ],
    [
      "kernel v5.2 odp",
      [
        "1:13 E133 expected `+` or the end of the line, found `odp`",
        "help: patches are joined with `+`: write `kernel v5.2 + odp-v4`",
      ],
    ],
    [
      "kernel",
      [
        "1:7 E133 expected a kernel version or patch name, found the end of the script",
        "help: write `kernel v5.2 + odp-v4`",
      ],
    ],
    [
      "kernel v5.2 +\nf",
      [
        "1:14 E133 expected a kernel version or patch name, found the end of the line",
        "help: write `kernel v5.2 + odp-v4`",
      ],
    ],
    ["include lib/gpu.hmm", ["1:9 E126 `include` takes a path in quotes", 'help: write `include "lib/gpu.hmm"`']],
    ["include", ["1:8 E126 `include` takes a path in quotes", 'help: write `include "lib/gpu.hmm"`']],
    [
      "race cpu0: f",
      ["1:6 E107 the body of `race` stands in braces: expected `{`, found `cpu0`", "help: write `race { cpu0: ... }`"],
    ],
    ["step x", ["1:6 E139 `step` takes a number of steps, from 1", "help: `step`, `step 3`"]],
    ["step 0", ["1:6 E139 `step` takes a number of steps, from 1", "help: `step`, `step 3`"]],
    [
      "fail",
      ["1:5 E120 the name of a function is missing after `fail`", "help: `fail kmalloc #2`, `maybe fail kmalloc`"],
    ],
    ["show", ["1:5 E120 what to show is missing after `show`", "help: `show locks, vmas`, `show device gpu`"]],
    ["sanitizer", ["1:10 E120 the name of a sanitizer is missing after `sanitizer`", "help: `sanitizer kcsan`"]],
    [
      "#define X(a) 3",
      [
        "1:1 E141 `#define` is a comment here",
        "help: there is no preprocessor; `enum { NAME = VALUE };` makes a constant",
      ],
    ],
    [
      "x ) \n #if 0",
      [
        "1:3 E116 this `)` closes nothing",
        "help: is there one `)` too many?",
        "2:2 E141 `#if` is a comment here",
        "help: there is no preprocessor; `enum { NAME = VALUE };` makes a constant",
      ],
    ],
  ]);
});

test("expectations", () => {
  checkReports([
    ["expect", ["1:7 E132 `expect` needs something to expect", expectHelp]],
    ["expect sometimes", ["1:17 E132 `expect` needs something to expect", expectHelp]],
    [
      "expect bug use-after-fre",
      ["1:12 E203 no kind of report is called `use-after-fre`", "help: did you mean `use-after-free`?"],
    ],
    [
      "expect bug use after free",
      [
        "1:12 E203 no kind of report is called `use after free`",
        "help: kinds are hyphenated: did you mean `use-after-free`?",
      ],
    ],
    [
      "expect use after free",
      [
        "1:8 E203 no kind of report is called `use after free`",
        "help: kinds are hyphenated: did you mean `use-after-free`?",
      ],
    ],
    ["expect no dead-lock", ["1:11 E203 no kind of report is called `dead-lock`", "help: did you mean `deadlock`?"]],
    ["expect bug xyzzy", ["1:12 E203 no kind of report is called `xyzzy`", kindsHelp]],
    [
      "expect sometimes no bug",
      ["1:18 E132 `no` is about every outcome, `sometimes` about one", "help: write `expect no bug`"],
    ],
    ["expect bug in", ["1:14 E120 the name of a function is missing after `in`"]],
  ]);
});

test.run();
