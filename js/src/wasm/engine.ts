/**
 * The page's WebAssembly as an engine: buffers of one connection in one memory, runs in workers.
 *
 * A run is done before the next request is taken. One that does not stop when it is told to costs
 * the workers, and with them every buffer.
 */
import {
  type Engine,
  type EngineEvents,
  type EngineSource,
  entriesOf,
  type Proceed,
  type Range,
  type StartedRead,
  type StartedRun,
  type TakePiece,
} from "../engine.ts";
import {
  bytesOf,
  CHUNK_BYTES,
  DROPPED,
  type Failure,
  failureOf,
  frameOf,
  GpuFailure,
  type Program,
  type RunRequest,
  type RunResult,
  type WasmReport,
} from "../protocol.ts";
import { KEPT_PROGRAMS, Recent } from "../recent.ts";
import { Crew, crewSize, mayShare } from "./crew.ts";
import { supported } from "./module.ts";
import {
  forgetProgram, type Place, playProgram, prepareProgram, type ReadyProgram,
} from "./run.ts";
import { Spaces } from "./spaces.ts";

/** What a worker's calls may take for private arrays, of which code has 256 KiB, and more. */
const STACK_BYTES = 320 * 1024;
/** The most bytes of one buffer: compiled code counts within one in 32 bits, with a sign. */
const LARGEST = 2 ** 31 - 65536;
/** How long a run that was told to stop may take to do so. */
const GRACE_MS = 1000;
const WATCH_MS = 50;

/** What the page says of its WebAssembly. */
export function wasmReport(): WasmReport {
  if (supported()) return { available: true, workers: crewSize(), shared: mayShare() };
  return {
    available: false,
    cause: "this browser has no WebAssembly with vectors and atomics",
    remedy: "use Chrome or Edge 91, Firefox 89, Safari 16.4, or a newer one of them",
  };
}

/** A buffer; `failure` says why its content is worthless, if it is. */
interface Entry extends Place {
  failure: Failure | undefined;
}

/** A program with the memory that it took. */
interface Held {
  readonly ready: ReadyProgram;
  readonly places: readonly Place[];
}

