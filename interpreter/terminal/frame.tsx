/** A whole frame: a pure function of the state and the size. */
import { Box, Text } from "ink";
import { Fragment, type ReactElement } from "react";
import type { Colour, Segment } from "../session/colour.ts";
import type { PanelName, PanelView } from "../view/view.ts";
import { layOut, type Layout } from "./layout.ts";
import { gutterOf, Panel, Title } from "./panel.tsx";
import { cut, linesOf, topOf, type Line } from "./rows.ts";
import type { AnswerPane, FrameState, Size } from "./state.ts";

/** Below this there is no room for anything; a line says so. */
export const SMALLEST: Size = { columns: 40, rows: 10 };
const INPUT_MAX = 6; // rows of the prompt
const ANSWER_SHARE = 0.6;

interface Parts {
  readonly input: number;
  readonly answer: number;
  readonly panels: number;
}
/** Who gets how many rows. */
export function partsOf({ answer, input }: FrameState, { rows }: Size): Parts {
  const inputRows = Math.min(input.length, INPUT_MAX, rows - 4);
  const free = rows - inputRows - 2; // header and key bar
  const wanted = answer === undefined ? 0 : answer.lines.length + 1;
  const most = Math.floor(free * ANSWER_SHARE);
  const answerRows = Math.min(wanted, Math.max(most, free - 8 < 0 ? free : most));
  return { input: inputRows, answer: answerRows, panels: free - answerRows };
}

export function Frame({ state, size }: { readonly state: FrameState; readonly size: Size }): ReactElement {
  const { columns, rows } = size;
  if (columns < SMALLEST.columns || rows < SMALLEST.rows)
    return <Text>{cut(`hmm needs ${SMALLEST.columns}x${SMALLEST.rows}`, columns)}</Text>;
  const parts = partsOf(state, size);
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      <Header state={state} width={columns} />
      <Panels state={state} columns={columns} rows={parts.panels} />
      {state.answer !== undefined && parts.answer > 0 ? (
        <Answer answer={state.answer} width={columns} height={parts.answer} />
      ) : null}
      <Input state={state} width={columns} height={parts.input} />
      <Bar state={state} width={columns} />
    </Box>
  );
}

function Header({ state, width }: { state: FrameState; width: number }): ReactElement {
  const { view } = state;
  const right = ` step ${view.step}/${view.steps} `;
  const left = cut(` hmm  ${view.name}  kernel ${view.kernel}`, Math.max(0, width - right.length));
  return <Text inverse>{left.padEnd(width - right.length) + right}</Text>;
}

/** Where the panels of a state lie in the room that there is for them. */
export function layoutOf(state: FrameState, room: Size): Layout {
  const wanted = (name: PanelName, width: number): number => {
    const { rows } = panelOf(state, name);
    return linesOf(name, rows, width - gutterOf(rows)).length;
  };
  return layOut(room, state.shown, wanted, state.isZoomed ? state.focus : undefined);
}
function Panels({ state, columns, rows }: { state: FrameState; columns: number; rows: number }): ReactElement {
  const { view, focus } = state;
  const layout = layoutOf(state, { columns, rows });
  const height = rows - (layout.events > 0 ? layout.events + 1 : 0);
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      {layout.columns.length === 0 ? null : (
        <Box width={columns} height={height}>
          {layout.columns.map((column, i) => (
            <Fragment key={i}>
              {i === 0 ? null : <Rule height={height} />}
              <Box flexDirection="column" width={column.width} height={height}>
                {column.places.map((place) => (
                  <OnePanel key={place.name} state={state} {...place} width={column.width} />
                ))}
              </Box>
            </Fragment>
          ))}
        </Box>
      )}
      {layout.events === 0 ? null : (
        <Panel
          title={`events${view.events.length === 0 ? "" : `  ${cut(view.status, columns - 16)}`}`}
          {...eventLines(state, layout.events, columns)}
          width={columns}
          height={layout.events}
          top={0}
          hasFocus={focus === "events"}
        />
      )}
    </Box>
  );
}
function Rule({ height }: { height: number }): ReactElement {
  return (
    <Box flexDirection="column" width={1} height={height}>
      {Array.from({ length: height }, (_, i) => (
        <Text key={i} dimColor>
          │
        </Text>
      ))}
    </Box>
  );
}
function OnePanel(props: { state: FrameState; name: PanelName; rows: number; width: number }): ReactElement {
  const { state, name, rows, width } = props;
  const panel = panelOf(state, name);
  const lines = linesOf(name, panel.rows, width - gutterOf(panel.rows));
  return (
    <Panel
      title={name}
      width={width}
      height={rows}
      lines={lines}
      top={topOf(lines, rows, panel.focus, state.scrolled.get(name))}
      hasFocus={state.focus === name}
    />
  );
}
export function panelOf({ view }: FrameState, name: PanelName): PanelView {
  return view.panels.find((panel) => panel.name === name) ?? { name, rows: [], focus: 0 };
}
/** The last events, or those that somebody has scrolled to. */
function eventLines(state: FrameState, height: number, width: number): { lines: Line[]; found: number | undefined } {
  const { events } = state.view;
  const rows = events.upTo(state.eventsEnd ?? events.length, height);
  const lines = rows.map(({ row, index }) => ({
    ...row,
    mark: index === state.found ? ">" : row.mark,
    text: cut(row.text, width - 2),
    row: index,
  }));
  return { lines, found: state.found };
}

