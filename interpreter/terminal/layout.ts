/** Where the panels lie: a function of the size of the terminal and of which panels have anything to show. */
import type { PanelName } from "../view/view.ts";
import type { Size } from "./state.ts";

export interface Place {
  readonly name: PanelName;
  /** Rows of text below its title. */
  readonly rows: number;
}
export interface Column {
  readonly width: number;
  readonly places: readonly Place[];
}
export interface Layout {
  readonly columns: readonly Column[];
  /** Rows of events below their title; 0: there is no room for them. */
  readonly events: number;
}

/** How much of its column a panel gets, and which go first where there is no room: the last ones. */
const WEIGHTS: Readonly<Record<PanelName, number>> = {
  ...{ script: 5, cpus: 4, mm: 4, locks: 3, notifiers: 4, devices: 2, objects: 2, events: 4 },
};
const ARRANGED: Readonly<Record<1 | 2 | 3, readonly (readonly PanelName[])[]>> = {
  1: [["script", "cpus", "mm", "locks", "notifiers", "devices", "objects"]],
  2: [
    ["script", "locks", "notifiers"],
    ["cpus", "mm", "devices", "objects"],
  ],
  3: [
    ["script", "objects"],
    ["cpus", "locks", "notifiers"],
    ["mm", "devices"],
  ],
};
const PANEL_MIN = 2; // its title, and a row
const TWO_COLUMNS = 72;
const THREE_COLUMNS = 132;
const EVENTS_SHARE = 0.3;
const EVENTS_MIN = 3;
const EVENTS_MAX = 16;

/** How many lines a panel would fill at a width. */
export type Wanted = (name: PanelName, width: number) => number;

/** `shown`: the panels that have had anything to show so far; `zoomed`: the one that takes all the room. */
export function layOut(
  { columns, rows }: Size,
  shown: ReadonlySet<PanelName>,
  wanted: Wanted,
  zoomed?: PanelName,
): Layout {
  if (zoomed === "events") return { columns: [], events: rows - 1 };
  if (zoomed !== undefined)
    return { columns: [{ width: columns, places: [{ name: zoomed, rows: rows - 1 }] }], events: 0 };
  const below = Math.min(EVENTS_MAX, Math.max(EVENTS_MIN, Math.round(rows * EVENTS_SHARE)));
  const events = rows >= below + 1 + 2 * PANEL_MIN ? below : 0;
  const height = rows - (events === 0 ? 0 : events + 1);
  const count = columns >= THREE_COLUMNS ? 3 : columns >= TWO_COLUMNS ? 2 : 1;
  const arranged = ARRANGED[count].map((names) => names.filter((name) => shown.has(name)));
  const used = arranged.filter((names) => names.length > 0);
  const width = Math.floor((columns - (used.length - 1)) / Math.max(1, used.length));
  return {
    columns: used.map((names, i) => {
      const own = i < used.length - 1 ? width : columns - (width + 1) * (used.length - 1);
      return { width: own, places: lent(share(names, height), (name) => wanted(name, own)) };
    }),
    events,
  };
}

/** Deals the rows of a column out among its panels. */
function share(names: readonly PanelName[], height: number): Place[] {
  const kept = names.slice(0, Math.max(1, Math.floor(height / PANEL_MIN)));
  const free = height - kept.length;
  const total = kept.reduce((sum, name) => sum + WEIGHTS[name], 0);
  const rows = kept.map((name) => Math.max(1, Math.floor((free * WEIGHTS[name]) / total)));
  // What rounding has left over goes to the first, what it has taken too much comes from the largest.
  for (let left = free - sum(rows); left > 0; left--) rows[0] = (rows[0] ?? 0) + 1;
  for (let over = sum(rows) - free; over > 0; over--) {
    const largest = rows.indexOf(Math.max(...rows));
    rows[largest] = Math.max(0, (rows[largest] ?? 0) - 1);
  }
  return kept.map((name, i) => ({ name, rows: rows[i] ?? 0 }));
}
/** Rows that a panel leaves blank go to those of its column that have not enough: first to who lacks least. */
function lent(places: readonly Place[], wanted: (name: PanelName) => number): Place[] {
  const wants = places.map(({ name }) => Math.max(1, wanted(name)));
  const rows = places.map((place) => place.rows);
  const spare = (i: number): number => (rows[i] ?? 0) - (wants[i] ?? 0);
  for (;;) {
    const indices = rows.map((_row, i) => i);
    const [needy] = indices.filter((i) => spare(i) < 0).sort((a, b) => spare(b) - spare(a));
    const [giver] = indices.filter((i) => spare(i) > 0).sort((a, b) => spare(b) - spare(a));
    if (needy === undefined || giver === undefined) break;
    rows[needy] = (rows[needy] ?? 0) + 1;
    rows[giver] = (rows[giver] ?? 0) - 1;
  }
  return places.map(({ name }, i) => ({ name, rows: rows[i] ?? 0 }));
}
const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
