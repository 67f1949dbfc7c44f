// What a stage explorer shows at a moment, as a value, and how such a value gets on the screen.

import type { PanelState, Session, Stage } from "../model.ts";
import { showDiff } from "./diff.ts";
import type { Side } from "./diff.ts";
import { element, toggle } from "./dom.ts";
import type { Pane } from "./pane.ts";
import type { Rail } from "./rail.ts";
import type { Store } from "./store.ts";

export type Place = 0 | 1;

export interface Layout {
  /** The stages of the two panes. */
  readonly stages: readonly [string, string];
  /** The pane that the list of stages changes. */
  readonly active: Place;
  readonly two: boolean;
  readonly diff: boolean;
  readonly wrapped: boolean;
}

const codeStages = ["wgsl", "asm", "wasm", "spirv", "llvm-opt", "llvm"];
const roomForTwo = 640;
const fewestLines = 9;
const mostLines = 22;

/** Source beside code where there is room, else the code. A width of 0 is not known yet. */
export function firstLayout(state: PanelState, width: number): Layout {
  const names = state.stages.map((stage) => stage.name);
  const first = names[0] ?? "";
  const code = codeStages.find((name) => names.includes(name)) ?? names.at(-1) ?? first;
  const two = width === 0 || width >= roomForTwo;
  const stages: Layout["stages"] = two ? [first, code] : [code, first];
  return { stages, active: two ? 1 : 0, two, diff: false, wrapped: true };
}

/** The layout with another stage in one of its panes. */
export function withStage(layout: Layout, place: Place, name: string): Layout {
  const [left, right] = layout.stages;
  return { ...layout, active: place, stages: place === 0 ? [name, right] : [left, name] };
}

/** The switches of a layout. */
export function toolbar(layout: Store<Layout>): HTMLElement {
  const set = (change: Partial<Layout>): void => { layout.set({ ...layout.get(), ...change }); };
  const { two, wrapped } = layout.get();
  return element(
    "div",
    { class: "wb-toolbar", role: "toolbar", "aria-label": "panes" },
    toggle("two panes", "show two stages side by side", two, (pressed) => {
      set({ two: pressed });
    }),
    toggle("diff", "show what changed between the two stages", false, (diff) => { set({ diff }); }),
    toggle("wrap", "wrap long lines", wrapped, (pressed) => { set({ wrapped: pressed }); }),
  );
}

export interface Parts {
  readonly el: HTMLElement;
  readonly area: HTMLElement;
  readonly merge: HTMLElement;
  readonly panes: readonly Pane[];
  readonly tabs: Rail;
  readonly session: Session;
  readonly stageOf: (name: string) => Stage | undefined;
  readonly signal: AbortSignal;
}

/** Puts a layout on the screen; texts that are not here yet are asked for. */
export function arranger(parts: Parts): (layout: Layout) => void {
  let diffing: AbortController | null = null;
  return (layout) => {
    arrangeArea(parts, layout);
    layout.stages.forEach((name, place) => {
      const pane = parts.panes[place];
      const stage = parts.stageOf(name);
      pane?.offer(parts.session.state.stages, name);
      pane?.wrap(layout.wrapped);
      if (stage === undefined) return;
      if (stage.text === null) parts.session.request(name);
      pane?.show(stage);
    });
    diffing?.abort();
    diffing = new AbortController();
    parts.merge.replaceChildren();
    const [before, after] = layout.stages.map(parts.stageOf);
    if (!layout.diff || before === undefined || after === undefined) return;
    const signal = AbortSignal.any([diffing.signal, parts.signal]);
    const { wrapped } = layout;
    showDiff(parts.merge, sideOf(before), sideOf(after), { wrapped, signal });
  };
}

/** The list of stages, and which of the panes are seen. */
function arrangeArea({ el, area, tabs, session }: Parts, layout: Layout): void {
  const { stages } = session.state;
  const lines = Math.max(...stages.map((stage) => stage.lines), fewestLines);
  const shown = layout.two || layout.diff ? layout.stages : [layout.stages[layout.active]];
  el.hidden = stages.length === 0;
  area.style.setProperty("--wb-lines", String(Math.min(lines, mostLines) + 1));
  area.dataset["show"] = layout.diff ? "diff" : layout.two ? "two" : "one";
  area.dataset["active"] = String(layout.active);
  tabs.update(stages);
  tabs.select(shown, layout.stages[layout.active]);
}

function sideOf(stage: Stage): Side {
  return { name: stage.name, text: stage.text ?? "", language: stage.language };
}
