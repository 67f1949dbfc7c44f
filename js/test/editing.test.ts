// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { writeCell } from "../src/cell.ts";
import { decode } from "../src/model.ts";
import type { Editing, WidgetModel } from "../src/model.ts";
import { renderPanel } from "../src/panel.ts";
import { fakeModel, fixture, stateBytes } from "./panel_model.ts";

class Near {
  readonly disconnect = vi.fn();
  readonly #tell: (entries: readonly { readonly isIntersecting: boolean }[]) => void;
  constructor(tell: (entries: readonly { readonly isIntersecting: boolean }[]) => void) {
    this.#tell = tell;
  }
  observe(): void {
    this.#tell([{ isIntersecting: true }]);
  }
}
vi.stubGlobal("IntersectionObserver", Near);

const editing: Editing = {
  knobs: [["T", 4]],
  calls: 'matmul.schedule().split("k", 4)',
  function: '@schedule(matmul)\ndef tiled(T=4):\n    split("k", T)',
  draft: "",
  cell: "%%wgpu_kernel --schedule tiled --set T=8\ndef matmul(): ...",
  undo: 0,
};
const nest = {
  lines: [
    { depth: 0, kind: "loop", text: "for k in range(8):", loop: "k", where: "", times: "8",
      share: 1, origin: 0 },
    { depth: 1, kind: "statement", text: "C[i, j] += 1", loop: "", where: "", times: "8",
      share: 1, origin: -1 },
  ],
};
const refused = {
  kind: "ScheduleError", message: "split('k', 0): the factor is 0", hint: "",
  texts: [
    { name: "loops before the step", text: "for k in range(8):\n", language: "python",
      carets: [{ line: 1, column: 0, length: 18, words: "" }] },
  ],
};

let ended: AbortController;
let el: HTMLElement;

beforeEach(() => {
  ended = new AbortController();
  el = document.createElement("div");
  document.body.append(el);
});
afterEach(() => {
  ended.abort();
  el.remove();
});

function draw(views: readonly string[], more: Partial<Editing> = {}) {
  const state = { ...decode(fixture("matmul")), views, editing: { ...editing, ...more } };
  const fake = fakeModel(stateBytes(state));
  renderPanel({ model: fake.model, el, signal: ended.signal });
  return { fake, state };
}

function find(selector: string): HTMLElement {
  const found = el.querySelector<HTMLElement>(selector);
  if (found === null) throw new Error(`no ${selector}`);
  return found;
}

function input(type: string): HTMLInputElement {
  return find(`.wb-knob input[type=${type}]`) as HTMLInputElement;
}

function turn(control: HTMLInputElement, value: string, event: string): void {
  control.value = value;
  control.dispatchEvent(new Event(event, { bubbles: true }));
}

describe("the schedule", () => {
  test("turns a knob while the slider moves, and releases it at its end", async () => {
    const { fake } = draw(["schedule"]);
    const slider = input("range");
    for (const value of ["5", "6", "7"]) turn(slider, value, "input");
    turn(slider, "7", "change");
    const edit = (number: number, T: number, release: boolean) => ({
      kind: "edit", number, edit: { knobs: { T } }, release,
    });
    expect(fake.sent).toEqual([edit(1, 5, false)]);
    fake.answer({ kind: "edited", number: 1, failure: null });

    await vi.waitFor(() => { expect(fake.sent).toEqual([edit(1, 5, false), edit(2, 7, true)]); });
  });

  test("keeps the sliders that are there when the state changes", () => {
    const { fake, state } = draw(["schedule"]);
    const slider = input("range");
    fake.change(stateBytes({ ...state, editing: { ...editing, knobs: [["T", 8]] } }));

    expect(input("range")).toBe(slider);
    expect(slider.value).toBe("8");
  });

  test("shows the lines, and a refusal with its loops underlined", async () => {
    const { fake } = draw(["schedule"]);
    expect(find(".wb-replay pre").textContent).toBe(editing.calls);
    turn(input("number"), "0", "change");
    fake.answer({ kind: "edited", number: 1, failure: refused });

    await vi.waitFor(() => { expect(find("[role=alert]").textContent).toContain("is 0"); });
    expect(find(".wb-wrong").textContent).toBe("for k in range(8):");
  });

  test("takes edits back where there are any", () => {
    const { fake } = draw(["schedule"], { undo: 2 });
    const undo = [...el.querySelectorAll("button")].find((b) => b.textContent === "undo");
    undo?.click();

    expect(undo?.disabled).toBe(false);
    expect(fake.sent).toEqual([{ kind: "edit", number: 1, edit: { undo: true }, release: true }]);
  });

  test("says why a cell cannot be written", () => {
    draw(["schedule"]);
    [...el.querySelectorAll("button")].find((b) => b.textContent === "write to cell")?.click();

    expect(find(".wb-lines > .wb-foot").textContent).toContain("does not give its cells");
  });
});

