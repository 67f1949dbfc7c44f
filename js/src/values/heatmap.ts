// A plane of numbers as a picture: the same colours as workbench/widget/picture.py.

import type { Numbers } from "./numbers.ts";

const stops = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]] as const;
const notFinite = [214, 39, 40] as const;

/** Four bytes a pixel, row by row. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

export interface Plane {
  readonly values: Numbers;
  readonly rows: number;
  readonly columns: number;
}

/** Red, green and blue of a value's place between the least (0) and the greatest (1). */
export function colourAt(place: number): readonly [number, number, number] {
  const at = Math.min(Math.max(place, 0), 1) * (stops.length - 1);
  const low = stops[Math.floor(at)] ?? stops[0];
  const high = stops[Math.ceil(at)] ?? low;
  const part = at - Math.floor(at);
  const mixed = (channel: 0 | 1 | 2): number =>
    Math.round(low[channel] + (high[channel] - low[channel]) * part);
  return [mixed(0), mixed(1), mixed(2)];
}

/** Least and greatest finite value of a plane; 0 and 0 where there is none. */
export function rangeOf({ values }: Plane): readonly [number, number] {
  let [least, greatest] = [Infinity, -Infinity];
  for (const each of values) {
    const value = Number(each);
    if (!Number.isFinite(value)) continue;
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
  }
  return least > greatest ? [0, 0] : [least, greatest];
}

/** The pixels of a plane, at most `side` in each direction; of larger planes every nth element. */
export function heatmap(
  { values, rows, columns }: Plane,
  [least, greatest]: readonly [number, number],
  side: number,
): Pixels {
  const step = Math.max(1, Math.ceil(Math.max(rows, columns) / side));
  const [height, width] = [Math.ceil(rows / step), Math.ceil(columns / step)];
  const pixels = new Uint8ClampedArray(4 * width * height);
  const span = greatest - least || 1;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = Number(values[y * step * columns + x * step] ?? NaN);
      const colour = Number.isFinite(value) ? colourAt((value - least) / span) : notFinite;
      pixels.set([...colour, 255], 4 * (y * width + x));
    }
  }
  return { width, height, pixels };
}
