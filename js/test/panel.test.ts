// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { decode } from "../src/model.ts";
import type { PanelState } from "../src/model.ts";
import { renderPanel } from "../src/panel.ts";
import { fakeModel, fixture, stateBytes } from "./panel_model.ts";

/** jsdom has no layout: every element is near, unless a test says otherwise. */
class Near {
  static seen = true;
  readonly disconnect = vi.fn();
  readonly #tell: (entries: readonly { readonly isIntersecting: boolean }[]) => void;

  constructor(tell: (entries: readonly { readonly isIntersecting: boolean }[]) => void) {
    this.#tell = tell;
  }

  observe(): void {
    this.#tell([{ isIntersecting: Near.seen }]);
  }
}
vi.stubGlobal("IntersectionObserver", Near);

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
  Near.seen = true;
});

function draw(bytes: DataView) {
  const fake = fakeModel(bytes);
  renderPanel({ model: fake.model, el, signal: ended.signal });
  return fake;
}

function texts(selector: string): string[] {
  return [...el.querySelectorAll(selector)].map((each) => each.textContent);
}

function tab(name: string): HTMLElement {
  const found = el.querySelector<HTMLElement>(`[role="tab"][data-stage="${name}"]`);
  if (found === null) throw new Error(`no tab '${name}'`);
  return found;
}

function press(key: string): void {
  const content = el.querySelector(".cm-content");
  content?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}

describe("the stage explorer", () => {
  test("lists every stage with its check and its time", () => {
    draw(fixture("matmul"));

    expect(texts(".wb-rail-name")).toEqual([
      "source", "graph", "loops", "simplified", "scheduled", "kernel", "wgsl",
    ]);
    expect(tab("graph").querySelector(".wb-check")?.getAttribute("data-state")).toBe("tick");
    expect(tab("graph").textContent).toContain("1.10 ms");
  });

  test("opens on the source beside the code", () => {
    draw(fixture("matmul"));
    const shown = [...el.querySelectorAll<HTMLSelectElement>(".wb-choice")].map((s) => s.value);

    expect(shown).toEqual(["source", "wgsl"]);
  });

  test("shows the stage of a tab in the pane that was used last", () => {
    draw(fixture("matmul"));
    tab("loops").click();

    expect(texts(".cm-content")[1]).toContain("for i in range(64):");
    expect(tab("loops").getAttribute("aria-selected")).toBe("true");
    expect(tab("wgsl").tabIndex).toBe(-1);
  });

  test("an arrow key selects a part and lights it in the other stages", () => {
    draw(fixture("matmul"));
    for (let i = 0; i < 6; i++) press("ArrowRight");

    expect(texts(".wb-line code")).toEqual(["A[i, k]"]);
    expect(texts(".wb-lit")).toEqual(["A[i, k]", "A[i * 64u + k]"]);
    expect(el.querySelector("[role=status]")?.textContent).toContain("A[i, k] in source; also");
  });

  test("Escape takes the selection away", () => {
    draw(fixture("matmul"));
    for (let i = 0; i < 6; i++) press("ArrowRight");
    press("Escape");

    expect(texts(".wb-lit")).toEqual([]);
  });

  test("keeps the selection and the stages shown when ticks come in", () => {
    const fake = draw(fixture("matmul"));
    tab("loops").click();
    for (let i = 0; i < 6; i++) press("ArrowRight");
    const state = decode(fixture("matmul"));
    const stages = state.stages.map((each) => ({
      ...each,
      check: { state: "cross" as const, words: "C[0, 3] is 1.25, float64 says 1.5" },
    }));
    fake.change(stateBytes({ ...state, stages }));

    expect(tab("wgsl").querySelector(".wb-check")?.getAttribute("data-state")).toBe("cross");
    expect(tab("loops").getAttribute("aria-selected")).toBe("true");
    expect(texts(".wb-lit")).toEqual(["A[i, k]", "A[i, k]"]);
  });

  test("asks for a text that did not travel, and says so meanwhile", () => {
    const state = decode(fixture("matmul"));
    const stages = state.stages.map((each) =>
      each.name === "kernel" ? { ...each, text: null, marks: [] } : each,
    );
    const fake = draw(stateBytes({ ...state, stages }));
    tab("kernel").click();

    expect(fake.sent).toEqual([{ kind: "stage", name: "kernel" }]);
    expect(texts(".cm-content")[1]).toContain("comes when the kernel answers");

    fake.answer({ kind: "stage", stage: state.stages[5] });

    expect(texts(".cm-content")[1]).toContain("workgroup_size (8, 8, 1)");
  });

  test("marks what has the focus, so that its keys stay out of the notebook's shortcuts", () => {
    draw(fixture("matmul"));
    const focused = [tab("wgsl"), ...el.querySelectorAll<HTMLElement>(".cm-content, .wb-button")];
    const marks = focused.map((each) => {
      each.focus();
      return each.getAttribute("data-lm-suppress-shortcuts");
    });

    expect(new Set(marks)).toEqual(new Set(["true"]));
  });
});

