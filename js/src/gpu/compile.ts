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
import { Groups } from "./groups.ts";
import { dispatchCount, stepCount } from "./timer.ts";

/** What a kernel's code becomes; programs for other sizes have the same code and share it. */
interface CompiledKernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Words that a run gives and takes; they lie where its batch has them, at an offset. */
export type Words = "status" | "scalars";

export interface ReadyKernel extends CompiledKernel {
  readonly plan: KernelPlan;
  /** Which of its bindings have an offset, in their order. */
  readonly dynamic: readonly Words[];
  readonly groups: Groups;
}

/** So many are kept for a device; the oldest goes first, those of ready programs live on. */
const KEPT_KERNELS = 512;

const compiledKernels = new WeakMap<GPUDevice, Map<string, Promise<CompiledKernel>>>();

export interface ReadyProgram {
  readonly program: Program;
  readonly kernels: ReadonlyMap<string, ReadyKernel>;
  /** Temporaries by name, made once and used by every run; and what the words are named. */
  readonly own: ReadonlyMap<string, GPUBuffer | Words>;
  /** Bytes of the words of a run, 0 where it has none. */
  readonly words: Readonly<Record<Words, number>>;
  /** Dispatches of a run, and these with its copies. */
  readonly dispatches: number;
  readonly steps: number;
  /** How many dispatches fill about 100 ms; learnt from run to run. */
  slice: number;
  readonly outputs: ReadonlySet<string>;
  /** Sizes of buffers with which the browser has found nothing wrong in a run. */
  readonly sound: Set<string>;
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
async function readyKernel(
  device: GPUDevice,
  plan: KernelPlan,
  program: Program,
): Promise<ReadyKernel> {
  const exceeded = exceededLimit(plan, device.limits);
  if (exceeded !== undefined) throw new GpuFailure(exceeded);
  const kept = compiledKernels.get(device) ?? new Map<string, Promise<CompiledKernel>>();
  compiledKernels.set(device, kept);
  const words = wordsOf(program);
  const bindings = plan.bindings.map(({ index, access, buffer }) =>
    ({ index, access, dynamic: words.has(buffer) }));
  const key = JSON.stringify([plan.code, plan.entry, bindings]);
  const compiled = kept.get(key) ?? compiledKernel(device, plan, bindings);
  kept.set(key, compiled);
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT_KERNELS) break;
    kept.delete(oldest);
  }
  const dynamic = [...plan.bindings]
    .sort((one, other) => one.index - other.index)
    .flatMap(({ buffer }) => words.get(buffer) ?? []);
  try {
    return { plan, dynamic, groups: new Groups(), ...(await compiled) };
  } catch (cause) {
    kept.delete(key);
    throw cause;
  }
}

interface BoundAt extends Pick<BindingPlan, "index" | "access"> {
  readonly dynamic: boolean;
}

async function compiledKernel(
  device: GPUDevice,
  plan: KernelPlan,
  bindings: readonly BoundAt[],
): Promise<CompiledKernel> {
  const module = await shaderModule(device, plan);
  const entries = bindings.map(({ index, access, dynamic }) => ({
    binding: index,
    visibility: GPUShaderStage.COMPUTE,
    buffer: { type: BUFFER_TYPE[access], hasDynamicOffset: dynamic },
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

/** The buffers of a program that are words of its runs. */
function wordsOf({ buffers }: Program): Map<string, Words> {
  return new Map(
    buffers.flatMap(({ name, role }): [string, Words][] =>
      role === "status" || role === "scalars" ? [[name, role]] : [],
    ),
  );
}

/** Bytes of those words. */
function wordBytes({ buffers, scalars }: Program): Record<Words, number> {
  const bytes = { status: 0, scalars: 0 };
  for (const plan of buffers) {
    const { role } = plan;
    if (role === "status" || role === "scalars") bytes[role] = bytesOf(plan, scalars.length);
  }
  return bytes;
}

async function temporaries(device: GPUDevice, program: Program): Promise<Map<string, GPUBuffer>> {
  const own = new Map<string, GPUBuffer>();
  try {
    for (const plan of program.buffers) {
      if (plan.role !== "temporary") continue;
      own.set(plan.name, await createStorage(device, bytesOf(plan, program.scalars.length)));
    }
  } catch (cause) {
    for (const buffer of own.values()) buffer.destroy();
    throw cause;
  }
  return own;
}

/** Everything a run of `program` needs but its arguments. Throws GpuFailure. */
export async function compileProgram(device: GPUDevice, program: Program): Promise<ReadyProgram> {
  const ready = await Promise.all(
    program.kernels.map((plan) => readyKernel(device, plan, program)),
  );
  const made = await temporaries(device, program);
  return {
    program,
    kernels: new Map(ready.map((kernel) => [kernel.plan.name, kernel])),
    own: new Map<string, GPUBuffer | Words>([...made, ...wordsOf(program)]),
    words: wordBytes(program),
    dispatches: dispatchCount(program.body),
    steps: stepCount(program.body),
    slice: FIRST_SLICE,
    outputs: new Set(program.outputs),
    sound: new Set(),
    destroy: () => {
      for (const buffer of made.values()) buffer.destroy();
    },
  };
}
