/**
 * The workers that compute, as seen from where their orders come from.
 *
 * Each does its orders one after the other. Where the page is isolated they share a memory with
 * this side; else there is one, whose memory nobody else sees.
 */
import workerText from "worker:./worker.ts";
import { GpuFailure } from "../protocol.ts";
import { reach } from "./module.ts";
import { MOST_PAGES } from "./spaces.ts";
import type { Answer, Done, Order } from "./worker.ts";

/** Whether workers of this page may share a memory. */
export function mayShare(): boolean {
  return globalThis.crossOriginIsolated;
}

/** How many workers are started. */
export function crewSize(): number {
  return mayShare() ? navigator.hardwareConcurrency : 1;
}

interface Waiting {
  readonly resolve: (done: Done) => void;
  readonly reject: (cause: unknown) => void;
}

/** One worker. */
export class Hand {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #ended: GpuFailure | undefined;

  constructor(address: string) {
    this.#worker = new Worker(address, { name: "workbench-wasm" });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      const first = this.#waiting.shift();
      if (data.ok) first?.resolve(data);
      else first?.reject(new GpuFailure({ kind: "internal", message: data.message }));
    });
    this.#worker.addEventListener("error", ({ message }) => {
      const words = message === "" ? "it did not start" : message;
      this.end({ kind: "unavailable", message: `a worker of the page failed: ${words}` });
    });
  }

  /** Does an order after those before it. Rejects with GpuFailure. */
  order(order: Order, transfer: Transferable[] = []): Promise<Done> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(order, transfer);
    });
  }

  /** Ends the worker, whatever it does; all its orders fail. */
  end(failure: GpuFailure["failure"]): void {
    this.#ended = new GpuFailure(failure);
    this.#worker.terminate();
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }
}

export class Crew {
  readonly hands: readonly [Hand, ...Hand[]];
  readonly #shared: WebAssembly.Memory | undefined;
  #reached = 0;

  /** `stackTop` says where the stack of each worker ends. Throws GpuFailure. */
  constructor(stackTop: (worker: number) => number) {
    this.#shared = mayShare()
      ? new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true })
      : undefined;
    const address = URL.createObjectURL(new Blob([workerText], { type: "text/javascript" }));
    try {
      const hand = (): Hand => new Hand(address);
      this.hands = [hand(), ...Array.from({ length: crewSize() - 1 }, hand)];
    } catch (cause) {
      const message = `the page may not start workers: ${String(cause)}`;
      throw new GpuFailure({ kind: "unavailable", message });
    }
    const started = this.hands.map((hand, worker) =>
      hand.order({ op: "start", memory: this.#shared, stackTop: stackTop(worker) }),
    );
    // One that did not start says so at every later order.
    void Promise.allSettled(started).then(() => {
      URL.revokeObjectURL(address);
    });
  }

  /** Makes the memory hold so many bytes. Rejects with GpuFailure. */
  async reach(bytes: number): Promise<void> {
    if (bytes <= this.#reached) return;
    try {
      if (this.#shared === undefined) await this.hands[0].order({ op: "reach", bytes });
      else reach(this.#shared, bytes);
    } catch (cause) {
      const message = `the page has no room for ${bytes} bytes of memory: ${String(cause)}`;
      throw new GpuFailure({ kind: "out-of-memory", message });
    }
    this.#reached = bytes;
  }

  /** Sets a word that running kernels see; without a shared memory they cannot. */
  signal(address: number): void {
    if (this.#shared === undefined) return;
    Atomics.store(new Int32Array(this.#shared.buffer), address / 4, 1);
  }

  end(failure: GpuFailure["failure"]): void {
    for (const hand of this.hands) hand.end(failure);
  }
}
