/**
 * The buffers of one connection: a table from handles to GPU buffers, pooled by size.
 *
 * A handle carries the failure of the run that should have filled it, so that an error surfaces
 * where its result is read and nowhere else. New buffers of megabytes are slow: freed ones are kept
 * up to a bound. The caller orders the operations; what is not submitted yet keeps that order.
 */
import type { Range, StartedRead, TakePiece } from "../engine.ts";
import {
  CHUNK_BYTES, type Failure, failureOf, frameOf, GpuFailure, HEADER_BYTES, SHORT_BYTES,
} from "../protocol.ts";
import type { Recorder } from "./recorder.ts";
import type { Copied } from "./staging.ts";

const POOL_BYTES = 256 * 1024 * 1024;

/** What the device says of a new buffer of so many bytes or fewer is not waited for. */
const SMALL_BYTES = 1024 * 1024;

/** What `settled` is for content that nothing can spoil any more. */
export const SOUND: Promise<undefined> = Promise.resolve(undefined);

export interface Entry {
  readonly gpu: GPUBuffer;
  readonly bytes: number;
  /** Tells, once the device has said so, why there is no room for it, if there is none. */
  readonly made: Promise<Failure | undefined>;
  /** Tells, once what fills the buffer is through, why its content is worthless, if it is. */
  settled: Promise<Failure | undefined>;
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** A buffer, and why the device has no room for it, if it has none. */
interface Made {
  readonly gpu: GPUBuffer;
  readonly made: Promise<Failure | undefined>;
}

/** A storage buffer of exactly `bytes`; throws GpuFailure "limit". */
function makeStorage(device: GPUDevice, bytes: number): Made {
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  const [limit, value] =
    maxBufferSize < maxStorageBufferBindingSize
      ? ["maxBufferSize", maxBufferSize]
      : ["maxStorageBufferBindingSize", maxStorageBufferBindingSize];
  if (bytes > value) {
    const message = `a buffer of ${bytes} bytes exceeds the device's ${limit} of ${value}`;
    throw new GpuFailure({ kind: "limit", message, limit, value });
  }
  device.pushErrorScope("out-of-memory");
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const gpu = device.createBuffer({ size: roundUp(bytes, 4), usage });
  const made = device.popErrorScope().then((error): Failure | undefined => {
    if (error === null) return undefined;
    const [first = ""] = error.message.split("\n");
    const message = `the GPU has no room for a buffer of ${bytes} bytes: ${first}`;
    return { kind: "out-of-memory", message };
  }, failureOf);
  return { gpu, made };
}

/** A storage buffer that is there; throws GpuFailure "limit" or "out-of-memory". */
export async function createStorage(device: GPUDevice, bytes: number): Promise<GPUBuffer> {
  const { gpu, made } = makeStorage(device, bytes);
  const failure = await made;
  if (failure !== undefined) throw new GpuFailure(failure);
  return gpu;
}

/** Freed buffers by size, oldest out first once they hold more than POOL_BYTES together. */
class BufferPool {
  readonly #kept = new Set<GPUBuffer>();
  readonly #flush: () => void;
  #total = 0;

  /** `flush` submits what may still use a buffer. */
  constructor(flush: () => void) {
    this.#flush = flush;
  }

  get empty(): boolean {
    return this.#kept.size === 0;
  }

