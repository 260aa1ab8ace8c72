/** What `hmm explain E105` says. The first digit is the kind: 1 text, 2 names and contexts, 3 kinds of values. */
export interface CodeInfo {
  /** One line, no full stop. */
  readonly summary: string;
  readonly explanation: string;
  readonly wrong: string;
  readonly right: string;
}

export const codes: Readonly<Record<string, CodeInfo>> = {
  E100: {
    summary: "a character that means nothing",
    explanation:
      "Text pasted from mail or a word processor brings quotation marks and signs that the language " +
      "does not have.",
    wrong: "f \u201cmm\u201d",
    right: 'f "mm"',
  },
  E101: {
    summary: "a CPU label that is not written `cpuN:`",
    explanation:
      "A statement's CPU is named in front of it, with a colon: `cpu0:`, `cpu1, cpu2:`, `cpu1..cpu3:`. " +
      "Any other word with a colon is a goto label, and those live in functions and blocks.",
    wrong: "cpu0 mmput mm",
    right: "cpu0: mmput mm",
  },
  E102: {
    summary: "a `{` that is never closed",
    explanation:
      "A block runs to its `}`. Where one is missing the indentation says where it must have been, and " +
      "reading goes on as if it stood there.",
    wrong: ["fn f(x) {", "  g x", "", "race {", "  cpu0: f 1", "}"].join("\n"),
    right: ["fn f(x) {", "  g x", "}", "", "race {", "  cpu0: f 1", "}"].join("\n"),
  },
  E103: {
    summary: "something on the left of `=` that cannot be assigned to",
    explanation:
      "A result is kept in a name or a member. Types are left out unless they are C's own words " +
      "(`int`, `unsigned long`, `struct x *`).",
    wrong: "f(a) = 3",
    right: "ret = f(a)",
  },
  E104: {
    summary: "a condition without a body",
    explanation:
      "Without parentheses round it a condition is followed by `{`, or by `goto`, `return`, `break` or " +
      "`continue` on the same line.",
    wrong: ["fn f(x) {", "  if x", "  g x", "}"].join("\n"),
    right: ["fn f(x) {", "  if (x)", "    g x", "}"].join("\n"),
  },
  E105: {
    summary: "`=` in a condition",
    explanation:
      "`=` assigns and is a statement of its own; conditions compare with `==`. To test the result of " +
      "a call, keep it on the line before.",
    wrong: ["if ret = -EBUSY {", "  f 1", "}"].join("\n"),
    right: ["if ret == -EBUSY {", "  f 1", "}"].join("\n"),
  },
  E106: {
    summary: "a `for` that is neither of the two",
    explanation: "There is C's `for (i = 0; i < n; i++)`, with its parentheses, and `for addr in RANGE { ... }`.",
    wrong: ["for i = 0; i < 3; i++ {", "  f i", "}"].join("\n"),
    right: ["for (i = 0; i < 3; i++) {", "  f i", "}"].join("\n"),
  },
  E107: {
    summary: "a body that is missing or not in braces",
    explanation: "The bodies of `race`, `do`, `switch`, `for ... in` and `patch` always stand in braces.",
    wrong: "race cpu0: f 1",
    right: ["race {", "  cpu0: f 1", "}"].join("\n"),
  },
  E108: {
    summary: "a callback without parameters and body",
    explanation:
      "In a table of callbacks each one is written out, with the kernel's name and parameters, or " +
      "names a function.",
    wrong: ["mmu_notifier_ops ops {", "  release 3", "}"].join("\n"),
    right: ["mmu_notifier_ops ops {", "  .release = f", "}"].join("\n"),
  },
  E109: {
    summary: "a range without its start, or with too many ends",
    explanation: "A range is `start..end`, `start..+length`, or `start..` for one page.",
    wrong: "munmap ..0x2000",
    right: "munmap 0x1000..0x2000",
  },
  E110: {
    summary: "an operator behind the arguments of a call without parentheses",
    explanation:
      "`f a + 1` could be `f(a + 1)` or `f(a) + 1`, and as a whole statement `WARN_ON x < 0` could " +
      "test either. Parentheses say which.",
    wrong: "x = f a + 1",
    right: "x = f(a + 1)",
  },
  E111: {
    summary: "a missing argument",
    explanation: "Between two commas, or before the `)`, stands an argument.",
    wrong: "f(a, , b)",
    right: "f(a, b)",
  },
  E112: {
    summary: "a `(` or `[` that is never closed",
    explanation:
      "An open parenthesis goes on over the end of the line, until something follows that cannot be " + "part of it.",
    wrong: "mutex_unlock(&x",
    right: "mutex_unlock(&x)",
  },
  E113: {
    summary: "`...` where a range was meant",
    explanation: "Three dots as an argument of their own stand for the defaults. A range has two.",
    wrong: "munmap 0x1000...",
    right: "munmap 0x1000..",
  },
  E115: {
    summary: "text behind the end of a statement",
    explanation: "Statements end at the end of the line or at `;`.",
    wrong: "f(a) g(b)",
    right: "f(a); g(b)",
  },
  E116: {
    summary: "a `)` or `]` that closes nothing",
    explanation: "There is one too many, or its partner is missing.",
    wrong: "f(a))",
    right: "f(a)",
  },
  E117: {
    summary: "something that begins like a number and is none",
    explanation:
      "Numbers are decimal or hexadecimal, with `K`, `M`, `G` or C's `U` and `L` behind them. A " +
      "leading zero would be octal in C and is refused.",
    wrong: "x = 0x10zz",
    right: "x = 0x10",
  },
  E118: {
    summary: "a string that does not end on its line",
    explanation: 'Strings stand in double quotes, on one line; `\\"` is a quote within.',
    wrong: 'f "abc',
    right: 'f "abc"',
  },
  E119: {
    summary: "`else` without an `if`",
    explanation:
      "`else` follows the body of an `if`, also on the next line of a file. At the prompt `} else {` " +
      "must stand on one line, because a line that could be whole is run.",
    wrong: ["else {", "  f 1", "}"].join("\n"),
    right: ["if x {", "  g 1", "} else {", "  f 1", "}"].join("\n"),
  },
  E120: {
    summary: "something missing, or something else in its place",
    explanation:
      "An operator, a keyword or the beginning of a statement is followed by something that cannot " + "stand there.",
    wrong: "x =",
    right: "x = 1",
  },
  E121: {
    summary: "a declaration without type or name",
    explanation: "Fields of a `struct` and variables in C have a type and a name.",
    wrong: ["struct gpu {", "  lock", "}"].join("\n"),
    right: ["struct gpu {", "  mutex lock", "}"].join("\n"),
  },
  E122: {
    summary: "an initialiser without field names",
    explanation: "Initialisers in braces name their fields; `{}` and `{ 0 }` set all of them to nothing.",
    wrong: "hmm_range r = { 1, 2 }",
    right: "hmm_range r = { .start = 1, .end = 2 }",
  },
  E123: {
    summary: "a CPU label with an impossible number",
    explanation: "CPUs are numbered from 0 to 63, and `cpu1..cpu3` counts upwards.",
    wrong: "cpu99: f 1",
    right: "cpu9: f 1",
  },
  E124: {
    summary: "a `}` that closes nothing",
    explanation: "There is one too many, or a `{` is missing above.",
    wrong: ["f 1", "}"].join("\n"),
    right: "f 1",
  },
  E126: {
    summary: "`include` without a path in quotes",
    explanation: "The path is relative to the file that includes.",
    wrong: "include lib/gpu.hmm",
    right: 'include "lib/gpu.hmm"',
  },
  E127: {
    summary: "a `case` that cannot be read",
    explanation:
      "`case` stands in a `switch`, and each one ends with `break`, `return`, `goto` or `continue`: " +
      "falling through is refused.",
    wrong: ["switch (x) {", "case 1:", "  f 1", "case 2:", "  f 2", "}"].join("\n"),
    right: ["switch (x) {", "case 1:", "  f 1", "  break", "case 2:", "  f 2", "}"].join("\n"),
  },
  E128: {
    summary: "a type definition that is not read",
    explanation: "`struct NAME { ... }` is read; `enum`, `union` and `typedef` are not.",
    wrong: "enum mode { A, B };",
    right: ["var A = 0", "var B = 1"].join("\n"),
  },
  E131: {
    summary: "`until` without a place to stop",
    explanation:
      "A CPU runs until a function is entered or returns, until a step with a certain text, until a " +
      "label of a function, or until it blocks. `#2` counts.",
    wrong: "cpu0: f 1 until #2",
    right: "cpu0: f 1 until find_vma #2",
  },
  E132: {
    summary: "`expect` without something to expect",
    explanation: "An expectation is a condition, a report, no report, or a blocked CPU.",
    wrong: "expect sometimes",
    right: "expect sometimes ret == 0",
  },
  E133: {
    summary: "a kernel line that names no kernel",
    explanation: "A kernel is an era and perhaps patches, joined with `+`, without quotes.",
    wrong: 'kernel "v5.2"',
    right: "kernel v5.2 + odp-v4",
  },
  E134: {
    summary: "a fraction",
    explanation: "All numbers are whole.",
    wrong: "x = 1.5K",
    right: "x = 1536",
  },
  E135: {
    summary: "a comment that is never closed",
    explanation: "`/*` runs to the next `*/`, over any number of lines.",
    wrong: "f 1 /* and so on",
    right: "f 1 /* and so on */",
  },
  E136: {
    summary: "an assignment within an expression",
    explanation:
      "Each assignment is a step of its own, at which another CPU can come between: it has a line of " + "its own.",
    wrong: "a = b = c",
    right: ["b = c", "a = b"].join("\n"),
  },
  E137: {
    summary: "a function or callback without a body",
    explanation: "A body in braces follows the parameters; only C's prototypes do without.",
    wrong: "fn f(x)",
    right: "fn f(x) { g x }",
  },
  E138: {
    summary: "a number that is too large",
    explanation: "Numbers reach 2^53; addresses reach 2^47.",
    wrong: "x = 99999999999999999999",
    right: "x = 0x7fffffffffff",
  },
  E139: {
    summary: "`step` without a number of steps",
    explanation: "`step` goes one step, `step 3` goes three.",
    wrong: "step 0",
    right: "step 3",
  },
  E140: {
    summary: "nesting that is too deep",
    explanation:
      "Brackets, blocks, operators and bodies may nest 64 levels deep, and 500 operators may follow " + "one another.",
    wrong: `x = ${"!".repeat(70)}y`,
    right: "x = !y",
  },
  E141: {
    summary: "a preprocessor line, which is a comment here",
    explanation:
      "`#` begins a comment. `#include <...>` can safely be one; `#define` and `#if` would silently " + "mean nothing.",
    wrong: "#define LIMIT 3",
    right: "var LIMIT = 3",
  },
  E201: {
    summary: "`break` or `continue` outside a loop",
    explanation: "Both belong to the loop around them. `cpu1: continue` as a CPU's own statement lets it run on.",
    wrong: ["fn f(x) {", "  break", "}"].join("\n"),
    right: ["fn f(x) {", "  while x { break }", "}"].join("\n"),
  },
  E202: {
    summary: "a statement that belongs to the script as a whole",
    explanation:
      "Races, expectations, declarations of functions and the kernel line stand at the level of the " +
      "script; most of them also in `for kernel in ... { ... }`.",
    wrong: ["fn f(x) {", "  race { cpu0: g x }", "}"].join("\n"),
    right: ["fn f(x) { g x }", "race { cpu0: f 1 }"].join("\n"),
  },
  E203: {
    summary: "a kind of report that does not exist",
    explanation: "The kinds are listed in the language's manual; those of several words are hyphenated.",
    wrong: "expect bug use after free",
    right: "expect bug use-after-free",
  },
  E204: {
    summary: "a goto label directly under a CPU label",
    explanation: "Labels live in bodies: a function's, or a block's.",
    wrong: "cpu0: again: f 1",
    right: ["cpu0: {", "again:", "  f 1", "  goto again", "}"].join("\n"),
  },
  E205: {
    summary: "something other than a function in a `patch`",
    explanation: "A patch replaces bodies of the modelled kernel; `base(...)` is the old one.",
    wrong: ["patch mine {", "  f 1", "}"].join("\n"),
    right: ["patch mine {", "  fn f(x) { base(x) }", "}"].join("\n"),
  },
  E206: {
    summary: "a race whose first statement names no CPU",
    explanation:
      "Outside a race a statement without a label goes to the CPU named last. A race does not look " + "outside.",
    wrong: ["race {", "  f 1", "}"].join("\n"),
    right: ["race {", "  cpu0: f 1", "}"].join("\n"),
  },
  E207: {
    summary: "`return` or `goto` outside a body",
    explanation: "`return` ends a function or a block; labels live there.",
    wrong: "return",
    right: "cpu0: { return }",
  },
  E208: {
    summary: "`goto` to a label that is not there",
    explanation: "A label belongs to the body in which it stands.",
    wrong: ["fn f(x) {", "again:", "  g x", "  goto agian", "}"].join("\n"),
    right: ["fn f(x) {", "again:", "  g x", "  goto again", "}"].join("\n"),
  },
  E209: {
    summary: "a label that stands twice",
    explanation: "One body has each label once.",
    wrong: ["fn f(x) {", "again:", "again:", "  goto again", "}"].join("\n"),
    right: ["fn f(x) {", "again:", "  goto again", "}"].join("\n"),
  },
  E210: {
    summary: "a CPU label inside a function, block or label",
    explanation: "A function runs on whichever CPU calls it, and a labelled block on the CPU of its label.",
    wrong: ["fn f(x) {", "  cpu0: g x", "}"].join("\n"),
    right: ["fn f(x) { g x }", "cpu0: f 1"].join("\n"),
  },
  E211: {
    summary: "`until` inside a function",
    explanation: "`until` drives a CPU from outside: it stands where the CPU calls the function.",
    wrong: ["fn f(x) {", "  g x until h", "}"].join("\n"),
    right: ["fn f(x) { g x }", "cpu0: f 1 until h"].join("\n"),
  },
};

/** The explanation of a code as it is printed, or nothing for a code that does not exist. */
export function explain(code: string): string | undefined {
  const info = codes[code.toUpperCase()];
  if (info === undefined) return undefined;
  const { summary, explanation, wrong, right } = info;
  return [
    `${code.toUpperCase()}: ${summary}`,
    "",
    ...wrap(explanation, WIDTH),
    "",
    "Wrong:",
    "",
    indented(wrong),
    "",
    "Right:",
    "",
    indented(right),
  ].join("\n");
}

const WIDTH = 80;

function indented(text: string): string {
  return text
    .split("\n")
    .map((line) => (line === "" ? "" : `    ${line}`))
    .join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
