// Who writes an array: each element in the colour of its workgroup, the chosen one framed.

import { cells, shade, sheetOf, stroke } from "./board.ts";
import { element } from "./dom.ts";

export interface Territory {
  readonly name: string;
  readonly shape: readonly number[];
  readonly columns: number;
  /** The number of each element's workgroup, row by row, -1 where nobody writes it. */
  readonly workgroups: readonly number[];
  /** What the chosen workgroup writes. */
  readonly words: string;
}

/** Colours go round by the golden angle, so that neighbours differ; as in accesses.py. */
const golden = 137.5 / 360;

/** A picture of it; a press on an element chooses its workgroup. */
export function territory(
  { name, shape, columns, workgroups, words }: Territory,
  chosen: number,
  choose: (workgroup: number) => void,
): HTMLElement {
  const rows = columns === 0 ? 0 : workgroups.length / columns;
  const { canvas, cell } = sheetOf({ top: 0, bottom: rows, left: 0, right: columns });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${name} by workgroups: ${words}`);
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const row = Math.floor((rows * (event.clientY - box.top)) / box.height);
    const column = Math.floor((columns * (event.clientX - box.left)) / box.width);
    const found = workgroups[row * columns + column] ?? -1;
    if (found >= 0) choose(found);
  });
  const paint = canvas.getContext("2d");
  if (paint !== null) {
    const colours = cells(rows, columns);
    colours.draw(paint, cell, workgroups, (number) => shade(golden * number, 0.8));
    frameOf(paint, cell, { rows, columns, holds: (place) => workgroups[place] === chosen });
  }
  const code = element("code", {}, `${name}[${shape.join(", ")}]`);
  const caption = element("figcaption", {}, code, ` by workgroups: ${words}`);
  return element("figure", { class: "wb-board" }, caption, canvas);
}

interface Part {
  readonly rows: number;
  readonly columns: number;
  readonly holds: (place: number) => boolean;
}

/** Draws the border between what a part holds and what it does not. */
function frameOf(paint: CanvasRenderingContext2D, cell: number, part: Part): void {
  const { rows, columns, holds } = part;
  const there = (row: number, column: number): boolean =>
    row >= 0 && row < rows && column >= 0 && column < columns && holds(row * columns + column);
  const line = (x: number, y: number, dx: number, dy: number): void => {
    paint.moveTo(x * cell, y * cell);
    paint.lineTo((x + dx) * cell, (y + dy) * cell);
  };
  stroke(paint, false, () => {
    paint.beginPath();
    for (let row = 0; row <= rows; row += 1) {
      for (let column = 0; column <= columns; column += 1) {
        const here = there(row, column);
        if (here !== there(row - 1, column)) line(column, row, 1, 0);
        if (here !== there(row, column - 1)) line(column, row, 0, 1);
      }
    }
    paint.stroke();
  });
}
