// @vitest-environment jsdom
import { EditorView } from "@codemirror/view";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { decode } from "../src/model.ts";
import type { Editing, Failure, PanelState } from "../src/model.ts";
import { renderPanel } from "../src/panel.ts";
import { pause } from "../src/ui/draft.ts";
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

const magic = "# %%wgpu_kernel --schedule tiled";
const kernel = "def f(x: f32[N]) -> f32[N]:\n    y[i] = x[i]\n    return y\n";
const schedule = '@schedule(f)\ndef tiled(T=4):\n    split("i", T)';
const source = `${magic}\n${kernel}\n${schedule}\n`;
const editing: Editing = {
  knobs: [["T", 4]], calls: 'f.schedule().split("i", 4)', function: schedule, draft: "",
  cell: source.slice(2), undo: 0,
};

let ended: AbortController;
let el: HTMLElement;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.spyOn(document, "hasFocus").mockReturnValue(true);
  ended = new AbortController();
  el = document.createElement("div");
  document.body.append(el);
});
afterEach(() => {
  ended.abort();
  el.remove();
  vi.useRealTimers();
});

function stateOf(text: string, more: Partial<Editing> = {}): PanelState {
  const [first] = decode(fixture("matmul")).stages;
  if (first === undefined) throw new Error("no stage");
  const stages = [{ ...first, text, marks: [text.indexOf("y[i]"), text.indexOf("y[i]") + 4, 0] }];
  const state = decode(fixture("matmul"));
  return { ...state, stages, views: ["stages", "schedule"], editing: { ...editing, ...more } };
}

function draw(more: Partial<Editing> = {}, cells: readonly unknown[] = []) {
  const fake = fakeModel(stateBytes(stateOf(source, more)));
  Object.assign(fake.model.widget_manager, { context: { model: { sharedModel: { cells } } } });
  renderPanel({ model: fake.model, el, signal: ended.signal });
  return fake;
}

function button(label: string): HTMLButtonElement {
  const shown = [...el.querySelectorAll("button")].filter((each) => each.closest("[hidden]") === null);
  const found = shown.find((each) => each.textContent === label);
  if (found === undefined) throw new Error(`no button ${label}`);
  return found;
}

/** Opens the editor of the source, or of the schedule. */
function open(label = "edit"): EditorView {
  button(label).click();
  return opened();
}

function opened(): EditorView {
  const found = el.querySelector<HTMLElement>(".wb-editor:not([hidden]) .cm-editor");
  const view = found === null ? null : EditorView.findFromDOM(found);
  if (view === null) throw new Error("no editor");
  return view;
}

function type(view: EditorView, old: string, next: string): void {
  const from = view.state.doc.toString().indexOf(old);
  view.dispatch({ changes: { from, to: from + old.length, insert: next }, userEvent: "input" });
}

const passed = () => vi.advanceTimersByTimeAsync(pause);
const text = (view: EditorView) => view.state.doc.toString();
const edit = (number: number, what: object, release: boolean) => ({
  kind: "edit", number, edit: what, release,
});
const refusal = (line: string, whole: string): Failure => ({
  kind: "SourceError", message: "'z' is not known", hint: "x[i]",
  texts: [{
    name: "cell", text: whole, language: "python",
    carets: [{
      line: whole.slice(0, whole.indexOf(line)).split("\n").length, column: 11, length: 1, words: "",
    }],
  }],
});