describe("the loop nest", () => {
  test("shows the next steps at a loop, previews one and takes it", async () => {
    const { fake } = draw(["nest"]);
    fake.answer({ kind: "answer", number: 1, value: nest, refusal: null });
    await vi.waitFor(() => { find(".wb-loop"); });
    expect(el.querySelectorAll(".wb-loop")).toHaveLength(1);
    find(".wb-loop").click();
    const steps = [{ text: 'split("k", 4)', words: "code 3 -> 4", notes: ["reorders the sum"] }];
    fake.answer({ kind: "answer", number: 2, value: { loop: "k", steps }, refusal: null });
    await vi.waitFor(() => { find(".wb-next li button"); });
    find(".wb-next li button").click();
    const shown = {
      before: "for k in range(8):\n", after: "for k_o in range(2):\n",
      heads: ["array", "reads", "then"], rows: [["A", "8", "4"]],
    };
    fake.answer({ kind: "answer", number: 3, value: shown, refusal: null });
    await vi.waitFor(() => { expect(find(".wb-preview .wb-traffic").textContent).toContain("A84"); });
    find(".wb-take").click();

    expect(fake.sent.slice(1)).toEqual([
      { kind: "ask", number: 2, view: "nest", arguments: { loop: "k" } },
      { kind: "ask", number: 3, view: "nest", arguments: { step: 'split("k", 4)' } },
      { kind: "edit", number: 1, edit: { step: 'split("k", 4)' }, release: true },
    ]);
    expect(find(".wb-preview").textContent).toContain("reorders the sum");
  });
});

describe("a selection", () => {
  test("reaches from a loop of the nest into the stages, and back", async () => {
    const { fake, state } = draw(["stages", "nest"]);
    const scheduled = state.stages.find(({ name }) => name === "scheduled");
    const marks = scheduled?.marks ?? [];
    const [, , outer] = marks;
    const at = marks.findIndex((each, i) => i % 3 === 2 && each !== outer);
    const inner = marks[at];
    if (inner === undefined) throw new Error("no mark");
    const lines = nest.lines.map((line, n) => ({ ...line, origin: n === 0 ? inner : -1 }));
    fake.answer({ kind: "answer", number: 1, value: { lines }, refusal: null });
    await vi.waitFor(() => { find(".wb-loop"); });
    find(".wb-loop").click();

    expect(find(".wb-nest tr.wb-lit-row").textContent).toContain("for k in range(8)");
    expect(find(".wb-view-stages .wb-line").textContent).toContain("in scheduled");
    expect(el.querySelector(".wb-pane .wb-lit, .wb-pane .wb-lit-weak")).not.toBeNull();
    find(".wb-pane .cm-content").dispatchEvent(
      new KeyboardEvent("keydown", { key: "Escape", keyCode: 27 }),
    );
    expect(el.querySelector(".wb-lit-row")).toBeNull();
  });
});

describe("a cell", () => {
  const cellsOf = (...sources: string[]) => {
    const cells = sources.map((source) => ({ source, setSource: vi.fn() }));
    const widget_manager = { context: { model: { sharedModel: { cells } } } };
    return { cells, model: { widget_manager } as unknown as WidgetModel };
  };

  test("is written where one holds the text that was run", () => {
    const { cells, model } = cellsOf("x = 1", "%%wgpu_kernel\ndef f(): ...");

    expect(writeCell(model, ["%%wgpu_kernel\ndef f(): ...\n"], "new\n")).toBe("");
    expect(cells[1]?.setSource).toHaveBeenCalledWith("new");
    expect(cells[0]?.setSource).not.toHaveBeenCalled();
  });

  test("is not written where it has changed, or where two are the same", () => {
    expect(writeCell(cellsOf("other").model, ["text"], "new")).toContain("other text by now");
    expect(writeCell(cellsOf("text", "text").model, ["text"], "new")).toContain("several");
  });
});
