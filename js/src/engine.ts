/**
 * What computes for a page: its GPU or its WebAssembly. The runtime hands requests to one of them.
 *
 * An engine holds buffers and programs under the handles and keys of one connection.
 */
import { type Failure, failureOf, type Program, type Result, type RunRequest } from "./protocol.ts";

/** A part of a buffer. */
export interface Range {
  readonly handle: number;
  readonly offset: number;
  readonly bytes: number;
}

/** What a holder of an engine is told. */
export interface EngineEvents {
  readonly lost: (message: string) => void;
  readonly fault: (message: string) => void;
}

/** Is told how many dispatches and copies of a run are done; throws where it is to end. */
export type Proceed = (steps: number) => void;

/**
 * All methods throw GpuFailure. What they give as a promise is to be waited for before the next
 * request; what they have not begun by then begins with `flush`.
 */
export interface Engine {
  /** Resolves once everything that it holds is gone. */
  readonly lost: Promise<unknown>;
  /** A buffer under a new handle, contents undefined. */
  readonly allocate: (handle: number, bytes: number) => Promise<void> | undefined;
  readonly write: (handle: number, offset: number, payload: Uint8Array<ArrayBuffer>) => void;
  /** Starts to read a range. */
  readonly read: (range: Range, piece: TakePiece) => StartedRead | Promise<StartedRead>;
  /** Says that a buffer, if it is there, holds nothing of worth, and why. */
  readonly spoil: (handle: number, failure: Failure) => void;
  readonly free: (handle: number) => void;
  /** Makes a program ready; tells whether it was. */
  readonly compile: (key: string, program: Program) => Promise<boolean> | boolean;
  /** Starts a run. The outputs of one that fails carry its failure. */
  readonly run: (request: RunRequest, proceed: Proceed) => StartedRun | Promise<StartedRun>;
  /** Nothing else is to come now: begins what was started and waited for company. */
  readonly flush: () => void;
  readonly release: () => void;
}

/**
 * Takes a piece of a read with its offset in the range. HEADER_BYTES of nothing precede it in
 * `frame`, which is not the taker's to keep.
 */
export type TakePiece = (offset: number, frame: Uint8Array<ArrayBuffer>) => void;

/** A read that is under way; `taken` rejects with GpuFailure. */
export interface StartedRead {
  readonly taken: Promise<void>;
}

/** A run that is under way; `result` rejects with GpuFailure. */
export interface StartedRun {
  readonly result: Promise<Result>;
}

/**
 * The entries of a run's buffers by name. Where one of them is not there, its outputs are spoilt:
 * what goes on with them fails, too. Throws GpuFailure.
 */
export function entriesOf<T>(
  { buffers }: Pick<RunRequest, "buffers">,
  { outputs }: Pick<Program, "outputs">,
  entry: (handle: number) => T,
  spoil: Engine["spoil"],
): Map<string, T> {
  const given = Object.entries(buffers);
  try {
    return new Map(given.map(([name, handle]) => [name, entry(handle)]));
  } catch (cause) {
    const failure = failureOf(cause);
    for (const [name, handle] of given) if (outputs.includes(name)) spoil(handle, failure);
    throw cause;
  }
}

/** Where the engine of a connection comes from. */
export interface EngineSource {
  readonly open: () => Promise<Engine>;
  /** Tells `events` of losses and faults until `signal` aborts. */
  readonly watch: (events: EngineEvents, signal: AbortSignal) => void;
}
