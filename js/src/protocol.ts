/**
 * The messages between the kernel (Python) and the page, and the Program they carry.
 *
 * Text frames hold one JSON message, or a list of them; binary frames hold a 16-byte header and
 * up to 4 MiB of bytes.
 * The Python twin is `workbench/runtime/page_messages.py`; the two change together.
 * Nothing here touches the GPU, the DOM or a socket.
 */

export const PROTOCOL_VERSION = 8;
/** The format of programs that a page runs: `FORMAT` of `workbench/program.py`. */
export const PROGRAM_FORMAT = 2;

/**
 * Payload bytes of a binary frame: far below the 10 MiB at which Jupyter's servers cut the socket,
 * and small enough that signs of life find their way between two frames.
 */
export const CHUNK_BYTES = 4 * 1024 * 1024;

/** A read or a write of so many bytes or fewer carries them in its message. */
export const SHORT_BYTES = 4096;

/** Bytes in front of each payload: u32 request, u32 zero, u64 offset within the transfer. */
export const HEADER_BYTES = 16;

// ---------------------------------------------------------------- the Program

export type Role = "input" | "output" | "temporary" | "constant" | "status" | "scalars";

/** Bytes of an element; a bool is a word. */
const ELEMENT_BYTES = {
  f16: 2, f32: 4, f64: 8, i8: 1, i32: 4, i64: 8, u8: 1, u32: 4, bool: 4,
} as const;

export interface BufferPlan {
  readonly name: string;
  readonly dtype: keyof typeof ELEMENT_BYTES;
  readonly shape: readonly number[];
  readonly role: Role;
}

export interface BindingPlan {
  readonly index: number;
  readonly buffer: string;
  readonly access: "read" | "read_write" | "uniform";
}

export interface KernelPlan {
  readonly name: string;
  readonly code: string;
  readonly workgroup_size: readonly [number, number, number];
  readonly bindings: readonly BindingPlan[];
  /** Bounds on loop iterations, for drivers that leave loops early; browsers do not. */
  readonly iterations: readonly [number, number];
  /** The entry point in `code`; "main" where it is not said. */
  readonly entry?: string;
}

export type Step =
  | {
      readonly op: "dispatch";
      readonly kernel: string;
      readonly workgroups: readonly [number, number, number];
    }
  | { readonly op: "copy"; readonly source: string; readonly target: string }
  | { readonly op: "repeat"; readonly count: number; readonly body: readonly Step[] }
  | { readonly op: "while"; readonly flag: string; readonly body: readonly Step[] };

