import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Failure } from "../src/model.ts";
import { draft, patience, pause } from "../src/ui/draft.ts";
import type { Phase } from "../src/ui/draft.ts";
import { mistakesIn } from "../src/ui/mistakes.ts";

const failure: Failure = { kind: "SourceError", message: "no", hint: "yes", texts: [] };

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

/** A draft whose sender answers when it is told to. */
function make() {
  const ended = new AbortController();
  const sent: (readonly [string, boolean])[] = [];
  const phases: string[] = [];
  const answers: { readonly give: (said: Failure | null) => void; readonly fail: () => void }[] = [];
  let text = "a";
  const made = draft({
    text: () => text,
    send: (each, release) =>
      new Promise((resolve, reject) => {
        sent.push([each, release]);
        answers.push({ give: resolve, fail: () => { reject(new Error("dead")); } });
      }),
    changed: (phase: Phase) => phases.push(phase.kind),
    signal: ended.signal,
  });
  const type = (next: string): void => {
    text = next;
    made.typed();
  };
  const answer = async (said: Failure | null): Promise<void> => {
    answers.shift()?.give(said);
    await vi.advanceTimersByTimeAsync(0);
  };
  const wait = (time: number) => vi.advanceTimersByTimeAsync(time);
  return { made, type, answer, answers, wait, sent, phases, ended };
}

describe("a draft", () => {
  test("is sent once typing pauses, and not before", async () => {
    const { type, wait, sent, answer, phases } = make();
    type("b");
    await wait(pause - 1);
    type("c");
    await wait(pause - 1);
    expect(sent).toEqual([]);
    await wait(1);
    await answer(null);

    expect(sent).toEqual([["c", false]]);
    expect(phases).toEqual(["typing", "typing", "sent", "taken"]);
  });

  test("has one text on its way, then the last one", async () => {
    const { type, wait, sent, answer } = make();
    type("b");
    await wait(pause);
    for (const text of ["c", "d"]) {
      type(text);
      await wait(pause);
    }
    expect(sent).toEqual([["b", false]]);
    await answer(null);

    expect(sent).toEqual([["b", false], ["d", false]]);
  });

  test("is run when it is left, also what was only compiled", async () => {
    const { made, type, wait, sent, answer } = make();
    made.leave();
    expect(sent).toEqual([]);
    type("b");
    await wait(pause);
    await answer(null);
    made.leave();
    await answer(null);
    made.leave();

    expect(sent).toEqual([["b", false], ["b", true]]);
    expect(made.phase()).toEqual({ kind: "taken", run: true });
  });

  test("that is refused is not sent again until it changes", async () => {
    const { made, type, wait, sent, answer } = make();
    type("b");
    await wait(pause);
    made.leave();
    await answer(failure);
    made.leave();
    await wait(10 * pause);

    expect(sent).toEqual([["b", false]]);
    expect(made.phase()).toEqual({ kind: "refused", failure });
  });

  test("says when no answer comes, and goes on when one does", async () => {
    const { made, type, wait, answer } = make();
    type("b");
    await wait(pause + patience);
    expect(made.phase().kind).toBe("silent");
    await answer(null);

    expect(made.phase()).toEqual({ kind: "taken", run: false });
  });

  test("that cannot be sent is kept, and tried again with the next key", async () => {
    const { made, type, wait, answers, sent } = make();
    type("b");
    await wait(pause);
    answers.shift()?.fail();
    await wait(0);
    expect(made.phase().kind).toBe("silent");
    type("c");
    await wait(pause);

    expect(sent).toEqual([["b", false], ["c", false]]);
  });

  test("does nothing after its signal", async () => {
    const { type, wait, sent, ended } = make();
    type("b");
    ended.abort();
    await wait(10 * pause);

    expect(sent).toEqual([]);
  });
});

describe("the mistakes in a part of a text", () => {
  const caret = (line: number, words = "") => ({ line, column: 4, length: 1, words });
  const of = (...carets: ReturnType<typeof caret>[]): Failure => ({
    ...failure,
    texts: [{ name: "cell", text: "one\ntwo\nthree\nfour", language: "python", carets }],
  });

  test("are counted from its first line, and say what to write", () => {
    const { text, elsewhere, where, words } = mistakesIn(of(caret(3)), "two\nthree");

    expect(text.carets).toEqual([caret(2, "no; try: yes")]);
    expect([where, words]).toEqual(["a mistake in line 2", "no; try: yes"]);
    expect(elsewhere).toEqual([]);
  });

  test("leave what stands elsewhere to others", () => {
    const loops = { name: "loops", text: "for", language: "python" as const, carets: [caret(1)] };
    const found = of(caret(2));

    expect(mistakesIn(of(caret(1)), "two\nthree").where).toBe("");
    expect(mistakesIn({ ...found, texts: [...found.texts, loops] }, "two").elsewhere)
      .toEqual([loops]);
  });

  test("keep their own words where there are several", () => {
    const { where, words } = mistakesIn(of(caret(2, "first"), caret(3, "second")), "two\nthree");

    expect([where, words]).toEqual(["2 mistakes, the first in line 1", "first"]);
  });
});
