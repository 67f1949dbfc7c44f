// A text of the cell that is edited: compiled when typing pauses, mistakes underlined in place.

import type { Edit, Failure, PanelState, Session } from "../model.ts";
import type { Lighting } from "./code.ts";
import { element } from "./dom.ts";
import { draft } from "./draft.ts";
import type { Phase } from "./draft.ts";
import { editable } from "./editable.ts";
import type { Editable } from "./editable.ts";
import { drawFailure, drawPlaced, placesOf } from "./failure.ts";
import { mistakesIn } from "./mistakes.ts";

export interface EditorOptions {
  readonly label: string;
  readonly session: Session;
  /** This text as the state has it. */
  readonly textOf: (state: PanelState) => string;
  readonly editOf: (text: string) => Edit;
  /** Whether it can be written to the cell from here: it is the whole source. */
  readonly whole: boolean;
  /** Where the focus goes when the text is left by key. */
  readonly onLeave: () => void;
  readonly onCaret?: (offset: number) => void;
  readonly announce: (words: string) => void;
  readonly signal: AbortSignal;
}

export interface Editor {
  readonly el: HTMLElement;
  readonly text: () => string;
  readonly focus: () => void;
  readonly light: (lighting: Lighting) => void;
}

let made = 0;

export function editor(options: EditorOptions): Editor {
  const { session, textOf, signal } = options;
  made += 1;
  const words = element("span", { class: "wb-line", id: `wb-edit-${made}` });
  const rest = element("div");
  const body = element("div", { class: "wb-code" });
  const typed = editable(body, {
    label: `${options.label}, editable; Tab indents, Escape leaves, Ctrl-Enter runs`,
    text: textOf(session.state),
    describedBy: words.id,
    onType: () => { on.typed(); },
    onLeave: () => {
      on.leave();
      options.onLeave();
    },
    onRun: () => { on.leave(); },
    onCaret: (offset) => { options.onCaret?.(offset); },
    signal,
  });
  const say = sayer(options, typed, { words, rest });
  const on = draft({
    text: typed.text,
    send: (text, release) => session.edit(options.editOf(text), release),
    changed: say,
    signal,
  });
  const give = (text: string): void => {
    if (text !== typed.text()) typed.give(text);
    on.given();
  };
  followState(options, () => on.phase().kind === "taken", give);
  const buttons = [
    button("run", "run this text (Ctrl-Enter)", () => { on.leave(); }),
    button("revert", "take back to the text that the panel shows", () => {
      give(textOf(session.state));
    }),
  ];
  if (options.whole && typeof session.state.editing?.cell === "string") {
    buttons.push(writing(options, typed, words));
  }
  const toolbar = element("div", { class: "wb-toolbar" }, ...buttons);
  const el = element("div", { class: "wb-editor" }, body, rest,
    element("div", { class: "wb-foot" }, words, toolbar));
  leaving(el, () => { on.leave(); });
  return { el, text: typed.text, focus: typed.focus, light: typed.light };
}

/** Follows the text of the state where somebody else changed it and nothing here would be lost. */
function followState(
  { session, textOf, signal }: EditorOptions,
  free: () => boolean,
  give: (text: string) => void,
): void {
  let known = textOf(session.state);
  session.onChange((state) => {
    const now = textOf(state);
    if (now !== known && free()) give(now);
    known = now;
  }, signal);
}

/** Calls back when the focus goes elsewhere in this page. */
function leaving(el: HTMLElement, leave: () => void): void {
  el.addEventListener("focusout", ({ relatedTarget }) => {
    const stays = relatedTarget instanceof Node && el.contains(relatedTarget);
    if (!stays && document.hasFocus()) leave();
  });
}

/** Shows how a text fares: words, mistakes in place, and whether the panel is older than it. */
function sayer(
  { session, textOf, announce, signal }: EditorOptions,
  typed: Editable,
  on: { readonly words: HTMLElement; readonly rest: HTMLElement },
): (phase: Phase) => void {
  const owner = {};
  let drawn = new AbortController();
  let wrong = false;
  signal.addEventListener("abort", () => {
    drawn.abort();
    session.newer.set(without(session.newer.get(), owner));
  });
  const clear = (): void => {
    typed.underline([]);
    drawn.abort();
    drawn = new AbortController();
    on.rest.replaceChildren();
  };
  const refuse = (failure: Failure): void => {
    clear();
    const { text, elsewhere, where, words } = mistakesIn(failure, typed.text());
    typed.underline(placesOf(text));
    if (where === "") drawFailure(on.rest, failure, drawn.signal);
    else on.rest.append(...elsewhere.map((each) => drawPlaced(each, drawn.signal)));
    on.words.textContent = where;
    announce(`${where}: ${words}`);
  };
  const mark = (phase: Phase): void => {
    const older = phase.kind === "silent" || phase.kind === "refused";
    const stale = older && textOf(session.state) !== typed.text();
    const others = without(session.newer.get(), owner);
    session.newer.set(stale ? new Set([...others, owner]) : others);
  };
  return (phase) => {
    on.words.textContent = wordsOf(phase);
    mark(phase);
    if (phase.kind === "silent") announce(on.words.textContent);
    if (phase.kind === "taken") {
      clear();
      if (wrong) announce("the mistake is gone");
      wrong = false;
    }
    if (phase.kind === "refused") {
      refuse(phase.failure);
      wrong = true;
    }
  };
}

function without<T>(set: ReadonlySet<T>, each: T): ReadonlySet<T> {
  return set.has(each) ? new Set([...set].filter((other) => other !== each)) : set;
}

function wordsOf(phase: Phase): string {
  switch (phase.kind) {
    case "taken":
      return phase.run ? "" : "compiled, not run: Ctrl-Enter runs it";
    case "typing":
      return "…";
    case "sent":
      return phase.run ? "compiling and running …" : "compiling …";
    case "silent":
      return "the kernel is busy or gone; the text is kept, and can be written to its cell";
    case "refused":
      return phase.failure.message;
    default:
      return phase satisfies never;
  }
}

/** Writes the text as it stands here, whatever the kernel says of it. */
function writing(
  { session, announce }: EditorOptions,
  typed: Editable,
  words: HTMLElement,
): HTMLButtonElement {
  return button("write to cell", "write this text into its cell", () => {
    const refused = session.writeCell(typed.text());
    words.textContent =
      refused === "" ? "written: run the cell to keep it" : `not written: ${refused}`;
    announce(words.textContent);
  });
}

function button(label: string, title: string, press: () => void): HTMLButtonElement {
  const one = element("button", { type: "button", class: "wb-button", title }, label);
  one.addEventListener("click", press);
  return one;
}
