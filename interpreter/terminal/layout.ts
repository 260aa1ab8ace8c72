/** Where the panels lie: a function of the size of the terminal and of which panels have anything to show. */
import type { PanelName } from "../view/view.ts";

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
  ...{ script: 5, cpus: 4, mm: 4, locks: 2, notifiers: 2, devices: 2, objects: 2, events: 4 },
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

/** `shown`: the panels that have had anything to show so far; `zoomed`: the one that takes all the room. */
export function layOut(columns: number, rows: number, shown: ReadonlySet<PanelName>, zoomed?: PanelName): Layout {
  if (zoomed === "events") return { columns: [], events: rows - 1 };
  if (zoomed !== undefined)
    return { columns: [{ width: columns, places: [{ name: zoomed, rows: rows - 1 }] }], events: 0 };
  const wanted = Math.min(EVENTS_MAX, Math.max(EVENTS_MIN, Math.round(rows * EVENTS_SHARE)));
  const events = rows >= wanted + 1 + 2 * PANEL_MIN ? wanted : 0;
  const height = rows - (events === 0 ? 0 : events + 1);
  const count = columns >= THREE_COLUMNS ? 3 : columns >= TWO_COLUMNS ? 2 : 1;
  const arranged = ARRANGED[count].map((names) => names.filter((name) => shown.has(name)));
  const used = arranged.filter((names) => names.length > 0);
  const width = Math.floor((columns - (used.length - 1)) / Math.max(1, used.length));
  return {
    columns: used.map((names, i) => ({
      width: i < used.length - 1 ? width : columns - (width + 1) * (used.length - 1),
      places: share(names, height),
    })),
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
const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
