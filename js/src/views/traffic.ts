// The traffic: what each nest reads, writes and computes, and how much of the device it takes.

import { element } from "../ui/dom.ts";
import { picture } from "../ui/picture.ts";
import type { PictureContext } from "../ui/picture.ts";

interface Fact {
  readonly name: string;
  readonly words: string;
  readonly share: number | null;
}

interface Table {
  readonly title: string;
  readonly rows: readonly (readonly string[])[];
  readonly bytes: readonly number[];
  readonly facts: readonly Fact[];
}

interface Tables {
  readonly heads: readonly string[];
  readonly tables: readonly Table[];
  readonly foot: string;
}

export default picture<Tables>("traffic", "traffic", draw);

function draw({ el, value }: PictureContext<Tables>): void {
  el.append(
    ...value.tables.map((table) => nest(value.heads, table)),
    element("p", { class: "wb-foot" }, value.foot),
  );
}

function nest(heads: readonly string[], table: Table): HTMLElement {
  const most = Math.max(1, ...table.bytes);
  const rows = table.rows.map((row, i) => {
    const [name, ...words] = row;
    const share = (table.bytes[i] ?? 0) / most;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      ...words.map((word) => element("td", {}, word)),
      element("td", { class: "wb-bar-cell" }, bar(share)),
    );
  });
  const head = element("tr", {}, ...heads.map((each) => element("th", { scope: "col" }, each)));
  const caption = element("caption", {}, table.title);
  return element(
    "div",
    { class: "wb-traffic" },
    element("table", {}, caption, element("thead", {}, head), element("tbody", {}, ...rows)),
    element("dl", { class: "wb-facts" }, ...table.facts.flatMap(fact)),
  );
}

/** A bar beside numbers that say the same. */
function bar(share: number): HTMLElement {
  const made = element("span", { class: "wb-bar", "aria-hidden": "true" });
  made.style.inlineSize = `${(100 * share).toFixed(1)}%`;
  return made;
}

function fact({ name, words, share }: Fact): readonly HTMLElement[] {
  const over = share !== null && share > 1;
  const described = element(
    "dd",
    {},
    element("span", { class: over ? "wb-caution" : "" }, words),
    share === null ? null : element("span", { class: "wb-meter" }, bar(Math.min(1, share))),
  );
  return [element("dt", {}, name), described];
}
