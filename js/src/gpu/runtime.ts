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
  GpuFailure,
  type OrderedRequest,
  packFrame,
  type PageMessage,
  parseRequest,
  type Program,
  type Result,
  type RunRequest,
  unpackFrame,
  type WriteRequest,
} from "../protocol.ts";
import { type Arrival, arrival } from "./arrival.ts";
import { BufferTable, type Entry } from "./buffers.ts";
import { compileProgram, type ReadyProgram } from "./compile.ts";
import type { DeviceSource } from "./device.ts";
import { startProgram } from "./run.ts";

export interface RuntimeOptions {
  readonly source: DeviceSource;
  readonly send: (message: PageMessage) => void;
  readonly sendBytes: (frame: ArrayBuffer) => void;
  /** Ends the runtime and gives back everything it holds. */
  readonly signal: AbortSignal;
}

/** So many runs may be on the GPU's queue before the next has to wait. */
const MOST_RUNS = 16;

/** So long after an error the device may still turn out to be lost. */
const LOSS_GRACE_MS = 100;

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

function release({ buffers, programs }: Holdings): void {
  buffers.destroy();
  for (const program of programs.values()) {
    void program.then(
      ({ destroy }) => {
        destroy();
      },
      () => undefined, // it never came to be
    );
  }
}

