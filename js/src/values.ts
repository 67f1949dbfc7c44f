// The widget of an array's values: the frame, in the notebook's own colours, around the view.

import type { WidgetModel } from "./model.ts";
import { keepKeys } from "./ui/keys.ts";
import { element } from "./ui/dom.ts";
import { style } from "./ui/style.ts";
import type { ValuesState } from "./values/numbers.ts";
import { pageSource, pythonSource } from "./values/source.ts";
import { drawValues } from "./values/view.ts";

export interface ValuesMount {
  readonly model: WidgetModel;
  readonly el: HTMLElement;
  readonly signal: AbortSignal;
}

/** Draws the values of a model in `el`. */
export function renderValues({ model, el, signal }: ValuesMount): void {
  const bytes = model.get("state");
  if (!ArrayBuffer.isView(bytes)) return;
  const state = JSON.parse(new TextDecoder().decode(bytes)) as ValuesState;
  const twin = model.get("twin");
  const view = element("section", { class: "wb-view wb-view-values" });
  const root = element(
    "div",
    {
      class: "wb-panel",
      role: "region",
      "aria-label": `values of ${state.name}`,
      "data-wb-live": typeof twin === "string" ? twin : "",
    },
    element("style", {}, style),
    view,
  );
  keepKeys(root);
  el.replaceChildren(root);
  signal.addEventListener("abort", () => { root.remove(); });
  const source = pageSource(state, pythonSource(model, signal), signal);
  drawValues({ el: view, state, source, signal });
}
