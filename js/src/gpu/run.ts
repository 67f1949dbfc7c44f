/**
 * One run of a ready program: encodes its dispatches, copies, repeats and loops, in slices.
 *
 * A long run is cut into submits of about 100 ms, so that the page stays alive and the run can be
 * stopped between two of them; a short one is a single submit, and what became of it is known
 * later, while the next runs are on their way already.
 * A loop of the host reads its flag once per round.
 */
import {
  GpuFailure,
  type KernelTime,
  type RunRequest,
  type RunResult,
  type Step,
} from "../protocol.ts";
import { mapRange } from "./buffers.ts";
import type { ReadyKernel, ReadyProgram } from "./compile.ts";

/** A run whose work is submitted; `finished` rejects with GpuFailure. */
export interface StartedRun {
  readonly finished: Promise<RunResult>;
}

/** What a run needs besides its program. */
export interface RunContext {
  readonly device: GPUDevice;
  /** The GPU buffers of inputs, outputs and constants by name. */
  readonly buffers: ReadonlyMap<string, GPUBuffer>;
  /** Throws GpuFailure once the run is to end; asked between two submits. */
  readonly proceed: () => void;
}

const SLICE_MS = 100;
const MOST_DISPATCHES = 4096;

/** The next slice length, from how long one of `dispatches` took; at most doubled at a time. */
export function nextSlice(slice: number, dispatches: number, milliseconds: number): number {
  const fitting = (dispatches * SLICE_MS) / Math.max(milliseconds, 0.1);
  return Math.max(1, Math.min(Math.floor(fitting), 2 * slice, MOST_DISPATCHES));
}

interface Recorder {
  readonly dispatch: (kernel: string, workgroups: readonly [number, number, number]) => void;
  readonly copy: (source: string, target: string) => void;
  readonly buffer: (name: string) => GPUBuffer;
  /** Submits what is recorded; waits for it where `wait`. */
  readonly flush: (wait: boolean) => Promise<void>;
  readonly full: () => boolean;
  readonly times: () => Promise<readonly KernelTime[] | undefined>;
  /** Waits for what the browser found wrong with the work so far; throws GpuFailure. */
  readonly settle: () => Promise<void>;
  readonly counts: () => { readonly submits: number; readonly dispatches: number };
}

function bindGroupOf(
  device: GPUDevice,
  { plan, layout }: ReadyKernel,
  buffer: (name: string) => GPUBuffer,
): GPUBindGroup {
  const entries = plan.bindings.map(({ index, buffer: name }) => ({
    binding: index,
    resource: { buffer: buffer(name) },
  }));
  return device.createBindGroup({ label: plan.name, layout, entries });
}

/** Collects work into one command encoder at a time. */
function recorder(ready: ReadyProgram, context: RunContext, timed: boolean): Recorder {
  const { device, buffers } = context;
  const groups = new Map<string, GPUBindGroup>();
  const timer = timed ? ready.timer?.start() : undefined;
  const scopes: Promise<GPUError | null>[] = [];
  let encoder: GPUCommandEncoder | undefined;
  let pass: GPUComputePassEncoder | undefined;
  let pending = 0;
  let submits = 0;
  let dispatches = 0;

  // Scopes are a stack of the device, which connections share: no waiting inside one.
  function scoped<T>(action: () => T): T {
    device.pushErrorScope("validation");
    try {
      return action();
    } finally {
      scopes.push(device.popErrorScope());
    }
  }

  function buffer(name: string): GPUBuffer {
    const found = ready.own.get(name) ?? buffers.get(name);
    if (found !== undefined) return found;
    throw new GpuFailure({ kind: "internal", message: `the program has no buffer ${name}` });
  }

  function encode(): GPUCommandEncoder {
    return (encoder ??= device.createCommandEncoder({ label: ready.program.name }));
  }

  function endPass(): void {
    pass?.end();
    pass = undefined;
  }

  function dispatch(name: string, workgroups: readonly [number, number, number]): void {
    const kernel = ready.kernels.get(name);
    if (kernel === undefined) {
      throw new GpuFailure({ kind: "internal", message: `the program has no kernel ${name}` });
    }
    const group = groups.get(name) ?? scoped(() => bindGroupOf(device, kernel, buffer));
    groups.set(name, group);
    if (timer !== undefined) endPass();
    pass ??= encode().beginComputePass({ label: name, ...timer?.next(name) });
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...workgroups);
    pending += 1;
    dispatches += 1;
  }

  function copy(source: string, target: string): void {
    endPass();
    const [from, to] = [buffer(source), buffer(target)];
    encode().copyBufferToBuffer(from, 0, to, 0, Math.min(from.size, to.size));
  }

  async function flush(wait: boolean): Promise<void> {
    endPass();
    const started = performance.now();
    if (encoder !== undefined) {
      const commands = encoder;
      scoped(() => {
        device.queue.submit([commands.finish()]);
      });
      encoder = undefined;
      submits += 1;
    }
    const recorded = pending;
    pending = 0;
    if (!wait) return;
    await device.queue.onSubmittedWorkDone();
    if (recorded < ready.slice) return;
    ready.slice = nextSlice(ready.slice, recorded, performance.now() - started);
  }

  async function settle(): Promise<void> {
    const errors = await Promise.all(scopes.splice(0));
    const first = errors.find((error) => error !== null);
    if (first) throw new GpuFailure({ kind: "internal", message: first.message });
  }

  return {
    dispatch,
    copy,
    buffer,
    flush,
    settle,
    full: () => pending >= ready.slice,
    times: async () => timer?.read(),
    counts: () => ({ submits, dispatches }),
  };
}

