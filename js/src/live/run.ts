/**
 * Runs a program again and again at the display's rate, and draws each frame from its buffer.
 *
 * All of it happens between this thread and the GPU: no message leaves it but the reports, twice
 * a second, to the page that shows them.
 */
import { createStorage } from "../gpu/buffers.ts";
import { Stagings } from "../gpu/staging.ts";
import { compileProgram, type ReadyProgram } from "../gpu/compile.ts";
import { Recorder } from "../gpu/recorder.ts";
import { startProgram } from "../gpu/run.ts";
import { bytesOf, failureOf, GpuFailure } from "../protocol.ts";
import { numbersOf } from "../values/numbers.ts";
import { type Painter, painter } from "./painter.ts";
import { type LiveReport, type Plan, type Settings, valueOf, wordOf } from "./plan.ts";

const REPORT_MS = 500;
/** Kept for reads, of words here. */
const STAGING_BYTES = 256 * 1024;
/** A frame where there is no display to ask. */
const FRAME_MS = 1000 / 60;

export interface LiveOptions {
  readonly device: GPUDevice;
  readonly plan: Plan;
  readonly canvas: OffscreenCanvas | HTMLCanvasElement;
  /** What the inputs hold at the start, by name; this run's own, and destroyed at its end. */
  readonly inputs: ReadonlyMap<string, GPUBuffer>;
  readonly settings: () => Settings;
  readonly report: (report: LiveReport) => void;
  readonly signal: AbortSignal;
}

/** Resolves at the next frame of the display. */
function nextFrame(): Promise<number> {
  return new Promise((resolve) => {
    if (typeof requestAnimationFrame === "function") requestAnimationFrame(resolve);
    else setTimeout(() => { resolve(performance.now()); }, FRAME_MS);
  });
}

/** The buffers of inputs and outputs, of which some change places after every step. */
class Buffers {
  readonly #device: GPUDevice;
  readonly #plan: Plan;
  readonly #now = new Map<string, GPUBuffer>();

  constructor(device: GPUDevice, plan: Plan) {
    this.#device = device;
    this.#plan = plan;
  }

  get all(): ReadonlyMap<string, GPUBuffer> {
    return this.#now;
  }

  async allocate(): Promise<void> {
    const { program } = this.#plan;
    for (const buffer of program.buffers) {
      if (buffer.role !== "input" && buffer.role !== "output") continue;
      this.#now.set(buffer.name, await createStorage(this.#device, bytesOf(buffer, 0)));
    }
  }

  /** Takes the inputs as they are in `sources`. */
  start(sources: ReadonlyMap<string, GPUBuffer>): void {
    const encoder = this.#device.createCommandEncoder({ label: "start" });
    for (const [name, source] of sources) {
      const own = this.#now.get(name);
      if (own === undefined) continue;
      encoder.copyBufferToBuffer(source, 0, own, 0, Math.min(source.size, own.size));
    }
    this.#device.queue.submit([encoder.finish()]);
  }

