/**
 * Joins this page to a kernel process, so that its GPU can be used from Python.
 *
 * One worker per page serves every kernel; where workers see no GPU, the page's own thread does.
 * Knows how a Jupyter page spells its addresses, and nothing of widgets.
 */
import workerText from "worker:./gpu/worker.ts";
import { connect, type ConnectionState, type Ways } from "./gpu/connection.ts";
import { sharedDeviceSource } from "./gpu/device.ts";
import { oncePerPage } from "./gpu/once.ts";
import type { Runtime } from "./gpu/runtime.ts";
import type { Order, WorkerReport } from "./gpu/worker.ts";
import { commPort } from "./comm.ts";
import type { WidgetModel } from "./model.ts";
import { type LocalOrder, type LocalReport, LocalServer } from "./local.ts";
import { PROTOCOL_VERSION } from "./protocol.ts";

/** Where a kernel process listens. */
export interface Server {
  readonly port: number;
  readonly token: string;
  /** The address of its websocket, where that is known. */
  readonly address?: string;
}

export interface JoinOptions {
  readonly signal: AbortSignal;
  readonly onState?: (state: ConnectionState) => void;
  /** Makes what leads to the kernel process where no socket does. */
  readonly comm?: () => MessagePort;
}

/** The part of `Location` that addresses depend on. */
export interface Place {
  readonly protocol: string;
  readonly host: string;
  readonly hostname: string;
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * The websocket addresses of a server as seen from a page, likeliest first: directly where the
 * page itself comes from this machine, else through the notebook server's proxy.
 */
export function addressesOf(server: Server, place: Place, baseUrl: string): string[] {
  const { port, token, address } = server;
  if (address !== undefined) return [address];
  const direct = `ws://127.0.0.1:${port}/${token}/ws`;
  const scheme = place.protocol === "https:" ? "wss" : "ws";
  const proxied = `${scheme}://${place.host}${baseUrl}proxy/${port}/${token}/ws`;
  return LOOPBACK.has(place.hostname) ? [direct, proxied] : [proxied, direct];
}

/** The base address of the Jupyter server that served this page; "/" where there is none. */
export function jupyterBaseUrl(document: Document): string {
  const text = document.getElementById("jupyter-config-data")?.textContent ?? "{}";
  const config = JSON.parse(text) as { readonly baseUrl?: string };
  const base = config.baseUrl ?? document.body.dataset["baseUrl"] ?? "/";
  return base.endsWith("/") ? base : `${base}/`;
}

/** The worker of this page and the listeners to the states of its connections. */
interface PageWorker {
  readonly order: (order: Order, transfer?: Transferable[]) => void;
  readonly states: Map<string, (state: ConnectionState) => void>;
}

/** What this page's views ask past the kernel processes, and who waits for which answer. */
interface Local {
  readonly listeners: Map<number, (report: LocalReport) => void>;
  /** Serves where the page's own thread holds the GPU. */
  readonly here: LocalServer;
  last: number;
}

function local(): Local {
  return oncePerPage<Local>(`workbench.local.v${PROTOCOL_VERSION}`, () => {
    const listeners: Local["listeners"] = new Map();
    const here = new LocalServer((report) => listeners.get(report.id)?.(report));
    return { listeners, here, last: 0 };
  });
}

/** Starts the worker; undefined where it cannot start or sees no GPU. */
async function startWorker(): Promise<PageWorker | undefined> {
  const address = URL.createObjectURL(new Blob([workerText], { type: "text/javascript" }));
  const states: PageWorker["states"] = new Map();
  try {
    const worker = new Worker(address, { name: "workbench" });
    const gpu = await new Promise<boolean>((resolve) => {
      worker.addEventListener("error", () => {
        resolve(false);
      });
      worker.addEventListener("message", ({ data }: MessageEvent<WorkerReport>) => {
        if (data.kind === "started") resolve(data.gpu);
        else if (data.kind === "local") local().listeners.get(data.report.id)?.(data.report);
        else states.get(data.key)?.(data.state);
      });
    });
    if (!gpu) {
      worker.terminate();
      return undefined;
    }
    return {
      states,
      order: (order, transfer = []) => {
        worker.postMessage(order, transfer);
      },
    };
  } catch {
    return undefined; // a content security policy may forbid blob workers
  } finally {
    URL.revokeObjectURL(address);
  }
}

interface PageState {
  /** The worker once it was wanted. */
  worker?: Promise<PageWorker | undefined>;
  /** How many holders each joined server has, and how to leave it. */
  readonly joined: Map<string, { holders: number; readonly leave: () => void }>;
}

function pageState(): PageState {
  // By the protocol, so that code of another version of the package starts a worker of its own.
  const name = `workbench.page.v${PROTOCOL_VERSION}`;
  return oncePerPage<PageState>(name, () => ({ joined: new Map() }));
}

/** Starts serving; gives what ends it. Forgets a server that does not answer any more. */
function start(server: Server, options: JoinOptions): () => void {
  const state = pageState();
  const stop = new AbortController();
  const key = server.token;
  const onState = (now: ConnectionState): void => {
    options.onState?.(now);
    if (now !== "stopped" && now !== "outdated") return;
    state.joined.delete(key);
    stop.abort();
  };
  const addresses = addressesOf(server, globalThis.location, jupyterBaseUrl(document));
  const ways: Ways = { addresses, comm: options.comm?.() };
  state.worker ??= startWorker();
  void state.worker.then((worker) => {
    if (stop.signal.aborted) return;
    if (worker === undefined) {
      const source = sharedDeviceSource();
      const onGpu = (runtime: Runtime | undefined): void => {
        local().here.connected(key, runtime);
      };
      void connect({ ...ways, where: "page", source, signal: stop.signal, onState, onGpu });
      return;
    }
    worker.states.set(key, onState);
    worker.order({ kind: "join", key, ways }, ways.comm ? [ways.comm] : []);
    stop.signal.addEventListener("abort", () => {
      worker.states.delete(key);
      worker.order({ kind: "leave", key });
    });
  });
  return () => {
    stop.abort();
  };
}

/** Serves a kernel process from this page until the last caller's `signal` aborts. */
export function joinPage(server: Server, options: JoinOptions): void {
  const { signal } = options;
  if (signal.aborted) return;
  const { joined } = pageState();
  const known = joined.get(server.token) ?? {
    holders: 0,
    leave: start(server, options),
  };
  joined.set(server.token, known);
  known.holders += 1;
  signal.addEventListener("abort", () => {
    known.holders -= 1;
    if (known.holders > 0) return;
    if (joined.get(server.token) === known) joined.delete(server.token);
    known.leave();
  });
}

/** Tells a kernel process that somebody looks at this page: calls go to the one looked at last. */
function shown(key: string): void {
  void Promise.resolve(pageState().worker).then((worker) => {
    if (worker === undefined) local().here.shown(key);
    else worker.order({ kind: "shown", key });
  });
}

/** Asks a kernel process, by its token, to end what it shows the progress of; heard while busy. */
export function stopWork(key: string, number: number): void {
  void Promise.resolve(pageState().worker).then((worker) => {
    if (worker === undefined) local().here.stop(key, number);
    else worker.order({ kind: "stop", key, number });
  });
}

/** The kernel process behind the widgets of a notebook; `drawn` before it was known. */
interface Notebook {
  token?: string;
  drawn: boolean;
}

function notebookOf(manager: object): Notebook {
  const notebooks = oncePerPage("workbench.notebooks.v1", () => new WeakMap<object, Notebook>());
  const known = notebooks.get(manager) ?? { drawn: false };
  notebooks.set(manager, known);
  return known;
}

/** Notes that a view of a notebook's kernel process is drawn; `manager` is that of its widgets. */
export function drawn(manager: object): void {
  const notebook = notebookOf(manager);
  notebook.drawn = true;
  if (notebook.token !== undefined) shown(notebook.token);
}

/** Joins the kernel process of a notebook, and tells it whenever somebody turns to this page. */
export function joinNotebook(server: Server, model: WidgetModel, signal: AbortSignal): void {
  const manager = model.widget_manager;
  const notebook = notebookOf(manager);
  notebook.token = server.token;
  joinPage(server, { signal, comm: () => commPort(model, signal) });
  if (notebook.drawn) shown(server.token);
  const turnedTo = (): void => {
    if (document.visibilityState === "visible") shown(server.token);
  };
  globalThis.addEventListener("focus", turnedTo, { signal });
  document.addEventListener("visibilitychange", turnedTo, { signal });
}

/** Without its number: `askLocal` gives one. */
type Unnumbered<T> = T extends unknown ? Omit<T, "id"> : never;

/** An order that is under way: `more` tells of changes, and the signal ended it. */
export interface Asked {
  readonly more: (order: Unnumbered<LocalOrder>) => void;
}

/**
 * Asks the thread that holds this page's GPU; `heard` gets every answer until the signal aborts.
 * Whatever is asked stays within the page.
 */
export function askLocal(
  order: Unnumbered<LocalOrder>,
  heard: (report: LocalReport) => void,
  { signal, transfer = [] }: { readonly signal: AbortSignal; readonly transfer?: Transferable[] },
): Asked {
  const { listeners, here } = local();
  const id = (local().last += 1);
  listeners.set(id, heard);
  signal.addEventListener("abort", () => { listeners.delete(id); });
  const send = (each: Unnumbered<LocalOrder>, moved: Transferable[]): void => {
    const numbered = { ...each, id } as LocalOrder;
    void Promise.resolve(pageState().worker).then((worker) => {
      if (worker === undefined) here.take(numbered);
      else worker.order({ kind: "local", order: numbered }, moved);
    });
  };
  send(order, transfer);
  return { more: (each) => { send(each, []); } };
}
