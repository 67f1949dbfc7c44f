import { describe, expect, test } from "vitest";
import { decode, openSession } from "../src/model.ts";
import type { PanelState } from "../src/model.ts";
import { fakeModel, fixture, stateBytes } from "./panel_model.ts";

describe("the state of the widget", () => {
  test("is read from the bytes that Python writes", () => {
    const state = decode(fixture("matmul"));

    expect(state.stages.map((stage) => stage.name)).toContain("wgsl");
  });

  test("marks lie on the characters they were made for, also after characters of two units", () => {
    const failure = decode(fixture("refused")).failure;
    const text = failure?.texts[0];
    const line = text?.text.split("\n")[2] ?? "";
    const places = text?.carets.map(({ column, length }) => line.slice(column, column + length));

    expect(places).toEqual(["x[i, j - 1]", "z"]);
  });

  test("is empty where the widget has none yet", () => {
    expect(decode(new DataView(new ArrayBuffer(0))).stages).toEqual([]);
  });

  test("of another version is refused in words", () => {
    expect(() => decode(stateBytes({ version: 99 }))).toThrow("has version 99, this page reads 4");
  });
});

describe("a session", () => {
  test("asks once for a stage and shows it when it comes", () => {
    const whole = decode(fixture("matmul"));
    const cut = whole.stages.map((stage) => ({ ...stage, text: null, marks: [] }));
    const { model, sent, answer } = fakeModel(stateBytes({ ...whole, stages: cut }));
    const session = openSession(model, new AbortController().signal);
    const seen: PanelState[] = [];
    session.onChange((state) => seen.push(state), new AbortController().signal);

    session.request("loops");
    session.request("loops");
    answer({ kind: "stage", name: "loops", stage: whole.stages[2] });

    expect(sent).toEqual([{ kind: "stage", name: "loops" }]);
    expect(seen[0]?.stages[2]?.text).toBe(whole.stages[2]?.text);
    expect(session.state.stages[1]?.text).toBeNull();
  });

  test("stops listening when its signal ends", () => {
    const { model, listening } = fakeModel(fixture("matmul"));
    const ended = new AbortController();
    openSession(model, ended.signal);
    const before = listening();

    ended.abort();

    expect([before, listening()]).toEqual([2, 0]);
  });
});

