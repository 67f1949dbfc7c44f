// A failure: what is wrong, where, and what to write instead.

import type { Range } from "@codemirror/state";
import { Decoration, WidgetType } from "@codemirror/view";
import type { EditorView } from "@codemirror/view";
import type { Caret, Failure, MarkedText } from "../model.ts";
import { codePane } from "./code.ts";
import { element } from "./dom.ts";

/** What is wrong, each place in its text, and what to write; it ends with the signal. */
export function drawFailure(el: HTMLElement, failure: Failure, signal: AbortSignal): void {
  el.append(
    element(
      "div",
      { class: "wb-failure", role: "alert" },
      element("span", { class: "wb-kind" }, failure.kind),
      element("pre", { class: "wb-message" }, failure.message),
    ),
  );
  for (const text of failure.texts) el.append(drawPlaced(text, signal));
  if (failure.hint !== "") {
    const hint = element("pre", { class: "wb-message" }, failure.hint);
    const word = element("span", { class: "wb-kind" }, "try");
    el.append(element("div", { class: "wb-hint" }, word, hint));
  }
}

/** A text with its places underlined and the words under each. */
export function drawPlaced(text: MarkedText, signal: AbortSignal): HTMLElement {
  const body = element("div", { class: "wb-code" });
  const ranges = placesOf(text);
  const label = `${text.name}, ${text.carets.length} places underlined`;
  const code = codePane(body, { label, signal });
  code.show(text.text, text.language, label);
  code.decorate(ranges);
  return element(
    "section",
    { class: "wb-pane wb-placed", "aria-label": label },
    element("div", { class: "wb-pane-head" }, element("span", { class: "wb-note" }, text.name)),
    body,
  );
}

/** The places of a text underlined, with words. */
export function placesOf(text: MarkedText): readonly Range<Decoration>[] {
  const starts = lineStarts(text.text);
  return text.carets.flatMap((caret) => decorationsOf(caret, starts, text.text.length));
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** Underlines a place of a text, with its words below the line. */
function decorationsOf(
  caret: Caret,
  starts: readonly number[],
  length: number,
): readonly Range<Decoration>[] {
  const start = starts[caret.line - 1];
  if (start === undefined) return [];
  const from = Math.min(start + caret.column, length);
  const to = Math.min(from + Math.max(caret.length, 1), length);
  const end = (starts[caret.line] ?? length + 1) - 1;
  const places = from < to ? [Decoration.mark({ class: "wb-wrong" }).range(from, to)] : [];
  if (caret.words === "") return places;
  const words = new Words(caret.column, caret.words);
  return [...places, Decoration.widget({ widget: words, block: true, side: 1 }).range(end)];
}

/** A line of words between two lines of a text, below its place where that does not move. */
class Words extends WidgetType {
  readonly #column: number;
  readonly #words: string;

  constructor(column: number, words: string) {
    super();
    this.#column = column;
    this.#words = words;
  }

  override eq(other: Words): boolean {
    return other.#words === this.#words && other.#column === this.#column;
  }

  override toDOM(view: EditorView): HTMLElement {
    const wraps = view.lineWrapping;
    const place = wraps ? "" : " ".repeat(this.#column);
    const made = element("div", { class: "wb-words" }, `${place}^ ${this.#words}`);
    made.style.whiteSpace = wraps ? "pre-wrap" : "pre";
    return made;
  }
}
