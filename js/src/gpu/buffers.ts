/**
 * The buffers of one connection: a table from handles to GPU buffers, pooled by size.
 *
 * A handle carries the failure of the run that should have filled it, so that an error surfaces
 * where its result is read and nowhere else. New buffers of megabytes are slow: freed ones are kept
 * up to a bound. No scheduling here: the caller orders the operations.
 */
import type { Range, StartedRead, TakePiece } from "../engine.ts";
import { CHUNK_BYTES, type Failure, failureOf, GpuFailure, HEADER_BYTES } from "../protocol.ts";
import type { Copied, Stagings } from "./staging.ts";

const POOL_BYTES = 256 * 1024 * 1024;

/** What `settled` is for content that nothing can spoil any more. */
export const SOUND: Promise<undefined> = Promise.resolve(undefined);

export interface Entry {
  readonly gpu: GPUBuffer;
  readonly bytes: number;
  /** Tells, once what fills the buffer is through, why its content is worthless, if it is. */
  settled: Promise<Failure | undefined>;
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** A storage buffer of exactly `bytes`; throws GpuFailure "limit" or "out-of-memory". */
export async function createStorage(device: GPUDevice, bytes: number): Promise<GPUBuffer> {
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
  const error = await device.popErrorScope();
  if (error !== null) {
    const [first = ""] = error.message.split("\n");
    const message = `the GPU has no room for a buffer of ${bytes} bytes: ${first}`;
    throw new GpuFailure({ kind: "out-of-memory", message });
  }
  return gpu;
}

/** Freed buffers by size, oldest out first once they hold more than POOL_BYTES together. */
class BufferPool {
  readonly #kept = new Set<GPUBuffer>();
  #total = 0;

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
      this.#remove(oldest).destroy();
    }
  }

  destroy(): void {
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
  readonly #device: GPUDevice;
  readonly #stagings: Stagings;
  readonly #entries = new Map<number, Entry>();
  /** Why the device did not make the buffers that it was asked for. */
  readonly #refused = new Map<number, Failure>();
  readonly #pool = new BufferPool();

  constructor(device: GPUDevice, stagings: Stagings) {
    this.#device = device;
    this.#stagings = stagings;
  }

  /**
   * A buffer under a new handle, contents undefined. Throws GpuFailure, and then whatever uses the
   * handle throws it, too.
   */
  async allocate(handle: number, bytes: number): Promise<void> {
    if (this.#entries.has(handle)) {
      throw new GpuFailure({ kind: "internal", message: `there is a buffer ${handle}` });
    }
    try {
      const pooled = this.#pool.take(roundUp(bytes, 4));
      const gpu = pooled ?? (await this.#create(bytes));
      this.#entries.set(handle, { gpu, bytes, settled: SOUND });
    } catch (cause) {
      this.#refused.set(handle, failureOf(cause));
      throw cause;
    }
  }

  /** A new buffer; what is pooled gives way where it is in the way. */
  async #create(bytes: number): Promise<GPUBuffer> {
    try {
      return await createStorage(this.#device, bytes);
    } catch (cause) {
      if (failureOf(cause).kind !== "out-of-memory" || this.#pool.empty) throw cause;
      this.#pool.destroy();
      return createStorage(this.#device, bytes);
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
    this.#device.queue.writeBuffer(target.gpu, offset, payload);
    target.settled = SOUND;
  }

  /**
   * Copies a range as it is now, and gives it in pieces of at most CHUNK_BYTES once it is there.
   * Rejects with the GpuFailure of the run that should have filled the buffer.
   */
  read({ handle, offset, bytes }: Range, piece: TakePiece): StartedRead {
    const found = this.entry(handle);
    checkRange(found, offset, bytes);
    const { gpu, settled } = found;
    const encoder = this.#device.createCommandEncoder({ label: "read" });
    const copies: { readonly start: number; readonly copied: Copied }[] = [];
    for (let start = 0; start < bytes; start += CHUNK_BYTES) {
      const range = {
        offset: offset + start,
        bytes: roundUp(Math.min(CHUNK_BYTES, bytes - start), 4),
        room: HEADER_BYTES,
      };
      copies.push({ start, copied: this.#stagings.copy(encoder, gpu, range) });
    }
    this.#device.queue.submit([encoder.finish()]);
    const given = copies.map(({ start, copied }) =>
      copied.read(async (mapped) => {
        const failure = await settled;
        if (failure !== undefined) throw new GpuFailure(failure);
        const length = Math.min(CHUNK_BYTES, bytes - start);
        piece(start, new Uint8Array(mapped, 0, HEADER_BYTES + length));
      }),
    );
    return { taken: Promise.all(given).then(() => undefined) };
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
