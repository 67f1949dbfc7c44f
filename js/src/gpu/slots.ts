/**
 * Words of many runs in one buffer, each at an offset that a binding may have.
 *
 * They are put on the queue once for all that is submitted next; the queue keeps the order, so that
 * the same places serve again at once.
 */

const BYTES = 16 * 1024;

export class Slots {
  readonly buffer: GPUBuffer;
  readonly #queue: GPUQueue;
  readonly #step: number;
  readonly #words = new Uint32Array(BYTES / 4);
  #taken = 0;
  #written = 0;

  /** `step`: offsets are multiples of so many bytes. */
  constructor(device: GPUDevice, label: string, usage: GPUBufferUsageFlags, step: number) {
    const flags = usage | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    this.buffer = device.createBuffer({ label, size: BYTES, usage: flags });
    this.#queue = device.queue;
    this.#step = step;
  }

  /** Bytes from the start to the end of the last place. */
  get taken(): number {
    return this.#taken;
  }

  has(bytes: number): boolean {
    return this.#taken + bytes <= BYTES;
  }

  /** The offset of a place that holds `words` and behind them zeros; where there is room. */
  take(words: readonly number[], bytes: number): number {
    const offset = this.#taken;
    this.#taken += Math.ceil(bytes / this.#step) * this.#step;
    this.#words.fill(0, offset / 4, this.#taken / 4).set(words, offset / 4);
    return offset;
  }

  /** Puts what was taken since the last time before what is submitted next. */
  write(): void {
    const [from, size] = [this.#written, this.#taken - this.#written];
    if (size > 0) this.#queue.writeBuffer(this.buffer, from, this.#words, from / 4, size / 4);
    this.#written = this.#taken;
  }

  /** Gives all places back. */
  reset(): void {
    this.#taken = this.#written = 0;
  }

  destroy(): void {
    this.buffer.destroy();
  }
}
