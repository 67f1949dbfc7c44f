// One pane of the stage explorer: a choice of stage, what it is, copy and search, and its text.

import type { KeyBinding } from "@codemirror/view";
import type { Lit } from "../link.ts";
import type { Stage } from "../model.ts";
import { codePane } from "./code.ts";
import type { Lighting } from "./code.ts";
import { copyText } from "./copy.ts";
import { element, toggle } from "./dom.ts";
import type { Editor } from "./editor.ts";

export interface PaneOptions {
  readonly label: string;
  readonly keys: readonly KeyBinding[];
  readonly onChoose: (stage: string) => void;
  readonly onHover: (offset: number | null) => void;
  readonly onClick: (offset: number) => void;
  readonly onFocus: () => void;
  /** The stage that can be edited, and its editor; Escape in it calls back. */
  readonly edited: { readonly stage: string; readonly edit: (leave: () => void) => Editor } | null;
  readonly announce: (words: string) => void;
  readonly signal: AbortSignal;
}

export interface Pane {
  readonly el: HTMLElement;
  readonly show: (stage: Stage) => void;
  readonly offer: (stages: readonly Stage[], chosen: string) => void;
  readonly light: (lit: Lit | undefined, pinned: boolean) => void;
  readonly reveal: (lit: Lit | undefined) => void;
  readonly wrap: (wrapped: boolean) => void;
}

export function pane(options: PaneOptions): Pane {
  const choice = element("select", { class: "wb-choice", "aria-label": options.label });
  const note = element("span", { class: "wb-note" });
  const find = button("find", "search (Ctrl-F)");
  const copy = copyButton(() => shown, options.announce);
  const body = element("div", { class: "wb-code" });
  const editing = editSwitch(body, options.edited, (open) => { find.hidden = open; });
  const head = element("div", { class: "wb-pane-head" }, choice, note, editing.el, find, copy);
  const el = element("section", { class: "wb-pane", "aria-label": options.label }, head, body);
  const code = codePane(body, { ...options, label: options.label });
  let shown: Stage | null = null;

  choice.addEventListener("change", () => { options.onChoose(choice.value); });
  el.addEventListener("focusin", options.onFocus);
  el.addEventListener("pointerdown", options.onFocus);
  find.addEventListener("click", code.find);

  return {
    el,
    show(stage) {
      const same = shown?.name === stage.name && shown.text === stage.text;
      shown = stage;
      note.textContent = stage.note;
      note.title = stage.note;
      editing.show(stage.name);
      if (same) return;
      const label = `${stage.name}, ${stage.lines} lines; arrow keys move between linked parts`;
      code.show(stage.text ?? "the text comes when the kernel answers", stage.language, label);
    },
    offer(stages, chosen) {
      const names = stages.map((stage) => stage.name);
      if (names.join() !== [...choice.options].map((each) => each.value).join()) {
        choice.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
      }
      choice.value = chosen;
    },
    light(lit, pinned) {
      const lighting = { ranges: lit?.ranges ?? [], weak: lit?.strength === "nearest", pinned };
      code.light(lighting);
      editing.light(lighting);
    },
    reveal: (lit) => { code.reveal(lit?.ranges ?? []); },
    wrap: code.wrap,
  };
}

/** The button that opens an editor in place of the text, at the stage that has one. */
function editSwitch(
  body: HTMLElement,
  edited: PaneOptions["edited"],
  opened: (open: boolean) => void,
) {
  let made: Editor | null = null;
  const place = (open: boolean): void => {
    body.hidden = open;
    if (made !== null) made.el.hidden = !open;
    opened(open);
  };
  const el = toggle("edit", "type in this text", false, (pressed) => {
    if (made === null && edited !== null) {
      made = edited.edit(() => { el.focus(); });
      body.after(made.el);
    }
    place(pressed);
    if (pressed) made?.focus();
  });
  return {
    el,
    /** Shows the text of a stage, or its editor where that was opened. */
    show(stage: string): void {
      el.hidden = stage !== edited?.stage;
      place(!el.hidden && el.getAttribute("aria-pressed") === "true");
    },
    light(lighting: Lighting): void {
      if (!el.hidden) made?.light(lighting);
    },
  };
}

function button(label: string, title: string): HTMLButtonElement {
  return element("button", { type: "button", class: "wb-button", title }, label);
}

/** Copies the text of the stage that is shown, and says whether the page could. */
function copyButton(
  shown: () => Stage | null,
  announce: (words: string) => void,
): HTMLButtonElement {
  const made = button("copy", "copy the text");
  made.addEventListener("click", () => {
    const stage = shown();
    void copyText(stage?.text ?? "").then((copied) => {
      made.textContent = copied ? "copied" : "not allowed";
      announce(copied ? `${stage?.name ?? ""} copied` : "this page may not copy; select the text");
    });
  });
  made.addEventListener("blur", () => { made.textContent = "copy"; });
  return made;
}
