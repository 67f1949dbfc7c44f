/** A live kernel as people see it: picture, sliders, and how fast it goes. Runs nothing itself. */
import { element, toggle } from "../ui/dom.ts";
import { word } from "../values/numbers.ts";
import { type LiveReport, type Plan, type Settings, type Slider, sizeOf } from "./plan.ts";

export interface LiveView {
  readonly canvas: HTMLCanvasElement;
  readonly settings: () => Settings;
  readonly report: (report: LiveReport) => void;
}

export interface LiveViewContext {
  readonly el: HTMLElement;
  readonly plan: Plan;
  /** Is told of every change of the settings. */
  readonly changed: (settings: Settings) => void;
}

/** Of a slider: how far one step goes. */
function stepOf({ dtype, low, high }: Slider): number {
  return dtype.startsWith("f") ? (high - low) / 200 : 1;
}

function sliderRow(slider: Slider, moved: (value: number) => void): HTMLElement {
  const { name, low, high, start, dtype } = slider;
  const shown = element("output", {}, word(start, dtype));
  const attributes = { type: "range", min: low, max: high, step: stepOf(slider), value: start };
  const input = element("input", attributes);
  input.addEventListener("input", () => {
    shown.textContent = word(input.valueAsNumber, dtype);
    moved(input.valueAsNumber);
  });
  return element("label", { class: "wb-slider" }, element("code", {}, name), input, shown);
}

/** The place of the pointer in columns and rows of the picture. */
function placeOf(
  canvas: HTMLCanvasElement,
  event: PointerEvent,
  [columns, rows]: readonly [number, number],
): Settings["pointer"] {
  const box = canvas.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) / box.width) * columns,
    y: ((event.clientY - box.top) / box.height) * rows,
    down: event.buttons !== 0,
  };
}

const arrows: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

type Change = (change: Partial<Settings>) => void;

/** Pointer and arrow keys on the picture move what follows the pointer. */
function followPointer(
  canvas: HTMLCanvasElement,
  size: readonly [number, number],
  now: () => Settings,
  change: Change,
): void {
  const moved = (event: PointerEvent): void => {
    change({ pointer: placeOf(canvas, event, size) });
  };
  for (const name of ["pointermove", "pointerdown", "pointerup"] as const) {
    canvas.addEventListener(name, moved);
  }
  canvas.tabIndex = 0;
  canvas.addEventListener("keydown", (event) => {
    const arrow = arrows[event.key];
    if (arrow === undefined) return;
    event.preventDefault();
    const { pointer } = now();
    const inside = (at: number, by: number, extent: number): number =>
      Math.min(extent, Math.max(0, at + (by * extent) / 50));
    const [x, y] = [inside(pointer.x, arrow[0], size[0]), inside(pointer.y, arrow[1], size[1])];
    change({ pointer: { ...pointer, x, y } });
  });
}

function buttons(playing: boolean, now: () => Settings, change: Change): HTMLElement {
  const run = toggle("running", "run, or stand still", playing, (pressed) => {
    change({ playing: pressed });
  });
  const anew = element("button", { type: "button", class: "wb-button" }, "start anew");
  anew.addEventListener("click", () => { change({ restarts: now().restarts + 1 }); });
  return element("div", { class: "wb-toolbar" }, run, anew);
}

function sentence({ frames, rate, busy }: LiveReport): string {
  if (rate === 0) return `stands still at frame ${frames}`;
  return `frame ${frames} · ${rate.toFixed(0)} frames/s · ${busy.toFixed(2)} ms of JavaScript each`;
}

/** Draws the controls, and gives the canvas that somebody else draws in. */
export function drawLive({ el, plan, changed }: LiveViewContext): LiveView {
  const still = globalThis.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const sliders = plan.controls.filter((control) => control.kind === "slider");
  let settings: Settings = {
    sliders: Object.fromEntries(sliders.map(({ name, start }) => [name, start])),
    pointer: { x: 0, y: 0, down: false },
    playing: !still,
    restarts: 0,
  };
  const now = (): Settings => settings;
  const change: Change = (part) => {
    settings = { ...settings, ...part };
    changed(settings);
  };
  const { drawn } = plan.picture;
  const label = `${plan.title}, drawn live`;
  const canvas = element("canvas", { class: "wb-live", role: "img", "aria-label": label });
  canvas.dataset["drawn"] = drawn;
  canvas.hidden = drawn === "number";
  const value = element("output", { class: "wb-live-value", hidden: drawn !== "number" });
  const speed = element("span", { class: "wb-soft" }, "starting");
  const message = element("pre", { class: "wb-message" });
  const failure = element("div", { class: "wb-failure", role: "alert", hidden: true }, message);
  if (plan.controls.some((c) => c.kind === "follower" && c.follows.startsWith("pointer"))) {
    followPointer(canvas, sizeOf(plan.picture), now, change);
  }
  const rows = sliders.map((slider) =>
    sliderRow(slider, (at) => { change({ sliders: { ...settings.sliders, [slider.name]: at } }); }),
  );
  const foot = element("div", { class: "wb-foot" }, buttons(!still, now, change), speed);
  const body = { class: "wb-live-body" };
  el.append(element("div", body, canvas, value, element("div", {}, ...rows)), failure, foot);
  const report = (said: LiveReport): void => {
    speed.textContent = sentence(said);
    if (said.value !== undefined) value.textContent = word(said.value, plan.picture.dtype);
    failure.hidden = said.failure === undefined;
    message.textContent = said.failure ?? "";
  };
  return { canvas, settings: now, report };
}
