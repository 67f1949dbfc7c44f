// What a view is: one file of src/views with such a value as its default export.

import type { Session } from "../model.ts";

export interface ViewContext {
  /** The element to draw in; empty, and the view's own. */
  readonly el: HTMLElement;
  readonly session: Session;
  /** Says a sentence to people who do not see the screen. */
  readonly announce: (words: string) => void;
  /** Ends everything that the view started. */
  readonly signal: AbortSignal;
}

export interface View {
  /** The name by which Python asks for it. */
  readonly name: string;
  /** What it is called on the screen. */
  readonly title: string;
  readonly render: (context: ViewContext) => void;
}
