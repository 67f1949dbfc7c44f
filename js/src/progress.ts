/**
 * The line that says how far a long run of a notebook is, at the foot of its page.
 *
 * It is no output of a cell, so none is left in a saved notebook; it goes when the run ends, and
 * with the kernel process.
 */
import type { WidgetModel } from "./model.ts";

const STYLE = `
position: fixed; inset-block-end: 28px; inset-inline-end: 16px; z-index: 1000;
max-inline-size: calc(100vw - 32px); padding: 3px 10px;
color-scheme: light dark; border-radius: 4px;
border: 1px solid var(--jp-border-color2, light-dark(#dfe2e6, #343841));
background: var(--jp-layout-color2, light-dark(#f3f4f6, #22252c));
color: var(--jp-content-font-color1, light-dark(#1c1e21, #e4e6ea));
font: 12px/1.5 var(--jp-ui-font-family, system-ui, sans-serif);
font-variant-numeric: tabular-nums; display: flex; gap: 10px; align-items: center;`;
const BUTTON = `
font: inherit; color: inherit; background: transparent; cursor: pointer; padding: 0 8px;
border: 1px solid currentColor; border-radius: 3px;`;

/** What Python says: nothing in `words` takes the line away, `stop` is the number of a button. */
interface Said {
  readonly kind: string;
  readonly words?: string;
  readonly share?: number | null;
  readonly stop?: number | null;
}

/**
 * Shows what a model says, until it says nothing or `signal` aborts. `stop` is called with the
 * number of what is shown where its button is pressed.
 */
export function showProgress(
  model: WidgetModel,
  signal: AbortSignal,
  stop: (number: number) => void,
): void {
  const line = document.createElement("div");
  line.className = "wb-progress";
  line.style.cssText = STYLE;
  const words = document.createElement("span");
  words.className = "wb-progress-words";
  words.setAttribute("role", "status");
  const bar = document.createElement("progress");
  bar.style.inlineSize = "90px";
  const button = document.createElement("button");
  button.type = "button";
  button.style.cssText = BUTTON;
  let number: number | null = null;
  button.addEventListener("click", () => {
    if (number === null) return;
    button.disabled = true;
    button.textContent = "Cancelling";
    stop(number);
  });
  line.append(bar, words, button);
  const heard = (content: unknown): void => {
    const said = content as Said;
    if (said.kind !== "progress") return;
    const next = said.stop ?? null;
    if (next !== number) {
      button.disabled = false;
      button.textContent = "Cancel";
    }
    number = next;
    words.textContent = said.words ?? "";
    bar.hidden = typeof said.share !== "number";
    bar.value = said.share ?? 0;
    button.hidden = number === null;
    if (!said.words) line.remove();
    else if (!line.isConnected) document.body.append(line);
  };
  model.on("msg:custom", heard);
  signal.addEventListener("abort", () => {
    model.off("msg:custom", heard);
    line.remove();
  });
}
