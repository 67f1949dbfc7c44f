// The widget of a live kernel: its view, and the run in the thread that holds the GPU.

import { drawLive } from "./live/view.ts";
import type { Plan, Settings } from "./live/plan.ts";
import type { WidgetModel } from "./model.ts";
import { type Asked, askLocal } from "./page.ts";
import { element } from "./ui/dom.ts";
import { keepKeys } from "./ui/keys.ts";
import { style } from "./ui/style.ts";

export interface LiveMount {
  readonly model: WidgetModel;
  readonly el: HTMLElement;
  readonly signal: AbortSignal;
}

/** Draws the live kernel of a model in `el`; it ends with the signal. */
export function renderLive({ model, el, signal }: LiveMount): void {
  const bytes = model.get("state");
  if (!ArrayBuffer.isView(bytes)) return;
  const plan = JSON.parse(new TextDecoder().decode(bytes)) as Plan;
  const twin = model.get("twin");
  const view = element("section", { class: "wb-view wb-view-live" });
  const root = element(
    "div",
    {
      class: "wb-panel",
      role: "region",
      "aria-label": `live: ${plan.title}`,
      "data-wb-live": typeof twin === "string" ? twin : "",
    },
    element("style", {}, style),
    element("header", { class: "wb-title" }, plan.title),
    view,
  );
  keepKeys(root);
  el.replaceChildren(root);
  let asked: Asked | undefined = undefined;
  const changed = (settings: Settings): void => { asked?.more({ kind: "settings", settings }); };
  const drawn = drawLive({ el: view, plan, changed });
  const canvas = drawn.canvas.transferControlToOffscreen();
  const ended = new AbortController();
  asked = askLocal(
    { kind: "live", plan, canvas, settings: drawn.settings() },
    (said) => {
      if (said.kind === "live") drawn.report(said.report);
    },
    { signal: ended.signal, transfer: [canvas] },
  );
  const running = asked;
  signal.addEventListener("abort", () => {
    running.more({ kind: "end" });
    ended.abort();
    root.remove();
  });
}
