// The notebook's cell that a panel belongs to, through the model that all its widgets share.

import type { WidgetModel } from "./model.ts";

/** What is used of a cell of JupyterLab's shared model. */
interface SharedCell {
  readonly source: string;
  readonly setSource: (text: string) => void;
}

interface Manager {
  readonly context?: {
    readonly model?: { readonly sharedModel?: { readonly cells?: readonly SharedCell[] } };
  };
}

/** Why a text was not written, "" where it was. */
export type Refused = string;

/**
 * Writes a text into the one cell that holds `now`. The cell changes as if it had been typed: it
 * can be undone there, and everybody who has the notebook open sees it.
 */
export function writeCell(model: WidgetModel, now: readonly string[], text: string): Refused {
  const { context } = model.widget_manager as Manager;
  const cells = context?.model?.sharedModel?.cells;
  if (cells === undefined) return "this page does not give its cells to widgets";
  const known = now.map((each) => each.trimEnd());
  const found = cells.filter((cell) => known.includes(cell.source.trimEnd()));
  const [cell] = found;
  if (cell === undefined) return "the cell has other text by now, or fills in {{variables}}";
  if (found.length > 1) return "several cells have this text";
  cell.setSource(text.trimEnd());
  return "";
}
