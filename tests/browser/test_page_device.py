"""The device `browser` with a real page: first one without Jupyter, then a real JupyterLab."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Worker

import workbench as wb
from tests.lab import Lab
from workbench.base.errors import DeviceError
from workbench.base.source import Origin, Source, Span
from workbench.base.text import Mark, Text
from workbench.pipeline import compile_graph
from workbench.program import FORMAT, Program, from_json
from workbench.runtime.arrays import array
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.connect import page_address
from workbench.runtime.device import Memory, Run
from workbench.runtime.enqueue import enqueue
from workbench.runtime.page_messages import PROTOCOL_VERSION

HEAD = """@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
"""
DOUBLE = """@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x < arrayLength(&c)) { c[id.x] = 2.0 * a[id.x]; }
}
"""
MATMUL = """@group(0) @binding(0) var<storage, read> A: array<f32>;
@group(0) @binding(1) var<storage, read> B: array<f32>;
@group(0) @binding(2) var<storage, read_write> C: array<f32>;
struct Scalars { alpha: f32, shift: i32 }
@group(0) @binding(3) var<uniform> scalars: Scalars;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    var sum = 0.0;
    for (var k = 0u; k < 16u; k++) { sum += A[id.y * 16u + k] * B[k * 16u + id.x]; }
    C[id.y * 16u + id.x] = scalars.alpha * sum + f32(scalars.shift);
}
"""
SPEND = """@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
@group(0) @binding(2) var<storage, read_write> status: array<u32>;
@compute @workgroup_size(1)
fn main() {
    var x = a[0];
    var left = 1000u;
    while (x > 0.0) {
        if (left == 0u) { status[0] = 1u; status[1] = 1u; break; }
        left -= 1u;
        x += 1.0;
    }
    c[0] = x;
}
"""
LOSE = """async () => (await globalThis[Symbol.for('workbench.gpu.v1')].open()).device.destroy()"""


def buffer(name: str, role: str, *shape: int, dtype: str = "f32") -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": list(shape), "role": role}


def binding(index: int, name: str, access: str) -> dict[str, Any]:
    return {"index": index, "buffer": name, "access": access}


def dispatch(kernel: str, *workgroups: int) -> dict[str, Any]:
    return {"op": "dispatch", "kernel": kernel, "workgroups": list(workgroups)}


def double(count: int, *, code: str = HEAD + DOUBLE, body: Any = None, extra: Any = ()) -> Program:
    """Doubles, or does whatever `code` says."""
    bindings = [binding(0, "a", "read"), binding(1, "c", "read_write")]
    bindings += [binding(2 + n, b["name"], "read_write") for n, b in enumerate(extra)]
    return from_json(
        {
            "version": FORMAT,
            "name": "double",
            "target": "wgsl",
            "buffers": [buffer("a", "input", count), buffer("c", "output", count), *extra],
            "scalars": [],
            "inputs": ["a"],
            "outputs": ["c"],
            "kernels": [
                {
                    "name": "k",
                    "code": code,
                    "workgroup_size": [64, 1, 1],
                    "iterations": [0, 0],
                    "bindings": bindings,
                }
            ],
            "body": body or [dispatch("k", -(-count // 64), 1, 1)],
            "loops": ["'for i' at line 2", "'while x' at line 3"],
        }
    )


def spinning() -> Program:
    """Host loop whose flag, the input itself, is never cleared."""
    return double(64, body=[{"op": "while", "flag": "a", "body": [dispatch("k", 1, 1, 1)]}])


@dataclass(frozen=True, slots=True)
class Connected:
    """A device and its page."""

    device: BrowserDevice
    page: Page

    def put(self, values: np.ndarray) -> Memory:
        memory = self.device.allocate(values.nbytes)
        self.device.write(memory, values.reshape(-1).view(np.uint8).data)
        return memory

    def run(self, program: Program, a: Memory, count: int) -> tuple[Memory, Run]:
        c = self.device.allocate(4 * count)
        return c, self.device.enqueue(program, {"a": a, "c": c}, [])

    def floats(self, memory: Memory, count: int) -> np.ndarray:
        return np.frombuffer(self.device.read(memory, 4 * count), np.float32)


@pytest.fixture(scope="module")
def joined(browser: Browser) -> Iterator[Connected]:
    """A page that `wb.connect()` would open."""
    device = BrowserDevice()
    page = browser.new_page()
    page.goto(page_address(device))
    device.expect_page(20)
    assert device.describe().available
    yield Connected(device, page)
    page.close()
    device.close()


def test_the_page_says_what_it_is(joined: Connected) -> None:
    description = joined.device.describe()

    assert "swiftshader" in description.adapter
    assert not description.hardware
    assert "timestamp-query" in description.features
    assert description.limits.max_buffer_size > 2**28
    assert joined.page.inner_text("#state") == "connected"


def test_the_gpu_runs_in_a_worker(joined: Connected) -> None:
    page = joined.device.serve().page
    assert page is not None
    assert page.report is not None

    assert page.report.where == "worker"
    assert worker_of(joined.page).url.startswith("blob:")


def test_a_kernel_computes(joined: Connected) -> None:
    values = np.arange(1000, dtype=np.float32)
    c, run = joined.run(double(1000), joined.put(values), 1000)
    result = joined.floats(c, 1000)
    timing = run.wait(10)

    np.testing.assert_array_equal(result, 2 * values)
    assert timing.kernel is not None
    assert timing.total is not None


def test_matmul_with_scalars(joined: Connected) -> None:
    program = from_json(
        {
            "version": FORMAT,
            "name": "matmul",
            "target": "wgsl",
            "buffers": [
                buffer("A", "input", 16, 16),
                buffer("B", "input", 16, 16),
                buffer("C", "output", 16, 16),
                buffer("scalars", "scalars", 2),
            ],
            "scalars": [{"name": "alpha", "dtype": "f32"}, {"name": "shift", "dtype": "i32"}],
            "inputs": ["A", "B"],
            "outputs": ["C"],
            "kernels": [
                {
                    "name": "matmul_C",
                    "code": MATMUL,
                    "workgroup_size": [8, 8, 1],
                    "iterations": [0, 0],
                    "bindings": [
                        binding(0, "A", "read"),
                        binding(1, "B", "read"),
                        binding(2, "C", "read_write"),
                        binding(3, "scalars", "uniform"),
                    ],
                }
            ],
            "body": [dispatch("matmul_C", 2, 2, 1)],
            "loops": [],
        }
    )
    device = joined.device
    rng = np.random.default_rng(1)
    A, B = (rng.random((16, 16), dtype=np.float32) for _ in range(2))
    buffers = {"A": joined.put(A), "B": joined.put(B), "C": device.allocate(1024)}
    device.prepare(program)
    device.enqueue(program, buffers, [0.5, -3])
    result = joined.floats(buffers["C"], 256).reshape(16, 16)

    np.testing.assert_allclose(result, 0.5 * (A @ B) - 3, rtol=1e-5, atol=1e-5)


def test_new_sizes_make_no_new_pipelines_in_the_page(joined: Connected) -> None:
    worker = worker_of(joined.page)
    worker.evaluate("""() => {
        const make = GPUDevice.prototype.createComputePipelineAsync;
        globalThis.pipelines = 0;
        GPUDevice.prototype.createComputePipelineAsync = function (plan) {
            globalThis.pipelines += 1;
            return make.call(this, plan);
        };
    }""")
    k = wb.kernel("def third(x: f32[N]) -> f32[N]:\n    y[i] = x[i] / 3.0\n    return y\n")
    c = compile_graph(k.graph, k.source, {"N": 1}, left=("N",))
    for n in (1, 2, 3, 64, 65, 7, 1000, 0, 129, 4097):
        x = np.arange(n, dtype=np.float32)
        program = c.at({"N": n}).program
        (y,) = enqueue(program, joined.device, [array(x)], [], words="third(...)")
        np.testing.assert_allclose(y.numpy(), x / 3, rtol=1e-6)

    assert worker.evaluate("() => globalThis.pipelines") == 1


def test_results_chain_without_a_read(joined: Connected) -> None:
    program = double(256)
    values = np.ones(256, dtype=np.float32)
    memory = joined.put(values)
    for _ in range(10):
        memory, _ = joined.run(program, memory, 256)

    np.testing.assert_array_equal(joined.floats(memory, 256), 1024 * values)


COUNT_SUBMITS = """() => {
    const submit = GPUQueue.prototype.submit;
    globalThis.submits = 0;
    GPUQueue.prototype.submit = function (buffers) {
        globalThis.submits += 1;
        return submit.call(this, buffers);
    };
}"""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are held until somebody waits, however slow this machine is."""
    for name in ("_QUIET_SECONDS", "_HELD_SECONDS"):
        monkeypatch.setattr(f"workbench.runtime.page_peer.{name}", 60.0)


