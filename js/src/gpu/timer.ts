/**
 * Times of single dispatches by GPU timestamps, summed per kernel.
 *
 * Ordinary pages see them in steps of 65,536 ns. A timed dispatch has a pass of its own, so only
 * programs with few dispatches are timed this way.
 */
import type { KernelTime, Step } from "../protocol.ts";
import type { Copied, Stagings } from "./staging.ts";

const MOST_DISPATCHES = 256;

/** Times the dispatches of one run. */
export interface RunTimer {
  /** What to spread into the next compute pass, which holds one dispatch of `kernel`. */
  readonly next: (kernel: string) => {
    readonly timestampWrites?: GPUComputePassTimestampWrites;
  };
  /** Encodes, behind the last pass, what brings the times to where `read` finds them. */
  readonly resolve: (encoder: GPUCommandEncoder) => void;
  readonly read: () => Promise<readonly KernelTime[]>;
}

export interface ProgramTimer {
  readonly start: (stagings: Stagings) => RunTimer;
  readonly destroy: () => void;
}

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

/** A timer for a program's runs; undefined without timestamps, and for too many dispatches. */
export function programTimer(device: GPUDevice, body: readonly Step[]): ProgramTimer | undefined {
  const most = dispatchCount(body);
  if (!device.features.has("timestamp-query") || most === 0 || most > MOST_DISPATCHES) {
    return undefined;
  }
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 * most });
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  // Runs that follow each other share both: they resolve in the order of the queue.
  const resolved = device.createBuffer({ label: "timestamps", size: 16 * most, usage });

  function start(stagings: Stagings): RunTimer {
    const kernels: string[] = [];
    let copied: Copied | undefined;
    return {
      next: (kernel) => {
        const beginningOfPassWriteIndex = 2 * kernels.length;
        const endOfPassWriteIndex = beginningOfPassWriteIndex + 1;
        kernels.push(kernel);
        return { timestampWrites: { querySet, beginningOfPassWriteIndex, endOfPassWriteIndex } };
      },
      resolve: (encoder) => {
        if (kernels.length === 0) return;
        encoder.resolveQuerySet(querySet, 0, 2 * kernels.length, resolved, 0);
        copied = stagings.copy(encoder, resolved, { offset: 0, bytes: 16 * kernels.length });
      },
      read: async () =>
        (await copied?.read((mapped) => sumByKernel(kernels, new BigUint64Array(mapped)))) ?? [],
    };
  }

  return {
    start,
    destroy: () => {
      querySet.destroy();
      resolved.destroy();
    },
  };
}
