import { describe, expect, test } from "vitest";
import { innermost, joined, linksOf, marksOf, step } from "../src/link.ts";

// 0 is the source's sum, 1 and 2 its operands; 3 was made from 1, 4 and 5 from 3 (unrolled), 6
// from 1 and 2 together, 7 from nothing.
const links = linksOf({ parents: [[], [0], [0], [1], [3], [3], [1, 2], []] });

describe("what a selection lights", () => {
  test("marks of the same origin", () => {
    expect(links.lit([0, 4, 1, 6, 9, 2], 1)).toEqual({ strength: "same", ranges: [[0, 4]] });
  });

  test("every mark made from it, however far down", () => {
    const lit = links.lit([0, 2, 4, 3, 5, 5, 6, 8, 7], 1);

    expect(lit).toEqual({ strength: "same", ranges: [[0, 2], [3, 5]] });
  });

  test("marks made from several parents, from each of them", () => {
    expect(links.lit([0, 2, 6], 2).strength).toBe("same");
  });

  test("the nearest ancestor where nothing was made from it, more weakly", () => {
    const lit = links.lit([0, 20, 0, 5, 9, 1], 4);

    expect(lit).toEqual({ strength: "nearest", ranges: [[5, 9]] });
  });

  test("of ancestors equally near the first only, as Python does", () => {
    expect(links.lit([0, 2, 2, 4, 6, 1], 6)).toEqual({ strength: "nearest", ranges: [[4, 6]] });
  });

  test("nothing where the two have no ancestor in common", () => {
    expect(links.lit([0, 20, 0, 5, 9, 1], 7)).toEqual({ strength: "none", ranges: [] });
  });

  test("a loop of origins ends", () => {
    expect(linksOf({ parents: [[1], [0]] }).ancestors(0)).toEqual([0, 1]);
  });
});

describe("the innermost mark", () => {
  const marks = [0, 20, 0, 4, 10, 1, 4, 10, 2, 12, 14, 3];

  test("is the smallest that holds the character", () => {
    expect(innermost(marks, 13)?.origin).toBe(3);
  });

  test("is the last written of those that cover the same characters", () => {
    expect(innermost(marks, 4)?.origin).toBe(2);
  });

  test("ends before its last offset", () => {
    expect(innermost(marks, 10)?.origin).toBe(0);
  });

  test("is none outside of all marks", () => {
    expect(innermost(marks, 20)).toBeNull();
  });
});

describe("arrow keys", () => {
  const marks = [0, 20, 0, 4, 10, 1, 5, 7, 2, 12, 14, 3];
  const [root, outer, inner, last] = marksOf(marks);

  test("start at the first mark", () => {
    expect(step(marks, null, "next")).toEqual(root);
  });

  test("go through the marks in reading order, and stop at the ends", () => {
    const order = [root, outer, inner, last, null];
    const met = [root, outer, inner, last].map((mark) => step(marks, mark ?? null, "next"));

    expect(met).toEqual(order.slice(1));
    expect(step(marks, root ?? null, "previous")).toBeNull();
  });

  test("go out to the mark around and in to the first within", () => {
    expect(step(marks, inner ?? null, "out")).toEqual(outer);
    expect(step(marks, outer ?? null, "in")).toEqual(inner);
    expect(step(marks, last ?? null, "in")).toBeNull();
    expect(step(marks, root ?? null, "out")).toBeNull();
  });

  test("do not stop twice at marks that cover the same characters", () => {
    const twice = [0, 9, 0, 2, 4, 1, 2, 4, 2];

    expect(step(twice, { start: 0, end: 9, origin: 0 }, "next")?.origin).toBe(2);
  });
});

test("ranges that touch or overlap are joined", () => {
  expect(joined([[6, 8], [0, 3], [3, 5], [7, 9]])).toEqual([[0, 5], [6, 9]]);
});