describe("the source", () => {
  test("is compiled once typing pauses, and run when it is left", async () => {
    const fake = draw();
    const view = open();
    type(view, "x[i]", "2.0 * x[i]");
    await passed();
    const next = source.replace("x[i]\n", "2.0 * x[i]\n");
    fake.change(stateBytes(stateOf(next)));
    fake.answer({ kind: "edited", number: 1, failure: null });
    await vi.advanceTimersByTimeAsync(0);
    view.contentDOM.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", keyCode: 27 }));

    expect(fake.sent).toEqual([edit(1, { text: next }, false), edit(2, { text: next }, true)]);
    expect(document.activeElement).toBe(button("edit"));
    expect(text(view)).toBe(next);
  });

  test("shows a mistake at its place, and the panel as stale until it is gone", async () => {
    const fake = draw();
    const view = open();
    type(view, "x[i]\n", "z[i]\n");
    await passed();
    const next = source.replace("x[i]\n", "z[i]\n");
    const failure = refusal("    y[i]", next);
    fake.answer({ kind: "edited", number: 1, failure });
    await vi.advanceTimersByTimeAsync(0);

    expect(view.dom.querySelector(".wb-wrong")?.textContent).toBe("z");
    expect(view.dom.querySelector(".wb-words")?.textContent).toContain("'z' is not known; try: x[i]");
    expect(view.contentDOM.getAttribute("aria-invalid")).toBe("true");
    expect(el.querySelector(".wb-panel[data-stale] .wb-stale:not([hidden])")).not.toBeNull();
    expect(el.querySelector("[role=status]")?.textContent).toContain("a mistake in line 3: 'z' is not known");
    type(view, "z[i]", "x[i]");
    await passed();
    fake.answer({ kind: "edited", number: 2, failure: null });
    await vi.advanceTimersByTimeAsync(0);

    expect(view.dom.querySelector(".wb-wrong")).toBeNull();
    expect(el.querySelector(".wb-panel[data-stale]")).toBeNull();
    expect(el.querySelector("[role=status]")?.textContent).toBe("the mistake is gone");
  });

  test("keeps the line of the magic", () => {
    draw();
    const view = open();
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: "" } });

    expect(text(view)).toBe(magic);
  });

  test("is written to its cell though the kernel is gone", async () => {
    const cell = { source: source.slice(2), setSource: vi.fn() };
    draw({}, [cell]);
    const view = open();
    type(view, "x[i]\n", "3.0\n");
    await vi.advanceTimersByTimeAsync(pause + 2000);
    const foot = el.querySelector(".wb-editor .wb-line");
    expect(foot?.textContent).toContain("the kernel is busy or gone; the text is kept");
    const write = foot?.parentElement?.querySelectorAll("button")[2];
    write?.click();

    expect(cell.setSource).toHaveBeenCalledWith(
      source.slice(2).replace("x[i]\n", "3.0\n").trimEnd(),
    );
    expect(foot?.textContent).toBe("written: run the cell to keep it");
  });

  test("follows what others change, unless something here would be lost", async () => {
    const fake = draw();
    const view = open();
    fake.change(stateBytes(stateOf(source.replace("x[i]\n", "5.0\n"))));
    expect(text(view)).toContain("5.0");
    type(view, "5.0", "6.0 +");
    fake.change(stateBytes(stateOf(source)));
    await passed();

    expect(text(view)).toContain("6.0 +");
    fake.answer({ kind: "edited", number: 1, failure: refusal("    y[i]", text(view)) });
    await vi.advanceTimersByTimeAsync(0);
    button("revert").click();
    expect(text(view)).toBe(source);
    expect(el.querySelector(".wb-panel[data-stale]")).toBeNull();
  });

  test("lights what the caret stands in", () => {
    draw();
    const view = open();
    view.dispatch({ selection: { anchor: source.indexOf("y[i]") + 1 } });

    expect(view.dom.querySelector(".wb-lit")?.textContent).toBe("y[i]");
  });
});

describe("the schedule", () => {
  test("is edited alone, its mistakes counted from its first line", async () => {
    const fake = draw();
    const view = open("edit the schedule");
    expect(text(view)).toBe(schedule);
    type(view, "split", "spilt");
    await passed();
    const next = schedule.replace("split", "spilt");
    const whole = source.replace(schedule, next);
    expect(fake.sent).toEqual([edit(1, { schedule: next }, false)]);
    fake.answer({ kind: "edited", number: 1, failure: refusal("    spilt", whole) });
    await vi.advanceTimersByTimeAsync(0);

    expect(view.dom.querySelector(".wb-wrong")).not.toBeNull();
    expect(el.querySelector("[role=status]")?.textContent).toContain("line 3");
  });

  test("is written into the cell as it stands, also while it is refused", async () => {
    const cell = { source: source.slice(2), setSource: vi.fn() };
    const fake = draw({}, [cell]);
    type(open("edit the schedule"), "split", "spilt");
    await passed();
    const whole = source.replace("split", "spilt");
    fake.answer({ kind: "edited", number: 1, failure: refusal("    spilt", whole) });
    await vi.advanceTimersByTimeAsync(0);
    button("write to cell").click();

    expect(cell.setSource).toHaveBeenCalledWith(whole.slice(2).trimEnd());
  });

  test("that the rule decided becomes a function first", async () => {
    const fake = draw({ function: "", draft: schedule });
    button("edit the schedule").click();
    expect(fake.sent).toEqual([edit(1, { schedule }, false)]);
    fake.change(stateBytes(stateOf(source)));
    fake.answer({ kind: "edited", number: 1, failure: null });
    await vi.advanceTimersByTimeAsync(0);

    expect(text(opened())).toBe(schedule);
  });
});
