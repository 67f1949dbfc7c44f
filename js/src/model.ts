// What a panel shows and the messages it exchanges with Python: the page's side of
// workbench/widget/messages.py, and the one place here that knows them. Nothing here draws.

import { writeCell } from "./cell.ts";
import { store } from "./ui/store.ts";
import type { Store } from "./ui/store.ts";

export const version = 4;

export type CheckState = "tick" | "cross" | "pending" | "none";
export type Language = "python" | "wgsl" | "llvm" | "asm" | "wasm" | "text";

export interface Check {
  readonly state: CheckState;
  readonly words: string;
}

/** One text of the pipeline; `text` is null until the page asks for it. */
export interface Stage {
  readonly name: string;
  readonly text: string | null;
  /** Flat: start, end, origin, start, end, origin and so on, in UTF-16 units. */
  readonly marks: readonly number[];
  readonly lines: number;
  readonly seconds: number;
  readonly note: string;
  readonly language: Language;
  readonly check: Check;
  readonly changed: boolean;
}

export interface Origins {
  readonly parents: readonly (readonly number[])[];
  readonly spans: readonly (readonly [number, number] | null)[];
  readonly notes: readonly string[];
}

export interface Output {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly numbers: readonly (readonly [string, string])[];
  readonly image: string | null;
  readonly rows: readonly (readonly string[])[];
}

export interface Run {
  readonly device: string;
  readonly adapter: string;
  readonly reason: string;
  readonly caution: string;
  readonly remarks: readonly string[];
  readonly times: Readonly<Record<"compile" | "transfer" | "run", number | null>>;
  readonly agreements: readonly { readonly device: string; readonly check: Check }[];
  readonly outputs: readonly Output[];
}

/** `line` counts from 1, `column` from 0. */
export interface Caret {
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly words: string;
}

export interface MarkedText {
  readonly name: string;
  readonly text: string;
  readonly language: Language;
  readonly carets: readonly Caret[];
}

export interface Failure {
  readonly kind: string;
  readonly message: string;
  readonly hint: string;
  readonly texts: readonly MarkedText[];
}

/** What can be edited, and the schedule as lines to copy; see workbench/widget/messages.py. */
export interface Editing {
  readonly knobs: readonly (readonly [string, number])[];
  readonly calls: string;
  readonly function: string;
  readonly draft: string;
  readonly cell: string | null;
  readonly undo: number;
}

/** An edit as Python reads it (workbench/session/edits.py). */
export type Edit =
  | { readonly step: string }
  | { readonly text: string }
  | { readonly schedule: string }
  | { readonly knobs: Readonly<Record<string, number>> }
  | { readonly undo: true };

export interface PanelState {
  readonly version: number;
  readonly title: string;
  readonly views: readonly string[];
  /** Pictures that can be asked for: name and title. */
  readonly offers: readonly (readonly [string, string])[];
  readonly stages: readonly Stage[];
  readonly origins: Origins;
  readonly run: Run | null;
  readonly failure: Failure | null;
  readonly editing: Editing | null;
}

/** What the panel needs of a widget's model; anywidget's model is one. */
export interface WidgetModel {
  get(key: string): unknown;
  /** Changes this page's copy alone; `silent` tells nobody of it. */
  set(key: string, value: unknown, options: { readonly silent: boolean }): void;
  send(content: unknown, callbacks?: undefined, buffers?: readonly ArrayBuffer[]): void;
  on(event: string, listener: (...values: never[]) => void): void;
  off(event: string, listener: (...values: never[]) => void): void;
  /** What all widgets of a notebook share. */
  readonly widget_manager: object;
}

/** The live state of a panel, and the way to the texts that did not travel with it. */
export interface Session {
  readonly state: PanelState;
  /** Calls back after every change of the state, until the signal ends. */
  onChange(listener: (state: PanelState) => void, signal: AbortSignal): void;
  /** Asks Python for a stage; the answer arrives as a change of the state. */
  request(stage: string): void;
  /** Asks Python for the value of a picture; rejects with a `Refusal` where there is none. */
  ask(view: string, given: Readonly<Record<string, unknown>>): Promise<unknown>;
  /**
   * Edits the text or the schedule; says why not where it is refused. The new state arrives as a
   * change. An edit that is not released is on its way to the next, and is not run.
   */
  edit(edit: Edit, release: boolean): Promise<Failure | null>;
  /**
   * Writes what is edited into its cell, or a source in its place; says why not where it cannot,
   * else "".
   */
  writeCell(source?: string): string;
  /** Who holds a text that Python did not take, or did not answer yet: the state is older. */
  readonly newer: Store<ReadonlySet<object>>;
  /** The origin of what was chosen in any of the views, null where nothing is. */
  readonly chosen: Store<number | null>;
}

/** Why there is no such picture, in Python's words. */
export class Refusal extends Error {}

const empty: PanelState = {
  version,
  title: "",
  views: [],
  offers: [],
  stages: [],
  origins: { parents: [], spans: [], notes: [] },
  run: null,
  failure: null,
  editing: null,
};

