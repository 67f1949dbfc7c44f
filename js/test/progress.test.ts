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
  showProgress(model, ended.signal);
  const say = (content: object): void => {
    for (const each of heard) each(content);
  };
  return { say, ended, text: () => document.querySelector(".wb-progress")?.textContent };
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
});