@pytest.mark.usefixtures("patient")
def test_a_chain_of_fifty_runs_and_its_read_are_one_submit(joined: Connected) -> None:
    program, start = double(64), joined.put(np.ones(64, np.float32))
    c, _ = joined.run(program, start, 64)
    joined.floats(c, 64)
    worker = worker_of(joined.page)
    worker.evaluate(COUNT_SUBMITS)
    messages, _ = joined.device.traffic()
    memory, runs = start, list[Run]()
    for _ in range(50):
        memory, run = joined.run(program, memory, 64)
        runs.append(run)
    result = joined.floats(memory, 64)

    np.testing.assert_array_equal(result, np.full(64, 2.0**50, np.float32))
    assert worker.evaluate("() => globalThis.submits") == 1
    assert joined.device.traffic()[0] - messages <= 6  # a request and an answer, and pings
    assert {run.wait(10).submits for run in runs} == {1}


@pytest.mark.usefixtures("patient")
def test_of_runs_that_are_submitted_together_each_fails_by_itself(joined: Connected) -> None:
    program = double(1, code=SPEND, extra=[buffer("status", "status", 4, dtype="u32")])
    inputs = [joined.put(np.full(1, n, np.float32)) for n in (-2, 1, -3)]
    first, _ = joined.run(program, inputs[0], 1)
    joined.floats(first, 1)
    results, runs = zip(*(joined.run(program, a, 1) for a in inputs), strict=True)

    assert [float(joined.floats(results[n], 1)[0]) for n in (0, 2)] == [-2, -3]
    for wait in (lambda: joined.floats(results[1], 1), lambda: runs[1].wait(10)):
        with pytest.raises(DeviceError, match="'while x' at line 3 ran out of its budget"):
            wait()


