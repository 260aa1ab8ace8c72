/**
 * Unrolls a body symbolically: all made-up situations at once, side by side. While they ask for the same thing they are
 * one line; where they part, what they know says under which condition. Nothing here knows any function: what comes
 * out is what the machine would run.
 */
import type { FunctionBody } from "../runtime/machine/automaton.ts";
import { beginningsOf, noteRound, type Loops } from "./doc-loops.ts";
import { functionById } from "../runtime/machine/function.ts";
import { Op, type Step, type Value } from "../runtime/machine/step.ts";
import { headerAddress, sizeOf, SLOT, Struct, type StructClass } from "../runtime/machine/struct.ts";
import { situationsFor } from "./doc-args.ts";
import { conditionOf } from "./doc-condition.ts";
import { paramsOf, type Code, type Situation, type Stop } from "./doc-follow.ts";
import { asNumbers, nameOfLook, noteEntry, spelled } from "./doc-entries.ts";
import { lockEffect } from "./doc-locks.ts";
import { oneText, vagueText } from "./doc-naming.ts";
import { isKnown, memberName, remember, resultsOf, type Containers, type Result } from "./doc-samples.ts";
import { answerTo, keyOfAnswer, occasionOf, type Answer } from "./doc-answer.ts";
import type { Arm, Line, StepLine } from "./doc-tree.ts";
import { anyFunction, containerBy, containerByObject, freeName, isNull, isStruct } from "./doc-world.ts";
import {
  argTexts,
  changes,
  eachText,
  passesMemberOfNull,
  passesNothing,
  renamed,
  valueText,
  variables,
  type Group,
} from "./doc-words.ts";

/** How much is looked at: beyond that a tree is cut, and says so. */
export interface Bounds {
  readonly situations: number;
  readonly lines: number;
}
const FULL: Bounds = { situations: 360, lines: 1500 };
/** To learn what a call can answer, less will do. */
const BRIEF: Bounds = { situations: 90, lines: 300 };
const ANSWERS_MAX = 14;
/** Each of them on every occasion that differs in what is NULL or true. */
const OCCASIONS_MAX = 200;
const RETRIES = 8;

/** What has been learnt on the way, of all functions: it holds for whoever comes later. */
interface Learnt extends Code {
  readonly loops: Loops;
  readonly containers: Containers;
}
export class Unroller {
  private readonly bodies: ReadonlyMap<number, FunctionBody>;
  private readonly answers = new Map<number, readonly Answer[]>();

  private readonly params: Code["params"];

  /** `params`: of functions that are not the kernel's, the names of their parameters. */
  constructor(bodies: ReadonlyMap<number, FunctionBody>, params: Code["params"] = new Map()) {
    this.params = params;
    this.bodies = bodies;
  }

