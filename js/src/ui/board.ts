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

export interface Moment {
  /** The number of the array, -1 for a barrier. */
  readonly grid: number;
  /** The flat element of each invocation, -1 where it reaches none. */
  readonly elements: readonly number[];
  readonly bank: number;
  /** Whether memory has to do more than it must. */
  readonly slow: boolean;
}

export interface Board {
  readonly el: HTMLElement;
  /** Draws what the moments before `at` reached, and what that one reaches, if it is here. */
  readonly draw: (at: number) => void;
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

/** The board of the array of that number, over all moments of a workgroup. */
export function board(
  grid: Grid,
  number: number,
  moments: readonly Moment[],
  memory: Memory,
): Board {
  const { canvas, cell } = sheetOf(grid);
  const part = `rows ${range(grid.top, grid.bottom)}, columns ${range(grid.left, grid.right)}`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${grid.name}, ${part}`);
  const shape = `${grid.name}[${grid.shape.join(", ")}]`;
  const caption = element("figcaption", {}, element("code", {}, shape), ` ${grid.memory}`);
  const sheet: Sheet = { paint: canvas.getContext("2d"), cell, at: placer(grid, cell) };
  const past = reached(grid, number, moments);
  const layer = cells(grid.bottom - grid.top, grid.right - grid.left);
  const lineOf = (place: number) => Math.floor((place * grid.element_bytes) / memory.line);
  const bankOf = (place: number) =>
    Math.floor((place * grid.element_bytes) / memory.bank) % memory.banks;
  return {
    el: element("figure", { class: "wb-board" }, caption, canvas),
    draw(at) {
      if (sheet.paint === null) return;
      sheet.paint.clearRect(0, 0, canvas.width, canvas.height);
      layer.draw(sheet.paint, cell, past(at), (who) => shade(who / memory.invocations, 0.3));
      const now = moments[at];
      if (now?.grid !== number) return;
      fill(sheet, now.elements, memory.invocations);
      const there = now.elements.filter((place) => place >= 0);
      if (grid.memory === "storage") {
        const touched = new Set(there.map(lineOf));
        stroke(sheet.paint, now.slow, () => {
          frame(sheet, grid, (place) => touched.has(lineOf(place)));
        });
      } else if (now.bank >= 0) {
        const asked = there.filter((place) => bankOf(place) === now.bank);
        stroke(sheet.paint, false, () => { cross(sheet, asked); });
      }
    },
  };
}

/** Draws lines that are seen on every colour and in both themes: dark ones within light ones. */
export function stroke(
  paint: CanvasRenderingContext2D,
  dashed: boolean,
  draw: () => void,
): void {
  for (const [colour, width] of [["#ffffff", 3], ["#000000", 1.5]] as const) {
    paint.strokeStyle = colour;
    paint.lineWidth = width;
    paint.setLineDash(dashed && width < 2 ? [3, 3] : []);
    draw();
  }
  paint.setLineDash([]);
}

type Drawn = Pick<Grid, "top" | "bottom" | "left" | "right">;

/** A canvas whose cells are as large as fits. */
export function sheetOf({ top, bottom, left, right }: Drawn) {
  const fit = Math.floor(room / Math.max(bottom - top, right - left, 1));
  const cell = Math.max(smallest, Math.min(largest, fit));
  const [width, height] = [(right - left) * cell, (bottom - top) * cell];
  return { canvas: element("canvas", { width, height }), cell };
}

/**
 * Who reached each drawn element last before a moment, -1 for nobody. Going on costs what is new
 * only; going back starts again.
 */
function reached(grid: Grid, number: number, moments: readonly Moment[]) {
  const columns = grid.right - grid.left;
  const last = new Int32Array((grid.bottom - grid.top) * columns).fill(-1);
  let done = 0;
  return (at: number): Int32Array => {
    if (at < done) {
      last.fill(-1);
      done = 0;
    }
    for (; done < at; done += 1) {
      const moment = moments[done];
      if (moment?.grid !== number) continue;
      moment.elements.forEach((place, who) => {
        const row = Math.floor(place / grid.columns) - grid.top;
        const column = (place % grid.columns) - grid.left;
        const inside = column >= 0 && column < columns;
        if (place >= 0 && row >= 0 && inside && row * columns < last.length) {
          last[row * columns + column] = who;
        }
      });
    }
    return last;
  };
}

/** A colour as red, green, blue and how much of it, from 0 to 255. */
export type Shade = readonly [number, number, number, number];

/** Numbers of a grid as coloured cells, drawn at once however many there are; -1 has no colour. */
export function cells(rows: number, columns: number) {
  const small = element("canvas", { width: columns, height: rows });
  const paint = small.getContext("2d");
  const image = rows * columns === 0 ? undefined : paint?.createImageData(columns, rows);
  return {
    draw(
      onto: CanvasRenderingContext2D,
      cell: number,
      numbers: ArrayLike<number>,
      shadeOf: (number: number) => Shade,
    ): void {
      if (image === undefined || paint === null) return;
      const known = new Map<number, Shade>();
      for (let i = 0; i < rows * columns; i += 1) {
        const number = numbers[i] ?? -1;
        const shade = known.get(number) ?? (number < 0 ? [0, 0, 0, 0] : shadeOf(number));
        known.set(number, shade);
        image.data.set(shade, 4 * i);
      }
      paint.putImageData(image, 0, 0);
      onto.imageSmoothingEnabled = false;
      onto.drawImage(small, 0, 0, columns * cell, rows * cell);
    },
  };
}

/** The colour of a part of the circle, at a strength from 0 to 1. */
export function shade(share: number, strength: number): Shade {
  const channel = (offset: number): number => {
    const k = (offset + 12 * (share % 1)) % 12;
    return Math.round(255 * (0.55 - 0.2925 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4), Math.round(255 * strength)];
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
function fill({ paint, cell, at }: Sheet, elements: readonly number[], invocations: number): void {
  if (paint === null) return;
  elements.forEach((place, invocation) => {
    const found = at(place);
    if (found === null) return;
    const [red, green, blue] = shade(invocation / invocations, 1);
    paint.fillStyle = `rgb(${red} ${green} ${blue})`;
    paint.fillRect(found[0], found[1], cell, cell);
  });
}

/** Frames the parts of each row that are lit. */
function frame({ paint, cell }: Sheet, grid: Grid, lit: (place: number) => boolean): void {
  if (paint === null) return;
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

function range(start: number, end: number): string {
  return `${String(start)} to ${String(end - 1)}`;
}
