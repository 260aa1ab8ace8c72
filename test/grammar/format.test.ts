import fc from "fast-check";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { format } from "../../grammar/format.ts";
import { parse } from "../../grammar/parse.ts";
import { SourceText } from "../../grammar/span.ts";
import { commentsOf, essenceOf, kindsIn } from "./support/essence.ts";
import { randomScript } from "./support/random.ts";
import { driver, race } from "./support/scripts.ts";

function formatted(text: string): string | undefined {
  const result = format(new SourceText("test.hmm", text));
  return "text" in result ? result.text : undefined;
}

function parsed(text: string): ReturnType<typeof parse> {
  return parse(new SourceText("test.hmm", text));
}

function errorsOf({ diagnostics }: ReturnType<typeof parse>): string[] {
  return diagnostics.filter(({ severity }) => severity === "error").map(({ code, message }) => `${code} ${message}`);
}

/** It reads as before, says the same in its comments, and stays as it is when formatted again. */
function keeps(text: string): boolean {
  const before = parsed(text);
  if (errorsOf(before).length > 0) return false;
  const once = formatted(text);
  if (once === undefined) throw new Error(`it has become unreadable: ${text}`);
  const after = parsed(once);
  assert.equal(essenceOf(after.script), essenceOf(before.script), `${text}\n---\n${once}`);
  assert.is(commentsOf(after.script), commentsOf(before.script), `${text}\n---\n${once}`);
  assert.is(formatted(once), once, text);
  assert.not.match(once, /\n *\t|[\r\ufeff]|[^\S\n]\n|\n\n\n|^\n|[^\n]$/);
  return true;
}

test("scripts keep their meaning, their comments, and their form once they have it", () => {
  const seen = new Set<string>();
  let read = 0;
  const property = fc.property(randomScript, (text) => {
    if (!keeps(text)) return;
    read++;
    kindsIn(parsed(text).script, seen);
  });
  fc.assert(property, { numRuns: 4000, seed: 1 });
  assert.ok(read > 2000, `${read} of them could be read`);
  const kinds = [...readFileSync("grammar/ast.ts", "utf8").matchAll(/readonly kind: ([^;]*)/g)];
  const named = kinds.flatMap(([, texts]) => [...texts!.matchAll(/\w+/g)].map(([kind]) => kind));
  assert.ok(named.length > 60);
  assert.equal(
    named.filter((kind) => !seen.has(kind)),
    [],
    "kinds of node that were never made",
  );
});

