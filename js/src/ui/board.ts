// An array as a board of cells: who reached each element last, and who reaches one now.

import { element } from "./dom.ts";

/** The part of an array that is drawn: rows top to bottom, columns left to right, ends out. */
export interface Grid {
  readonly name: string;
  readonly memory: string;
  readonly shape: readonly number[];
  readonly columns: number;
  readonly element_bytes: number;
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

export interface Memory {
  readonly invocations: number;
  /** Bytes of a cache line, bytes that a bank gives at once, and how many banks there are. */
  readonly line: number;
  readonly bank: number;
  readonly banks: number;
}

export interface Now {
  readonly elements: readonly number[];
  readonly bank: number;
}

export interface Board {
  readonly el: HTMLElement;
  /** Draws what was reached before, and what is reached now, if anything is. */
  readonly draw: (past: readonly (readonly number[])[], now: Now | null) => void;
}

const largest = 14;
const smallest = 2;
const room = 260;

/** A canvas with a place for each element of a grid. */
interface Sheet {
  readonly paint: CanvasRenderingContext2D | null;
  readonly cell: number;
  /** The upper left corner of an element, null where it is not drawn. */
  readonly at: (place: number) => readonly [number, number] | null;
}

export function board(grid: Grid, memory: Memory): Board {
  const rows = grid.bottom - grid.top;
  const columns = grid.right - grid.left;
  const fit = Math.floor(room / Math.max(rows, columns));
  const cell = Math.max(smallest, Math.min(largest, fit));
  const part = `rows ${range(grid.top, grid.bottom)}, columns ${range(grid.left, grid.right)}`;
  const canvas = element("canvas", {
    width: columns * cell, height: rows * cell, role: "img", "aria-label": `${grid.name}, ${part}`,
  });
  const shape = `${grid.name}[${grid.shape.join(", ")}]`;
  const caption = element("figcaption", {}, element("code", {}, shape), ` ${grid.memory}`);
  const sheet: Sheet = { paint: canvas.getContext("2d"), cell, at: placer(grid, cell) };
  const lineOf = (place: number) => Math.floor((place * grid.element_bytes) / memory.line);
  const bankOf = (place: number) =>
    Math.floor((place * grid.element_bytes) / memory.bank) % memory.banks;
  return {
    el: element("figure", { class: "wb-board" }, caption, canvas),
    draw(past, now) {
      if (sheet.paint === null) return;
      sheet.paint.clearRect(0, 0, canvas.width, canvas.height);
      for (const elements of past) fill(sheet, elements, memory.invocations, 0.3);
      if (now === null) return;
      fill(sheet, now.elements, memory.invocations, 1);
      sheet.paint.strokeStyle = getComputedStyle(canvas).color;
      if (grid.memory === "storage") {
        const touched = new Set(now.elements.filter((place) => place >= 0).map(lineOf));
        frame(sheet, grid, (place) => touched.has(lineOf(place)));
      } else if (now.bank >= 0) {
        cross(sheet, now.elements.filter((place) => place >= 0 && bankOf(place) === now.bank));
      }
    },
  };
}

function placer(grid: Grid, cell: number): Sheet["at"] {
  return (place) => {
    const row = Math.floor(place / grid.columns);
    const column = place % grid.columns;
    const inside = row >= grid.top && row < grid.bottom;
    if (place < 0 || !inside || column < grid.left || column >= grid.right) return null;
    return [(column - grid.left) * cell, (row - grid.top) * cell];
  };
}

/** Colours elements by the invocation that reaches them. */
function fill(
  { paint, cell, at }: Sheet,
  elements: readonly number[],
  invocations: number,
  strength: number,
): void {
  elements.forEach((place, invocation) => {
    const found = at(place);
    if (paint === null || found === null) return;
    paint.fillStyle = colour(invocation / invocations, strength);
    paint.fillRect(found[0], found[1], cell, cell);
  });
}

/** Frames the parts of each row that are lit. */
function frame({ paint, cell }: Sheet, grid: Grid, lit: (place: number) => boolean): void {
  if (paint === null || cell < 4) return;
  for (let row = grid.top; row < grid.bottom; row += 1) {
    const y = (row - grid.top) * cell + 0.5;
    let from: number | null = null;
    for (let column = grid.left; column <= grid.right; column += 1) {
      const inside = column < grid.right && lit(row * grid.columns + column);
      if (inside) {
        from ??= column;
      } else if (from !== null) {
        paint.strokeRect((from - grid.left) * cell + 0.5, y, (column - from) * cell - 1, cell - 1);
        from = null;
      }
    }
  }
}

/** Crosses elements out. */
function cross({ paint, cell, at }: Sheet, elements: readonly number[]): void {
  if (paint === null) return;
  for (const place of elements) {
    const found = at(place);
    if (found === null) continue;
    const [x, y] = found;
    paint.beginPath();
    paint.moveTo(x, y);
    paint.lineTo(x + cell, y + cell);
    paint.moveTo(x + cell, y);
    paint.lineTo(x, y + cell);
    paint.stroke();
  }
}

function colour(share: number, strength: number): string {
  return `hsl(${(360 * share).toFixed(0)} 65% 55% / ${String(strength)})`;
}

function range(start: number, end: number): string {
  return `${String(start)} to ${String(end - 1)}`;
}
