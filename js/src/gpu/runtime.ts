/**
 * What the page does for one kernel process: takes its requests in order, and answers each.
 *
 * Cancels overtake everything else. After a loss of the engine every handle of this connection is
 * gone, and the next request starts on a new one.
 * It sees neither the socket nor the engine's set-up: `send` and `source` are given.
 */
import type { Engine, EngineSource, Proceed, StartedRead, StartedRun } from "../engine.ts";
import {
  base64Of,
  type EngineName,
  type Failure,
  contentOf,
  failureOf,
  type Frame,
  GpuFailure,
  head,
  HEADER_BYTES,
  type OrderedRequest,
  type PageMessage,
  type Program,
  type ReadRequest,
  type Result,
  type RunRequest,
  SHORT_BYTES,
  type WriteRequest,
} from "../protocol.ts";
import { type Arrival, arrival } from "./arrival.ts";
import type { Leaving } from "./outbox.ts";

export interface RuntimeOptions {
  readonly name: EngineName;
  readonly source: EngineSource;
  /** Sends a message, at once where nothing else is said. */
  readonly send: (message: PageMessage, leaving?: Leaving) => void;
  readonly sendBytes: (frame: Uint8Array<ArrayBuffer>) => void;
  /** Ends the runtime and gives back everything it holds. */
  readonly signal: AbortSignal;
}

/** So long after an error the engine may still turn out to be lost. */
const LOSS_GRACE_MS = 100;

/** How often a run that takes long says how far it is. */
const TELL_MS = 200;

/** What became of a request: known now, or once the engine is through. */
type Outcome = { readonly now: Result } | { readonly later: Promise<Result> };

/** Work in its turn; what it gives is waited for before the next. */
type Work = () => Promise<unknown> | undefined;

const DONE: Outcome = { now: {} };

function stopFailure(request: RunRequest, cancelled: boolean): GpuFailure {
  if (cancelled) return new GpuFailure({ kind: "cancelled", message: "the run was stopped" });
  const message = `the run did not end within its ${request.deadline_ms / 1000} s`;
  return new GpuFailure({ kind: "deadline", message });
}

/**
 * When the answer leaves. Nobody waits for some; that to a release of nothing is how a page is
 * timed. Behind bytes, which take their time, it goes at once: the next are asked for then.
 */
function leavingOf(request: OrderedRequest): Leaving {
  switch (request.kind) {
    case "alloc":
      return "later";
    case "free":
      return request.buffers.length > 0 ? "later" : "turn";
    case "write":
      return request.content === undefined ? "turn" : "later";
    case "read":
      return request.bytes > SHORT_BYTES ? "now" : "turn";
    case "compile":
    case "run":
      return "turn";
    default:
      return request satisfies never;
  }
}

function strayFrame({ id, bytes }: WriteRequest, offset: number): GpuFailure {
  const message = `write ${id} of ${bytes} bytes: no frame is due at ${offset}`;
  return new GpuFailure({ kind: "internal", message });
}

export class Runtime {
  readonly #options: RuntimeOptions;
  readonly #arrivals = new Map<number, Arrival>();
  /** What was taken and is not done, in order; it never throws and never rejects. */
  readonly #queue: Work[] = [];
  #pumping = false;
  #engine: Promise<Engine> | undefined;
  /** The engine, once it is open. */
  #open: Engine | undefined;
  #cancelledThrough = -1;
  /** Why the last engine was lost, until the next one is open. */
  #lostMessage: string | undefined;

