/**
 * The entry of the bundle: what a widget's loader calls, whatever kind of widget it is.
 *
 * A page evaluates this file once, however many widgets it shows; the count proves it.
 * Kinds are named by the model's trait `kind`: "page" has no view, the others draw.
 */
import type { WidgetModel } from "./model.ts";
import { drawn, joinNotebook, joinPage, type JoinOptions, type Server, stopWork } from "./page.ts";
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
      showProgress(model, signal, (number) => { stopWork(server.token, number); });
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

/** For a model that is there. Its widget may have been closed while this code was loading. */
export function initialize(mount: Mount): void {
  letGo(mount);
  if (!mount.signal.aborted) widgetOf(mount.model).initialize?.(mount);
}

/**
 * Takes its state from a model that has ended: JupyterLab (4.6) keeps the models of closed widgets,
 * since the comm of each goes on listening to its kernel.
 */
function letGo({ model, signal }: Mount): void {
  const end = (): void => {
    // Twice: a model also keeps what its attributes were before they were last set.
    model.set("state", null, { silent: true });
    model.set("state", null, { silent: true });
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end);
}

/** For a view that is there, unless it was left while this code was loading. */
export function render(mount: Mount & { readonly el: HTMLElement }): void {
  if (mount.signal.aborted) return;
  widgetOf(mount.model).render?.(mount);
  drawn(mount.model.widget_manager);
}

export { joinPage, type JoinOptions, type Server };
