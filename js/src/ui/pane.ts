// One pane of the stage explorer: a choice of stage, what it is, copy and search, and its text.

import type { KeyBinding } from "@codemirror/view";
import type { Lit } from "../link.ts";
import type { Stage } from "../model.ts";
import { codePane } from "./code.ts";
import { copyText } from "./copy.ts";
import { element } from "./dom.ts";

export interface PaneOptions {
  readonly label: string;
  readonly keys: readonly KeyBinding[];
  readonly onChoose: (stage: string) => void;
  readonly onHover: (offset: number | null) => void;
  readonly onClick: (offset: number) => void;
  readonly onFocus: () => void;
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
  const head = element("div", { class: "wb-pane-head" }, choice, note, find, copy);
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
      code.light({ ranges: lit?.ranges ?? [], weak: lit?.strength === "nearest", pinned });
    },
    reveal: (lit) => { code.reveal(lit?.ranges ?? []); },
    wrap: code.wrap,
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
