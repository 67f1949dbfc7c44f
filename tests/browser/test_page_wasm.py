"""A real page without WebGPU: its WebAssembly computes, in workers, and says why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from playwright.sync_api import Browser, Frame, Page, Worker

pytest.importorskip("llvmlite")

import workbench as wb
from tests.end_to_end.kernels import Case, wide
from tests.end_to_end.test_dtypes import LANES
from tests.end_to_end.test_kernels import CASES
from tests.lab import FLAGS, Lab, find_chromium
from workbench.base.errors import DeviceError
from workbench.ir.compare import agreement
from workbench.runtime import device as devices
from workbench.runtime.arrays import Array
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.connect import page_address
from workbench.runtime.enqueue import enqueue
from workbench.runtime.wasm_memory import LARGEST
from workbench.session.cell import run_cell

TEXT = """
def scaled(x: f32[N], factor: f32) -> f32[N]:
    y[i] = x[i] * factor + sin(x[i])
    return y
"""
GATHER = """
def gather(x: f32[N], at: i32[M]) -> f32[M]:
    y[i] = x[at[i]]
    return y
"""
DTYPES = """
def dtypes(x: f64[N], b: u8[M], n: i64, h: f64, m: i8) -> (f64[N], i64[M], u8[M]):
    y[i] = x[i] / 3 + h
    t[i] = n * b[i] + m
    s[i] = b[M - 1 - i] + 1
    return y, t, s
"""
LONG = """
def long(x: f32[N]) -> f32[N]:
    y[i] = sum(sin(x[i] + k) for k in range(99))
    return y
"""
SPIN = """
def spin(x: f32[N]) -> f32[N]:
    y: f32[N]
    for i in grid(N):
        t = x[i]
        while t > 0.0:
            t = max(t, 1.0)
        y[i] = t
    return y
