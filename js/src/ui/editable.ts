// A text that can be typed in, coloured like a cell, with mistakes underlined and parts lit.

import {
  defaultKeymap, history, historyKeymap, indentWithTab,
} from "@codemirror/commands";
import { indentUnit } from "@codemirror/language";
import { search, searchKeymap } from "@codemirror/search";
import { Annotation, EditorState, StateEffect, StateField } from "@codemirror/state";
import type { Extension, Range } from "@codemirror/state";
import { Decoration, EditorView, keymap, lineNumbers } from "@codemirror/view";
import type { DecorationSet } from "@codemirror/view";
import { decorated, decorations, redecorate, theme } from "./code.ts";
import type { Lighting } from "./code.ts";
import { colours, languageOf } from "./languages.ts";
import { wrapped } from "./wrap.ts";

export interface EditableOptions {
  readonly label: string;
  readonly text: string;
  /** The element that says how the text fares. */
  readonly describedBy: string;
  readonly onType: () => void;
  readonly onLeave: () => void;
  readonly onRun: () => void;
  readonly onCaret: (offset: number) => void;
  readonly signal: AbortSignal;
}

export interface Editable {
  readonly text: () => string;
  readonly focus: () => void;
  /** Puts another text there, which nobody typed; it can be undone. */
  readonly give: (text: string) => void;
  /** Underlines mistakes; they move with the text until others take their place. */
  readonly underline: (places: readonly Range<Decoration>[]) => void;
  readonly light: (lighting: Lighting) => void;
}

const given = Annotation.define<true>();
const underline = StateEffect.define<DecorationSet>();

const mistakes = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(value, transaction) {
    let next = value.map(transaction.changes);
    for (const effect of transaction.effects) if (effect.is(underline)) next = effect.value;
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** A text in `el`; it ends with the signal. */
export function editable(el: HTMLElement, options: EditableOptions): Editable {
  const view = new EditorView({
    parent: el,
    state: EditorState.create({ doc: options.text, extensions: extensions(options) }),
  });
  options.signal.addEventListener("abort", () => { view.destroy(); });
  return {
    text: () => view.state.doc.toString(),
    focus: () => { view.focus(); },
    give(text) {
      const changes = difference(view.state.doc.toString(), text);
      view.dispatch({ changes, annotations: given.of(true) });
    },
    underline(places) {
      view.dispatch({ effects: underline.of(Decoration.set([...places], true)) });
    },
    light(lighting) {
      view.dispatch({ effects: redecorate.of(decorations(lighting, view.state.doc)) });
    },
  };
}

function extensions(options: EditableOptions): Extension {
  return [
    keys(options),
    search({ top: true }),
    history(),
    lineNumbers(),
    indentUnit.of("    "),
    languageOf("python"),
    colours,
    theme,
    typing,
    wrapped,
    decorated,
    mistakes,
    firstLine,
    EditorView.contentAttributes.of((view) => ({
      "aria-label": options.label,
      "aria-multiline": "true",
      "aria-describedby": options.describedBy,
      "aria-invalid": String((view.state.field(mistakes, false)?.size ?? 0) > 0),
    })),
    EditorView.updateListener.of((update) => {
      const typed = update.docChanged && !update.transactions.some((t) => t.annotation(given));
      if (typed) options.onType();
      else if (update.selectionSet) options.onCaret(update.state.selection.main.head);
    }),
  ];
}

/** Tab indents; Escape closes a search, and else leaves, so that Tab goes on from there. */
function keys({ onLeave, onRun }: EditableOptions): Extension {
  const run = (): boolean => {
    onRun();
    return true;
  };
  const leave = (): boolean => {
    onLeave();
    return true;
  };
  return keymap.of([
    ...searchKeymap,
    { key: "Mod-Enter", run },
    { key: "Shift-Enter", run },
    { key: "Escape", run: leave },
    indentWithTab,
    ...historyKeymap,
    ...defaultKeymap,
  ]);
}

/** The line of the magic is made from what the panel shows: it stays as it is. */
const firstLine = EditorState.changeFilter.of((transaction) => {
  const { from, to, text } = transaction.startState.doc.line(1);
  const free = transaction.annotation(given) === true || !text.startsWith("# %%");
  return free || [from, to];
});

const typing = EditorView.theme({ "&.cm-editor .cm-content": { caretColor: "var(--wb-text)" } });

/** The one change between two texts, so that the caret stays where nothing changed. */
function difference(old: string, next: string) {
  const shorter = Math.min(old.length, next.length);
  let start = 0;
  while (start < shorter && old[start] === next[start]) start += 1;
  let end = 0;
  while (end < shorter - start && old.at(-1 - end) === next.at(-1 - end)) end += 1;
  return { from: start, to: old.length - end, insert: next.slice(start, next.length - end) };
}