  /** What a function does, whoever calls it. */
  tree(fn: number, bounds: Bounds = FULL): { lines: Line[]; cut: boolean } {
    const walk = this.walk(fn, bounds);
    return { lines: walk.tree, cut: walk.cut };
  }
  /** Again and again, until there is nothing more to be learnt about its loops and lists. */
  private walk(fn: number, bounds: Bounds): Walk {
    const learnt: Learnt = { bodies: this.bodies, params: this.params, loops: new Map(), containers: new Map() };
    for (let tries = 0; ; tries++) {
      const walk = new Walk(learnt, bounds, (callee) => this.answersOf(callee));
      const before = newsIn(learnt);
      walk.begin(fn);
      if (newsIn(learnt) === before || tries === RETRIES) return walk;
    }
  }
  private answersOf(fn: number): readonly Answer[] {
    const found = this.answers.get(fn);
    if (found !== undefined) return found;
    if (fn < 0) return isCondition(fn) ? CONDITION : ANY;
    const nothing: Answer[] = [{ value: undefined, origin: [], world: undefined, locks: [], given: [] }];
    this.answers.set(fn, nothing); // while it is looked at: it may call itself
    const answers = [...this.walk(fn, BRIEF).answers.values()].slice(0, OCCASIONS_MAX);
    const isAtom = functionById(fn)?.info.atom === true; // what it does to locks is in its name
    const plainly = isAtom ? answers.map((answer) => ({ ...answer, locks: [], given: [] })) : answers;
    this.answers.set(fn, answers.length === 0 ? nothing : plainly);
    return this.answers.get(fn) as readonly Answer[];
  }
}
function newsIn({ loops, containers }: Learnt): number {
  return [...loops.values()].reduce((n, kinds) => n + 1 + kinds.size, containers.size);
}
/** The answers that it gave to such arguments; none, if it did not survive a NULL among them. */
function fitting(answers: readonly Answer[], args: readonly Value[]): readonly Answer[] {
  const survives = answers.filter(({ origin }) =>
    origin.every((o, i) => !isStruct(o) || !isStruct(args[i]) || o.isNull === args[i].isNull),
  );
  const fits = survives.filter(({ origin }) => origin.every((o, i) => typeof o !== "boolean" || o === args[i]));
  const found = new Map<string, Answer>();
  for (const answer of fits.length === 0 ? survives : fits)
    if (!found.has(keyOfAnswer(answer))) found.set(keyOfAnswer(answer), answer);
  return [...found.values()].slice(0, ANSWERS_MAX).flatMap(counted);
}
/** A count that can be one can be two: else nothing tells it from a constant. */
function counted(answer: Answer): Answer[] {
  return answer.value === 1 ? [answer, { ...answer, value: 2 }] : [answer];
}
/** What a function may answer that nobody knows. */
const plain = (value: Value): Answer => ({ value, origin: [], world: undefined, locks: [], given: [] });
const ANY: readonly Answer[] = [plain(0), plain(-11)];
const CONDITION: readonly Answer[] = [plain(false), plain(true)];
const isCondition = (fn: number): boolean => fn === anyFunction("condition").id;

class Walk {
  readonly answers = new Map<string, Answer>();
  tree: Line[] = [];
  cut = false;
  private readonly learnt: Learnt;
  private readonly bounds: Bounds;
  private readonly answersOf: (fn: number) => readonly Answer[];
  private lines = 0;
  constructor(learnt: Learnt, bounds: Bounds, answersOf: (fn: number) => readonly Answer[]) {
    this.learnt = learnt;
    this.bounds = bounds;
    this.answersOf = answersOf;
  }

  private fn = 0;
  begin(fn: number): void {
    this.fn = fn;
    const begin: Line = { kind: "label", text: "", label: String(fn) };
    this.tree = [begin, ...this.explore(situationsFor(this.learnt, this.learnt.containers, fn, this.resultsFor))];
  }
  private explore(start: readonly Situation[]): Line[] {
    const lines: Line[] = [];
    let members = start;
    for (;;) {
      const groups = this.groups(members);
      const [group, ...others] = groups;
      if (group === undefined) return [...lines, { kind: "nothing", text: "", label: "" }];
      if (others.length > 0) return [...lines, ...this.branch(groups)];
      const [first] = group.members as [Situation];
      const { stop } = first;
      if (stop.kind === "loop") {
        lines.push({ kind: "label", text: changes(group.text), label: String(stop.fn) });
        members = this.enter(group.members);
        continue;
      }
      if (stop.kind === "return") this.learn(group.members);
      if (stop.kind === "again")
        for (const s of group.members) noteRound(this.learnt.loops, s.stop as Extract<Stop, { kind: "again" }>);
      if (stop.kind !== "step" && stop.kind !== "call") return [...lines, endOf(stop, group.text)];
      if (++this.lines > this.bounds.lines) {
        this.cut = true;
        return [...lines, { kind: "cut", text: "", label: "" }];
      }
      const { line, after } = this.take(group, stop);
      if (line !== undefined) lines.push(line);
      if (line?.text.startsWith("BUG_ON(") === true) return [...lines, { kind: "bug", text: "", label: "" }];
      members = after;
    }
  }
  /** One group after the other, by the simplest question that parts one from the rest. */
  private branch(groups: readonly Group[]): Line[] {
    const questions = groups.map((group) => {
      const rest = groups.filter((other) => other !== group).flatMap(({ members }) => members);
      return { group, rest, condition: conditionOf(group.members, rest) };
    });
    const cost = (text: string | undefined): number => text?.length ?? 1000;
    const [chosen] = questions.toSorted((a, b) => cost(a.condition) - cost(b.condition)) as [(typeof questions)[0]];
    const others = groups.filter((group) => group !== chosen.group);
    const mine = this.explore(chosen.group.members);
    const theirs = others.length === 1 ? this.explore((others[0] as Group).members) : this.branch(others);
    if (isNothing(mine)) return theirs;
    if (isNothing(theirs)) return mine;
    const arms: [Arm, Arm] = [
      { condition: chosen.condition, lines: mine },
      { condition: conditionOf(chosen.rest, chosen.group.members), lines: theirs },
    ];
    return [{ kind: "branch", arms }];
  }

