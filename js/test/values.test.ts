// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { colourAt, heatmap } from "../src/values/heatmap.ts";
import { numbersOf, planeStart, type ValuesState, word } from "../src/values/numbers.ts";
import { pythonSource } from "../src/values/source.ts";
import { moved, windowAt } from "../src/values/table.ts";
import { drawValues } from "../src/values/view.ts";
import { fakeModel, stateBytes } from "./panel_model.ts";

describe("numbers", () => {
  test("half precision is read from its bits", () => {
    const bits = new Uint16Array([0x3c00, 0xc000, 0x0001, 0x7c00, 0xfc00, 0x7e00]);

    expect(numbersOf(bits.buffer, "f16")).toEqual([1, -2, 2 ** -24, Infinity, -Infinity, NaN]);
  });

  test("a bool is a word", () => {
    expect(word(1, "bool")).toBe("True");
    expect([...(numbersOf(new Uint32Array([0, 1]).buffer, "bool") as Uint32Array)]).toEqual([0, 1]);
  });

  test("bytes beyond whole elements are left", () => {
    expect(numbersOf(new ArrayBuffer(7), "f32").length).toBe(1);
  });

  test("an unknown dtype is refused", () => {
    expect(() => numbersOf(new ArrayBuffer(4), "f8")).toThrow("f8");
  });

  test("a plane starts after the planes before it", () => {
    expect(planeStart([2, 3, 4, 5], [1, 2])).toBe((1 * 3 + 2) * 20);
    expect(planeStart([7], [])).toBe(0);
  });

  test("values are short words", () => {
    expect([word(0.1234567, "f32"), word(12345, "i32"), word(NaN, "f32"), word(5n, "i64")]).toEqual([
      "0.12346", "12345", "nan", "5",
    ]);
  });
});

describe("the picture", () => {
  test("goes from dark to light, and marks what is not finite", () => {
    const plane = { values: [0, 1, NaN, 0.5], rows: 2, columns: 2 };
    const { pixels } = heatmap(plane, [0, 1], 320);

    expect([...pixels.slice(0, 3)]).toEqual([...colourAt(0)]);
    expect([...pixels.slice(4, 7)]).toEqual([253, 231, 37]);
    expect([...pixels.slice(8, 11)]).toEqual([214, 39, 40]);
  });

  test("of a large plane has a bounded size", () => {
    const plane = { values: new Float32Array(1000 * 10), rows: 1000, columns: 10 };
    const { width, height } = heatmap(plane, [0, 1], 320);

    expect([width, height]).toEqual([3, 250]);
  });
});

describe("the window", () => {
  test("moves as little as it can", () => {
    expect(windowAt({ row: 5, column: 9 }, { top: 0, left: 0 })).toEqual({ top: 0, left: 2 });
    expect(windowAt({ row: 3, column: 0 }, { top: 7, left: 2 })).toEqual({ top: 3, left: 0 });
  });

  test("keys stay inside the plane", () => {
    const extent = { rows: 4, columns: 6 };

    expect(moved({ row: 0, column: 0 }, "ArrowUp", extent)).toEqual({ row: 0, column: 0 });
    expect(moved({ row: 0, column: 0 }, "End", extent)).toEqual({ row: 0, column: 5 });
    expect(moved({ row: 0, column: 0 }, "PageDown", extent)).toEqual({ row: 3, column: 0 });
    expect(moved({ row: 0, column: 0 }, "a", extent)).toBeUndefined();
  });
});

const state: ValuesState = {
  name: "C",
  dtype: "f32",
  shape: [2, 3, 4],
  places: ["host"],
  page: null,
  numbers: [["min", "0"]],
  first_nan: [1, 2, 3],
  histogram: { edges: [0, 12, 24], counts: [12, 12] },
  difference: null,
};

describe("the view", () => {
  let el: HTMLElement;
  let ended: AbortController;
  beforeEach(() => {
    el = document.createElement("div");
    ended = new AbortController();
  });
  afterEach(() => { ended.abort(); });

  function draw(shown: ValuesState): void {
    const all = Float32Array.from({ length: 24 }, (_, n) => n);
    const source = ({ start, count }: { start: number; count: number }): Promise<ArrayBuffer> =>
      Promise.resolve(all.slice(start, start + count).buffer);
    drawValues({ el, state: shown, source, signal: ended.signal });
  }

  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
  const said = (): string | null | undefined => el.querySelector(".wb-cell")?.textContent;

  test("shows the first plane and says its first value", async () => {
    draw(state);
    await settled();

    expect([...el.querySelectorAll("td:not(:empty)")].map((td) => td.textContent)).toHaveLength(12);
    expect(said()).toBe("C[0, 0, 0] = 0");
  });

  test("another plane by the number of its axis", async () => {
    draw(state);
    const input = el.querySelector("input");
    if (input === null) throw new Error("no input");
    input.value = "1";
    input.dispatchEvent(new Event("input"));
    await settled();

    expect(said()).toBe("C[1, 0, 0] = 12");
  });

  test("jumps to the first NaN", async () => {
    draw(state);
    el.querySelector("button")?.click();
    await settled();

    expect(said()).toBe("C[1, 2, 3] = 23");
    expect(el.querySelector("td[aria-selected]")?.textContent).toBe("23");
  });

  test("a vector and a single value have as many indices as axes", async () => {
    draw({ ...state, shape: [24], first_nan: null });
    await settled();
    expect(said()).toBe("C[0] = 0");

    el.replaceChildren();
    draw({ ...state, shape: [], first_nan: null });
    await settled();
    expect(said()).toBe("C = 0");
  });

  test("an empty array has no values", async () => {
    draw({ ...state, shape: [0, 3], first_nan: null, histogram: null });
    await settled();

    expect(said()).toBe("no values");
  });

  test("the histogram is said in words", () => {
    draw(state);

    expect(el.querySelector("svg")?.getAttribute("aria-label")).toContain("from 0 to 24");
  });
});

test("a piece that Python sends is the one that was asked for", async () => {
  const fake = fakeModel(stateBytes({}));
  const ended = new AbortController();
  const source = pythonSource(fake.model, ended.signal);
  const piece = source({ of: "values", start: 4, count: 2 });
  const listener = fake.listening();
  fake.answer({ kind: "piece", of: "values", start: 0 });
  expect(fake.sent).toEqual([{ kind: "piece", of: "values", start: 4, count: 2 }]);
  expect(fake.listening()).toBe(listener);

  fake.answer({ kind: "piece", of: "values", start: 4 }, [new DataView(new ArrayBuffer(8))]);
  expect((await piece).byteLength).toBe(8);
  expect(fake.listening()).toBe(0);
});
