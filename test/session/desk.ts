/** A prompt in process, as tests want it: what is typed goes in, what is told comes out. */
import { SourceText } from "../../grammar/span.ts";
import type { ReadFile } from "../../interpreter/bind/includes.ts";
import { drain } from "../../interpreter/breathing.ts";
import type { Desk, DeskIo } from "../../interpreter/session/desk.ts";
import { PlainPrompt } from "../../interpreter/session/plain.ts";
import { Session } from "../../interpreter/session/session.ts";

export interface Sitting {
  readonly desk: Desk;
  readonly files: Map<string, string>;
  /** Types lines, one after the other, and returns what was told meanwhile. */
  type(...lines: readonly string[]): string;
  end(): number;
  /** What stands in front of the next line. */
  prompt(): string;
}

/** `readFile`: for what the script includes. */
export function sitDown(script = "", isOpen = true, readFile?: ReadFile, name = "prompt"): Sitting {
  const files = new Map<string, string>();
  const io: DeskIo = {
    readFile: (path) => {
      const text = files.get(path);
      if (text === undefined) throw Object.assign(new Error(path), { code: "ENOENT" });
      return text;
    },
    writeFile: (path, text) => void files.set(path, text),
    exists: (path) => files.has(path),
    listFolder: () => [...files.keys()],
    status: () => {},
  };
  const session = Session.open(new SourceText(name, script), isOpen, readFile);
  const desk: Desk = { session, io, depth: "statements", path: undefined, written: undefined };
  let said = "";
  const say = (text: string): void => void (said += text);
  const plain = new PlainPrompt(desk, { out: say, err: say, keep: () => {} });
  return {
    desk,
    files,
    type(...lines) {
      said = "";
      for (const line of lines) drain(plain.line(line));
      return said;
    },
    end: () => drain(plain.finish()),
    prompt: () => plain.text,
  };
}

/** Whose statement is the next, and has not taken a step: a script that ends before it is as good. */
function atFirstStep(timeline: Session["timeline"]): number | undefined {
  const { director, at, now } = timeline;
  if (director.inRace || director.item?.kind !== "run") return undefined;
  return at > 0 && timeline.moment(at - 1).item === now.item ? undefined : director.actors()[0];
}

/** Everything that lives in the machine, but for where the script stands: other lines may lead to the same state. */
/** Words of a file that nobody maps: header, two list ends that point at the list, size, kind, memory. */
const UNTOUCHED = 6;
export function dump({ timeline }: Session): string[] {
  const { machine } = timeline.director;
  const { memory } = machine;
  const lines: string[] = [];
  for (const base of [...memory.objects()].sort((a, b) => a - b)) {
    const type = machine.typeAt(base + 8)?.name ?? "?";
    if (type === "script_position") continue;
    const words = memory.wordsOfObject(base).flatMap((word) => {
      const value = memory.words[word] as number;
      return value === 0 ? [] : [`${memory.addressOf(word) - base}:${value}`];
    });
    // Variables that only a later statement has hold nothing yet.
    if (type === "script_variables" && words.length === 1) continue;
    // Files that only a later statement names have neither mappings nor pages yet.
    if (type === "dax_memory" && words.length === 1) continue;
    if (type === "address_space" && words.length <= UNTOUCHED && words.some((word) => word.endsWith(`:${base + 24}`)))
      continue;
    lines.push(`${base} ${type} ${words.sort().join(" ")}`);
  }
  for (let actor = 0; actor < 11; actor++) {
    if (actor === atFirstStep(timeline)) continue;
    const stack = machine.stackOf(actor).map(({ name }) => name);
    const next = machine.nextStep(actor)?.text(machine) ?? "";
    if (!machine.isFinished(actor)) lines.push(`${actor}: ${stack.join(" < ")} next ${next}`);
    if (machine.locksOf(actor).length > 0) lines.push(`${actor} holds ${machine.lockTexts(actor).join(", ")}`);
  }
  return lines;
}

const PROMPT = /^(?:hmm(?: cpu\d)?> |\.\.\. )/;

/** A session once more: what stands behind its prompts is typed, and what is told now stands below that. */
export function had(transcript: string): string {
  const sitting = sitDown();
  sitting.files.set("there.hmm", "cpu0: mmap 0x1000..\n");
  let text = "";
  for (const line of transcript.split("\n").filter((one) => PROMPT.test(one) || one === "...")) {
    const typed = line.replace(PROMPT, "").replace(/^\.\.\.$/, "");
    text += `${(sitting.prompt() + typed).trimEnd()}\n${sitting.type(typed)}`;
  }
  return text;
}
