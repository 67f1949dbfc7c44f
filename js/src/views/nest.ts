// The loop nest: what each loop runs as, how often, and which part of the work is inside it.

import { Refusal } from "../model.ts";
import type { Session } from "../model.ts";
import { element } from "../ui/dom.ts";
import { replayLines } from "../ui/lines.ts";
import { nextSteps } from "../ui/next.ts";
import type { NextSteps } from "../ui/next.ts";
import { picture } from "../ui/picture.ts";
import type { PictureContext } from "../ui/picture.ts";
import { linksOfSession } from "../ui/selection.ts";

interface Line {
  readonly depth: number;
  readonly kind: "loop" | "test" | "array" | "statement";
  readonly text: string;
  readonly loop: string;
  readonly where: string;
  readonly times: string;
  readonly share: number;
  /** Where it comes from, by its number in the state; -1 for nowhere. */
  readonly origin: number;
}

interface LoopNest {
  readonly lines: readonly Line[];
}

const foot = "work is modelled: float operations and accesses; a loop shows what can be done there";

export default picture<LoopNest>("nest", "loop nest", draw);

function draw(context: PictureContext<LoopNest>): void {
  const { el, value, session, announce, signal } = context;
  const place = element("div", { class: "wb-next-place" });
  let asked = 0;
  const choose = async (loop: string, button: HTMLElement): Promise<void> => {
    asked += 1;
    const mine = asked;
    for (const each of el.querySelectorAll(".wb-loop[aria-expanded=true]")) {
      each.setAttribute("aria-expanded", "false");
    }
    place.replaceChildren();
    try {
      const found = (await session.ask("nest", { loop })) as NextSteps;
      if (signal.aborted || mine !== asked) return;
      button.setAttribute("aria-expanded", "true");
      place.append(nextSteps(found, context));
      announce(`${String(found.steps.length)} legal steps at ${loop}`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      place.append(element("p", { class: "wb-foot" }, error.message));
    }
  };
  const lines = value.lines.map((line) => row(line, choose, session));
  lightRows(value, lines, context);
  const head = ["work", "times", "loops"].map((each) => element("th", { scope: "col" }, each));
  el.append(
    element(
      "div",
      { class: "wb-nest" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...head)),
        element("tbody", {}, ...lines),
      ),
    ),
    place,
    session.state.editing === null ? "" : replayLines(context),
    element("p", { class: "wb-foot" }, foot),
  );
}

type Choose = (loop: string, button: HTMLElement) => Promise<void>;

/** Lights the rows that belong to what is chosen in any of the views. */
function lightRows(
  { lines }: LoopNest,
  rows: readonly HTMLElement[],
  { session, signal }: PictureContext<LoopNest>,
): void {
  const links = linksOfSession(session);
  const marks = lines.flatMap(({ origin }, n) => [n, n + 1, origin]);
  session.chosen.follow((origin) => {
    const lit = origin === null ? [] : links().lit(marks, origin).ranges;
    const found = new Set(lit.map(([n]) => n));
    rows.forEach((each, n) => { each.classList.toggle("wb-lit-row", found.has(n)); });
  }, signal);
}

/** A row; a press on it chooses it in all views. */
function row(line: Line, choose: Choose, session: Session): HTMLElement {
  const share = `${(100 * line.share).toFixed(0)}%`;
  const cell = element("td", { class: "wb-share" }, share);
  cell.style.setProperty("--share", String(line.share));
  const code = element("code", { "data-kind": line.kind }, line.text);
  const text = element("td", {}, pressable(line.loop, code, choose), badge(line.where));
  text.style.paddingInlineStart = `${String(1.5 * line.depth)}em`;
  const made = element("tr", {}, cell, element("td", { class: "wb-number" }, line.times), text);
  if (line.origin >= 0) {
    made.addEventListener("click", () => { session.chosen.set(line.origin); });
  }
  return made;
}

/** The text of a loop as a button that shows what can be done there; other lines as they are. */
function pressable(loop: string, code: HTMLElement, choose: Choose): HTMLElement {
  if (loop === "") return code;
  const title = `what can be done at ${loop}`;
  const made = element("button", { type: "button", class: "wb-loop", title }, code);
  made.setAttribute("aria-expanded", "false");
  made.addEventListener("click", () => { void choose(loop, made); });
  return made;
}

/** What runs a loop, or where an array lives. */
function badge(where: string): HTMLElement | null {
  if (where === "") return null;
  const [place = ""] = where.split(/[. ]/);
  return element("span", { class: "wb-badge", "data-place": place }, where);
}
