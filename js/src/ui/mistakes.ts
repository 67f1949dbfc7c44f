// Where the mistakes of a failure stand in a part of the text that it is about.

import type { Caret, Failure, MarkedText } from "../model.ts";

export interface Placed {
  /** The part with its mistakes, each with its words. */
  readonly text: MarkedText;
  /** Other texts with places. */
  readonly elsewhere: readonly MarkedText[];
  /** How many mistakes there are, and the line of the first; "" where none stands in the part. */
  readonly where: string;
  /** The first mistake in words. */
  readonly words: string;
}

/** Sorts a failure by what stands in `part`, which is whole lines of the text that was sent. */
export function mistakesIn({ message, hint, texts }: Failure, part: string): Placed {
  const alone = hint === "" ? message : `${message}; try: ${hint}`;
  const carets: Caret[] = [];
  const elsewhere: MarkedText[] = [];
  for (const text of texts) {
    const here = caretsIn(text, part);
    carets.push(...here.map((each) => ({ ...each, words: each.words || alone })));
    if (here.length === 0) elsewhere.push(text);
  }
  const [first] = carets;
  const line = first === undefined ? "" : `line ${first.line}`;
  const many = `${carets.length} mistakes, the first in ${line}`;
  return {
    text: { name: "", text: part, language: "python", carets },
    elsewhere,
    where: carets.length > 1 ? many : line && `a mistake in ${line}`,
    words: first?.words ?? alone,
  };
}

/** The carets of a text that stand in a part of it, counted from the part's first line. */
function caretsIn({ text, carets }: MarkedText, part: string): readonly Caret[] {
  const at = part === "" ? -1 : text.indexOf(part);
  if (at < 0) return [];
  const before = text.slice(0, at).split("\n").length - 1;
  const lines = part.split("\n").length;
  return carets
    .map((caret) => ({ ...caret, line: caret.line - before }))
    .filter(({ line }) => line >= 1 && line <= lines);
}
