// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { board } from "../src/ui/board.ts";
import { idFields } from "../src/ui/ids.ts";
import { player } from "../src/ui/player.ts";
import { territory } from "../src/ui/territory.ts";

let ended: AbortController;
beforeEach(() => {
  ended = new AbortController();
  vi.useFakeTimers({ toFake: ["requestAnimationFrame", "cancelAnimationFrame", "performance"] });
});
afterEach(() => {
  ended.abort();
  vi.useRealTimers();
});

describe("a player", () => {
  function make(count: number) {
    const shown: number[] = [];
    const rested: number[] = [];
    const el = player({
      count,
      label: "moment",
      marks: [1],
      show: (at) => shown.push(at),
      rest: (at) => rested.push(at),
      signal: ended.signal,
    });
    const button = (name: string): HTMLButtonElement => {
      const found = [...el.querySelectorAll("button")].find((each) => each.textContent === name);
      if (found === undefined) throw new Error(`no button '${name}'`);
      return found;
    };
    return { el, shown, rested, button };
  }

  test("starts at the first moment and steps within its ends", () => {
    const { shown, rested, button } = make(3);
    button("back").click();
    button("on").click();
    button("on").click();
    button("on").click();

    expect(shown).toEqual([0, 0, 1, 2, 2]);
    expect(rested).toEqual([0, 1, 2, 2]);
  });

  test("plays to the end and rests there", () => {
    const { shown, rested, button } = make(4);
    button("play").click();
    expect(button("pause")).toBeDefined();
    vi.advanceTimersByTime(2000);

    expect(shown.at(-1)).toBe(3);
    expect(rested).toEqual([3]);
    expect(button("play")).toBeDefined();
  });

  test("plays from the start again once it is at the end", () => {
    const { shown, button } = make(2);
    button("on").click();
    button("play").click();

    expect(shown.at(-1)).toBe(0);
  });

  test("ends with its signal", () => {
    const { shown, button } = make(100);
    button("play").click();
    ended.abort();
    vi.advanceTimersByTime(5000);

    expect(shown).toEqual([0]);
  });

  test("is scrubbed by its slider", () => {
    const { el, shown } = make(9);
    const slider = el.querySelector("input");
    if (slider === null) throw new Error("no slider");
    slider.value = "7";
    slider.dispatchEvent(new Event("input"));

    expect(shown).toEqual([0, 7]);
  });
});

test("an id has a field for each axis along which there is a choice", () => {
  const asked: (readonly number[])[] = [];
  const el = idFields("workgroup", [4, 1, 3], [2, 0, 1], (id) => asked.push([...id]));
  const fields = [...el.querySelectorAll("input")];
  const last = fields.at(-1);
  if (last === undefined) throw new Error("no field");
  last.value = "2";
  last.dispatchEvent(new Event("change"));

  expect(fields.map((each) => each.hidden)).toEqual([false, true, false]);
  expect(asked).toEqual([[2, 0, 2]]);
});

describe("a board", () => {
  const calls: string[] = [];
  const images: Uint8ClampedArray[] = [];
  const paint = {
    fillStyle: "",
    strokeStyle: "",
    canvas: document.createElement("canvas"),
    createImageData: (width: number, height: number) => ({
      data: new Uint8ClampedArray(4 * width * height),
    }),
    putImageData: ({ data }: { data: Uint8ClampedArray }) => { images.push(data.slice()); },
    drawImage: () => undefined,
    clearRect: () => { calls.push("clear"); },
    fillRect: (x: number, y: number) => { calls.push(`fill ${String(x)} ${String(y)}`); },
    strokeRect: (x: number, y: number, width: number) => {
      calls.push(`frame ${String(x)} ${String(y)} ${String(width)}`);
    },
    beginPath: () => undefined,
    moveTo: (x: number, y: number) => { calls.push(`line ${String(x)} ${String(y)}`); },
    lineTo: () => undefined,
    stroke: () => undefined,
    setLineDash: (dash: readonly number[]) => { if (dash.length > 0) calls.push("dashed"); },
  };
  const grid = {
    name: "A", memory: "storage", shape: [2, 64], columns: 64, element_bytes: 4,
    top: 0, bottom: 2, left: 0, right: 64,
  };
  const memory = { invocations: 4, line: 128, bank: 4, banks: 32 };
  const moment = (elements: readonly number[], at = 0, bank = -1) => ({
    grid: at, elements, bank, slow: false,
  });
  const seen = (): number[] => {
    const image = images.at(-1) ?? new Uint8ClampedArray();
    return [...image].flatMap((value, i) => (i % 4 === 3 && value > 0 ? [(i - 3) / 4] : []));
  };

  beforeEach(() => {
    calls.length = 0;
    const stand = paint as unknown as CanvasRenderingContext2D;
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(stand as never);
  });
  afterEach(() => { vi.restoreAllMocks(); });

  test("fills the elements and frames their cache lines", () => {
    board(grid, 0, [moment([0, 1, 64, -1])], memory).draw(0);
    const cell = 4;
    const frames = [
      `frame 0.5 0.5 ${String(32 * cell - 1)}`,
      `frame 0.5 ${String(cell + 0.5)} ${String(32 * cell - 1)}`,
    ];

    expect(calls).toEqual([
      "clear", "fill 0 0", `fill ${String(cell)} 0`, `fill 0 ${String(cell)}`,
      ...frames, ...frames,
    ]);
  });

  test("dashes the frames where fewer cache lines would do", () => {
    board(grid, 0, [{ ...moment([0, 63]), slow: true }], memory).draw(0);

    expect(calls).toContain("dashed");
  });

  test("crosses out what the busiest bank holds", () => {
    const shared = { ...grid, memory: "workgroup" };
    board(shared, 0, [moment([0, 32, 33], 0, 0)], memory).draw(0);

    const crosses = ["line 0 0", "line 4 0", "line 128 0", "line 132 0"];
    expect(calls.filter((each) => each.startsWith("line"))).toEqual([...crosses, ...crosses]);
  });

  test("keeps what was reached before, forwards, backwards and by leaps", () => {
    const moments = [moment([0, 1]), moment([5], 1), moment([2, -1]), moment([70, 3])];
    const { draw } = board(grid, 0, moments, memory);
    const after = (at: number): number[] => {
      draw(at);
      return seen();
    };

    expect(after(0)).toEqual([]);
    expect(after(1)).toEqual([0, 1]);
    expect(after(3)).toEqual([0, 1, 2]);
    expect(after(1)).toEqual([0, 1]);
    expect(after(4)).toEqual([0, 1, 2, 3, 70]);
  });

  test("of owners colours each element by its workgroup and frames the chosen one", () => {
    const chosen: number[] = [];
    const el = territory(
      { name: "C", shape: [1, 4], columns: 4, workgroups: [0, 0, 1, -1], words: "all of it" },
      1,
      (workgroup) => chosen.push(workgroup),
    );
    const canvas = el.querySelector("canvas");
    if (canvas === null) throw new Error("no canvas");
    vi.spyOn(canvas, "getBoundingClientRect").mockReturnValue(new DOMRect(0, 0, 40, 10));
    for (const clientX of [15, 25, 35]) canvas.dispatchEvent(new MouseEvent("click", { clientX }));

    expect(seen()).toEqual([0, 1, 2]);
    const border = ["line 28 0", "line 28 0", "line 42 0", "line 28 14"];
    expect(calls.filter((each) => each.startsWith("line"))).toEqual([...border, ...border]);
    expect(chosen).toEqual([0, 1]);
    expect(canvas.getAttribute("aria-label")).toBe("C by workgroups: all of it");
  });
});
