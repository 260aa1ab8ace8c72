import fc from "fast-check";

/** Scripts at random, in the spellings of scripts and of C, with blanks and comments where there may be any. */

const { constantFrom, tuple, oneof, option, array } = fc;
type Text = fc.Arbitrary<string>;

/** `text` with what stands for `@` filled in, one after the other. */
function form(text: string, ...parts: Text[]): Text {
  const pieces = text.split("@");
  return tuple(...parts).map((filled) => pieces.map((piece, index) => piece + (filled[index] ?? "")).join(""));
}

function several(part: Text, separator: string, minLength: number, maxLength: number): Text {
  return array(part, { minLength, maxLength }).map((parts) => parts.join(separator));
}

const name = oneof(
  {
    weight: 12,
    arbitrary: constantFrom(
      "a",
      "b",
      "ret",
      "mm",
      "sub",
      "range",
      "EBUSY",
      "foo_t",
      "a_name_that_is_so_long_that_lines_with_it_have_to_be_broken",
    ),
  },
  { weight: 2, arbitrary: constantFrom("step", "race", "kernel", "wait", "bug", "leak", "device", "no", "in", "cpu") },
  {
    weight: 1,
    arbitrary: constantFrom("u8", "list_for_each_entry", "sometimes", "struct", "as", "blocked", "returns"),
  },
);
const number = constantFrom("0", "1", "0x1000", "0X2F", "4K", "2m", "4096UL", "1ull", "0x10l");
const string = constantFrom('"a"', '"%d\\n"', '"(\\"{#"');
const type = constantFrom("struct gpu", "unsigned long", "u64", "int", "const struct gpu", "size_t");
const member = constantFrom("x", "mmap_sem", "continue", "cpu1", "next");
const binaryOp = constantFrom(..."|| && | ^ & == != < <= > >= << >> + - * / %".split(" "));
const assignOp = constantFrom(..."= = = += -= *= /= %= &= |= ^= <<= >>=".split(" "));

const { expr, arg, bare } = fc.letrec<{ expr: string; arg: string; bare: string }>((tie) => {
  const e = tie("expr");
  const operand = oneof(e, form("(@)", e));
  const args = oneof(several(tie("arg"), ", ", 0, 3), several(tie("arg"), ",", 4, 5));
  return {
    arg: oneof(
      { depthSize: "small" },
      { weight: 4, arbitrary: e },
      form("@=@", name, e),
      form("&@", e),
      form("@ *", type),
      constantFrom("...", "struct gpu", "unsigned long", "0x1000..", "&a->b", "-EBUSY"),
    ),
    bare: oneof(
      { depthSize: "small" },
      { weight: 6, arbitrary: oneof(name, number, string) },
      constantFrom(
        "...",
        "-EBUSY",
        "-1",
        "&a->b",
        "0x1000.. rw",
        "a..b",
        "1..+4K",
        "a+1",
        "a-1..b*2",
        "x=3",
        "$",
        "cpu1",
      ),
      constantFrom(
        "NULL",
        "true",
        "a[0]",
        "a[b].c",
        "A|B",
        "A | B",
        "!a",
        "~a",
        "*a",
        "&&a",
        "f(a)",
        "(a + b)",
        "-(a)",
      ),
      form("(@)", e),
    ),
    expr: oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 5, arbitrary: oneof(name, number) },
      oneof(string, constantFrom("true", "false", "NULL", "$", "cpu1", "...", "sizeof(struct  gpu)", "sizeof *(a)")),
      { weight: 3, arbitrary: form("@ @ @", operand, binaryOp, operand) },
      form("@ ? @ : @", operand, operand, operand),
      form("@..@", operand, operand),
      form("(@..+@)", operand, operand),
      form("(@..)", operand),
      { weight: 2, arbitrary: form("@.@", operand, member) },
      { weight: 2, arbitrary: form("@->@", operand, member) },
      form("@[@]", operand, e),
      { weight: 3, arbitrary: form("@(@)", name, args) },
      form("(@ @)", name, several(tie("bare"), " ", 1, 3)),
      form("@->@(@)", name, member, args),
      { weight: 2, arbitrary: form("@@", constantFrom("-", "+", "!", "~", "&", "*", "- ", "++", "--"), operand) },
      form("@@", operand, constantFrom("++", "--")),
      form("(@ *)@", type, operand),
    ),
  };
});