test("so do those that are there", () => {
  const folders = ["scripts", "scripts/lib", "test/errors"].filter((folder) => existsSync(folder));
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`));
  const texts = files.filter((name) => name.endsWith(".hmm")).map((name) => readFileSync(name, "utf8"));
  assert.ok(texts.filter(keeps).length > 30);
  for (const text of [race, driver]) assert.ok(keeps(text));
});

/** Checks a table of `text, canonical text`; the latter stays as it is. */
function checkForms(rows: readonly (readonly [text: string, form: string])[]): void {
  for (const [text, form] of rows) {
    assert.is(formatted(text), `${form}\n`, text);
    assert.ok(keeps(text), text);
  }
}

test("calls", () => {
  checkForms([
    ["mmput(mm);", "mmput mm"],
    ["down_read(&mm->mmap_sem);", "down_read &mm.mmap_sem"],
    ["f a, b", "f a b"],
    ["f ( )", "f()"],
    ["f", "f"],
    ["ret = hmm_range_fault(range, -EBUSY, 0x1000 .. 0x3000)", "ret = hmm_range_fault range -EBUSY 0x1000..0x3000"],
    ["f(a + 8, b|c, x=3)", "f a+8 b|c x=3"],
    ["f g(x) h", "f(g(x), h)"],
    ["f(!a, (b - c) * 2)", "f(!a, (b - c) * 2)"],
    ["f((unsigned long)&a->b, &c[1])", "f &a.b &c[1]"],
    ["mmap 0x1000.. rw; f ...", "mmap 0x1000.. rw\nf ..."],
    ["gpu = container_of(mni, struct gpu, sub)", "gpu = container_of(mni, struct gpu, sub)"],
    ["x = !f(a) + (g b)", "x = !f(a) + g(b)"],
    ["cpu0: { return f a }", "cpu0: {\n  return f(a)\n}"],
    ["step(3)", "step(3)"],
    ["p = &word", "p = &word"],
  ]);
});

test("expressions", () => {
  checkForms([
    ["x=a*(b+c)-(d*e)", "x = a * (b + c) - d * e"],
    ["x = a - (b - c) - d", "x = a - (b - c) - d"],
    ["x = a && b || (c | d & e)", "x = (a && b) || c | (d & e)"],
    ["x = (flags & mask) == 0", "x = (flags & mask) == 0"],
    ["x = -(-y) + !(!z)", "x = -(-y) + !!z"],
    ["x = a ? (b ? c : d) : (e ? f : g)", "x = a ? (b ? c : d) : e ? f : g"],
    ["x = (a + b) .. +(n * 2)", "x = a+b..+n*2"],
    ["x = 0X1000UL + 4k", "x = 0x1000 + 4K"],
    ["x = sizeof *p + sizeof(struct  gpu)", "x = sizeof(*p) + sizeof(struct gpu)"],
    ["(*p)->x[i + 1]++", "(*p).x[i + 1]++"],
  ]);
});

test("branches and loops", () => {
  checkForms([
    ["if (x)\n\tf();\nelse if (y) { g(); }\nelse\n\th();", "if x {\n  f()\n} else if y {\n  g()\n} else {\n  h()\n}"],
    ["while (x) ;", "while x {}"],
    ["do\n{ f } while (x);", "do {\n  f\n} while x"],
    ["for (int i = 0; i<n; i++, j++) f(i)", "for (int i = 0; i < n; i++, j++) {\n  f i\n}"],
    ["for (;;) break", "for (;;) {\n  break\n}"],
    ["for x in a, 0x1000 .. 0x5000 { f }", "for x in a, 0x1000..0x5000 {\n  f\n}"],
    ["list_for_each_entry(pos, &head, member)\n\tf(pos);", "list_for_each_entry(pos, &head, member) {\n  f pos\n}"],
    [
      "cpu0: switch (x) {\n\tcase A: case B: f(); break;\n\tdefault: return;\n}",
      "cpu0: switch x {\ncase A:\ncase B:\n  f()\n  break\ndefault:\n  return\n}",
    ],
    ["switch (x) { case A: { f; break; } }", "switch x {\ncase A: {\n  f\n  break\n}\n}"],
    ["x = 1; { f }", "x = 1;\n{\n  f\n}"],
  ]);
});

test("declarations", () => {
  checkForms([
    ["int ret, tries = 0;", "int ret, tries = 0"],
    ["var *p = 0;", "var *p = 0"],
    ["cpu0: struct mm_struct *mm = sub->mm;", "cpu0: struct mm_struct *mm = sub.mm"],
    ["struct mm_struct *mm;", "struct mm_struct *mm"],
    ["cpu0: struct gpu *g = kzalloc(sizeof(*g))", "cpu0: struct gpu *g = kzalloc(sizeof(*g))"],
    ["struct hmm_range range;", "hmm_range range"],
    ["struct hmm_range r = {\n\t.start = a,\n\t.end = b\n};", "hmm_range r = { .start = a, .end = b }"],
    ["u64 pfns[4]; spinlock_t lock", "u64 pfns[4]\nspinlock_t lock"],
    ["struct gpu a, b; struct step c", "struct gpu a, b\nstruct step c"],
    ["static DEFINE_MUTEX(m);", "DEFINE_MUTEX m"],
    [
      "struct gpu { struct mutex lock; struct mm_struct *mm;\n\tunsigned long seq };",
      "struct gpu {\n  mutex lock\n  struct mm_struct *mm\n  unsigned long seq\n}",
    ],
    [
      "static int f(struct x *p,\n\t     unsigned long a)\n{\n\n\tg(p);\nout:\n\treturn a;\n}",
      "fn f(struct x *p, unsigned long a) {\n  g p\nout:\n  return a\n}",
    ],
    ["static void f(void);\ng", "g"],
    ["fn f() { static int n = 0; bool b = n; }", "fn f() {\n  static int n = 0\n  bool b = n\n}"],
    [
      "static const struct mmu_notifier_ops ops = { .release = f, .x = &g };",
      "mmu_notifier_ops ops {\n  .release = f\n  .x = g\n}",
    ],
    ["hmm_mirror_ops ops { release(m) { } }", "hmm_mirror_ops ops {\n  release(m) {}\n}"],
  ]);
});

test("what only scripts have", () => {
  checkForms([
    ["kernel v5.2+odp-v4 +  odp-mmget-not-zero", "kernel v5.2 + odp-v4 + odp-mmget-not-zero"],
    ["CPU0 : f(a) until g() returns #1", "cpu0: f a until g returns"],
    ["cpu0,cpu1 , cpu2: f", "cpu0..cpu2: f"],
    ["race { cpu0: f; cpu1: { g; } until blocked }", "race {\n  cpu0: f\n  cpu1: {\n    g\n  } until blocked\n}"],
    ["expect   bug use-after-free in f()", "expect bug use-after-free in f"],
    ["always (a) <= 2; wait (b)", "always a <= 2\nwait b"],
    ["expect (leak) ; expect leak", "expect (leak)\nexpect leak"],
    ["cpu1: step 1", "cpu1: step"],
    ["maybe fail kmalloc #2; show locks,device gpu", "maybe fail kmalloc #2\nshow locks, device gpu"],
    [
      "fn f(x) { if (x) fail kmalloc #2; else fail kmalloc #3 }",
      "fn f(x) {\n  if x {\n    fail kmalloc #2\n  } else {\n    fail kmalloc #3\n  }\n}",
    ],
  ]);
});

test("lines", () => {
  checkForms([
    ["\ufeff\n\n\ta;\r\n\r\n\r\n  b  \r\n\r\n", "a\n\nb"],
    ["race {\n\n  cpu0: f\n\n\n}", "race {\n  cpu0: f\n}"],
    [
      "if (time_after(now, timeout) && mmu_interval_read_retry(range.notifier, range.notifier_seq) && !finished) f()",
      "if time_after(now, timeout) && mmu_interval_read_retry(range.notifier, range.notifier_seq) &&" +
        "\n    !finished {\n  f()\n}",
    ],
    [
      `x = f(g(a), "${"b".repeat(40)}", "${"c".repeat(40)}", d)`,
      `x = f(g(a), "${"b".repeat(40)}", "${"c".repeat(40)}",\n    d)`,
    ],
  ]);
  assert.is(formatted(""), "");
  assert.is(formatted("if x {"), undefined);
  assert.is(formatted(`${"if (x) ".repeat(63)}f(a[b[c]])`), undefined, "with braces it would be nested too deeply");
});

test("comments", () => {
  checkForms([
    ["f // why", "f  # why"],
    ["f;   #why", "f  #why"],
    ["/* a */ f(a, /* b */ true);", "# a\nf a true  # b"],
    ["f(a,  // one\n  b);  // two", "# one\nf a b  # two"],
    ["/*\n * one\n *\n *   two\n */\nf", "# one\n#\n#   two\nf"],
    ["/*\n\tCPU 0    CPU 1\n\t  f        g\n*/", "# CPU 0    CPU 1\n#   f        g"],
    ["#include <linux/hmm.h>\nf", "#include <linux/hmm.h>\nf"],
    ["#define A \\\n\tb\nf", "#define A\n# \tb\nf"],
    ["cpu0: f(a, #2\nb) until g", "cpu0: f a b until g  # 2"],
    [
      "if (x) // one\n{ // two\n\t// three\n}\n// four\nelse // five\n\tf",
      "# one\nif x {  # two\n  # three\n} else {\n  # four\n  # five\n  f\n}",
    ],
    ["race {\n  cpu0: f\n  # last\n} # end", "race {\n  cpu0: f\n  # last\n}  # end"],
    ["f /* a\nb */", "# a\n# b\nf"],
    ["x = { .a = 1, // one\n .b = 2 }", "x = {\n  .a = 1,  # one\n  .b = 2,\n}"],
    ["fn f() {\n  g\n\n# before\nout: h # there\n}", "fn f() {\n  g\n\n# before\nout:\n  h  # there\n}"],
  ]);
});

test.run();
