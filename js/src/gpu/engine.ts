/** The page's GPU as an engine: the buffers and programs of one connection on one device. */
import type { Engine, EngineSource, Range, StartedRun } from "../engine.ts";
import {
  type Failure,
  failureOf,
  GpuFailure,
  type Program,
  type Result,
  type RunRequest,
} from "../protocol.ts";
import { BufferTable, createStorage, type Entry } from "./buffers.ts";
import { compileProgram, type ReadyProgram } from "./compile.ts";
import type { DeviceSource } from "./device.ts";
import { startProgram } from "./run.ts";

/** So many runs may be on the GPU's queue before the next has to wait. */
const MOST_RUNS = 16;

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

/** Copies of buffers, and the device that they are on. */
export interface Lent {
  readonly device: GPUDevice;
  readonly inputs: ReadonlyMap<string, GPUBuffer>;
}

export class GpuEngine implements Engine {
  readonly lost: Promise<unknown>;
  readonly #device: GPUDevice;
  readonly #buffers: BufferTable;
  readonly #programs = new Map<string, Promise<ReadyProgram>>();
  /** The runs on the GPU's queue, oldest first. */
  readonly #running: Promise<unknown>[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#buffers = new BufferTable(device);
    this.lost = device.lost;
  }

  allocate(handle: number, bytes: number): Promise<void> {
    return this.#buffers.allocate(handle, bytes);
  }

  write(handle: number, offset: number, payload: Uint8Array<ArrayBuffer>): void {
    this.#buffers.write(handle, offset, payload);
  }

  read(range: Range, piece: (offset: number, payload: Uint8Array) => void): Promise<void> {
    return this.#buffers.read(range, piece);
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

  free(handle: number): void {
    this.#buffers.free(handle);
  }

  async compile(key: string, program: Program): Promise<boolean> {
    const cached = this.#programs.get(key);
    const ready = cached ?? compileProgram(this.#device, program);
    this.#programs.set(key, ready);
    await ready;
    return cached !== undefined;
  }

  /** Puts a run on the queue; its outputs are spoken for at once, also where it fails. */
  async run(request: RunRequest, proceed: () => void): Promise<StartedRun> {
    const ready = await this.#programs.get(request.key);
    if (ready === undefined) {
      throw new GpuFailure({ kind: "lost", message: "the page does not hold this program" });
    }
    if (this.#running.length >= MOST_RUNS) await this.#running.shift();
    const entries = new Map<string, Entry>();
    for (const [name, handle] of Object.entries(request.buffers)) {
      entries.set(name, this.#buffers.entry(handle));
    }
    const outputs = new Set(ready.program.outputs);
    const inputs = [...entries].flatMap(([name, { settled }]) =>
      outputs.has(name) ? [] : settled,
    );
    const buffers = new Map([...entries].map(([name, { gpu }]) => [name, gpu]));
    const started = startProgram(ready, request, { device: this.#device, buffers, proceed });
    const result = afterInputs(
      inputs,
      started.then(({ finished }) => finished),
    );
    const settled = result.then(() => undefined, failureOf);
    for (const name of outputs) {
      const output = entries.get(name);
      if (output !== undefined) output.settled = settled;
    }
    this.#running.push(settled);
    await started.catch(failureOf);
    return { result };
  }

  release(): void {
    this.#buffers.destroy();
    for (const program of this.#programs.values()) {
      void program.then(
        ({ destroy }) => {
          destroy();
        },
        () => undefined, // it never came to be
      );
    }
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
