import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { taking } from "../src/gpu/connection.ts";
import { DeviceSource } from "../src/gpu/device.ts";
import { gpuEngines } from "../src/gpu/engine.ts";
import { Outbox } from "../src/gpu/outbox.ts";
import { Runtime } from "../src/gpu/runtime.ts";
import { type PageMessage, PROGRAM_FORMAT, type Program } from "../src/protocol.ts";
import { fakeGpu, type Kernel, stubConstants } from "./fake_gpu.ts";

const BYTES = 16;

/** Adds the scalar to each element; a first element of 99 uses up a budget, once. */
const add: Kernel = ([a, c, status, scalars]) => {
  if (a?.[0] === 99 && c?.[0] === 0) status?.set([1, 0]);
  c?.set((a ?? new Uint32Array()).map((each) => each + (scalars?.[0] ?? 0)));
};

function program(name: string, repeats = 1): Program {
  const array = { dtype: "u32", shape: [BYTES / 4] } as const;
  const dispatch = { op: "dispatch", kernel: "k", workgroups: [1, 1, 1] } as const;
  return {
    version: PROGRAM_FORMAT, name, target: "wgsl", inputs: ["a"], outputs: ["c"],
    loops: ["'while x'"],
    buffers: [
      { name: "a", role: "input", ...array }, { name: "c", role: "output", ...array },
      { name: "status", role: "status", dtype: "u32", shape: [4] },
      { name: "scalars", role: "scalars", dtype: "u32", shape: [4] },
    ],
    scalars: [{ name: "by", dtype: "u32" }],
    kernels: [{
      name: "k", code: "add", workgroup_size: [1, 1, 1], iterations: [0, 0],
      bindings: [
        { index: 0, buffer: "a", access: "read" }, { index: 1, buffer: "c", access: "read_write" },
        { index: 2, buffer: "status", access: "read_write" },
        { index: 3, buffer: "scalars", access: "uniform" },
      ],
    }],
    body: [{ op: "repeat", count: repeats, body: [dispatch] }],
  };
}

/** A page on a GPU that works on this thread, and what it was asked and said. */
function start(refused = -1) {
  const refuses = ([a]: readonly { readonly buffer: { readonly size: number } }[]): boolean =>
    a?.buffer.size === refused;
  const { device, counts } = fakeGpu({ add }, refuses);
  const source = new DeviceSource();
  const adapter = {} as Awaited<ReturnType<DeviceSource["open"]>>["adapter"];
  vi.spyOn(source, "open").mockResolvedValue({ device, adapter });
  const frames: PageMessage[][] = [];
  const outbox = new Outbox((frame) => {
    const said = JSON.parse(frame) as PageMessage | PageMessage[];
    frames.push(Array.isArray(said) ? said : [said]);
  });
  const runtime = new Runtime({
    name: "gpu", source: gpuEngines(source), sendBytes: () => undefined,
    send: (message, leaving = "now") => { outbox.take(message, leaving); },
    signal: new AbortController().signal,
  });
  const take = taking({ gpu: runtime, wasm: runtime }, () => undefined);
  let id = 0;

  /** The answers to requests that come in one frame. */
  async function ask(...requests: object[]): Promise<PageMessage[]> {
    const before = frames.length;
    const from = id;
    take.text(JSON.stringify(requests.map((each) => ({ engine: "gpu", id: (id += 1), ...each }))));
    const said = (): PageMessage[] => frames.slice(before).flat();
    const last = id;
    await vi.waitUntil(() => said().length === last - from);
    const order = (message: PageMessage): number => ("id" in message ? message.id : 0);
    return said().sort((one, other) => order(one) - order(other));
  }

  return { ask, counts, frames };
}

const alloc = (buffer: number, bytes = BYTES) => ({ kind: "alloc", buffer, bytes });
const write = (buffer: number, ...words: number[]) => ({
  kind: "write", buffer, offset: 0, bytes: 4 * words.length,
  content: btoa(String.fromCharCode(...new Uint8Array(new Uint32Array(words).buffer))),
});
const run = (a: number, c: number, by: number, key = "k") => ({
  kind: "run", key, buffers: { a, c }, scalars: [by], timed: true, traced: false, deadline_ms: 1000,
});
const read = (buffer: number, bytes = BYTES) => ({ kind: "read", buffer, offset: 0, bytes });
const compile = (key: string, repeats = 1) =>
  ({ kind: "compile", key, program: program(key, repeats) });

/** The words that a short read brought. */
function words(answer: PageMessage | undefined): number[] {
  const { content } = (answer as { ok: { content: string } }).ok;
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  return [...new Uint32Array(bytes.buffer)];
}