def test_a_run_that_the_browser_refuses_takes_no_other_along(joined: Connected) -> None:
    longer = HEAD.replace("a: array<f32>", "a: array<f32, 999>") + DOUBLE
    a = joined.put(np.ones(64, np.float32))
    refused, _ = joined.run(double(64, code=longer), a, 64)
    sound, _ = joined.run(double(64), a, 64)

    assert joined.floats(sound, 64).tolist() == [2] * 64
    with pytest.raises(DeviceError, match="is too small"):
        joined.floats(refused, 64)


def test_repeats_and_copies_run_in_slices(joined: Connected) -> None:
    body = [{"op": "repeat", "count": 300, "body": [
        dispatch("k", 1, 1, 1), {"op": "copy", "source": "c", "target": "a"}]}]  # fmt: skip
    code = HEAD + DOUBLE.replace("2.0 * a[id.x]", "1.0 + a[id.x]")
    values = np.arange(64, dtype=np.float32)
    c, run = joined.run(double(64, code=code, body=body), joined.put(values), 64)
    run.wait(30)

    np.testing.assert_array_equal(joined.floats(c, 64), values + 300)


def test_a_loop_of_the_host_ends_when_its_flag_falls(joined: Connected) -> None:
    go = buffer("go", "temporary", 1, dtype="u32")
    code = (
        HEAD
        + """@group(0) @binding(2) var<storage, read_write> go: array<u32>;
@compute @workgroup_size(1)
fn main() { c[0] = c[0] * f32(go[0]) + a[0]; go[0] = select(0u, 1u, c[0] < 5.0); }
"""
    )
    first = dispatch("k", 1, 1, 1)
    body = [first, {"op": "while", "flag": "go", "body": [first]}]
    program = double(1, code=code, body=body, extra=[go])
    c, _ = joined.run(program, joined.put(np.ones(1, np.float32)), 1)

    assert joined.floats(c, 1)[0] == 5


def test_many_megabytes_cross_in_both_directions(joined: Connected) -> None:
    content = np.random.default_rng(2).integers(0, 256, 40 << 20, dtype=np.uint8)
    memory = joined.put(content)
    result = np.frombuffer(joined.device.read(memory, content.nbytes), np.uint8)
    joined.device.free(memory)

    assert np.array_equal(result, content)


def test_enqueueing_does_not_wait_for_the_page(joined: Connected) -> None:
    program = double(64)
    memory = joined.put(np.ones(64, np.float32))
    joined.device.prepare(program)
    c, run = joined.run(program, memory, 64)
    run.wait(10)
    runs = [joined.run(program, memory, 64)[1] for _ in range(50)]

    assert not runs[-1].done()
    assert runs[-1].wait(10).total is not None
    assert joined.floats(c, 64)[0] == 2


def test_a_shader_error_leads_to_the_source(joined: Connected) -> None:
    code = HEAD + DOUBLE.replace("2.0 * a", "2u * a")
    source = Source("C[i] = 2 * A[i]")
    start = code.index("2u * a")
    mark = Mark(start, start + 12, Origin(Span(source, 7, 15)))
    program = double(64, code=code)
    kernel = replace(program.kernels[0], text=Text(code, (mark,)))
    with pytest.raises(DeviceError) as caught:
        joined.device.prepare(replace(program, kernels=(kernel,)))

    words = str(caught.value)
    assert "refused kernel 'k' at line 5, column" in words
    assert "no matching overload for 'operator * (u32, f32)'" in words
    assert "C[i] = 2 * A[i]\n" in words
    assert "              ^^^^^^^^" in words