  // ---- situations that ask for the same

  private groups(members: readonly Situation[]): Group[] {
    const byText = new Map<string, { texts: string[]; members: Situation[] }>();
    for (const s of members) {
      if (s.stop.kind === "dead") continue;
      const text = this.textOf(s);
      if (text.includes("*)NULL)") || passesMemberOfNull(s.stop)) continue;
      const { stop } = s;
      const key = stop.kind === "again" || stop.kind === "loop" ? `${stop.kind} ${stop.fn}` : `${stop.kind} ${text}`;
      const entry = byText.get(key);
      if (entry === undefined) byText.set(key, { texts: [text], members: [s] });
      else {
        entry.texts.push(text);
        entry.members.push(s);
      }
    }
    const merged: { texts: string[]; members: Situation[]; text: string }[] = [];
    for (const { texts, members: own } of byText.values()) {
      const kind = (own[0] as Situation).stop.kind;
      const into = merged.find(
        (m) =>
          (m.members[0] as Situation).stop.kind === kind &&
          oneText([...m.texts, ...texts], [...m.members, ...own]) !== undefined,
      );
      if (into === undefined) merged.push({ texts, members: own, text: oneText(texts, own) ?? eachText(texts, own) });
      else {
        into.texts.push(...texts);
        into.members.push(...own);
        into.text = oneText(into.texts, into.members) as string;
      }
    }
    for (const group of merged) group.text = spelled(group.text, (group.members[0] as Situation).world);
    return vaguely(merged).filter((group) => !merged.some((other) => other !== group && passesNothing(group, other)));
  }
  private textOf(s: Situation): string {
    const { stop } = s;
    if (stop.kind === "step") {
      this.learnContainer(stop.step.addr, s, () => (stop.step as Step).text(s.world));
      const { step } = stop;
      return renamed(asNumbers(step.text(s.world), [step.a, step.b], s.world), s);
    }
    if (stop.kind === "call") {
      for (const arg of stop.args) if (isStruct(arg)) this.learnContainer(arg.addr, s, () => "", arg);
      const info = functionById(stop.fn.id)?.info;
      return `${stop.fn.name}(${argTexts(stop.args, s, info)})`;
    }
    if (stop.kind === "return") return stop.value === undefined ? "return" : `return ${valueText(stop.value, s)}`;
    if (stop.kind === "again" || stop.kind === "loop") return variables(this.learnt.loops, stop, s);
    return "";
  }
  /** A node of a list lies in something; where the body goes from it says in what. */
  private learnContainer(addr: number, s: Situation, text: () => string, object?: Struct): void {
    this.learnParam(addr, s, text, object);
    if (!s.world.isUntyped(addr)) return;
    const node = s.known.find(
      ({ value }) => isStruct(value) && Math.floor(value.addr / 2 ** 14) === Math.floor(addr / 2 ** 14),
    );
    if (node === undefined || !isStruct(node.value)) return;
    const cls = node.value.constructor as StructClass;
    const found =
      object === undefined
        ? containerBy(cls, node.value.addr, { addr, text: text() })
        : containerByObject(cls, node.value.addr, object);
    const from = s.sources.get(node.name);
    if (found !== undefined && from !== undefined && !this.learnt.containers.has(from))
      this.learnt.containers.set(from, found);
  }
  /** A parameter lies in something, too, if the body goes from it to what lies beside it. */
  private learnParam(addr: number, s: Situation, text: () => string, object?: Struct): void {
    const params = paramsOf(this.learnt, this.fn);
    for (const [i, value] of s.origin.entries()) {
      const name = params[i] ?? "";
      if (!isStruct(value) || value.isNull || this.learnt.containers.has(name)) continue;
      const cls = value.constructor as StructClass;
      const away = addr - value.addr;
      if (Math.abs(away) >= SLOT || (away >= 0 && away < sizeOf(cls))) continue;
      if (headerAddress(addr) !== headerAddress(value.addr) && (away >= 0 || !s.world.isUntyped(addr))) continue;
      const found =
        object === undefined
          ? containerBy(cls, value.addr, { addr, text: text() })
          : containerByObject(cls, value.addr, object);
      if (found !== undefined) this.learnt.containers.set(name, found);
    }
  }
  private learn(members: readonly Situation[]): void {
    for (const s of members) {
      if (s.stop.kind !== "return") continue;
      const { world, origin, locks, given } = s;
      const answer: Answer = { value: s.stop.value, origin, world, locks, given };
      const key = `${keyOfAnswer(answer)} ${occasionOf(answer)}`;
      if (!this.answers.has(key)) this.answers.set(key, answer);
    }
  }

