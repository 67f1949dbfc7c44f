/**
 * Mapped buffers through which the GPU's bytes are read, kept for the next read of the same size:
 * new ones of megabytes are slow.
 */
import type { Range } from "../engine.ts";

/** A copy that is encoded. */
export interface Copied {
  /** Once the copy is submitted: gives its bytes to `use`, which must not keep them. */
  readonly read: <T>(use: (mapped: ArrayBuffer) => T | Promise<T>) => Promise<T>;
}

export class Stagings {
  readonly #device: GPUDevice;
  readonly #most: number;
  readonly #kept = new Map<number, GPUBuffer[]>();
  #bytes = 0;
  #ended = false;

  /** Keeps at most `most` bytes for later reads. */
  constructor(device: GPUDevice, most: number) {
    this.#device = device;
    this.#most = most;
  }

  /** Encodes a copy of a range (whole words) that will be found behind `room` bytes of nothing. */
  copy(
    encoder: GPUCommandEncoder,
    source: GPUBuffer,
    { offset, bytes, room = 0 }: Omit<Range, "handle"> & { readonly room?: number },
  ): Copied {
    const staging = this.take(room + bytes);
    encoder.copyBufferToBuffer(source, offset, staging, room, bytes);
    return { read: (use) => this.#read(staging, staging.size, use) };
  }

  /** The first bytes of a buffer that was taken, once what fills it is submitted; gives it back. */
  bytes(staging: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    return this.#read(staging, bytes, (mapped) => mapped.slice(0));
  }

  destroy(): void {
    this.#ended = true;
    for (const staging of [...this.#kept.values()].flat()) staging.destroy();
    this.#kept.clear();
  }

  async #read<T>(
    staging: GPUBuffer,
    bytes: number,
    use: (mapped: ArrayBuffer) => T | Promise<T>,
  ): Promise<T> {
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
      return await use(staging.getMappedRange(0, bytes));
    } finally {
      this.#give(staging);
    }
  }

  /** A buffer to copy to, of so many bytes. */
  take(size: number): GPUBuffer {
    const kept = this.#kept.get(size)?.pop();
    if (kept !== undefined) {
      this.#bytes -= size;
      return kept;
    }
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return this.#device.createBuffer({ label: "read", size, usage });
  }

  #give(staging: GPUBuffer): void {
    const { size } = staging;
    if (this.#ended || staging.mapState !== "mapped" || this.#bytes + size > this.#most) {
      staging.destroy();
      return;
    }
    staging.unmap();
    this.#bytes += size;
    const kept = this.#kept.get(size) ?? [];
    this.#kept.set(size, kept);
    kept.push(staging);
  }
}
