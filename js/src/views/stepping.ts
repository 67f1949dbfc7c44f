// One invocation, stepped through its kernel: the line it is at and the values it has there.

import { element } from "../ui/dom.ts";
import { idFields, kernelChoice } from "../ui/ids.ts";
import { picture } from "../ui/picture.ts";
import type { PictureContext } from "../ui/picture.ts";
import { player } from "../ui/player.ts";

type Id = readonly [number, number, number];

interface Moment {
  readonly line: number;
  readonly changed: readonly (readonly [string, string])[];
  readonly words: string;
}

interface Way {
  readonly kernels: readonly string[];
  readonly kernel: number;
  readonly workgroups: Id;
  readonly workgroup: Id;
  readonly size: Id;
  readonly invocation: Id;
  readonly text: string;
  readonly start: readonly (readonly [string, string])[];
  readonly moments: readonly Moment[];
  readonly whole: boolean;
}

export default picture<Way>("stepping", "one invocation", draw);

function draw({ el, value, again, announce, signal }: PictureContext<Way>): void {
  const lines = value.text.replace(/\n$/, "").split("\n").map((text) => {
    return element("span", { class: "wb-code-line" }, text === "" ? " " : text);
  });
  const values = element("tbody");
  const words = element("p", { class: "wb-moment" });
  const show = (at: number): void => {
    const now = value.moments[at];
    if (now === undefined) return;
    lines.forEach((line, n) => {
      if (n === now.line) line.setAttribute("aria-current", "step");
      else line.removeAttribute("aria-current");
    });
    values.replaceChildren(...rows(value, at));
    words.textContent = sentence(value, at);
  };
  const controls = player({
    count: value.moments.length,
    label: "line",
    marks: [],
    show,
    rest: (at) => { announce(sentence(value, at)); },
    signal,
  });
  const head = ["name", "value"].map((each) => element("th", { scope: "col" }, each));
  const watched = element("table", {}, element("thead", {}, element("tr", {}, ...head)), values);
  el.append(
    choices(value, again),
    element(
      "div",
      { class: "wb-stepping" },
      element("pre", { class: "wb-listing" }, ...lines),
      element("div", { class: "wb-values" }, watched),
    ),
    words,
    controls,
  );
}

/** Every value after a moment; those that it changed are marked. */
function rows({ start, moments }: Way, at: number): readonly HTMLElement[] {
  const known = new Map(start);
  for (const { changed } of moments.slice(0, at + 1)) {
    for (const [name, value] of changed) known.set(name, value);
  }
  const fresh = new Set(moments[at]?.changed.map(([name]) => name));
  return [...known].map(([name, value]) => {
    const code = element("code", {}, name);
    return element(
      "tr",
      { class: fresh.has(name) ? "wb-fresh" : "" },
      element("th", { scope: "row" }, code),
      element("td", {}, fresh.has(name) ? element("b", {}, value) : value),
    );
  });
}

function sentence({ moments, whole }: Way, at: number): string {
  const now = moments[at];
  if (now === undefined) return "";
  const changed = now.changed.map(([name, value]) => `${name} = ${value}`);
  const did = [...changed, now.words].filter((each) => each !== "").join("; ");
  const last = whole || at < moments.length - 1 ? "" : " (more lines are not kept)";
  return `${String(at + 1)} of ${String(moments.length)}: ${did}${last}`;
}

function choices(value: Way, again: PictureContext<Way>["again"]): HTMLElement {
  const ask = (change: object): void => {
    const { kernel, workgroup, invocation } = value;
    again({ kernel, workgroup, invocation, ...change });
  };
  const kernel = kernelChoice(value.kernels, value.kernel, (number) => {
    again({ kernel: number });
  });
  const workgroup = idFields("workgroup", value.workgroups, value.workgroup, (id) => {
    ask({ workgroup: id });
  });
  const invocation = idFields("invocation", value.size, value.invocation, (id) => {
    ask({ invocation: id });
  });
  return element("div", { class: "wb-controls" }, kernel, workgroup, invocation);
}
