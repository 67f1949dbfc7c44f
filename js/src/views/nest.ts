// The loop nest: what each loop runs as, how often, and which part of the work is inside it.

import { element } from "../ui/dom.ts";
import { picture } from "../ui/picture.ts";
import type { PictureContext } from "../ui/picture.ts";

interface Line {
  readonly depth: number;
  readonly kind: "loop" | "test" | "array" | "statement";
  readonly text: string;
  readonly loop: string;
  readonly where: string;
  readonly times: string;
  readonly share: number;
}

interface LoopNest {
  readonly lines: readonly Line[];
}

export default picture<LoopNest>("nest", "loop nest", draw);

function draw({ el, value }: PictureContext<LoopNest>): void {
  const head = ["work", "times", "loops"].map((each) => element("th", { scope: "col" }, each));
  el.append(
    element(
      "div",
      { class: "wb-nest" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...head)),
        element("tbody", {}, ...value.lines.map(row)),
      ),
    ),
    element("p", { class: "wb-foot" }, "work is modelled: float operations and accesses"),
  );
}

function row(line: Line): HTMLElement {
  const share = `${(100 * line.share).toFixed(0)}%`;
  const cell = element("td", { class: "wb-share" }, share);
  cell.style.setProperty("--share", String(line.share));
  const code = element("code", { "data-kind": line.kind }, line.text);
  const text = element("td", {}, code, badge(line.where));
  text.style.paddingInlineStart = `${String(1.5 * line.depth)}em`;
  return element("tr", {}, cell, element("td", { class: "wb-number" }, line.times), text);
}

/** What runs a loop, or where an array lives. */
function badge(where: string): HTMLElement | null {
  if (where === "") return null;
  const [place = ""] = where.split(/[. ]/);
  return element("span", { class: "wb-badge", "data-place": place }, where);
}
