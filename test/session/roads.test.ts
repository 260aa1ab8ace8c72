/** Whatever way a session has come: back is exact, and what is saved leads to the same state. */
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SourceText } from "../../grammar/span.ts";
import { drain } from "../../interpreter/breathing.ts";
import { onOneKernel } from "../../interpreter/session/script-text.ts";
import { Refused, Session } from "../../interpreter/session/session.ts";
import { Ref, Struct } from "../../runtime/machine/struct.ts";
import { dump, sitDown } from "./desk.ts";

const scripts = readdirSync("scripts")
  .filter((name) => name.endsWith(".hmm"))
  .map((name) => ({ name, text: readFileSync(`scripts/${name}`, "utf8") }))
  .filter(({ text }) => !text.includes("include "))
  .map(({ name, text }) => ({ name, text: onOneKernel(new SourceText(name, text), undefined, undefined) }));

/** A number for each choice on the way. */
const turns = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 80 });
const script = fc.constantFrom(...scripts);

function walk(session: Session, numbers: readonly number[]): void {
  for (const number of numbers) {
    const { timeline } = session;
    if (number % 7 === 0 && timeline.at > 0) timeline.backTo(number % timeline.at);
    else if (number % 5 === 0 && timeline.forward()) continue;
    for (let i = number % 13; i > 0; i--) {
      const open = timeline.open();
      const decision = open[number % Math.max(1, open.length)];
      if (decision === undefined) break;
      session.take(decision);
    }
  }
}
const eventsOf = (session: Session): string =>
  JSON.stringify(
    session.timeline.recorder.events.map((event) => ("item" in event ? event.kind : event)),
    withoutViews,
  );
/** A view of an object says no more than its address, and may lead back to itself. */
const withoutViews = (_key: string, value: unknown): unknown =>
  value instanceof Struct || value instanceof Ref ? value.addr : value;

test("the same steps lead to the same state and are told the same, however often they were taken back", () => {
  fc.assert(
    fc.property(script, turns, ({ name, text }, numbers) => {
      const session = Session.open(new SourceText(name, text), false);
      walk(session, numbers);
      const { timeline } = session;
      const fresh = Session.open(new SourceText(name, text), false);
      fresh.timeline.foresee(timeline.decisions.slice(0, timeline.at));
      while (fresh.timeline.forward());
      assert.is(fresh.timeline.at, timeline.at);
      assert.equal(dump(fresh), dump(session));
      assert.is(eventsOf(fresh), eventsOf(session));
      const { machine } = timeline.director;
      assert.equal(machine.rehash(), { lo: machine.memory.lo, hi: machine.memory.hi });
      // A look at the past changes nothing.
      const now = dump(session);
      if (timeline.at > 0) timeline.asOf(Math.floor(timeline.at / 2), () => dump(session));
      assert.equal(dump(session), now);
      timeline.backTo(0);
      assert.equal(dump(session), dump(Session.open(new SourceText(name, text), false)));
    }),
    { numRuns: 60, seed: 1 },
  );
});

test("what is saved anywhere leads to the same state when it is loaded", () => {
  let saved = 0;
  fc.assert(
    fc.property(script, turns, ({ text }, numbers) => {
      const sitting = sitDown(text, true);
      const { session } = sitting.desk;
      walk(session, numbers);
      const before = dump(session);
      const said = sitting.type(":save here.hmm");
      if (sitting.files.get("here.hmm") === undefined) {
        assert.match(said, /in the middle of a callback|a script cannot stop here/);
        return;
      }
      saved++;
      const other = sitDown();
      other.files.set("here.hmm", sitting.files.get("here.hmm") ?? "");
      const loaded = other.type(":load here.hmm");
      assert.equal(dump(other.desk.session), before, `${sitting.files.get("here.hmm")}\n${loaded}`);
    }),
    { numRuns: 80, seed: 2 },
  );
  assert.ok(saved > 40, `${saved} saved`);
});

test("a statement typed in the past happens there, and undo brings the future back", () => {
  fc.assert(
    fc.property(script, turns, ({ text }, numbers) => {
      const sitting = sitDown(text, true);
      const { session } = sitting.desk;
      walk(session, numbers);
      if (session.timeline.director.inRace) return;
      const before = dump(session);
      const { at, length } = session.timeline;
      try {
        drain(session.enter("cpu7: mmget_not_zero mm"));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        assert.equal(dump(session), before);
        return;
      }
      assert.ok(session.timeline.at > at || session.timeline.isOver);
      assert.ok(session.undo());
      assert.equal([dump(session), session.timeline.at, session.timeline.length], [before, at, length]);
    }),
    { numRuns: 60, seed: 3 },
  );
});

test.run();
