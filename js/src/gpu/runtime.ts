/**
 * What the page does for one kernel process: takes its messages in order, and answers each.
 *
 * Pings and cancels overtake everything else. After a loss of the device every handle of this
 * connection is gone, and the next request starts on a new device.
 * It sees neither the socket nor the GPU's set-up: `send` and `source` are given.
 */
import {
  type Failure,
  failureOf,
  type Frame,
  GpuFailure,
  type OrderedRequest,
  packFrame,
  type PageMessage,
  parseRequest,
  type Result,
  type RunRequest,
  unpackFrame,
  type WriteRequest,
} from "../protocol.ts";
import { type BufferTable, bufferTable, type Entry } from "./buffers.ts";
import { compileProgram, type ReadyProgram } from "./compile.ts";
import type { DeviceSource } from "./device.ts";
import { type RunContext, startProgram, type StartedRun } from "./run.ts";

export interface Runtime {
  readonly text: (text: string) => void;
  readonly binary: (frame: ArrayBuffer) => void;
}

export interface RuntimeOptions {
  readonly source: DeviceSource;
  readonly send: (message: PageMessage) => void;
  readonly sendBytes: (frame: ArrayBuffer) => void;
  readonly signal: AbortSignal;
}

/** So many runs may be on the GPU's queue before the next has to wait. */
const MOST_RUNS = 16;

/** What became of a request: known now, or once the GPU is through. */
type Outcome = { readonly now: Result } | { readonly later: Promise<Result> };

const DONE: Outcome = { now: {} };

/** Everything that lives on one device and dies with it. */
interface Holdings {
  readonly device: GPUDevice;
  readonly buffers: BufferTable;
  readonly programs: Map<string, Promise<ReadyProgram>>;
  /** The runs on the GPU's queue, oldest first. */
  readonly running: Promise<unknown>[];
}

/** The frames of a write that have arrived and are not on the GPU yet. */
interface Arrival {
  readonly push: (frame: Frame) => void;
  /** The next frame; waits for it. Rejects when the connection ends. */
  readonly next: () => Promise<Frame>;
}

