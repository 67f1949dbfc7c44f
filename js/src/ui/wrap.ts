// Long lines continued below their own indentation, so that wrapped code still reads as code.

import { RangeSetBuilder } from "@codemirror/state";
import type { Extension } from "@codemirror/state";
import { Decoration, EditorView, ViewPlugin } from "@codemirror/view";
import type { DecorationSet, ViewUpdate } from "@codemirror/view";

/** Characters that a continued line stands further in than its first part. */
const further = 4;
/** Deeper indentation than this is not kept: nothing would be left for the words. */
const deepest = 24;

const hanging = ViewPlugin.define(
  (view) => ({
    decorations: indented(view),
    update(change: ViewUpdate) {
      if (change.docChanged || change.viewportChanged) this.decorations = indented(change.view);
    },
  }),
  { decorations: (plugin) => plugin.decorations },
);

/** What a pane with wrapped lines is extended by. */
export const wrapped: Extension = [EditorView.lineWrapping, hanging];

function indented(view: EditorView): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  for (const { from, to } of view.visibleRanges) {
    for (let at = from; at <= to; ) {
      const line = view.state.doc.lineAt(at);
      const own = line.text.length - line.text.trimStart().length;
      builder.add(line.from, line.from, hangingBy(Math.min(own, deepest) + further));
      at = line.to + 1;
    }
  }
  return builder.finish();
}

function hangingBy(characters: number): Decoration {
  const style = `padding-inline-start: calc(6px + ${characters}ch); text-indent: -${characters}ch`;
  return Decoration.line({ attributes: { style } });
}
