import { test } from "uvu";
import { checkTrees } from "./support/tree.ts";

// Lines, separators and comments.

test("statements end at a newline or a semicolon", () => {
  checkTrees([
    ["a; b", "a; b"],
    ["a;; b;", "a; b"],
    ["a\nb", "a; b"],
    ["a\r\nb\rc", "a; b; c"],
    ["\ufeffa", "a"],
    ["\n\n a \n\n", "a"],
    ["f\u00a0a", "f(a)"],
  ]);
});

test("what continues a line", () => {
  checkTrees([
    ["f(a,\n  b)", "f(a, b)"],
    ["f(\na\nb\n)", "f(a, b)"],
    ["f a,\n  b", "f(a, b)"],
    ["x = a &&\n  b", "(x = [a && b])"],
    ["x = a\n  && b", "(x = [a && b])"],
    ["x = a\n  ? b : c", "(x = [a ? b : c])"],
    ["x =\n\tf(a)", "(x = f(a))"],
    ["x = a +\n\tb", "(x = [a + b])"],
    ["x = a \\\n b", "(x = a(b))"],
    ["x[\n0\n] = 1", "(x[0] = 1)"],
    ["if x\n{\n a\n}\nelse\n{\n b\n}", "(if x {a} else {b})"],
  ]);
});

test("what does not", () => {
  checkTrees([
    ["munmap 0x1000..\nb", "munmap(<4096..>); b"],
    ["f a\n-b", "f(a); [- b]"],
  ]);
});

test("comments", () => {
  checkTrees([
    ["a # b", "a"],
    ["a // b", "a"],
    ["a /* b\n c */ + d", "[a + d]"],
    ["# a\nb", "b"],
    ["#include <linux/hmm.h>\na", "a"],
    ["a #2", "a"],
    ["a #2nd", "a"],
  ]);
});

test("#2 is a count behind until and fail", () => {
  checkTrees([
    ["cpu0: f until g #2", "(cpu 0: f until g #2)"],
    ["cpu0: f until g returns #3 # four", "(cpu 0: f until g returns #3)"],
    ["cpu0: f until g #2nd", "(cpu 0: f until g)"],
    ["cpu0: f until a.b #2", "(cpu 0: f until a.b #2)"],
    ["fail kmalloc #2", "(fail kmalloc #2)"],
    ["maybe fail kmalloc #2", "(maybe fail kmalloc #2)"],
    ["x = fail #2", "(x = fail)"],
  ]);
});

test.run();
