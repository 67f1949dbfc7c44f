import { describe, expect, it } from "vitest";
import { exceededLimit } from "../src/gpu/compile.ts";
import { nextSlice } from "../src/gpu/run.ts";
import { dispatchCount, stampsOf, sumByKernel } from "../src/gpu/timer.ts";
import type { KernelPlan, Step } from "../src/protocol.ts";

const dispatch: Step = { op: "dispatch", kernel: "k", workgroups: [1, 1, 1] };

describe("nextSlice", () => {
  it("shrinks at once when a slice took too long", () => {
    expect(nextSlice(64, 64, 1000)).toBe(6);
  });

  it("at most doubles when a slice was short", () => {
    expect(nextSlice(64, 64, 1)).toBe(128);
  });

  it("is at least one dispatch", () => {
    expect(nextSlice(1, 1, 5000)).toBe(1);
  });
});

describe("dispatchCount", () => {
  it("multiplies repeats", () => {
    const inner: Step = { op: "repeat", count: 3, body: [dispatch, dispatch] };

    expect(dispatchCount([dispatch, { op: "repeat", count: 10, body: [inner] }])).toBe(61);
  });

  it("has no bound where the host decides", () => {
    expect(dispatchCount([{ op: "while", flag: "go", body: [dispatch] }])).toBe(Infinity);
  });
});

describe("sumByKernel", () => {
  it("adds the spans of each kernel and ignores clocks that ran back", () => {
    const stamps = new BigUint64Array([0n, 10n, 20n, 25n, 9n, 3n]);

    expect(sumByKernel(["a", "b", "a"], stamps)).toEqual([
      { kernel: "a", dispatches: 2, nanoseconds: 10 },
      { kernel: "b", dispatches: 1, nanoseconds: 5 },
    ]);
  });
});

describe("stampsOf", () => {
  it("tells when each dispatch was, after the first, and what the browser rounds to", () => {
    const step = 65_536n;
    const stamps = new BigUint64Array([7n, 9n, 9n, 9n, 9n, 12n].map((each) => each * step));

    expect(stampsOf(["a", "b", "a"], stamps)).toEqual({
      step: 65_536,
      stamps: [
        { op: "dispatch", name: "a", begin: 0, end: 2 * 65_536 },
        { op: "dispatch", name: "b", begin: 2 * 65_536, end: 2 * 65_536 },
        { op: "dispatch", name: "a", begin: 2 * 65_536, end: 5 * 65_536 },
      ],
    });
  });

  it("finds no step in a clock that counts nanoseconds", () => {
    const stamps = new BigUint64Array([1_000_003n, 1_000_010n]);

    expect(stampsOf(["a"], stamps).step).toBe(1);
  });
});

describe("exceededLimit", () => {
  const limits = {
    maxComputeWorkgroupSizeX: 256,
    maxComputeWorkgroupSizeY: 256,
    maxComputeWorkgroupSizeZ: 64,
    maxComputeInvocationsPerWorkgroup: 256,
    maxStorageBuffersPerShaderStage: 8,
  } as GPUSupportedLimits;
  const plan: KernelPlan = {
    name: "k",
    code: "",
    workgroup_size: [16, 16, 1],
    bindings: [],
    iterations: [0, 0],
  };

  it("lets a kernel pass that fits", () => {
    expect(exceededLimit(plan, limits)).toBeUndefined();
  });

  it("names the limit, its value and the need", () => {
    expect(exceededLimit({ ...plan, workgroup_size: [32, 32, 1] }, limits)).toEqual({
      kind: "limit",
      kernel: "k",
      message: "kernel k needs 1024, the device's maxComputeInvocationsPerWorkgroup is 256",
      limit: "maxComputeInvocationsPerWorkgroup",
      value: 256,
    });
  });
});
