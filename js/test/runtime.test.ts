import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { taking } from "../src/gpu/connection.ts";
import { DeviceSource } from "../src/gpu/device.ts";
import { gpuEngines } from "../src/gpu/engine.ts";
import { Runtime } from "../src/gpu/runtime.ts";
import { LocalServer } from "../src/local.ts";
import type { Engine, Proceed } from "../src/engine.ts";
import type { PageMessage } from "../src/protocol.ts";
import { packFrame } from "./frames.ts";

/** A device that keeps what is written, and copies at once. */
function fakeDevice() {
  const writes: { offset: number; bytes: number }[] = [];
  const device = {
    limits: { maxBufferSize: 1024, maxStorageBufferBindingSize: 512 },
    features: new Set<string>(),
    pushErrorScope: () => undefined,
    popErrorScope: () => Promise.resolve(null),
    createBuffer: ({ size }: { size: number }) => ({ size, destroy: () => undefined }),
    queue: {
      writeBuffer: (_buffer: unknown, offset: number, payload: Uint8Array) => {
        writes.push({ offset, bytes: payload.byteLength });
      },
    },
  };
  return { device: device as unknown as GPUDevice, writes };
}

/** A runtime on a device that opens when `ready` is called. */
function start() {
  const sent: PageMessage[] = [];
  const { device, writes } = fakeDevice();
  const source = new DeviceSource();
  let ready = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const adapter = {} as Awaited<ReturnType<DeviceSource["open"]>>["adapter"];
  vi.spyOn(source, "open").mockImplementation(() => opened.then(() => ({ device, adapter })));
  const signal = new AbortController().signal;
  const runtime = new Runtime({
    name: "gpu",
    source: gpuEngines(source),
    send: (message) => sent.push(message),
    sendBytes: () => undefined,
    signal,
  });
  const take = taking({ gpu: runtime, wasm: runtime }, (answer) => sent.push(answer));
  const ask = (message: object): void => {
    take.text(JSON.stringify({ engine: "gpu", ...message }));
  };
  const bring = (id: number, offset: number, bytes: number): void => {
    take.bytes(packFrame(id, offset, new Uint8Array(bytes)));
  };
  return { ask, bring, ready, runtime, sent, writes };
}