  constructor(options: RuntimeOptions) {
    const { name, source, send, signal } = options;
    this.#options = options;
    const lost = (message: string): void => {
      this.#open?.flush(); // what waits there fails with it
      this.#engine = this.#open = undefined;
      this.#lostMessage = message;
      send({ kind: "lost", engine: name, message });
    };
    const fault = (message: string): void => {
      send({ kind: "fault", message });
    };
    source.watch({ lost, fault }, signal);
    signal.addEventListener("abort", () => {
      void this.#engine?.then(
        (engine) => {
          engine.release();
        },
        () => undefined, // it never came to be
      );
    });
  }

  /** Ends every run whose request has at most the number `through`. */
  cancel(through: number): void {
    this.#cancelledThrough = Math.max(this.#cancelledThrough, through);
  }

  /** Tells the kernel process that the page is looked at. */
  shown(): void {
    this.#options.send({ kind: "shown" });
  }

  /** Tells the kernel process that somebody wants what it does to end. */
  stop(number: number): void {
    this.#options.send({ kind: "stop", number });
  }

  /** Takes a request, to be answered in its turn. */
  take(request: OrderedRequest): void {
    if (request.kind === "write") {
      this.#takeWrite(request);
    } else {
      const work = (): Outcome | Promise<Outcome> =>
        this.#with((engine) => this.#perform(engine, request));
      this.#answer(request, work);
    }
  }

  /** Does work of this page with the engine, after everything before it. */
  visit<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      this.#enqueue(() => {
        const done = this.#held().then((engine) => {
          const working = work(engine);
          engine.flush();
          return working;
        });
        resolve(done);
        return done.catch(failureOf); // whoever asked is told
      });
    });
  }

  /** Takes a binary frame of a write that was announced; tells whether it was. */
  binary(frame: Frame): boolean {
    const incoming = this.#arrivals.get(frame.id);
    incoming?.push(frame);
    return incoming !== undefined;
  }

  /** Does `work` after everything before it, and sends what became of it. */
  #answer(request: OrderedRequest, work: () => Outcome | Promise<Outcome>): void {
    const { send, signal } = this.#options;
    const { id } = request;
    const leaving = leavingOf(request);
    const accept = (ok: Result): void => {
      send({ kind: "reply", id, ok }, leaving);
    };
    const refuse = async (cause: unknown): Promise<void> => {
      send({ kind: "reply", id, error: await this.#failure(cause) }, "turn");
    };
    const settle = (outcome: Outcome): void => {
      if ("now" in outcome) accept(outcome.now);
      else void outcome.later.then(accept, refuse);
    };
    this.#enqueue(() => {
      if (signal.aborted) return undefined;
      try {
        const outcome = work();
        if (outcome instanceof Promise) return outcome.then(settle).catch(refuse);
        settle(outcome);
        return undefined;
      } catch (cause) {
        return refuse(cause);
      }
    });
  }

  /** Puts work behind what is there, to begin once all that came together is there. */
  #enqueue(work: Work): void {
    this.#queue.push(work);
    if (this.#pumping) return;
    this.#pumping = true;
    queueMicrotask(() => { void this.#pump(); });
  }

  /** Does what is there; the engine begins it whenever nothing else follows at once. */
  async #pump(): Promise<void> {
    for (let work = this.#queue.shift(); work !== undefined; work = this.#queue.shift()) {
      const waited = work();
      if (waited === undefined) continue;
      this.#open?.flush();
      await waited;
    }
    this.#open?.flush();
    this.#pumping = false;
  }

  /** A failure as it is told; what breaks because the engine is gone is called lost. */
  async #failure(cause: unknown): Promise<Failure> {
    const failure = failureOf(cause);
    if (failure.kind !== "internal") return failure;
    // Consequences of a loss may be known before the loss itself is.
    const held = await this.#engine?.catch(() => undefined);
    const grace = new Promise((resolve) => setTimeout(resolve, LOSS_GRACE_MS));
    if (held !== undefined) await Promise.race([held.lost, grace]);
    const message = this.#lostMessage;
    return message === undefined ? failure : { kind: "lost", message };
  }

  #held(): Promise<Engine> {
    this.#engine ??= this.#hold().catch((cause: unknown) => {
      this.#engine = undefined;
      throw cause;
    });
    return this.#engine;
  }

  async #hold(): Promise<Engine> {
    const engine = await this.#options.source.open();
    this.#lostMessage = undefined;
    this.#open = engine;
    return engine;
  }

  /** Does work with the engine: at once where that is open. */
  #with(work: (engine: Engine) => Outcome | Promise<Outcome>): Outcome | Promise<Outcome> {
    return this.#open === undefined ? this.#held().then(work) : work(this.#open);
  }

  #takeWrite(request: WriteRequest): void {
    const { buffer, offset, content } = request;
    if (content === undefined) {
      this.#expectBytes(request);
      return;
    }
    const write = (engine: Engine): Outcome => {
      engine.write(buffer, offset, contentOf(content));
      return DONE;
    };
    this.#answer(request, () => this.#with(write));
  }

  #expectBytes(request: WriteRequest): void {
    const incoming = arrival(this.#options.signal);
    this.#arrivals.set(request.id, incoming);
    this.#answer(request, async () => {
      try {
        return await this.#write(request, incoming);
      } finally {
        this.#arrivals.delete(request.id);
      }
    });
  }

  async #write(request: WriteRequest, incoming: Arrival): Promise<Outcome> {
    const { id, bytes } = request;
    let failure: Failure | undefined;
    // Every frame is taken, also after a failure: only so many are sent ahead of what was taken.
    for (let taken = 0; taken < bytes; ) {
      const frame = await incoming.next();
      const size = frame.payload.byteLength;
      const write = async (): Promise<void> => {
        if (frame.offset !== taken || taken + size > bytes) throw strayFrame(request, frame.offset);
        const engine = await this.#held();
        engine.write(request.buffer, request.offset + taken, frame.payload);
      };
      failure ??= await write().then(() => undefined, failureOf);
      taken += size;
      this.#options.send({ kind: "received", id, bytes: size });
    }
    if (failure === undefined) return DONE;
    (await this.#held()).spoil(request.buffer, failure);
    throw new GpuFailure(failure);
  }

  #perform(
    engine: Engine,
    request: Exclude<OrderedRequest, WriteRequest>,
  ): Outcome | Promise<Outcome> {
    switch (request.kind) {
      case "compile":
        return this.#compile(engine, request.key, request.program);
      case "alloc":
        return engine.allocate(request.buffer, request.bytes)?.then(() => DONE) ?? DONE;
      case "run": {
        const started = engine.run(request, this.#stopper(request));
        const later = ({ result }: StartedRun): Outcome => ({ later: result });
        return started instanceof Promise ? started.then(later) : later(started);
      }
      case "read":
        return this.#read(engine, request);
      case "free":
        for (const handle of request.buffers) engine.free(handle);
        return DONE;
      default:
        return request satisfies never;
    }
  }

  #read(
    engine: Engine,
    { id, buffer, offset, bytes }: ReadRequest,
  ): Outcome | Promise<Outcome> {
    let answer: Result = {};
    const started = engine.read({ handle: buffer, offset, bytes }, (at, frame) => {
      if (bytes <= SHORT_BYTES) {
        answer = { content: base64Of(frame.subarray(HEADER_BYTES)) };
        return;
      }
      head(frame, id, at);
      this.#options.sendBytes(frame);
    });
    const later = ({ taken }: StartedRead): Outcome => ({ later: taken.then(() => answer) });
    return started instanceof Promise ? started.then(later) : later(started);
  }

  #compile(engine: Engine, key: string, program: Program): Outcome | Promise<Outcome> {
    const started = performance.now();
    const said = (cached: boolean): Outcome => {
      return { now: { cached, milliseconds: performance.now() - started } };
    };
    const cached = engine.compile(key, program);
    return cached instanceof Promise ? cached.then(said) : said(cached);
  }

  /** What tells how far a run is, and throws GpuFailure once it is to end. */
  #stopper(request: RunRequest): Proceed {
    const { send, signal } = this.#options;
    const { id, deadline_ms } = request;
    const started = performance.now();
    let told = started;
    return (steps) => {
      const now = performance.now();
      const cancelled = id <= this.#cancelledThrough || signal.aborted;
      if (cancelled || now >= started + deadline_ms) throw stopFailure(request, cancelled);
      if (now < told + TELL_MS) return;
      told = now;
      send({ kind: "progress", id, steps });
    };
  }
}
