/** A GPU that works on this thread: it does what is submitted, in order, and counts. */
import { vi } from "vitest";

interface FakeBuffer {
  readonly size: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  mapState: string;
  destroyed: boolean;
}

type Resource = { readonly buffer: FakeBuffer; readonly offset?: number; readonly size?: number };
/** Words of each binding, at its offset. */
export type Kernel = (bindings: readonly Uint32Array[]) => void;
type Command = () => void;

/** What `code` of a kernel plan names. */
export type Kernels = Readonly<Record<string, Kernel>>;

function bufferOf(size: number): FakeBuffer {
  const buffer = {
    size,
    bytes: new Uint8Array(size),
    mapState: "unmapped",
    destroyed: false,
    destroy: () => { buffer.destroyed = true; },
    mapAsync: async () => {
      await Promise.resolve();
      buffer.mapState = "mapped";
    },
    getMappedRange: (offset = 0, bytes = size - offset) =>
      buffer.bytes.buffer.slice(offset, offset + bytes),
    unmap: () => { buffer.mapState = "unmapped"; },
  };
  return buffer;
}

export function stubConstants(): void {
  vi.stubGlobal("GPUBufferUsage", {
    MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, UNIFORM: 64, STORAGE: 128, QUERY_RESOLVE: 512,
  });
  vi.stubGlobal("GPUShaderStage", { COMPUTE: 4 });
  vi.stubGlobal("GPUMapMode", { READ: 1 });
}

const LIMITS = {
  maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 28,
  minStorageBufferOffsetAlignment: 256, minUniformBufferOffsetAlignment: 256,
  maxComputeWorkgroupSizeX: 64, maxComputeWorkgroupSizeY: 1, maxComputeWorkgroupSizeZ: 1,
  maxComputeInvocationsPerWorkgroup: 64, maxStorageBuffersPerShaderStage: 8,
};

/**
 * A device whose kernels are these. What is submitted with a bind group that `refuses`, or a
 * buffer that was destroyed, is an error of the innermost scope and does nothing.
 */
export function fakeGpu(kernels: Kernels, refuses: (resources: Resource[]) => boolean) {
  const counts = { submits: 0, maps: 0, groups: 0, writes: 0, dispatches: 0 };
  const scopes: string[][] = [];
  let commands: Command[] = [];
  let used: FakeBuffer[] = [];
  let invalid = false;

  function pass(bound: { kernel?: Kernel; words: Uint32Array[] }) {
    return {
      setPipeline: ({ kernel }: { kernel: Kernel }) => { bound.kernel = kernel; },
      setBindGroup: (_: number, group: Resource[], offsets: number[]) => {
        const left = [...offsets];
        used.push(...group.map(({ buffer }) => buffer));
        invalid ||= refuses(group);
        bound.words = group.map(({ buffer, size }) => {
          const start = size === undefined ? 0 : (left.shift() ?? 0);
          return new Uint32Array(buffer.bytes.buffer, start, (size ?? buffer.size) / 4);
        });
      },
      dispatchWorkgroups: () => {
        const { kernel, words } = bound;
        counts.dispatches += 1;
        commands.push(() => kernel?.(words));
      },
      end: () => undefined,
    };
  }

  function copy(from: FakeBuffer, start: number, to: FakeBuffer, at: number, size: number): void {
    used.push(from, to);
    commands.push(() => { to.bytes.set(from.bytes.subarray(start, start + size), at); });
  }

  function submit([batch]: [{ all: Command[]; refused: boolean }]): void {
    counts.submits += 1;
    if (batch.refused) scopes.at(-1)?.push("it is refused");
    else for (const command of batch.all) command();
  }

  function finish() {
    const refused = invalid || used.some(({ destroyed }) => destroyed);
    const all = commands;
    [commands, used, invalid] = [[], [], false];
    return { all, refused };
  }

  const device = {
    limits: LIMITS,
    features: new Set<string>(),
    lost: new Promise(() => undefined),
    pushErrorScope: () => { scopes.push([]); },
    popErrorScope: () => {
      const [message] = scopes.pop() ?? [];
      return Promise.resolve(message === undefined ? null : { message });
    },
    createShaderModule: ({ code }: { code: string }) => ({ code }),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createComputePipelineAsync: ({ compute }: { compute: { module: { code: string } } }) =>
      Promise.resolve({ kernel: kernels[compute.module.code] }),
    createBuffer: ({ size }: { size: number }) => bufferOf(size),
    createBindGroup: ({ entries }: { entries: { resource: Resource }[] }) => {
      counts.groups += 1;
      return entries.map(({ resource }) => resource);
    },
    createCommandEncoder: () => ({
      beginComputePass: () => pass({ words: [] }), copyBufferToBuffer: copy, finish,
    }),
    queue: {
      submit,
      onSubmittedWorkDone: () => Promise.resolve(),
      writeBuffer: (
        to: FakeBuffer, at: number, source: ArrayBufferView, from = 0, size?: number,
      ) => {
        counts.writes += 1;
        const step = (source as Uint8Array).BYTES_PER_ELEMENT;
        const start = source.byteOffset + from * step;
        const bytes = size === undefined ? source.byteLength : size * step;
        to.bytes.set(new Uint8Array(source.buffer, start, bytes), at);
      },
    },
  };
  return { device: device as unknown as GPUDevice, counts };
}
