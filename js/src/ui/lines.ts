// The lines that replay a schedule, with buttons that copy them, take edits back, or write them.

import type { Editing, PanelState } from "../model.ts";
import { copies } from "./copy.ts";
import { element, toggle } from "./dom.ts";
import { editor } from "./editor.ts";
import type { Editor } from "./editor.ts";
import { drawFailure } from "./failure.ts";
import type { ViewContext } from "./view.ts";

type LinesContext = Pick<ViewContext, "session" | "announce" | "signal">;

/** The lines of the state there is; they follow it. Editable, those of the cell can be typed. */
export function replayLines(context: LinesContext, { typed = false } = {}): HTMLElement {
  const { session, announce, signal } = context;
  const calls = line("in Python", (editing) => editing.calls, context);
  const read = line("in the cell", (editing) => editing.function, context);
  const written = typed ? typedLine(read, context) : read;
  const said = element("span", { class: "wb-soft" });
  const undo = element("button", { type: "button", class: "wb-button" }, "undo");
  const write = element("button", { type: "button", class: "wb-button" }, "write to cell");
  const refused = element("div");
  undo.addEventListener("click", () => {
    void session.edit({ undo: true }, true).then((failure) => {
      refused.replaceChildren();
      if (failure !== null) drawFailure(refused, failure, signal);
      else announce("the last edit is taken back");
    });
  });
  write.addEventListener("click", () => {
    const words = session.writeCell(written.source());
    said.textContent = words === "" ? "written: run the cell to keep it" : `not written: ${words}`;
    announce(said.textContent);
  });
  const update = (): void => {
    const { editing } = session.state;
    const count = editing?.undo ?? 0;
    undo.disabled = count === 0;
    undo.title = `take back the last of ${String(count)} edits`;
    write.hidden = editing?.cell === null;
    said.textContent = "";
    calls.update(editing);
    written.update(editing);
  };
  session.onChange(update, signal);
  update();
  const whole = copies(() => session.state.editing?.cell ?? "", "the cell", announce);
  whole.textContent = "copy cell";
  whole.hidden = session.state.editing?.cell === null;
  const buttons = element("div", { class: "wb-toolbar" }, undo, write, whole);
  const foot = element("div", { class: "wb-foot" }, buttons, said);
  return element("div", { class: "wb-lines" }, calls.el, written.el, refused, foot);
}

interface Line {
  readonly el: HTMLElement;
  /** The source with what is typed here, where the state does not have that. */
  readonly source: () => string | undefined;
  readonly update: (editing: Editing | null) => void;
}

/** The lines of the cell with a button that opens an editor in their place. */
function typedLine(read: Line, context: LinesContext): Line {
  const { session, signal } = context;
  const refused = element("div");
  let made: Editor | null = null;
  const place = (open: boolean): void => {
    read.el.hidden = open || session.state.editing?.function === "";
    if (made !== null) made.el.hidden = !open;
  };
  const open = (): void => {
    if (made === null) {
      made = scheduleEditor(context, () => { edit.focus(); });
      el.append(made.el);
    }
    place(true);
    made.focus();
  };
  const edit = toggle("edit the schedule", "type in the schedule", false, (pressed) => {
    refused.replaceChildren();
    const draft = session.state.editing?.draft ?? "";
    if (!pressed) place(false);
    else if (draft === "") open();
    else {
      // What the rule decided becomes a function first: the text that is edited.
      void session.edit({ schedule: draft }, false).then((failure) => {
        if (failure === null) open();
        else drawFailure(refused, failure, signal);
      });
    }
  });
  const el = element("div", {}, read.el, element("div", { class: "wb-foot" }, edit), refused);
  return {
    el,
    source() {
      const now = session.state.editing?.function ?? "";
      const text = made?.text() ?? now;
      const { text: source } = session.state.stages.find(({ name }) => name === "source") ?? {};
      return text === now ? undefined : source?.replace(now, () => text);
    },
    update(editing) {
      read.update(editing);
      place(made !== null && !made.el.hidden);
    },
  };
}

function scheduleEditor(
  { session, announce, signal }: LinesContext,
  onLeave: () => void,
): Editor {
  const textOf = ({ editing }: PanelState): string => editing?.function ?? "";
  const editOf = (schedule: string) => ({ schedule });
  return editor({
    label: "schedule", session, textOf, editOf, whole: false, onLeave, announce, signal,
  });
}

function line(
  name: string,
  textOf: (editing: Editing) => string,
  { session, announce }: LinesContext,
): Line {
  const now = (): string => {
    const { editing } = session.state;
    return editing === null ? "" : textOf(editing);
  };
  const code = element("pre", { tabindex: "0", "aria-label": `the schedule ${name}` });
  const copy = copies(now, `the schedule ${name}`, announce);
  const el = element("div", { class: "wb-replay" }, code, copy);
  return {
    el,
    source: () => undefined,
    update(editing: Editing | null): void {
      code.textContent = editing === null ? "" : textOf(editing);
      el.hidden = code.textContent === "";
    },
  };
}
