// A part of an axis that is seen: moved, brought nearer, and where values stand in it.

/** From where to where. */
export type Part = readonly [from: number, to: number];

/** So much smaller than all of it the smallest part is. */
const NEAREST = 1e-7;

/** A part that is as long as it was, or as all is, and within all. */
export function inside([from, to]: Part, [first, last]: Part): Part {
  const whole = last - first;
  const length = Math.min(whole, Math.max(to - from, whole * NEAREST));
  const begin = Math.min(Math.max(from, first), last - length);
  return [begin, begin + length];
}

/** A part that is moved by a share of its length. */
export function moved([from, to]: Part, share: number): Part {
  const by = share * (to - from);
  return [from + by, to + by];
}

/** A part `factor` times as long, with `fixed` (else its middle) where it was. */
export function zoomed([from, to]: Part, factor: number, fixed?: number): Part {
  const seen = fixed !== undefined && fixed >= from && fixed <= to;
  const middle = seen ? fixed : (from + to) / 2;
  return [middle - factor * (middle - from), middle + factor * (to - middle)];
}

/** Where a value stands in a part, from 0 to 1; what is outside stands at its ends. */
export function placed(value: number, [from, to]: Part): number {
  return Math.min(1, Math.max(0, (value - from) / (to - from)));
}

/** Round values within a part, about six. */
export function ticksOf([from, to]: Part): readonly number[] {
  const least = (to - from) / 6;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((lead) => lead * power).find((each) => each >= least) ?? least;
  const found: number[] = [];
  for (let n = Math.ceil(from / step); n * step <= to; n += 1) found.push(n * step);
  return found;
}