/** Reads the bytes of the widget's `state`; an absent or empty state shows nothing. */
export function decode(bytes: unknown): PanelState {
  if (!ArrayBuffer.isView(bytes) || bytes.byteLength === 0) return empty;
  const state = JSON.parse(new TextDecoder().decode(bytes)) as PanelState;
  if (state.version !== version) {
    const found = String(state.version);
    throw new Error(`the panel's state has version ${found}, this page reads ${String(version)}`);
  }
  return state;
}

/** The session of a model; `signal` ends its listening. */
export function openSession(model: WidgetModel, signal: AbortSignal): Session {
  const listeners = new Set<(state: PanelState) => void>();
  const asked = new Set<string>();
  const questions = questionsTo(model);
  const edits = editsTo(model);
  let state = decode(model.get("state"));
  const write = cellWriter(model, state);
  const publish = (next: PanelState): void => {
    state = next;
    for (const listener of [...listeners]) listener(next);
  };
  const changed = (): void => {
    asked.clear();
    publish(decode(model.get("state")));
  };
  const arrived = (content: unknown): void => {
    if (questions.answered(content) || edits.answered(content)) return;
    const stage = answeredStage(content);
    if (stage === null) return;
    asked.delete(stage.name);
    const stages = state.stages.map((each) => (each.name === stage.name ? stage : each));
    publish({ ...state, stages });
  };
  model.on("change:state", changed);
  model.on("msg:custom", arrived);
  signal.addEventListener("abort", () => {
    model.off("change:state", changed);
    model.off("msg:custom", arrived);
    listeners.clear();
  });
  return {
    get state() {
      return state;
    },
    onChange(listener, until) {
      listeners.add(listener);
      until.addEventListener("abort", () => listeners.delete(listener));
    },
    request(stage) {
      if (asked.has(stage)) return;
      asked.add(stage);
      model.send({ kind: "stage", name: stage });
    },
    ask: (view, given) => questions.ask(view, given),
    edit: (edit, release) => edits.send(edit, release),
    writeCell: (source) => write(state, source),
    newer: store<ReadonlySet<object>>(new Set()),
    chosen: store<number | null>(null),
  };
}

/** Writes the text of a state into the cell that made the first one. */
function cellWriter(model: WidgetModel, first: PanelState) {
  const known = [original(first)];
  return ({ editing }: PanelState, source?: string): string => {
    const accepted = editing?.cell ?? null;
    if (accepted === null) return "no cell of this notebook made it";
    // The magic's line says the options of what is shown; a source has it as a comment.
    const [head = ""] = accepted.split("\n", 1);
    const cell = source === undefined ? accepted : head + source.slice(lineEnd(source));
    const refused = writeCell(model, known, cell);
    if (refused === "") known.push(cell);
    return refused;
  };
}

function lineEnd(text: string): number {
  const found = text.indexOf("\n");
  return found < 0 ? text.length : found;
}

/** The cell as it was run: its source, whose first line the magic made a comment of. */
function original({ stages }: PanelState): string {
  const source = stages.find((stage) => stage.name === "source")?.text ?? "";
  return source.replace(/^# /, "");
}

/** The questions of a panel that Python has not answered yet. */
function questionsTo(model: WidgetModel) {
  const waiting = new Map<number, (answer: PictureAnswer) => void>();
  let count = 0;
  return {
    ask(view: string, given: Readonly<Record<string, unknown>>): Promise<unknown> {
      count += 1;
      const number = count;
      return new Promise((resolve, reject) => {
        waiting.set(number, ({ value, refusal }) => {
          if (refusal === null) resolve(value);
          else reject(new Refusal(refusal));
        });
        model.send({ kind: "ask", number, view, arguments: given });
      });
    },
    /** Whether a message is the answer to a question; it is passed on to who asked. */
    answered(content: unknown): boolean {
      const picture = pictureAnswer(content);
      if (picture === null) return false;
      waiting.get(picture.number)?.(picture);
      waiting.delete(picture.number);
      return true;
    },
  };
}

/** The edits of a panel that Python has not answered yet. */
function editsTo(model: WidgetModel) {
  const waiting = new Map<number, (failure: Failure | null) => void>();
  let count = 0;
  return {
    send(edit: Edit, release: boolean): Promise<Failure | null> {
      count += 1;
      const number = count;
      return new Promise((resolve) => {
        waiting.set(number, resolve);
        model.send({ kind: "edit", number, edit, release });
      });
    },
    answered(content: unknown): boolean {
      if (typeof content !== "object" || content === null) return false;
      const message = content as { kind?: unknown; number: number; failure: Failure | null };
      if (message.kind !== "edited") return false;
      waiting.get(message.number)?.(message.failure);
      waiting.delete(message.number);
      return true;
    },
  };
}

interface PictureAnswer {
  readonly number: number;
  readonly value: unknown;
  readonly refusal: string | null;
}

/** The answer to a question, null for every other message. */
function pictureAnswer(content: unknown): PictureAnswer | null {
  if (typeof content !== "object" || content === null) return null;
  const message = content as { readonly kind?: unknown } & PictureAnswer;
  return message.kind === "answer" ? message : null;
}

/** The stage in an answer of Python, null for every other message. */
function answeredStage(content: unknown): Stage | null {
  if (typeof content !== "object" || content === null) return null;
  const message = content as { readonly kind?: unknown; readonly stage?: Stage | null };
  return message.kind === "stage" ? (message.stage ?? null) : null;
}
