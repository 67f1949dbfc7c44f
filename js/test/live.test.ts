import { describe, expect, test } from "vitest";
import { type Control, type Settings, sizeOf, valueOf, wordOf } from "../src/live/plan.ts";
import { pictureShader, rangeShader, typeOf } from "../src/live/shader.ts";

const settings: Settings = {
  sliders: { a: 0.25 },
  pointer: { x: 3, y: 4, down: true },
  playing: true,
  restarts: 0,
};
const moment = { seconds: 1.5, frame: 90 };

describe("scalars", () => {
  test("are the bits that the uniform block holds", () => {
    expect(wordOf(1, "f32")).toBe(0x3f800000);
    expect(wordOf(-1, "i32")).toBe(0xffffffff);
    expect(wordOf(2 ** 32 - 1, "u32")).toBe(0xffffffff);
    expect(wordOf(2.9, "i32")).toBe(2);
    expect([wordOf(0.5, "bool"), wordOf(0, "bool")]).toEqual([1, 0]);
  });

  test("follow what they are said to follow", () => {
    const follower = (follows: string): Control =>
      ({ kind: "follower", name: "f", dtype: "f32", follows }) as Control;
    const found = ["time", "frame", "pointer.x", "pointer.y", "pointer.down"].map((follows) =>
      valueOf(follower(follows), settings, moment),
    );

    expect(found).toEqual([1.5, 90, 3, 4, 1]);
  });

  test("of a slider that nobody moved are at its start", () => {
    const slider = (name: string): Control => ({
      kind: "slider", name, dtype: "f32", low: 0, high: 1, start: 0.75,
    });

    expect(valueOf(slider("a"), settings, moment)).toBe(0.25);
    expect(valueOf(slider("b"), settings, moment)).toBe(0.75);
  });
});

describe("the picture", () => {
  const picture = { output: "y", drawn: "image", dtype: "f32", shape: [3, 5], range: null } as const;

  test("of an image has a pixel for each element", () => {
    expect(sizeOf(picture)).toEqual([5, 3]);
    expect(sizeOf({ ...picture, shape: [3, 5, 4] })).toEqual([5, 3]);
  });

  test("reads its values as what they are", () => {
    expect(pictureShader({ ...picture, dtype: "bool" })).toContain("values: array<u32>");
    expect(rangeShader("i32")).toContain("values: array<i32>");
    expect(typeOf("f64")).toBeUndefined();
  });
});
