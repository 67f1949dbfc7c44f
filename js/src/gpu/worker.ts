/**
 * The dedicated worker that holds the page's GPU: a busy page neither delays nor stops it.
 *
 * Bundled as text and started from a blob, because a notebook has no address of its own for it.
 */
import { type LocalOrder, type LocalReport, LocalServer } from "../local.ts";
import { connect, type ConnectionState, type Ways } from "./connection.ts";
import { missingGpu, sharedDeviceSource } from "./device.ts";
import type { Runtime } from "./runtime.ts";

/** What the page tells the worker. */
export type Order =
  | { readonly kind: "local"; readonly order: LocalOrder }
  | { readonly kind: "join"; readonly key: string; readonly ways: Ways }
  | { readonly kind: "shown"; readonly key: string }
  | { readonly kind: "stop"; readonly key: string; readonly number: number }
  | { readonly kind: "leave"; readonly key: string };

/** What the worker tells the page; `started` comes first, and says whether workers see a GPU. */
export type WorkerReport =
  | { readonly kind: "local"; readonly report: LocalReport }
  | { readonly kind: "started"; readonly gpu: boolean }
  | { readonly kind: "state"; readonly key: string; readonly state: ConnectionState };

function report(message: WorkerReport): void {
  globalThis.postMessage(message);
}

const local = new LocalServer((answer) => { report({ kind: "local", report: answer }); });

const joined = new Map<string, AbortController>();

function join(key: string, ways: Ways): void {
  const stop = new AbortController();
  joined.set(key, stop);
  const onState = (state: ConnectionState): void => {
    report({ kind: "state", key, state });
  };
  const source = sharedDeviceSource();
  const onGpu = (runtime: Runtime | undefined): void => { local.connected(key, runtime); };
  void connect({ ...ways, where: "worker", source, signal: stop.signal, onState, onGpu });
}

globalThis.addEventListener("message", ({ data }: MessageEvent<Order>) => {
  switch (data.kind) {
    case "join":
      join(data.key, data.ways);
      break;
    case "local":
      local.take(data.order);
      break;
    case "shown":
      local.shown(data.key);
      break;
    case "stop":
      local.stop(data.key, data.number);
      break;
    case "leave":
      joined.get(data.key)?.abort();
      joined.delete(data.key);
      break;
    default:
      data satisfies never;
  }
});

report({ kind: "started", gpu: missingGpu() === undefined });
