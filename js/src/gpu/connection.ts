/**
 * The websocket from the page to one kernel process: finds an address that works, and rejoins.
 *
 * The addresses are tried in order; the one that worked is tried first from then on. After the
 * last failed round it stops for good: a restarted kernel has another address and another token.
 */
import { type EngineName, PROTOCOL_VERSION, type PageMessage, parseRequest } from "../protocol.ts";
import { wasmEngines, wasmReport } from "../wasm/engine.ts";
import type { DeviceSource } from "./device.ts";
import { gpuEngines } from "./engine.ts";
import { Runtime } from "./runtime.ts";

export type ConnectionState = "connecting" | "connected" | "stopped";

export interface ConnectOptions {
  readonly addresses: readonly string[];
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
  const request = parseRequest(text);
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

/** Greets the kernel process and answers it, from the opening of a socket on. */
function attach(socket: WebSocket, options: ConnectOptions, ended: AbortSignal): void {
  const { source, where, onState, onGpu } = options;
  const send = (message: PageMessage): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  const sendBytes = (frame: Uint8Array<ArrayBuffer>): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(frame);
  };
  const shared = { send, sendBytes, signal: ended };
  const runtimes: Readonly<Record<EngineName, Runtime>> = {
    gpu: new Runtime({ ...shared, source: gpuEngines(source) }),
    wasm: new Runtime({ ...shared, source: wasmEngines() }),
  };
  socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data === "string") takeText(data, runtimes, send);
    else for (const runtime of Object.values(runtimes)) runtime.binary(data);
  });
  ended.addEventListener("abort", () => { onGpu(undefined); });
  socket.addEventListener("open", () => {
    onGpu(runtimes.gpu);
    void source.report().then((gpu) => {
      const user_agent = navigator.userAgent;
      const wasm = wasmReport();
      send({ kind: "hello", version: PROTOCOL_VERSION, where, user_agent, gpu, wasm });
      onState("connected");
    });
  });
}

/** Serves one socket until it closes; tells whether it ever opened. */
async function serve(address: string, options: ConnectOptions): Promise<boolean> {
  const { signal } = options;
  if (signal.aborted) return false;
  const ended = new AbortController();
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  attach(socket, options, ended.signal);
  const leave = (): void => {
    socket.close();
  };
  signal.addEventListener("abort", leave);
  let opened = false;
  await new Promise<void>((resolve) => {
    socket.addEventListener("open", () => {
      opened = true;
    });
    socket.addEventListener("close", () => {
      resolve();
    });
  });
  ended.abort();
  signal.removeEventListener("abort", leave);
  return opened;
}

/** Keeps a kernel process connected until `signal` aborts or nothing answers any more. */
export async function connect(options: ConnectOptions): Promise<void> {
  const { signal, onState, pauses = PAUSES } = options;
  let addresses = options.addresses;
  let round = 0;
  while (!signal.aborted && round <= pauses.length) {
    onState("connecting");
    for (const address of addresses) {
      if (!(await serve(address, options))) continue;
      addresses = [address, ...addresses.filter((other) => other !== address)];
      round = -1;
      break;
    }
    round += 1;
    await pause(pauses[Math.min(round, pauses.length - 1)] ?? 0, signal);
  }
  onState("stopped");
}
