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
font-variant-numeric: tabular-nums; pointer-events: none;`;

/** Shows what a model says, until it says nothing or `signal` aborts. */
export function showProgress(model: WidgetModel, signal: AbortSignal): void {
  const line = document.createElement("div");
  line.className = "wb-progress";
  line.setAttribute("role", "status");
  line.style.cssText = STYLE;
  const heard = (content: unknown): void => {
    const { kind, words } = content as { readonly kind: string; readonly words?: string };
    if (kind !== "progress") return;
    line.textContent = words ?? "";
    if (words) document.body.append(line);
    else line.remove();
  };
  model.on("msg:custom", heard);
  signal.addEventListener("abort", () => {
    model.off("msg:custom", heard);
    line.remove();
  });
}
