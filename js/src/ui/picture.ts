// Pictures: views whose value Python makes once somebody looks, and again when the state changes.

import { Refusal } from "../model.ts";
import { element } from "./dom.ts";
import type { View, ViewContext } from "./view.ts";

export interface PictureContext<Value> extends ViewContext {
  readonly value: Value;
  /** Draws the picture anew from what Python says to these arguments. */
  readonly again: (given: Readonly<Record<string, unknown>>) => void;
}

/**
 * A view that draws the value of the picture of its name. `draw` is called with an empty element
 * for each value; its signal ends with the next one.
 */
export function picture<Value>(
  name: string,
  title: string,
  draw: (context: PictureContext<Value>) => void,
): View {
  return {
    name,
    title,
    render(context) {
      const { el, session, signal } = context;
      const words = element("p", { class: "wb-foot" }, `${title} …`);
      const place = element("div", { class: `wb-picture-${name}` });
      el.append(element("h3", { class: "wb-heading" }, title), words, place);
      let drawn = new AbortController();
      let given: Readonly<Record<string, unknown>> = {};
      let asked = 0;
      const ask = async (): Promise<void> => {
        asked += 1;
        const mine = asked;
        place.setAttribute("aria-busy", "true");
        try {
          const value = (await session.ask(name, given)) as Value;
          if (signal.aborted || mine !== asked) return;
          place.setAttribute("aria-busy", "false");
          drawn.abort();
          drawn = new AbortController();
          words.hidden = true;
          place.replaceChildren();
          draw({ ...context, el: place, value, again, signal: drawn.signal });
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          if (mine !== asked) return;
          place.setAttribute("aria-busy", "false");
          drawn.abort();
          place.replaceChildren();
          words.hidden = false;
          words.textContent = error.message;
        }
      };
      const again = (next: Readonly<Record<string, unknown>>): void => {
        given = next;
        void ask();
      };
      signal.addEventListener("abort", () => { drawn.abort(); });
      session.onChange(() => { void ask(); }, signal);
      void ask();
    },
  };
}
