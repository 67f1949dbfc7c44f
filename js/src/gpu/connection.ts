/**
 * The line from the page to one kernel process: finds an address that works, and rejoins.
 *
 * The addresses are tried in order; the one that worked is tried first from then on. Where none
 * ever worked, the notebook's comm is the line, for as long as it is. After the last failed round
 * it stops for good: a restarted kernel has another address and another token.
 */
import {
  type EngineName,
  type PageMessage,
  parseRequests,
  PROTOCOL_VERSION,
  type Request,
} from "../protocol.ts";
import { wasmEngines, wasmReport } from "../wasm/engine.ts";
import type { DeviceSource } from "./device.ts";
import { gpuEngines } from "./engine.ts";
import { type Line, portLine, type Received, socketLine } from "./line.ts";
import { Runtime } from "./runtime.ts";

export type ConnectionState = "connecting" | "connected" | "stopped";

/** How a kernel process may be reached. */
export interface Ways {
  readonly addresses: readonly string[];
  /** Leads to it through its notebook; absent where there is none. */
  readonly comm?: MessagePort | undefined;
}

export interface ConnectOptions extends Ways {
  readonly where: "worker" | "page";
  readonly source: DeviceSource;
  readonly signal: AbortSignal;
  readonly onState: (state: ConnectionState) => void;
  /** Is given what serves the GPU's buffers while a socket is open, and else undefined. */
  readonly onGpu: (runtime: Runtime | undefined) => void;
  /** Milliseconds before each further round of attempts; one round per entry. */
  readonly pauses?: readonly number[];
}

const PAUSES = [250, 500, 1000, 2000, 4000];

/** Resolves after `milliseconds`, or at once when the signal aborts. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}

/** Takes a text frame: pings and cancels at once, the others in their turn. */
export function takeText(
  text: string,
  runtimes: Readonly<Record<EngineName, Runtime>>,
  send: (message: PageMessage) => void,
): void {
  for (const request of parseRequests(text)) takeRequest(request, runtimes, send);
}

function takeRequest(
  request: Request,
  runtimes: Readonly<Record<EngineName, Runtime>>,
  send: (message: PageMessage) => void,
): void {
  switch (request.kind) {
    case "ping":
      send({ kind: "pong", id: request.id });
      break;
    case "cancel":
      for (const runtime of Object.values(runtimes)) runtime.cancel(request.through);
      break;
    case "write":
    case "compile":
    case "alloc":
    case "run":
    case "read":
    case "free":
      runtimes[request.engine].take(request);
      break;
    default:
      request satisfies never;
  }
}

/** What serves a line; `heard` takes its frames. */
interface Served {
  readonly runtimes: Readonly<Record<EngineName, Runtime>>;
  readonly send: (message: PageMessage) => void;
}

/**
 * Serves a line until it closes; tells whether a kernel process ever spoke, as it does at once.
 * That a line opened says nothing: a proxy opens first, and closes where nobody listens.
 */
async function serve(
  open: (heard: (frame: Received) => void) => Line,
  options: ConnectOptions,
): Promise<boolean> {
  const { source, where, signal, onState, onGpu } = options;
  if (signal.aborted) return false;
  const ended = new AbortController();
  let speak = (): void => undefined;
  const spoke = new Promise<true>((resolve) => { speak = () => { resolve(true); }; });
  const line = open((frame) => {
    speak();
    if (typeof frame === "string") takeText(frame, served.runtimes, served.send);
    else for (const runtime of Object.values(served.runtimes)) runtime.binary(frame);
  });
  const send = (message: PageMessage): void => { line.send(JSON.stringify(message)); };
  const shared = { send, sendBytes: line.send, signal: ended.signal };
  const served: Served = {
    send,
    runtimes: {
      gpu: new Runtime({ ...shared, name: "gpu", source: gpuEngines(source) }),
      wasm: new Runtime({ ...shared, name: "wasm", source: wasmEngines() }),
    },
  };
  signal.addEventListener("abort", line.close);
  const reached = await Promise.race([spoke, line.closed.then(() => false)]);
  if (reached) {
    onGpu(served.runtimes.gpu);
    const gpu = await source.report();
    const user_agent = navigator.userAgent;
    send({ kind: "hello", version: PROTOCOL_VERSION, where, user_agent, gpu, wasm: wasmReport() });
    onState("connected");
    await line.closed;
    onGpu(undefined);
  }
  ended.abort();
  signal.removeEventListener("abort", line.close);
  return reached;
}

/** As `serve`, for an address; false where the browser refuses that outright. */
async function serveAddress(address: string, options: ConnectOptions): Promise<boolean> {
  try {
    return await serve((heard) => socketLine(address, heard), options);
  } catch (cause) {
    if (cause instanceof DOMException) return false;
    throw cause;
  }
}

/** Keeps a kernel process connected until `signal` aborts or nothing answers any more. */
export async function connect(options: ConnectOptions): Promise<void> {
  const { signal, onState, comm, pauses = PAUSES } = options;
  let addresses = options.addresses;
  let round = 0;
  let reached = false;
  while (!signal.aborted && round <= pauses.length) {
    onState("connecting");
    for (const address of addresses) {
      if (!(await serveAddress(address, options))) continue;
      addresses = [address, ...addresses.filter((other) => other !== address)];
      [round, reached] = [-1, true];
      break;
    }
    // A process that two rounds have not reached is one that no socket will reach.
    if (comm !== undefined && !reached && round > 0) {
      await serve((heard) => portLine(comm, heard), options);
      break;
    }
    round += 1;
    await pause(pauses[Math.min(round, pauses.length - 1)] ?? 0, signal);
  }
  onState("stopped");
}
