/**
 * What is recorded and not submitted yet: runs and reads that come together are one submit.
 *
 * A batch ends with what is read back of it, through one mapped buffer: the status words of its
 * runs, the times of their dispatches, and the bytes of short reads. A long run may submit parts
 * of its batch before. No scheduling here: the caller says when to submit.
 */
import { type Failure, failureOf, GpuFailure } from "../protocol.ts";
import type { Range } from "../engine.ts";
import { Slots } from "./slots.ts";
import type { Copied, Stagings } from "./staging.ts";
import { Clock } from "./timer.ts";

const STAGING_BYTES = 64 * 1024;
/** Of them for reads; the rest holds every status and time that a batch may have. */
const READ_BYTES = 32 * 1024;

/** What became of a batch: `bytes` were read back, until `at`, in milliseconds. */
export interface Ending {
  readonly failure: Failure | undefined;
  readonly bytes: ArrayBuffer;
  /** Where in `bytes` the status words begin, and where the times. */
  readonly status: number;
  readonly times: number;
  readonly at: number;
  /** How much of a slice all of it was thought to be. */
  readonly load: number;
}

/** A batch on the GPU's queue; `verdict` says what the browser found wrong with it. */
export interface Submitted {
  readonly verdict: Promise<Failure | undefined>;
}

export interface Batch {
  /** Never rejects. */
  readonly ended: Promise<Ending>;
  /** Resolves once all of it is on the GPU's queue. */
  readonly submitted: Promise<Submitted>;
}

/** What a run takes of a batch: part of a slice, bytes of words, and dispatches that are timed. */
export interface Share {
  readonly load: number;
  readonly status: number;
  readonly scalars: number;
  readonly timed: number;
}

interface OpenBatch extends Batch {
  readonly end: (ending: Ending) => void;
  readonly submit: (submitted: Submitted) => void;
  readonly touched: Set<GPUBuffer>;
  /** What the browser found wrong, of each part that it was asked about. */
  readonly scopes: Promise<GPUError | null>[];
  staging: GPUBuffer | undefined;
  /** Bytes of `staging` that are taken. */
  used: number;
  load: number;
}

function openBatch(): OpenBatch {
  let end: OpenBatch["end"] = () => undefined;
  let submit: OpenBatch["submit"] = () => undefined;
  const ended = new Promise<Ending>((resolve) => { end = resolve; });
  const submitted = new Promise<Submitted>((resolve) => { submit = resolve; });
  const empty = { touched: new Set<GPUBuffer>(), scopes: [], staging: undefined, used: 0, load: 0 };
  return { ended, submitted, end, submit, ...empty };
}

function failed(failure: Failure): Ending {
  const at = performance.now();
  return { failure, bytes: new ArrayBuffer(0), status: 0, times: 0, at, load: 0 };
}

/** The first thing that the browser found wrong. */
async function found(scopes: readonly Promise<GPUError | null>[]): Promise<Failure | undefined> {
  const error = (await Promise.all(scopes)).find((each) => each !== null);
  return error ? { kind: "internal", message: error.message } : undefined;
}

export class Recorder {
  readonly device: GPUDevice;
  readonly status: Slots;
  readonly scalars: Slots;
  /** Absent where the device has no timestamps. */
  readonly clock: Clock | undefined;
  readonly #stagings: Stagings;
  #open: OpenBatch | undefined;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #load = 0;

  constructor(device: GPUDevice, stagings: Stagings) {
    this.device = device;
    this.#stagings = stagings;
    const { minStorageBufferOffsetAlignment, minUniformBufferOffsetAlignment } = device.limits;
    const { STORAGE, UNIFORM } = GPUBufferUsage;
    this.status = new Slots(device, "status", STORAGE, minStorageBufferOffsetAlignment);
    this.scalars = new Slots(device, "scalars", UNIFORM, minUniformBufferOffsetAlignment);
    this.clock = device.features.has("timestamp-query") ? new Clock(device) : undefined;
  }

