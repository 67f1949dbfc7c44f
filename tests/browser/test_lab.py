"""The harness itself: a notebook runs in a real JupyterLab, and WebGPU computes in its page."""

from __future__ import annotations

import sys

from playwright.sync_api import Page

from tests.lab import Lab

DOUBLE = """async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const device = await adapter.requestDevice();
    const code = `@group(0) @binding(0) var<storage, read_write> x: array<f32>;
        @compute @workgroup_size(4)
        fn main(@builtin(global_invocation_id) id: vec3u) { x[id.x] = 2.0 * x[id.x]; }`;
    const pipeline = device.createComputePipeline({
        layout: 'auto', compute: { module: device.createShaderModule({ code }) } });
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const x = device.createBuffer({ size: 16, usage: STORAGE | COPY_SRC | COPY_DST });
    const out = device.createBuffer({ size: 16, usage: MAP_READ | COPY_DST });
    device.queue.writeBuffer(x, 0, new Float32Array([1, 2, 3, 4]));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0),
        entries: [{ binding: 0, resource: { buffer: x } }] }));
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(x, 0, out, 0, 16);
    device.queue.submit([encoder.finish()]);
    await out.mapAsync(GPUMapMode.READ);
    return Array.from(new Float32Array(out.getMappedRange()));
}"""


def test_a_notebook_runs_from_top_to_bottom(lab: Lab, page: Page) -> None:
    notebook = lab.open(page, ["x = 6", "print(x)\n7 * x"])
    notebook.run_all()

    assert notebook.texts() == ["", "6\n42"]
    assert notebook.unrun() == []
    assert notebook.problems == []


def test_an_error_is_read_as_one(lab: Lab, page: Page) -> None:
    notebook = lab.open(page, ["1 / 0", "print('not reached')"])
    notebook.run_all()

    assert notebook.errors() == ["ZeroDivisionError: division by zero\n"]
    assert notebook.unrun() == [1]


def test_one_cell_runs_alone(lab: Lab, page: Page) -> None:
    notebook = lab.open(page, ["1", "2"])
    notebook.run_cell(1)

    assert notebook.texts() == ["", "2"]


def test_kernels_run_this_python(lab: Lab, page: Page) -> None:
    notebook = lab.open(page, ["import sys, workbench; sys.prefix"])
    notebook.run_all()

    assert notebook.texts() == [repr(sys.prefix)]


def test_the_page_computes_on_webgpu(lab: Lab, page: Page) -> None:
    notebook = lab.open(page, ["1"])
    notebook.dark()

    assert page.evaluate(DOUBLE) == [2, 4, 6, 8]
    assert notebook.screenshot("lab").stat().st_size > 10_000
