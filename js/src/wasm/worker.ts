/**
 * A dedicated worker that runs modules: it computes while the page and its socket stay awake.
 *
 * One of several that share a memory, where the page is isolated; else the only one, and the
 * memory is its own. Takes orders one after the other and answers each.
 */
import { reach, unshared } from "./module.ts";
import { MOST_PAGES } from "./spaces.ts";

/** The first order: the memory to share, if there is one, and where this worker's stack ends. */
export interface Start {
  readonly op: "start";
  readonly memory: WebAssembly.Memory | undefined;
  readonly stackTop: number;
}

/** Addresses are bytes in the memory; `begin` to `end` are the iterations of a call. */
export type Order =
  | Start
  | { readonly op: "reach"; readonly bytes: number }
  | { readonly op: "write"; readonly address: number; readonly payload: ArrayBuffer }
  | { readonly op: "read"; readonly address: number; readonly bytes: number }
  | { readonly op: "fill"; readonly address: number; readonly bytes: number }
  | {
      readonly op: "copy";
      readonly source: number;
      readonly target: number;
      readonly bytes: number;
    }
  /** Without code it is forgotten. */
  | { readonly op: "load"; readonly key: string; readonly code: string | undefined }
  | {
      readonly op: "call";
      readonly key: string;
      readonly name: string;
      readonly buffers: number;
      readonly scalars: number;
      readonly stop: number;
      readonly begin: number;
      readonly end: number;
    };

/** What became of an order: how long it took, and the bytes of a read. */
export interface Done {
  readonly ok: true;
  readonly milliseconds: number;
  readonly payload?: ArrayBuffer;
}

export type Answer =
  | Done
  | { readonly ok: false; readonly message: string };

type Kernel = (
  buffers: number,
  scalars: number,
  stop: number,
  begin: bigint,
  end: bigint,
) => void;

let memory: WebAssembly.Memory | undefined;
let stackTop = 0;
const instances = new Map<string, WebAssembly.Instance>();

function started(): WebAssembly.Memory {
  if (memory === undefined) throw new Error("the worker has not been started");
  return memory;
}

function bytesAt(address: number, bytes: number): Uint8Array {
  return new Uint8Array(started().buffer, address, bytes);
}

function load(key: string, code: string | undefined): void {
  if (code === undefined) instances.delete(key);
  if (code === undefined || instances.has(key)) return;
  const bytes = Uint8Array.from(atob(code), (letter) => letter.charCodeAt(0));
  const shared = started().buffer instanceof ArrayBuffer ? unshared(bytes) : bytes;
  const stack = new WebAssembly.Global({ value: "i32", mutable: true }, stackTop);
  const imports = { workbench: { memory: started(), stack } };
  instances.set(key, new WebAssembly.Instance(new WebAssembly.Module(shared), imports));
}

function call(order: Extract<Order, { op: "call" }>): void {
  const kernel = instances.get(order.key)?.exports[order.name] as Kernel | undefined;
  if (kernel === undefined) throw new Error(`the worker holds no kernel ${order.name}`);
  const { buffers, scalars, stop, begin, end } = order;
  kernel(buffers, scalars, stop, BigInt(begin), BigInt(end));
}

/** Does an order; gives the bytes of a read. */
function perform(order: Order): ArrayBuffer | undefined {
  switch (order.op) {
    case "start":
      memory = order.memory ?? new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES });
      stackTop = order.stackTop;
      return undefined;
    case "reach":
      reach(started(), order.bytes);
      return undefined;
    case "write":
      bytesAt(order.address, order.payload.byteLength).set(new Uint8Array(order.payload));
      return undefined;
    case "read":
      return new Uint8Array(bytesAt(order.address, order.bytes)).buffer;
    case "fill":
      bytesAt(order.address, order.bytes).fill(0);
      return undefined;
    case "copy":
      bytesAt(order.target, order.bytes).set(bytesAt(order.source, order.bytes));
      return undefined;
    case "load":
      load(order.key, order.code);
      return undefined;
    case "call":
      call(order);
      return undefined;
    default:
      return order satisfies never;
  }
}

function tell(message: Answer, transfer: Transferable[] = []): void {
  globalThis.postMessage(message, { transfer });
}

function answer(order: Order): void {
  const began = performance.now();
  try {
    const payload = perform(order);
    const milliseconds = performance.now() - began;
    if (payload === undefined) tell({ ok: true, milliseconds });
    else tell({ ok: true, milliseconds, payload }, [payload]);
  } catch (cause) {
    tell({ ok: false, message: String(cause) });
  }
}

globalThis.addEventListener("message", ({ data }: MessageEvent<Order>) => {
  answer(data);
});