const init = fc.letrec<{ init: string }>((tie) => ({
  init: oneof(
    { depthSize: "small" },
    constantFrom("{}", "{ 0 }"),
    several(oneof(form("@", arg), form("[@] = @", expr, arg)), ", ", 1, 3).map((values) => `{ ${values} }`),
    several(form(".@ = @", member, oneof({ weight: 4, arbitrary: arg }, tie("init"))), ",\n", 1, 3).map(
      (fields) => `{ ${fields} }`,
    ),
  ),
})).init;

const until = option(
  form(
    " until @@@",
    oneof(name, constantFrom("f()", "f.again", "blocked", '"kfree(a)"')),
    constantFrom("", " returns"),
    constantFrom("", " #2"),
  ),
  { nil: "" },
);
const untilStep = form("@@", oneof(name, form("@(@)", name, name)), constantFrom(" until step 3", " until step 0"));
const call = oneof(
  form("@ @", name, several(bare, " ", 1, 4)),
  form("@ @", name, several(bare, ", ", 1, 4)),
  form("@(@)", name, arg),
);
const value = oneof({ weight: 2, arbitrary: expr }, call, init);
const declarator = form(
  "@@@",
  name,
  oneof({ weight: 3, arbitrary: constantFrom("") }, constantFrom("[4]")),
  option(form(" = @", value), { nil: "" }),
);
const declaration = oneof(
  form("@ @", constantFrom("var", "struct gpu", "u64", "int", "foo_t"), several(declarator, ", ", 1, 2)),
  form("@ *@", type, several(declarator, ", *", 1, 2)),
  form("hmm_range a = @", init),
  constantFrom("hmm_mirror m", "mutex(gpu_lock)", "static DEFINE_MUTEX(m)", "struct step s", "struct foo_t s"),
);
const assignment = form(
  "@ @ @",
  oneof({ weight: 4, arbitrary: name }, form("*@", name), form("(@[@]).x", name, expr)),
  assignOp,
  value,
);
const simple = oneof(
  { weight: 3, arbitrary: form("@@", oneof(assignment, call, expr), until) },
  declaration,
  untilStep,
  form("return @", oneof(expr, constantFrom(""))),
  form("@ @@", constantFrom("wait", "assume", "assert"), oneof(expr, form("(@)", expr)), until),
  form("@ kmalloc@", constantFrom("fail", "maybe fail"), constantFrom("", " #2", " #1")),
);
const kernel = constantFrom("v5.2", "v5.2 + odp-v4", "v5.2+odp-v4   +odp-mmget-not-zero");
const nothing = "// nothing\n int prototype(struct gpu *g);\n";

const { statement, block } = fc.letrec<{ statement: string; block: string; body: string; arm: string }>((tie) => {
  const block = tie("block");
  const body = tie("body");
  const lists = oneof(several(tie("statement"), "\n", 0, 3), several(tie("statement"), ";\n\n\n", 1, 2));
  const part = oneof(assignment, expr);
  const last = constantFrom("break;", "return", "{ f; break; }", "{ return 1 }", "f(a)\nbreak");
  return {
    block: oneof({ depthSize: "small" }, constantFrom("{ }", ` {${nothing}}`), form("{\n@\n}", lists)),
    body: oneof({ depthSize: "small" }, constantFrom(";", "\nf();", " f"), block, form("\n@", simple)),
    arm: form(
      "\n@:@\n@",
      several(form("case @", oneof(name, number, form("(@)", expr))), ":\n", 1, 2),
      constantFrom("", "\ndefault:"),
      last,
    ),
    statement: oneof(
      { depthSize: "small" },
      { weight: 6, arbitrary: simple },
      block,
      form("if (@)@", expr, body),
      form("if @ @ else @", expr, block, block),
      form("if (@) @ else if (@)@\nelse@", expr, block, expr, body, body),
      form("while @ @", expr, block),
      form("while (@)@", expr, body),
      form("do @ while (@)", block, expr),
      form(
        "for (@; @; @)@",
        oneof(part, declaration, constantFrom("")),
        oneof(expr, constantFrom("")),
        several(part, ", ", 0, 2),
        body,
      ),
      form("for @ in @ @", constantFrom("a", "b"), several(bare, ", ", 1, 2), block),
      form("list_for_each_entry(@, @)@", name, arg, body),
      form("switch (@) {@\n}", expr, several(tie("arm"), "", 0, 3)),
      constantFrom("if a goto out\nout:", "while (1) { if (a) break; continue }", "again:", "out: f()", "goto again"),
    ),
  };
});