beforeEach(() => {
  stubConstants();
  vi.spyOn(performance, "now").mockReturnValue(0); // nothing takes any time
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("runs of one frame", () => {
  it("are one submit and one frame back: fifty that feed each other, and the read", async () => {
    const { ask, counts, frames } = start();
    await ask(compile("k"), alloc(0), write(0, 1, 2, 3, 4), alloc(1), run(0, 1, 0), read(1));
    const before = { ...counts };
    const sent = frames.length;
    const chain = Array.from({ length: 50 }, (_, n) => [alloc(n + 2), run(n + 1, n + 2, n)]);
    const answers = await ask(...chain.flat(), read(51));

    expect(words(answers.at(-1))).toEqual([1, 2, 3, 4].map((each) => each + (49 * 50) / 2));
    expect(counts.submits - before.submits).toBe(1);
    expect(counts.writes - before.writes).toBe(2); // all scalars, all status words
    expect(frames.length - sent).toBe(1);
    expect(answers[1]).toMatchObject({ ok: { submits: 1, dispatches: 1 } });
  });

  it("share bind groups with earlier ones of the same buffers", async () => {
    const { ask, counts } = start();
    await ask(compile("k"), alloc(0), write(0, 1, 1, 1, 1), alloc(1), run(0, 1, 0));
    await ask(run(0, 1, 1), run(0, 1, 2));

    expect(counts.groups).toBe(1);
  });

  it("keep their order with writes, and are submitted before one to what they use", async () => {
    const { ask, counts } = start();
    await ask(compile("k"), alloc(0), alloc(1), alloc(2), alloc(3), write(0, 1), run(0, 1, 0));
    const before = counts.submits;
    const [, aside] = await ask(run(0, 1, 10), write(3, 7), run(0, 2, 20), read(1), read(2));
    expect(aside).toMatchObject({ ok: {} });
    expect(counts.submits - before).toBe(1);
    const answers = await ask(run(0, 1, 10), write(0, 5), run(0, 2, 10), read(1), read(2));

    expect(counts.submits - before).toBe(3);
    expect([words(answers[3])[0], words(answers[4])[0]]).toEqual([11, 15]);
  });

  it("fail each by itself where a loop gave up, with what goes on with it", async () => {
    const { ask, counts } = start();
    await ask(
      compile("k"), alloc(0), alloc(1), alloc(2), alloc(3), alloc(4),
      write(0, 1), write(4, 99), run(0, 1, 0),
    );
    const before = counts.submits;
    const answers = await ask(run(0, 1, 1), run(4, 2, 1), run(2, 3, 1), read(1), read(2), read(3));

    expect(counts.submits - before).toBe(1);
    const message = "'while x' ran out of its budget of iterations";
    const budget = { error: { kind: "budget", message } };
    expect(answers[0]).toMatchObject({ ok: { dispatches: 1 } });
    for (const answer of [1, 2, 4, 5]) expect(answers[answer]).toMatchObject(budget);
    expect(words(answers[3])[0]).toBe(2);
  });

  it("go alone until the browser has found one such sound: none takes others along", async () => {
    const { ask, counts } = start(32);
    const answers = await ask(
      compile("k"), alloc(0), alloc(1), alloc(2, 32), alloc(3), write(0, 1), write(2, 1),
      run(0, 1, 1), run(2, 3, 1), read(1), read(3),
    );

    expect(counts.submits).toBe(3);
    expect(answers[7]).toMatchObject({ ok: { submits: 1 } });
    expect(answers[8]).toMatchObject({ error: { kind: "internal", message: "it is refused" } });
    expect(words(answers[9])[0]).toBe(2);
    expect(answers[10]).toMatchObject({ error: { message: "it is refused" } });
  });

  it.each([[60, 1], [100, 2]])(
    "of %i dispatches are two in %i submits, where a slice is known to have room for 128",
    async (dispatches, submits) => {
      const { ask, counts } = start();
      await ask(compile("k", dispatches), alloc(0), alloc(1), write(0, 1), run(0, 1, 0));
      const before = counts.submits;
      const answers = await ask(run(0, 1, 0), run(0, 1, 1), read(1));

      expect(counts.submits - before).toBe(submits);
      expect(answers.slice(0, 2)).toMatchObject(Array(2).fill({ ok: { submits: 1, dispatches } }));
      expect(words(answers[2])[0]).toBe(2);
    },
  );

  it("are cut into slices where one is longer than that, and keep their words", async () => {
    const { ask, counts } = start();
    const answers = await ask(
      compile("k", 200), alloc(0), alloc(1), write(0, 1), run(0, 1, 7), read(1),
    );

    expect(answers[4]).toMatchObject({ ok: { submits: 3, dispatches: 200 } }); // 64, 128, 8
    expect(counts.submits).toBe(4); // and the read's
    expect(words(answers[5])[0]).toBe(8);
    const spent = await ask(alloc(2), write(0, 99), run(0, 2, 7), read(2));
    expect(spent.slice(2)).toMatchObject(Array(2).fill({ error: { kind: "budget" } }));
  });

  it("are all answered where the last had to wait for the first", async () => {
    const { ask } = start();
    const runs = Array.from({ length: 5 }, () => run(0, 1, 1));
    const answers = await ask(compile("k"), alloc(0), alloc(1), write(0, 1), ...runs);

    expect(answers.slice(4)).toMatchObject(Array(5).fill({ ok: { dispatches: 1 } }));
  });

  it("are submitted before a buffer that they use is destroyed", async () => {
    const { ask } = start();
    const large = 200 * 2 ** 20;
    await ask(compile("k"), alloc(0), alloc(1), write(0, 1), run(0, 1, 0));
    await ask(alloc(2, large), alloc(3, large), read(0));
    const answers = await ask(
      run(0, 1, 4), { kind: "free", buffers: [0] }, { kind: "free", buffers: [2, 3] }, read(1),
    );

    expect(words(answers[3])[0]).toBe(5);
  });
});
