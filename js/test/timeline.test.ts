// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Session } from "../src/model.ts";
import timeline from "../src/views/timeline.ts";

const bar = (kind: string, name: string, start: number, seconds: number) =>
  ({ kind, name, start, seconds, colour: "#0072B2", words: `${kind} ${name}` });
const VALUE = {
  tracks: [
    { lane: "host", bars: [bar("upload", "x", 0, 4), bar("run", "k", 4, 4)] },
    { lane: "device", bars: [bar("dispatch", "k_a", 4, 1), bar("dispatch", "k_b", 5, 0.5)] },
  ],
  run: [4, 8], end: 10, foot: "measured",
};

let ended: AbortController;
const said: string[] = [];
const el = document.createElement("div");
beforeEach(async () => {
  ended = new AbortController();
  const session = { ask: () => Promise.resolve(VALUE), onChange: () => undefined };
  const announce = (words: string) => { said.push(words); };
  const { signal } = ended;
  timeline.render({ el, session: session as unknown as Session, announce, signal });
  await Promise.resolve();
  await Promise.resolve();
});
afterEach(() => {
  ended.abort();
  el.replaceChildren();
  said.length = 0;
});

function press(...keys: readonly string[]): void {
  const lanes = el.querySelector(".wb-lanes");
  for (const key of keys) lanes?.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
}

function shown(): Record<string, string> {
  const bars = [...el.querySelectorAll<HTMLElement>(".wb-time-bar")];
  return Object.fromEntries(bars.map(({ textContent, style }) =>
    [textContent, `${style.insetInlineStart} ${style.inlineSize}`]));
}

test("all of it is shown at first, every bar where it was", () => {
  expect(Object.keys(shown())).toEqual(["x", "k", "k_a", "k_b"]);
  expect(shown()["k"]).toBe("40.000% max(2px, 40.000%)");
});

test("the run alone is shown with a key, and all again", () => {
  press("r");
  expect(shown()["k"]).toBe("0.000% max(2px, 100.000%)");
  press("0");

  expect(shown()["k"]).toBe("40.000% max(2px, 40.000%)");
});

test("arrows choose bars in the order of time, and say their numbers", () => {
  press("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp");

  expect(said).toEqual(["upload x", "run k", "dispatch k_a", "run k"]);
  expect(el.querySelector('[aria-pressed="true"]')?.textContent).toBe("k");
});

test("plus comes nearer to the bar that is chosen, minus goes back", () => {
  press("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "+", "+", "+", "+");
  expect(shown()["x"]).toBeUndefined();
  expect(shown()["k_b"]).toBeDefined();
  press("-", "-", "-", "-");

  expect(shown()["x"]).toBeDefined();
});