function stopFailure(request: RunRequest, cancelled: boolean): GpuFailure {
  if (cancelled) return new GpuFailure({ kind: "cancelled", message: "the run was stopped" });
  const message = `the run did not end within its ${request.deadline_ms / 1000} s`;
  return new GpuFailure({ kind: "deadline", message });
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

export class Runtime {
  readonly #options: RuntimeOptions;
  readonly #arrivals = new Map<number, Arrival>();
  /** The tail of the chain of requests; it never rejects. */
  #tail = Promise.resolve();
  #holdings: Promise<Holdings> | undefined;
  #cancelledThrough = -1;
  /** Why the last device was lost, until the next one is open. */
  #lostMessage: string | undefined;

  constructor(options: RuntimeOptions) {
    const { source, send, signal } = options;
    this.#options = options;
    const lost = (message: string): void => {
      this.#holdings = undefined;
      this.#lostMessage = message;
      send({ kind: "lost", message });
    };
    const fault = (message: string): void => {
      send({ kind: "fault", message });
    };
    source.watch({ lost, fault }, signal);
    signal.addEventListener("abort", () => {
      void this.#holdings?.then(release, () => undefined);
    });
  }

  /** Takes a text frame. Throws GpuFailure for what is no request. */
  text(message: string): void {
    const request = parseRequest(message);
    switch (request.kind) {
      case "ping":
        this.#options.send({ kind: "pong", id: request.id });
        break;
      case "cancel":
        this.#cancelledThrough = Math.max(this.#cancelledThrough, request.through);
        break;
      case "write":
        this.#expectBytes(request);
        break;
      case "compile":
      case "alloc":
      case "run":
      case "read":
      case "free":
        this.#answer(request.id, () => this.#perform(request));
        break;
      default:
        request satisfies never;
    }
  }

  /** Takes a binary frame of a write that was announced. */
  binary(bytes: ArrayBuffer): void {
    const frame = unpackFrame(bytes);
    this.#arrivals.get(frame.id)?.push(frame);
  }

  /** Does `work` after everything before it, and sends what became of it. */
  #answer(id: number, work: () => Promise<Outcome>): void {
    const { send, signal } = this.#options;
    const accept = (ok: Result): void => {
      send({ kind: "reply", id, ok });
    };
    const refuse = async (cause: unknown): Promise<void> => {
      send({ kind: "reply", id, error: await this.#failure(cause) });
    };
    this.#tail = this.#tail.then(async () => {
      if (signal.aborted) return;
      try {
        const outcome = await work();
        if ("now" in outcome) accept(outcome.now);
        else void outcome.later.then(accept, refuse);
      } catch (cause) {
        await refuse(cause);
      }
    });
  }

  /** A failure as it is told; what breaks because the device is gone is called lost. */
  async #failure(cause: unknown): Promise<Failure> {
    const failure = failureOf(cause);
    if (failure.kind !== "internal") return failure;
    // Consequences of a loss may be known before the loss itself is.
    const held = await this.#holdings?.catch(() => undefined);
    const grace = new Promise((resolve) => setTimeout(resolve, LOSS_GRACE_MS));
    if (held !== undefined) await Promise.race([held.device.lost, grace]);
    const message = this.#lostMessage;
    return message === undefined ? failure : { kind: "lost", message };
  }

  #held(): Promise<Holdings> {
    this.#holdings ??= this.#hold().catch((cause: unknown) => {
      this.#holdings = undefined;
      throw cause;
    });
    return this.#holdings;
  }

  async #hold(): Promise<Holdings> {
    const { device } = await this.#options.source.open();
    this.#lostMessage = undefined;
    return { device, buffers: new BufferTable(device), programs: new Map(), running: [] };
  }

  #expectBytes(request: WriteRequest): void {
    const incoming = arrival(this.#options.signal);
    this.#arrivals.set(request.id, incoming);
    this.#answer(request.id, async () => {
      try {
        return await this.#write(request, incoming);
      } finally {
        this.#arrivals.delete(request.id);
      }
    });
  }

  async #write(request: WriteRequest, incoming: Arrival): Promise<Outcome> {
    const { buffers } = await this.#held();
    for (let written = 0; written < request.bytes; ) {
      const { offset, payload } = await incoming.next();
      buffers.write(request.buffer, request.offset + offset, payload);
      written += payload.byteLength;
      const { id } = request;
      this.#options.send({ kind: "received", id, bytes: payload.byteLength });
    }
    return DONE;
  }

  async #perform(request: Exclude<OrderedRequest, WriteRequest>): Promise<Outcome> {
    const held = await this.#held();
    switch (request.kind) {
      case "compile":
        return this.#compile(held, request.key, request.program);
      case "alloc":
        await held.buffers.allocate(request.buffer, request.bytes);
        return DONE;
      case "run":
        return this.#run(held, request);
      case "read":
        await held.buffers.read(
          { handle: request.buffer, offset: request.offset, bytes: request.bytes },
          (offset, payload) => {
            this.#options.sendBytes(packFrame(request.id, offset, payload));
          },
        );
        return DONE;
      case "free":
        for (const handle of request.buffers) held.buffers.free(handle);
        return DONE;
      default:
        return request satisfies never;
    }
  }

  async #compile(held: Holdings, key: string, program: Program): Promise<Outcome> {
    const { device, programs } = held;
    const started = performance.now();
    const cached = programs.get(key);
    const ready = cached ?? compileProgram(device, program);
    programs.set(key, ready);
    await ready;
    const milliseconds = performance.now() - started;
    return { now: { cached: cached !== undefined, milliseconds } };
  }

  /** Puts a run on the queue; its outputs are spoken for at once, also where it fails. */
  async #run(held: Holdings, request: RunRequest): Promise<Outcome> {
    const ready = await held.programs.get(request.key);
    if (ready === undefined) {
      throw new GpuFailure({ kind: "lost", message: "the page does not hold this program" });
    }
    if (held.running.length >= MOST_RUNS) await held.running.shift();
    const entries = new Map<string, Entry>();
    for (const [name, handle] of Object.entries(request.buffers)) {
      entries.set(name, held.buffers.entry(handle));
    }
    const outputs = new Set(ready.program.outputs);
    const inputs = [...entries].flatMap(([name, { settled }]) =>
      outputs.has(name) ? [] : settled,
    );
    const buffers = new Map([...entries].map(([name, { gpu }]) => [name, gpu]));
    const proceed = this.#stopper(request);
    const started = startProgram(ready, request, { device: held.device, buffers, proceed });
    const later = afterInputs(
      inputs,
      started.then(({ finished }) => finished),
    );
    const settled = later.then(() => undefined, failureOf);
    for (const name of outputs) {
      const output = entries.get(name);
      if (output !== undefined) output.settled = settled;
    }
    held.running.push(settled);
    await started.catch(failureOf);
    return { later };
  }

  /** What throws GpuFailure once a run is to end. */
  #stopper(request: RunRequest): () => void {
    const deadline = performance.now() + request.deadline_ms;
    return () => {
      const cancelled = request.id <= this.#cancelledThrough || this.#options.signal.aborted;
      if (cancelled || performance.now() >= deadline) throw stopFailure(request, cancelled);
    };
  }
}
