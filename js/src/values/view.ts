/**
 * The view of an array's values: numbers of the whole, histogram, picture, and a table to walk in.
 *
 * The axes before the last two are chosen by number; the last two are the plane that is seen.
 * Pieces come from a `Source`; nothing is asked for before it is looked at.
 */
import { element } from "../ui/dom.ts";
import { type Plane, heatmap, rangeOf } from "./heatmap.ts";
import { histogramOf } from "./histogram.ts";
import { numbersOf, planeOf, planeStart, type ValuesState, word } from "./numbers.ts";
import type { Extent, Numbers } from "./numbers.ts";
import type { Source } from "./source.ts";
import { type Cell, moved, tableOf, windowAt, windowColumns, windowRows } from "./table.ts";

const pictureSide = 320;
/** Elements of a plane up to which it is drawn as a picture. */
const pictureMost = 2 ** 20;
const pictureLeast = 8;

type Shown = "values" | "reference";

interface Place {
  readonly index: readonly number[];
  readonly cell: Cell;
  readonly top: number;
  readonly left: number;
  readonly of: Shown;
}

export interface ValuesContext {
  readonly el: HTMLElement;
  readonly state: ValuesState;
  readonly source: Source;
  readonly signal: AbortSignal;
}

type Read = (of: Shown, start: number, count: number) => Promise<Numbers>;

/** Reads pieces as numbers. */
function reader({ state, source }: ValuesContext): Read {
  return async (of, start, count) => {
    if (count === 0) return [];
    return numbersOf(await source({ of, start, count }), state.dtype);
  };
}

/** The rows of the window of a place. */
function readWindow(read: Read, { shape }: ValuesState, place: Place): Promise<Numbers[]> {
  const plane = planeOf(shape);
  const count = Math.max(0, Math.min(windowColumns, plane.columns - place.left));
  const length = Math.max(0, Math.min(windowRows, plane.rows - place.top));
  const first = planeStart(shape, place.index) + place.left;
  const rows = Array.from({ length }, (_, n) => first + (place.top + n) * plane.columns);
  return Promise.all(rows.map((start) => read(place.of, start, count)));
}

/** The chosen cell in words: its index and its value. */
function sentence(state: ValuesState, place: Place, rows: readonly Numbers[]): string {
  const { of, index, cell, top, left } = place;
  const value = rows[cell.row - top]?.[cell.column - left];
  if (value === undefined) return "no values";
  const where = [...index, cell.row, cell.column].slice(index.length + 2 - state.shape.length);
  const name = of === "values" ? state.name : "reference";
  const at = where.length === 0 ? "" : `[${where.join(", ")}]`;
  return `${name}${at} = ${word(value, state.dtype)}`;
}

/** The plane of a place as numbers; undefined where it is too large or too small for a picture. */
async function readPlane(
  read: Read,
  { shape }: ValuesState,
  place: Place,
): Promise<Plane | undefined> {
  const { rows, columns } = planeOf(shape);
  if (rows * columns > pictureMost || Math.min(rows, columns) < pictureLeast) return undefined;
  const values = await read(place.of, planeStart(shape, place.index), rows * columns);
  return { values, rows, columns };
}

/** Draws the values; everything that it starts ends with the signal. */
export function drawValues(context: ValuesContext): void {
  const { el, state, signal } = context;
  const read = reader(context);
  const plane = planeOf(state.shape);
  const leading = state.shape.slice(0, -2);
  const { table, words, picture } = parts(state);
  let place: Place = { ...origin, index: leading.map(() => 0) };

  const drawTable = async (at: Place): Promise<void> => {
    const rows = await readWindow(read, state, at);
    if (at !== place || signal.aborted) return;
    const choose = (cell: Cell): void => { show({ cell }); };
    table.replaceChildren(tableOf({ ...at, rows }, state.dtype, at.cell, choose));
    words.textContent = sentence(state, at, rows);
  };
  const drawPicture = async (at: Place): Promise<void> => {
    const found = await readPlane(read, state, at);
    if (found !== undefined && !signal.aborted) paint(picture, found, state);
  };
  const show = (change: Partial<Place>): void => {
    const next = { ...place, ...change };
    const other = next.of !== place.of || next.index.join() !== place.index.join();
    place = { ...next, ...windowAt(next.cell, next) };
    void drawTable(place);
    if (other) void drawPicture(place);
  };
  table.addEventListener("keydown", (event) => {
    const cell = moved(place.cell, event.key, plane);
    if (cell === undefined) return;
    event.preventDefault();
    show({ cell });
  });
  picture.addEventListener("click", (event) => { show({ cell: cellAt(picture, event, plane) }); });
  const beside = element("div", { class: "wb-result" }, picture, element("div", {}, table, words));
  el.append(...heading(state), controls(state, leading, show), beside);
  void drawTable(place);
  void drawPicture(place);
}

