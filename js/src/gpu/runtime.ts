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
import { type BufferTable, bufferTable } from "./buffers.ts";
import { compileProgram, type ReadyProgram } from "./compile.ts";
import type { DeviceSource } from "./device.ts";
import { runProgram } from "./run.ts";

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

/** Everything that lives on one device and dies with it. */
interface Holdings {
  readonly device: GPUDevice;
  readonly buffers: BufferTable;
  readonly programs: Map<string, Promise<ReadyProgram>>;
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

/** The handles that a run fills: outputs by name. */
function outputHandles(request: RunRequest, program: ReadyProgram["program"]): number[] {
  return program.outputs.flatMap((name) => request.buffers[name] ?? []);
}

export function createRuntime({ source, send, sendBytes, signal }: RuntimeOptions): Runtime {
  const enqueue = orderedWork();
  const arrivals = new Map<number, Arrival>();
  let holdings: Promise<Holdings> | undefined;
  let cancelledThrough = -1;

  source.watch(
    {
      lost: (message) => {
        holdings = undefined;
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
    return { device, buffers: bufferTable(device), programs: new Map() };
  }

  function held(): Promise<Holdings> {
    holdings ??= hold().catch((cause: unknown) => {
      holdings = undefined;
      throw cause;
    });
    return holdings;
  }

  async function compile(key: string, program: ReadyProgram["program"]): Promise<Result> {
    const { device, programs } = await held();
    const started = performance.now();
    const cached = programs.get(key);
    const ready = cached ?? compileProgram(device, program);
    programs.set(key, ready);
    await ready;
    return { cached: cached !== undefined, milliseconds: performance.now() - started };
  }

  async function write(request: WriteRequest, incoming: Arrival): Promise<Result> {
    const { buffers } = await held();
    for (let written = 0; written < request.bytes; ) {
      const { offset, payload } = await incoming.next();
      buffers.write(request.buffer, request.offset + offset, payload);
      written += payload.byteLength;
      send({ kind: "received", id: request.id, bytes: payload.byteLength });
    }
    return {};
  }

  async function run(request: RunRequest): Promise<Result> {
    const { device, buffers, programs } = await held();
    const ready = await programs.get(request.key);
    if (ready === undefined) {
      throw new GpuFailure({ kind: "lost", message: "the page does not hold this program" });
    }
    const outputs = outputHandles(request, ready.program).map(buffers.entry);
    try {
      const bound = new Map<string, GPUBuffer>();
      for (const [name, handle] of Object.entries(request.buffers)) {
        const { gpu, failure } = buffers.entry(handle);
        if (failure !== undefined && !ready.program.outputs.includes(name)) {
          throw new GpuFailure(failure);
        }
        bound.set(name, gpu);
      }
      const deadline = performance.now() + request.deadline_ms;
      const proceed = (): void => {
        const cancelled = request.id <= cancelledThrough || signal.aborted;
        if (!cancelled && performance.now() < deadline) return;
        throw new GpuFailure(stopFailure(request, cancelled));
      };
      proceed();
      const result = await runProgram(ready, request, { device, buffers: bound, proceed });
      for (const output of outputs) output.failure = undefined;
      return result;
    } catch (cause) {
      for (const output of outputs) output.failure = failureOf(cause);
      throw cause;
    }
  }

  async function perform(request: Exclude<OrderedRequest, WriteRequest>): Promise<Result> {
    switch (request.kind) {
      case "compile":
        return compile(request.key, request.program);
      case "alloc":
        await (await held()).buffers.allocate(request.buffer, request.bytes);
        return {};
      case "run":
        return run(request);
      case "read":
        await (await held()).buffers.read(
          { handle: request.buffer, offset: request.offset, bytes: request.bytes },
          (offset, payload) => {
            sendBytes(packFrame(request.id, offset, payload));
          },
        );
        return {};
      case "free": {
        const { buffers } = await held();
        for (const handle of request.buffers) buffers.free(handle);
        return {};
      }
      default:
        return request satisfies never;
    }
  }

  function answer(id: number, work: () => Promise<Result>): void {
    enqueue(async () => {
      try {
        if (!signal.aborted) send({ kind: "reply", id, ok: await work() });
      } catch (cause) {
        send({ kind: "reply", id, error: failureOf(cause) });
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
