import { describe, expect, it } from "vitest";
import { inside, moved, placed, ticksOf, zoomed } from "../src/ui/zoom.ts";

describe("a part of an axis", () => {
  it("comes nearer around what is chosen, which stays where it was", () => {
    const near = zoomed([0, 10], 0.5, 2);

    expect(near).toEqual([1, 6]);
    expect(placed(2, near)).toBe(placed(2, [0, 10]));
    expect(zoomed([0, 10], 0.5, 20)).toEqual([2.5, 7.5]);
  });

  it("does not leave all of it, and keeps its length where it can", () => {
    expect(inside(moved([0, 4], -0.5), [0, 10])).toEqual([0, 4]);
    expect(inside(moved([6, 10], 0.5), [0, 10])).toEqual([6, 10]);
    expect(inside(zoomed([0, 10], 3), [0, 10])).toEqual([0, 10]);
    expect(inside([5, 5], [0, 10])[1]).toBeGreaterThan(5);
  });

  it("has round ticks within", () => {
    expect(ticksOf([0, 0.006])).toEqual([0, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006]);
    for (const tick of ticksOf([0.123, 0.124])) expect(placed(tick, [0.123, 0.124])).toBeGreaterThan(0);
  });
});
