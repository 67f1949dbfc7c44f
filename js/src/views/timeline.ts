// The timeline of a call: a lane for the compiler, the host and the device, with zoom.

import { duration, element } from "../ui/dom.ts";
import { picture } from "../ui/picture.ts";
import type { PictureContext } from "../ui/picture.ts";
import { inside, moved, type Part, placed, ticksOf, zoomed } from "../ui/zoom.ts";

interface Bar {
  readonly kind: string;
  readonly name: string;
  readonly start: number;
  readonly seconds: number;
  readonly colour: string;
  readonly words: string;
}

interface Timeline {
  readonly tracks: readonly { readonly lane: string; readonly bars: readonly Bar[] }[];
  readonly run: Part;
  readonly end: number;
  readonly foot: string;
}

/** So much of what is seen a key moves, and by so much it comes nearer. */
const STEP = 0.2;
const NEARER = 1.5;
const keys = "arrows move and choose, + and - zoom, 0 shows all, r the run";

export default picture<Timeline>("timeline", "timeline", draw);

function draw(context: PictureContext<Timeline>): void {
  const { el, value, signal } = context;
  const said = element("p", { class: "wb-foot" }, "choose a bar to see its numbers");
  const lanes = element("div", {
    class: "wb-lanes", tabindex: 0, role: "application", "aria-label": `timeline: ${keys}`,
  });
  const actions = actionsOf(context, lanes, said);
  lanes.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.metaKey ? undefined : actions.get(event.key);
    if (act === undefined) return;
    event.preventDefault();
    act();
  }, { signal });
  const button = (label: string, title: string, key: string): HTMLElement => {
    const made = element("button", { type: "button", class: "wb-button", title }, label);
    made.addEventListener("click", () => { actions.get(key)?.(); }, { signal });
    return made;
  };
  const tools = element(
    "div", { class: "wb-tools" },
    button("+", "nearer (+)", "+"), button("−", "farther (-)", "-"),
    button("all", "all of it (0)", "0"), button("run", "the traced run (r)", "r"),
    element("span", { class: "wb-soft" }, keys),
  );
  actions.get("0")?.();
  el.append(tools, lanes, said, element("p", { class: "wb-foot" }, value.foot));
}

/** What each key does: it draws the lanes anew. */
function actionsOf(
  { value, announce }: PictureContext<Timeline>,
  lanes: HTMLElement,
  said: HTMLElement,
): ReadonlyMap<string, () => void> {
  const all: Part = [0, value.end || 1];
  const order = value.tracks.flatMap(({ bars }) => bars).sort((a, b) => a.start - b.start);
  let part: Part = all;
  let chosen: Bar | undefined;

  const see = (next: Part): void => {
    part = inside(next, all);
    const rows = value.tracks.map(({ lane, bars }) => laneOf(lane, bars, part, chosen, choose));
    lanes.replaceChildren(...rows, axisOf(part));
  };
  const choose = (bar: Bar): void => {
    chosen = bar;
    said.textContent = bar.words;
    const end = bar.start + bar.seconds;
    const seen = end >= part[0] && bar.start <= part[1];
    see(seen ? part : [bar.start - bar.seconds, end + bar.seconds]);
    announce(bar.words);
  };
  const around = (factor: number): void => {
    see(zoomed(part, factor, chosen && chosen.start + chosen.seconds / 2));
  };
  const next = (by: number): void => {
    const place = chosen === undefined ? (by > 0 ? -1 : order.length) : order.indexOf(chosen);
    const bar = order[Math.min(order.length - 1, Math.max(0, place + by))];
    if (bar !== undefined) choose(bar);
  };
  const nearer = (): void => { around(1 / NEARER); };
  return new Map([
    ["ArrowLeft", () => { see(moved(part, -STEP)); }],
    ["ArrowRight", () => { see(moved(part, STEP)); }],
    ["ArrowUp", () => { next(-1); }],
    ["ArrowDown", () => { next(1); }],
    ["+", nearer],
    ["=", nearer],
    ["-", () => { around(NEARER); }],
    ["0", () => { see(all); }],
    ["r", () => { see(value.run); }],
  ]);
}

function laneOf(
  lane: string, bars: readonly Bar[], part: Part, chosen: Bar | undefined,
  choose: (bar: Bar) => void,
): HTMLElement {
  const seen = bars.filter((b) => b.start <= part[1] && b.start + b.seconds >= part[0]);
  const drawn = seen.map((bar) => barOf(bar, part, bar === chosen, choose));
  const place = element("div", { class: "wb-lane-bars" }, ...drawn);
  return element("div", { class: "wb-lane" }, element("span", { class: "wb-soft" }, lane), place);
}

/** A bar where its part of the time is; its name is in it where there is room. */
function barOf(bar: Bar, part: Part, chosen: boolean, choose: (bar: Bar) => void): HTMLElement {
  const [left, right] = [placed(bar.start, part), placed(bar.start + bar.seconds, part)];
  const made = element("button", {
    type: "button", class: "wb-time-bar", tabindex: -1, title: bar.words,
    "aria-pressed": String(chosen), "data-kind": bar.kind,
  }, bar.name);
  made.style.insetInlineStart = `${(100 * left).toFixed(3)}%`;
  made.style.inlineSize = `max(2px, ${(100 * (right - left)).toFixed(3)}%)`;
  made.style.setProperty("--kind", bar.colour);
  made.addEventListener("click", () => { choose(bar); });
  return made;
}

function axisOf(part: Part): HTMLElement {
  const ticks = ticksOf(part).map((tick) => {
    const made = element("span", { class: "wb-tick" }, duration(tick));
    made.style.insetInlineStart = `${(100 * placed(tick, part)).toFixed(3)}%`;
    return made;
  });
  return element("div", { class: "wb-time-axis" }, element("div", {}, ...ticks));
}
