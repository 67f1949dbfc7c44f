/** The page's GPU as an engine: the buffers and programs of one connection on one device. */
import {
  type Engine,
  type EngineSource,
  entriesOf,
  type Proceed,
  type Range,
  type StartedRead,
  type StartedRun,
  type TakePiece,
} from "../engine.ts";
import {
  DROPPED,
  type Failure,
  failureOf,
  GpuFailure,
  type Program,
  type Result,
  type RunRequest,
} from "../protocol.ts";
import { BufferTable, createStorage } from "./buffers.ts";
import { compileProgram, type ReadyProgram } from "./compile.ts";
import { KEPT_PROGRAMS, Recent } from "../recent.ts";
import type { DeviceSource } from "./device.ts";
import { startProgram } from "./run.ts";
import { Stagings } from "./staging.ts";

/** So many runs may be on the GPU's queue before the next has to wait. */
const MOST_RUNS = 16;

/** So many bytes of mapped buffers are kept for later reads. */
const STAGING_BYTES = 40 * 1024 * 1024;

/** Why the outputs of a run are worthless, if they are: its own failure, or that of an input. */
async function failureAfter(
  inputs: readonly Promise<Failure | undefined>[],
  sound: Promise<void>,
): Promise<Failure | undefined> {
  const own = sound.then(() => undefined, failureOf);
  const failures = await Promise.all([own, ...inputs]);
  return failures.find((failure) => failure !== undefined);
}

/** The result of a run whose outputs are sound. */
async function soundResult(
  finished: Promise<Result>,
  settled: Promise<Failure | undefined>,
): Promise<Result> {
  const [result, failure] = await Promise.all([finished, settled]);
  if (failure !== undefined) throw new GpuFailure(failure);
  return result;
}

/** Copies of buffers, and the device that they are on. */
export interface Lent {
  readonly device: GPUDevice;
  readonly inputs: ReadonlyMap<string, GPUBuffer>;
}

export class GpuEngine implements Engine {
  readonly lost: Promise<unknown>;
  readonly #device: GPUDevice;
  readonly #stagings: Stagings;
  readonly #buffers: BufferTable;
  /** What is dropped has no run that is not submitted: requests are taken one after the other. */
  readonly #programs = new Recent<ReadyProgram>(KEPT_PROGRAMS, ({ destroy }) => { destroy(); });
  /** The runs on the GPU's queue, oldest first. */
  readonly #running: Promise<unknown>[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#stagings = new Stagings(device, STAGING_BYTES);
    this.#buffers = new BufferTable(device, this.#stagings);
    this.lost = device.lost;
  }

  allocate(handle: number, bytes: number): Promise<void> {
    return this.#buffers.allocate(handle, bytes);
  }

  write(handle: number, offset: number, payload: Uint8Array<ArrayBuffer>): void {
    this.#buffers.write(handle, offset, payload);
  }

  read(range: Range, piece: TakePiece): Promise<StartedRead> {
    return Promise.resolve().then(() => this.#buffers.read(range, piece));
  }

  /**
   * Copies of buffers by name, for somebody who goes on with them past this connection; theirs to
   * destroy.
   */
  async lend(handles: Readonly<Record<string, number>>): Promise<Lent> {
    const inputs = new Map<string, GPUBuffer>();
    const encoder = this.#device.createCommandEncoder({ label: "lend" });
    for (const [name, handle] of Object.entries(handles)) {
      const { gpu, settled } = this.#buffers.entry(handle);
      const failure = await settled;
      if (failure !== undefined) throw new GpuFailure(failure);
      const copy = await createStorage(this.#device, gpu.size);
      encoder.copyBufferToBuffer(gpu, 0, copy, 0, gpu.size);
      inputs.set(name, copy);
    }
    this.#device.queue.submit([encoder.finish()]);
    return { device: this.#device, inputs };
  }

  spoil(handle: number, failure: Failure): void {
    this.#buffers.spoil(handle, failure);
  }

  free(handle: number): void {
    this.#buffers.free(handle);
  }

  async compile(key: string, program: Program): Promise<boolean> {
    if (this.#programs.get(key) !== undefined) return true;
    this.#programs.set(key, await compileProgram(this.#device, program));
    return false;
  }

  /** Puts a run on the queue; its outputs are spoken for at once, also where it fails. */
  async run(request: RunRequest, proceed: Proceed): Promise<StartedRun> {
    const ready = this.#programs.get(request.key);
    if (ready === undefined) throw new GpuFailure(DROPPED);
    if (this.#running.length >= MOST_RUNS) await this.#running.shift();
    const entries = entriesOf(
      request,
      ready.program,
      (handle) => this.#buffers.entry(handle),
      (handle, failure) => { this.spoil(handle, failure); },
    );
    const outputs = new Set(ready.program.outputs);
    const inputs = [...entries].flatMap(([name, { settled }]) =>
      outputs.has(name) ? [] : settled,
    );
    const buffers = new Map([...entries].map(([name, { gpu }]) => [name, gpu]));
    const context = { device: this.#device, stagings: this.#stagings, buffers, proceed };
    const started = startProgram(ready, request, context);
    const settled = failureAfter(
      inputs,
      started.then(({ sound }) => sound),
    );
    const result = soundResult(
      started.then(({ finished }) => finished),
      settled,
    );
    for (const name of outputs) {
      const output = entries.get(name);
      if (output !== undefined) output.settled = settled;
    }
    this.#running.push(result.catch(failureOf));
    await started.catch(failureOf);
    return { result };
  }

  release(): void {
    this.#buffers.destroy();
    this.#stagings.destroy();
    this.#programs.clear();
  }
}

/** An engine of its own for each connection, on the device that they share. */
export function gpuEngines(source: DeviceSource): EngineSource {
  return {
    open: async () => new GpuEngine((await source.open()).device),
    watch: (events, signal) => {
      source.watch(events, signal);
    },
  };
}
