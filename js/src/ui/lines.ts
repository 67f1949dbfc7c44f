// The lines that replay a schedule, with buttons that copy them, take edits back, or write them.

import type { Editing } from "../model.ts";
import { copies } from "./copy.ts";
import { element } from "./dom.ts";
import { drawFailure } from "./failure.ts";
import type { ViewContext } from "./view.ts";

type LinesContext = Pick<ViewContext, "session" | "announce" | "signal">;

/** The lines of the state there is; they follow it. */
export function replayLines(context: LinesContext): HTMLElement {
  const { session, announce, signal } = context;
  const calls = line("in Python", (editing) => editing.calls, context);
  const written = line("in the cell", (editing) => editing.function, context);
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
    const words = session.writeCell();
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

function line(
  name: string,
  textOf: (editing: Editing) => string,
  { session, announce }: LinesContext,
) {
  const now = (): string => {
    const { editing } = session.state;
    return editing === null ? "" : textOf(editing);
  };
  const code = element("pre", { tabindex: "0", "aria-label": `the schedule ${name}` });
  const copy = copies(now, `the schedule ${name}`, announce);
  const el = element("div", { class: "wb-replay" }, code, copy);
  return {
    el,
    update(editing: Editing | null): void {
      code.textContent = editing === null ? "" : textOf(editing);
      el.hidden = code.textContent === "";
    },
  };
}