beforeEach(() => {
  vi.stubGlobal("GPUBufferUsage", { STORAGE: 1, COPY_SRC: 2, COPY_DST: 4 });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("Runtime", () => {
  it("answers pings while everything else waits", async () => {
    const { ask, ready, sent } = start();
    ask({ kind: "alloc", id: 1, buffer: 1, bytes: 16 });
    ask({ kind: "ping", id: 2 });
    expect(sent).toEqual([{ kind: "pong", id: 2 }]);
    ready();
    await vi.waitUntil(() => sent.length === 2);

    expect(sent[1]).toEqual({ kind: "reply", id: 1, ok: {} });
  });

  it("refuses a buffer beyond the tighter limit and names it", async () => {
    const { ask, ready, sent } = start();
    ready();
    ask({ kind: "alloc", id: 1, buffer: 1, bytes: 513 });
    await vi.waitUntil(() => sent.length === 1);

    expect(sent[0]).toMatchObject({
      id: 1,
      error: { kind: "limit", limit: "maxStorageBufferBindingSize", value: 512 },
    });
  });

  it("writes frames in their turn and says how much it took", async () => {
    const { ask, bring, ready, sent, writes } = start();
    ask({ kind: "alloc", id: 1, buffer: 1, bytes: 16 });
    ask({ kind: "write", id: 2, buffer: 1, offset: 0, bytes: 12 });
    bring(2, 0, 8);
    bring(2, 8, 4);
    ready();
    await vi.waitUntil(() => sent.length === 4);

    expect(writes).toEqual([
      { offset: 0, bytes: 8 },
      { offset: 8, bytes: 4 },
    ]);
    expect(sent.slice(1)).toEqual([
      { kind: "received", id: 2, bytes: 8 },
      { kind: "received", id: 2, bytes: 4 },
      { kind: "reply", id: 2, ok: {} },
    ]);
  });

  it("writes what a short request carries, and takes no frame for it", async () => {
    const { ask, ready, sent, writes } = start();
    ask({ kind: "alloc", id: 1, buffer: 1, bytes: 16 });
    ask({ kind: "write", id: 2, buffer: 1, offset: 4, bytes: 8, content: btoa("12345678") });
    ready();
    await vi.waitUntil(() => sent.length === 2);

    expect(writes).toEqual([{ offset: 4, bytes: 8 }]);
    expect(sent[1]).toEqual({ kind: "reply", id: 2, ok: {} });
  });

  it("says of a buffer that was refused why, and takes what is written there all the same", async () => {
    const { ask, bring, ready, sent, writes } = start();
    ready();
    ask({ kind: "alloc", id: 1, buffer: 1, bytes: 513 });
    ask({ kind: "write", id: 2, buffer: 1, offset: 0, bytes: 12 });
    bring(2, 0, 8);
    bring(2, 8, 4);
    ask({ kind: "read", id: 3, buffer: 1, offset: 0, bytes: 4 });
    await vi.waitUntil(() => sent.length === 5);

    const failure = { kind: "limit", value: 512 };
    expect(sent).toMatchObject([
      { id: 1, error: failure },
      { kind: "received", bytes: 8 },
      { kind: "received", bytes: 4 },
      { id: 2, error: failure },
      { id: 3, error: failure },
    ]);
    expect(writes).toEqual([]);
  });

  it.each([
    ["came again", [[0, 8], [0, 8]]],
    ["leaves a gap", [[0, 4], [8, 4]]],
    ["is longer than what was announced", [[0, 16]]],
  ])("refuses a frame that %s, and spoils the buffer", async (_, frames) => {
    const { ask, bring, ready, sent } = start();
    ready();
    ask({ kind: "alloc", id: 1, buffer: 1, bytes: 16 });
    ask({ kind: "write", id: 2, buffer: 1, offset: 0, bytes: 12 });
    for (const [offset = 0, bytes = 0] of frames) bring(2, offset, bytes);
    if (frames[1]?.[0] === 8) bring(2, 8, 4);
    await vi.waitUntil(() => sent.some((message) => "id" in message && "error" in message));

    const refusal = expect.stringContaining("no frame is due") as string;
    expect(sent.at(-1)).toMatchObject({ id: 2, error: { message: refusal } });
  });

  it("refuses requests that come again, and bytes that nobody announced", () => {
    const { ask, bring } = start();
    ask({ kind: "alloc", id: 4, buffer: 1, bytes: 16 });

    expect(() => { ask({ kind: "alloc", id: 4, buffer: 2, bytes: 16 }); }).toThrow("request 4 after 4");
    expect(() => { ask({ kind: "free", id: 3, buffers: [1] }); }).toThrow("request 3 after 4");
    expect(() => { bring(9, 0, 4); }).toThrow("bytes for request 9");
  });

  it("calls a handle lost that it does not hold", async () => {
    const { ask, ready, sent } = start();
    ready();
    ask({ kind: "read", id: 1, buffer: 9, offset: 0, bytes: 4 });
    await vi.waitUntil(() => sent.length === 1);

    expect(sent[0]).toMatchObject({ id: 1, error: { kind: "lost" } });
  });

  it("says that it does not hold a program, or not any more", async () => {
    const { ask, ready, sent } = start();
    ready();
    const options = { timed: false, traced: false, deadline_ms: 1 };
    ask({ kind: "run", id: 1, key: "k", buffers: {}, scalars: [], ...options });
    await vi.waitUntil(() => sent.length === 1);

    expect(sent[0]).toMatchObject({ id: 1, error: { kind: "dropped" } });
  });

  it("says now and then how far a run is, by a clock that it is given", async () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(0);
    const run = (_: unknown, proceed: Proceed) => {
      for (const [milliseconds, steps] of [[100, 10], [200, 20], [300, 30], [400, 40]] as const) {
        now.mockReturnValue(milliseconds);
        proceed(steps);
      }
      return Promise.resolve({ result: Promise.resolve({}) });
    };
    const sent: PageMessage[] = [];
    const engine = { run, flush: () => undefined };
    const runtime = new Runtime({
      name: "gpu",
      source: { open: () => Promise.resolve(engine as unknown as Engine), watch: () => undefined },
      send: (message) => sent.push(message),
      sendBytes: () => undefined,
      signal: new AbortController().signal,
    });
    runtime.take({
      kind: "run", id: 7, engine: "gpu", key: "k", buffers: {}, scalars: [],
      timed: false, traced: false, deadline_ms: 1000,
    });
    await vi.waitUntil(() => sent.length === 3);
    now.mockRestore();

    expect(sent).toEqual([
      { kind: "progress", id: 7, steps: 20 },
      { kind: "progress", id: 7, steps: 40 },
      { kind: "reply", id: 7, ok: {} },
    ]);
  });
});

describe("LocalServer", () => {
  it("says that the page is looked at, at once or when it is connected", () => {
    const { runtime, sent } = start();
    const local = new LocalServer(() => undefined);
    local.shown("here");
    local.shown("elsewhere");
    const before = sent.length;
    local.connected("here", runtime);
    local.shown("here");
    local.connected("here", undefined);
    local.connected("here", runtime);

    expect(before).toBe(0);
    expect(sent).toEqual([{ kind: "shown" }, { kind: "shown" }]);
  });
});
