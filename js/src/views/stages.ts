// The stage explorer: every text of the pipeline, and one selection lit in all of them.

import type { KeyBinding } from "@codemirror/view";
import { linksOf } from "../link.ts";
import type { Direction, Links, Lit } from "../link.ts";
import type { Origins, PanelState, Stage } from "../model.ts";
import { showDiff } from "../ui/diff.ts";
import { element, toggle } from "../ui/dom.ts";
import { pane } from "../ui/pane.ts";
import type { Pane } from "../ui/pane.ts";
import { rail } from "../ui/rail.ts";
import { describe, excerpt, litBy, selectAt, selectStep } from "../ui/selection.ts";
import type { Selection } from "../ui/selection.ts";
import { store } from "../ui/store.ts";
import type { View, ViewContext } from "../ui/view.ts";

const idle = "point at a part to see where it comes from and what it became; click keeps it";
const codeStages = ["wgsl", "asm", "wasm", "spirv", "llvm-opt", "llvm"];
const roomForTwo = 640;
const fewestLines = 9;
const mostLines = 22;

const view: View = { name: "stages", title: "stages", render };
export default view;

interface Layout {
  readonly stages: readonly [string, string];
  readonly active: 0 | 1;
  readonly two: boolean;
  readonly diff: boolean;
  readonly wrapped: boolean;
}

function render(context: ViewContext): void {
  const { el, session, announce, signal } = context;
  const layout = store<Layout>(firstLayout(session.state, el.clientWidth));
  const selection = store<Selection | null>(null);
  let links = linksFor(session.state.origins);
  const stageOf = (name: string): Stage | undefined =>
    session.state.stages.find((stage) => stage.name === name);
  const choose = (place: 0 | 1, name: string): void => {
    const [left, right] = layout.get().stages;
    layout.set({ ...layout.get(), active: place, stages: place === 0 ? [name, right] : [left, name] });
  };
  const id = `wb-panes-${crypto.getRandomValues(new Uint32Array(1)).join("")}`;
  const tabs = rail(id, (name) => { choose(layout.get().active, name); });
  const panes = [0, 1].map((place) =>
    explorerPane(place === 0 ? 0 : 1, { layout, selection, stageOf, choose, announce, signal }),
  );
  const merge = element("div", { class: "wb-diff" });
  const line = element("span", { class: "wb-line" }, idle);
  const area = element("div", { class: "wb-panes", id, role: "tabpanel" });
  area.append(...panes.map((each) => each.el), merge);
  el.append(
    element("div", { class: "wb-stages" }, tabs.el, area),
    element("div", { class: "wb-foot" }, line, toolbar(layout)),
  );

  const light = (chosen: Selection | null): void => {
    const { stages } = session.state;
    const lit = litBy(chosen, stages, links);
    tabs.count(placesOf(lit));
    panes.forEach((each, place) => {
      const name = layout.get().stages[place === 0 ? 0 : 1];
      each.light(lit.get(name), chosen?.pinned ?? false);
      if (chosen?.pinned === true) each.reveal(lit.get(name));
    });
    if (chosen === null) {
      line.textContent = idle;
      return;
    }
    const words = ` ${describe(chosen, stages, lit)}`;
    line.replaceChildren(element("code", {}, excerpt(chosen, stages)), words);
    if (chosen.pinned) announce(line.textContent);
  };
  const arrange = arranger({ el, area, merge, panes, tabs, session, stageOf, signal });
  layout.follow((next) => {
    arrange(next);
    light(selection.get());
  }, signal);
  selection.follow(light, signal);
  session.onChange((state) => {
    links = linksFor(state.origins);
    const kept = layout.get();
    const names = state.stages.map((stage) => stage.name);
    if (kept.stages.every((name) => names.includes(name))) arrange(kept);
    else layout.set({ ...kept, stages: firstLayout(state, el.clientWidth).stages });
    light(selection.get());
  }, signal);
}

/** Source beside code where there is room, else the code. */
function firstLayout(state: PanelState, width: number): Layout {
  const names = state.stages.map((stage) => stage.name);
  const first = names[0] ?? "";
  const code = codeStages.find((name) => names.includes(name)) ?? names.at(-1) ?? first;
  const two = width === 0 || width >= roomForTwo;
  return { stages: two ? [first, code] : [code, first], active: two ? 1 : 0, two, diff: false, wrapped: false };
}

const linkCache = new WeakMap<Origins, Links>();

function linksFor(origins: Origins): Links {
  const known = linkCache.get(origins);
  if (known !== undefined) return known;
  const made = linksOf(origins);
  linkCache.set(origins, made);
  return made;
}

function placesOf(lit: ReadonlyMap<string, Lit>) {
  return new Map(
    [...lit].map(([name, found]) => [
      name,
      { places: found.ranges.length, weak: found.strength === "nearest" },
    ]),
  );
}

