// A window onto a plane as a table: moved by keys, one cell chosen, its index always in words.

import { element } from "../ui/dom.ts";
import { word } from "./numbers.ts";
import type { Extent, Numbers } from "./numbers.ts";

export const windowRows = 10;
export const windowColumns = 8;

/** A cell of the plane. */
export interface Cell {
  readonly row: number;
  readonly column: number;
}

export interface Window {
  readonly top: number;
  readonly left: number;
  /** For each row of the window its values. */
  readonly rows: readonly Numbers[];
}

/** Where a window must start so that a cell is in it, moved as little as can be. */
export function windowAt(cell: Cell, { top, left }: Pick<Window, "top" | "left">) {
  const into = (at: number, start: number, size: number): number =>
    Math.max(Math.min(start, at), at - size + 1, 0);
  return { top: into(cell.row, top, windowRows), left: into(cell.column, left, windowColumns) };
}

const moves: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-windowRows, 0],
  PageDown: [windowRows, 0],
  Home: [0, -Infinity],
  End: [0, Infinity],
};

/** The cell that a key leads to, or undefined for a key that moves nothing. */
export function moved(
  cell: Cell,
  key: string,
  { rows, columns }: Extent,
): Cell | undefined {
  const move = moves[key];
  if (move === undefined) return undefined;
  const inside = (at: number, extent: number): number => Math.max(0, Math.min(at, extent - 1));
  return { row: inside(cell.row + move[0], rows), column: inside(cell.column + move[1], columns) };
}

/** The table of a window; `choose` gets a cell that is clicked. */
export function tableOf(
  { top, left, rows }: Window,
  dtype: string,
  chosen: Cell,
  choose: (cell: Cell) => void,
): HTMLElement {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const heads = Array.from({ length: columns }, (_, n) =>
    element("th", { scope: "col" }, String(left + n)),
  );
  const body = rows.map((values, n) => {
    const cells = Array.from(values as ArrayLike<number>, (value, m) => {
      const cell = { row: top + n, column: left + m };
      const here = cell.row === chosen.row && cell.column === chosen.column;
      const selected = { "aria-selected": here ? "true" : undefined };
      const shown = element("td", selected, word(value, dtype));
      shown.addEventListener("click", () => { choose(cell); });
      return shown;
    });
    return element("tr", {}, element("th", { scope: "row" }, String(top + n)), ...cells);
  });
  const head = element("thead", {}, element("tr", {}, element("td"), ...heads));
  return element("table", { class: "wb-values wb-window" }, head, element("tbody", {}, ...body));
}