def test_a_limit_is_refused_before_submission(joined: Connected) -> None:
    program = double(64)
    big = replace(program.kernels[0], workgroup_size=(32, 32, 1))
    with pytest.raises(DeviceError, match=r"workgroup_size_x|invocations.* 256 .* 1024"):
        joined.device.prepare(replace(program, kernels=(big,)))
    with pytest.raises(DeviceError, match=r"max_.*buffer.* is \d+ on this device"):
        joined.device.allocate(1 << 40)


def test_a_spent_iteration_budget_surfaces_at_the_read(joined: Connected) -> None:
    status = buffer("status", "status", 4, dtype="u32")
    program = double(1, code=SPEND, extra=[status])
    c, _ = joined.run(program, joined.put(np.ones(1, np.float32)), 1)
    with pytest.raises(DeviceError, match="'while x' at line 3 ran out of its budget"):
        joined.device.read(c, 4)


def test_what_a_failed_run_fed_fails_too(joined: Connected) -> None:
    status = buffer("status", "status", 4, dtype="u32")
    program = double(1, code=SPEND, extra=[status])
    c, _ = joined.run(program, joined.put(np.ones(1, np.float32)), 1)
    after, _ = joined.run(double(1), c, 1)
    sound, _ = joined.run(program, joined.put(np.zeros(1, np.float32)), 1)
    with pytest.raises(DeviceError, match="budget"):
        joined.device.read(after, 4)

    assert joined.floats(sound, 1)[0] == 0


def test_a_loop_without_end_is_stopped_at_its_deadline(joined: Connected) -> None:
    c, run = joined.run(spinning(), joined.put(np.ones(64, np.float32)), 64)
    with pytest.raises(DeviceError, match=r"no result within 0\.5 s; the call was stopped"):
        run.wait(0.5)
    with pytest.raises(DeviceError, match="stopped"):
        joined.device.read(c, 4)


def test_stop_ends_what_runs(joined: Connected) -> None:
    _, run = joined.run(spinning(), joined.put(np.ones(64, np.float32)), 64)
    threading.Timer(0.2, joined.device.stop).start()
    with pytest.raises(DeviceError, match="the run was stopped"):
        run.wait(10)

    assert joined.device.ping() < 5


def test_a_busy_page_does_not_delay_answers(joined: Connected) -> None:
    joined.page.evaluate(
        "() => { setTimeout(() => { const t = Date.now(); while (Date.now() < t + 3000); }, 0); }"
    )
    started = time.monotonic()
    joined.device.ping()

    assert time.monotonic() - started < 1.5


def test_a_lost_gpu_is_reported_and_the_next_call_has_a_new_one(joined: Connected) -> None:
    memory = joined.put(np.ones(4, np.float32))
    joined.floats(memory, 4)
    generation = joined.device.generation
    worker_of(joined.page).evaluate(LOSE)
    wait_until(lambda: joined.device.generation != generation)
    with pytest.raises(DeviceError, match="closed, reloaded or lost its GPU"):
        joined.device.read(memory, 16)
    c, _ = joined.run(double(4), joined.put(np.ones(4, np.float32)), 4)

    assert joined.floats(c, 4).tolist() == [2, 2, 2, 2]


def test_an_array_whose_page_dies_is_computed_again(joined: Connected) -> None:
    device = joined.device
    x = array(np.arange(4, dtype=np.float32))
    (before,) = enqueue(double(4), device, (x,), (), words="double(x)")
    before.numpy()
    (after,) = enqueue(double(4), device, (before,), (), words="double(before)")
    (spoiled,) = enqueue(double(4), device, (x,), (), words="double(x)")
    joined.page.reload()
    wait_until(lambda: not any(place.memory.alive for place in after._places.values()))

    assert after.numpy().tolist() == [0, 4, 8, 12]
    x[...] = 0
    with pytest.raises(DeviceError, match=r"double\(x\).* in a page that is gone"):
        spoiled.numpy()


def test_a_reloaded_page_serves_again(joined: Connected) -> None:
    memory = joined.put(np.ones(4, np.float32))
    joined.floats(memory, 4)
    joined.page.reload()
    c, _ = joined.run(double(4), joined.put(np.ones(4, np.float32)), 4)

    assert not memory.alive
    assert joined.floats(c, 4).tolist() == [2, 2, 2, 2]


