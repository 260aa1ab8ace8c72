/** What is drawn: every panel, key and size. Frames are kept in test/golden/frames; UPDATE=1 writes them anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { commands } from "../../interpreter/session/commands.ts";
import { layOut } from "../../interpreter/terminal/layout.ts";
import type { Size } from "../../interpreter/terminal/state.ts";
import type { PanelName } from "../../interpreter/view/view.ts";
import { takeSeat, type Seat } from "./seat.ts";

const SMALL: Size = { columns: 80, rows: 24 };
const LARGE: Size = { columns: 160, rows: 50 };

function same(name: string, ...frames: readonly string[]): void {
  const path = `test/golden/frames/${name}.txt`;
  const text = `${frames.join(`\n${"=".repeat(80)}\n`)}\n`;
  if (process.env["UPDATE"] === "1") writeFileSync(path, text);
  else assert.is(text, readFileSync(path, "utf8"), path);
}
const scriptOf = (name: string): string => readFileSync(`scripts/${name}.hmm`, "utf8");
const RACE = scriptOf("004-odp-dying-mm");

/** The first race, cpu1 in find_vma, cpu0 in the callback. */
async function between(size: Size): Promise<Seat> {
  const seat = takeSeat(size, RACE, false, "004-odp-dying-mm");
  await seat.press("tab", "n", "n", "escape", "cpu1: continue until find_vma", "return", ":step cpu0 8", "return");
  return seat;
}

test("the picture in README is what is drawn", async () => {
  const frame = (await between({ columns: 80, rows: 22 })).frame().trimEnd();
  const page = readFileSync("README.md", "utf8");
  if (process.env["UPDATE"] === "1")
    writeFileSync(
      "README.md",
      page.replace(/(?<=^```text\n)[^]*?(?=\n```$)/m, () => frame),
    );
  else assert.ok(page.includes(`\n${frame}\n`), frame);
});