"""


@dataclass(frozen=True, slots=True)
class Joined:
    """A page that is device `browser`; `isolated` ones share memory between workers."""

    device: BrowserDevice
    page: Page
    isolated: bool


@pytest.fixture(scope="module")
def plain_browser(browser: Browser) -> Iterator[Browser]:
    """A browser as it is without the flags that force WebGPU onto software."""
    flags = [flag for flag in FLAGS if "webgpu" not in flag]
    opened = browser.browser_type.launch(executable_path=find_chromium(), args=flags)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=[True, False], ids=["isolated", "plain"])
def joined(request: pytest.FixtureRequest, plain_browser: Browser) -> Iterator[Joined]:
    device = BrowserDevice()
    page = plain_browser.new_page()
    address = page_address(device)
    if request.param:
        page.goto(address)
    else:  # a frame is isolated, and secure, only where the page around it is
        page.set_content(f"<iframe src='{address}'></iframe>")
    device.expect_page(20)
    before = devices._opened.get("browser")
    devices._opened["browser"] = device
    yield Joined(device, page, request.param)
    devices._opened.pop("browser")
    if before is not None:
        devices._opened["browser"] = before
    page.close()
    device.close()


def test_devices_say_the_engine_and_why_it_is_not_the_gpu(joined: Joined) -> None:
    found = wb.devices()["browser"]
    peer = joined.device.serve().page
    assert peer is not None
    report = peer.report

    assert found.available
    assert found.target == "wasm"
    assert not found.hardware
    assert found.adapter.startswith("WebAssembly in the page, ")
    assert "as there is no WebGPU: " in found.adapter
    cause = "found no GPU adapter" if joined.isolated else "is not a secure context"
    assert cause in found.adapter
    assert report is not None
    assert report.wasm_shared is joined.isolated
    frame = joined.page.frames[-1]
    assert frame.evaluate("crossOriginIsolated") is joined.isolated
    assert joined.isolated or report.wasm_workers == 1


@pytest.mark.usefixtures("joined")
def test_dtypes_of_all_widths_compute_in_the_page() -> None:
    x, b = np.linspace(-3, 3, 33), np.arange(77, dtype=np.uint8) * 3
    y, t, s = wb.kernel(DTYPES)(x, b, 2**40 + 1, 0.1, -5, on="browser")

    np.testing.assert_allclose(y, x / 3 + 0.1, rtol=1e-15)
    np.testing.assert_array_equal(t, (2**40 + 1) * b.astype(np.int64) - 5)
    np.testing.assert_array_equal(s, b[::-1] + np.uint8(1))


@pytest.mark.usefixtures("joined")
def test_f16_computes_in_the_page() -> None:
    x = np.linspace(-3, 3, 64).astype(np.float16)
    found, expected = (wb.kernel(LANES)(x, 1.3, on=on).numpy() for on in ("browser", "cpu"))

    np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("joined")
def test_a_call_computes_in_the_page() -> None:
    x = np.linspace(-3, 3, 100_003).astype(np.float32)
    y = wb.kernel(TEXT)(x, 2.5, on="browser")

    assert y.places == ("browser",)
    np.testing.assert_allclose(np.asarray(y), x * np.float32(2.5) + np.sin(x), rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_kernel_gives_what_numpy_gives(case: Case) -> None:
    values = case.inputs(np.random.default_rng(1))
    expected = case.reference(**wide(values))
    found = wb.kernel(case.text)(**values, on="browser")

    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for a, e in pairs:
        got = np.asarray(a)
        result = agreement(got, np.asarray(e), got.dtype, terms=case.terms, scale=case.scale)
        assert result.ok, result.words


@pytest.mark.usefixtures("joined")
def test_results_chain_without_a_read() -> None:
    k = wb.kernel("def plus(x: f32[N]) -> f32[N]:\n    y[i] = x[i] + 1.0\n    return y\n")
    x = k(np.zeros(1000, np.float32), on="browser")
    for _ in range(9):
        x = k(x, on="browser")

    assert set(np.asarray(x).tolist()) == {10.0}


@pytest.mark.usefixtures("joined")
def test_an_access_outside_is_reported_with_its_index() -> None:
    k = wb.kernel(GATHER)
    y = k(np.ones(4, np.float32), np.array([0, 7, 1], np.int32), on="browser")

    with pytest.raises(DeviceError, match="the index is 7 at i = 1"):
        np.asarray(y)


def test_many_megabytes_cross_in_both_directions(joined: Joined) -> None:
    content = np.random.default_rng(2).integers(0, 256, 40 << 20, dtype=np.uint8)
    memory = joined.device.allocate(content.nbytes)
    joined.device.write(memory, content.data)
    result = np.frombuffer(joined.device.read(memory, content.nbytes), np.uint8)
    joined.device.free(memory)

    assert np.array_equal(result, content)


def test_more_programs_than_a_page_keeps_compute(joined: Joined) -> None:
    """A page keeps 256; the first of 260 was dropped there, and is sent again."""
    program = wb.kernel(TEXT).compile(on="browser", dims={"N": 3}).program
    x = wb.array(np.array([0, 1, 2], np.float32))
    device = joined.device
    found: list[Array] = []
    for number in (*range(260), 0, 1):
        named = replace(program, name=f"scaled{number}")
        found += enqueue(named, device, [x], [float(number)], words="scaled()")
    sines = np.sin(np.arange(3))

    for number in (0, 1, 99, 259):
        np.testing.assert_allclose(found[number], number * np.arange(3) + sines, rtol=1e-6)
    for array, number in zip(found[-2:], (0, 1), strict=True):
        np.testing.assert_allclose(array, number * np.arange(3) + sines, rtol=1e-6)


def test_more_than_an_address_reaches_is_refused(joined: Joined) -> None:
    with pytest.raises(DeviceError, match=f"max_buffer_size is {LARGEST}"):
        joined.device.allocate(LARGEST + 4)


def test_the_page_stays_awake_while_a_kernel_runs(joined: Joined) -> None:
    y = wb.kernel(SPIN)(np.ones(4, np.float32), on="browser")
    threading.Timer(0.5, joined.device.stop).start()
    awake = joined.page.evaluate("new Promise((done) => setTimeout(() => done('awake'), 100))")
    started = time.monotonic()
    with pytest.raises(DeviceError, match=r"stopped|did not stop"):
        np.asarray(y)

    assert awake == "awake"
    assert time.monotonic() - started < 5


def test_both_engines_of_a_page_compute_side_by_side(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = BrowserDevice()
    monkeypatch.setitem(devices._opened, "browser", gpu)
    monkeypatch.delitem(devices._opened, "browser-wasm", raising=False)
    page = browser.new_page()
    page.goto(page_address(gpu))
    gpu.expect_page(20)
    k, x = wb.kernel(TEXT), np.linspace(-3, 3, 1000).astype(np.float32)
    resident = wb.array(x)
    results: dict[str, list[Array]] = {"browser": [], "browser-wasm": []}
    for _ in range(3):
        for name, made in results.items():
            made.append(k(resident, 2.5, on=name))
    found = wb.devices()
    answers = {a.device: a for a in run_cell(k, {"x": x, "factor": 2.5}, on="browser").answers}

    assert (found["browser"].target, found["browser-wasm"].target) == ("wgsl", "wasm")
    assert found["browser-wasm"].adapter.startswith("WebAssembly in the page, ")
    assert "no WebGPU" not in found["browser-wasm"].adapter
    assert found["wasm"].adapter.startswith("wasmtime ")
    assert resident.places == ("host", "browser", "browser-wasm")
    assert [y.places for y in results["browser-wasm"]] == [("browser-wasm",)] * 3
    for each in (*results["browser"], *results["browser-wasm"]):
        np.testing.assert_allclose(each, x * np.float32(2.5) + np.sin(x), rtol=1e-5, atol=1e-5)
    assert {
        a: answers[a].state for a in ("browser", "browser-wasm", "wasm", "cpu")
    } == dict.fromkeys(("browser", "browser-wasm", "wasm", "cpu"), "tick")
    page.close()
    gpu.close()


@pytest.mark.usefixtures("joined")
def test_sums_in_tiles_are_right_in_the_page() -> None:
    k = wb.kernel("""
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
""")
    rng = np.random.default_rng(4)
    A, B = rng.random((64, 96), dtype=np.float32), rng.random((96, 48), dtype=np.float32)
    C = k(A, B, on="browser").numpy()
    assert k.last is not None

    assert "vectorize" in repr(k.last.compilation.schedule)
    np.testing.assert_allclose(C, A @ B, rtol=1e-5)


COUNT_CALLS = """() => {
    const post = Worker.prototype.postMessage;
    globalThis.calls = new Map();
    Worker.prototype.postMessage = function (order, ...rest) {
        if (order.op === "call") calls.set(this, (calls.get(this) ?? 0) + 1);
        return post.call(this, order, ...rest);
    };
}"""


def giver_of_orders(joined: Joined) -> Worker | Frame:
    """The page's worker; where that would see no navigator.gpu, the page's own thread."""
    if not joined.isolated:
        return joined.page.frames[-1]
    deadline = time.monotonic() + 10
    while True:
        assert time.monotonic() < deadline
        joined.page.wait_for_timeout(10)
        for worker in joined.page.workers:
            if worker.evaluate("() => self.name") == "workbench":
                return worker


def test_all_workers_of_an_isolated_page_compute_in_one_memory(joined: Joined) -> None:
    giver = giver_of_orders(joined)
    giver.evaluate(COUNT_CALLS)
    k, x = wb.kernel(LONG), np.linspace(-3, 3, 50_000).astype(np.float32)
    y = k(x, on="browser").numpy()
    calls = giver.evaluate("() => [...calls.values()]")
    peer = joined.device.serve().page
    assert peer is not None
    assert peer.report is not None

    np.testing.assert_allclose(y, np.sin(x[:, None] + np.arange(99)).sum(1), atol=1e-3)
    assert len(calls) == (peer.report.wasm_workers if joined.isolated else 1)
    assert len(calls) == giver.evaluate("crossOriginIsolated ? navigator.hardwareConcurrency : 1")


def test_a_loop_without_end_is_stopped_and_the_next_call_computes(joined: Joined) -> None:
    k, x = wb.kernel(SPIN), np.ones(4, np.float32)
    c = k.compile(on="browser", dims={"N": 4})
    buffers = {n: joined.device.allocate(16) for n in "xy"}
    joined.device.write(buffers["x"], x.data.cast("B"))
    generation = joined.device.generation
    run = joined.device.enqueue(c.program, buffers, ())
    with pytest.raises(DeviceError, match="stopped"):
        run.wait(0.5)
    again = wb.kernel(TEXT)(x, 2.0, on="browser")

    np.testing.assert_allclose(np.asarray(again), 2 * x + np.sin(x), rtol=1e-6)
    # Only what shares its memory can be told to stop; else the buffers go with the worker.
    assert (joined.device.generation == generation) is joined.isolated


LAB = """%load_ext workbench
import numpy as np
import workbench as wb
k = wb.kernel('''def double(x: f32[N]) -> f32[N]:
    y[i] = x[i] * 2.0
    return y
''')
y = k(np.arange(1000, dtype=np.float32), on="browser")
print(y.places, float(y.numpy().sum()))"""


def test_a_notebook_in_a_browser_without_webgpu_computes_in_its_page(
    lab: Lab, plain_browser: Browser
) -> None:
    page = plain_browser.new_page()
    notebook = lab.open(page, [LAB, "print(wb.devices()['browser'].adapter)"])
    notebook.run_all()
    computed, engine = notebook.texts()
    page.close()
    lab.forget()

    assert notebook.problems == []
    assert computed.strip() == "('browser',) 999000.0"
    assert engine.startswith("WebAssembly in the page, 1 worker, as there is no WebGPU: ")
