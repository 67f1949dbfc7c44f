// The difference between two texts: side by side where there is room, else in one column.

import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import type { Language } from "../model.ts";
import { readOnly } from "./code.ts";
import { languageOf } from "./languages.ts";
import { wrapped } from "./wrap.ts";

export interface Side {
  readonly name: string;
  readonly text: string;
  readonly language: Language;
}

/** Pixels below which two columns cut most lines. */
export const roomForTwo = 760;

const collapse = { margin: 3, minSize: 8 };

/** Draws the difference in `el`, and takes it away when the signal ends. */
export function showDiff(
  el: HTMLElement,
  before: Side,
  after: Side,
  options: { readonly wrapped: boolean; readonly signal: AbortSignal },
): void {
  const wrapping = options.wrapped ? wrapped : [];
  const extensions = (side: Side) => [
    readOnly(`${side.name}, difference`),
    languageOf(side.language),
    wrapping,
  ];
  if (el.clientWidth >= roomForTwo) {
    const view = new MergeView({
      parent: el,
      a: { doc: shown(before), extensions: extensions(before) },
      b: { doc: shown(after), extensions: extensions(after) },
      gutter: true,
      highlightChanges: true,
      collapseUnchanged: collapse,
    });
    view.dom.classList.add("wb-merge");
    options.signal.addEventListener("abort", () => { view.destroy(); });
    return;
  }
  const view = new EditorView({
    parent: el,
    state: EditorState.create({
      doc: shown(after),
      extensions: [
        ...extensions(after),
        unifiedMergeView({
          original: shown(before),
          mergeControls: false,
          gutter: true,
          highlightChanges: true,
          collapseUnchanged: collapse,
        }),
      ],
    }),
  });
  options.signal.addEventListener("abort", () => { view.destroy(); });
}

/** A text without the end of its last line, which would show as an empty one. */
function shown(side: Side): string {
  return side.text.replace(/\n$/, "");
}
