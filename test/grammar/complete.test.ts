import { test } from "uvu";
import * as assert from "uvu/assert";
import { needsMore } from "../../grammar/complete.ts";

const waiting = [
  "race {",
  "cpu0: {",
  "f(a,",
  "f(",
  "x[",
  "f a,",
  "x = a &&",
  "x = a ||",
  "f a \\",
  "f a \\\n",
  "/* and",
  "if (x)",
  "if (x)\n",
  "if (f(x))",
  "cpu0: if (x)",
  "while (x)",
  "for (i = 0; i < n; i++)",
  "list_for_each_entry(pos, head, member)",
  "switch (x)",
  "else",
  "if (x) { a } else",
  "if (x) { a } else if (y)",
  "do",
  "do { f }",
  "race",
  "fn f(x)",
  "fn f",
  "struct gpu",
  "static int f(struct x *p, unsigned long a)",
  "a; if (x)",
];

const whole = [
  "",
  "\n",
  "# comment",
  "f a",
  "race { cpu0: f }",
  "if (x) f",
  "if (x) goto y",
  "if x {}",
  "do { f } while (x)",
  "} }",
  "f(a))",
  "static int f(void);",
  "f(a)",
  "int x",
  "x = 3",
  "cpu0:",
  "fn f(x) { g }",
  '"abc',
  "x =",
];

test("a prompt waits for more", () => {
  for (const text of waiting) assert.ok(needsMore(text), text);
});

test("a prompt does not wait", () => {
  for (const text of whole) assert.not(needsMore(text), text);
});

test.run();
