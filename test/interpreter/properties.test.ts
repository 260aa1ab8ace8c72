/** What holds of any program: formatted it does the same, and whatever is done to its text, it is read or refused. */
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { format } from "../../grammar/format.ts";
import { SourceText } from "../../grammar/span.ts";
import { bindScript, type BoundScript } from "../../interpreter/bind/script.ts";
import { GoesRound, Seeded } from "../../interpreter/pickers.ts";
import type { Program } from "../../interpreter/program.ts";
import { ScriptError } from "../../interpreter/script-error.ts";
import { simulate } from "../../interpreter/simulation.ts";
import { record } from "../../interpreter/trace.ts";

// ---- programs that bind and end

const LOCALS = ["a", "b", "c"] as const;
const SHARED = ["x", "y"] as const;
const pick = (values: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...values);
const number = fc.integer({ min: 0, max: 9 }).map(String);
const operator = pick(["+", "-", "*", "<", "<=", "==", "!=", "&&", "||", "&", "|", "^", "<<"]);

const { expr } = fc.letrec<{ expr: string }>((tie) => ({
  expr: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    number,
    pick([...LOCALS, ...SHARED]),
    fc.tuple(tie("expr"), operator, tie("expr")).map(([l, op, r]) => `(${l}) ${op} ${op === "<<" ? "1" : `(${r})`}`),
    tie("expr").map((e) => `!(${e})`),
    fc.tuple(tie("expr"), tie("expr"), tie("expr")).map(([t, y, n]) => `(${t}) ? (${y}) : (${n})`),
    tie("expr").map((e) => `same(${e})`),
  ),
}));
let loops = 0; // each loop counts with a variable of its own, so that it ends
const { statement } = fc.letrec<{ statement: string; block: string }>((tie) => ({
  statement: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.tuple(pick([...LOCALS, ...SHARED]), expr).map(([v, e]) => `${v} = (${e}) & 0xff;`),
    fc.tuple(pick(LOCALS), number).map(([v, n]) => `${v} += ${n}`),
    expr.map((e) => `c = same(${e})`),
    pick(["spin_lock(&lock); x = 1; spin_unlock(&lock)", "atomic_inc(&n)", "WRITE_ONCE(y, 3)", "b = READ_ONCE(x)"]),
    fc.tuple(expr, tie("block"), tie("block")).map(([t, y, n]) => `if (${t}) ${y} else ${n}`),
    tie("block").map((body) => {
      const i = `i${loops++}`;
      return `for (${i} = 0; ${i} < 2; ${i}++) ${body}`;
    }),
    fc
      .tuple(expr, tie("block"))
      .map(([e, body]) => `switch ((${e}) & 3) {\ncase 0:\nc = 4\nbreak\ndefault:\n${body}\n}`),
  ),
  block: fc.array(tie("statement"), { minLength: 1, maxLength: 3 }).map((all) => `{\n${all.join("\n")}\n}`),
}));
const body = fc.array(statement, { minLength: 1, maxLength: 5 }).map((all) => all.join("\n"));
const program = fc.tuple(body, body, body).map(
  ([f, first, second]) => `kernel v5.2
var x = 0, y = 1;
static DEFINE_SPINLOCK(lock);
atomic_t n = ATOMIC_INIT(0);
static inline int same(int v) { return v; }
int f(int a, int b)
{
	int c = 0;
${f}
	return (a + b + c) & 0xff;
}
fn g(a, b) {
c = 1
${first}
return c & 0xff
}
race {
cpu0: r = f(1, 2)
cpu1: { s = g 3 4
t = f s 1 }
}
cpu0: {
a = 1; b = 2; c = 3
${second}
}
`,
);

function bound(text: string): Program {
  const {
    programs: [first],
    diagnostics,
  } = bindScript(new SourceText("random.hmm", text));
  if (first === undefined) throw new Error(diagnostics.map((d) => `${d.code} ${d.message}`).join("\n"));
  return first;
}
/** Step by step: who did what, and what it gave. */
function steps(subject: Program, seed: number): string[] {
  try {
    const { events, end } = record(simulate(subject), new Seeded(seed), { maxSteps: 3_000 });
    const told = events.flatMap((event) =>
      event.kind === "step" ? `${event.actor} ${event.text} ${event.result} ${event.stack.join(" < ")}` : [],
    );
    return [...told, end];
  } catch (error) {
    // Arithmetic beyond 2^53 is a mistake of the script; where it is may move.
    if (error instanceof ScriptError) return [error.code];
    if (error instanceof GoesRound) return ["goes round"];
    throw error;
  }
}

const properties = suite("properties");

properties("formatted, a program does the same, step by step", () => {
  let count = 0;
  fc.assert(
    fc.property(program, fc.integer({ min: 1, max: 1000 }), (text, seed) => {
      const { text: formatted } = format(new SourceText("random.hmm", text)) as { text: string };
      assert.equal(steps(bound(formatted), seed), steps(bound(text), seed));
      count++;
    }),
    { seed: 7, numRuns: 150 },
  );
  assert.is(count, 150);
});

// ---- texts that are no programs

const FOLDERS = ["scripts", "test/c", "test/models", "test/errors"];
const texts = FOLDERS.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => /\.(hmm|c)$/.test(name))
    .map((name) => `${folder}/${name}`),
);
const readFile = (path: string): { name: string; text: string } | { error: string } => {
  const found = texts.find((text) => text.endsWith(`/${path}`));
  return found === undefined ? { error: "no such file" } : { name: path, text: readFileSync(found, "utf8") };
};
const mutation = fc.record({
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  length: fc.integer({ min: 0, max: 12 }),
  by: fc.oneof(
    fc.string({ maxLength: 4 }),
    pick(["{", "}", "(", ")", "\n", ";", "=", "->", "..", "&", "fn f(", "struct ", "cpu1: ", "race {", "until ", "0x"]),
  ),
});

properties("whatever is done to a script, it is read or refused, and never a fault of ours", () => {
  let refused = 0;
  for (const [i, path] of texts.entries()) {
    const text = readFileSync(path, "utf8");
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
        const mutated = mutations.reduce((before, { at, length, by }) => {
          const from = Math.floor(at * before.length);
          return before.slice(0, from) + by + before.slice(from + length);
        }, text);
        const result: BoundScript = bindScript(new SourceText(path, mutated), { readFile });
        const errors = result.diagnostics.filter((d) => d.severity === "error");
        if (errors.length > 0) refused++;
        assert.is(result.programs.length === 0, errors.length > 0);
        for (const { at, source } of result.diagnostics)
          assert.ok(at.start >= 0 && at.start <= at.end && at.end <= source.text.length);
      }),
      { seed: i, numRuns: 12 },
    );
  }
  assert.ok(refused > texts.length * 3, `${refused} of ${texts.length * 12} texts are refused`);
});

properties.run();
