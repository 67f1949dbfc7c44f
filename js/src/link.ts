// Linked selection: which characters of every stage belong together. Pure, no DOM.
//
// The rule, the same as in workbench/base/link.py: the selection is the innermost mark at an
// offset. In a text it lights every mark whose origin is the selected one or was made from it;
// where there is none, the marks of the nearest ancestor that has some there, more weakly.

import type { Origins } from "./model.ts";

export interface Mark {
  readonly start: number;
  readonly end: number;
  readonly origin: number;
}

export type Range = readonly [start: number, end: number];

/** `same`: made from the selection; `nearest`: what the selection was made from; else nothing. */
export interface Lit {
  readonly strength: "same" | "nearest" | "none";
  readonly ranges: readonly Range[];
}

export interface Links {
  /** The origins that `origin` was made from, itself first, nearest first, each once. */
  readonly ancestors: (origin: number) => readonly number[];
  /** What a selection of `origin` lights in a text with these marks. */
  readonly lit: (marks: readonly number[], origin: number) => Lit;
}

const dark: Lit = { strength: "none", ranges: [] };

/** The links of one program; walks up the parents once per origin and remembers it. */
export function linksOf(origins: Pick<Origins, "parents">): Links {
  const known = new Map<number, ReadonlySet<number>>();
  const family = (origin: number): ReadonlySet<number> => {
    let found = known.get(origin);
    if (found === undefined) {
      found = new Set(walkUp(origins.parents, origin));
      known.set(origin, found);
    }
    return found;
  };
  const ancestors = (origin: number): readonly number[] => [...family(origin)];
  const lit = (marks: readonly number[], origin: number): Lit => {
    const made = rangesWhere(marks, (each) => family(each).has(origin));
    if (made.length > 0) return { strength: "same", ranges: made };
    const nearest = ancestors(origin).find((ancestor) => marked(marks, ancestor));
    if (nearest === undefined) return dark;
    return { strength: "nearest", ranges: rangesWhere(marks, (each) => each === nearest) };
  };
  return { ancestors, lit };
}

/** The marks of a flat list, as values. */
export function marksOf(flat: readonly number[]): readonly Mark[] {
  const marks: Mark[] = [];
  for (let i = 0; i + 2 < flat.length; i += 3) {
    marks.push({ start: flat[i] ?? 0, end: flat[i + 1] ?? 0, origin: flat[i + 2] ?? 0 });
  }
  return marks;
}

/** The smallest mark that holds the character at `offset`; of equal ones the last written. */
export function innermost(flat: readonly number[], offset: number): Mark | null {
  let best: Mark | null = null;
  for (const mark of marksOf(flat)) {
    if (mark.start <= offset && offset < mark.end) {
      if (best === null || mark.end - mark.start <= best.end - best.start) best = mark;
    }
  }
  return best;
}

export type Direction = "next" | "previous" | "out" | "in";

/**
 * The mark that an arrow key moves to from `current`, or null where there is none.
 * Marks are taken in reading order, an outer one before those inside it; `out` is the smallest
 * mark around the current one, `in` the first one inside it.
 */
export function step(
  flat: readonly number[],
  current: Mark | null,
  direction: Direction,
): Mark | null {
  const marks = readingOrder(flat);
  const found = current === null ? marks[0] : neighbour(marks, current, direction);
  return found ?? null;
}

function neighbour(
  marks: readonly Mark[],
  current: Mark,
  direction: Direction,
): Mark | undefined {
  const at = marks.findIndex((mark) => sameMark(mark, current));
  const before = marks.slice(0, Math.max(at, 0));
  const after = marks.slice(at + 1);
  switch (direction) {
    case "next":
      return after[0];
    case "previous":
      return before.at(-1);
    case "out":
      return before.findLast((mark) => inside(current, mark));
    case "in":
      return after.find((mark) => inside(mark, current));
  }
}

/** Whether one mark lies within another and is not as long. */
function inside(inner: Mark, outer: Mark): boolean {
  return outer.start <= inner.start && inner.end <= outer.end && !sameRange(inner, outer);
}

/** Ranges in order, those that overlap or touch joined. */
export function joined(ranges: readonly Range[]): readonly Range[] {
  const result: [number, number][] = [];
  for (const [start, end] of [...ranges].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = result.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}

export function sameMark(a: Mark, b: Mark): boolean {
  return sameRange(a, b) && a.origin === b.origin;
}

function sameRange(a: Mark, b: Mark): boolean {
  return a.start === b.start && a.end === b.end;
}

/** By start, the longer first, one of those that cover the same characters. */
function readingOrder(flat: readonly number[]): readonly Mark[] {
  const marks = marksOf(flat).toSorted((a, b) => a.start - b.start || b.end - a.end);
  return marks.filter((mark, i) => {
    const following = marks[i + 1];
    return following === undefined || !sameRange(mark, following);
  });
}

function rangesWhere(flat: readonly number[], holds: (origin: number) => boolean): Range[] {
  const ranges: Range[] = [];
  for (let i = 0; i + 2 < flat.length; i += 3) {
    if (holds(flat[i + 2] ?? -1)) ranges.push([flat[i] ?? 0, flat[i + 1] ?? 0]);
  }
  return ranges;
}

function marked(flat: readonly number[], origin: number): boolean {
  for (let i = 2; i < flat.length; i += 3) if (flat[i] === origin) return true;
  return false;
}

function walkUp(parents: readonly (readonly number[])[], origin: number): readonly number[] {
  const found = [origin];
  const seen = new Set(found);
  for (const each of found) {
    for (const parent of parents[each] ?? []) {
      if (!seen.has(parent)) found.push(parent);
      seen.add(parent);
    }
  }
  return found;
}
