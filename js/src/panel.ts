// A panel: the views that its state names, one below the other, in the notebook's own colours.

import views from "views:./views";
import { openSession } from "./model.ts";
import type { WidgetModel } from "./model.ts";
import { element } from "./ui/dom.ts";
import { style } from "./ui/style.ts";

export interface PanelContext {
  readonly model: WidgetModel;
  readonly el: HTMLElement;
  readonly signal: AbortSignal;
}

/** Draws the panel of a model in `el`; everything it starts ends with the signal. */
export function renderPanel({ model, el, signal }: PanelContext): void {
  const session = openSession(model, signal);
  const { title, views: names } = session.state;
  const live = element("div", { class: "wb-unseen", role: "status", "aria-live": "polite" });
  const root = element("div", {
    class: "wb-panel",
    role: "region",
    "aria-label": title === "" ? "workbench" : `workbench: ${title}`,
    // While this is in the page, the panel's static twin steps back (workbench/widget/panel.py).
    "data-wb-live": String(model.get("twin") ?? ""),
  });
  keepKeys(root);
  root.append(element("style", {}, style));
  if (title !== "") root.append(element("header", { class: "wb-title" }, title));
  el.replaceChildren(root);
  const announce = (words: string): void => { live.textContent = words; };
  for (const name of names) {
    const view = views.find((each) => each.name === name);
    const place = element("section", { class: `wb-view wb-view-${name}` });
    root.append(place);
    if (view === undefined) {
      place.append(element("p", { class: "wb-foot" }, `this page has no view named '${name}'`));
      continue;
    }
    place.setAttribute("aria-label", view.title);
    view.render({ el: place, session, announce, signal });
  }
  root.append(live);
  signal.addEventListener("abort", () => { root.remove(); });
}

/**
 * Keeps the keys pressed inside an element from the notebook's shortcuts. JupyterLab asks the
 * element with the focus itself, so the mark is set on whatever gets it.
 */
function keepKeys(root: HTMLElement): void {
  root.addEventListener("focusin", (event) => {
    if (event.target instanceof Element) {
      event.target.setAttribute("data-lm-suppress-shortcuts", "true");
    }
  });
}
