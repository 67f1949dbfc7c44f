/**
 * One run of a ready program: records its dispatches, copies, repeats and loops, in slices.
 *
 * A short run is recorded with what came before, and leaves the submit to the caller; what became
 * of it is known once its batch has ended. A long one is cut into submits of about 100 ms, so that
 * the page stays alive and the run can be stopped between two of them.
 * A loop of the host reads its flag once per round.
 */
import {
  GpuFailure,
  outsideMessage,
  type RunRequest,
  type RunResult,
  STATUS_WORDS,
  type Step,
} from "../protocol.ts";
import type { Proceed } from "../engine.ts";
import type { ReadyKernel, ReadyProgram } from "./compile.ts";
import type { Batch, Ending, Recorder, Share } from "./recorder.ts";
import { MOST_TIMED, stampsOf, sumByKernel } from "./timer.ts";

/**
 * A run on its way. `finished` says what came of it, and rejects with GpuFailure; until `played`,
 * where there is that, it may submit more, and nothing else may be recorded.
 */
export interface RecordedRun {
  readonly batch: Batch;
  readonly finished: Promise<RunResult>;
  readonly played: Promise<void> | undefined;
}

/** What a request says of a run, once its program and its buffers are found. */
export type RunOptions = Pick<RunRequest, "scalars" | "timed" | "traced">;

/** What a run needs besides its program. */
export interface RunContext {
  readonly recorder: Recorder;
  /** The GPU buffers of inputs, outputs and constants by name. */
  readonly buffers: ReadonlyMap<string, GPUBuffer>;
  /** Asked before the first and between two submits. */
  readonly proceed: Proceed;
}

/** What a run waits for: the end of a slice, or the word of a flag, which it is given. */
type Wait = "slice" | GPUBuffer;
type Play = Generator<Wait, void, number>;

const SLICE_MS = 100;
const MOST_DISPATCHES = 4096;
/** So long a submit and the way back may take by themselves. */
const SYNC_MS = 10;

/** The next slice length, from how long one of `dispatches` (and copies) took; doubles at most. */
export function nextSlice(slice: number, dispatches: number, milliseconds: number): number {
  const fitting = (dispatches * SLICE_MS) / Math.max(milliseconds, 0.1);
  return Math.max(1, Math.min(Math.floor(fitting), 2 * slice, MOST_DISPATCHES));
}

/** One run, on its way into a recorder. */
class Recording {
  readonly ready: ReadyProgram;
  readonly #recorder: Recorder;
  readonly #context: RunContext;
  readonly batch: Batch;
  readonly #share: Share;
  readonly #groups = new Map<ReadyKernel, GPUBindGroup>();
  readonly #offsets: Readonly<Record<"status" | "scalars", number>>;
  /** The kernel of each dispatch that is timed, the first of which has this place in the batch. */
  readonly #timed: string[] = [];
  readonly #firstTime: number;
  readonly #traced: boolean;
  readonly #started = performance.now();
  #steps = 0;
  #submits = 0;
  #dispatches = 0;
  /** Dispatches and copies that are not submitted. */
  #pending = 0;

