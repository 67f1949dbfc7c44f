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
import { Recorder } from "./recorder.ts";
import { type RecordedRun, type RunContext, startProgram } from "./run.ts";
import { Stagings } from "./staging.ts";

/** So many batches may be on the GPU's queue before the next run has to wait. */
const MOST_BATCHES = 4;

/** So many bytes of mapped buffers are kept for later reads. */
const STAGING_BYTES = 40 * 1024 * 1024;

/** What is known of a program's runs with buffers of these sizes, if they are all different. */
function sizesOf(buffers: readonly GPUBuffer[]): string {
  const distinct = new Set(buffers).size === buffers.length;
  return distinct ? buffers.map(({ size }) => size).join() : "";
}

/** Why the outputs of a run are worthless, if they are: what it was given, or its own failure. */
async function failureAfter(
  given: readonly Promise<Failure | undefined>[],
  finished: Promise<Result>,
): Promise<Failure | undefined> {
  const own = finished.then(() => undefined, failureOf);
  const failures = await Promise.all([...given, own]);
  return failures.find((failure) => failure !== undefined);
}

/** The result of a run whose outputs are sound. */
async function soundResult(
  finished: Promise<Result>,
  settled: Promise<Failure | undefined>,
): Promise<Result> {
  const failure = await settled;
  if (failure !== undefined) throw new GpuFailure(failure);
  return finished;
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
  readonly #recorder: Recorder;
  readonly #buffers: BufferTable;
  readonly #programs = new Recent<ReadyProgram>(KEPT_PROGRAMS, ({ destroy }) => {
    this.flush(); // it may have runs that are not submitted
    destroy();
  });
  /** Whether a long run is at work, whose batch goes on. */
  #playing = false;
  /** The batches on the GPU's queue, oldest first. */
  readonly #running = new Set<Promise<unknown>>();

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#stagings = new Stagings(device, STAGING_BYTES);
    this.#recorder = new Recorder(device, this.#stagings);
    this.#buffers = new BufferTable(this.#recorder);
    this.lost = device.lost;
  }

  allocate(handle: number, bytes: number): Promise<void> | undefined {
    return this.#buffers.allocate(handle, bytes);
  }

  write(handle: number, offset: number, payload: Uint8Array<ArrayBuffer>): void {
    this.#buffers.write(handle, offset, payload);
  }

  read(range: Range, piece: TakePiece): StartedRead {
    return this.#buffers.read(range, piece);
  }

  /** Submits what is recorded; a long run does so itself. */
  flush(): void {
    if (!this.#playing) this.#recorder.flush();
  }

  /**
   * Copies of buffers by name, for somebody who goes on with them past this connection; theirs to
   * destroy.
   */
  async lend(handles: Readonly<Record<string, number>>): Promise<Lent> {
    this.flush();
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

  compile(key: string, program: Program): Promise<boolean> | boolean {
    if (this.#programs.get(key) !== undefined) return true;
    return compileProgram(this.#device, program).then((ready) => {
      this.#programs.set(key, ready);
      return false;
    });
  }

  /** Records a run; its outputs are spoken for at once, also where it fails. */
  run(request: RunRequest, proceed: Proceed): StartedRun | Promise<StartedRun> {
    const [oldest] = this.#running;
    const begin = (): StartedRun | Promise<StartedRun> => this.#run(request, proceed);
    const many = this.#running.size >= MOST_BATCHES;
    return many && oldest !== undefined ? oldest.then(begin) : begin();
  }

  #run(request: RunRequest, proceed: Proceed): StartedRun | Promise<StartedRun> {
    const ready = this.#programs.get(request.key);
    if (ready === undefined) throw new GpuFailure(DROPPED);
    const entries = entriesOf(
      request,
      ready.program,
      (handle) => this.#buffers.entry(handle),
      (handle, failure) => { this.spoil(handle, failure); },
    );
    const { outputs } = ready;
    const given = [...entries].map(([name, { made, settled }]) =>
      outputs.has(name) ? made : settled,
    );
    const buffers = new Map([...entries].map(([name, { gpu }]) => [name, gpu]));
    const { finished, played } = this.#start(ready, request, { buffers, proceed });
    const settled = failureAfter(given, finished);
    for (const name of outputs) {
      const output = entries.get(name);
      if (output !== undefined) output.settled = settled;
    }
    const result = soundResult(finished, settled);
    if (played === undefined) return { result };
    this.#playing = true;
    const through = (): StartedRun => {
      this.#playing = false;
      this.flush();
      return { result };
    };
    return played.then(through, through);
  }

  /**
   * Starts a run; with others only where the browser has found nothing wrong with such a one, as
   * it refuses what is submitted together as a whole.
   */
  #start(
    ready: ReadyProgram,
    request: RunRequest,
    given: Pick<RunContext, "buffers" | "proceed">,
  ): Pick<RecordedRun, "finished" | "played"> {
    const sizes = sizesOf([...given.buffers.values()]);
    const known = ready.sound.has(sizes);
    if (!known) this.flush();
    try {
      const started = startProgram(ready, request, { recorder: this.#recorder, ...given });
      const { ended } = started.batch;
      this.#running.add(ended);
      void ended.then(({ failure }) => {
        this.#running.delete(ended);
        if (failure === undefined && sizes !== "") ready.sound.add(sizes);
      });
      if (!known && started.played === undefined) this.flush();
      return started;
    } catch (cause) {
      return { finished: Promise.reject(new GpuFailure(failureOf(cause))), played: undefined };
    }
  }

  release(): void {
    this.#recorder.destroy();
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