export interface Program {
  readonly version: typeof PROGRAM_FORMAT;
  readonly name: string;
  readonly target: string;
  readonly buffers: readonly BufferPlan[];
  readonly scalars: readonly { readonly name: string; readonly dtype: string }[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly kernels: readonly KernelPlan[];
  readonly body: readonly Step[];
  readonly loops?: readonly string[];
  readonly accesses?: readonly CheckedAccess[];
}

/** An access that is checked when it runs; `workbench/program.py` says what it holds. */
export interface CheckedAccess {
  readonly text: string;
  readonly indices: readonly string[];
  readonly finds: boolean;
}

/** The words of a report, as the status buffer holds them: `workbench/program.py` says how. */
export const STATUS_WORDS = 16;
const STATUS_INDEX = 3;
const STATUS_ITERATION = 4;

/** What a status says of an access that left its array: the indices first, then the source. */
export function outsideMessage(
  { name, accesses }: Program,
  status: readonly number[],
): string | undefined {
  const [reported = 0, number = 0] = status;
  const access = reported === 0 ? undefined : accesses?.[~number >>> 0];
  if (access === undefined) return undefined;
  const value = (word: number): number => (status[word] ?? 0) | 0;
  const around = access.indices.map((n, place) => `${n} = ${value(STATUS_ITERATION + place)}`);
  const [words, ...picture] = access.text.split("\n");
  const index = access.finds ? "" : `: the index is ${value(STATUS_INDEX)}`;
  const at = around.length > 0 ? ` at ${around.join(", ")}` : "";
  return [`'${name}': ${words}${index}${at}`, ...picture].join("\n");
}

/** Bytes that a planned buffer takes on the device: whole words, and never none. */
export function bytesOf(plan: BufferPlan, scalarCount: number): number {
  switch (plan.role) {
    case "status":
      return 4 * STATUS_WORDS;
    case "scalars":
      return Math.max(16, Math.ceil((4 * scalarCount) / 16) * 16);
    case "input":
    case "output":
    case "temporary":
    case "constant": {
      const elements = plan.shape.reduce((product, extent) => product * extent, 1);
      return Math.max(4, Math.ceil((ELEMENT_BYTES[plan.dtype] * elements) / 4) * 4);
    }
    default:
      return plan.role satisfies never;
  }
}

// ---------------------------------------------------------------- kernel -> page

/** What computes in a page; handles and keys belong to one of them. */
export type EngineName = "gpu" | "wasm";

export interface CompileRequest {
  readonly kind: "compile";
  readonly id: number;
  readonly engine: EngineName;
  readonly key: string;
  readonly program: Program;
}

export interface AllocateRequest {
  readonly kind: "alloc";
  readonly id: number;
  readonly engine: EngineName;
  readonly buffer: number;
  readonly bytes: number;
}

/** Without `content`, `bytes` bytes follow in binary frames whose header carries this id. */
export interface WriteRequest {
  readonly kind: "write";
  readonly id: number;
  readonly engine: EngineName;
  readonly buffer: number;
  readonly offset: number;
  readonly bytes: number;
  /** The bytes of a short one, in base64. */
  readonly content?: string;
}

export interface RunRequest {
  readonly kind: "run";
  readonly id: number;
  readonly engine: EngineName;
  readonly key: string;
  /** Handles of the inputs, outputs and constants by their name in the program. */
  readonly buffers: Readonly<Record<string, number>>;
  /**
   * Bit patterns of the scalar parameters, in order: JSON has no NaN and no infinity. Each is one
   * word in WGSL and two in WebAssembly.
   */
  readonly scalars: readonly number[];
  readonly timed: boolean;
  /** Whether the answer is to tell when each dispatch and copy was done. */
  readonly traced: boolean;
  readonly deadline_ms: number;
}

export interface ReadRequest {
  readonly kind: "read";
  readonly id: number;
  readonly engine: EngineName;
  readonly buffer: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface FreeRequest {
  readonly kind: "free";
  readonly id: number;
  readonly engine: EngineName;
  readonly buffers: readonly number[];
}

/** The requests that are answered one after the other, in the order of their arrival. */
export type OrderedRequest =
  CompileRequest | AllocateRequest | WriteRequest | RunRequest | ReadRequest | FreeRequest;

/** The requests that overtake: `cancel` ends every run whose id is at most `through`. */
export type Request =
  | OrderedRequest
  | { readonly kind: "ping"; readonly id: number }
  | { readonly kind: "cancel"; readonly id: number; readonly through: number };

// ---------------------------------------------------------------- page -> kernel

export type FailureKind =
  | "shader"
  | "limit"
  | "out-of-memory"
  | "lost"
  | "dropped"
  | "budget"
  | "outside"
  | "deadline"
  | "cancelled"
  | "unavailable"
  | "internal";

export interface Failure {
  readonly kind: FailureKind;
  readonly message: string;
  readonly kernel?: string;
  /** One-based place in the kernel's code, in UTF-16 units as the browser counts them. */
  readonly line?: number;
  readonly column?: number;
  readonly length?: number;
  readonly limit?: string;
  readonly value?: number;
  readonly loop?: number;
}

/** A run of a program that is not ready, or not any more: it has to be compiled again. */
export const DROPPED: Failure = {
  kind: "dropped",
  message: "the page does not hold this program any more",
};

export interface AdapterReport {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly software: boolean;
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
}

export type GpuReport =
  | { readonly available: true; readonly adapter: AdapterReport }
  | { readonly available: false; readonly cause: string; readonly remedy: string };

/** `shared`: several workers see one memory, which a page has to be isolated for. */
export type WasmReport =
  | { readonly available: true; readonly workers: number; readonly shared: boolean }
  | { readonly available: false; readonly cause: string; readonly remedy: string };

export interface KernelTime {
  readonly kernel: string;
  readonly dispatches: number;
  readonly nanoseconds: number;
}

/** When one action of a traced run was done: nanoseconds after its first began. */
export interface Stamp {
  readonly op: "dispatch" | "copy";
  /** The kernel that was dispatched, or the buffer that was copied to. */
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

export interface RunResult {
  readonly submits: number;
  readonly dispatches: number;
  /** From the first submit until the queue was idle; absent unless the run was timed. */
  readonly milliseconds?: number;
  /** Per kernel by the engine's clock; absent unless timed, and where it has none. */
  readonly kernels?: readonly KernelTime[];
  /** Of a traced run: what the clock can tell apart, and by how many nanoseconds it goes on. */
  readonly stamps?: readonly Stamp[];
  readonly step?: number;
}

export interface CompileResult {
  readonly milliseconds: number;
  readonly cached: boolean;
}

/** The bytes of a short read, in base64. */
export interface ShortRead {
  readonly content: string;
}

export type Result = CompileResult | RunResult | ShortRead | Readonly<Record<string, never>>;

export type Reply =
  | { readonly kind: "reply"; readonly id: number; readonly ok: Result }
  | { readonly kind: "reply"; readonly id: number; readonly error: Failure };

export type PageMessage =
  | Reply
  | {
      readonly kind: "hello";
      readonly version: number;
      readonly where: "worker" | "page";
      readonly user_agent: string;
      readonly gpu: GpuReport;
      readonly wasm: WasmReport;
    }
  | { readonly kind: "pong"; readonly id: number }
  /** A panel of the kernel's was drawn here, or somebody turned to this page. */
  | { readonly kind: "shown" }
  /** The button beside the progress of this number was pressed. */
  | { readonly kind: "stop"; readonly number: number }
  | { readonly kind: "received"; readonly id: number; readonly bytes: number }
  /** So many dispatches and copies of a run are done. */
  | { readonly kind: "progress"; readonly id: number; readonly steps: number }
  | { readonly kind: "lost"; readonly engine: EngineName; readonly message: string }
  | { readonly kind: "fault"; readonly message: string };

// ---------------------------------------------------------------- frames

export interface Frame {
  readonly id: number;
  readonly offset: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** A binary frame with that payload, without its header. */
export function frameOf(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER_BYTES + payload.byteLength);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Writes the header into a binary frame, which is ready to be sent then. */
export function head(frame: Uint8Array<ArrayBuffer>, id: number, offset: number): void {
  const header = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES);
  header.setUint32(0, id, true);
  header.setUint32(4, 0, true);
  header.setBigUint64(8, BigInt(offset), true);
}

/** The parts of a binary frame; the payload is a view, not a copy. Throws GpuFailure. */
export function unpackFrame(frame: ArrayBuffer): Frame {
  if (frame.byteLength < HEADER_BYTES) throw malformed(`a frame of ${frame.byteLength} bytes`);
  const header = new DataView(frame);
  return {
    id: header.getUint32(0, true),
    offset: Number(header.getBigUint64(8, true)),
    payload: new Uint8Array(frame, HEADER_BYTES),
  };
}

/** A failure on its way through promises; `failureOf` turns anything thrown into one. */
export class GpuFailure extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.name = "GpuFailure";
    this.failure = failure;
  }
}

export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof GpuFailure) return thrown.failure;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { kind: "internal", message };
}

/** What is no message of the kernel process. */
export function malformed(what: string): GpuFailure {
  return new GpuFailure({ kind: "internal", message: `malformed from the kernel: ${what}` });
}

/** Bytes as a short read or write carries them. */
export function base64Of(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** The bytes that a short write carries. */
export function contentOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