interface Shared {
  readonly layout: ReturnType<typeof store<Layout>>;
  readonly selection: ReturnType<typeof store<Selection | null>>;
  readonly stageOf: (name: string) => Stage | undefined;
  readonly choose: (place: 0 | 1, name: string) => void;
  readonly announce: (words: string) => void;
  readonly signal: AbortSignal;
}

function explorerPane(place: 0 | 1, shared: Shared): Pane {
  const { layout, selection, stageOf } = shared;
  const here = (): Stage | undefined => stageOf(layout.get().stages[place]);
  const move = (direction: Direction) => (): boolean => {
    const stage = here();
    if (stage !== undefined) selection.set(selectStep(stage, selection.get(), direction));
    return true;
  };
  const keys: readonly KeyBinding[] = [
    { key: "ArrowRight", run: move("next") },
    { key: "ArrowLeft", run: move("previous") },
    { key: "ArrowUp", run: move("out") },
    { key: "ArrowDown", run: move("in") },
    {
      key: "Escape",
      run: () => {
        const pinned = selection.get() !== null;
        selection.set(null);
        return pinned;
      },
    },
  ];
  return pane({
    label: place === 0 ? "first stage" : "second stage",
    keys,
    announce: shared.announce,
    signal: shared.signal,
    onChoose: (name) => { shared.choose(place, name); },
    onFocus: () => {
      if (layout.get().active !== place) layout.set({ ...layout.get(), active: place });
    },
    onHover: (offset) => {
      if (selection.get()?.pinned === true) return;
      const stage = here();
      const found = offset === null || stage === undefined ? null : selectAt(stage, offset, false);
      if (!sameSelection(found, selection.get())) selection.set(found);
    },
    onClick: (offset) => {
      const stage = here();
      const found = stage === undefined ? null : selectAt(stage, offset, true);
      selection.set(sameSelection(found, selection.get()) ? null : found);
    },
  });
}

function sameSelection(a: Selection | null, b: Selection | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.stage === b.stage &&
    a.pinned === b.pinned &&
    a.mark.start === b.mark.start &&
    a.mark.end === b.mark.end
  );
}

function toolbar(layout: Shared["layout"]): HTMLElement {
  const set = (change: Partial<Layout>): void => { layout.set({ ...layout.get(), ...change }); };
  const { two } = layout.get();
  return element(
    "div",
    { class: "wb-toolbar", role: "toolbar", "aria-label": "panes" },
    toggle("two panes", "show two stages side by side", two, (pressed) => { set({ two: pressed }); }),
    toggle("diff", "show what changed between the two stages", false, (pressed) => {
      set({ diff: pressed });
    }),
    toggle("wrap", "wrap long lines", false, (pressed) => { set({ wrapped: pressed }); }),
  );
}

interface Parts {
  readonly el: HTMLElement;
  readonly area: HTMLElement;
  readonly merge: HTMLElement;
  readonly panes: readonly Pane[];
  readonly tabs: ReturnType<typeof rail>;
  readonly session: ViewContext["session"];
  readonly stageOf: (name: string) => Stage | undefined;
  readonly signal: AbortSignal;
}

/** Puts a layout on the screen; texts that are not here yet are asked for. */
function arranger(parts: Parts): (layout: Layout) => void {
  let diffing: AbortController | null = null;
  return (layout) => {
    const { area, merge, panes, tabs, session } = parts;
    const { stages } = session.state;
    parts.el.hidden = stages.length === 0;
    const lines = Math.max(...stages.map((stage) => stage.lines), fewestLines);
    area.style.setProperty("--wb-lines", String(Math.min(lines, mostLines) + 1));
    area.dataset["show"] = layout.diff ? "diff" : layout.two ? "two" : "one";
    area.dataset["active"] = String(layout.active);
    tabs.update(stages);
    tabs.select(shownBy(layout), layout.stages[layout.active]);
    panes.forEach((each, place) => {
      const name = layout.stages[place === 0 ? 0 : 1];
      const stage = parts.stageOf(name);
      each.offer(stages, name);
      each.wrap(layout.wrapped);
      if (stage === undefined) return;
      if (stage.text === null) session.request(name);
      each.show(stage);
    });
    diffing?.abort();
    merge.replaceChildren();
    diffing = new AbortController();
    const [before, after] = layout.stages.map(parts.stageOf);
    if (!layout.diff || before === undefined || after === undefined) return;
    const signal = AbortSignal.any([diffing.signal, parts.signal]);
    showDiff(merge, asSide(before), asSide(after), { wrapped: layout.wrapped, signal });
  };
}

function shownBy(layout: Layout): readonly string[] {
  return layout.two || layout.diff ? layout.stages : [layout.stages[layout.active]];
}

function asSide(stage: Stage) {
  return { name: stage.name, text: stage.text ?? "", language: stage.language };
}