const origin: Place = { index: [], cell: { row: 0, column: 0 }, top: 0, left: 0, of: "values" };

function parts({ name }: ValuesState) {
  const grid = { class: "wb-grid", tabindex: 0, role: "group", "aria-label": `values of ${name}` };
  return {
    table: element("div", grid),
    words: element("p", { class: "wb-cell", role: "status", "aria-live": "polite" }, "reading"),
    picture: element("canvas", { class: "wb-heatmap", role: "img", hidden: true }),
  };
}

function paint(canvas: HTMLCanvasElement, plane: Plane, state: ValuesState): void {
  const range = rangeOf(plane);
  const { width, height, pixels } = heatmap(plane, range, pictureSide);
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  const [least, greatest] = range.map((value) => word(value, state.dtype));
  const words = `a plane of ${state.name} as a picture, dark ${least} to light ${greatest}`;
  canvas.setAttribute("aria-label", words);
  canvas.title = words;
  canvas.hidden = false;
}

/** The cell of the plane under the pointer. */
function cellAt(
  canvas: HTMLCanvasElement,
  event: MouseEvent,
  { rows, columns }: Extent,
): Cell {
  const box = canvas.getBoundingClientRect();
  const part = (at: number, start: number, size: number, extent: number): number =>
    Math.min(extent - 1, Math.max(0, Math.floor(((at - start) / size) * extent)));
  return {
    row: part(event.clientY, box.top, box.height, rows),
    column: part(event.clientX, box.left, box.width, columns),
  };
}

function heading(state: ValuesState): readonly HTMLElement[] {
  const numbers = state.numbers.map(([name, value]) => `${name} ${value}`).join(" · ");
  const type = ` ${state.dtype}[${state.shape.join(", ")}] on ${state.places.join(", ")}`;
  const title = element("p", {}, element("code", {}, element("b", {}, state.name), type));
  const facts = element("p", { class: "wb-soft" }, numbers);
  const apart = state.difference;
  const differs = apart === null ? null : element("p", {}, `against the reference: ${apart.words}`);
  const { histogram } = state;
  const bars = histogram === null ? element("div") : histogramOf(histogram, state.dtype);
  return [title, facts, ...(differs === null ? [] : [differs]), bars];
}

/** Inputs for the leading axes, jumps, and the choice between values and reference. */
function controls(
  state: ValuesState,
  leading: readonly number[],
  show: (change: Partial<Place>) => void,
): HTMLElement {
  const row = element("div", { class: "wb-controls" });
  const inputs = leading.map((extent, axis) => {
    const max = Math.max(0, extent - 1);
    const input = element("input", { type: "number", min: 0, max, value: 0 });
    row.append(element("label", {}, `axis ${axis} `, input));
    return input;
  });
  const inside = ({ max, valueAsNumber }: HTMLInputElement): number =>
    Math.min(Number(max), Math.max(0, Math.trunc(valueAsNumber || 0)));
  const index = (): number[] => inputs.map(inside);
  for (const input of inputs) {
    input.addEventListener("input", () => { show({ index: index() }); });
  }
  const jump = (label: string, to: readonly number[] | null | undefined): void => {
    if (to === null || to === undefined) return;
    const button = element("button", { type: "button", class: "wb-button" }, label);
    button.addEventListener("click", () => {
      inputs.forEach((input, axis) => { input.valueAsNumber = to[axis] ?? 0; });
      show({ index: to.slice(0, -2), cell: { row: to.at(-2) ?? 0, column: to.at(-1) ?? 0 } });
    });
    row.append(button);
  };
  jump("first NaN", state.first_nan);
  jump("first difference", state.difference?.first);
  jump("largest difference", state.difference?.largest);
  if (state.difference !== null) row.append(choice(show));
  return row;
}

function choice(show: (change: Partial<Place>) => void): HTMLElement {
  const select = element(
    "select",
    { class: "wb-choice", "aria-label": "what is shown" },
    element("option", { value: "values" }, "values"),
    element("option", { value: "reference" }, "reference"),
  );
  select.addEventListener("change", () => {
    show({ of: select.value === "reference" ? "reference" : "values" });
  });
  return select;
}
