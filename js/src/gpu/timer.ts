/**
 * Times of single dispatches by GPU timestamps, summed per kernel.
 *
 * Ordinary pages see them in steps of 65,536 ns. A timed dispatch has a pass of its own, so only
 * programs with few dispatches are timed this way.
 */
import type { KernelTime, RunResult, Step } from "../protocol.ts";

/** A program of more is not timed. */
export const MOST_TIMED = 256;

/** So many dispatches have their times in what is submitted together. */
const MOST_STAMPED = 2 * MOST_TIMED;

/** How many dispatches one run makes; Infinity where a flag of the host decides. */
export function dispatchCount(body: readonly Step[]): number {
  let count = 0;
  for (const step of body) {
    if (step.op === "dispatch") count += 1;
    if (step.op === "repeat") count += step.count * dispatchCount(step.body);
    if (step.op === "while") count = Infinity;
  }
  return count;
}

/** How many dispatches and copies one run makes; Infinity where a flag of the host decides. */
export function stepCount(body: readonly Step[]): number {
  let count = 0;
  for (const step of body) {
    if (step.op === "dispatch" || step.op === "copy") count += 1;
    if (step.op === "repeat") count += step.count * stepCount(step.body);
    if (step.op === "while") count = Infinity;
  }
  return count;
}

/** Sums pairs of timestamps by the kernel of each pair, in order of first appearance. */
export function sumByKernel(
  kernels: readonly string[],
  stamps: Readonly<BigUint64Array>,
): readonly KernelTime[] {
  const sums = new Map<string, { dispatches: number; nanoseconds: number }>();
  kernels.forEach((kernel, index) => {
    const [begin = 0n, end = 0n] = [stamps[2 * index], stamps[2 * index + 1]];
    const sum = sums.get(kernel) ?? { dispatches: 0, nanoseconds: 0 };
    sum.dispatches += 1;
    sum.nanoseconds += end > begin ? Number(end - begin) : 0;
    sums.set(kernel, sum);
  });
  return [...sums].map(([kernel, sum]) => ({ kernel, ...sum }));
}

/**
 * When each dispatch was done, after the first began, and the step of which all timestamps are
 * multiples: browsers round them, and say so nowhere else.
 */
export function stampsOf(
  kernels: readonly string[],
  stamps: Readonly<BigUint64Array>,
): Pick<RunResult, "stamps" | "step"> {
  const first = stamps.reduce((least, each) => (each < least ? each : least));
  const step = stamps.reduce(commonDivisor, 0n);
  const after = (place: number): number => Number((stamps[place] ?? first) - first);
  const found = kernels.map((name, n) =>
    ({ op: "dispatch", name, begin: after(2 * n), end: after(2 * n + 1) }) as const);
  return { stamps: found, step: Number(step) };
}

function commonDivisor(one: bigint, other: bigint): bigint {
  return other === 0n ? one : commonDivisor(other, one % other);
}

/** The timestamps of what is submitted together. */
export class Clock {
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  #taken = 0;

  constructor(device: GPUDevice) {
    this.#querySet = device.createQuerySet({ type: "timestamp", count: 2 * MOST_STAMPED });
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    // What follows shares both: it resolves in the order of the queue.
    this.#resolved = device.createBuffer({ label: "timestamps", size: 16 * MOST_STAMPED, usage });
  }

  /** How many dispatches were timed. */
  get taken(): number {
    return this.#taken;
  }

  has(dispatches: number): boolean {
    return this.#taken + dispatches <= MOST_STAMPED;
  }

  /** What times the next compute pass. */
  next(): GPUComputePassTimestampWrites {
    const beginningOfPassWriteIndex = 2 * this.#taken;
    this.#taken += 1;
    const endOfPassWriteIndex = beginningOfPassWriteIndex + 1;
    return { querySet: this.#querySet, beginningOfPassWriteIndex, endOfPassWriteIndex };
  }

  /** Encodes what brings all times, 16 bytes each, to a buffer, and gives that; starts anew. */
  resolve(encoder: GPUCommandEncoder): GPUBuffer {
    encoder.resolveQuerySet(this.#querySet, 0, 2 * this.#taken, this.#resolved, 0);
    this.#taken = 0;
    return this.#resolved;
  }

  destroy(): void {
    this.#querySet.destroy();
    this.#resolved.destroy();
  }
}
