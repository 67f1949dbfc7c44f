// The legal next steps at a loop: what each would do to the loops and the traffic, and taking one.

import { Refusal } from "../model.ts";
import { showDiff } from "./diff.ts";
import { element } from "./dom.ts";
import { drawFailure } from "./failure.ts";
import type { ViewContext } from "./view.ts";

interface NextStep {
  readonly text: string;
  readonly words: string;
  readonly notes: readonly string[];
}

export interface NextSteps {
  readonly loop: string;
  readonly steps: readonly NextStep[];
}

interface Preview {
  readonly before: string;
  readonly after: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

type NextContext = Pick<ViewContext, "session" | "announce" | "signal">;

/** A button for each step, and below them what the one that was pressed would do. */
export function nextSteps({ loop, steps }: NextSteps, context: NextContext): HTMLElement {
  const label = `next steps at ${loop}`;
  const place = element("div", { class: "wb-preview" });
  let shown = new AbortController();
  context.signal.addEventListener("abort", () => { shown.abort(); });
  const buttons = steps.map((step) => {
    const words = [step.words, ...step.notes].join("; ");
    const code = element("code", {}, step.text);
    const button = element("button", { type: "button", class: "wb-button", title: words }, code);
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      shown.abort();
      shown = new AbortController();
      for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
      void preview(step, place, { ...context, signal: shown.signal });
    });
    return button;
  });
  const list = element("ul", {}, ...buttons.map((button) => element("li", {}, button)));
  const none = steps.length === 0 ? element("p", {}, "no step of the usual kinds is legal") : null;
  const head = element("p", { class: "wb-moment" }, label);
  return element("div", { class: "wb-next", role: "group", "aria-label": label },
    head, none, list, place);
}

async function preview(step: NextStep, el: HTMLElement, context: NextContext): Promise<void> {
  const { session, announce, signal } = context;
  const words = [step.words, ...step.notes].join("; ");
  const refused = element("div");
  const diff = element("div", { class: "wb-diff" });
  const take = element("button", { type: "button", class: "wb-button wb-take" }, "take this step");
  take.addEventListener("click", () => {
    void session.edit({ step: step.text }, true).then((failure) => {
      refused.replaceChildren();
      if (failure !== null) drawFailure(refused, failure, signal);
      else announce(`taken: ${step.text}`);
    });
  });
  el.replaceChildren(element("div", {}, take, element("span", {}, ` ${words}`)), refused, diff);
  announce(`${step.text}: ${words}`);
  try {
    const found = (await session.ask("nest", { step: step.text })) as Preview;
    if (signal.aborted) return;
    el.append(table(found));
    const side = (name: string, text: string) => ({ name, text, language: "python" as const });
    const sides = [side("before", found.before), side("after", found.after)] as const;
    showDiff(diff, ...sides, { wrapped: false, signal });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refused.textContent = error.message;
  }
}

/** Reads and writes of each array, before and after. */
function table({ heads, rows }: Preview): HTMLElement {
  const head = element("tr", {}, ...heads.map((each) => element("th", { scope: "col" }, each)));
  const body = rows.map(([name, ...words]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      ...words.map((word) => element("td", {}, word)),
    ),
  );
  return element(
    "div",
    { class: "wb-traffic" },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)),
  );
}
