/**
 * One run of a ready program in the crew's memory: its dispatches, copies, repeats and loops.
 *
 * Orders of the first worker are done in their order; those of the others wait for an answer of
 * its before.
 */
import {
  bytesOf,
  failureOf,
  GpuFailure,
  type KernelPlan,
  type KernelTime,
  outsideMessage,
  STATUS_WORDS,
  type Program,
  type RunRequest,
  type RunResult,
  type Stamp,
  type Step,
} from "../protocol.ts";
import type { Proceed } from "../engine.ts";
import type { Crew } from "./crew.ts";
import { MOST_TIMED } from "../gpu/timer.ts";
import { share } from "./share.ts";

/** Bytes of the memory. */
export interface Place {
  readonly address: number;
  readonly bytes: number;
}

interface ReadyKernel {
  readonly plan: KernelPlan;
  readonly key: string;
  /** Where the addresses of its buffers lie, in the order of its bindings. */
  readonly buffers: number;
  /** Milliseconds an iteration, or 0 before the first run. */
  pace: number;
}

/** A program whose modules every worker holds, with memory of its own. */
export interface ReadyProgram {
  readonly program: Program;
  readonly kernels: ReadonlyMap<string, ReadyKernel>;
  /** Temporaries and status by name. */
  readonly own: ReadonlyMap<string, Place>;
  readonly scalars: number;
  /** The address of the word that kernels look at to see whether they are to end. */
  readonly stop: number;
}

const OWN = new Set(["temporary", "status"]);

/** Loads the modules and takes memory. Throws GpuFailure. */
export async function prepareProgram(
  key: string,
  program: Program,
  crew: Crew,
  take: (bytes: number) => Promise<Place>,
): Promise<ReadyProgram> {
  const kernels = new Map<string, ReadyKernel>();
  for (const plan of program.kernels) {
    const module = `${key}/${plan.name}`;
    const orders = crew.hands.map((hand) =>
      hand.order({ op: "load", key: module, code: plan.code }),
    );
    await Promise.all(orders);
    const { address } = await take(4 * plan.bindings.length);
    kernels.set(plan.name, { plan, key: module, buffers: address, pace: 0 });
  }
  const own = new Map<string, Place>();
  for (const plan of program.buffers) {
    if (OWN.has(plan.role)) own.set(plan.name, await take(bytesOf(plan, 0)));
  }
  const scalars = await take(8 * program.scalars.length);
  const stop = await take(4);
  return { program, kernels, own, scalars: scalars.address, stop: stop.address };
}

/** Lets the workers forget a program's modules; the memory is whose it was taken from. */
export function forgetProgram({ kernels }: ReadyProgram, { hands }: Crew): void {
  for (const { key } of kernels.values()) {
    for (const hand of hands) {
      // Where that fails the worker is gone, and with it all modules.
      void hand.order({ op: "load", key, code: undefined }).catch(failureOf);
    }
  }
}

/** What one run needs and finds out. */
class Player {
  readonly times = new Map<string, { dispatches: number; nanoseconds: number }>();
  dispatches = 0;
  /** Dispatches and copies that are done. */
  steps = 0;
  /** Of a traced run: when each was done, by the page's clock. */
  readonly stamps: Stamp[] = [];
  traced = false;
  #began = 0;
  readonly #ready: ReadyProgram;
  readonly #given: ReadonlyMap<string, Place>;
  readonly #crew: Crew;
  readonly #proceed: Proceed;

  constructor(
    ready: ReadyProgram,
    given: ReadonlyMap<string, Place>,
    crew: Crew,
    proceed: Proceed,
  ) {
    this.#ready = ready;
    this.#given = given;
    this.#crew = crew;
    this.#proceed = proceed;
  }

  place(name: string): Place {
    const found = this.#ready.own.get(name) ?? this.#given.get(name);
    if (found !== undefined) return found;
    throw new GpuFailure({ kind: "internal", message: `the program has no buffer ${name}` });
  }

