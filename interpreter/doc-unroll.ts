/**
 * Unrolls a body symbolically: all made-up situations at once, side by side. While they ask for the same thing they are
 * one line; where they part, what they know says under which condition. Nothing here knows any function: what comes
 * out is what the machine would run.
 */
import type { FunctionBody } from "../runtime/machine/automaton.ts";
import { functionById, type FunctionInfo } from "../runtime/machine/function.ts";
import { Op, type Step, type Value } from "../runtime/machine/step.ts";
import { Struct, type StructClass } from "../runtime/machine/struct.ts";
import { situationsFor } from "./doc-args.ts";
import { conditionOf } from "./doc-condition.ts";
import type { Situation, Stop } from "./doc-follow.ts";
import { lockEffect } from "./doc-locks.ts";
import { oneText } from "./doc-naming.ts";
import { memberName, resultsOf, type Containers, type Result } from "./doc-samples.ts";
import { keyOfAnswer, answerTo, type Answer } from "./doc-answer.ts";
import type { Arm, Line, StepLine } from "./doc-tree.ts";
import { containerBy, containerByObject, isStruct, render, type Known } from "./doc-world.ts";

/** How much is looked at: beyond that a tree is cut, and says so. */
export interface Bounds {
  readonly situations: number;
  readonly lines: number;
}
const FULL: Bounds = { situations: 360, lines: 1500 };
/** To learn what a call can answer, less will do. */
const BRIEF: Bounds = { situations: 90, lines: 300 };
const ANSWERS_MAX = 8;
const RETRIES = 8;

interface Group {
  readonly text: string;
  readonly members: readonly Situation[];
}

export class Unroller {
  private readonly bodies: ReadonlyMap<number, FunctionBody>;
  private readonly answers = new Map<number, readonly Answer[]>();
  private readonly containers: Containers = new Map();

  constructor(bodies: ReadonlyMap<number, FunctionBody>) {
    this.bodies = bodies;
  }

  /** What a function does, whoever calls it. */
  tree(fn: number, bounds: Bounds = FULL): { lines: Line[]; cut: boolean } {
    for (let tries = 0; ; tries++) {
      const walk = new Walk(this.bodies, this.containers, bounds, (callee) => this.answersOf(callee));
      const known = this.containers.size;
      const lines = walk.explore(situationsFor(this.bodies, fn));
      if (this.containers.size === known || tries === RETRIES) {
        this.answers.set(fn, this.answers.get(fn) ?? [...walk.answers.values()].slice(0, ANSWERS_MAX));
        return { lines, cut: walk.cut };
      }
    }
  }
  private answersOf(fn: number): readonly Answer[] {
    const found = this.answers.get(fn);
    if (found !== undefined) return found;
    if (fn < 0) return ANY;
    const nothing: Answer[] = [{ value: undefined, origin: [], world: undefined, locks: [], given: [] }];
    this.answers.set(fn, nothing); // while it is looked at: it may call itself
    const walk = this.learn(fn);
    const answers = [...walk.answers.values()].slice(0, ANSWERS_MAX);
    this.answers.set(fn, answers.length === 0 ? nothing : answers);
    return this.answers.get(fn) as readonly Answer[];
  }
  private learn(fn: number): Walk {
    const walk = new Walk(this.bodies, this.containers, BRIEF, (callee) => this.answersOf(callee));
    walk.explore(situationsFor(this.bodies, fn));
    return walk;
  }
}
/** What a function may answer that nobody knows. */
const ANY: readonly Answer[] = [0, -11].map((value) => ({
  value,
  origin: [],
  world: undefined,
  locks: [],
  given: [],
}));

class Walk {
  readonly answers = new Map<string, Answer>();
  cut = false;
  private readonly bodies: ReadonlyMap<number, FunctionBody>;
  private readonly containers: Containers;
  private readonly bounds: Bounds;
  private readonly answersOf: (fn: number) => readonly Answer[];
  private lines = 0;
  constructor(
    bodies: ReadonlyMap<number, FunctionBody>,
    containers: Containers,
    bounds: Bounds,
    answersOf: (fn: number) => readonly Answer[],
  ) {
    this.bodies = bodies;
    this.containers = containers;
    this.bounds = bounds;
    this.answersOf = answersOf;
  }

