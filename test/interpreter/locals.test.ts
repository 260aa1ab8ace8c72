/** What a call has of its own, and where the memory that it is given ends. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { judge } from "../../interpreter/verdict.ts";
import { bound, checked, reportsOf } from "../support/bound.ts";

const program = (lines: readonly string[]) => bound(`kernel v5.2\n${lines.join("\n")}\n`);
const kinds = (...lines: readonly string[]): string[] => reportsOf(checked(program(lines)));
const exitOf = (...lines: readonly string[]): number => judge(checked(program(lines))).exitCode;
const messages = (...lines: readonly string[]): string[] =>
  checked(program(lines)).reports.map((report) => report.finding.step);

const locals = suite("locals");

locals("locks and counters local to a call are handed on, each call has its own, and they end with it", () => {
  const body = (lock: string): string[] => [
    "fn count(lock, n) {",
    "  spin_lock(lock)",
    "  hits++",
    "  atomic_inc(n)",
    "  spin_unlock(lock)",
    "}",
    "var hits = 0",
    "spinlock ours",
    "fn f() {",
    "  spinlock_t mine;",
    "  atomic_t n = ATOMIC_INIT(5);",
    `  count(&${lock}, &n);`,
    "  return atomic_read(&n);",
    "}",
    "race {",
    "  cpu0: a = f",
    "  cpu1: b = f",
    "}",
    "expect cpu0.a == 6 && cpu1.b == 6",
  ];
  assert.is(exitOf(...body("ours"), "expect hits == 2"), 0);
  // A lock that the other CPU has not keeps nobody out.
  assert.is(exitOf(...body("mine"), "expect hits == 2"), 1);
  assert.is(exitOf(...body("mine"), "expect sometimes hits == 1"), 0);
  assert.equal(kinds("fn f() {", "  struct mutex m;", "  mutex_lock(&m);", "}", "cpu0: f")[0], "lockdep");
});

locals("an index beyond an array is a bug, however the array is reached", () => {
  const far = /array-index-out-of-bounds: index 4 of an array of 4/;
  /** Element `i` of four; leaks are not what this is about. */
  const ways = (i: number): readonly (readonly string[])[] => [
    ["fn f(p, i) { p[i] = 1 }", "u64 a[4]", `cpu0: f a ${i}`],
    [
      "struct b { u64 *pfns }",
      "b g",
      "fn f(i) {",
      "  g.pfns[i] = 1",
      "}",
      "u64 a[4]",
      "cpu0: g.pfns = a",
      `cpu0: f ${i}`,
    ],
    ["struct b { int n; u64 pfns[4]; int m }", "b g", "fn f(p, i) { p[i] = 1 }", `cpu0: f(&g.pfns[1], ${i - 1})`],
    [
      "u64 *cur",
      "fn f() {",
      "  cur = kcalloc(4, sizeof(u64), GFP_KERNEL)",
      `  x = cur[${i}]`,
      "  kfree cur",
      "}",
      "cpu0: f",
    ],
  ];
  for (const way of ways(4)) assert.match(messages(...way)[0] ?? "", far, way.join("; "));
  for (const way of ways(3)) assert.equal(kinds(...way), [], way.join("; "));
  // Below the beginning, and beside a word that is no array.
  assert.match(
    messages("u64 a[4]", "fn f(p, i) { p[i] = 1 }", "cpu0: f(&a[1], -2)")[0] ?? "",
    /index -1 of an array of 4/,
  );
  assert.match(messages("var w = 0", "fn f(p, i) { p[i] = 1 }", "cpu0: f(&w, 1)")[0] ?? "", /index 1 of an array of 1/);
});

locals("a pointer that container_of() made of the wrong thing is a bug where it is followed", () => {
  const types = ["struct r { int a; kref k; int start }", "struct q { int z; kref k; int start }"];
  const body = (type: string): string[] => [
    ...types,
    "fn release(kref) {",
    "  struct r *p = container_of(kref, struct r, k)",
    "  p.start = 3",
    "  kfree p",
    "}",
    "fn f() {",
    `  struct ${type} *o = kzalloc(sizeof(*o), GFP_KERNEL)`,
    "  kref_init o.k",
    "  kref_put o.k release",
    "}",
    "cpu0: f",
  ];
  assert.equal(kinds(...body("r")), []);
  assert.match(messages(...body("q"))[0] ?? "", /a pointer to struct r points into a struct q/);
  const empty = ["struct r { list_head l; int start }", "list_head rs", "fn f() {"];
  const first = ["  struct r *p = list_first_entry(rs, struct r, l)", "  p.start = 3", "}", "cpu0: f"];
  assert.match(messages(...empty, ...first)[0] ?? "", /a pointer to struct r points into a struct list_head/);
});

locals("kfree() takes only what was allocated", () => {
  const struct = "struct r { int start }";
  for (const free of ["kfree", "kvfree"]) assert.equal(kinds(struct, "r g", `cpu0: ${free} g`), ["double-free"], free);
  assert.equal(
    kinds(struct, "fn f() {", "  struct r *p = kzalloc(sizeof(*p), GFP_KERNEL)", "  kfree p", "}", "cpu0: f"),
    [],
  );
});

locals("each call that a script says fails, and no other", () => {
  const body = (...fails: readonly string[]): string[] => [
    "fn f() {",
    ...fails,
    "  a = kzalloc(sizeof(struct kref), GFP_KERNEL)",
    "  b = kzalloc(sizeof(struct kref), GFP_KERNEL)",
    "  r = (a == NULL) * 2 + (b == NULL)",
    "  kfree a",
    "  kfree b",
    "  return r",
    "}",
    "cpu0: r = f",
  ];
  assert.is(exitOf(...body("  fail kzalloc #1", "  fail kzalloc #2"), "expect r == 3"), 0);
  assert.is(exitOf(...body("  fail kzalloc #2", "  fail kzalloc #2"), "expect r == 1"), 0);
  const sometimes = [0, 1, 2, 3].map((r) => `expect sometimes r == ${r}`);
  assert.is(exitOf(...body("  maybe fail kzalloc #1", "  maybe fail kzalloc #2"), ...sometimes), 0);
});

locals("what is called in the arguments of a silent function is called", () => {
  const lines = [
    "atomic_t n",
    'cpu0: pr_debug("%d %s", atomic_inc_return(&n), dev_name(dev))',
    "cpu0: x = atomic_read(&n)",
  ];
  assert.is(exitOf(...lines, "expect x == 1"), 0);
});

locals("an expectation can compute", () => {
  const lines = ["cpu0: p = NULL", "cpu0: c = -ENOMEM", "expect IS_ERR_OR_NULL(p) && c == ERR_PTR(-ENOMEM)"];
  assert.is(exitOf(...lines, "expect min(c, 0) == c"), 0);
  assert.is(exitOf(...lines, "expect min(c, 0) == 0"), 1);
});

locals.run();
