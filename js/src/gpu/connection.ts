/**
 * The line from the page to one kernel process: finds an address that works, and rejoins.
 *
 * The addresses are tried in order; the one that worked is tried first from then on. Where none
 * ever worked, the notebook's comm is the line, for as long as it is. After the last failed round
 * it stops for good: a restarted kernel has another address and another token.
 */
import {
  type EngineName,
  failureOf,
  GpuFailure,
  type OrderedRequest,
  PROTOCOL_VERSION,
  type PageMessage,
  type Request,
  unpackFrame,
} from "../protocol.ts";
import { parseRequests } from "../requests.ts";
import { wasmEngines, wasmReport } from "../wasm/engine.ts";
import type { DeviceSource } from "./device.ts";
import { gpuEngines } from "./engine.ts";
import { type Line, portLine, type Received, socketLine } from "./line.ts";
import { type Leaving, Outbox } from "./outbox.ts";
import { Runtime } from "./runtime.ts";

export type ConnectionState = "connecting" | "connected" | "stopped" | "outdated";

/**
 * Codes of a line's end: what came is no message; the process speaks another protocol; another
 * page has taken the place of this one.
 */
const MALFORMED = 4002;
const OUTDATED = 4001;
const REPLACED = 4003;
/** Characters of the reason, which is 123 bytes at most, up to three a character. */
const LONGEST_REASON = 40;

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

type Runtimes = Readonly<Record<EngineName, Runtime>>;

/** What takes the frames of one connection. Both throw GpuFailure, and then it is to end. */
export interface Taking {
  /** Takes a text frame: pings and cancels at once, the others in their turn. */
  readonly text: (text: string) => void;
  readonly bytes: (bytes: ArrayBuffer) => void;
}

export function taking(runtimes: Runtimes, send: (message: PageMessage) => void): Taking {
  let last = 0;

  function ordered(request: OrderedRequest): void {
    if (request.id <= last) throw stray(`request ${request.id} after ${last}`);
    last = request.id;
    runtimes[request.engine].take(request);
  }

  function text(content: string): void {
    for (const request of parseRequests(content)) take(request);
  }

  function take(request: Request): void {
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
        ordered(request);
        break;
      default:
        request satisfies never;
    }
  }

  function bytes(content: ArrayBuffer): void {
    const frame = unpackFrame(content);
    const taken = Object.values(runtimes).some((runtime) => runtime.binary(frame));
    if (!taken) throw stray(`bytes for request ${frame.id}, which awaits none`);
  }

  return { text, bytes };
}

function stray(message: string): GpuFailure {
  return new GpuFailure({ kind: "internal", message });
}

/** What became of a line: whether a kernel process spoke, and whether it wants this page again. */
type Served = "reached" | "failed" | "outdated" | "replaced";

/**
 * Serves a line until it closes; tells whether a kernel process ever spoke, as it does at once.
 * That a line opened says nothing: a proxy opens first, and closes where nobody listens.
 */
async function serve(
  open: (heard: (frame: Received) => void) => Line,
  options: ConnectOptions,
): Promise<Served> {
  const { source, where, signal, onState, onGpu } = options;
  if (signal.aborted) return "failed";
  const ended = new AbortController();
  let speak = (): void => undefined;
  const spoke = new Promise<true>((resolve) => { speak = () => { resolve(true); }; });
  const line = open((frame) => {
    speak();
    try {
      if (ended.signal.aborted) return;
      if (typeof frame === "string") take.text(frame);
      else take.bytes(frame);
    } catch (cause) {
      ended.abort();
      line.close(MALFORMED, failureOf(cause).message.slice(0, LONGEST_REASON));
    }
  });
  const outbox = new Outbox(line.send);
  const send = (message: PageMessage, leaving: Leaving = "now"): void => {
    outbox.take(message, leaving);
  };
  const shared = { send, sendBytes: line.send, signal: ended.signal };
  const runtimes: Runtimes = {
    gpu: new Runtime({ ...shared, name: "gpu", source: gpuEngines(source) }),
    wasm: new Runtime({ ...shared, name: "wasm", source: wasmEngines() }),
  };
  const take = taking(runtimes, send);
  const leave = (): void => { line.close(); };
  signal.addEventListener("abort", leave);
  const reached = await Promise.race([spoke, line.closed.then(() => false)]);
  if (reached) {
    onGpu(runtimes.gpu);
    const gpu = await source.report();
    const user_agent = navigator.userAgent;
    send({ kind: "hello", version: PROTOCOL_VERSION, where, user_agent, gpu, wasm: wasmReport() });
    onState("connected");
    await line.closed;
    onGpu(undefined);
  }
  ended.abort();
  outbox.close();
  signal.removeEventListener("abort", leave);
  const code = await line.closed;
  if (code === OUTDATED) return "outdated";
  if (code === REPLACED) return "replaced";
  return reached ? "reached" : "failed";
}

/** As `serve`, for an address; "failed" where the browser refuses that outright. */
async function serveAddress(address: string, options: ConnectOptions): Promise<Served> {
  try {
    return await serve((heard) => socketLine(address, heard), options);
  } catch (cause) {
    if (cause instanceof DOMException) return "failed";
    throw cause;
  }
}

/**
 * Serves through the notebook until `signal` aborts, or until this page is not wanted any more.
 * A process that has not heard of the page for too long has parted from it: the page opens again.
 */
async function serveComm(comm: MessagePort, options: ConnectOptions): Promise<ConnectionState> {
  const { signal, pauses = PAUSES } = options;
  while (!signal.aborted) {
    const served = await serve((heard) => portLine(comm, heard), options);
    if (served === "outdated") return "outdated";
    if (served === "replaced") break;
    await pause(pauses[0] ?? 0, signal);
  }
  return "stopped";
}

/** What became of the first address that led anywhere, and which that was. */
async function firstServed(
  addresses: readonly string[],
  options: ConnectOptions,
): Promise<[Served, string]> {
  for (const address of addresses) {
    const served = await serveAddress(address, options);
    if (served !== "failed") return [served, address];
  }
  return ["failed", ""];
}

/** Keeps a kernel process connected until `signal` aborts or nothing answers any more. */
export async function connect(options: ConnectOptions): Promise<void> {
  const { signal, onState, comm, pauses = PAUSES } = options;
  let addresses = options.addresses;
  let round = 0;
  let reached = false;
  while (!signal.aborted && round <= pauses.length) {
    onState("connecting");
    const [served, address] = await firstServed(addresses, options);
    if (served === "outdated") {
      onState("outdated");
      return;
    }
    if (served === "reached") {
      addresses = [address, ...addresses.filter((other) => other !== address)];
      [round, reached] = [-1, true];
    }
    // A process that two rounds have not reached is one that no socket will reach.
    if (comm !== undefined && !reached && round > 0) {
      onState(await serveComm(comm, options));
      return;
    }
    round += 1;
    await pause(pauses[Math.min(round, pauses.length - 1)] ?? 0, signal);
  }
  onState("stopped");
}