describe("the run strip", () => {
  test("says the device and why, the times, who agrees and the values", () => {
    draw(fixture("matmul"));
    const strip = el.querySelector(".wb-view-run")?.textContent ?? "";

    for (const words of ["browser", "software adapter", "13.6 ms", "native", "float32[64, 64]"]) {
      expect(strip).toContain(words);
    }
    expect(el.querySelector("img")?.alt).toContain("C as an image, 64 by 64");
  });

  test("says which array may differ from run to run", () => {
    draw(fixture("matmul"));
    const strip = el.querySelector(".wb-view-run")?.textContent ?? "";

    expect(strip).toContain("C may differ from run to run in its last digits");
  });

  test("is hidden until there is a run", () => {
    draw(stateBytes({ ...decode(fixture("matmul")), run: null }));

    expect(el.querySelector<HTMLElement>(".wb-view-run")?.hidden).toBe(true);
  });
});

describe("the error view", () => {
  test("says what is wrong, underlines where, and what to write", () => {
    draw(fixture("refused"));

    expect(el.querySelector("[role=alert]")?.textContent).toContain("2 mistakes");
    expect(texts(".wb-wrong")).toEqual(["x[i, j - 1]", "z"]);
    expect(texts(".wb-words").map((words) => words.trim())).toEqual([
      "^ j = 0 reads column -1; try: max(j - 1, 0)",
      "^ unknown name 'z'; did you mean 'x'?",
    ]);
    expect(el.querySelector(".wb-hint")?.textContent).toContain("x[i, max(j - 1, 0)]");
  });

  test("gives way to the stages when the cell compiles", () => {
    const fake = draw(fixture("refused"));
    fake.change(fixture("matmul"));

    expect(el.querySelector<HTMLElement>(".wb-view-error")?.hidden).toBe(true);
    expect(el.querySelector<HTMLElement>(".wb-view-stages")?.hidden).toBe(false);
    expect(tab("wgsl").dataset["shown"]).toBe("yes");
  });
});

test("a text with markup is shown as text", () => {
  const state: PanelState = decode(fixture("matmul"));
  draw(stateBytes({ ...state, title: "<img src=x onerror=alert(1)>" }));

  expect(el.querySelector(".wb-title")?.children.length).toBe(0);
});

test("a panel far from the window is not drawn", () => {
  Near.seen = false;
  draw(fixture("matmul"));

  expect(texts(".cm-editor")).toEqual([]);
});

test("a view that the page does not have is named", () => {
  draw(stateBytes({ ...decode(fixture("matmul")), views: ["orbit"] }));

  expect(el.textContent).toContain("this page has no view named 'orbit'");
});

test("everything ends with the signal", () => {
  const { listening } = draw(fixture("matmul"));
  ended.abort();

  expect([listening(), el.children.length]).toEqual([0, 0]);
});

describe("pictures", () => {
  const strip = {
    steps: [
      {
        number: 1, text: "split('k', 8)", note: "step 1, by you", seconds: 0.001,
        before: "for k in range(64):\n", after: "for k_o in range(8):\n", notes: [],
      },
    ],
  };
  const state = { ...decode(fixture("matmul")), offers: [["steps", "steps"]] };
  const offer = (): HTMLButtonElement => {
    const found = el.querySelector<HTMLButtonElement>(".wb-offers button");
    if (found === null) throw new Error("nothing is offered");
    return found;
  };

  test("are asked for when somebody looks, and drawn when the answer comes", async () => {
    const fake = draw(stateBytes(state));
    expect(fake.sent).toEqual([]);
    offer().click();
    expect(fake.sent).toEqual([{ kind: "ask", number: 1, view: "steps", arguments: {} }]);
    fake.answer({ kind: "answer", number: 1, value: strip, refusal: null });
    await vi.waitFor(() => { expect(texts(".wb-steps code")).toEqual(["split('k', 8)"]); });

    offer().click();
    expect(el.querySelector(".wb-steps")).toBeNull();
  });

  test("that there are none of say why", async () => {
    const fake = draw(stateBytes(state));
    offer().click();
    fake.answer({ kind: "answer", number: 1, value: null, refusal: "no steps here" });

    await vi.waitFor(() => { expect(texts(".wb-more .wb-foot")).toContain("no steps here"); });
  });

  test("are asked for again when the state changes", async () => {
    const fake = draw(stateBytes(state));
    offer().click();
    fake.answer({ kind: "answer", number: 1, value: strip, refusal: null });
    fake.change(stateBytes({ ...state, title: "other" }));

    await vi.waitFor(() => { expect(fake.sent).toHaveLength(2); });
  });
});