  /** The batch that what is recorded next belongs to. */
  get batch(): Batch {
    return (this.#open ??= openBatch());
  }

  /** Whether what is recorded takes as long as a submit may. */
  get full(): boolean {
    return this.#load >= 1;
  }

  /** Whether the batch has room for a run; an empty one has for every run. */
  fits({ load, status, scalars, timed }: Share): boolean {
    const empty = this.#load === 0;
    const words = this.status.has(status) && this.scalars.has(scalars);
    return (empty || this.#load + load <= 1) && words && (this.clock?.has(timed) ?? true);
  }

  /** Whether what is not submitted yet reads or writes a buffer. */
  touches(buffer: GPUBuffer): boolean {
    return this.#open?.touched.has(buffer) ?? false;
  }

  touch(buffers: Iterable<GPUBuffer>): void {
    const { touched } = this.#opened();
    for (const buffer of buffers) touched.add(buffer);
  }

  /** The compute pass of the next dispatch, which is `load` of a slice; of its own if timed. */
  pass(label: string, load: number, timed: boolean): GPUComputePassEncoder {
    this.#add(load);
    const clock = timed ? this.clock : undefined;
    if (clock === undefined) {
      return (this.#pass ??= this.#encode().beginComputePass({ label }));
    }
    this.endPass();
    return (this.#pass = this.#encode().beginComputePass({ label, timestampWrites: clock.next() }));
  }

  /** Ends the pass, so that its time ends with what it has. */
  endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  copy(from: GPUBuffer, to: GPUBuffer, load: number): void {
    this.endPass();
    this.#add(load);
    this.#encode().copyBufferToBuffer(from, 0, to, 0, Math.min(from.size, to.size));
  }

  /** A copy of a range (whole words) as it is after what is recorded. */
  copied(source: GPUBuffer, range: Omit<Range, "handle"> & { readonly room?: number }): Copied {
    this.endPass();
    this.#opened().touched.add(source);
    return this.#stagings.copy(this.#encode(), source, range);
  }

  /** The bytes of a short range, once the batch has ended; rejects with its failure. */
  short(source: GPUBuffer, offset: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    if ((this.#open?.used ?? 0) + bytes > READ_BYTES) this.flush();
    const open = this.#opened();
    open.touched.add(source);
    const at = this.#bring(open, source, offset, bytes);
    return open.ended.then(({ failure, bytes: all }) => {
      if (failure !== undefined) throw new GpuFailure(failure);
      return new Uint8Array(all, at, bytes);
    });
  }

  /** Does what the browser may find wrong with what is recorded. */
  scoped<T>(action: () => T): T {
    // Scopes are a stack of the device, which connections share: no waiting inside one.
    this.device.pushErrorScope("validation");
    try {
      return action();
    } finally {
      this.#opened().scopes.push(this.device.popErrorScope());
    }
  }

  /** Submits what is recorded, and lets the batch go on. */
  submit(): void {
    this.endPass();
    const encoder = this.#encoder;
    this.#encoder = undefined;
    this.#load = 0;
    if (encoder === undefined) return;
    this.status.write();
    this.scalars.write();
    this.scoped(() => { this.device.queue.submit([encoder.finish()]); });
  }

  /** What the browser found wrong with what is submitted of the batch. */
  verdict(): Promise<Failure | undefined> {
    return found(this.#open?.scopes ?? []);
  }

  /** Submits all that is recorded, and ends the batch. */
  flush(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.endPass();
    const status = open.used;
    if (this.status.taken > 0) this.#bring(open, this.status.buffer, 0, this.status.taken);
    const times = open.used;
    const stamped = 16 * (this.clock?.taken ?? 0);
    const resolved = stamped > 0 ? this.clock?.resolve(this.#encode()) : undefined;
    if (resolved !== undefined) this.#bring(open, resolved, 0, stamped);
    this.submit();
    this.#open = undefined;
    this.status.reset();
    this.scalars.reset();
    open.submit({ verdict: found(open.scopes) });
    void this.#ending(open, { status, times }).then(open.end);
  }

  /** Forgets what is recorded, which fails; gives everything back. */
  destroy(): void {
    this.#encoder = this.#pass = undefined;
    const failure = { kind: "lost", message: "disconnected" } as const;
    this.#open?.submit({ verdict: Promise.resolve(failure) });
    this.#open?.end(failed(failure));
    this.#open = undefined;
    for (const each of [this.status, this.scalars, this.clock]) each?.destroy();
  }

  async #ending(open: OpenBatch, places: Pick<Ending, "status" | "times">): Promise<Ending> {
    const { staging, scopes, used, load } = open;
    try {
      const verdict = found(scopes);
      let bytes = new ArrayBuffer(0);
      if (staging === undefined) await this.device.queue.onSubmittedWorkDone();
      else bytes = await this.#stagings.bytes(staging, used);
      const at = performance.now();
      return { failure: await verdict, bytes, at, load, ...places };
    } catch (cause) {
      return failed(failureOf(cause));
    }
  }

  /** Encodes a copy to where it is read back, and gives its place there. */
  #bring(open: OpenBatch, source: GPUBuffer, offset: number, bytes: number): number {
    this.endPass();
    open.staging ??= this.#stagings.take(STAGING_BYTES);
    const at = open.used;
    this.#encode().copyBufferToBuffer(source, offset, open.staging, at, bytes);
    open.used += Math.ceil(bytes / 8) * 8;
    return at;
  }

  #add(load: number): void {
    this.#load += load;
    this.#opened().load += load;
  }

  #opened(): OpenBatch {
    return (this.#open ??= openBatch());
  }

  #encode(): GPUCommandEncoder {
    this.#opened();
    return (this.#encoder ??= this.device.createCommandEncoder({ label: "batch" }));
  }
}