function settledLater(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function pause(milliseconds: number): Promise<"late"> {
  return new Promise((resolve) => {
    setTimeout(() => {
      resolve("late");
    }, milliseconds);
  });
}

function checkRange({ bytes: size }: Entry, offset: number, bytes: number): void {
  if (offset + bytes <= size) return;
  const message = `bytes ${offset} to ${offset + bytes} of a buffer of ${size}`;
  throw new GpuFailure({ kind: "internal", message });
}

export class WasmEngine implements Engine {
  readonly lost: Promise<unknown>;
  readonly #spaces = new Spaces();
  readonly #crew: Crew;
  readonly #entries = new Map<number, Entry>();
  readonly #programs = new Recent<Held>(KEPT_PROGRAMS, ({ ready, places }) => {
    forgetProgram(ready, this.#crew);
    this.#giveBack(places);
  });
  /** Why there was no memory for the buffers that were asked for. */
  readonly #refused = new Map<number, Failure>();
  readonly #lose: (message: string) => void;

  /** `onLost` is told when everything is gone. Throws GpuFailure. */
  constructor(onLost: (message: string) => void) {
    const { promise, resolve } = settledLater();
    this.lost = promise;
    this.#crew = new Crew(() => this.#spaces.take(STACK_BYTES) + STACK_BYTES);
    this.#lose = (message) => {
      this.#crew.end({ kind: "lost", message });
      resolve();
      onLost(message);
    };
  }

  async allocate(handle: number, bytes: number): Promise<void> {
    if (this.#entries.has(handle)) {
      throw new GpuFailure({ kind: "internal", message: `there is a buffer ${handle}` });
    }
    try {
      this.#entries.set(handle, { ...(await this.#take(bytes)), failure: undefined });
    } catch (cause) {
      this.#refused.set(handle, failureOf(cause));
      throw cause;
    }
  }

  spoil(handle: number, failure: Failure): void {
    const entry = this.#entries.get(handle);
    if (entry !== undefined) entry.failure = failure;
  }

  write(handle: number, offset: number, payload: Uint8Array<ArrayBuffer>): void {
    const entry = this.#entry(handle);
    checkRange(entry, offset, payload.byteLength);
    const copy = payload.slice().buffer;
    const order = { op: "write", address: entry.address + offset, payload: copy } as const;
    void this.#crew.hands[0].order(order, [copy]).catch((cause: unknown) => {
      entry.failure = failureOf(cause);
    });
    entry.failure = undefined;
  }

  async read({ handle, offset, bytes }: Range, piece: TakePiece): Promise<StartedRead> {
    const entry = this.#entry(handle);
    const { address, failure } = entry;
    checkRange(entry, offset, bytes);
    if (failure !== undefined) throw new GpuFailure(failure);
    for (let start = 0; start < bytes; start += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, bytes - start);
      const place = address + offset + start;
      const { payload } = await this.#crew.hands[0].order({
        op: "read",
        address: place,
        bytes: length,
      });
      piece(start, frameOf(new Uint8Array(payload ?? new ArrayBuffer(0))));
    }
    return { taken: Promise.resolve() };
  }

  free(handle: number): void {
    this.#refused.delete(handle);
    const entry = this.#entries.get(handle);
    if (entry === undefined) return;
    this.#entries.delete(handle);
    this.#spaces.give(entry.address, entry.bytes);
  }

  async compile(key: string, program: Program): Promise<boolean> {
    if (this.#programs.get(key) !== undefined) return true;
    const places: Place[] = [];
    const take = async (bytes: number): Promise<Place> => {
      const place = await this.#take(bytes);
      places.push(place);
      return place;
    };
    try {
      const ready = await prepareProgram(key, program, this.#crew, take);
      this.#programs.set(key, { ready, places });
    } catch (cause) {
      this.#giveBack(places);
      throw cause;
    }
    return false;
  }

  async run(request: RunRequest, proceed: Proceed): Promise<StartedRun> {
    const ready = this.#programs.get(request.key)?.ready;
    if (ready === undefined) throw new GpuFailure(DROPPED);
    const entries = entriesOf(
      request,
      ready.program,
      (handle) => this.#entry(handle),
      (handle, failure) => { this.spoil(handle, failure); },
    );
    const result = this.#play(ready, request, entries, proceed);
    const failure = await result.then(() => undefined, failureOf);
    for (const name of ready.program.outputs) {
      const output = entries.get(name);
      if (output !== undefined) output.failure = failure;
    }
    return { result };
  }

  flush(): void {
    return; // everything has begun: workers take one order after the other
  }

  release(): void {
    this.#crew.end({ kind: "lost", message: "disconnected" });
  }

  async #play(
    ready: ReadyProgram,
    request: RunRequest,
    entries: ReadonlyMap<string, Entry>,
    proceed: Proceed,
  ): Promise<RunResult> {
    for (const [name, { failure, bytes }] of entries) {
      const plan = ready.program.buffers.find((buffer) => buffer.name === name);
      if (plan !== undefined && bytes < bytesOf(plan, 0)) {
        const message = `buffer '${name}' has ${bytes} bytes, the program needs more`;
        throw new GpuFailure({ kind: "internal", message });
      }
      if (failure !== undefined && !ready.program.outputs.includes(name)) {
        throw new GpuFailure(failure);
      }
    }
    let done = 0;
    const told = (steps: number): void => { proceed(done = steps); };
    const played = playProgram(ready, request, entries, this.#crew, told);
    return this.#watched(played, ready.stop, () => { proceed(done); });
  }

  /** What a run gives; one that is to end and does not is ended with everything else. */
  async #watched<T>(run: Promise<T>, stop: number, proceed: () => void): Promise<T> {
    for (;;) {
      if ((await Promise.race([run, pause(WATCH_MS)])) !== "late") return run;
      try {
        proceed();
      } catch (cause) {
        this.#crew.signal(stop);
        const ended = run.then(() => "ended", failureOf);
        if ((await Promise.race([ended, pause(GRACE_MS)])) === "late") {
          this.#lose("a run did not stop, and was ended with all buffers of WebAssembly");
        }
        throw cause;
      }
    }
  }

  #giveBack(places: readonly Place[]): void {
    for (const { address, bytes } of places) this.#spaces.give(address, bytes);
  }

  async #take(bytes: number): Promise<Place> {
    if (bytes > LARGEST) {
      const message = `a buffer of ${bytes} bytes: one in wasm has at most ${LARGEST}`;
      throw new GpuFailure({ kind: "limit", message, limit: "maxBufferSize", value: LARGEST });
    }
    const address = this.#spaces.take(bytes);
    try {
      await this.#crew.reach(address + bytes);
    } catch (cause) {
      this.#spaces.give(address, bytes);
      throw cause;
    }
    return { address, bytes };
  }

  #entry(handle: number): Entry {
    const found = this.#entries.get(handle);
    if (found !== undefined) return found;
    const message = `the page does not hold buffer ${handle}`;
    throw new GpuFailure(this.#refused.get(handle) ?? { kind: "lost", message });
  }
}

/** Engines for one connection, each made when it is wanted. */
export function wasmEngines(): EngineSource {
  const watchers = new Set<EngineEvents>();
  const lost = (message: string): void => {
    for (const watcher of watchers) watcher.lost(message);
  };
  return {
    open: () => Promise.resolve().then(() => new WasmEngine(lost)),
    watch: (events, signal) => {
      watchers.add(events);
      signal.addEventListener("abort", () => watchers.delete(events));
    },
  };
}
