// A widget's model that no kernel stands behind, and the fixtures, for the tests of the panel.

import { readFileSync } from "node:fs";
import type { WidgetModel } from "../src/model.ts";

export interface FakeModel {
  readonly model: WidgetModel;
  /** What the page sent to Python. */
  readonly sent: unknown[];
  /** Delivers a custom message as Python would. */
  readonly answer: (content: unknown, buffers?: readonly DataView[]) => void;
  /** Puts a new state in, as Python would. */
  readonly change: (bytes: DataView) => void;
  /** How many listeners there are. */
  readonly listening: () => number;
}

export function fakeModel(bytes: DataView): FakeModel {
  const listeners = new Map<string, Set<(...values: unknown[]) => void>>();
  const sent: unknown[] = [];
  let state: unknown = bytes;
  const of = (event: string) => {
    const found = listeners.get(event) ?? new Set();
    listeners.set(event, found);
    return found;
  };
  const tell = (event: string, ...values: unknown[]): void => {
    for (const listener of [...of(event)]) listener(...values);
  };
  return {
    model: {
      get: (key) => (key === "state" ? state : null),
      set: (key, value) => { if (key === "state") state = value; },
      send: (content) => { sent.push(content); },
      on: (event, listener) => of(event).add(listener as (...values: unknown[]) => void),
      widget_manager: {},
      off: (event, listener) => of(event).delete(listener as (...values: unknown[]) => void),
    },
    sent,
    answer: (content, buffers = []) => { tell("msg:custom", content, buffers); },
    change(next) {
      state = next;
      tell("change:state");
    },
    listening: () => [...listeners.values()].reduce((sum, set) => sum + set.size, 0),
  };
}

export function fixture(name: string): DataView {
  const bytes = readFileSync(`dev/fixtures/${name}.json`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function stateBytes(state: object): DataView {
  return new DataView(new TextEncoder().encode(JSON.stringify(state)).buffer);
}
