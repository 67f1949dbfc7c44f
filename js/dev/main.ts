// Draws fixtures in a plain page with a model that no kernel stands behind:
//   index.html?fixture=matmul&width=900
// Built and opened by hand while a view is written, and by tests/browser/test_panel.py.

import { renderPanel } from "../src/panel.ts";
import type { WidgetModel } from "../src/model.ts";

const asked = new URLSearchParams(location.search);
const fixture = asked.get("fixture") ?? "matmul";
const bytes = await (await fetch(`fixtures/${fixture}.json`)).arrayBuffer();
const listeners = new Map<string, Set<(...values: never[]) => void>>();
const sent: unknown[] = [];
const model: WidgetModel = {
  get: (key) => (key === "state" ? new DataView(bytes) : null),
  send: (content) => { sent.push(content); },
  on(event, listener) {
    listeners.set(event, (listeners.get(event) ?? new Set()).add(listener));
  },
  off(event, listener) {
    listeners.get(event)?.delete(listener);
  },
};
const el = document.querySelector("main");
if (el === null) throw new Error("index.html has no <main>");
const width = asked.get("width");
if (width !== null) el.style.inlineSize = `${width}px`;
renderPanel({ model, el, signal: new AbortController().signal });
Object.assign(globalThis, { sent });
document.body.dataset["ready"] = "yes";
