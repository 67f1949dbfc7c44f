// Play, step and scrub through numbered moments: buttons and a slider that keys reach.

import { element } from "./dom.ts";

export interface PlayerOptions {
  readonly count: number;
  /** What one of them is called. */
  readonly label: string;
  /** Numbers that are marked along the slider. */
  readonly marks: readonly number[];
  /** Draws a moment. */
  readonly show: (at: number) => void;
  /** Says where it came to rest. */
  readonly rest: (at: number) => void;
  readonly signal: AbortSignal;
}

/** Moments that pass in a second while it plays, at most one a frame. */
const pace = 30;

export function player({ count, label, marks, show, rest, signal }: PlayerOptions): HTMLElement {
  const slider = element("input", {
    type: "range", min: 0, max: Math.max(0, count - 1), value: 0, step: 1, "aria-label": label,
  });
  const at = () => Number(slider.value);
  const go = (to: number): void => {
    slider.value = String(Math.min(count - 1, Math.max(0, to)));
    show(at());
  };
  const clock = ticker(
    (passed) => {
      go(at() + passed);
      return at() < count - 1;
    },
    (running) => {
      play.textContent = running ? "pause" : "play";
      if (!running) rest(at());
    },
  );
  const play = button("play", `play every ${label}`, () => {
    if (!clock.running() && at() === count - 1) go(0);
    clock.turn();
  });
  const step = (by: number) => (): void => {
    if (clock.running()) clock.turn();
    go(at() + by);
    rest(at());
  };
  slider.addEventListener("input", () => { show(at()); });
  slider.addEventListener("change", () => { rest(at()); });
  signal.addEventListener("abort", () => { clock.end(); });
  show(0);
  const back = button("back", `one ${label} back`, step(-1));
  const on = button("on", `one ${label} on`, step(1));
  const track = element("span", { class: "wb-track" }, slider, markers(marks, count));
  return element("div", { class: "wb-controls" }, play, back, on, track);
}

function button(words: string, title: string, press: () => void): HTMLButtonElement {
  const made = element("button", { type: "button", class: "wb-button", title }, words);
  made.addEventListener("click", press);
  return made;
}

/**
 * Calls `tick` with the moments that passed, at `pace`, until it says that there are no more;
 * `changed` hears when it starts and stops.
 */
function ticker(tick: (passed: number) => boolean, changed: (running: boolean) => void) {
  let frame = 0;
  const stop = (): void => {
    cancelAnimationFrame(frame);
    frame = 0;
    changed(false);
  };
  const start = (): void => {
    let last = performance.now();
    const turn = (now: number): void => {
      const passed = Math.floor(((now - last) * pace) / 1000);
      last += (1000 * passed) / pace;  // what is left of a moment is not lost
      if (passed === 0 || tick(passed)) frame = requestAnimationFrame(turn);
      else stop();
    };
    frame = requestAnimationFrame(turn);
    changed(true);
  };
  return {
    running: () => frame !== 0,
    turn: () => { (frame === 0 ? start : stop)(); },
    end: () => { cancelAnimationFrame(frame); },
  };
}

function markers(marks: readonly number[], count: number): HTMLElement {
  const made = element("span", { class: "wb-marks", "aria-hidden": "true" });
  for (const mark of marks) {
    const each = element("span");
    each.style.insetInlineStart = `${((100 * mark) / Math.max(1, count - 1)).toFixed(2)}%`;
    made.append(each);
  }
  return made;
}
