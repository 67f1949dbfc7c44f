// The step strip: every step of the schedule, and the loops before and after the one chosen.

import { duration, element } from "../ui/dom.ts";
import { showDiff } from "../ui/diff.ts";
import { picture } from "../ui/picture.ts";
import type { PictureContext } from "../ui/picture.ts";

interface TakenStep {
  readonly number: number;
  readonly text: string;
  readonly note: string;
  readonly seconds: number;
  readonly before: string;
  readonly after: string;
  readonly notes: readonly string[];
}

interface StepStrip {
  readonly steps: readonly TakenStep[];
}

export default picture<StepStrip>("steps", "steps", draw);

function draw({ el, value, announce, signal }: PictureContext<StepStrip>): void {
  if (value.steps.length === 0) {
    el.append(element("p", { class: "wb-foot" }, "no steps: the loops run as they were written"));
    return;
  }
  const place = element("div", { class: "wb-diff" });
  let shown = new AbortController();
  signal.addEventListener("abort", () => { shown.abort(); });
  const choose = (step: TakenStep): void => {
    shown.abort();
    shown = new AbortController();
    place.replaceChildren();
    buttons.forEach((button, i) => {
      button.setAttribute("aria-pressed", String(value.steps[i] === step));
    });
    const side = (name: string, text: string) => ({ name, text, language: "python" as const });
    showDiff(place, side("before", step.before), side("after", step.after), {
      wrapped: false,
      signal: shown.signal,
    });
    announce(`step ${String(step.number)}: ${step.text}`);
  };
  const buttons = value.steps.map((step) => stepButton(step, () => { choose(step); }));
  const items = buttons.map((button) => element("li", {}, button));
  el.append(element("ol", { class: "wb-steps" }, ...items), place);
  const last = value.steps.at(-1);
  if (last !== undefined) choose(last);
}

function stepButton(step: TakenStep, press: () => void): HTMLButtonElement {
  const button = element(
    "button",
    { type: "button", class: "wb-button", title: step.note },
    element("code", {}, step.text),
    element("span", { class: "wb-soft" }, ` ${duration(step.seconds)}`),
    ...step.notes.map((note) => element("span", { class: "wb-caution" }, ` ${note}`)),
  );
  button.addEventListener("click", press);
  return button;
}
