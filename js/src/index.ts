/**
 * The entry of the bundle: what a widget's loader calls, whatever kind of widget it is.
 *
 * A page evaluates this file once, however many widgets it shows; the count proves it.
 * Kinds are named by the model's trait `kind`: "page" has no view, the others draw.
 */
import type { WidgetModel } from "./model.ts";
import { drawn, joinNotebook, joinPage, type JoinOptions, type Server } from "./page.ts";
import { showProgress } from "./progress.ts";
import { renderPanel } from "./panel.ts";
import { renderLive } from "./live.ts";
import { renderValues } from "./values.ts";

export interface Mount {
  readonly model: WidgetModel;
  readonly signal: AbortSignal;
}

interface Widget {
  /** Called once per model. Returns at once: the page gives a widget two seconds. */
  readonly initialize?: (mount: Mount) => void;
  /** Called once per view. */
  readonly render?: (mount: Mount & { readonly el: HTMLElement }) => void;
}

const widgets: Readonly<Record<string, Widget>> = {
  page: {
    initialize: ({ model, signal }) => {
      const server = { port: Number(model.get("port")), token: String(model.get("token")) };
      joinNotebook(server, model, signal);
      showProgress(model, signal);
    },
  },
  panel: { render: renderPanel },
  live: { render: renderLive },
  values: { render: renderValues },
};

const counted = globalThis as { __workbench_evaluations?: number };
counted.__workbench_evaluations = (counted.__workbench_evaluations ?? 0) + 1;

function widgetOf(model: WidgetModel): Widget {
  const kind = String(model.get("kind"));
  const widget = widgets[kind];
  if (widget === undefined) throw new Error(`this page knows no widget of kind '${kind}'`);
  return widget;
}

export function initialize(mount: Mount): void {
  widgetOf(mount.model).initialize?.(mount);
}

export function render(mount: Mount & { readonly el: HTMLElement }): void {
  widgetOf(mount.model).render?.(mount);
  drawn(mount.model.widget_manager);
}

export { joinPage, type JoinOptions, type Server };