  /** Writes what the kernels are given. */
  async begin(scalars: readonly number[]): Promise<void> {
    for (const { plan, buffers } of this.#ready.kernels.values()) {
      await this.#write(
        buffers,
        plan.bindings.map(({ buffer }) => this.place(buffer).address),
      );
    }
    await this.#write(this.#ready.scalars, scalars);
    await this.#write(this.#ready.stop, [0]);
    for (const { name, role } of this.#ready.program.buffers) {
      if (role !== "status") continue;
      await this.#write(this.place(name).address, Array<number>(STATUS_WORDS).fill(0));
    }
  }

  async play(body: readonly Step[]): Promise<void> {
    for (const step of body) {
      this.#proceed(this.steps);
      switch (step.op) {
        case "dispatch":
          await this.#stamped("dispatch", step.kernel, () =>
            this.#dispatch(step.kernel, step.workgroups[0]));
          break;
        case "copy":
          await this.#stamped("copy", step.target, () => this.#copy(step.source, step.target));
          break;
        case "repeat":
          for (let round = 0; round < step.count; round += 1) await this.play(step.body);
          break;
        case "while":
          while ((await this.words(step.flag, 1))[0] !== 0) await this.play(step.body);
          break;
        default:
          step satisfies never;
      }
    }
  }

  /** Does one action, and notes when. */
  async #stamped(op: Stamp["op"], name: string, act: () => Promise<void>): Promise<void> {
    const begin = performance.now();
    if (this.steps === 0) this.#began = begin;
    await act();
    this.steps += 1;
    if (!this.traced || this.stamps.length >= MOST_TIMED) return;
    const after = (time: number): number => 1e6 * (time - this.#began);
    this.stamps.push({ op, name, begin: after(begin), end: after(performance.now()) });
  }

  /** The first words of a buffer. */
  async words(name: string, count: number): Promise<Uint32Array> {
    const { address } = this.place(name);
    const { payload } = await this.#crew.hands[0].order({ op: "read", address, bytes: 4 * count });
    return new Uint32Array(payload ?? new ArrayBuffer(0));
  }

  async #dispatch(name: string, count: number): Promise<void> {
    const kernel = this.#ready.kernels.get(name);
    if (kernel === undefined) {
      throw new GpuFailure({ kind: "internal", message: `the program has no kernel ${name}` });
    }
    const { key, buffers } = kernel;
    const { scalars, stop } = this.#ready;
    const call = async (worker: number, begin: number, end: number): Promise<number> => {
      const hand = this.#crew.hands[worker] ?? this.#crew.hands[0];
      const order = { op: "call", key, name, buffers, scalars, stop, begin, end } as const;
      return (await hand.order(order)).milliseconds;
    };
    const workers = this.#crew.hands.length;
    const proceed = (): void => { this.#proceed(this.steps); };
    const spent = await share(count, workers, kernel.pace, call, proceed);
    kernel.pace = spent / Math.max(1, count);
    this.dispatches += 1;
    const time = this.times.get(name) ?? { dispatches: 0, nanoseconds: 0 };
    time.dispatches += 1;
    time.nanoseconds += 1e6 * spent;
    this.times.set(name, time);
  }

  async #copy(source: string, target: string): Promise<void> {
    const [from, to] = [this.place(source), this.place(target)];
    const bytes = Math.min(from.bytes, to.bytes);
    const order = { op: "copy", source: from.address, target: to.address, bytes } as const;
    await this.#crew.hands[0].order(order);
  }

  async #write(address: number, words: readonly number[]): Promise<void> {
    const payload = Uint32Array.from(words).buffer;
    await this.#crew.hands[0].order({ op: "write", address, payload }, [payload]);
  }
}

/** Throws GpuFailure where an access left its array. */
async function checkStatus({ program }: ReadyProgram, player: Player): Promise<void> {
  const plan = program.buffers.find(({ role }) => role === "status");
  if (plan === undefined) return;
  const message = outsideMessage(program, [...(await player.words(plan.name, STATUS_WORDS))]);
  if (message === undefined) return;
  throw new GpuFailure({ kind: "outside", message });
}

/** Runs a program to its end; rejects with GpuFailure, also where `proceed` throws one. */
export async function playProgram(
  ready: ReadyProgram,
  { scalars, traced }: Pick<RunRequest, "scalars" | "traced">,
  given: ReadonlyMap<string, Place>,
  crew: Crew,
  proceed: Proceed,
): Promise<RunResult> {
  const player = new Player(ready, given, crew, proceed);
  const started = performance.now();
  player.traced = traced;
  await player.begin(scalars);
  await player.play(ready.program.body);
  const milliseconds = performance.now() - started;
  await checkStatus(ready, player);
  const kernels: KernelTime[] = [...player.times].map(([kernel, time]) => ({ kernel, ...time }));
  const { dispatches, steps, stamps } = player;
  const told = traced && steps <= MOST_TIMED ? { stamps } : {};
  return { submits: 0, dispatches, milliseconds, kernels, ...told };
}
