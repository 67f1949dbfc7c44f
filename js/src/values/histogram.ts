// How often values occur, as bars; the same in words for those who do not see them.

import { element } from "../ui/dom.ts";
import { word } from "./numbers.ts";
import type { Histogram } from "./numbers.ts";

const svg = "http://www.w3.org/2000/svg";
const [width, height] = [240, 48];

function bar(x: number, share: number, step: number, words: string): SVGElement {
  const rectangle = document.createElementNS(svg, "rect");
  const size = share === 0 ? 0 : Math.max(1, share * height);
  const places = { x: x + 0.5, y: height - size, width: Math.max(1, step - 1), height: size };
  for (const [name, value] of Object.entries(places)) {
    rectangle.setAttribute(name, value.toFixed(2));
  }
  const title = document.createElementNS(svg, "title");
  title.textContent = words;
  rectangle.append(title);
  return rectangle;
}

/** Bars of even width from the least to the greatest value, between the two. */
export function histogramOf({ edges, counts }: Histogram, dtype: string): HTMLElement {
  const picture = document.createElementNS(svg, "svg");
  const most = Math.max(...counts);
  const [low, high] = [word(edges[0] ?? 0, "f32"), word(edges.at(-1) ?? 0, "f32")];
  const label = `histogram of ${dtype} values from ${low} to ${high}, at most ${most} in one bar`;
  picture.setAttribute("class", "wb-histogram");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", label);
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const step = width / counts.length;
  counts.forEach((count, n) => {
    const [from, to] = [word(edges[n] ?? 0, "f32"), word(edges[n + 1] ?? 0, "f32")];
    picture.append(bar(n * step, count / most, step, `${from} to ${to}: ${count}`));
  });
  const end = (text: string): HTMLElement => element("span", { class: "wb-soft" }, text);
  return element("div", { class: "wb-bars" }, end(low), picture, end(high));
}
