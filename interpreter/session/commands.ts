/** The commands of the prompt: one table, which help, completion, the key bar and the documentation read. */
import type { Answering, Desk } from "./desk.ts";
import { help } from "./help.ts";
import { end, kernel, load, redo, reset, save, undo } from "./keeping.ts";
import { diagramOfNow, find, print, script, show, stops, trace, where } from "./looking.ts";
import { back, forward, goOn, goto, next, previous, reverse, step } from "./moving.ts";
import { showWords } from "../show.ts";
import { check, report } from "./searching.ts";
import { breakAt, remove, watch } from "./stopping.ts";

export type Topic = "stepping" | "stopping" | "looking" | "searching" | "script" | "session";
/** What its argument is, for completion. */
export type ArgumentKind = "none" | "number" | "cpu" | "function" | "expression" | "file" | "kernel" | "word";

export interface Command {
  /** Without the colon. */
  readonly name: string;
  /** Short forms, without the colon. */
  readonly aliases: readonly string[];
  readonly topic: Topic;
  /** As help shows its arguments: "[CPU] [N]". */
  readonly args: string;
  readonly takes: ArgumentKind;
  /** What the argument may be, where it is one of a few words. */
  readonly words?: readonly string[];
  readonly summary: string;
  /** The key that does the same where a panel has the focus. */
  readonly key?: string;
  /** An empty line does it once more. */
  readonly repeats?: boolean;
  readonly run: (desk: Desk, args: string) => Answering;
}

