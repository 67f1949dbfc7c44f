// What each line costs, as a bar beside the code of any stage: modelled, calibrated by measurement.

import { duration, element } from "../ui/dom.ts";
import { picture } from "../ui/picture.ts";
import type { PictureContext } from "../ui/picture.ts";

interface Line {
  readonly text: string;
  readonly seconds: number;
  readonly share: number;
}

interface StageCosts {
  readonly stage: string;
  readonly lines: readonly Line[];
  readonly elsewhere: number;
}

interface Costs {
  readonly device: string;
  readonly seconds: number;
  readonly clock: string;
  readonly stages: readonly StageCosts[];
  readonly tag: string;
}

/** Shares that round to nothing need no bar. */
const LEAST = 0.0005;

export default picture<Costs>("cost", "cost of lines", draw);

function draw({ el, value, announce, signal }: PictureContext<Costs>): void {
  const options = value.stages.map(({ stage }) => element("option", { value: stage }, stage));
  const select = element("select", { class: "wb-button", "aria-label": "stage" }, ...options);
  const place = element("div", { class: "wb-nest" });
  const show = (): void => {
    const found = value.stages.find(({ stage }) => stage === select.value);
    if (found === undefined) return;
    place.replaceChildren(...tableOf(found));
  };
  select.value = value.stages.some(({ stage }) => stage === "scheduled") ? "scheduled" : "source";
  select.addEventListener("change", () => {
    show();
    announce(`cost of the lines of ${select.value}`);
  }, { signal });
  show();
  const { device, seconds, clock, tag } = value;
  const foot = `shares of ${duration(seconds)} on ${device} (${clock}); ${tag}`;
  el.append(
    element("label", { class: "wb-tools" }, "stage ", select), place,
    element("p", { class: "wb-foot" }, foot),
  );
}

function tableOf({ lines, elsewhere }: StageCosts): readonly HTMLElement[] {
  const most = Math.max(LEAST, ...lines.map(({ share }) => share));
  const head = ["share", "time", "", "line"].map((each) => element("th", { scope: "col" }, each));
  const body = lines.map((line) => rowOf(line, most));
  const table = element(
    "table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body),
  );
  if (elsewhere < 0.005) return [table];
  const words = `${(100 * elsewhere).toFixed(0)}% in no line of this stage`;
  return [table, element("p", { class: "wb-foot" }, words)];
}

function rowOf({ text, seconds, share }: Line, most: number): HTMLElement {
  const shown = share >= LEAST;
  const bar = element("span", { class: "wb-bar", "aria-hidden": "true" });
  bar.style.inlineSize = `${((100 * share) / most).toFixed(1)}%`;
  return element(
    "tr",
    {},
    element("td", { class: "wb-number" }, shown ? `${(100 * share).toFixed(0)}%` : ""),
    element("td", { class: "wb-number" }, shown ? duration(seconds) : ""),
    element("td", { class: "wb-bar-cell" }, shown && bar),
    element("td", {}, element("code", {}, text)),
  );
}
