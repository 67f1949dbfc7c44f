// The schedule: its knobs as sliders and numbers, and the lines that replay it.

import type { Failure, Session } from "../model.ts";
import { element } from "../ui/dom.ts";
import { drawFailure } from "../ui/failure.ts";
import { replayLines } from "../ui/lines.ts";
import type { View, ViewContext } from "../ui/view.ts";

const view: View = { name: "schedule", title: "schedule", render };
export default view;

/** A slider reaches so many times the value it starts at, and at least this far. */
const reach = 4;
const least = 32;

function render(context: ViewContext): void {
  const { el, session, announce, signal } = context;
  const knobs = element("div", { class: "wb-knobs", role: "group", "aria-label": "knobs" });
  const refused = element("div");
  let drawn = new AbortController();
  const say = (failure: Failure | null): void => {
    drawn.abort();
    drawn = new AbortController();
    refused.replaceChildren();
    if (failure === null) return;
    drawFailure(refused, failure, AbortSignal.any([drawn.signal, signal]));
    announce(`${failure.kind}: ${failure.message}`);
  };
  const turn = turning(session, say);
  let rows = new Map<string, Row>();
  const update = (): void => {
    const now = session.state.editing?.knobs ?? [];
    if ([...rows.keys()].join() !== now.map(([name]) => name).join()) {
      rows = new Map(now.map(([name, value]) => [name, knobRow(name, value, turn)]));
      knobs.replaceChildren(...[...rows.values()].map((row) => row.el));
    }
    for (const [name, value] of now) rows.get(name)?.update(value);
  };
  session.onChange(update, signal);
  update();
  const place = element("div", { class: "wb-picture-schedule" }, knobs, refused);
  place.append(replayLines(context, { typed: true }));
  el.append(element("h3", { class: "wb-heading" }, "schedule"), place);
}

type Turn = (knobs: Readonly<Record<string, number>>, release: boolean) => void;

/** Sends one turn at a time; of those that come meanwhile, the last one only. */
function turning(session: Session, say: (failure: Failure | null) => void): Turn {
  let running = false;
  let next: (() => void) | null = null;
  const turn: Turn = (knobs, release) => {
    if (running) {
      next = () => { turn(knobs, release); };
      return;
    }
    running = true;
    void session.edit({ knobs }, release).then((failure) => {
      running = false;
      say(failure);
      const waiting = next;
      next = null;
      waiting?.();
    });
  };
  return turn;
}

interface Row {
  readonly el: HTMLElement;
  readonly update: (value: number) => void;
}

function knobRow(name: string, start: number, turn: Turn): Row {
  const most = Math.max(least, reach * start);
  const slider = element("input", {
    type: "range", min: Math.min(1, start), max: most, step: 1, value: start, "aria-label": name,
  });
  const field = element("input", { type: "number", step: 1, value: start, "aria-label": name });
  const send = (from: HTMLInputElement, release: boolean): void => {
    if (Number.isInteger(from.valueAsNumber)) turn({ [name]: from.valueAsNumber }, release);
  };
  slider.addEventListener("input", () => {
    field.value = slider.value;
    send(slider, false);
  });
  slider.addEventListener("change", () => { send(slider, true); });
  field.addEventListener("input", () => { send(field, false); });
  field.addEventListener("change", () => { send(field, true); });
  // A notebook may keep Enter from the field, which then does not say that it changed.
  field.addEventListener("keydown", ({ key }) => {
    if (key === "Enter") send(field, true);
  });
  return {
    el: element("div", { class: "wb-knob" }, element("code", {}, name), slider, field),
    update(value) {
      // What somebody is moving stays where the hand is.
      if (!slider.matches(":active")) slider.value = String(value);
      if (document.activeElement !== field) field.value = String(value);
    },
  };
}
