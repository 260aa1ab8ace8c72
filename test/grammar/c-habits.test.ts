import { test } from "uvu";
import { checkTrees } from "./support/tree.ts";

// What people used to C write.

test("branches", () => {
  checkTrees([
    ["if (x) f; else g", "(if x {f} else {g})"],
    ["if (x)\n\tf();\nelse\n\tg();", "(if x {f()} else {g()})"],
    ["if (a) && (b) { c }", "(if [a && b] {c})"],
    ["if (x) *p = 3", "(if x {([* p] = 3)})"],
    ["if (x) ++y", "(if x {[++ y]})"],
    ["if x { a } else if (y) b; else { c }", "(if x {a} elif y {b} else {c})"],
    ["if (a) if (b) c; else d", "(if a {(if b {c} else {d})})"],
    ["if (a)\n  b\nc", "(if a {b}); c"],
  ]);
});

test("loops", () => {
  checkTrees([
    ["while (x);", "(while x {})"],
    ["while x { f }", "(while x {f})"],
    ["do { f } while (x);", "(do {f} x)"],
    ["do {\n f\n}\nwhile (x)", "(do {f} x)"],
    ["for (i = 0; i < n; i++, j++) f(i);", "(for (i = 0) | [i < n] | [i ++]; [j ++] {f(i)})"],
    ["for (;;) { break }", "(for  |  |  {(break)})"],
    ["for (int i = 0; i < 3; i++) { continue }", "(for (declare int: i = 0) | [i < 3] | [i ++] {(continue loop)})"],
    ["for (var i = 0; i < 3; i++) f i", "(for (declare var: i = 0) | [i < 3] | [i ++] {f(i)})"],
    ["for x in 0x1000..0x5000 { f x }", "(for x in <4096..20480> {f(x)})"],
    ["for x in a, b { f x }", "(for x in a, b {f(x)})"],
    [
      "list_for_each_entry(pos, &head, member)\n\tf(pos);",
      "(each list_for_each_entry(pos, [& head], member) {f(pos)})",
    ],
    ["hlist_for_each_entry_rcu pos head { f pos }", "(each hlist_for_each_entry_rcu(pos, head) {f(pos)})"],
  ]);
});

test("switch", () => {
  checkTrees([
    ["switch (x) {\ncase A:\ncase B:\n\tf();\n\tbreak;\ndefault:\n\tg();\n}", "(switch x A|B: {f()} default: {g()})"],
    ["switch (x) { case 1: { f; break; } case 2: g; }", "(switch x 1: {{f}} 2: {g})"],
  ]);
});

test("declarations", () => {
  checkTrees([
    ["int ret, tries = 0;", "(declare int: ret, tries = 0)"],
    ["unsigned long seq;", "(declare unsigned long: seq)"],
    ["struct foo *p = bar;", "(declare struct foo: *p = bar)"],
    ["u64 pfns[4];", "(declare u64: pfns[4])"],
    [
      "struct hmm_range range = {\n\t.start = a,\n\t.end = b,\n};",
      "(declare struct hmm_range: range = {.start=a, .end=b})",
    ],
    ["struct hmm_range r = {};", "(declare struct hmm_range: r = {})"],
    ["struct hmm_range r = { 0 };", "(declare struct hmm_range: r = {})"],
    ["spinlock_t x;", "(declare spinlock_t: x)"],
    ["atomic_t n = ATOMIC_INIT(0);", "(declare atomic_t: n = ATOMIC_INIT(0))"],
    ["static DEFINE_MUTEX(m);", "DEFINE_MUTEX(m)"],
    ["struct mm_struct;", ""],
    ["const struct foo *x;", "(declare struct foo: *x)"],
  ]);
});

test("functions", () => {
  checkTrees([
    ["static int f(struct x *p, unsigned long a)\n{\n\tg();\n}", "(fn f(p, a) {g()})"],
    ["static int f(struct x *p, unsigned long);", ""],
    ["static inline bool foo(void) { g }", "(fn foo() {g})"],
    ["static int __init foo(u64 pfns[], foo *p) { g }", "(fn foo(pfns, p) {g})"],
    ["static int f(struct x *p,\n\t\tstruct y *q)\n{\n\tg();\n}", "(fn f(p, q) {g()})"],
    ["struct page *f(struct vm_area_struct *vma) { g }", "(fn f(vma) {g})"],
    [
      "static const struct mmu_notifier_ops ops = { .release = f, .x = &g };",
      "(ops mmu_notifier_ops ops release=f x=g)",
    ],
    ["vm_fault_t f(struct vm_fault *vmf) { g }", "(fn f(vmf) {g})"],
  ]);
});

test("expressions", () => {
  checkTrees([
    ["x = (unsigned long)y + (u8)-1", "(x = [y + [- 1]])"],
    ["p = (struct foo *)q", "(p = q)"],
    ["x = (struct foo *)(p + 1)", "(x = [p + 1])"],
    ["x = (void __user *)p", "(x = p)"],
    ["x = (a)", "(x = a)"],
    ["x = !!y", "(x = [! [! y]])"],
    ["x++", "[x ++]"],
    ["--x", "[-- x]"],
    ["x |= y", "(x |= y)"],
    ["x <<= 2", "(x <<= 2)"],
    ["x = a ? b : c", "(x = [a ? b : c])"],
    ["x = container_of(mn, struct gpu, sub)", "(x = container_of(mn, type[gpu], sub))"],
    ["if f(a,\n\tstruct) { g }", "(if f(a, struct) {g})"],
    ["x = container_of(mn,\n\tstruct gpu, sub)", "(x = container_of(mn, type[gpu], sub))"],
    ["x = sizeof *(p)", "(x = sizeof[*(p)])"],
    ["x = sizeof(struct foo) + sizeof(*p)", "(x = [sizeof[struct foo] + sizeof[*p]])"],
    ["x = kzalloc(sizeof(*x), GFP_KERNEL);", "(x = kzalloc(sizeof[*x], GFP_KERNEL))"],
    ['pr_info("a %d\\n", x)', 'pr_info("a %d\\n", x)'],
    ["x = 0x1000UL + 4K + 1ULL + 2g", "(x = [[[4096 + 4096] + 1] + 2147483648])"],
    ["x = a + b * c << 1 | d & e", "(x = [[[a + [b * c]] << 1] | [d & e]])"],
    ["x = a - b - c", "(x = [[a - b] - c])"],
    ["x[3].y = z[1]", "(x[3].y = z[1])"],
    ["*p = 3", "([* p] = 3)"],
  ]);
});

test.run();