async function readWord(device: GPUDevice, buffer: GPUBuffer, words: number): Promise<number[]> {
  const staging = await mapRange(device, buffer, { offset: 0, bytes: 4 * words });
  const values = [...new Uint32Array(staging.getMappedRange())];
  staging.destroy();
  return values;
}

/** Plays `body` into the recorder; waits only at full slices and at flags. */
async function play(body: readonly Step[], record: Recorder, context: RunContext): Promise<void> {
  for (const step of body) {
    switch (step.op) {
      case "dispatch":
        record.dispatch(step.kernel, step.workgroups);
        if (record.full()) {
          await record.flush(true);
          await record.settle();
          context.proceed();
        }
        break;
      case "copy":
        record.copy(step.source, step.target);
        break;
      case "repeat":
        for (let round = 0; round < step.count; round += 1) {
          await play(step.body, record, context);
        }
        break;
      case "while":
        await playWhile(step, record, context);
        break;
      default:
        step satisfies never;
    }
  }
}

async function playWhile(
  { flag, body }: Extract<Step, { op: "while" }>,
  record: Recorder,
  context: RunContext,
): Promise<void> {
  for (;;) {
    await record.flush(false);
    const [word] = await readWord(context.device, record.buffer(flag), 1);
    if (word === 0) return;
    context.proceed();
    await play(body, record, context);
  }
}

/** Throws GpuFailure "budget" where a loop of the device gave up. */
async function checkStatus(ready: ReadyProgram, device: GPUDevice): Promise<void> {
  const status = ready.own.get("status");
  if (status === undefined) return;
  const [gaveUp = 0, loop = 0] = await readWord(device, status, 4);
  if (gaveUp === 0) return;
  const where = ready.program.loops?.[loop] ?? `loop ${loop}`;
  const message = `${where} ran out of its budget of iterations`;
  throw new GpuFailure({ kind: "budget", message, loop });
}

function prepare(ready: ReadyProgram, device: GPUDevice, scalars: readonly number[]): void {
  for (const [name, buffer] of ready.own) {
    if (name === "status") device.queue.writeBuffer(buffer, 0, new Uint32Array(4));
    if (name === "scalars") device.queue.writeBuffer(buffer, 0, new Uint32Array(scalars));
  }
}

async function finish(ready: ReadyProgram, device: GPUDevice, record: Recorder, started: number) {
  // All of these are on the GPU's queue before the first is waited for.
  const done = device.queue.onSubmittedWorkDone().then(() => performance.now() - started);
  const [milliseconds, kernels] = await Promise.all([
    done,
    record.times(),
    record.settle(),
    checkStatus(ready, device),
  ]);
  return { ...record.counts(), milliseconds, ...(kernels === undefined ? {} : { kernels }) };
}

/** Starts a program. Throws GpuFailure where it was stopped; then the outputs are worthless. */
export async function startProgram(
  ready: ReadyProgram,
  { scalars, timed }: Pick<RunRequest, "scalars" | "timed">,
  context: RunContext,
): Promise<StartedRun> {
  const { device } = context;
  const record = recorder(ready, context, timed);
  const started = performance.now();
  prepare(ready, device, scalars);
  await play(ready.program.body, record, context);
  await record.flush(false);
  return { finished: finish(ready, device, record, started) };
}
