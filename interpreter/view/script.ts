/** The script with the CPUs beside it, each where it is. */
import { CPUS_MAX } from "../actors.ts";
import type { Session } from "../session/session.ts";
import type { PanelView, Row } from "./view.ts";

export function scriptRows(session: Session): PanelView {
  const { source, timeline, program } = session;
  const { director } = timeline;
  const { machine } = director;
  const text = source.text.replace(/\n+$/, "");
  if (text === "") return { name: "script", rows: [EMPTY], focus: 0 };
  const places = new Map<number, string>();
  const put = (line: number, who: string): void => void places.set(line, (places.get(line) ?? "") + who);
  for (let cpu = 0; cpu < CPUS_MAX; cpu++) {
    if (machine.isFinished(cpu)) continue;
    // Innermost first: a function of the script's own rather than the statement that calls it.
    for (const frame of machine.framesOf(cpu)) {
      const code = program.codes?.get(frame.fn);
      const at = typeof frame.at === "number" ? code?.places[frame.at] : undefined;
      if (at === undefined || code?.from !== source) continue;
      put(source.position(at.start).line, String(cpu));
      break;
    }
  }
  const { item } = director;
  const current = item !== undefined && item.from === source ? source.position(item.at.start).line : 0;
  const lines = text.split(/\r\n|\n|\r/);
  const width = String(lines.length).length;
  const rows = lines.map((line, i): Row => {
    const who = places.get(i + 1) ?? "";
    const mark = who !== "" ? who : current === i + 1 ? ">" : " ";
    const isAhead = item !== undefined && current > 0 && i + 1 > current && who === "";
    const number = String(i + 1).padStart(width);
    return { mark, text: `${number} ${line.replaceAll("\t", "        ")}`, tone: isAhead ? "quiet" : "plain" };
  });
  const [firstPlace] = [...places.keys()].sort((a, b) => a - b);
  const focus = (current > 0 ? (director.inRace ? (firstPlace ?? current) : current) : lines.length) - 1;
  return { name: "script", rows, focus };
}
const EMPTY: Row = { mark: " ", text: "type a statement: cpu0: mmap 0x1000..0x4000", tone: "quiet" };