  constructor(
    ready: ReadyProgram,
    { scalars, timed, traced }: RunOptions,
    context: RunContext,
  ) {
    const { recorder } = context;
    const { steps, slice, words, dispatches } = ready;
    const clocked = timed && recorder.clock !== undefined && dispatches <= MOST_TIMED;
    this.#share = { ...words, load: steps / slice, timed: clocked ? dispatches : 0 };
    if (!recorder.fits(this.#share)) recorder.flush();
    this.ready = ready;
    this.#traced = traced;
    this.#context = context;
    this.#recorder = recorder;
    this.batch = recorder.batch;
    this.#offsets = {
      status: recorder.status.take([], this.#share.status),
      scalars: recorder.scalars.take(scalars, this.#share.scalars),
    };
    this.#firstTime = recorder.clock?.taken ?? 0;
    recorder.touch(context.buffers.values());
  }

  get full(): boolean {
    return this.#recorder.full;
  }

  buffer(name: string): GPUBuffer {
    const own = this.ready.own.get(name);
    if (own === "status" || own === "scalars") return this.#recorder[own].buffer;
    const found = own ?? this.#context.buffers.get(name);
    if (found !== undefined) return found;
    throw new GpuFailure({ kind: "internal", message: `the program has no buffer ${name}` });
  }

  dispatch(name: string, workgroups: readonly [number, number, number]): void {
    const kernel = this.ready.kernels.get(name);
    if (kernel === undefined) {
      throw new GpuFailure({ kind: "internal", message: `the program has no kernel ${name}` });
    }
    const timed = this.#share.timed > 0;
    const group = this.#group(kernel);
    const pass = this.#recorder.pass(name, this.#weight, timed);
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, group, kernel.dynamic.map((role) => this.#offsets[role]));
    pass.dispatchWorkgroups(...workgroups);
    if (timed) this.#recorder.endPass();
    if (timed) this.#timed.push(name);
    this.#pending += 1;
    this.#dispatches += 1;
  }

  copy(source: string, target: string): void {
    this.#recorder.copy(this.buffer(source), this.buffer(target), this.#weight);
    this.#pending += 1;
  }

  /** Waits as `play` wants it; gives the word of a flag. Throws GpuFailure where it is to end. */
  async wait(wait: Wait): Promise<number> {
    if (wait !== "slice") return this.#flag(wait);
    const dispatches = this.#pending;
    const started = performance.now();
    this.#submit();
    await this.#recorder.device.queue.onSubmittedWorkDone();
    const failure = await this.#recorder.verdict();
    if (failure !== undefined) throw new GpuFailure(failure);
    this.ready.slice = nextSlice(this.ready.slice, dispatches, performance.now() - started);
    this.#context.proceed(this.#steps);
    return 0;
  }

  /** What came of it; asked for once everything is recorded. */
  async ended(): Promise<RunResult> {
    return this.#result(await this.batch.ended);
  }

  get #weight(): number {
    return 1 / this.ready.slice;
  }

  /** Submits what is recorded, and goes on with the same words of status and scalars. */
  #submit(): void {
    this.#recorder.submit();
    this.#steps += this.#pending;
    this.#pending = 0;
    this.#submits += 1;
  }

  async #flag(buffer: GPUBuffer): Promise<number> {
    const copied = this.#recorder.copied(buffer, { offset: 0, bytes: 4 });
    this.#submit();
    const word = await copied.read((mapped) => new Uint32Array(mapped)[0] ?? 0);
    if (word !== 0) this.#context.proceed(this.#steps);
    return word;
  }

  #group(kernel: ReadyKernel): GPUBindGroup {
    const known = this.#groups.get(kernel);
    if (known !== undefined) return known;
    const { bindings } = kernel.plan;
    const entries = bindings.map(({ index, buffer }) =>
      ({ binding: index, resource: this.#resource(buffer) }));
    const make = (): GPUBindGroup => {
      const plan = { label: kernel.plan.name, layout: kernel.layout, entries };
      return this.#recorder.scoped(() => this.#recorder.device.createBindGroup(plan));
    };
    const group = kernel.groups.of(entries.map(({ resource }) => resource.buffer), make);
    this.#groups.set(kernel, group);
    return group;
  }

  #resource(name: string): GPUBufferBinding {
    const own = this.ready.own.get(name);
    const buffer = this.buffer(name);
    if (own !== "status" && own !== "scalars") return { buffer };
    return { buffer, offset: 0, size: this.#share[own] };
  }

  /** Throws GpuFailure: the browser refused it, a loop gave up, an access left its array. */
  #result(ending: Ending): RunResult {
    if (ending.failure !== undefined) throw new GpuFailure(ending.failure);
    const times = this.#times(ending);
    this.#learn(ending, times);
    this.#checkStatus(ending);
    const milliseconds = ending.at - this.#started;
    const [submits, dispatches] = [this.#submits + Math.min(this.#pending, 1), this.#dispatches];
    return { submits, dispatches, milliseconds, ...times };
  }

  #times({ bytes, times }: Ending): Pick<RunResult, "kernels" | "stamps" | "step"> {
    if (this.#share.timed === 0) return {};
    const stamps = new BigUint64Array(bytes, times + 16 * this.#firstTime, 2 * this.#timed.length);
    const kernels = sumByKernel(this.#timed, stamps);
    return { kernels, ...(this.#traced ? stampsOf(this.#timed, stamps) : {}) };
  }

  /** Learns from a run that was not cut how many such dispatches a slice may have. */
  #learn({ at, load }: Ending, { kernels }: Pick<RunResult, "kernels">): void {
    const steps = this.#pending;
    if (this.#submits > 0 || steps === 0) return;
    const clocked = kernels?.reduce((sum, each) => sum + each.nanoseconds / 1e6, 0);
    const part = (Math.max(0, at - this.#started - SYNC_MS) * this.#share.load) / load;
    this.ready.slice = nextSlice(this.ready.slice, steps, clocked ?? part);
  }

  #checkStatus({ bytes, status }: Ending): void {
    if (this.#share.status === 0) return;
    const { program } = this.ready;
    const words = [...new Uint32Array(bytes, status + this.#offsets.status, STATUS_WORDS)];
    const [gaveUp = 0, loop = 0] = words;
    if (gaveUp === 0) return;
    const outside = outsideMessage(program, words);
    if (outside !== undefined) throw new GpuFailure({ kind: "outside", message: outside });
    const where = program.loops?.[loop] ?? `loop ${loop}`;
    const message = `${where} ran out of its budget of iterations`;
    throw new GpuFailure({ kind: "budget", message, loop });
  }
}

/** Plays `body` into a recording; stops at full slices and at flags. */
function* play(body: readonly Step[], record: Recording): Play {
  for (const step of body) {
    switch (step.op) {
      case "dispatch":
        if (record.full) yield "slice";
        record.dispatch(step.kernel, step.workgroups);
        break;
      case "copy":
        if (record.full) yield "slice";
        record.copy(step.source, step.target);
        break;
      case "repeat":
        for (let round = 0; round < step.count; round += 1) yield* play(step.body, record);
        break;
      case "while":
        while ((yield record.buffer(step.flag)) !== 0) yield* play(step.body, record);
        break;
      default:
        step satisfies never;
    }
  }
}

async function goOn(playing: Play, record: Recording, first: Wait): Promise<void> {
  let next: IteratorResult<Wait, void> = { done: false, value: first };
  while (next.done !== true) next = playing.next(await record.wait(next.value));
}

/** Starts a program. Throws GpuFailure where it is not to begin, or cannot. */
export function startProgram(
  ready: ReadyProgram,
  request: RunOptions,
  context: RunContext,
): RecordedRun {
  context.proceed(0);
  const record = new Recording(ready, request, context);
  const playing = play(ready.program.body, record);
  const first = playing.next();
  const { batch } = record;
  if (first.done === true) return { batch, finished: record.ended(), played: undefined };
  const played = goOn(playing, record, first.value);
  return { batch, finished: played.then(() => record.ended()), played };
}
