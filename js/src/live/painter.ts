/**
 * Draws a buffer of the GPU into a canvas; the values never leave the GPU.
 *
 * Knows nothing of kernels and of the page: a device, a canvas, and which buffer to draw.
 */
import { GpuFailure } from "../protocol.ts";
import { type Picture, sizeOf } from "./plan.ts";
import { pictureShader, rangeShader, typeOf, viewBytes } from "./shader.ts";

export interface Painter {
  /** Encodes the drawing of `values`, after what the encoder holds already. */
  readonly paint: (encoder: GPUCommandEncoder, values: GPUBuffer) => void;
  readonly destroy: () => void;
}

const groups = 64;
const startOfRange = new Uint32Array([0xffffffff, 0]);

function viewWords({ shape, range, drawn }: Picture, [columns, rows]: readonly [number, number]) {
  const words = new ArrayBuffer(viewBytes);
  const channels = drawn === "image" ? (shape[2] ?? 1) : 1;
  const count = shape.reduce((product, extent) => product * extent, 1);
  new Uint32Array(words, 0, 4).set([columns, rows, channels, count]);
  new Float32Array(words, 16, 2).set(range ?? [0, 1]);
  new Uint32Array(words, 24, 1).set([range === null ? 1 : 0]);
  return words;
}

interface Parts {
  readonly view: GPUBuffer;
  readonly range: GPUBuffer;
  readonly measure: GPUComputePipeline;
  readonly draw: GPURenderPipeline;
}

async function partsOf(
  device: GPUDevice,
  picture: Picture,
  format: GPUTextureFormat,
): Promise<Parts> {
  const { STORAGE, UNIFORM, COPY_DST } = GPUBufferUsage;
  const view = device.createBuffer({ size: viewBytes, usage: UNIFORM | COPY_DST });
  const range = device.createBuffer({ size: 8, usage: STORAGE | COPY_DST });
  device.queue.writeBuffer(view, 0, viewWords(picture, sizeOf(picture)));
  const drawing = device.createShaderModule({ code: pictureShader(picture) });
  const measuring = device.createShaderModule({ code: rangeShader(picture.dtype) });
  const [draw, measure] = await Promise.all([
    device.createRenderPipelineAsync({
      layout: "auto",
      vertex: { module: drawing, entryPoint: "corner" },
      fragment: { module: drawing, entryPoint: "paint", targets: [{ format }] },
    }),
    device.createComputePipelineAsync({
      layout: "auto",
      compute: { module: measuring, entryPoint: "main" },
    }),
  ]);
  return { view, range, measure, draw };
}

function bindings(device: GPUDevice, layout: GPUBindGroupLayout, buffers: readonly GPUBuffer[]) {
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  return device.createBindGroup({ layout, entries });
}

/** A painter of a canvas. Throws GpuFailure where the browser gives it no WebGPU context. */
export async function painter(
  device: GPUDevice,
  canvas: OffscreenCanvas | HTMLCanvasElement,
  picture: Picture,
): Promise<Painter> {
  if (typeOf(picture.dtype) === undefined) {
    throw new GpuFailure({ kind: "unavailable", message: `${picture.dtype} is not drawn live` });
  }
  [canvas.width, canvas.height] = sizeOf(picture);
  const context = canvas.getContext("webgpu");
  if (context === null) {
    throw new GpuFailure({ kind: "unavailable", message: "this browser draws no WebGPU canvas" });
  }
  const format = navigator.gpu.getPreferredCanvasFormat();
  context.configure({ device, format, alphaMode: "premultiplied" });
  const { view, range, measure, draw } = await partsOf(device, picture, format);
  const groupOf = (pipeline: GPUPipelineBase, values: GPUBuffer): GPUBindGroup =>
    bindings(device, pipeline.getBindGroupLayout(0), [values, view, range]);
  const paint = (encoder: GPUCommandEncoder, values: GPUBuffer): void => {
    if (picture.range === null) {
      device.queue.writeBuffer(range, 0, startOfRange);
      const pass = encoder.beginComputePass();
      pass.setPipeline(measure);
      pass.setBindGroup(0, groupOf(measure, values));
      pass.dispatchWorkgroups(groups);
      pass.end();
    }
    const pass = encoder.beginRenderPass({
      colorAttachments: [
        { view: context.getCurrentTexture().createView(), loadOp: "clear", storeOp: "store" },
      ],
    });
    pass.setPipeline(draw);
    pass.setBindGroup(0, groupOf(draw, values));
    pass.draw(3);
    pass.end();
  };
  return {
    paint,
    destroy: () => {
      for (const buffer of [view, range]) buffer.destroy();
      context.unconfigure();
    },
  };
}
