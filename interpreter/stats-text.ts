/** `--stats`: what changes from run to run, on standard error, never in a golden. */
import type { CheckResult } from "./check.ts";
import { grouped } from "./numbers.ts";
import type { Director } from "./director.ts";

type Statistics = CheckResult["statistics"];

function automata(statistics: Statistics): string[] {
  const largest = [...statistics.byFunction].sort((a, b) => b[1].nodes - a[1].nodes).slice(0, 12);
  return [
    `automata      ${grouped(statistics.nodes)} nodes, ${grouped(statistics.locals)} local states`,
    ...largest.map(
      ([name, f]) => `  ${name.padEnd(36)} ${String(f.nodes).padStart(6)} nodes, longest frame ${f.deepest}`,
    ),
  ];
}
const memory = (): string => `memory        ${grouped(process.memoryUsage.rss() / 2 ** 20)} MB resident`;

export function statsText(director: Director, milliseconds: number): string {
  const lines = [
    `time          ${milliseconds.toFixed(1)} ms`,
    memory(),
    ...automata(director.machine.automaton.statistics()),
  ];
  return `${lines.join("\n")}\n`;
}

export function checkStatsText(result: CheckResult, milliseconds: number): string {
  const { explored } = result;
  const rate = milliseconds > 0 ? (explored.states / milliseconds) * 1000 : 0;
  const lines = [
    `time          ${milliseconds.toFixed(1)} ms in all`,
    memory(),
    `states        ${grouped(explored.states)} (${grouped(rate)} a second over all phases)`,
    `transitions   ${grouped(explored.transitions)}`,
    `depth         ${grouped(explored.depth)}, ${grouped(explored.ends)} ends of paths`,
    `visited set   ${grouped(explored.bytes / 2 ** 20)} MB`,
    ...result.levels.map(
      (level) =>
        `${level.switches} switches    ${grouped(level.states)} states${level.complete ? "" : ", not completed"}`,
    ),
    ...automata(result.statistics),
  ];
  return `${lines.join("\n")}\n`;
}
