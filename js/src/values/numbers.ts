// The numbers of an array as the page holds them: bytes as a dtype, planes, and words for values.

/** What the page is told of an array; `state` of the widget in workbench/widget/values.py. */
export interface ValuesState {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly places: readonly string[];
  /** The buffer of this page's GPU that holds the values, if one does. */
  readonly page: { readonly token: string; readonly handle: number } | null;
  readonly numbers: readonly (readonly [string, string])[];
  readonly first_nan: readonly number[] | null;
  readonly histogram: Histogram | null;
  readonly difference: Difference | null;
}

export interface Histogram {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

export interface Difference {
  readonly count: number;
  readonly first: readonly number[] | null;
  readonly largest: readonly number[] | null;
  readonly words: string;
}

/** The values of a piece of an array. */
export type Numbers = ArrayLike<number | bigint> & Iterable<number | bigint>;

/** Bytes that one element takes on the wire; a bool is a 32-bit word. */
export function elementBytes(dtype: string): number {
  return dtype === "bool" ? 4 : Number(/\d+$/.exec(dtype)?.[0] ?? 32) / 8;
}

/** A half-precision number from its bits. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bytes of whole elements as numbers of a dtype; throws for a dtype it does not know. */
export function numbersOf(bytes: ArrayBuffer, dtype: string): Numbers {
  const whole = bytes.slice(0, bytes.byteLength - (bytes.byteLength % elementBytes(dtype)));
  switch (dtype) {
    case "f32": return new Float32Array(whole);
    case "f64": return new Float64Array(whole);
    case "f16": return Array.from(new Uint16Array(whole), half);
    case "i32": return new Int32Array(whole);
    case "u32":
    case "bool": return new Uint32Array(whole);
    case "i8": return new Int8Array(whole);
    case "u8": return new Uint8Array(whole);
    case "i64": return new BigInt64Array(whole);
    default: throw new Error(`this page knows no dtype '${dtype}'`);
  }
}

export interface Extent {
  readonly rows: number;
  readonly columns: number;
}

/** The last two axes of a shape: rows and columns; a vector is one row. */
export function planeOf(shape: readonly number[]): Extent {
  return { rows: shape.at(-2) ?? 1, columns: shape.at(-1) ?? 1 };
}

/** Where the plane at `index`, of the axes before the last two, starts: its first element. */
export function planeStart(shape: readonly number[], index: readonly number[]): number {
  const { rows, columns } = planeOf(shape);
  let plane = 0;
  index.forEach((at, axis) => { plane = plane * (shape[axis] ?? 1) + at; });
  return plane * rows * columns;
}

/** One value in a few characters: five digits of a float, whole numbers whole. */
export function word(value: number | bigint, dtype: string): string {
  if (dtype === "bool") return value ? "True" : "False";
  if (!dtype.startsWith("f") || typeof value === "bigint") return String(value);
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return String(Number(value.toPrecision(5)));
}