  take(bytes: number): GPUBuffer | undefined {
    for (const gpu of this.#kept) if (gpu.size === bytes) return this.#remove(gpu);
    return undefined;
  }

  give(gpu: GPUBuffer): void {
    this.#kept.add(gpu);
    this.#total += gpu.size;
    for (const oldest of this.#kept) {
      if (this.#total <= POOL_BYTES) break;
      this.#flush();
      this.#remove(oldest).destroy();
    }
  }

  destroy(): void {
    this.#flush();
    for (const gpu of this.#kept) this.#remove(gpu).destroy();
  }

  #remove(gpu: GPUBuffer): GPUBuffer {
    this.#kept.delete(gpu);
    this.#total -= gpu.size;
    return gpu;
  }
}

function checkRange({ gpu }: Entry, offset: number, bytes: number): void {
  if (offset + bytes <= gpu.size) return;
  const message = `bytes ${offset} to ${offset + bytes} of a buffer of ${gpu.size}`;
  throw new GpuFailure({ kind: "internal", message });
}

export class BufferTable {
  readonly #recorder: Recorder;
  readonly #entries = new Map<number, Entry>();
  /** Why the device did not make the buffers that it was asked for. */
  readonly #refused = new Map<number, Failure>();
  readonly #pool: BufferPool;

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
    this.#pool = new BufferPool(() => { recorder.flush(); });
  }

  /**
   * A buffer under a new handle, contents undefined. Throws GpuFailure, and then whatever uses the
   * handle throws it, too. What it gives is to be waited for before the next request.
   */
  allocate(handle: number, bytes: number): Promise<void> | undefined {
    if (this.#entries.has(handle)) {
      throw new GpuFailure({ kind: "internal", message: `there is a buffer ${handle}` });
    }
    const pooled = this.#pool.take(roundUp(bytes, 4));
    if (pooled !== undefined) {
      this.#entries.set(handle, { gpu: pooled, bytes, made: SOUND, settled: SOUND });
      return undefined;
    }
    if (bytes > SMALL_BYTES) return this.#wait(handle, bytes);
    try {
      const { gpu, made } = makeStorage(this.#recorder.device, bytes);
      this.#entries.set(handle, { gpu, bytes, made, settled: made });
    } catch (cause) {
      this.#refused.set(handle, failureOf(cause));
      throw cause;
    }
    return undefined;
  }

  async #wait(handle: number, bytes: number): Promise<void> {
    try {
      const gpu = await this.#create(bytes);
      this.#entries.set(handle, { gpu, bytes, made: SOUND, settled: SOUND });
    } catch (cause) {
      this.#refused.set(handle, failureOf(cause));
      throw cause;
    }
  }

  /** A new buffer; what is pooled gives way where it is in the way. */
  async #create(bytes: number): Promise<GPUBuffer> {
    const { device } = this.#recorder;
    try {
      return await createStorage(device, bytes);
    } catch (cause) {
      if (failureOf(cause).kind !== "out-of-memory" || this.#pool.empty) throw cause;
      this.#pool.destroy();
      return createStorage(device, bytes);
    }
  }

  /** The entry of a handle; throws GpuFailure "lost" where the page does not hold it. */
  entry(handle: number): Entry {
    const found = this.#entries.get(handle);
    if (found !== undefined) return found;
    const message = `the page does not hold buffer ${handle}`;
    throw new GpuFailure(this.#refused.get(handle) ?? { kind: "lost", message });
  }

  spoil(handle: number, failure: Failure): void {
    const found = this.#entries.get(handle);
    if (found !== undefined) found.settled = Promise.resolve(failure);
  }

  write(handle: number, offset: number, payload: Uint8Array<ArrayBuffer>): void {
    const target = this.entry(handle);
    checkRange(target, offset, payload.byteLength);
    if (this.#recorder.touches(target.gpu)) this.#recorder.flush();
    this.#recorder.device.queue.writeBuffer(target.gpu, offset, payload);
    target.settled = target.made;
  }

  /**
   * Copies a range as it is after what is recorded, and gives it in pieces of at most CHUNK_BYTES
   * once it is there. Rejects with the GpuFailure of the run that should have filled the buffer.
   */
  read({ handle, offset, bytes }: Range, piece: TakePiece): StartedRead {
    const found = this.entry(handle);
    checkRange(found, offset, bytes);
    const { gpu, settled } = found;
    if (bytes <= SHORT_BYTES) {
      return { taken: this.#short(settled, this.#recorder.short(gpu, offset, bytes), piece) };
    }
    const copies: { readonly start: number; readonly copied: Copied }[] = [];
    for (let start = 0; start < bytes; start += CHUNK_BYTES) {
      const size = roundUp(Math.min(CHUNK_BYTES, bytes - start), 4);
      const range = { offset: offset + start, bytes: size, room: HEADER_BYTES };
      copies.push({ start, copied: this.#recorder.copied(gpu, range) });
    }
    const { submitted } = this.#recorder.batch;
    const given = copies.map(async ({ start, copied }) => {
      const { verdict } = await submitted;
      await copied.read(async (mapped) => {
        const failure = (await settled) ?? (await verdict);
        if (failure !== undefined) throw new GpuFailure(failure);
        const length = Math.min(CHUNK_BYTES, bytes - start);
        piece(start, new Uint8Array(mapped, 0, HEADER_BYTES + length));
      });
    });
    return { taken: Promise.all(given).then(() => undefined) };
  }

  async #short(
    settled: Entry["settled"],
    coming: Promise<Uint8Array>,
    piece: TakePiece,
  ): Promise<void> {
    const [failure, payload] = await Promise.all([settled, coming]);
    if (failure !== undefined) throw new GpuFailure(failure);
    piece(0, frameOf(payload));
  }

  free(handle: number): void {
    this.#refused.delete(handle);
    const found = this.#entries.get(handle);
    if (found === undefined) return;
    this.#entries.delete(handle);
    this.#pool.give(found.gpu);
  }

  destroy(): void {
    for (const { gpu } of this.#entries.values()) gpu.destroy();
    this.#entries.clear();
    this.#pool.destroy();
  }
}
