// @vitest-environment jsdom
import { describe, expect, test } from "vitest";
import { initialize, render } from "../src/index.ts";
import { fakeModel, fixture } from "./panel_model.ts";

function panel() {
  const { model } = fakeModel(fixture("matmul"));
  const kinded = { ...model, get: (key: string) => (key === "kind" ? "panel" : model.get(key)) };
  return { model: kinded, ended: new AbortController(), el: document.createElement("div") };
}

describe("a widget that ends", () => {
  test("takes its state along, though its model may be kept", () => {
    const { model, ended } = panel();
    initialize({ model, signal: ended.signal });
    const before = model.get("state");
    ended.abort();

    expect(before).not.toBeNull();
    expect(model.get("state")).toBeNull();
  });

  test("before the code is there is not started, and its state goes as well", () => {
    const { model, ended, el } = panel();
    ended.abort();
    initialize({ model, signal: ended.signal });
    render({ model, el, signal: ended.signal });

    expect(model.get("state")).toBeNull();
    expect(el.childElementCount).toBe(0);
  });
});