const PANELS: readonly PanelName[] = ["script", "cpus", "locks", "mm", "notifiers", "devices", "objects", "events"];
for (const name of PANELS)
  test(`the panel ${name}`, async () => {
    const seat = await between(LARGE);
    await seat.press("tab");
    // Round to it, and all the room for it.
    for (let i = 0; i < PANELS.length && !seat.frame().includes(`[${name}`); i++) await seat.press("tab");
    assert.match(seat.frame(), new RegExp(`\\[${name}`));
    await seat.press("z");
    same(`panel-${name}`, seat.frame());
    await seat.press("z", "escape");
    assert.not.match(seat.frame(), /\[/);
  });

test("a driver: its device, its struct, its callback", async () => {
  const seat = takeSeat(LARGE, scriptOf("driver-munmap"), false);
  await seat.press("tab", "n", "n", "escape", ":break sync_cpu_device_pagetables", "return");
  await seat.press("cpu1: continue", "return");
  const mapped = seat.frame();
  await seat.press(":c", "return", ":step 3", "return");
  same("driver", mapped, seat.frame());
});

test("who waits says for what and for whom", async () => {
  const seat = takeSeat(SMALL);
  const lines = ["cpu0: down_write mm.mmap_sem", "cpu1: down_read mm.mmap_sem", "cpu2: down_write mm.mmap_sem"];
  for (const line of lines) await seat.press(line, "return");
  same("waits", seat.frame());
  assert.match(seat.frame(), /held by cpu0/);
});

test("where one step can go several ways, the ways are numbered", async () => {
  const seat = takeSeat(SMALL, "race {\n  cpu0: maybe fail kmalloc\n  cpu1: mmget_not_zero mm\n}\n", false);
  await seat.press("tab");
  same("choices", seat.frame());
  assert.match(seat.frame(), /2 ways, \?0 to \?1/);
  await seat.press("escape", ":step cpu0 ?1", "return");
  assert.is(seat.desk.session.timeline.decisions.at(-1)?.choice, 1);
});

test("an answer is read from top to bottom, and closed", async () => {
  const seat = takeSeat(SMALL);
  await seat.press(":help", "return");
  const top = seat.frame();
  await seat.press("pagedown");
  const below = seat.frame();
  for (let i = 0; i < 20; i++) await seat.press("pagedown");
  const bottom = seat.frame();
  assert.match(bottom, /`:help language` about statements/);
  same("answer", top, below, bottom);
  await seat.press("pageup");
  assert.is.not(seat.frame(), bottom);
  await seat.press("escape");
  assert.not.match(seat.frame(), /answer/);
});

test("a mistake has its caret, and changes nothing", async () => {
  const seat = takeSeat(SMALL);
  await seat.press("cpu0: mmpa 0x1000..", "return");
  same("mistake", seat.frame());
  assert.match(seat.frame(), /did you mean `mmap`\?/);
  assert.is(seat.desk.session.source.text, "");
  await seat.press(":frob", "return");
  assert.match(seat.frame(), /there is no command `:frob`/);
  assert.equal(seat.said, ["bell"]);
});

test("completion: one way is taken, several are listed", async () => {
  const seat = await between(SMALL);
  const typed = async (...keys: string[]): Promise<string> => {
    await seat.press("ctrl-u", ...keys);
    return seat.app
      .frame()
      .state.input.flat()
      .map(({ text }) => text)
      .join("");
  };
  assert.is(await typed(":loc", "tab"), ":locks ");
  assert.is(await typed("cpu0: mmget_n", "tab"), "cpu0: mmget_not_zero ");
  assert.is(await typed(":break hmm_range_fa", "tab"), ":break hmm_range_fault ");
  assert.is(await typed(":print mm.mm_u", "tab"), ":print mm.mm_users");
  assert.is(await typed(":print mm.mm_", "tab"), ":print mm.mm_");
  assert.match(seat.frame(), /3 ways to go on; Tab again lists them/);
  await seat.press("tab");
  same("completion", seat.frame());
  assert.is(await typed(":kernel v5.2 + odp-m", "tab"), ":kernel v5.2 + odp-mmget-not-zero ");
  seat.files.set("race.hmm", "");
  assert.is(await typed(":load ra", "tab"), ":load race.hmm ");
  assert.is(await typed("xyzzy", "tab"), "xyzzy");
  assert.equal(seat.said, ["bell"]);
});

test("the history, and looking for something in it", async () => {
  const seat = takeSeat(SMALL);
  for (const line of ["cpu0: mmap 0x1000..", "cpu1: mmget_not_zero mm", ":locks"]) await seat.press(line, "return");
  assert.equal(seat.history, ["cpu0: mmap 0x1000..", "cpu1: mmget_not_zero mm", ":locks"]);
  await seat.press("up", "up");
  assert.match(seat.frame(), /^hmm cpu1> cpu1: mmget_not_zero mm$/m);
  await seat.press("ctrl-c", "ctrl-r", "map");
  same("history", seat.frame());
  await seat.press("return");
  assert.ok(seat.desk.session.timeline.at > 9);
});

test("a block is typed line by line, and a long line moves under the cursor", async () => {
  const seat = takeSeat(SMALL);
  await seat.press("race {", "return", "  cpu0: mmput mm", "return");
  same("block", seat.frame());
  assert.equal(seat.cursor(), { row: 22, column: 5 });
  await seat.press("ctrl-c");
  assert.not.match(seat.frame(), /race/);
  const long = `cpu0: mmap 0x1000..0x2000   # ${"so long a comment ".repeat(8)}end`;
  await seat.press(long);
  same("long-line", seat.frame());
  const { row, column } = seat.cursor() ?? { row: 0, column: 0 };
  assert.ok(row === 22 && column < 80, `${row} ${column}`);
  await seat.press("ctrl-a");
  assert.equal(seat.cursor(), { row: 22, column: 5 });
});

test("find in the events, and go there", async () => {
  const seat = await between(SMALL);
  await seat.press("tab", "/", "kref_get", "return");
  same("find", seat.frame());
  await seat.press("/", "nothing like it", "return");
  assert.match(seat.frame(), /no event so far has `nothing like it`/);
  await seat.press("/", "list_add_rcu", "return", "return");
  const { recorder } = seat.desk.session.timeline;
  assert.match(JSON.stringify(recorder.events.slice(-3)), /list_add_rcu/);
});

test("every key does what the table of commands says", async () => {
  const seat = await between(SMALL);
  const { session } = seat.desk;
  const at = (): number => session.timeline.at;
  const start = at();
  await seat.press("tab", "[");
  assert.is(at(), start - 1);
  await seat.press("left");
  assert.is(at(), start - 2);
  await seat.press("]", "right");
  assert.is(at(), start);
  await seat.press("right", "s");
  assert.is(at(), start + 2);
  await seat.press("1");
  assert.is(session.timeline.decisions.at(-1)?.actor, 1);
  await seat.press("7");
  assert.match(seat.frame(), /cpu7 has nothing to do/);
  await seat.press("N");
  assert.ok(at() < start);
  await seat.press("n", "c");
  assert.is(at(), session.timeline.length);
  await seat.press("C");
  assert.is(at(), 0);
  await seat.press("u");
  await seat.press("?");
  assert.match(seat.frame(), /Moving through time/);
  await seat.press("escape", "tab", "b");
  assert.match(seat.frame(), /^hmm( cpu1)?> :break/m);
  await seat.press("ctrl-u", "tab", "x");
  assert.match(seat.frame(), /^hmm( cpu1)?> x/m);
  const keys = commands.flatMap(({ key }) => key ?? []);
  assert.equal(keys.toSorted(), ["/", "?", "C", "N", "[", "]", "b", "c", "n", "s", "u"]);
});

test("focus goes round and back; panels scroll; the prompt comes back with what is typed", async () => {
  const seat = await between(SMALL);
  await seat.press("tab");
  const order = [];
  for (let i = 0; i < 8; i++) {
    order.push(/\[(\w+)/.exec(seat.frame())?.[1]);
    await seat.press("tab");
  }
  assert.equal(order, PANELS);
  await seat.press("shift-tab");
  assert.match(seat.frame(), /\[events/);
  const before = seat.frame();
  await seat.press("pageup", "up");
  assert.is.not(seat.frame(), before);
  await seat.press("home");
  assert.match(seat.frame(), /-cpu0: mmap 0x1000..0x4000|- +cpu0: mmap/);
  await seat.press("end");
  assert.is(seat.frame(), before);
  await seat.press("ctrl-d");
  assert.equal(seat.said, ["quit"]);
});

test("other keys: suspend, draw anew, leave; and what is typed while something runs is not lost", async () => {
  const seat = takeSeat(SMALL);
  await seat.press("ctrl-z", "ctrl-l");
  assert.equal(seat.said, ["suspend", "repaint"]);
  await seat.press("cpu0: mmap 0x1000..\rcpu1: mmget_not_zero mm\r:back\r");
  assert.is(seat.desk.session.timeline.at, 8);
  await seat.press("x", "ctrl-d");
  assert.equal(seat.said, ["suspend", "repaint"]);
  await seat.press("ctrl-c", "ctrl-c");
  assert.match(seat.frame(), /Ctrl-D, or :quit, leaves/);
  await seat.press(":quit", "return");
  assert.equal(seat.said, ["suspend", "repaint", "quit"]);
});

test("what has changed is marked, forward and back, and without colours too", async () => {
  const seat = takeSeat(SMALL);
  await seat.press("cpu0: mmget_not_zero mm", "return");
  assert.match(seat.frame(), /\* mm {2}mm_users 2/);
  await seat.press("mm.mm_count", "return");
  assert.match(seat.frame(), / {2}mm {2}mm_users 2/);
  await seat.press(":back", "return");
  assert.match(seat.frame(), /\* mm {2}mm_users 2/);
  await seat.press(":back", "return");
  assert.match(seat.frame(), / {2}mm {2}mm_users 1/);
  await seat.press(":watch mm.mm_users", "return", ":continue", "return");
  assert.match(seat.frame(), /watch 1: mm.mm_users: 1 -> 2/);
  assert.match(seat.frame(), /\* watch 1: mm.mm_users = 2/);
});

const NOTIFIERS = readFileSync("test/terminal/support/two-invalidations.hmm", "utf8");

/** cpu0 is in a callback, cpu1 through with its own; of the rest one reads, one leaves, one comes, one unregisters. */
async function invalidating(size: Size): Promise<Seat> {
  const seat = takeSeat(size, NOTIFIERS, false, "two-invalidations");
  await seat.press("tab", "n", "n", "n", "n", "n", "escape");
  const callbacks = ["cpu0: continue until mmu_interval_set_seq", "cpu1: continue until invalidate_range_start"];
  for (const line of [...callbacks, "cpu3: continue", "cpu4: continue", "cpu2: continue", "cpu5: continue"])
    await seat.press(line, "return");
  return seat;
}
async function zoomed(seat: Seat): Promise<Seat> {
  await seat.press("tab");
  while (!seat.frame().includes("[notifiers")) await seat.press("tab");
  await seat.press("z");
  return seat;
}

for (const size of [SMALL, { columns: 120, rows: 40 }])
  test(`notifiers while their tree stands still: ${size.columns}x${size.rows}`, async () => {
    const seat = await invalidating(size);
    const frame = seat.frame();
    await zoomed(seat);
    same(`notifiers-${size.columns}x${size.rows}`, frame, seat.frame());
    assert.match(seat.frame(), /cpu0 in invalidate {2}of low->sub {2}for \[0x1000, 0x4000\)/);
  });

test("notifiers as their tree moves again: what has changed is marked, and going back restores it", async () => {
  const seat = await invalidating(SMALL);
  await seat.press("cpu1: continue", "return", "cpu0: continue until mn_itree_inv_end", "return");
  await zoomed(seat);
  const panel = (): string => seat.frame().split("\n").slice(2, 13).join("\n").trimEnd();
  const plain = (text = ""): string => text.replace(/^\*/gm, " ");
  const seen = [panel()];
  while (seen.at(-1)?.includes("wq: ")) {
    await seat.press("0");
    if (plain(panel()) !== plain(seen.at(-1))) seen.push(panel());
  }
  same("notifiers-end", ...seen);
  assert.match(seen.at(-1) ?? "", /invalidate_seq 4 {2}\(even: tree may change\)/);
  for (const before of seen.map(plain).reverse()) {
    for (let steps = 0; plain(panel()) !== before && steps < 9; steps++) await seat.press("[");
    assert.is(plain(panel()), before);
  }
});

test("a report: the walk there, back, and on under another order", async () => {
  const seat = takeSeat(LARGE, RACE, false);
  await seat.press(":check", "return");
  assert.match(seat.frame(), /BUG: KASAN: use-after-free in find_vma/);
  await seat.press(":report 1", "return");
  const there = seat.frame();
  await seat.press("tab", "[", "[", "0");
  same("report", there, seat.frame());
  await seat.press("c");
  assert.ok(seat.desk.session.timeline.isOver);
});

const sizes: Size[] = [];
for (const columns of [1, 20, 39, 40, 60, 71, 72, 80, 131, 132, 220])
  for (const rows of [1, 5, 9, 10, 12, 15, 18, 24, 50, 80]) sizes.push({ columns, rows });

test("no size overflows: not in the middle of things, nor with an answer and a block open", async () => {
  const seat = await between(SMALL);
  const open = await between(SMALL);
  await open.press(":help", "return", "race {", "return", "cpu0: mmput mm", "return", "漢字 😀");
  for (const size of sizes)
    for (const one of [seat, open]) {
      one.resize(size);
      const lines = stripVTControlCharacters(one.colours()).split("\n");
      const what = `${size.columns}x${size.rows}`;
      assert.ok(lines.length <= size.rows, `${what}: ${lines.length} rows`);
      const widest = Math.max(...lines.map((line) => Array.from(line).length));
      assert.ok(widest <= size.columns, `${what}: ${widest} columns`);
      const cursor = one.cursor();
      if (cursor !== undefined && size.columns >= 40 && size.rows >= 10)
        assert.ok(cursor.row < size.rows && cursor.column < size.columns, `${what}: ${JSON.stringify(cursor)}`);
    }
});

test("a CPU in a function of the script is marked there, not at the call", async () => {
  const script = "var x\nfn f(a) {\n  x = a\n  x = 2\n}\nrace {\n  cpu0: f 1\n  cpu1: f 2\n}\n";
  const seat = takeSeat(SMALL, script, false);
  assert.match(seat.frame(), /^01 3   x = a/m);
  await seat.press(":step cpu1", "return");
  assert.match(seat.frame(), /^0 3   x = a/m);
  assert.match(seat.frame(), /^1 4   x = 2/m);
});

test("the layout fills its rows, whichever panels there are", () => {
  for (let columns = 40; columns <= 220; columns += 6)
    for (let rows = 6; rows <= 80; rows++)
      for (const shown of [PANELS, PANELS.slice(0, 4), ["script", "events"] as const]) {
        const layout = layOut({ columns, rows }, new Set<PanelName>(shown), (name) => name.length * 3);
        const below = layout.events === 0 ? 0 : layout.events + 1;
        const width = layout.columns.reduce((sum, column) => sum + column.width, layout.columns.length - 1);
        assert.is(width, columns);
        for (const { places } of layout.columns)
          assert.is(
            places.reduce((sum, place) => sum + place.rows + 1, below),
            rows,
            `${columns}x${rows}`,
          );
      }
});

test("colour means nothing that a mark or a word does not", async () => {
  const seat = await between(LARGE);
  assert.match(seat.frame(), /\* /);
  assert.match(seat.frame(), /<- callback/);
  await seat.press("cpu1: continue", "return");
  assert.match(seat.frame(), /\* /);
});

test.run();