const params = constantFrom("()", "(void)", "(a, b)", "(a b)", "(struct gpu *a, unsigned long b)", "(u64 a[], foo *b)");
const fn = oneof(
  form("fn f@ @", params, block),
  form("static int f@\n@", params, block),
  form("struct page *f@ @", params, block),
);
const callback = oneof(form("release@ @", params, block), constantFrom(".release = f,", "x = &g", ".x = y;"));
const field = constantFrom(
  "mutex lock;",
  "struct mutex a, b;",
  "struct mm_struct *mm;",
  "u64 pfns[16];",
  "unsigned long seq",
  "int a, *b;",
);
const expectation = oneof(
  constantFrom(
    "bug",
    "bug use-after-free",
    "use-after-free in f()",
    "bug bug",
    "deadlock",
    "bug in f",
    "no bug",
    "no data-race in f",
  ),
  constantFrom("blocked cpu1", "sometimes blocked cpu1 on mm->mmap_sem", "sometimes leak", "sometimes bug lockdep"),
  form("@", expr),
  form("sometimes (@)", expr),
);
const cpus = constantFrom("cpu0", "cpu1 ", "CPU2", "cpu1, cpu2", "cpu0..cpu3", "cpu0, cpu2..cpu3");
const onCpu = oneof(
  form("@:", cpus),
  form("@: @", cpus, statement),
  form("@: @@", cpus, block, until),
  form("cpu1: @", constantFrom("continue", "continue until f", "step 3", "step")),
);
const top = oneof(
  { weight: 4, arbitrary: onCpu },
  { weight: 3, arbitrary: statement },
  { weight: 2, arbitrary: fn },
  form("kernel @", kernel),
  constantFrom(
    'include "lib/gpu.hmm"',
    'include "gpu.hmm" as g',
    "sanitizer kcsan, kasan",
    'schedule "0*3.1"',
    "show locks, device gpu",
    nothing,
  ),
  form(
    "@ {\n@\n};",
    constantFrom("enum", "enum gpu_limits"),
    several(oneof(form("A"), form("B = @", expr)), ",\n", 0, 3),
  ),
  form("struct gpu {\n@\n};", several(field, "\n", 0, 4)),
  form("mmu_notifier_ops ops {\n@\n}", several(callback, "\n", 0, 3)),
  form("static const struct hmm_mirror_ops ops = {\n@\n};", several(callback, "\n", 0, 2)),
  form("patch mine-2 {\n@\n}", several(fn, "\n", 0, 2)),
  form("race { cpu0: f\n@\n}", several(onCpu, "\n", 0, 3)),
  form("for kernel in @, @ {\n@\n}", kernel, kernel, several(onCpu, "\n", 0, 2)),
  { weight: 2, arbitrary: form("expect @", expectation) },
  form("@ @", constantFrom("always", "never"), expr),
);

const comment = constantFrom(
  ...[" ", " ", "  ", "\t", " /* one */ ", " /* two\n * three */ "],
  ...[
    "  # four\n",
    " // five\n",
    "\n# six\n",
    "\n\n\t/*\n\t * seven\n\t *\n\t * eight\n\t */\n",
    " \\\n",
    "\n//\n\n#9 nine\n",
  ],
);

/** A top-level list; now and then a blank is something else that may stand there. */
export const randomScript: Text = tuple(
  several(top, "\n", 1, 5),
  array(tuple(fc.nat(400), comment), { maxLength: 6 }),
).map(([text, fillers]) => {
  const pieces = text.split(/( |\n)/);
  for (const [at, filler] of fillers) {
    const index = 2 * at + 1;
    const blank = pieces[index];
    if (blank === " " && !/^\s*(?:#|\/\/)|\n/.test(filler)) pieces[index] = filler;
    else if (blank === "\n") pieces[index] = `${filler}\n`;
  }
  return pieces.join("");
});