function Answer({ answer, width, height }: { answer: AnswerPane; width: number; height: number }): ReactElement {
  const rows = height - 1;
  const top = Math.min(answer.top, Math.max(0, answer.lines.length - rows));
  const rest = answer.lines.length - top - rows;
  const place =
    answer.lines.length <= rows
      ? ""
      : `  ${top + 1}-${Math.min(top + rows, answer.lines.length)} of ${answer.lines.length}, PgUp PgDn`;
  return (
    <Box flexDirection="column" width={width} height={height}>
      <Title
        text={`${answer.isError ? "error" : "answer"}${place}${rest > 0 ? "" : "  Esc closes"}`}
        width={width}
        hasFocus={false}
      />
      {answer.lines.slice(top, top + rows).map((line, i) => (
        <Text key={i} wrap="truncate-end" {...answerStyle(line, answer.isError)}>
          {cut(line, width) || " "}
        </Text>
      ))}
    </Box>
  );
}
function answerStyle(line: string, isError: boolean): Record<string, string | boolean> {
  if (/^(error\[|BUG|WARNING|kernel BUG|general protection|INFO: tasks|memory leak| *FAIL)/.test(line))
    return { color: "red" };
  if (/^(warning\[)/.test(line)) return { color: "yellow" };
  if (/^( *ok |VERIFIED)/.test(line)) return { color: "green" };
  return isError && !line.startsWith(" ") ? { bold: true } : {};
}

const COLOURS: Readonly<Record<Colour, Record<string, string | boolean>>> = {
  plain: {},
  keyword: { bold: true },
  cpu: { color: "cyan" },
  number: { color: "green" },
  string: { color: "yellow" },
  comment: { dimColor: true },
  command: { color: "magenta" },
};
/** The first line of the prompt that is in sight. */
export function inputTop({ input, inputRow }: FrameState, height: number): number {
  return Math.max(0, Math.min(input.length - height, inputRow - Math.floor(height / 2)));
}
function Input({ state, width, height }: { state: FrameState; width: number; height: number }): ReactElement {
  const { input, prompt } = state;
  const top = inputTop(state, height);
  return (
    <Box flexDirection="column" width={width} height={height}>
      {input.slice(top, top + height).map((segments, i) => (
        <Text key={i} wrap="truncate-end">
          <Text bold>{top + i === 0 ? prompt : "... ".padStart(prompt.length)}</Text>
          <Segments segments={segments} />
        </Text>
      ))}
    </Box>
  );
}
function Segments({ segments }: { segments: readonly Segment[] }): ReactElement {
  return (
    <>
      {segments.map(({ text, colour }, i) => (
        <Text key={i} {...COLOURS[colour]}>
          {text}
        </Text>
      ))}
    </>
  );
}

/** What the keys do now, or what is going on. */
function Bar({ state, width }: { state: FrameState; width: number }): ReactElement {
  if (state.message !== "") return <Text wrap="truncate-end">{cut(` ${state.message}`, width)}</Text>;
  let used = 1;
  const shown = state.bar.filter(([key, what]) => (used += key.length + what.length + 3) <= width);
  return (
    <Text wrap="truncate-end">
      {shown.map(([key, what], i) => (
        <Fragment key={i}>
          <Text> </Text>
          <Text inverse>{key}</Text>
          <Text dimColor>{` ${what} `}</Text>
        </Fragment>
      ))}
    </Text>
  );
}
