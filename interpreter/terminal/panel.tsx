/** A title and rows below it. It knows nothing of what they are about. */
import { Box, Text } from "ink";
import type { ReactElement } from "react";
import type { Tone } from "../view/view.ts";
import { cut, type Line } from "./rows.ts";

export interface PanelProps {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly lines: readonly Line[];
  readonly top: number;
  readonly hasFocus: boolean;
  /** A row that was searched for. */
  readonly found?: number | undefined;
}

type Style = Readonly<Record<string, boolean | string>>;
const STYLES: Readonly<Record<Tone, Style>> = {
  plain: {},
  quiet: { dimColor: true },
  good: { color: "green" },
  bad: { color: "red" },
  callback: { color: "magenta" },
};
const MARK_MAX = 4;
/** Columns in front of the rows: the longest mark, and a blank. */
export function gutterOf(rows: readonly { readonly mark: string }[]): number {
  return Math.min(MARK_MAX, Math.max(1, ...rows.map(({ mark }) => mark.length))) + 1;
}

export function Panel({ title, width, height, lines, top, hasFocus, found }: PanelProps): ReactElement {
  const inSight = lines.slice(top, top + height);
  const gutter = gutterOf(lines);
  const more = lines.length > top + height ? ` +${lines.length - top - height}` : "";
  const above = top > 0 ? ` -${top}` : "";
  return (
    <Box flexDirection="column" width={width} height={height + 1}>
      <Title text={`${title}${above}${more}`} width={width} hasFocus={hasFocus} />
      {inSight.map((line, i) => (
        <Text key={i} wrap="truncate-end" inverse={line.row === found}>
          <Text {...markStyle(line)}>{cut(line.mark, gutter - 1).padEnd(gutter)}</Text>
          <Text {...STYLES[line.tone]} bold={line.mark === "*"}>
            {line.text}
          </Text>
        </Text>
      ))}
    </Box>
  );
}
function markStyle({ mark }: Line): Style {
  if (mark === "*") return { color: "yellow", bold: true };
  if (mark === "!") return { color: "red", bold: true };
  return /[>\d]/.test(mark) ? { color: "cyan", bold: true } : {};
}

/** `-- locks ------`; the panel that has the keys has its name in brackets. */
export function Title({ text, width, hasFocus }: { text: string; width: number; hasFocus: boolean }): ReactElement {
  const name = cut(hasFocus ? `[${text}]` : ` ${text} `, Math.max(0, width - 1));
  return (
    <Text wrap="truncate-end">
      <Text dimColor>{"─"}</Text>
      <Text bold={hasFocus} color={hasFocus ? "cyan" : "blue"}>
        {name}
      </Text>
      <Text dimColor>{"─".repeat(Math.max(0, width - 1 - name.length))}</Text>
    </Text>
  );
}
