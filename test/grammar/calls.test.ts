import { test } from "uvu";
import { checkTrees } from "./support/tree.ts";

// Calls, their arguments, and white space.

test("white space decides whether an operator begins an argument", () => {
  checkTrees([
    ["f a -1", "f(a, [- 1])"],
    ["f a -EBUSY", "f(a, [- EBUSY])"],
    ["f &mm->sem", "f([& mm->sem])"],
    ["f a &b *c !d ~e", "f(a, [& b], [* c], [! d], [~ e])"],
    ["f(a -1)", "f([a - 1])"],
    ["f (a) -1", "[f(a) - 1]"],
    ["f (a) + 1", "[f(a) + 1]"],
    ["f - 1", "[f - 1]"],
    ["x = n -1", "(x = n([- 1]))"],
    ["device_read gpu addr+8", "device_read(gpu, [addr + 8])"],
    ["f 0x1000+2*PAGE_SIZE n-1", "f([4096 + [2 * PAGE_SIZE]], [n - 1])"],
    ["f x++ y", "f([x ++], y)"],
    ["f a|b c | d", "f([a | b], [c | d])"],
  ]);
});

test("ranges", () => {
  checkTrees([
    ["f 0x1000..0x2000", "f(<4096..8192>)"],
    ["f a .. b", "f(<a..b>)"],
    ["f 0x1000.. rw", "f(<4096..>, rw)"],
    ["f 0x1000..; g", "f(<4096..>); g"],
    ["mmap(0x1000.., rw)", "mmap(<4096..>, rw)"],
    ["f start..start+len", "f(<start..[start + len]>)"],
    ["f 0x1000..+8K write", "f(<4096..+8192>, write)"],
    ["x = a..+n", "(x = <a..+n>)"],
    ["x = a..b", "(x = <a..b>)"],
    ["x = a << 1..b + 2", "(x = <[a << 1]..[b + 2]>)"],
    ["if a..b == c { d }", "(if [<a..b> == c] {d})"],
  ]);
});

test("arguments bind tighter than comparison and logic", () => {
  checkTrees([
    ["if f a == 0 && g b { h }", "(if [[f(a) == 0] && g(b)] {h})"],
    ["x = f a == 0", "(x = [f(a) == 0])"],
    ["x = !f a", "(x = [! f(a)])"],
    ["x = a - f b", "(x = [a - f(b)])"],
    ["x = f a ? g b : h c", "(x = [f(a) ? g(b) : h(c)])"],
    ["wait f a == 0", "(wait [f(a) == 0])"],
    ["x = f(a + 1)", "(x = f([a + 1]))"],
    ["x = (f a) + 1", "(x = [f(a) + 1])"],
  ]);
});

test("f ( is C's call unless another argument follows", () => {
  checkTrees([
    ["f (a) b", "f(a, b)"],
    ["f (a+b) c", "f([a + b], c)"],
    ["f (a) (b)", "f(a, b)"],
    ["f (a), b", "f(a, b)"],
    ["f(a), b", "E115 expected the end of the statement, found `,`"],
    ["f(a)", "f(a)"],
    ["f (a)", "f(a)"],
    ["f g(x) h(y, z)", "f(g(x), h(y, z))"],
    ["f g (x)", "f(g, x)"],
    ["f(g(x) h)", "f(g(x), h)"],
    ["f(g (x))", "f(g(x))"],
    ["f()", "f()"],
    ["f(a b)", "f(a, b)"],
    ["f(a, b)", "f(a, b)"],
    ["f a, b, c", "f(a, b, c)"],
    ["f a,b", "f(a, b)"],
  ]);
});

test("names, defaults, results", () => {
  checkTrees([
    ["f a b=3 c", "f(a, b=3, c)"],
    ["f(a, b = 3)", "f(a, b=3)"],
    ["f ... x", "f(..., x)"],
    ["hmm_range_fault ...", "hmm_range_fault(...)"],
    ["f\u2026", "f(...)"],
    ["f $", "f($)"],
    ["x = $", "(x = $)"],
    ["g.fault sub", "g.fault(sub)"],
    ["ops->invalidate(a)", "ops->invalidate(a)"],
    ["f device step", "f(device, step)"],
    ["device = umem.device", "(device = umem.device)"],
    ["x->continue = 3", "(x->continue = 3)"],
    ["f cpu1", "f(cpu1)"],
    ["kill cpu1", "kill(cpu1)"],
  ]);
});

test.run();
