// The run strip: which device and why, how long, who agrees, and what came out.

import type { Output, Run } from "../model.ts";
import { checkSign, duration, element } from "../ui/dom.ts";
import type { View } from "../ui/view.ts";

const view: View = {
  name: "run",
  title: "run",
  render({ el, session, signal }) {
    const draw = (): void => {
      const { run } = session.state;
      el.hidden = run === null;
      el.replaceChildren(...(run === null ? [] : strip(run)));
    };
    draw();
    session.onChange(draw, signal);
  },
};
export default view;

function strip(run: Run): readonly HTMLElement[] {
  const facts = element(
    "dl",
    { class: "wb-facts" },
    ...fact("device", deviceCell(run)),
    ...fact("time", timeCell(run)),
    ...fact("agreement", agreementCell(run)),
    ...fact("remarks", remarksCell(run)),
  );
  const outputs = element("div", { class: "wb-outputs" }, ...run.outputs.map(outputCard));
  return [facts, outputs];
}

function fact(name: string, value: HTMLElement | null): readonly HTMLElement[] {
  if (value === null) return [];
  return [element("dt", {}, name), element("dd", {}, value)];
}

function deviceCell(run: Run): HTMLElement {
  return element(
    "span",
    {},
    element("b", {}, run.device),
    run.adapter === "" ? null : ` ${run.adapter}`,
    run.reason === "" ? null : element("span", { class: "wb-soft" }, ` · ${run.reason}`),
    run.caution === "" ? null : element("span", { class: "wb-caution" }, run.caution),
  );
}

/** Each time in words, and their shares as a bar. */
function timeCell(run: Run): HTMLElement | null {
  const parts = (["compile", "transfer", "run"] as const).flatMap((name) => {
    const seconds = run.times[name];
    return seconds === null ? [] : [{ name, seconds }];
  });
  if (parts.length === 0) return null;
  const total = parts.reduce((sum, part) => sum + part.seconds, 0) || 1;
  const bar = element("span", { class: "wb-shares", "aria-hidden": "true" });
  for (const { name, seconds } of parts) {
    const share = element("span", { "data-part": name, title: `${name} ${duration(seconds)}` });
    share.style.inlineSize = `${((seconds / total) * 100).toFixed(2)}%`;
    bar.append(share);
  }
  const words = parts.map(({ name, seconds }) =>
    element(
      "span",
      { class: "wb-part", "data-part": name },
      `${name} `,
      element("b", {}, duration(seconds)),
    ),
  );
  return element("span", { class: "wb-times" }, ...words, bar);
}

function agreementCell(run: Run): HTMLElement | null {
  if (run.agreements.length === 0) return null;
  return element(
    "ul",
    { class: "wb-agreements" },
    ...run.agreements.map(({ device, check }) =>
      element(
        "li",
        {},
        checkSign(check),
        element("b", {}, ` ${device}`),
        check.words === "" ? null : element("span", { class: "wb-soft" }, ` ${check.words}`),
      ),
    ),
  );
}

/** What a reader must know of the numbers: which may differ from run to run, and why. */
function remarksCell(run: Run): HTMLElement | null {
  if (run.remarks.length === 0) return null;
  const lines = run.remarks.map((words) => element("li", {}, words));
  return element("ul", { class: "wb-agreements" }, ...lines);
}

function outputCard(output: Output): HTMLElement {
  const shape = `${output.dtype}[${output.shape.join(", ")}]`;
  const numbers = output.numbers.map(([name, value]) => `${name} ${value}`).join(" · ");
  return element(
    "figure",
    { class: "wb-output" },
    element(
      "figcaption",
      {},
      element("code", {}, element("b", {}, output.name), ` ${shape}`),
      element("span", { class: "wb-soft" }, numbers),
    ),
    element("div", { class: "wb-result" }, picture(output), table(output)),
  );
}

function picture(output: Output): HTMLElement | null {
  if (output.image === null) return null;
  const words = output.numbers.map(([name, value]) => `${name} ${value}`).join(", ");
  return element("img", {
    class: "wb-picture",
    src: output.image,
    alt: `${output.name} as an image, ${output.shape.join(" by ")}; ${words}`,
  });
}

function table(output: Output): HTMLElement | null {
  if (output.rows.length === 0) return null;
  const rows = output.rows.map((row) =>
    element("tr", {}, ...row.map((value) => element("td", {}, value))),
  );
  const label = `corners of ${output.name}`;
  const body = element("tbody", {}, ...rows);
  return element("table", { class: "wb-values", "aria-label": label }, body);
}
