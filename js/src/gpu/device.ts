/**
 * One GPUDevice, asked for with everything the adapter offers, renewed after it was lost.
 *
 * Says why there is none, and what to do about it. No DOM, no Jupyter, no socket; it runs in a
 * worker and on the page's thread alike.
 */
import type { EngineEvents } from "../engine.ts";
import { type AdapterReport, type GpuReport, GpuFailure } from "../protocol.ts";
import { oncePerPage } from "./once.ts";

export interface OpenDevice {
  readonly device: GPUDevice;
  readonly adapter: AdapterReport;
}

interface Missing {
  readonly cause: string;
  readonly remedy: string;
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bcpu\b/i;

/** Why there is no WebGPU here at all, or undefined where `navigator.gpu` exists. */
export function missingGpu(): Missing | undefined {
  if (!globalThis.isSecureContext) {
    return {
      cause: "the page is not a secure context, and browsers offer WebGPU only to those",
      remedy: "open the notebook over https or on localhost (ssh -L 8888:localhost:8888 HOST)",
    };
  }
  const gpu = (navigator as { readonly gpu?: GPU }).gpu;
  if (gpu === undefined) {
    return {
      cause: "this browser has no WebGPU (navigator.gpu is missing)",
      remedy: "use Chrome or Edge 113, Firefox 141, Safari 26, or a newer one of them",
    };
  }
  return undefined;
}

function unavailable(missing: Missing): GpuFailure {
  return new GpuFailure({ kind: "unavailable", message: `${missing.cause}; ${missing.remedy}` });
}

async function requestAdapter(): Promise<GPUAdapter | Missing> {
  const missing = missingGpu();
  if (missing !== undefined) return missing;
  const remedy = "look at chrome://gpu, or allow more adapters with --enable-unsafe-webgpu";
  try {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    return adapter ?? { cause: "the browser found no GPU adapter that it trusts", remedy };
  } catch (cause) {
    return { cause: `the browser gave no GPU adapter: ${String(cause)}`, remedy };
  }
}

/** Every limit of the adapter by name; the names live on the prototype. */
function limitsOf(supported: GPUSupportedLimits): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const name in supported) {
    const value: unknown = Reflect.get(supported, name);
    if (typeof value === "number") limits[name] = value;
  }
  return limits;
}

function describe(adapter: GPUAdapter): AdapterReport {
  const { vendor, architecture, device, description } = adapter.info;
  const fallback = (adapter.info as { readonly isFallbackAdapter?: boolean }).isFallbackAdapter;
  const words = [vendor, architecture, device, description].join(" ");
  return {
    vendor,
    architecture,
    device,
    description,
    software: fallback === true || SOFTWARE.test(words),
    limits: limitsOf(adapter.limits),
    features: [...adapter.features].sort(),
  };
}

async function openAdapter(adapter: GPUAdapter): Promise<OpenDevice> {
  const device = await adapter.requestDevice({
    label: "workbench",
    requiredLimits: limitsOf(adapter.limits),
    requiredFeatures: [...adapter.features] as GPUFeatureName[],
  });
  return { device, adapter: describe(adapter) };
}

/** The one device; nothing is asked of the browser before the first call. */
export class DeviceSource {
  readonly #watchers = new Set<EngineEvents>();
  #opened: Promise<OpenDevice> | undefined;

  /** The device; opened at the first call and again after a loss. Throws GpuFailure. */
  open(): Promise<OpenDevice> {
    this.#opened ??= this.#start().catch((cause: unknown) => {
      this.#opened = undefined;
      throw cause;
    });
    return this.#opened;
  }

  /** What the page can do, without throwing. */
  async report(): Promise<GpuReport> {
    const adapter = await requestAdapter();
    if ("cause" in adapter) return { available: false, ...adapter };
    return { available: true, adapter: describe(adapter) };
  }

  /** Tells `events` of losses and faults until `signal` aborts. */
  watch(events: EngineEvents, signal: AbortSignal): void {
    this.#watchers.add(events);
    signal.addEventListener("abort", () => this.#watchers.delete(events));
  }

  async #start(): Promise<OpenDevice> {
    const adapter = await requestAdapter();
    if ("cause" in adapter) throw unavailable(adapter);
    const open = await openAdapter(adapter);
    open.device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      for (const watcher of this.#watchers) watcher.fault(event.error.message);
    });
    void open.device.lost.then(({ reason, message }) => {
      this.#opened = undefined;
      const words = message === "" ? reason : message;
      for (const watcher of this.#watchers) watcher.lost(`the GPU device was lost: ${words}`);
    });
    return open;
  }
}

/** The device source of this page or worker: one, however many bundles were evaluated. */
export function sharedDeviceSource(): DeviceSource {
  return oncePerPage("workbench.gpu.v1", () => new DeviceSource());
}