  /** Into a loop: its variables are what they are at first, or what they may be later. */
  private enter(members: readonly Situation[]): Situation[] {
    const taken = takenBy(members);
    const room = Math.max(1, Math.floor(this.bounds.situations / members.length));
    const isSet = (i: number): boolean => members.some(({ stop: t }) => t.kind === "loop" && !isNull(t.args[i]));
    return members.flatMap((s, n) => {
      const stop = s.stop as Extract<Stop, { kind: "loop" }>;
      const kinds = this.learnt.loops.get(stop.fn) ?? new Map();
      const params = functionById(stop.fn)?.info.params ?? [];
      const all = beginningsOf(stop, kinds, this.learnt.containers, isSet, params);
      const some = all.length <= room ? all : rotated(all, n).slice(0, room);
      return some.map((result) => {
        const next = s.copy();
        next.world.pick = (wanted) => freeName(wanted, taken);
        const args = result(next) as readonly Value[];
        for (const i of kinds.keys()) learnt(next, params[i] ?? `argument ${i + 1}`, args[i], 0);
        next.go(this.learnt, args);
        return next;
      });
    });
  }

  // ---- one line

  private readonly resultsFor = (s: Situation): Result[] => this.results(s, this.textOf(s));
  private results(s: Situation, text: string): Result[] {
    const { stop } = s;
    if (stop.kind === "step") return resultsOf(stop.step, text, s, this.learnt.containers);
    if (stop.kind !== "call") return [];
    return fitting(this.answersOf(stop.fn.id), stop.args).map((answer) => answerTo(answer, stop.args));
  }

  private take(
    group: Group,
    stop: Extract<Stop, { kind: "step" | "call" }>,
  ): { line: StepLine | undefined; after: Situation[] } {
    const { members, text } = group;
    const isCall = stop.kind === "call";
    const isNews = isCall || !members.every((m) => isKnown((m.stop as { step: Step }).step, m));
    const room = Math.max(1, Math.floor(this.bounds.situations / members.length));
    const taken = takenBy(members);
    const after = members.flatMap((s, n) => {
      const results = this.results(s, text);
      const some = results.length <= room ? results : rotated(results, n).slice(0, room);
      return some.map((result) => {
        const next = s.copy();
        const raw = this.textOf(s);
        const mine = new Set<string>();
        next.world.pick = (wanted) => {
          const name = freeName(wanted, (word) => taken(word) || mine.has(word));
          mine.add(name);
          return name;
        };
        return { next, raw, value: result(next) };
      });
    });
    const look = isCall ? undefined : nameOfLook(stop.step, (members[0] as Situation).world);
    const name =
      look === undefined
        ? after.map(({ value }) => nameFor(value, text, isCall, taken)).find((n) => n !== undefined)
        : freeName([look], taken);
    const parts = Math.min(...after.map(({ value }) => (Array.isArray(value) ? value.length : 0)));
    for (const { next, raw, value } of after) {
      if (name !== undefined && isNews) {
        learnt(next, name, value as Value, parts);
        if (isStruct(value) && members[0]?.world.things.has(headerAddress(value.addr)) === false)
          next.world.owners.set(headerAddress(value.addr), name);
        next.sources.set(name, text);
      }
      lockEffect(next, raw, value);
      if (next.stop.kind === "step") {
        remember(next.stop.step, value, next);
        noteEntry(next.stop.step, value, next);
      }
      next.go(this.learnt, value);
    }
    const [asks, named] = name === text ? [name, undefined] : [undefined, name];
    if (after.length === 0) return { line: undefined, after: [] };
    const silent = !isCall && stop.step.op >= Op.silentLoad && stop.step.op <= Op.silentPrimitive;
    const line: StepLine = {
      kind: "step",
      text,
      into: named,
      call: isCall,
      silent,
      asks,
      ...heldBy(after.map(({ next }) => next)),
    };
    return { line: isNews ? line : undefined, after: after.map(({ next }) => next) };
  }
}

