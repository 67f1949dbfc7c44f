/**
 * A Program made ready on a device: pipelines, and the buffers that belong to the program itself.
 *
 * Shader mistakes come back with the kernel, the line and the column of the generated code.
 * Pipelines are built asynchronously, so that a slow driver freezes nothing.
 */
import {
  type BindingPlan,
  bytesOf,
  type Failure,
  GpuFailure,
  type KernelPlan,
  type Program,
} from "../protocol.ts";
import { createStorage } from "./buffers.ts";
import { type ProgramTimer, programTimer } from "./timer.ts";

/** What a kernel's code becomes; programs for other sizes have the same code and share it. */
interface CompiledKernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

export interface ReadyKernel extends CompiledKernel {
  readonly plan: KernelPlan;
}

/** So many are kept for a device; the oldest goes first, those of ready programs live on. */
const KEPT_KERNELS = 512;

const compiledKernels = new WeakMap<GPUDevice, Map<string, Promise<CompiledKernel>>>();

export interface ReadyProgram {
  readonly program: Program;
  readonly kernels: ReadonlyMap<string, ReadyKernel>;
  /** Temporaries, status and scalars by name: made once and used by every run. */
  readonly own: ReadonlyMap<string, GPUBuffer>;
  /** How many dispatches fill about 100 ms; learnt from run to run. */
  slice: number;
  readonly timer: ProgramTimer | undefined;
  readonly destroy: () => void;
}

const FIRST_SLICE = 64;

const BUFFER_TYPE: Readonly<Record<BindingPlan["access"], GPUBufferBindingType>> = {
  read: "read-only-storage",
  read_write: "storage",
  uniform: "uniform",
};

/** The failure of a kernel whose code the browser refused, at the first error it reports. */
async function shaderFailure(kernel: string, module: GPUShaderModule): Promise<Failure> {
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter(({ type }) => type === "error");
  const [first] = errors;
  if (first === undefined) return { kind: "shader", kernel, message: "the browser refused it" };
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  return {
    kind: "shader",
    kernel,
    message: `${first.message}${more}`,
    line: first.lineNum,
    column: first.linePos,
    length: first.length,
  };
}

async function shaderModule(
  device: GPUDevice,
  { name, code }: KernelPlan,
): Promise<GPUShaderModule> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: name, code });
  const error = await device.popErrorScope();
  if (error !== null) throw new GpuFailure(await shaderFailure(name, module));
  return module;
}

/** What a pipeline needs beyond its shader and the device does not give, or undefined. */
export function exceededLimit(plan: KernelPlan, limits: GPUSupportedLimits): Failure | undefined {
  const [x, y, z] = plan.workgroup_size;
  const storage = plan.bindings.filter(({ access }) => access !== "uniform").length;
  const needs: readonly (readonly [string, number, number])[] = [
    ["maxComputeWorkgroupSizeX", x, limits.maxComputeWorkgroupSizeX],
    ["maxComputeWorkgroupSizeY", y, limits.maxComputeWorkgroupSizeY],
    ["maxComputeWorkgroupSizeZ", z, limits.maxComputeWorkgroupSizeZ],
    ["maxComputeInvocationsPerWorkgroup", x * y * z, limits.maxComputeInvocationsPerWorkgroup],
    ["maxStorageBuffersPerShaderStage", storage, limits.maxStorageBuffersPerShaderStage],
  ];
  for (const [limit, need, value] of needs) {
    if (need <= value) continue;
    const message = `kernel ${plan.name} needs ${need}, the device's ${limit} is ${value}`;
    return { kind: "limit", kernel: plan.name, message, limit, value };
  }
  return undefined;
}

/** The pipeline of a kernel, from those of this device where its code is there. */
async function readyKernel(device: GPUDevice, plan: KernelPlan): Promise<ReadyKernel> {
  const exceeded = exceededLimit(plan, device.limits);
  if (exceeded !== undefined) throw new GpuFailure(exceeded);
  const kept = compiledKernels.get(device) ?? new Map<string, Promise<CompiledKernel>>();
  compiledKernels.set(device, kept);
  const bindings = plan.bindings.map(({ index, access }) => [index, access]);
  const key = JSON.stringify([plan.code, plan.entry, bindings]);
  const compiled = kept.get(key) ?? compiledKernel(device, plan);
  kept.set(key, compiled);
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT_KERNELS) break;
    kept.delete(oldest);
  }
  try {
    return { plan, ...(await compiled) };
  } catch (cause) {
    kept.delete(key);
    throw cause;
  }
}

async function compiledKernel(device: GPUDevice, plan: KernelPlan): Promise<CompiledKernel> {
  const module = await shaderModule(device, plan);
  const entries = plan.bindings.map(({ index, access }) => ({
    binding: index,
    visibility: GPUShaderStage.COMPUTE,
    buffer: { type: BUFFER_TYPE[access] },
  }));
  const layout = device.createBindGroupLayout({ label: plan.name, entries });
  try {
    const pipeline = await device.createComputePipelineAsync({
      label: plan.name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: plan.entry ?? "main" },
    });
    return { pipeline, layout };
  } catch (cause) {
    if (!(cause instanceof GPUPipelineError)) throw cause;
    throw new GpuFailure({ kind: "shader", kernel: plan.name, message: cause.message });
  }
}

async function ownBuffers(device: GPUDevice, program: Program): Promise<Map<string, GPUBuffer>> {
  const own = new Map<string, GPUBuffer>();
  try {
    for (const plan of program.buffers) {
      const size = bytesOf(plan, program.scalars.length);
      if (plan.role === "scalars") {
        const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
        own.set(plan.name, device.createBuffer({ label: plan.name, size, usage }));
      } else if (plan.role === "temporary" || plan.role === "status") {
        own.set(plan.name, await createStorage(device, size));
      }
    }
  } catch (cause) {
    for (const buffer of own.values()) buffer.destroy();
    throw cause;
  }
  return own;
}

/** Everything a run of `program` needs but its arguments. Throws GpuFailure. */
export async function compileProgram(device: GPUDevice, program: Program): Promise<ReadyProgram> {
  const ready = await Promise.all(program.kernels.map((plan) => readyKernel(device, plan)));
  const own = await ownBuffers(device, program);
  const timer = programTimer(device, program.body);
  return {
    program,
    kernels: new Map(ready.map((kernel) => [kernel.plan.name, kernel])),
    own,
    timer,
    slice: FIRST_SLICE,
    destroy: () => {
      timer?.destroy();
      for (const buffer of own.values()) buffer.destroy();
    },
  };
}
