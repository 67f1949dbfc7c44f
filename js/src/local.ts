/**
 * What views of a page ask of the thread that holds its GPU, past the kernel process: bytes of a
 * buffer, and kernels that run live. It runs in the worker, or on the page's thread where that
 * holds the GPU.
 *
 * Buffers are those of a connection, named by its key and their handles.
 */
import { GpuEngine } from "./gpu/engine.ts";
import type { Runtime } from "./gpu/runtime.ts";
import type { LiveReport, Plan, Settings } from "./live/plan.ts";
import { runLive } from "./live/run.ts";
import { failureOf, GpuFailure, HEADER_BYTES } from "./protocol.ts";

/** Numbers of a page's own, one for each read and each live kernel. */
interface Numbered {
  readonly id: number;
}

export interface ReadOrder extends Numbered {
  readonly kind: "read";
  readonly key: string;
  readonly handle: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface LiveOrder extends Numbered {
  readonly kind: "live";
  readonly plan: Plan;
  readonly canvas: OffscreenCanvas;
  readonly settings: Settings;
}

export interface SettingsOrder extends Numbered {
  readonly kind: "settings";
  readonly settings: Settings;
}

export interface EndOrder extends Numbered {
  readonly kind: "end";
}

export type LocalOrder = ReadOrder | LiveOrder | SettingsOrder | EndOrder;

export type LocalReport = Numbered &
  (
    | { readonly kind: "piece"; readonly bytes: ArrayBuffer }
    | { readonly kind: "refused"; readonly message: string }
    | { readonly kind: "live"; readonly report: LiveReport }
  );

interface Running {
  settings: Settings;
  readonly stop: AbortController;
}

/** Takes orders of the page; `report` answers them. */
export class LocalServer {
  readonly #report: (message: LocalReport) => void;
  readonly #runtimes = new Map<string, Runtime>();
  readonly #running = new Map<number, Running>();
  /** Connections that are to say that the page is looked at, once they are open. */
  readonly #unsaid = new Set<string>();

  constructor(report: (message: LocalReport) => void) {
    this.#report = report;
  }

  /** A connection was opened, or is gone. */
  connected(key: string, runtime: Runtime | undefined): void {
    if (runtime === undefined) {
      this.#runtimes.delete(key);
      return;
    }
    this.#runtimes.set(key, runtime);
    if (this.#unsaid.delete(key)) runtime.shown();
  }

  /** Tells a kernel process that this page is looked at, as soon as it can be told. */
  shown(key: string): void {
    const runtime = this.#runtimes.get(key);
    if (runtime === undefined) this.#unsaid.add(key);
    else runtime.shown();
  }

  /** Tells a kernel process that what it shows under a number is to end. */
  stop(key: string, number: number): void {
    this.#runtimes.get(key)?.stop(number);
  }

  take(order: LocalOrder): void {
    switch (order.kind) {
      case "read":
        void this.#read(order);
        break;
      case "live":
        void this.#live(order);
        break;
      case "settings": {
        const running = this.#running.get(order.id);
        if (running !== undefined) running.settings = order.settings;
        break;
      }
      case "end":
        this.#running.get(order.id)?.stop.abort();
        break;
      default:
        order satisfies never;
    }
  }

  /** Does work with the GPU's engine of a connection, after all that was asked of it before. */
  #visit<T>(key: string, work: (engine: GpuEngine) => Promise<T>): Promise<T> {
    const runtime = this.#runtimes.get(key);
    if (runtime === undefined) {
      const message = "this page is not connected to the kernel process";
      return Promise.reject(new GpuFailure({ kind: "lost", message }));
    }
    return runtime.visit((engine) => {
      if (engine instanceof GpuEngine) return work(engine);
      throw new GpuFailure({ kind: "unavailable", message: "this is not the page's GPU" });
    });
  }

  async #read({ id, key, handle, offset, bytes }: ReadOrder): Promise<void> {
    const found = new Uint8Array(bytes);
    try {
      await this.#visit(key, async (engine) => {
        const { taken } = engine.read({ handle, offset, bytes }, (at, frame) => {
          found.set(frame.subarray(HEADER_BYTES), at);
        });
        await taken;
      });
      this.#report({ kind: "piece", id, bytes: found.buffer });
    } catch (cause) {
      this.#report({ kind: "refused", id, message: failureOf(cause).message });
    }
  }

  async #live({ id, plan, canvas, settings }: LiveOrder): Promise<void> {
    const running: Running = { settings, stop: new AbortController() };
    this.#running.set(id, running);
    const report = (said: LiveReport): void => {
      this.#report({ kind: "live", id, report: said });
    };
    try {
      const lent = await this.#visit(plan.token, (engine) => engine.lend(plan.inputs));
      const { signal } = running.stop;
      await runLive({ ...lent, plan, canvas, report, settings: () => running.settings, signal });
    } catch (cause) {
      const failure = `${failureOf(cause).message}; run the cell again`;
      report({ frames: 0, rate: 0, busy: 0, failure });
    } finally {
      this.#running.delete(id);
    }
  }
}
