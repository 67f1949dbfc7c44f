// A panel: the views that its state names, one below the other, in the notebook's own colours.

import views from "views:./views";
import { openSession } from "./model.ts";
import type { Session, WidgetModel } from "./model.ts";
import { element, toggle } from "./ui/dom.ts";
import { keepKeys } from "./ui/keys.ts";
import { style } from "./ui/style.ts";
import type { ViewContext } from "./ui/view.ts";

export interface PanelContext {
  readonly model: WidgetModel;
  readonly el: HTMLElement;
  readonly signal: AbortSignal;
}

/** Draws the panel of a model in `el`; everything it starts ends with the signal. */
export function renderPanel({ model, el, signal }: PanelContext): void {
  const session = openSession(model, signal);
  const { title, views: names } = session.state;
  const twin = model.get("twin");
  const live = element("div", { class: "wb-unseen", role: "status", "aria-live": "polite" });
  const root = element("div", {
    class: "wb-panel",
    role: "region",
    "aria-label": title === "" ? "workbench" : `workbench: ${title}`,
    // While this is in the page, the panel's static twin steps back (workbench/widget/panel.py).
    "data-wb-live": typeof twin === "string" ? twin : "",
  });
  keepKeys(root);
  root.append(element("style", {}, style));
  if (title !== "") root.append(element("header", { class: "wb-title" }, title));
  el.replaceChildren(root);
  const announce = (words: string): void => { live.textContent = words; };
  followNewer(root, session, signal);
  const places = names.map((name) => element("section", { class: `wb-view wb-view-${name}` }));
  const more = element("div", { class: "wb-more" });
  root.append(...places, more, live);
  signal.addEventListener("abort", () => { root.remove(); });
  root.classList.add("wb-waiting");
  whenNear(root, signal, () => {
    root.classList.remove("wb-waiting");
    places.forEach((place, i) => {
      drawView(names[i] ?? "", { el: place, session, announce, signal });
    });
    offer(more, { session, announce, signal });
  });
}

/** Marks the panel as older than a text that is edited in it, while one is. */
function followNewer(root: HTMLElement, session: Session, signal: AbortSignal): void {
  const words = "stale: the last text without a mistake is shown";
  const mark = element("p", { class: "wb-stale" }, words);
  root.append(mark);
  session.newer.follow((texts) => {
    mark.hidden = texts.size === 0;
    root.toggleAttribute("data-stale", texts.size > 0);
  }, signal);
}

/** A button for each picture that the panel does not show yet; pressed again it closes. */
function offer(el: HTMLElement, context: Omit<ViewContext, "el">): void {
  const { offers } = context.session.state;
  if (offers.length === 0) return;
  const row = element("div", { class: "wb-foot wb-offers", role: "group", "aria-label": "more" });
  el.append(row);
  for (const [name, title] of offers) {
    let open = new AbortController();
    context.signal.addEventListener("abort", () => { open.abort(); });
    const place = element("section", { class: `wb-view wb-view-${name}`, hidden: true });
    row.append(toggle(title, `show: ${title}`, false, (pressed) => {
      open.abort();
      open = new AbortController();
      place.replaceChildren();
      place.hidden = !pressed;
      if (pressed) drawView(name, { ...context, el: place, signal: open.signal });
    }));
    el.append(place);
  }
}

function drawView(name: string, context: ViewContext): void {
  const view = views.find((each) => each.name === name);
  if (view === undefined) {
    context.el.append(element("p", { class: "wb-foot" }, `this page has no view named '${name}'`));
    return;
  }
  context.el.setAttribute("aria-label", view.title);
  view.render(context);
}

/**
 * Calls back once the element is seen or about to be: a notebook full of panels must not draw
 * them all at once, while other widgets have two seconds to start.
 */
function whenNear(el: HTMLElement, signal: AbortSignal, draw: () => void): void {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      draw();
    },
    { rootMargin: "600px" },
  );
  observer.observe(el);
  signal.addEventListener("abort", () => { observer.disconnect(); });
}
