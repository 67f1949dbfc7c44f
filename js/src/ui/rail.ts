// The list of stages: name, tick, time, a bar of the time, and how many places are lit in each.
// A tablist: one stop for the keyboard, arrow keys move and show.

import type { Stage } from "../model.ts";
import { checkSign, duration, element } from "./dom.ts";
import { isStep } from "./selection.ts";

export interface Rail {
  readonly el: HTMLElement;
  readonly update: (stages: readonly Stage[]) => void;
  /** `shown` in order of the panes; `active` is the one that the rail changes. */
  readonly select: (shown: readonly string[], active: string) => void;
  readonly count: (places: ReadonlyMap<string, Places>) => void;
}

/** How many places of a stage are lit; weak where only an ancestor is there. */
export interface Places {
  readonly places: number;
  readonly weak: boolean;
}

interface Row {
  readonly tab: HTMLButtonElement;
  readonly update: (stage: Stage, longest: number) => void;
  readonly count: (places: number, weak: boolean) => void;
}

const moves: Readonly<Record<string, (at: number, last: number) => number>> = {
  ArrowDown: (at, last) => Math.min(at + 1, last),
  ArrowRight: (at, last) => Math.min(at + 1, last),
  ArrowUp: (at) => Math.max(at - 1, 0),
  ArrowLeft: (at) => Math.max(at - 1, 0),
  Home: () => 0,
  End: (_, last) => last,
};

/** A rail; `panel` is the id of the element that the tabs control. */
export function rail(panel: string, choose: (stage: string) => void): Rail {
  const list = element("div", { class: "wb-rail", role: "tablist", "aria-label": "stages" });
  let rows = new Map<string, Row>();
  const more = element("button", { type: "button", class: "wb-button wb-more" });
  const el = element("div", { class: "wb-side" }, list, more);
  more.title = "passes that changed nothing";
  more.setAttribute("aria-expanded", "false");
  more.addEventListener("click", () => {
    more.setAttribute("aria-expanded", String(el.classList.toggle("wb-all")));
  });
  list.addEventListener("keydown", (event) => {
    const tabs = [...rows.values()].map((row) => row.tab);
    const next = movedFocus(event, tabs.filter((tab) => tab.checkVisibility()));
    if (next === undefined) return;
    event.preventDefault();
    choose(next.dataset["stage"] ?? "");
    next.focus();
  });
  return {
    el,
    update(stages) {
      if (stages.length !== rows.size || !stages.every((stage) => rows.has(stage.name))) {
        rows = new Map(stages.map((stage) => [stage.name, railRow(stage, panel, choose)]));
        list.replaceChildren(...[...rows.values()].map((row) => row.tab));
      }
      const longest = Math.max(...stages.map((stage) => stage.seconds), 1e-9);
      for (const stage of stages) rows.get(stage.name)?.update(stage, longest);
      const unchanged = stages.filter((stage) => !stage.changed).length;
      more.hidden = unchanged === 0;
      more.textContent = `${unchanged} unchanged`;
    },
    select(shown, active) {
      for (const [name, { tab }] of rows) {
        tab.setAttribute("aria-selected", String(name === active));
        tab.tabIndex = name === active ? 0 : -1;
        tab.dataset["shown"] = shown.includes(name) ? "yes" : "no";
      }
    },
    count(places) {
      for (const [name, row] of rows) {
        const found = places.get(name);
        row.count(found?.places ?? 0, found?.weak ?? false);
      }
    },
  };
}

/** The tab that a key moves to from the one that has the focus. */
function movedFocus(
  event: KeyboardEvent,
  tabs: readonly HTMLButtonElement[],
): HTMLButtonElement | undefined {
  const at = tabs.findIndex((tab) => tab === event.target);
  const move = moves[event.key];
  return move === undefined || at < 0 ? undefined : tabs[move(at, tabs.length - 1)];
}

function railRow(stage: Stage, panel: string, choose: (stage: string) => void): Row {
  const { name } = stage;
  const sign = element("span", { class: "wb-rail-check" });
  const time = element("span", { class: "wb-rail-time" });
  const lit = element("span", { class: "wb-rail-lit", "aria-hidden": "true" });
  const bar = element("span", { class: "wb-rail-bar", "aria-hidden": "true" });
  const tab = element(
    "button",
    { type: "button", role: "tab", class: "wb-tab", "aria-controls": panel, "data-stage": name },
    element("span", { class: "wb-rail-name" }, name),
    lit,
    sign,
    time,
    bar,
  );
  tab.addEventListener("click", () => { choose(name); });
  return {
    tab,
    update(next, longest) {
      sign.replaceChildren(checkSign(next.check));
      time.textContent = next.seconds > 0 ? duration(next.seconds) : "";
      const words = [isStep(next) ? name : "", next.note, next.check.words];
      tab.title = words.filter((each) => each !== "").join("\n");
      tab.dataset["step"] = isStep(next) ? "yes" : "no";
      tab.dataset["changed"] = next.changed ? "yes" : "no";
      bar.style.inlineSize = `${((next.seconds / longest) * 52).toFixed(1)}px`;
    },
    count(places, weak) {
      lit.textContent = places === 0 ? "" : String(places);
      lit.dataset["weak"] = weak ? "yes" : "no";
    },
  };
}
