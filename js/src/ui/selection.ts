// The selection of a stage explorer and what it lights in every stage, as values.

import { innermost, linksOf, sameMark, step } from "../link.ts";
import type { Direction, Links, Lit, Mark } from "../link.ts";
import type { Origins, Session, Stage } from "../model.ts";

export interface Selection {
  readonly stage: string;
  readonly mark: Mark;
  /** Kept until another is chosen, not only while the pointer is there. */
  readonly pinned: boolean;
}

/** Whether a stage is one step of the schedule: it is named as the step is written. */
export function isStep(stage: Stage): boolean {
  return stage.name.includes("(");
}

/** A mark over more of a text than this says nothing when it lights. */
const rootShare = 0.5;

/** What the pointer at `offset` selects; null on what belongs to the whole program only. */
export function selectAt(stage: Stage, offset: number, pinned: boolean): Selection | null {
  const mark = innermost(stage.marks, offset);
  if (mark === null || mark.end - mark.start > rootShare * (stage.text ?? "").length) return null;
  return { stage: stage.name, mark, pinned };
}

/** What an arrow key selects in `stage`; stays where there is nothing further. */
export function selectStep(
  stage: Stage,
  current: Selection | null,
  direction: Direction,
): Selection | null {
  const from = current?.stage === stage.name ? current.mark : null;
  const mark = step(stage.marks, from, direction);
  return mark === null ? current : { stage: stage.name, mark, pinned: true };
}

export function sameSelection(a: Selection | null, b: Selection | null): boolean {
  if (a === null || b === null) return a === b;
  return a.stage === b.stage && a.pinned === b.pinned && sameMark(a.mark, b.mark);
}

/** What a selection lights, by stage. */
export function litBy(
  selection: Selection | null,
  stages: readonly Stage[],
  links: Links,
): ReadonlyMap<string, Lit> {
  if (selection === null) return new Map();
  return new Map(
    stages.map((stage) => [stage.name, links.lit(stage.marks, selection.mark.origin)]),
  );
}

/** The characters of a selection, one line, shortened. */
export function excerpt(selection: Selection, stages: readonly Stage[], most = 60): string {
  const text = stages.find((stage) => stage.name === selection.stage)?.text ?? "";
  const words = text.slice(selection.mark.start, selection.mark.end).replace(/\s+/g, " ").trim();
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
}

/** Where else a selection is lit, in words, for the line below the panes and screen readers. */
export function describe(
  selection: Selection,
  stages: readonly Stage[],
  lit: ReadonlyMap<string, Lit>,
): string {
  const others = stages.filter((stage) => stage.name !== selection.stage && stage.changed);
  const places = (strength: Lit["strength"]): string => {
    const there = others.filter((stage) => lit.get(stage.name)?.strength === strength);
    const steps = there.filter(isStep).length;
    const named = there
      .filter((stage) => !isStep(stage))
      .map((stage) => `${stage.name} ${lit.get(stage.name)?.ranges.length ?? 0}`);
    const counted = steps === 0 ? [] : [`${steps} step${steps === 1 ? "" : "s"}`];
    return [...named, ...counted].join(", ");
  };
  const [from, also] = [places("nearest"), places("same")];
  const words = [from && `from ${from}`, also && `also ${also}`].filter((each) => each !== "");
  return `in ${selection.stage}; ${words.length === 0 ? "nowhere else" : words.join("; ")}`;
}

/** The links of the state there is, made again only when its origins are others. */
export function linksOfSession(session: Session): () => Links {
  let known: { readonly origins: Origins; readonly links: Links } | null = null;
  return () => {
    const { origins } = session.state;
    if (known?.origins !== origins) known = { origins, links: linksOf(origins) };
    return known.links;
  };
}
