// The stage explorer: every text of the pipeline, and one selection lit in all of them.

import type { KeyBinding } from "@codemirror/view";
import { marksOf, sameMark } from "../link.ts";
import type { Direction, Lit } from "../link.ts";
import type { PanelState, Stage } from "../model.ts";
import { element } from "../ui/dom.ts";
import { editor } from "../ui/editor.ts";
import { arranger, firstLayout, toolbar, withStage } from "../ui/layout.ts";
import type { Layout, Place } from "../ui/layout.ts";
import { pane } from "../ui/pane.ts";
import type { Pane } from "../ui/pane.ts";
import { rail } from "../ui/rail.ts";
import type { Rail } from "../ui/rail.ts";
import {
  describe, excerpt, linksOfSession, litBy, sameSelection, selectAt, selectStep,
} from "../ui/selection.ts";
import type { Selection } from "../ui/selection.ts";
import { store } from "../ui/store.ts";
import type { Store } from "../ui/store.ts";
import type { View, ViewContext } from "../ui/view.ts";

const idle = "point at a part to see where it comes from and what it became; click keeps it";

const view: View = { name: "stages", title: "stages", render };
export default view;

interface Explorer extends Omit<ViewContext, "el"> {
  readonly layout: Store<Layout>;
  readonly selection: Store<Selection | null>;
  readonly stageOf: (name: string) => Stage | undefined;
}

function render(context: ViewContext): void {
  const { el, session, signal } = context;
  const explorer: Explorer = {
    ...context,
    layout: store(firstLayout(session.state, el.clientWidth)),
    selection: store<Selection | null>(null),
    stageOf: (name) => session.state.stages.find((stage) => stage.name === name),
  };
  const { layout, selection, stageOf } = explorer;
  const id = `wb-panes-${crypto.getRandomValues(new Uint32Array(1)).join("")}`;
  const tabs = rail(id, (name) => {
    layout.set(withStage(layout.get(), layout.get().active, name));
  });
  const panes = [explorerPane(0, explorer), explorerPane(1, explorer)];
  const merge = element("div", { class: "wb-diff" });
  const line = element("span", { class: "wb-line" });
  const area = element("div", { class: "wb-panes", id, role: "tabpanel" });
  area.append(...panes.map((each) => each.el), merge);
  el.append(
    element("div", { class: "wb-stages" }, tabs.el, area),
    element("div", { class: "wb-foot" }, line, toolbar(layout)),
  );
  const light = lighter(explorer, { tabs, panes, line });
  const arrange = arranger({ el, area, merge, panes, tabs, session, stageOf, signal });
  const refresh = (): void => {
    arrange(layout.get());
    light(selection.get());
  };
  layout.follow(refresh, signal);
  selection.follow(light, signal);
  shareSelection(explorer);
  session.onChange(({ stages }) => {
    const kept = layout.get();
    const there = kept.stages.every((name) => stages.some((stage) => stage.name === name));
    if (there) refresh();
    else layout.set({ ...kept, stages: firstLayout(session.state, el.clientWidth).stages });
  }, signal);
}

/** Shows what a selection lights: in the panes, as counts in the list, and in words. */
function lighter(
  { session, layout, announce }: Explorer,
  on: { readonly tabs: Rail; readonly panes: readonly Pane[]; readonly line: HTMLElement },
): (selection: Selection | null) => void {
  const links = linksOfSession(session);
  return (selection) => {
    const { stages } = session.state;
    const lit = litBy(selection, stages, links());
    const pinned = selection?.pinned ?? false;
    on.tabs.count(placesOf(lit));
    layout.get().stages.forEach((name, place) => {
      on.panes[place]?.light(lit.get(name), pinned);
      if (pinned) on.panes[place]?.reveal(lit.get(name));
    });
    if (selection === null) {
      on.line.textContent = idle;
      return;
    }
    const words = ` ${describe(selection, stages, lit)}`;
    on.line.replaceChildren(element("code", {}, excerpt(selection, stages)), words);
    if (pinned) announce(on.line.textContent);
  };
}

/** What is chosen here is chosen in the other views, and the other way about. */
function shareSelection({ session, selection, stageOf, signal }: Explorer): void {
  let texts = textsOf(session.state);
  selection.follow((now) => {
    if (now === null || now.pinned) session.chosen.set(now?.mark.origin ?? null);
  }, signal);
  session.chosen.follow((origin) => {
    const now = selection.get();
    if (origin === null || now?.mark.origin === origin) return;
    const stage = session.state.stages.find(({ name }) => name === "scheduled");
    const mark = marksOf(stage?.marks ?? []).find((each) => each.origin === origin);
    if (mark !== undefined) selection.set({ stage: "scheduled", mark, pinned: true });
  }, signal);
  session.onChange((state) => {
    const old = texts;
    texts = textsOf(state);
    const now = selection.get();
    if (now === null) return;
    // Another program numbers its origins anew.
    const { stage, mark } = now;
    const stays = marksOf(stageOf(stage)?.marks ?? []).some((each) => sameMark(each, mark));
    if (old.get(stage) === texts.get(stage) && stays) return;
    session.chosen.set(null);
    selection.set(null);
  }, signal);
}

function textsOf({ stages }: PanelState): ReadonlyMap<string, string | null> {
  return new Map(stages.map(({ name, text }) => [name, text]));
}

function placesOf(lit: ReadonlyMap<string, Lit>) {
  return new Map(
    [...lit].map(([name, found]) => [
      name,
      { places: found.ranges.length, weak: found.strength === "nearest" },
    ]),
  );
}

function explorerPane(place: Place, explorer: Explorer): Pane {
  const { layout, selection, stageOf, announce, signal } = explorer;
  const here = (): Stage | undefined => stageOf(layout.get().stages[place]);
  return pane({
    label: place === 0 ? "first stage" : "second stage",
    keys: keysOf(here, selection),
    edited: sourceEditor(explorer),
    announce,
    signal,
    onChoose: (name) => { layout.set(withStage(layout.get(), place, name)); },
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

/** The source can be edited where Python says so. The caret lights what it stands in. */
function sourceEditor({ session, selection, stageOf, announce, signal }: Explorer) {
  if (session.state.editing === null) return null;
  const stage = "source";
  const edit = (onLeave: () => void) =>
    editor({
      label: stage,
      session,
      textOf: ({ stages }) => stages.find(({ name }) => name === stage)?.text ?? "",
      editOf: (text) => ({ text }),
      whole: true,
      onLeave,
      onCaret: (offset) => {
        const source = stageOf(stage);
        if (source !== undefined) selection.set(selectAt(source, offset, true));
      },
      announce,
      signal,
    });
  return { stage, edit };
}

/** Arrow keys move from mark to mark, Escape lets go. */
function keysOf(
  here: () => Stage | undefined,
  selection: Store<Selection | null>,
): readonly KeyBinding[] {
  const move = (direction: Direction) => (): boolean => {
    const stage = here();
    if (stage !== undefined) selection.set(selectStep(stage, selection.get(), direction));
    return true;
  };
  const letGo = (): boolean => {
    const held = selection.get() !== null;
    selection.set(null);
    return held;
  };
  return [
    { key: "ArrowRight", run: move("next") },
    { key: "ArrowLeft", run: move("previous") },
    { key: "ArrowUp", run: move("out") },
    { key: "ArrowDown", run: move("in") },
    { key: "Escape", run: letGo },
  ];
}
