// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import type { WidgetModel } from "../src/model.ts";
import { showProgress } from "../src/progress.ts";

function shown() {
  const heard: ((content: unknown) => void)[] = [];
  const model = {
    on: (_: string, each: (content: unknown) => void) => heard.push(each),
    off: () => heard.pop(),
  } as unknown as WidgetModel;
  const ended = new AbortController();
  const stopped: number[] = [];
  showProgress(model, ended.signal, (number) => stopped.push(number));
  const say = (content: object): void => {
    for (const each of heard) each(content);
  };
  const text = () => document.querySelector(".wb-progress .wb-progress-words")?.textContent;
  return { say, ended, stopped, text };
}

describe("the progress of a run", () => {
  it("is one line that changes and goes", () => {
    const { say, text } = shown();
    say({ kind: "progress", words: "1 of 9" });
    say({ kind: "progress", words: "2 of 9" });

    expect(text()).toBe("2 of 9");
    expect(document.querySelectorAll(".wb-progress")).toHaveLength(1);

    say({ kind: "progress", words: "" });

    expect(text()).toBeUndefined();
  });

  it("goes with the kernel process, and hears nothing else", () => {
    const { say, ended, text } = shown();
    say({ page: "another", kind: "text", text: "{}" });
    expect(text()).toBeUndefined();
    say({ kind: "progress", words: "1 of 9" });
    ended.abort();

    expect(text()).toBeUndefined();
  });

  it("has a bar where the share is known, and a button that stops it once", () => {
    const { say, ended, stopped } = shown();
    say({ kind: "progress", words: "1 of 4", share: 0.25, stop: 7 });
    const bar = document.querySelector<HTMLProgressElement>(".wb-progress progress");
    expect(bar?.value).toBe(0.25);
    const button = document.querySelector<HTMLButtonElement>(".wb-progress button");
    button?.click();
    button?.click();
    say({ kind: "progress", words: "2 of 4", share: null, stop: 7 });

    expect(stopped).toEqual([7]);
    expect(button?.textContent).toBe("Cancelling");
    expect(bar?.hidden).toBe(true);

    say({ kind: "progress", words: "another", share: null, stop: 8 });
    expect(button?.textContent).toBe("Cancel");
    say({ kind: "progress", words: "another", share: null, stop: null });

    expect(button?.hidden).toBe(true);
    ended.abort();
  });
});
