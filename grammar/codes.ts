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
    summary: "an initialiser that cannot be read",
    explanation:
      "In braces stand `.field = value`, `[index] = value` or values in order; `{}` and `{ 0 }` are all zeros.",
    wrong: "hmm_range r = { start = 1 }",
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
  E143: {
    summary: "`schedule` without a schedule in quotes",
    explanation: "`hmm run` and the prompt print schedules; a script that has one is run along it.",
    wrong: "schedule 0*12",
    right: 'schedule "0*12"',
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
    explanation: "`struct NAME { ... }` and `enum { ... }` are read; `union` and `typedef` are not.",
    wrong: "union mode { int a; };",
    right: ["var A = 0", "var B = 1"].join("\n"),
  },
  E131: {
    summary: "`until` without a place to stop",
    explanation:
      "A CPU runs until a function is entered or returns, until a step with a certain text, until a " +
      "label of a function, until it has taken some steps, or until it blocks. `#2` counts.",
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
    explanation: "Numbers reach 2^53, also as results; addresses reach 2^47. Nothing wraps.",
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
      "`#` begins a comment. `#include <...>` can safely be one, `#define LIMIT 3` is read; macros with parameters " +
      "and `#if` would silently mean nothing.",
    wrong: "#define TWICE(x) (2 * (x))",
    right: "fn TWICE(x) {\n  return 2 * x\n}",
  },
  E142: {
    summary: "a preprocessor line that chooses between two branches",
    explanation: "There is no preprocessor: both branches would be read, one after the other.",
    wrong: "var x = 1\n#else\nvar y = 2",
    right: "var x = 1",
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
  E212: {
    summary: "`until` or `in` with a function that the modelled kernel does not have",
    explanation:
      "A CPU stops, and a report lies, in a function of the modelled kernel, by its real name. Those of " +
      "your own have labels to stop at.",
    wrong: "cpu0: mmput mm until exit_mmmap",
    right: "cpu0: mmput mm until exit_mmap",
  },
  E213: {
    summary: "a kernel that this version does not model",
    explanation: "A kernel is named by its era, the release whose code it has; patches come behind it, with `+`.",
    wrong: "kernel 5.2",
    right: "kernel v5.2",
  },
  E214: {
    summary: "a variable where a function is called",
    explanation:
      "A name and something behind a space is a call. A `-` with a space before it and none behind it " +
      "begins an argument, as in `f -EBUSY`.",
    wrong: ["cpu0: n = 3", "cpu0: x = n -1"].join("\n"),
    right: ["cpu0: n = 3", "cpu0: x = n - 1"].join("\n"),
  },
  E215: {
    summary: "a patch that does not exist, or not for this kernel",
    explanation: "Patches have names of their own. Each says which eras it applies to.",
    wrong: "kernel v5.2 + opd-v4",
    right: "kernel v5.2 + odp-v4",
  },
  E216: {
    summary: "a call of something that is no function",
    explanation: "What is called is a function by its name. Callbacks are called by the kernel.",
    wrong: "cpu0: mm.mm_users(3)",
    right: "cpu0: x = mm.mm_users",
  },
  E217: {
    summary: "a CPU where a value is expected",
    explanation: "A CPU is no number and no object. `cpu1.ret` is what cpu1 keeps in `ret`.",
    wrong: "cpu0: x = cpu1",
    right: ["cpu1: ret = 3", "expect cpu1.ret == 3"].join("\n"),
  },
  E218: {
    summary: "`++` or `--` within an expression",
    explanation:
      "It reads and writes, which are two steps, and another CPU can come between: it has a line of " + "its own.",
    wrong: ["cpu0: x = 3", "cpu0: y = x++"].join("\n"),
    right: ["cpu0: x = 3", "cpu0: y = x", "cpu0: x++"].join("\n"),
  },
  E219: {
    summary: "what another CPU keeps",
    explanation:
      "A result belongs to the CPU that keeps it, as a register does. CPUs share what is in memory: " +
      "members of objects, and words declared with `var`.",
    wrong: ["cpu0: x = 3", "cpu1: y = cpu0.x"].join("\n"),
    right: ["var x = 0", "cpu0: x = 3", "cpu1: y = x"].join("\n"),
  },
  E220: {
    summary: "a member of something that has none",
    explanation: "Objects, and pointers to them, have members; numbers, counters and locks have none.",
    wrong: "cpu0: x = mm.mm_users.counter",
    right: "cpu0: x = mm.mm_users",
  },
  E221: {
    summary: "a member that the structure does not have",
    explanation:
      "Members carry their kernel names, which change from release to release. The model has those " +
      "that matter to its functions.",
    wrong: ["kernel v5.2", "cpu0: down_read mm.mmap_lock"].join("\n"),
    right: ["kernel v5.2", "cpu0: down_read mm.mmap_sem", "cpu0: up_read mm.mmap_sem"].join("\n"),
  },
  E222: {
    summary: "an index behind something that is no array",
    explanation: "Members that are arrays have elements. There is no arithmetic with pointers.",
    wrong: "cpu0: x = mm[3]",
    right: "cpu0: x = mm.pgd.entries[3]",
  },
  E223: {
    summary: "`*` in front of a pointer",
    explanation: "The members of what a pointer points to are reached with `.` or `->`.",
    wrong: "cpu0: x = *mm",
    right: "cpu0: x = mm.mm_users",
  },
  E224: {
    summary: "a call where the state is only looked at",
    explanation:
      "`expect`, `always`, `never`, `wait` and `assume` look at the state from outside, at one moment. " +
      "A call would take steps. Words and counters are read by their names.",
    wrong: "expect atomic_read(&mm->mm_users) == 1",
    right: "expect mm->mm_users == 1",
  },
  E225: {
    summary: "an assignment to an object",
    explanation: "An object stays what it is; its members can change. A result needs a name of its own.",
    wrong: "cpu0: mm = 3",
    right: "cpu0: x = 3",
  },
  E226: {
    summary: "an assignment to something that is no word",
    explanation:
      "Words can be assigned to. Counters, locks and lists change by the calls that the kernel has for " + "them.",
    wrong: "cpu0: mm.mm_users = 3",
    right: "cpu0: atomic_set(&mm.mm_users, 3)",
  },
  E227: {
    summary: "a struct that would hold itself",
    explanation: "An object has a size: it can point to another of its type, not be part of itself.",
    wrong: "struct region {\n  struct region next;\n}",
    right: "struct region {\n  struct region *next;\n}",
  },
  E228: {
    summary: "a shared word that begins with something else than a constant",
    explanation: "Shared words have their values before the first step.",
    wrong: "var users = mm.mm_users",
    right: ["var users = 0", "cpu0: users = mm.mm_users"].join("\n"),
  },
  E229: {
    summary: "a name that is declared twice",
    explanation: "Objects and shared words have one name each, in the script and all that it includes.",
    wrong: ["var hits = 0", "var hits = 1"].join("\n"),
    right: "var hits = 1",
  },
  E230: {
    summary: "`until` with a label that the function has not",
    explanation: "`until f.again` stops a CPU where it comes to a label in a function of the script.",
    wrong: ["fn f() {", "again:", "  x = mm.mmap", "  if x != NULL goto again", "}", "cpu0: f until f.agian"].join(
      "\n",
    ),
    right: ["fn f() {", "again:", "  x = mm.mmap", "  if x != NULL goto again", "}", "cpu0: f until f.again"].join(
      "\n",
    ),
  },
  E231: {
    summary: "a label that nothing goes to",
    explanation: "It does no harm, but a `goto` may be missing, or name another label. A warning only.",
    wrong: ["cpu0: {", "again:", "  mmget mm", "}"].join("\n"),
    right: ["cpu0: {", "  mmget mm", "}"].join("\n"),
  },
  E232: {
    summary: "`show` with something that it does not know",
    explanation: "What `show` can print are parts of the state that have no name in the kernel.",
    wrong: "show lock",
    right: "show locks",
  },
  E233: {
    summary: "a CPU label in front of something that no CPU runs",
    explanation:
      "Races, expectations and declarations belong to the script as a whole; the statements in a race " +
      "name their CPUs.",
    wrong: "cpu0: race { cpu0: mmget mm }",
    right: "race { cpu0: mmget mm }",
  },
  E234: {
    summary: "`until` where no CPU is led by hand",
    explanation:
      "`until` stops a CPU between two lines of the script. In a race all interleavings are tried, and " +
      "a block is run as a whole: `until` may stand behind its `}`.",
    wrong: "cpu0: { mmput mm until exit_mmap }",
    right: "cpu0: { mmput mm } until exit_mmap",
  },
  E235: {
    summary: "a kernel, or a patch of it, that is named twice",
    explanation: "A script has one `kernel` line, and each patch is applied once.",
    wrong: ["kernel v5.2", "kernel v5.2 + odp-v4"].join("\n"),
    right: "kernel v5.2 + odp-v4",
  },
  E236: {
    summary: "a statement that no path leads to (a warning)",
    explanation: "Behind `return`, `goto` or a loop without end nothing runs that no label or branch leads to.",
    wrong: ["fn f() {", "  return 0", "  x = 1", "}", "cpu0: f"].join("\n"),
    right: ["fn f() {", "  return 0", "}", "cpu0: f"].join("\n"),
  },
  E237: {
    summary: "a callback that returns nothing where the kernel goes by what it returns",
    explanation: "The kernel's own signature of a callback says what it returns.",
    wrong: [
      "kernel v5.2",
      "mmu_notifier_ops ops {",
      "  invalidate_range_start(mn, range) {",
      "    mm.mm_users",
      "  }",
      "}",
    ].join("\n"),
    right: [
      "kernel v5.2",
      "mmu_notifier_ops ops {",
      "  invalidate_range_start(mn, range) {",
      "    return 0",
      "  }",
      "}",
    ].join("\n"),
  },
  E238: {
    summary: "a patch without what it stands on",
    explanation: "Patches apply one on top of the other, in the order of the line.",
    wrong: "kernel v5.2 + odp-mmget-not-zero",
    right: "kernel v5.2 + odp-v4 + odp-mmget-not-zero",
  },
  E239: {
    summary: "`continue` in a race that is not the first statement of its CPU",
    explanation: "A CPU that was paused before a race goes on with that first, and then with what the race has for it.",
    wrong: [
      "cpu0: mmput mm until exit_mmap",
      "race {",
      "  cpu0: load 0x1000",
      "  cpu0: continue",
      "  cpu1: mmgrab mm",
      "}",
    ].join("\n"),
    right: ["cpu0: mmput mm until exit_mmap", "race {", "  cpu0: continue", "  cpu1: mmgrab mm", "}"].join("\n"),
  },
  E240: {
    summary: "`continue` or `step` for a CPU that has nothing to go on with",
    explanation:
      "Both take up a CPU that `until`, `step` or a lock has stopped inside a call. One that has come " +
      "to the end of its call is stopped nowhere. This shows only when the script runs.",
    wrong: ["cpu0: mmput mm", "cpu0: continue"].join("\n"),
    right: ["cpu0: mmput mm until exit_mmap", "cpu0: continue"].join("\n"),
  },
  E241: {
    summary: "another call for a CPU that is still inside one",
    explanation:
      "A CPU runs one thing at a time. What it was stopped in goes on first. This shows only when the " +
      "script runs.",
    wrong: ["cpu0: mmput mm until exit_mmap", "cpu0: rcu_read_lock"].join("\n"),
    right: ["cpu0: mmput mm until exit_mmap", "cpu0: continue", "cpu0: rcu_read_lock", "cpu0: rcu_read_unlock"].join(
      "\n",
    ),
  },
  E242: {
    summary: "a system call in a process that is gone",
    explanation:
      "When mm_users is 0 the last thread has exited: nobody is left to call anything or to touch user " +
      "memory. Drivers and kernel threads still can. This shows only when the script runs.",
    wrong: ["cpu0: mmput mm", "cpu0: mmap 0x1000.."].join("\n"),
    right: ["cpu0: mmap 0x1000..", "cpu0: mmput mm"].join("\n"),
  },
  E244: {
    summary: "`schedule` with what is no schedule, or does not fit the script",
    explanation:
      "A schedule says who takes which step in a race, run by run: CPU, `?` and the choice if there are several, " +
      "`*` and how often. One that was made for another script, or before this one was changed, leads nowhere.",
    wrong: 'schedule "zero*3"',
    right: 'schedule "0*3"',
  },
  E243: {
    summary: "a patch that no kernel has (a warning)",
    explanation: "A patch changes the kernels that name it: `kernel v5.2 + NAME`, or `--kernel` on the command line.",
    wrong: ["kernel v5.2", "patch quick {", "  fn mmget_not_zero(mm) { return true }", "}", "cpu0: mmput mm"].join(
      "\n",
    ),
    right: [
      "kernel v5.2 + quick",
      "patch quick {",
      "  fn mmget_not_zero(mm) { return true }",
      "}",
      "cpu0: mmput mm",
    ].join("\n"),
  },
  E251: {
    summary: "a name that nothing has",
    explanation: "Names are those of objects, shared words, results that this CPU keeps, constants and functions.",
    wrong: ["cpu0: ret = mmget_not_zero mm", "expect rte == true"].join("\n"),
    right: ["cpu0: ret = mmget_not_zero mm", "expect ret == true"].join("\n"),
  },
  E252: {
    summary: "a result that several CPUs keep under one name",
    explanation: "An expectation belongs to no CPU. Where several keep a result of that name it says whose.",
    wrong: ["cpu0, cpu1: ret = mmget_not_zero mm", "expect ret == true"].join("\n"),
    right: ["cpu0, cpu1: ret = mmget_not_zero mm", "expect cpu1.ret == true"].join("\n"),
  },
  E253: {
    summary: "`$` before there is a result",
    explanation: "`$` is what the last call of this CPU gave, in the order of the text.",
    wrong: "cpu0: x = $",
    right: ["cpu0: mmget_not_zero mm", "cpu0: x = $"].join("\n"),
  },
  E254: {
    summary: "a result that this CPU does not keep",
    explanation: "`cpu1.ret` is what a statement of cpu1 before this line keeps in `ret`.",
    wrong: ["cpu0: ret = mmget_not_zero mm", "expect cpu1.ret == true"].join("\n"),
    right: ["cpu0: ret = mmget_not_zero mm", "expect cpu0.ret == true"].join("\n"),
  },
  E255: {
    summary: "a type of object that cannot be declared",
    explanation: "Objects that a driver would embed are declared by their kernel type.",
    wrong: "mmu_notifer mn",
    right: "mmu_notifier mn",
  },
  E256: {
    summary: "a CPU beyond those of the model",
    explanation: "Eight CPUs are more than any of the known races needs, and more than can be searched.",
    wrong: "cpu8: mmget mm",
    right: "cpu7: mmget mm",
  },
  E258: {
    summary: "a file that cannot be included",
    explanation:
      "The path is relative to the file that includes, with `/`, and never leads above the folder of " +
      "the script. What comes from standard input or `-e` has no folder.",
    wrong: 'include "lib/gpuu.hmm"',
    right: 'include "lib/gpu.hmm"',
  },
  E259: {
    summary: "a file that includes itself",
    explanation: "A file stands in the place of its `include` line, once, and cannot stand inside itself.",
    wrong: 'include "example.hmm"',
    right: 'include "lib/gpu.hmm"',
  },
  E260: {
    summary: "a function that does not exist",
    explanation: "Functions are called by their real names, those of the kernel that the script runs on.",
    wrong: "cpu0: mmptu mm",
    right: "cpu0: mmput mm",
  },
  E261: {
    summary: "a function or type of another kernel",
    explanation:
      "It exists in an older or younger release, or comes with a patch. The `kernel` line says which " +
      "one the script runs on.",
    wrong: ["kernel v5.2", "ib_umem_odp umem", "cpu0: ib_umem_odp_get umem 0x1000.."].join("\n"),
    right: ["kernel v5.2 + odp-v4", "ib_umem_odp umem", "cpu0: ib_umem_odp_get umem 0x1000.."].join("\n"),
  },
  E262: {
    summary: "a function inside the modelled kernel",
    explanation:
      "The kernel calls it, with locks held and things prepared. A script calls what leads there, and " +
      "can stop in it with `until`.",
    wrong: "cpu0: exit_mmap mm",
    right: ["cpu0: mmput mm until exit_mmap", "cpu0: continue"].join("\n"),
  },
  E263: {
    summary: "a sanitizer that does not exist",
    explanation:
      "`sanitizer kcsan` has data races looked for, and reported. The others are always on: it does no harm to " +
      "name them.",
    wrong: "sanitizer kscan",
    right: "sanitizer kcsan",
  },
  E290: {
    summary: "something that this version does not have yet",
    explanation:
      "The manual describes the language as a whole. What is still missing is refused, never passed " +
      "over in silence.",
    wrong: ["fn f(n) {", "  static int calls", "}", "cpu0: f 0"].join("\n"),
    right: ["int calls", "fn f(n) {", "  calls += 1", "}", "cpu0: f 0"].join("\n"),
  },
  E300: {
    summary: "too few or too many arguments",
    explanation:
      "Functions take their kernel arguments; where the kernel takes a start and an end, or a length, a " +
      "range can stand for both. Those in `[ ]` may be left out.",
    wrong: "cpu0: mmput",
    right: "cpu0: mmput mm",
  },
  E301: {
    summary: "an argument of the wrong kind",
    explanation: "Objects are passed by name, with or without `&`. A lock is passed, not the object that it is in.",
    wrong: "cpu0: down_read mm",
    right: ["cpu0: down_read mm.mmap_sem", "cpu0: up_read mm.mmap_sem"].join("\n"),
  },
  E302: {
    summary: "a parameter that the function does not have",
    explanation: "`name=value` passes an argument by the name of its parameter.",
    wrong: "cpu0: mmput m=mm",
    right: "cpu0: mmput mm=mm",
  },
  E303: {
    summary: "a number where a range is needed",
    explanation:
      "A range is `start..end`, `start..+length`, or `start..` for one page. A plain number is never " +
      "taken for a range.",
    wrong: "cpu0: munmap 0x1000",
    right: "cpu0: munmap 0x1000..",
  },
  E304: {
    summary: "a range with a `-`",
    explanation:
      "/proc/PID/maps writes ranges with a hyphen. Here that is a subtraction, and a range has two dots; " +
      "either way the end is excluded.",
    wrong: "cpu0: mmap 0x1000-0x2000",
    right: "cpu0: mmap 0x1000..0x2000",
  },
  E305: {
    summary: "an empty range",
    explanation: "The end of a range is excluded, so it must be above the start.",
    wrong: "cpu0: mmap 0x1000..0x1000",
    right: "cpu0: mmap 0x1000..0x2000",
  },
  E306: {
    summary: "a range beyond user memory",
    explanation: "User addresses have 47 bits, as on x86-64 with four levels of page tables.",
    wrong: "cpu0: mmap 0x800000000000..",
    right: "cpu0: mmap 0x7fffffffe000..",
  },
  E307: {
    summary: "a range that begins or ends within a page",
    explanation: "Memory is mapped in pages of 4096 bytes: `4K`, `0x1000`, `PAGE_SIZE`.",
    wrong: "cpu0: mmap 0x1000..0x1800",
    right: "cpu0: mmap 0x1000..0x2000",
  },
  E308: {
    summary: "`...` where there is no default",
    explanation:
      "`...` stands for the range mapped last, in the order of the text, and for the mirror or notifier " +
      "registered last. Nothing else has a default.",
    wrong: "cpu0: munmap ...",
    right: ["cpu0: mmap 0x1000..", "cpu0: munmap ..."].join("\n"),
  },
  E309: {
    summary: "a range where a value is needed",
    explanation: "A range is an argument of functions that take one. It cannot be kept, added or compared.",
    wrong: "cpu0: x = 0x1000..0x2000",
    right: "cpu0: x = 0x1000",
  },
  E310: {
    summary: "`...` outside the arguments of a call",
    explanation: "It stands for default arguments.",
    wrong: "cpu0: x = ...",
    right: ["cpu0: mmap 0x1000..", "cpu0: munmap ..."].join("\n"),
  },
  E311: {
    summary: "something else where only a number will do",
    explanation: "Arithmetic, indices, shared words and the ends of ranges take numbers; pointers are none.",
    wrong: "cpu0: x = mm + 1",
    right: "cpu0: x = mm.mm_users + 1",
  },
  E312: {
    summary: "a value where a place in memory is needed",
    explanation: "READ_ONCE, WRITE_ONCE, xchg and cmpxchg work on a word: a variable, a member or an element.",
    wrong: "cpu0: x = READ_ONCE(3)",
    right: "cpu0: x = READ_ONCE(mm.mmap)",
  },
  E313: {
    summary: "`choose` among values that are not fixed",
    explanation: "`choose` tries each of its values, in schedules of their own: they are known beforehand.",
    wrong: ["cpu0: n = 3", "cpu0: x = choose(0, n)"].join("\n"),
    right: "cpu0: x = choose(0, 3)",
  },
  E314: {
    summary: "something that has no value, where one is needed",
    explanation:
      "Functions that return void give none. Strings, arrays and locks are none that a CPU could keep " + "or test.",
    wrong: "cpu0: ret = mmput mm",
    right: "cpu0: mmput mm",
  },
  E315: {
    summary: "a value that a name or member cannot hold",
    explanation: "A name that holds a number cannot hold a pointer, nor a pointer to something else; NULL fits both.",
    wrong: ["cpu0: x = 3", "cpu0: x = mm"].join("\n"),
    right: ["cpu0: x = NULL", "cpu0: x = mm"].join("\n"),
  },
  E316: {
    summary: "a word that the function does not take",
    explanation: "Some functions take words, such as protections; each has its own.",
    wrong: "cpu0: mmap 0x1000.. wr",
    right: "cpu0: mmap 0x1000.. rw",
  },
  E317: {
    summary: "`expect blocked ... on` something that nobody waits for",
    explanation: "CPUs wait for locks, and in objects that have a queue: completions, work items, SRCU.",
    wrong: "expect blocked cpu1 on mm.mm_users",
    right: [
      "cpu0: down_write mm.mmap_sem",
      "cpu1: down_read mm.mmap_sem",
      "expect blocked cpu1 on mm.mmap_sem",
      "cpu0: up_write mm.mmap_sem",
    ].join("\n"),
  },
  E318: {
    summary: "an array of no known length",
    explanation: "Arrays have from 1 to 1024 elements, and those that are declared a constant number of them.",
    wrong: "u64 pfns[0];",
    right: "u64 pfns[4];",
  },
  E319: {
    summary: "a type where only its objects mean something",
    explanation: "Types have no sizes here. `sizeof` says of which type memory is to be allocated.",
    wrong: "cpu0: n = sizeof(struct hmm_range)",
    right: "cpu0: r = kzalloc(sizeof(struct hmm_range), GFP_KERNEL)",
  },
  E320: {
    summary: "a function that cannot be made to fail",
    explanation: "`fail` makes a call return an error code or NULL: that of a function that can return one.",
    wrong: "cpu0: fail mmput",
    right: "cpu0: fail kmalloc",
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