  /** New values take the places of the old ones. */
  swap(): void {
    for (const [output, input] of Object.entries(this.#plan.feedback)) {
      const [made, old] = [this.#now.get(output), this.#now.get(input)];
      if (made === undefined || old === undefined) continue;
      this.#now.set(output, old).set(input, made);
    }
  }

  /** The buffer that holds an output after a step. */
  shown(output: string): GPUBuffer {
    const found = this.#now.get(this.#plan.feedback[output] ?? output);
    if (found !== undefined) return found;
    throw new GpuFailure({ kind: "internal", message: `the program has no output ${output}` });
  }

  destroy(): void {
    for (const buffer of this.#now.values()) buffer.destroy();
  }
}

/** Counts frames and the time they took in JavaScript; reports twice a second. */
class Meter {
  readonly #report: (report: LiveReport) => void;
  frames = 0;
  #since = performance.now();
  #counted = 0;
  #busy = 0;

  constructor(report: (report: LiveReport) => void) {
    this.#report = report;
  }

  frame(busy: number): void {
    this.frames += 1;
    this.#counted += 1;
    this.#busy += busy;
  }

  get due(): boolean {
    return performance.now() - this.#since >= REPORT_MS;
  }

  report(value: number | undefined): void {
    const seconds = (performance.now() - this.#since) / 1000;
    const busy = this.#counted === 0 ? 0 : this.#busy / this.#counted;
    const said = { frames: this.frames, rate: this.#counted / seconds, busy };
    this.#report(value === undefined ? said : { ...said, value });
    [this.#since, this.#counted, this.#busy] = [performance.now(), 0, 0];
  }

  fail(cause: unknown): void {
    const { message } = failureOf(cause);
    this.#report({ frames: this.frames, rate: 0, busy: 0, failure: message });
  }
}

interface Running extends LiveOptions {
  readonly ready: ReadyProgram;
  readonly stagings: Stagings;
  readonly recorder: Recorder;
  readonly buffers: Buffers;
  readonly paint: Painter;
}

/** The steps of a frame; gives the milliseconds of JavaScript, and when the GPU is through. */
async function step(live: Running, seconds: number, frame: number) {
  const { recorder, plan, ready, buffers, signal } = live;
  const began = performance.now();
  const settings = live.settings();
  const scalars = plan.controls.map((control) =>
    wordOf(valueOf(control, settings, { seconds, frame }), control.dtype),
  );
  const proceed = (): void => { signal.throwIfAborted(); };
  let finished: Promise<unknown> = Promise.resolve();
  for (let n = 0; n < plan.steps; n += 1) {
    const started = startProgram(
      ready, { scalars, timed: false, traced: false },
      { recorder, buffers: buffers.all, proceed },
    );
    await started.played;
    // The last one ends after the others, and each has its own failure.
    finished = Promise.all([finished, started.finished]);
    buffers.swap();
  }
  recorder.flush();
  draw(live);
  return { busy: performance.now() - began, finished };
}

function draw({ device, buffers, paint, plan }: Running): void {
  const encoder = device.createCommandEncoder({ label: "picture" });
  paint.paint(encoder, buffers.shown(plan.picture.output));
  device.queue.submit([encoder.finish()]);
}

/** The value of a picture that is one number. */
async function valueNow({ device, stagings, buffers, plan }: Running): Promise<number | undefined> {
  if (plan.picture.drawn !== "number") return undefined;
  const buffer = buffers.shown(plan.picture.output);
  const encoder = device.createCommandEncoder({ label: "value" });
  const copied = stagings.copy(encoder, buffer, { offset: 0, bytes: 4 });
  device.queue.submit([encoder.finish()]);
  const bytes = await copied.read((mapped) => mapped.slice(0));
  return Number(numbersOf(bytes, plan.picture.dtype)[0]);
}

async function play(live: Running): Promise<void> {
  const { inputs, settings, signal, report, buffers } = live;
  const meter = new Meter(report);
  let seconds = 0;
  let last = performance.now();
  let restarts = settings().restarts - 1;
  while (!signal.aborted) {
    const now = await nextFrame();
    const { playing, restarts: wanted } = settings();
    const anew = wanted !== restarts;
    if (anew) {
      [restarts, seconds] = [wanted, 0];
      buffers.start(inputs);
    }
    if (playing) seconds += Math.max(0, now - last) / 1000;
    last = now;
    if (playing || anew) {
      const { busy, finished } = await step(live, seconds, meter.frames);
      await finished;
      meter.frame(busy);
    }
    if (meter.due || anew) meter.report(await valueNow(live));
  }
}

/** Runs until `signal` aborts or something fails, which is reported; gives everything back. */
export async function runLive(options: LiveOptions): Promise<void> {
  const { device, plan, canvas, report, signal } = options;
  const buffers = new Buffers(device, plan);
  const stagings = new Stagings(device, STAGING_BYTES);
  const recorder = new Recorder(device, stagings);
  const given: (() => void)[] = [
    () => { recorder.destroy(); }, () => { buffers.destroy(); }, () => { stagings.destroy(); },
  ];
  for (const source of options.inputs.values()) given.push(() => { source.destroy(); });
  try {
    const ready = await compileProgram(device, plan.program);
    given.push(ready.destroy);
    await buffers.allocate();
    const paint = await painter(device, canvas, plan.picture);
    given.push(paint.destroy);
    await play({ ...options, ready, stagings, recorder, buffers, paint });
  } catch (cause) {
    if (!signal.aborted) new Meter(report).fail(cause);
  } finally {
    for (const give of given) give();
  }
}
