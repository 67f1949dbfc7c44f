import { describe, expect, it } from "vitest";
import { GpuFailure } from "../src/protocol.ts";
import { supported, unshared } from "../src/wasm/module.ts";
import { share } from "../src/wasm/share.ts";
import { Spaces } from "../src/wasm/spaces.ts";

describe("Spaces", () => {
  it("gives parts that are apart and aligned", () => {
    const spaces = new Spaces();
    const starts = [1, 64, 65, 4].map((bytes) => spaces.take(bytes));

    expect(starts).toEqual([64, 128, 192, 320]);
  });

  it("joins what was given back, and takes it again", () => {
    const spaces = new Spaces();
    const starts = [100, 100, 100].map((bytes) => spaces.take(bytes));
    for (const start of [starts[2], starts[0], starts[1]]) spaces.give(start ?? 0, 100);

    expect(spaces.take(384)).toBe(64);
    expect(spaces.take(64)).toBe(448);
  });

  it("grows its last part where nothing else fits", () => {
    const spaces = new Spaces();
    spaces.take(64);
    const last = spaces.take(64);
    spaces.give(last, 64);

    expect(spaces.take(1000)).toBe(last);
  });

  it("ends at 4 GiB", () => {
    const spaces = new Spaces();
    spaces.take(2 ** 31);

    expect(() => spaces.take(2 ** 31)).toThrow("of which 2147483648 bytes are taken");
    expect(spaces.take(2 ** 31 - 64)).toBe(2 ** 31 + 64);
  });
});

describe("share", () => {
  it("runs every iteration once, whatever each takes", async () => {
    const ran: number[] = [];
    const call = async (_worker: number, begin: number, end: number): Promise<number> => {
      for (let i = begin; i < end; i += 1) ran.push(i);
      await Promise.resolve();
      return 0.01 * (1 + (begin % 7));
    };
    const spent = await share(1000, 3, 0, call, () => undefined);

    expect(ran.sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(spent).toBeGreaterThan(0);
  });

  it("ends between two portions, and only once nobody computes", async () => {
    let running = 0;
    let portions = 0;
    const call = async (): Promise<number> => {
      running += 1;
      portions += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      return 10;
    };
    const proceed = (): void => {
      if (portions >= 4) throw new GpuFailure({ kind: "cancelled", message: "the run was stopped" });
    };

    await expect(share(100_000, 2, 0, call, proceed)).rejects.toThrow("stopped");
    expect(running).toBe(0);
    expect(portions).toBeLessThan(7);
  });

  it("takes what is tiny in one portion", async () => {
    const portions: number[] = [];
    const call = (_worker: number, begin: number, end: number): Promise<number> => {
      portions.push(end - begin);
      return Promise.resolve(0.1);
    };
    await share(1000, 4, 1e-5, call, () => undefined);

    expect(portions).toEqual([1000]);
  });
});

describe("modules", () => {
  const [type, entry] = [2, 3];
  const memory = [..."\tworkbench\u0006memory".split("").map((c) => c.charCodeAt(0)), type, entry];

  it("are told apart by one byte where no memory is shared", () => {
    const module = Uint8Array.from([0, 1, 2, ...memory, 1, 128, 128, 4, 2, 3]);
    const made = unshared(module);

    expect(made).toEqual(Uint8Array.from([0, 1, 2, ...memory.with(-1, 1), 1, 128, 128, 4, 2, 3]));
    expect(module[2 + memory.length]).toBe(entry);
  });

  it("run here", () => {
    expect(supported()).toBe(true);
  });
});
