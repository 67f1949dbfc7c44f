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
  outsideMessage,
  STATUS_WORDS,
  type RunRequest,
  type RunResult,
  type Step,
} from "../protocol.ts";
import type { Proceed } from "../engine.ts";
import type { ReadyKernel, ReadyProgram } from "./compile.ts";
import type { Copied, Stagings } from "./staging.ts";
import type { RunTimer } from "./timer.ts";

/**
 * A run whose work is submitted. `sound` says that its outputs hold what they should, `finished`
 * what came of it; both reject with GpuFailure.
 */
export interface StartedRun {
  readonly sound: Promise<void>;
  readonly finished: Promise<RunResult>;
}

/** What a run needs besides its program. */
export interface RunContext {
  readonly device: GPUDevice;
  readonly stagings: Stagings;
  /** The GPU buffers of inputs, outputs and constants by name. */
  readonly buffers: ReadonlyMap<string, GPUBuffer>;
  /** Asked between two submits. */
  readonly proceed: Proceed;
}

/** A device and when a run began there, in milliseconds. */
interface Timed {
  readonly device: GPUDevice;
  readonly started: number;
}

const SLICE_MS = 100;
const MOST_DISPATCHES = 4096;

/** The next slice length, from how long one of `dispatches` (and copies) took; doubles at most. */
export function nextSlice(slice: number, dispatches: number, milliseconds: number): number {
  const fitting = (dispatches * SLICE_MS) / Math.max(milliseconds, 0.1);
  return Math.max(1, Math.min(Math.floor(fitting), 2 * slice, MOST_DISPATCHES));
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
class Recorder {
  readonly #ready: ReadyProgram;
  readonly #context: RunContext;
  readonly #timer: RunTimer | undefined;
  readonly #groups = new Map<string, GPUBindGroup>();
  readonly #scopes: Promise<GPUError | null>[] = [];
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #pending = 0;
  #done = 0;
  #submits = 0;
  #dispatches = 0;
  #status: Copied | undefined;

  constructor(ready: ReadyProgram, context: RunContext, timed: boolean) {
    this.#ready = ready;
    this.#context = context;
    this.#timer = timed ? ready.timer?.start(context.stagings) : undefined;
  }

  get full(): boolean {
    return this.#pending >= this.#ready.slice;
  }

  /** Dispatches and copies that were submitted. */
  get done(): number {
    return this.#done;
  }

  get counts(): { readonly submits: number; readonly dispatches: number } {
    return { submits: this.#submits, dispatches: this.#dispatches };
  }

  buffer(name: string): GPUBuffer {
    const found = this.#ready.own.get(name) ?? this.#context.buffers.get(name);
    if (found !== undefined) return found;
    throw new GpuFailure({ kind: "internal", message: `the program has no buffer ${name}` });
  }

  dispatch(name: string, workgroups: readonly [number, number, number]): void {
    const kernel = this.#ready.kernels.get(name);
    if (kernel === undefined) {
      throw new GpuFailure({ kind: "internal", message: `the program has no kernel ${name}` });
    }
    if (this.#timer !== undefined) this.#endPass();
    this.#pass ??= this.#encode().beginComputePass({ label: name, ...this.#timer?.next(name) });
    this.#pass.setPipeline(kernel.pipeline);
    this.#pass.setBindGroup(0, this.#group(kernel));
    this.#pass.dispatchWorkgroups(...workgroups);
    this.#pending += 1;
    this.#dispatches += 1;
  }

  copy(source: string, target: string): void {
    this.#endPass();
    const [from, to] = [this.buffer(source), this.buffer(target)];
    const size = Math.min(from.size, to.size);
    this.#encode().copyBufferToBuffer(from, 0, to, 0, size);
    this.#pending += 1;
  }

  submit(): void {
    this.#endPass();
    const encoder = this.#encoder;
    if (encoder === undefined) return;
    this.#encoder = undefined;
    this.#done += this.#pending;
    this.#pending = 0;
    this.#submits += 1;
    this.#scoped(() => {
      this.#context.device.queue.submit([encoder.finish()]);
    });
  }

  /** Submits what is left, and with it what brings times and status to where they are read. */
  submitLast(): void {
    this.#endPass();
    this.#timer?.resolve(this.#encode());
    const plan = this.#ready.program.buffers.find(({ role }) => role === "status");
    const status = plan && this.#ready.own.get(plan.name);
    if (status !== undefined) {
      const words = { offset: 0, bytes: 4 * STATUS_WORDS };
      this.#status = this.#context.stagings.copy(this.#encode(), status, words);
    }
    this.submit();
  }

  /** The words of the status, where the program has one. */
  status(): Promise<readonly number[]> | undefined {
    return this.#status?.read((mapped) => [...new Uint32Array(mapped)]);
  }

  /** Submits a slice, waits for it, and learns from its time how long the next may be. */
  async submitSlice(): Promise<void> {
    const dispatches = this.#pending;
    const started = performance.now();
    this.submit();
    await this.#context.device.queue.onSubmittedWorkDone();
    await this.settle();
    const milliseconds = performance.now() - started;
    this.#ready.slice = nextSlice(this.#ready.slice, dispatches, milliseconds);
  }

  /** Waits for what the browser found wrong with the work so far; throws GpuFailure. */
  async settle(): Promise<void> {
    const errors = await Promise.all(this.#scopes.splice(0));
    const first = errors.find((error) => error !== null);
    if (first) throw new GpuFailure({ kind: "internal", message: first.message });
  }

  times(): Promise<readonly KernelTime[]> | undefined {
    return this.#timer?.read();
  }

  #group(kernel: ReadyKernel): GPUBindGroup {
    const { name } = kernel.plan;
    const make = (): GPUBindGroup =>
      bindGroupOf(this.#context.device, kernel, (each) => this.buffer(each));
    const group = this.#groups.get(name) ?? this.#scoped(make);
    this.#groups.set(name, group);
    return group;
  }

  // Scopes are a stack of the device, which connections share: no waiting inside one.
  #scoped<T>(action: () => T): T {
    const { device } = this.#context;
    device.pushErrorScope("validation");
    try {
      return action();
    } finally {
      this.#scopes.push(device.popErrorScope());
    }
  }

  #encode(): GPUCommandEncoder {
    const label = this.#ready.program.name;
    return (this.#encoder ??= this.#context.device.createCommandEncoder({ label }));
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }
}

async function readWord({ device, stagings }: RunContext, buffer: GPUBuffer): Promise<number> {
  const encoder = device.createCommandEncoder({ label: "flag" });
  const copied = stagings.copy(encoder, buffer, { offset: 0, bytes: 4 });
  device.queue.submit([encoder.finish()]);
  return copied.read((mapped) => new Uint32Array(mapped)[0] ?? 0);
}

/** Plays `body` into the recorder; waits only at full slices and at flags. */
async function play(body: readonly Step[], record: Recorder, context: RunContext): Promise<void> {
  for (const step of body) {
    switch (step.op) {
      case "dispatch":
        record.dispatch(step.kernel, step.workgroups);
        await leaveFull(record, context);
        break;
      case "copy":
        record.copy(step.source, step.target);
        await leaveFull(record, context);
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

async function leaveFull(record: Recorder, context: RunContext): Promise<void> {
  if (!record.full) return;
  await record.submitSlice();
  context.proceed(record.done);
}

async function playWhile(
  { flag, body }: Extract<Step, { op: "while" }>,
  record: Recorder,
  context: RunContext,
): Promise<void> {
  for (;;) {
    record.submit();
    if ((await readWord(context, record.buffer(flag))) === 0) return;
    context.proceed(record.done);
    await play(body, record, context);
  }
}

/** Throws GpuFailure where a loop gave up ("budget") or an access left its array ("outside"). */
async function checkStatus(ready: ReadyProgram, record: Recorder): Promise<void> {
  const status = (await record.status()) ?? [];
  const [gaveUp = 0, loop = 0] = status;
  if (gaveUp === 0) return;
  const outside = outsideMessage(ready.program, status);
  if (outside !== undefined) throw new GpuFailure({ kind: "outside", message: outside });
  const where = ready.program.loops?.[loop] ?? `loop ${loop}`;
  const message = `${where} ran out of its budget of iterations`;
  throw new GpuFailure({ kind: "budget", message, loop });
}

function prepare(ready: ReadyProgram, device: GPUDevice, scalars: readonly number[]): void {
  for (const { name, role } of ready.program.buffers) {
    const buffer = ready.own.get(name);
    if (buffer === undefined) continue;
    if (role === "status") device.queue.writeBuffer(buffer, 0, new Uint32Array(STATUS_WORDS));
    if (role === "scalars") device.queue.writeBuffer(buffer, 0, new Uint32Array(scalars));
  }
}

function outcome(ready: ReadyProgram, record: Recorder, { device, started }: Timed): StartedRun {
  // All of these are on the GPU's queue before the first is waited for.
  const sound = Promise.all([record.settle(), checkStatus(ready, record)]).then(() => undefined);
  const times = record.times();
  // The times come when the work is done, and sooner than the browser says that it is.
  const done = times ?? device.queue.onSubmittedWorkDone();
  const ended = done.then(() => performance.now() - started);
  const finished = Promise.all([sound, ended, times]).then(([, milliseconds, kernels]) => ({
    ...record.counts,
    milliseconds,
    ...(kernels === undefined ? {} : { kernels }),
  }));
  return { sound, finished };
}

/** Starts a program. Throws GpuFailure where it was stopped; then the outputs are worthless. */
export async function startProgram(
  ready: ReadyProgram,
  { scalars, timed }: Pick<RunRequest, "scalars" | "timed">,
  context: RunContext,
): Promise<StartedRun> {
  const { device } = context;
  const record = new Recorder(ready, context, timed);
  const started = performance.now();
  prepare(ready, device, scalars);
  await play(ready.program.body, record, context);
  record.submitLast();
  return outcome(ready, record, { device, started });
}