def test_without_workers_the_page_itself_computes(browser: Browser) -> None:
    device = BrowserDevice()
    page = browser.new_page()
    page.add_init_script("window.Worker = class { constructor() { throw new Error('no'); } };")
    page.goto(page_address(device))
    device.expect_page(20)
    connected = Connected(device, page)
    c, _ = connected.run(double(4), connected.put(np.ones(4, np.float32)), 4)
    peer = device.serve().page
    assert peer is not None
    assert peer.report is not None

    assert peer.report.where == "page"
    assert connected.floats(c, 4).tolist() == [2, 2, 2, 2]
    page.close()
    device.close()


def test_a_closed_page_is_reported_at_once(browser: Browser) -> None:
    device = BrowserDevice()
    page = browser.new_page()
    page.goto(page_address(device))
    device.expect_page(20)
    connected = Connected(device, page)
    _, run = connected.run(spinning(), connected.put(np.ones(64, np.float32)), 64)
    assert not run.done()
    started = time.monotonic()
    page.close()
    with pytest.raises(DeviceError, match="the page was closed"):
        run.wait(10)

    assert time.monotonic() - started < 2
    device.close()


def worker_of(page: Page) -> Worker:
    """The page's one worker, once Playwright has heard of it."""
    wait_until(lambda: page.evaluate("true") and page.workers)
    (worker,) = page.workers
    return worker


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


JOIN = """
import json, time
import numpy as np
from workbench.program import from_json
from workbench.runtime.device import open_device
from workbench.widget.page import open_page

hidden = open_page()
device = open_device("browser")
program = from_json(json.loads('''PROGRAM'''))

def call():
    a, c = device.allocate(256), device.allocate(256)
    device.write(a, memoryview(np.ones(64, np.float32).view(np.uint8)))
    device.prepare(program)
    device.enqueue(program, {"a": a, "c": c}, [])
    result = np.frombuffer(device.read(c, 256), np.float32)
    for memory in (a, c):
        device.free(memory)
    return result.sum()

print(call())
""".replace("PROGRAM", json.dumps(double(64).to_json()).replace("\\", "\\\\"))

LEAVES = f"() => globalThis[Symbol.for('workbench.page.v{PROTOCOL_VERSION}')].joined.size === 0"


def test_a_first_cell_computes_in_the_page_under_run_all(lab: Lab, page: Page) -> None:
    cells = [JOIN, "%timeit -n 5 -r 2 call()", "import asyncio; await asyncio.to_thread(call)"]
    notebook = lab.open(page, cells)
    notebook.run_all()
    first, timed, awaited = notebook.texts()

    assert first == "128.0"
    assert re.search(r"per loop \(mean", timed)
    assert awaited == "np.float32(128.0)"
    assert notebook.problems == []


def test_a_reloaded_notebook_joins_again(lab: Lab, page: Page) -> None:
    notebook = lab.open(page, [JOIN, "call()"])
    notebook.run_all()
    page.reload()
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
    notebook.run_cell(1)

    assert notebook.texts()[1] == "np.float32(128.0)"


def test_an_endless_call_can_be_interrupted(lab: Lab, page: Page) -> None:
    spin = f"endless = from_json(json.loads('''{escaped(spinning())}'''))"
    run = """
a, c = device.allocate(256), device.allocate(256)
device.write(a, memoryview(np.ones(64, np.float32).view(np.uint8)))
print("running", flush=True)
device.enqueue(endless, {"a": a, "c": c}, []).wait(60)"""
    notebook = lab.open(page, [JOIN + spin, run, "call()"])
    notebook.run_cell(0)
    notebook.start_cell(1)
    page.wait_for_function("() => document.body.innerText.includes('running\\n')")
    page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    notebook.wait()
    notebook.run_cell(2)

    assert notebook.errors() == ["KeyboardInterrupt: \n"]
    assert notebook.texts()[2] == "np.float32(128.0)"


def test_the_page_leaves_a_restarted_kernel_and_joins_the_next(lab: Lab, page: Page) -> None:
    notebook = lab.open(page, [JOIN])
    notebook.run_all()
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    notebook.run_all()

    assert notebook.texts() == ["128.0"]
    assert len(page.workers) >= 1


def test_closing_the_widget_makes_the_page_leave(lab: Lab, page: Page) -> None:
    notebook = lab.open(page, [JOIN, "hidden.close()"])
    notebook.run_all()
    page.wait_for_function(LEAVES, timeout=10_000)

    assert notebook.problems == []


def escaped(program: Program) -> str:
    return json.dumps(program.to_json()).replace("\\", "\\\\")