  explore(start: readonly Situation[]): Line[] {
    const lines: Line[] = [];
    let members = start;
    for (;;) {
      const groups = this.groups(members);
      const [group, ...others] = groups;
      if (group === undefined) return [...lines, { kind: "nothing", text: "", label: "" }];
      if (others.length > 0) return [...lines, ...this.branch(groups)];
      lines.push(...beginsOf(group.members));
      const [first] = group.members as [Situation];
      const { stop } = first;
      if (stop.kind === "return") this.learn(group.members);
      if (stop.kind !== "step" && stop.kind !== "call") return [...lines, endOf(stop, group.text)];
      if (++this.lines > this.bounds.lines) {
        this.cut = true;
        return [...lines, { kind: "cut", text: "", label: "" }];
      }
      const { line, after } = this.take(group, stop);
      lines.push(line);
      if (stop.kind === "call" && stop.tail && after.length === 0) return lines;
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
      const entry = byText.get(`${s.stop.kind} ${text}`);
      if (entry === undefined) byText.set(`${s.stop.kind} ${text}`, { texts: [text], members: [s] });
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
      if (into === undefined) merged.push({ texts, members: own, text: oneText(texts, own) ?? (texts[0] as string) });
      else {
        into.texts.push(...texts);
        into.members.push(...own);
        into.text = oneText(into.texts, into.members) as string;
      }
    }
    return merged;
  }
  private textOf(s: Situation): string {
    const { stop } = s;
    if (stop.kind === "step") {
      this.learnContainer(stop.step.addr, s, () => (stop.step as Step).text(s.world));
      return renamed(stop.step.text(s.world), s);
    }
    if (stop.kind === "call") {
      for (const arg of stop.args) if (isStruct(arg)) this.learnContainer(arg.addr, s, () => "", arg);
      const info = functionById(stop.fn.id)?.info;
      return `${stop.fn.name}(${argTexts(stop.args, s, info)})`;
    }
    if (stop.kind === "return") return stop.value === undefined ? "return" : `return ${valueText(stop.value, s)}`;
    if (stop.kind === "again") return againText(stop, s);
    return "";
  }
  /** A node of a list lies in something; where the body goes from it says in what. */
  private learnContainer(addr: number, s: Situation, text: () => string, object?: Struct): void {
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
    if (found !== undefined && from !== undefined && !this.containers.has(from)) this.containers.set(from, found);
  }
  private learn(members: readonly Situation[]): void {
    for (const s of members) {
      if (s.stop.kind !== "return") continue;
      const { world, origin, locks, given } = s;
      const answer: Answer = { value: s.stop.value, origin, world, locks, given };
      const key = keyOfAnswer(answer);
      if (!this.answers.has(key)) this.answers.set(key, answer);
    }
  }

  // ---- one line

  private take(group: Group, stop: Extract<Stop, { kind: "step" | "call" }>): { line: StepLine; after: Situation[] } {
    const { members, text } = group;
    const isCall = stop.kind === "call";
    const of = (s: Situation): Result[] =>
      isCall
        ? this.answersOf(stop.fn.id).map((answer) => answerTo(answer, (s.stop as typeof stop).args))
        : resultsOf((s.stop as { step: Step }).step, text, s, this.containers);
    const room = Math.max(1, Math.floor(this.bounds.situations / members.length));
    const after = members.flatMap((s, n) => {
      const results = of(s);
      const some = results.length <= room ? results : rotated(results, n).slice(0, room);
      return some.map((result) => {
        const next = s.copy();
        return { next, value: result(next) };
      });
    });
    const name = after
      .map(({ value }) => nameFor(value, text, isCall, members[0] as Situation))
      .find((n) => n !== undefined);
    const parts = Math.min(...after.map(({ value }) => (Array.isArray(value) ? value.length : 0)));
    for (const { next, value } of after) {
      if (name !== undefined) {
        learnt(next, name, value as Value, parts);
        next.sources.set(name, text);
      }
      lockEffect(next, text, value);
      next.go(this.bodies, value);
    }
    const [asks, named] = name === text ? [name, undefined] : [undefined, name];
    const [{ next: s }] = after as [(typeof after)[0]];
    const silent = !isCall && stop.step.op >= Op.silentLoad && stop.step.op <= Op.silentPrimitive;
    const line: StepLine = {
      kind: "step",
      text,
      into: named,
      call: isCall,
      silent,
      asks,
      locks: s.locks,
      given: s.given,
    };
    return { line, after: after.map(({ next }) => next) };
  }
}