export const commands: readonly Command[] = [
  {
    ...{ name: "step", aliases: ["s"], topic: "stepping", args: "[CPU] [?CHOICE] [N]", takes: "cpu", key: "s" },
    ...{ summary: "take N steps (1), as the script has it or of one CPU", repeats: true, run: step },
  },
  {
    ...{ name: "back", aliases: [], topic: "stepping", args: "[N]", takes: "number", key: "[" },
    ...{ summary: "take N steps (1) back", repeats: true, run: back },
  },
  {
    ...{ name: "forward", aliases: ["f"], topic: "stepping", args: "[N]", takes: "number", key: "]" },
    ...{ summary: "take N steps (1) again that were taken back", repeats: true, run: forward },
  },
  {
    ...{ name: "next", aliases: ["n"], topic: "stepping", args: "", takes: "none", key: "n" },
    ...{ summary: "to the next statement", repeats: true, run: next },
  },
  {
    ...{ name: "previous", aliases: ["N"], topic: "stepping", args: "", takes: "none", key: "N" },
    ...{ summary: "back to where the statement before began", repeats: true, run: previous },
  },
  {
    ...{ name: "continue", aliases: ["c"], topic: "stepping", args: "", takes: "none", key: "c" },
    ...{ summary: "on to a breakpoint, or as far as it goes", repeats: true, run: goOn },
  },
  {
    ...{ name: "reverse", aliases: ["C"], topic: "stepping", args: "", takes: "none", key: "C" },
    ...{ summary: "back to a breakpoint or the start", repeats: true, run: reverse },
  },
  {
    ...{ name: "goto", aliases: ["g"], topic: "stepping", args: "N|start|end", takes: "word" },
    ...{ words: ["start", "end"], summary: "to the state after N steps", run: goto },
  },
  {
    ...{
      name: "break",
      aliases: [],
      topic: "stopping",
      args: "[CPU:] FUNCTION [returns] [if EXPR]",
      takes: "function",
    },
    ...{ summary: "stop where a function is entered, or has returned; forward and back", key: "b", run: breakAt },
  },
  {
    ...{ name: "watch", aliases: [], topic: "stopping", args: "EXPR", takes: "expression" },
    ...{ summary: "stop where a value changes; forward and back", run: watch },
  },
  {
    ...{ name: "delete", aliases: [], topic: "stopping", args: "N", takes: "number" },
    ...{ summary: "take a breakpoint or a watch away", run: remove },
  },
  {
    ...{ name: "stops", aliases: [], topic: "stopping", args: "", takes: "none" },
    ...{ summary: "the breakpoints, and what is watched", run: stops },
  },
  {
    ...{ name: "print", aliases: ["p"], topic: "looking", args: "EXPR", takes: "expression" },
    ...{ summary: "the value of an expression; takes no step", run: print },
  },
  {
    ...{ name: "locks", aliases: [], topic: "looking", args: "", takes: "none" },
    ...{ summary: "who holds which lock, and who waits for it", run: (desk) => show(desk, "locks") },
  },
  {
    ...{ name: "show", aliases: [], topic: "looking", args: "[WORD, ...]", takes: "word", words: showWords() },
    ...{ summary: "a part of the state, or all of it", run: show },
  },
  {
    ...{ name: "where", aliases: ["w"], topic: "looking", args: "", takes: "none" },
    ...{ summary: "where every CPU is, and what it does next", run: where },
  },
  {
    ...{ name: "trace", aliases: [], topic: "looking", args: "[DEPTH]", takes: "word" },
    ...{
      words: ["statements", "calls", "steps"],
      summary: "all that happened; DEPTH: how deep, from now on",
      run: trace,
    },
  },
  {
    ...{ name: "find", aliases: [], topic: "looking", args: "TEXT", takes: "word", key: "/" },
    ...{ summary: "the steps so far that have a text in them", run: find },
  },
  {
    ...{ name: "diagram", aliases: [], topic: "looking", args: "[full]", takes: "word", words: ["full"] },
    ...{ summary: "the way here as a diagram for a mail", run: diagramOfNow },
  },
  {
    ...{ name: "check", aliases: [], topic: "searching", args: "[full]", takes: "word", words: ["full"] },
    ...{ summary: "every interleaving of the script", run: check },
  },
  {
    ...{ name: "report", aliases: [], topic: "searching", args: "[N]", takes: "number" },
    ...{ summary: "the way to the Nth thing that `:check` found", run: report },
  },
  {
    ...{ name: "end", aliases: [], topic: "script", args: "", takes: "none" },
    ...{ summary: "nothing more comes: paused CPUs run on, leftovers are reported", run: end },
  },
  {
    ...{ name: "script", aliases: [], topic: "script", args: "", takes: "none" },
    ...{ summary: "the script so far", run: script },
  },
  {
    ...{ name: "save", aliases: [], topic: "script", args: "FILE", takes: "file" },
    ...{ summary: "a script that leads here; `:save! FILE` writes over one", run: save },
  },
  {
    ...{ name: "load", aliases: [], topic: "script", args: "FILE", takes: "file" },
    ...{ summary: "a script, run as if it had been typed", run: load },
  },
  {
    ...{ name: "reset", aliases: [], topic: "script", args: "", takes: "none" },
    ...{ summary: "an empty script; `:undo` brings the old one back", run: reset },
  },
  {
    ...{ name: "kernel", aliases: [], topic: "script", args: "[KERNEL]", takes: "kernel" },
    ...{ summary: "which kernel; or the same script on another", run: kernel },
  },
  {
    ...{ name: "undo", aliases: ["u"], topic: "session", args: "", takes: "none", key: "u" },
    ...{ summary: "take back the last change of the script, or of the way", run: undo },
  },
  {
    ...{ name: "redo", aliases: [], topic: "session", args: "", takes: "none" },
    ...{ summary: "the other way round", run: redo },
  },
  {
    ...{ name: "help", aliases: ["h"], topic: "session", args: "[TOPIC]", takes: "word", key: "?" },
    ...{ summary: "this; about a topic, a command, a function or an error code", run: help },
  },
  {
    ...{ name: "quit", aliases: ["q"], topic: "session", args: "", takes: "none" },
    ...{ summary: "leave; Ctrl-D does the same", run: quit },
  },
];

function* quit(): Answering {
  return { lines: [], quits: true };
}
/** The command of a name, an alias, or the beginning of one name only; several, where it is not the only one. */
export function commandsCalled(name: string): readonly Command[] {
  const exact = commands.filter((command) => command.name === name || command.aliases.includes(name));
  return exact.length > 0 ? exact : commands.filter((command) => command.name.startsWith(name));
}
