import { beforeAll, expect, it, vi } from "vitest";
import { compileProgram } from "../src/gpu/compile.ts";
import { GpuEngine } from "../src/gpu/engine.ts";
import { PROGRAM_FORMAT, type Program } from "../src/protocol.ts";
import { KEPT_PROGRAMS } from "../src/recent.ts";

beforeAll(() => {
  vi.stubGlobal("GPUShaderStage", { COMPUTE: 4 });
  vi.stubGlobal("GPUBufferUsage", { UNIFORM: 1, COPY_DST: 2, STORAGE: 4, COPY_SRC: 8 });
});

/** A device that counts the pipelines it makes. */
function countingDevice() {
  const made: string[] = [];
  const device = {
    limits: {
      maxComputeWorkgroupSizeX: 64, maxComputeWorkgroupSizeY: 1, maxComputeWorkgroupSizeZ: 1,
      maxComputeInvocationsPerWorkgroup: 64, maxStorageBuffersPerShaderStage: 8,
    },
    features: new Set<string>(),
    pushErrorScope: () => undefined,
    popErrorScope: () => Promise.resolve(null),
    createShaderModule: () => ({}),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createComputePipelineAsync: ({ label }: { label: string }) => {
      made.push(label);
      return Promise.resolve({});
    },
  };
  return { device: device as unknown as GPUDevice, made };
}

function program(size: number, code = "fn main() {}"): Program {
  const buffer = { name: "x", dtype: "f32", shape: [size], role: "input" } as const;
  return {
    version: PROGRAM_FORMAT, name: "double", target: "wgsl", buffers: [buffer], scalars: [],
    inputs: ["x"], outputs: [],
    kernels: [{
      name: "double", code, entry: "main", workgroup_size: [64, 1, 1], iterations: [0, 0],
      bindings: [{ index: 0, buffer: "x", access: "read" }],
    }],
    body: [{ op: "dispatch", kernel: "double", workgroups: [size, 1, 1] }],
  } as unknown as Program;
}

it("makes one pipeline for programs of many sizes with the same code", async () => {
  const { device, made } = countingDevice();
  for (let size = 1; size <= 10; size += 1) await compileProgram(device, program(size));
  expect(made).toEqual(["double"]);
  await compileProgram(device, program(11, "fn main() { }"));
  expect(made).toHaveLength(2);
});

it("keeps nothing of a kernel that failed", async () => {
  const { device, made } = countingDevice();
  const make = device.createComputePipelineAsync.bind(device);
  vi.stubGlobal("GPUPipelineError", class extends Error {});
  const refuse = vi.fn(() => Promise.reject(new Error("no")));
  Object.assign(device, { createComputePipelineAsync: refuse });
  await expect(compileProgram(device, program(1))).rejects.toThrow("no");
  Object.assign(device, { createComputePipelineAsync: make });
  await compileProgram(device, program(1));
  expect(made).toEqual(["double"]);
});

it("gives back what the program not used for longest took, and says so to its run", async () => {
  const { device } = countingDevice();
  const destroyed: number[] = [];
  Object.assign(device, {
    createBuffer: ({ size }: { size: number }) => ({ size, destroy: () => destroyed.push(size) }),
  });
  Object.assign(device.limits, { maxBufferSize: 2 ** 20, maxStorageBufferBindingSize: 2 ** 20 });
  const engine = new GpuEngine(device);
  const compile = (size: number): Promise<boolean> | boolean => {
    const temporary = { name: "t", dtype: "f32", shape: [size], role: "temporary" } as const;
    return engine.compile(`key ${size}`, { ...program(1), buffers: [temporary] });
  };
  for (let size = 1; size <= KEPT_PROGRAMS; size += 1) await compile(size);

  expect([await compile(1), destroyed]).toEqual([true, []]);
  await compile(KEPT_PROGRAMS + 1);
  expect(destroyed).toEqual([8]);
  const request = { kind: "run", id: 1, engine: "gpu", key: "key 2", buffers: {} } as const;
  const run = { ...request, scalars: [], timed: false, traced: false, deadline_ms: 1 };
  expect(() => engine.run(run, () => undefined)).toThrow("does not hold this program any more");
  destroyed.length = 0;
  engine.release();

  expect(destroyed.filter((size) => size <= 4 * (KEPT_PROGRAMS + 1))).toHaveLength(KEPT_PROGRAMS);
});
