// A read-only text with line numbers, colours, search, and ranges that can be lit.

import { openSearchPanel, search, searchKeymap } from "@codemirror/search";
import {
  Compartment,
  EditorState,
  RangeSetBuilder,
  StateEffect,
  StateField,
} from "@codemirror/state";
import type { Extension, Range as EditorRange, Text } from "@codemirror/state";
import { Decoration, EditorView, keymap, lineNumbers } from "@codemirror/view";
import type { DecorationSet, KeyBinding } from "@codemirror/view";
import { joined } from "../link.ts";
import type { Range } from "../link.ts";
import type { Language } from "../model.ts";
import { colours, languageOf } from "./languages.ts";
import { wrapped } from "./wrap.ts";

/** Ranges to light; `pinned` marks them as kept, `weak` as ancestors only. */
export interface Lighting {
  readonly ranges: readonly Range[];
  readonly weak: boolean;
  readonly pinned: boolean;
}

export interface CodePaneOptions {
  readonly label: string;
  readonly signal: AbortSignal;
  readonly keys?: readonly KeyBinding[];
  /** The place under the pointer, null when it leaves the text. */
  readonly onHover?: (offset: number | null) => void;
  readonly onClick?: (offset: number) => void;
}

export interface CodePane {
  readonly view: EditorView;
  readonly show: (text: string, language: Language, label: string) => void;
  readonly light: (lighting: Lighting) => void;
  /** Puts these decorations in place of what is lit. */
  readonly decorate: (ranges: readonly EditorRange<Decoration>[]) => void;
  /** Scrolls the first of the ranges into view if none of them is. */
  readonly reveal: (ranges: readonly Range[]) => void;
  readonly wrap: (asked: boolean) => void;
  readonly find: () => void;
}

export const redecorate = StateEffect.define<DecorationSet>();

export const decorated = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(value, transaction) {
    let next = transaction.docChanged ? Decoration.none : value;
    for (const effect of transaction.effects) {
      if (effect.is(redecorate)) next = effect.value;
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

export function decorations(lighting: Lighting, doc: Text): DecorationSet {
  const kinds = [lighting.weak ? "wb-lit-weak" : "wb-lit", lighting.pinned ? "wb-pinned" : ""];
  const mark = Decoration.mark({ class: kinds.join(" ").trim() });
  const builder = new RangeSetBuilder<Decoration>();
  for (const range of joined(lighting.ranges)) {
    for (const [start, end] of linesOf(range, doc)) builder.add(start, end, mark);
  }
  return builder.finish();
}

/** The parts of a range that lie on each line, without the indentation. */
function linesOf([from, to]: Range, doc: Text): readonly Range[] {
  const end = Math.min(to, doc.length);
  const parts: Range[] = [];
  for (let at = from; at < end; ) {
    const line = doc.lineAt(at);
    const indent = line.text.length - line.text.trimStart().length;
    const part: Range = [Math.max(at, line.from + indent), Math.min(end, line.to)];
    if (part[0] < part[1]) parts.push(part);
    at = line.to + 1;
  }
  return parts;
}

/** What every text pane has: read-only, reachable by keyboard, no key passed to the notebook. */
export function readOnly(label: string): Extension {
  return [
    EditorState.readOnly.of(true),
    EditorView.editable.of(false),
    EditorView.contentAttributes.of({
      tabindex: "0",
      role: "textbox",
      "aria-label": label,
      "aria-readonly": "true",
      "aria-multiline": "true",
    }),
    lineNumbers(),
    colours,
    theme,
  ];
}

/** A pane in `el`; it ends with the signal. */
export function codePane(el: HTMLElement, options: CodePaneOptions): CodePane {
  const language = new Compartment();
  const label = new Compartment();
  const wrapping = new Compartment();
  const view = new EditorView({
    parent: el,
    state: EditorState.create({
      extensions: [
        keymap.of([...(options.keys ?? []), ...searchKeymap]),
        search({ top: true }),
        decorated,
        language.of([]),
        label.of(readOnly(options.label)),
        wrapping.of([]),
        pointer(options),
      ],
    }),
  });
  options.signal.addEventListener("abort", () => { view.destroy(); });
  return {
    view,
    show(text, shown, name) {
      const insert = text.replace(/\n$/, "");
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert },
        effects: [language.reconfigure(languageOf(shown)), label.reconfigure(readOnly(name))],
        scrollIntoView: false,
      });
      view.scrollDOM.scrollTop = 0;
    },
    light(lighting) {
      view.dispatch({ effects: redecorate.of(decorations(lighting, view.state.doc)) });
    },
    decorate(ranges) {
      view.dispatch({ effects: redecorate.of(Decoration.set([...ranges], true)) });
    },
    reveal: (ranges) => { reveal(view, ranges); },
    wrap(asked) {
      view.dispatch({ effects: wrapping.reconfigure(asked ? wrapped : []) });
    },
    find() {
      view.focus();
      openSearchPanel(view);
    },
  };
}