const isNothing = (lines: readonly Line[]): boolean => lines.at(-1)?.kind === "nothing";

function beginsOf(members: readonly Situation[]): Line[] {
  const begins = new Set(members.flatMap((s) => s.begins));
  return [...begins].map((fn) => ({ kind: "label", label: String(fn) }));
}
function endOf(stop: Stop, text: string): Line {
  if (stop.kind === "again") return { kind: "again", text, label: String(stop.fn) };
  return { kind: "return", text, label: "" };
}
function rotated<T>(list: readonly T[], n: number): T[] {
  const at = (n * 7) % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

/** Under which name a result is known from here on; undefined: there is nothing to know. */
function nameFor(value: unknown, text: string, isCall: boolean, before: Situation): string | undefined {
  if (value === undefined) return undefined;
  const taken = (name: string): boolean => before.known.some((k) => k.name === name) || before.world.has(name);
  const free = (wanted: readonly string[]): string => {
    const found = wanted.find((name) => !taken(name));
    if (found !== undefined) return found;
    for (let n = 2; ; n++) if (!taken(`${wanted[0]}${n}`)) return `${wanted[0]}${n}`;
  };
  if (typeof value === "boolean" || typeof value === "function" || value === null) return text;
  if (typeof value === "number" || typeof value === "string") return isCall ? free(["ret"]) : text;
  if (Array.isArray(value)) return free(["ret"]);
  if (isStruct(value)) {
    const cls = value.constructor as StructClass;
    const inside = "next" in value || "rb_left" in value;
    return inside ? free([memberName(text)]) : free([cls.short ?? cls.name, ...(isCall ? [] : [memberName(text)])]);
  }
  return free([memberName(text)]);
}
function learnt(s: Situation, name: string, value: Value, parts: number): void {
  s.known = s.known.map((k) => (k.name === name ? { ...k, name: `old ${name}` } : k));
  s.known.push({ name, value });
  for (let i = 0; i < parts; i++) s.known.push({ name: `${name}[${i}]`, value: (value as readonly Value[])[i] });
}

// ---- texts

/** Pointers into the middle of something go by their own names. */
function renamed(text: string, s: Situation): string {
  let out = text;
  for (const { name, value } of s.known) {
    if (!isStruct(value) || value.isNull) continue;
    const full = render(value, s.world);
    if (full.startsWith("&") && !name.includes(" "))
      out = out.replaceAll(new RegExp(`${full.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![\\w.>-])`, "g"), name);
  }
  return out;
}
function valueText(value: Value, s: Situation): string {
  if (typeof value === "object" && value !== null) {
    const known = s.known.findLast((k: Known) => k.value === value);
    if (known !== undefined && (!isStruct(value) || !value.isNull)) return known.name;
  }
  if (Array.isArray(value)) return `{ ${(value as readonly Value[]).map((v) => valueText(v, s)).join(", ")} }`;
  return renamed(render(value, s.world), s);
}
function argTexts(args: readonly Value[], s: Situation, info: FunctionInfo = {}): string {
  return args
    .flatMap((arg, i) => {
      const param = info.params?.[i] ?? "";
      if (info.own?.includes(param) === true) return [];
      if (!Array.isArray(arg)) return [valueText(arg, s)];
      const known = s.known.findLast((k) => sameTuple(k.value, arg));
      if (known !== undefined) return [known.name];
      const [, start, end] = arg as readonly Value[];
      if (param !== "range" || typeof start !== "number" || typeof end !== "number") return [];
      return [`[${valueText(start, s)}, ${valueText(end, s)})`];
    })
    .join(", ");
}
function sameTuple(a: Value, b: Value): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return false;
  const [x, y] = [a as readonly Value[], b as readonly Value[]];
  return x.length > 0 && x.length === y.length && x.every((v, i) => v === y[i]);
}
/** What is different when it goes round: the parameters whose arguments are others than at first. */
function againText({ fn, args, before }: Extract<Stop, { kind: "again" }>, s: Situation): string {
  const info = functionById(fn)?.info;
  return args
    .flatMap((arg, i) => {
      const param = info?.params?.[i] ?? `argument ${i + 1}`;
      if (arg === before[i] || Array.isArray(arg)) return [];
      return [`${param} = ${valueText(arg, s)}`];
    })
    .join(", ");
}