function arrival(signal: AbortSignal): Arrival {
  const frames: Frame[] = [];
  let wake: (() => void) | undefined;
  signal.addEventListener("abort", () => wake?.());
  return {
    push: (frame) => {
      frames.push(frame);
      wake?.();
    },
    next: async () => {
      for (;;) {
        const frame = frames.shift();
        if (frame !== undefined) return frame;
        if (signal.aborted) throw new GpuFailure({ kind: "lost", message: "disconnected" });
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** Requests one after the other: the tail of a chain of promises that never rejects. */
function orderedWork(): (work: () => Promise<void>) => void {
  let tail = Promise.resolve();
  return (work) => {
    tail = tail.then(work);
  };
}

function stopFailure(request: RunRequest, cancelled: boolean): Failure {
  if (cancelled) return { kind: "cancelled", message: "the run was stopped" };
  const seconds = request.deadline_ms / 1000;
  return { kind: "deadline", message: `the run did not end within its ${seconds} s` };
}

/** The result of a run, unless one of the buffers it reads was worthless itself. */
async function afterInputs(
  inputs: readonly Promise<Failure | undefined>[],
  finished: Promise<Result>,
): Promise<Result> {
  const [result, ...failures] = await Promise.all([finished, ...inputs]);
  const first = failures.find((failure) => failure !== undefined);
  if (first !== undefined) throw new GpuFailure(first);
  return result;
}

interface BoundRun extends Pick<RunContext, "device" | "proceed"> {
  readonly bound: ReadonlyMap<string, Entry>;
}

async function runEntries(
  ready: ReadyProgram,
  request: RunRequest,
  { device, bound, proceed }: BoundRun,
): Promise<StartedRun> {
  proceed();
  const buffers = new Map([...bound].map(([name, { gpu }]) => [name, gpu]));
  return startProgram(ready, request, { device, buffers, proceed });
}

export function createRuntime({ source, send, sendBytes, signal }: RuntimeOptions): Runtime {
  const enqueue = orderedWork();
  const arrivals = new Map<number, Arrival>();
  let holdings: Promise<Holdings> | undefined;
  let cancelledThrough = -1;
  /** Why the last device was lost, until the next one is open. */
  let lostMessage: string | undefined;

  source.watch(
    {
      lost: (message) => {
        holdings = undefined;
        lostMessage = message;
        send({ kind: "lost", message });
      },
      fault: (message) => {
        send({ kind: "fault", message });
      },
    },
    signal,
  );
  signal.addEventListener("abort", () => {
    void holdings?.then(({ buffers, programs }) => {
      buffers.destroy();
      for (const program of programs.values()) void program.then(({ destroy }) => {
        destroy();
      });
    });
  });

  async function hold(): Promise<Holdings> {
    const { device } = await source.open();
    lostMessage = undefined;
    return { device, buffers: bufferTable(device), programs: new Map(), running: [] };
  }

  function held(): Promise<Holdings> {
    holdings ??= hold().catch((cause: unknown) => {
      holdings = undefined;
      throw cause;
    });
    return holdings;
  }

  async function compile(key: string, program: ReadyProgram["program"]): Promise<Outcome> {
    const { device, programs } = await held();
    const started = performance.now();
    const cached = programs.get(key);
    const ready = cached ?? compileProgram(device, program);
    programs.set(key, ready);
    await ready;
    const milliseconds = performance.now() - started;
    return { now: { cached: cached !== undefined, milliseconds } };
  }

  async function write(request: WriteRequest, incoming: Arrival): Promise<Outcome> {
    const { buffers } = await held();
    for (let written = 0; written < request.bytes; ) {
      const { offset, payload } = await incoming.next();
      buffers.write(request.buffer, request.offset + offset, payload);
      written += payload.byteLength;
      send({ kind: "received", id: request.id, bytes: payload.byteLength });
    }
    return DONE;
  }

  /** Throws GpuFailure once the run is to end. */
  function stopper(request: RunRequest): () => void {
    const deadline = performance.now() + request.deadline_ms;
    return () => {
      const cancelled = request.id <= cancelledThrough || signal.aborted;
      if (!cancelled && performance.now() < deadline) return;
      throw new GpuFailure(stopFailure(request, cancelled));
    };
  }

  async function run(request: RunRequest): Promise<Outcome> {
    const { device, buffers, programs, running } = await held();
    const ready = await programs.get(request.key);
    if (ready === undefined) {
      throw new GpuFailure({ kind: "lost", message: "the page does not hold this program" });
    }
    if (running.length >= MOST_RUNS) await running.shift();
    const bound = new Map<string, Entry>();
    for (const [name, handle] of Object.entries(request.buffers)) {
      bound.set(name, buffers.entry(handle));
    }
    const written = new Set(ready.program.outputs);
    const inputs = [...bound].flatMap(([name, entry]) => (written.has(name) ? [] : entry.settled));
    const proceed = stopper(request);
    const later = runEntries(ready, request, { device, bound, proceed });
    // The outputs are spoken for from here on, also where the start itself fails.
    const whole = afterInputs(
      inputs,
      later.then(({ finished }) => finished),
    );
    const settled = whole.then(() => undefined, failureOf);
    for (const name of written) {
      const output = bound.get(name);
      if (output !== undefined) output.settled = settled;
    }
    running.push(settled);
    await later.catch(failureOf);
    return { later: whole };
  }

  async function perform(request: Exclude<OrderedRequest, WriteRequest>): Promise<Outcome> {
    switch (request.kind) {
      case "compile":
        return compile(request.key, request.program);
      case "alloc":
        await (await held()).buffers.allocate(request.buffer, request.bytes);
        return DONE;
      case "run":
        return run(request);
      case "read":
        await (await held()).buffers.read(
          { handle: request.buffer, offset: request.offset, bytes: request.bytes },
          (offset, payload) => {
            sendBytes(packFrame(request.id, offset, payload));
          },
        );
        return DONE;
      case "free": {
        const { buffers } = await held();
        for (const handle of request.buffers) buffers.free(handle);
        return DONE;
      }
      default:
        return request satisfies never;
    }
  }

  function answer(id: number, work: () => Promise<Outcome>): void {
    const refuse = (cause: unknown): void => {
      const failure = failureOf(cause);
      const lost = failure.kind === "internal" ? lostMessage : undefined;
      const error: Failure = lost === undefined ? failure : { kind: "lost", message: lost };
      send({ kind: "reply", id, error });
    };
    enqueue(async () => {
      if (signal.aborted) return;
      try {
        const outcome = await work();
        if ("now" in outcome) {
          send({ kind: "reply", id, ok: outcome.now });
          return;
        }
        void outcome.later.then((ok) => {
          send({ kind: "reply", id, ok });
        }, refuse);
      } catch (cause) {
        refuse(cause);
      }
    });
  }

  function expectBytes(request: WriteRequest): void {
    const incoming = arrival(signal);
    arrivals.set(request.id, incoming);
    answer(request.id, async () => {
      try {
        return await write(request, incoming);
      } finally {
        arrivals.delete(request.id);
      }
    });
  }

  function text(message: string): void {
    const request = parseRequest(message);
    switch (request.kind) {
      case "ping":
        send({ kind: "pong", id: request.id });
        break;
      case "cancel":
        cancelledThrough = Math.max(cancelledThrough, request.through);
        break;
      case "write":
        expectBytes(request);
        break;
      case "compile":
      case "alloc":
      case "run":
      case "read":
      case "free":
        answer(request.id, () => perform(request));
        break;
      default:
        request satisfies never;
    }
  }

  function binary(bytes: ArrayBuffer): void {
    const frame = unpackFrame(bytes);
    arrivals.get(frame.id)?.push(frame);
  }

  return { text, binary };
}