function pointer(options: CodePaneOptions): Extension {
  const offsetAt = (event: MouseEvent, view: EditorView): number | null => {
    const at = view.posAtCoords({ x: event.clientX, y: event.clientY });
    if (at === null) return null;
    const after = view.coordsAtPos(at, 1);
    if (after !== null && event.clientX < after.left) return Math.max(0, at - 1);
    const pastEnd = at === view.state.doc.lineAt(at).to && event.clientX > (after?.right ?? 0);
    return pastEnd ? null : at;
  };
  return EditorView.domEventHandlers({
    mousemove: (event, view) => { options.onHover?.(offsetAt(event, view)); },
    mouseleave: () => { options.onHover?.(null); },
    click: (event, view) => {
      const at = offsetAt(event, view);
      if (at !== null && view.state.selection.main.empty) options.onClick?.(at);
    },
  });
}

function reveal(view: EditorView, ranges: readonly Range[]): void {
  const [first] = ranges;
  if (first === undefined || first[1] > view.state.doc.length) return;
  const top = view.scrollDOM.scrollTop;
  const seen = ranges.some(([start]) => {
    const line = view.lineBlockAt(Math.min(start, view.state.doc.length));
    return line.top >= top && line.bottom <= top + view.scrollDOM.clientHeight;
  });
  if (!seen) view.dispatch({ effects: EditorView.scrollIntoView(first[0], { y: "center" }) });
}

export const theme = EditorView.theme({
  "&": {
    backgroundColor: "var(--wb-code-background)",
    color: "var(--wb-text)",
    fontSize: "var(--wb-code-size)",
    height: "100%",
  },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--wb-code-font)", lineHeight: "1.45", overflow: "auto" },
  ".cm-content": { padding: "6px 0", caretColor: "transparent" },
  ".cm-line": { padding: "0 12px 0 6px" },
  ".cm-gutters": {
    backgroundColor: "var(--wb-code-background)",
    color: "var(--wb-faint)",
    border: "none",
  },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 6px 0 10px", minWidth: "2.2em" },
  ".cm-panels": {
    backgroundColor: "var(--wb-raised)",
    color: "var(--wb-text)",
    borderColor: "var(--wb-line)",
  },
  ".cm-panels.cm-panels-top": { borderBottom: "1px solid var(--wb-line)" },
  ".cm-search": { fontFamily: "var(--wb-font)", fontSize: "12px" },
  ".cm-textfield": {
    backgroundColor: "var(--wb-background)",
    border: "1px solid var(--wb-line)",
    color: "inherit",
  },
  ".cm-button": {
    backgroundImage: "none",
    backgroundColor: "var(--wb-background)",
    border: "1px solid var(--wb-line)",
    color: "inherit",
  },
  ".cm-searchMatch": {
    backgroundColor: "var(--wb-found)",
    outline: "1px solid var(--wb-found-line)",
  },
  ".cm-searchMatch-selected": { backgroundColor: "var(--wb-found-line)" },
});