/** Groups that differ in numbers that no formula gives are one. */
function vaguely(groups: readonly Group[]): readonly Group[] {
  const sameShape = (group: Group): string => {
    const { kind } = (group.members[0] as Situation).stop;
    return kind === "step" || kind === "call"
      ? group.text.replace(/-?\b(0x[0-9a-f]+|\d+)\b|-E[A-Z]+/g, "#")
      : group.text;
  };
  const shapes = new Map<string, Group[]>();
  for (const group of groups) shapes.set(sameShape(group), [...(shapes.get(sameShape(group)) ?? []), group]);
  return [...shapes.values()].flatMap((alike) => {
    const text = alike.length === 1 ? undefined : vagueText(alike.map((group) => group.text));
    return text === undefined ? alike : [{ text, members: alike.flatMap((group) => group.members) }];
  });
}
/** The locks that are held, and given up, in all of these situations; with a `?` those that are in some. */
function heldBy(all: readonly Situation[]): Pick<StepLine, "locks" | "given"> {
  const names = (of: (s: Situation) => readonly string[]): string[] =>
    [...new Set(all.flatMap(of))].map((lock) => (all.every((s) => of(s).includes(lock)) ? lock : `${lock}?`));
  return { locks: names((s) => s.locks), given: names((s) => s.given) };
}
const isNothing = (lines: readonly Line[]): boolean => lines.at(-1)?.kind === "nothing";

function endOf(stop: Stop, text: string): Line {
  if (stop.kind === "again") return { kind: "again", text: changes(text), label: String(stop.fn) };
  return { kind: "return", text, label: "" };
}
function rotated<T>(list: readonly T[], n: number): T[] {
  const at = (n + Math.floor(n / list.length)) % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

/** Whether a name means something in any of these situations; what is NULL in all of them may be used again. */
function takenBy(members: readonly Situation[]): (name: string) => boolean {
  const names = new Set<string>();
  for (const { known, world } of members) {
    for (const { name, value } of known) if (!isStruct(value) || !value.isNull) names.add(name);
    for (const { name } of world.things.values()) names.add(name);
  }
  return (name) => names.has(name);
}
/** Under which name a result is known from here on; undefined: there is nothing to know. */
function nameFor(value: unknown, text: string, isCall: boolean, taken: (name: string) => boolean): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "boolean" || typeof value === "function" || value === null) return text;
  // What hardware does has a result, but no word that it was read from.
  const hasOwnName = isCall || text.startsWith("device ");
  if (typeof value === "number" || typeof value === "string") return hasOwnName ? freeName(["ret"], taken) : text;
  if (Array.isArray(value)) return freeName(["ret"], taken);
  if (!isStruct(value)) return freeName([memberName(text)], taken);
  const cls = value.constructor as StructClass;
  const short = cls.short ?? cls.name;
  if ("next" in value || "rb_left" in value) return freeName([memberName(text), short], taken);
  return freeName([short, ...(isCall ? [] : [memberName(text)])], taken);
}
function learnt(s: Situation, name: string, value: Value, parts: number): void {
  s.known = s.known.map((k) => (k.name === name ? { ...k, name: `old ${name}` } : k));
  s.known.push({ name, value });
  for (let i = 0; i < parts; i++) s.known.push({ name: `${name}[${i}]`, value: (value as readonly Value[])[i] });
}
