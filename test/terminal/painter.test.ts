/** Whatever is painted, the screen shows the last frame. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Painter, type Cursor, type Size } from "../../interpreter/terminal/painter.ts";
import { emulator, put, shown } from "./support/emulator.ts";

interface Piece {
  readonly char: string;
  readonly width: number;
  readonly isInverse: boolean;
}
const piece: fc.Arbitrary<Piece> = fc
  .oneof(
    { weight: 6, arbitrary: fc.constantFrom(..."ab  ─│→") },
    { weight: 1, arbitrary: fc.constantFrom(..."漢é🎉ü") },
  )
  .chain((char) =>
    fc.record({
      char: fc.constant(char),
      width: fc.constant(/[漢🎉]/u.test(char) ? 2 : 1),
      isInverse: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  );
interface Moment {
  readonly size: Size;
  readonly rows: readonly (readonly Piece[])[];
  readonly cursor: Cursor | undefined;
}
const size: fc.Arbitrary<Size> = fc.record({
  columns: fc.integer({ min: 2, max: 20 }),
  rows: fc.integer({ min: 1, max: 8 }),
});
/** Rows as wide as the screen and narrower, more of them than there is room for or fewer. */
const momentAt = (at: Size): fc.Arbitrary<Moment> =>
  fc.record({
    size: fc.constant(at),
    rows: fc.array(
      fc.array(piece, { maxLength: 24 }).map((pieces) => fitting(pieces, at.columns)),
      { maxLength: 9 },
    ),
    cursor: fc.option(fc.record({ row: fc.nat({ max: at.rows - 1 }), column: fc.nat({ max: at.columns - 1 }) }), {
      nil: undefined,
    }),
  });
const moments = fc
  .array(
    size.chain((at) => fc.array(momentAt(at), { minLength: 1, maxLength: 4 })),
    { maxLength: 4 },
  )
  .map((parts) => parts.flat());

function fitting(pieces: readonly Piece[], columns: number): Piece[] {
  let left = columns;
  return pieces.filter(({ width }) => (left -= width) >= 0 || ((left += width), false));
}
const rowText = (row: readonly Piece[]): string =>
  row.map(({ char, isInverse }) => (isInverse ? `\x1b[7m${char}\x1b[27m` : char)).join("");
const rowShown = (row: readonly Piece[]): string =>
  row
    .map(({ char, isInverse }) => (isInverse ? "^" : "") + char)
    .join("")
    .trimEnd();

test("whatever frames and sizes come, the screen shows the last frame", async () => {
  const property = fc.asyncProperty(moments, async (all) => {
    const terminal = emulator({ columns: 5, rows: 5 });
    await put(terminal, "\x1b[?7l");
    let written = "";
    const painter = new Painter((text) => (written += text));
    for (const { size: at, rows, cursor } of all) {
      terminal.resize(at.columns, at.rows);
      painter.paint(rows.map(rowText).join("\n"), at, cursor);
      assert.not.match(written, /\x1b\[[23]?J/);
      await put(terminal, written);
      written = "";
      const wanted = Array.from({ length: at.rows }, (_, row) => rowShown(rows[row] ?? []));
      assert.equal(shown(terminal), wanted);
      const { cursorX, cursorY } = terminal.buffer.active;
      if (cursor !== undefined) assert.equal([cursorY, cursorX], [cursor.row, cursor.column]);
    }
    terminal.dispose();
  });
  await fc.assert(property, { numRuns: 150 });
});

test("only rows that differ are written, in one piece, and nothing if nothing differs", () => {
  const writes: string[] = [];
  const painter = new Painter((text) => writes.push(text));
  const at = { columns: 20, rows: 4 };
  painter.paint("one\ntwo\nthree", at);
  painter.paint("one\nTWO\nthree", at);
  painter.paint("one\nTWO\nthree", at);
  painter.paint("one\nTWO\nthree", at, { row: 1, column: 2 });
  painter.paint("one\nTWO\nthree", at, { row: 1, column: 2 });
  painter.paint("one\nTWO\nthree", at);
  assert.is(writes.length, 4);
  const [, second = "", third = "", fourth = ""] = writes;
  assert.match(second, /^\x1b\[\?2026h.*TWO.*\x1b\[\?2026l$/);
  assert.not.match(second, /one|three/);
  assert.match(third, /\x1b\[2;3H\x1b\[\?25h/);
  assert.not.match(third, /TWO/);
  assert.not.match(fourth, /\x1b\[\?25h/);
  painter.forget();
  painter.paint("one\nTWO\nthree", at);
  assert.match(writes[4] ?? "", /one.*TWO.*three/);
});

test("nothing is erased behind a row that takes all columns: some terminals would erase its last one", () => {
  let written = "";
  const painter = new Painter((text) => (written = text));
  painter.paint("abcdef\nabcde", { columns: 6, rows: 2 });
  assert.match(written, /abcdef\x1b\[2;1Habcde\x1b\[K/);
  painter.paint("漢漢漢\nabcde", { columns: 6, rows: 2 });
  assert.match(written, /\x1b\[1;1H\x1b\[K漢漢漢\x1b\[\?/);
});

test("nothing in a frame but styles does anything to the terminal", async () => {
  const terminal = emulator({ columns: 30, rows: 3 });
  const painter = new Painter((text) => terminal.write(text));
  painter.paint("a\x1b[2Jb\tc\rd\x07\x1b]0;title\x07\x1b[9;9H\x9b3A\ne\x1b[7mf\nend", { columns: 30, rows: 3 });
  await put(terminal, "");
  assert.equal(shown(terminal), ["a[2Jbcd]0;title[9;9H3A", "e^f", "end"]);
});

test.run();
