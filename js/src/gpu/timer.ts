/**
 * Times of single dispatches by GPU timestamps, summed per kernel.
 *
 * Ordinary pages see them in steps of 65,536 ns. At most 2048 dispatches of a run are timed.
 */
import type { KernelTime } from "../protocol.ts";
import { mapRange } from "./buffers.ts";

const MOST_DISPATCHES = 2048;

export interface KernelTimer {
  /** What to spread into the next compute pass, which holds one dispatch of `kernel`. */
  readonly next: (kernel: string) => {
    readonly timestampWrites?: GPUComputePassTimestampWrites;
  };
  readonly read: () => Promise<readonly KernelTime[]>;
  readonly destroy: () => void;
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

/** A timer for one run, or undefined where the device has no timestamps. */
export function kernelTimer(device: GPUDevice): KernelTimer | undefined {
  if (!device.features.has("timestamp-query")) return undefined;
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 * MOST_DISPATCHES });
  const kernels: string[] = [];

  function next(kernel: string): { timestampWrites?: GPUComputePassTimestampWrites } {
    if (kernels.length >= MOST_DISPATCHES) return {};
    const first = 2 * kernels.length;
    kernels.push(kernel);
    return {
      timestampWrites: {
        querySet,
        beginningOfPassWriteIndex: first,
        endOfPassWriteIndex: first + 1,
      },
    };
  }

  async function read(): Promise<readonly KernelTime[]> {
    const size = Math.max(16, 16 * kernels.length);
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    const resolved = device.createBuffer({ label: "timestamps", size, usage });
    const encoder = device.createCommandEncoder({ label: "timestamps" });
    encoder.resolveQuerySet(querySet, 0, 2 * kernels.length, resolved, 0);
    device.queue.submit([encoder.finish()]);
    const staging = await mapRange(device, resolved, { offset: 0, bytes: size });
    const sums = sumByKernel(kernels, new BigUint64Array(staging.getMappedRange().slice(0)));
    for (const buffer of [staging, resolved]) buffer.destroy();
    return sums;
  }

  return {
    next,
    read,
    destroy: () => {
      querySet.destroy();
    },
  };
}
