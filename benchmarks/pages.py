"""A page beside what it is made of: plain HTTP, the notebook's comm, a bare submit and map.

One JupyterLab and one Chromium; what is compared is measured in turn, in the same page.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.row import Row
from tests.cdp import Chrome, Tab, opened
from tests.lab import CANVAS_FLAGS, IDLE, ROOT, Lab, find_chromium, notebook_of, running_lab

ROUNDS = 4
MB = 64
LOAD = f"""
import json, sys
sys.path.insert(0, {str(ROOT)!r})
%load_ext workbench
from benchmarks import in_kernel
echo = in_kernel.Echo()
"""
MANDELBROT = '''%load_ext workbench
import workbench as wb
mandelbrot = wb.kernel("""
def mandelbrot(h: i32, w: i32, limit: i32 = 80) -> f32[h, w]:
    for y, x in grid(h, w):
        cr = (x - 0.7 * w) * 3.0 / w
        ci = (y - 0.5 * h) * 3.0 / w
        zr, zi, n = 0.0, 0.0, 0
        while n < limit and zr * zr + zi * zi < 16:
            zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
            n = n + 1
        out[y, x] = log2(n + 1.0)
    return out
""")
'''
LIVE = "mandelbrot.live(480, 640, limit=(20, 200, 80))"
EXECUTE = """new Promise((resolve, reject) => {
    const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const future = kernel.requestExecute({ code: CODE });
    let out = '';
    future.onIOPub = ({ header, content }) => {
        if (header.msg_type === 'stream') out += content.text;
        if (header.msg_type === 'error') reject(new Error(content.traceback.join('\\n')));
    };
    void future.done.then(() => { resolve(out); });
})"""
BARE = """(async () => {
    const { device } = await globalThis[Symbol.for('workbench.gpu.v1')].open();
    const code = `@group(0) @binding(0) var<storage, read> a: array<f32>;
        @group(0) @binding(1) var<storage, read_write> c: array<f32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3u) {
            if (id.x < 16u) { c[id.x] = 2.0 * a[id.x]; }
        }`;
    const module = device.createShaderModule({ code });
    const pipeline = await device.createComputePipelineAsync({
        layout: 'auto', compute: { module } });
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const buffers = [0, 1].map(() => device.createBuffer({ size: 64, usage: STORAGE | COPY_SRC }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0),
        entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
    const out = device.createBuffer({ size: 64, usage: MAP_READ | COPY_DST });
    const times = [];
    for (let n = 0; n < 100; n += 1) {
        const began = performance.now();
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(1);
        pass.end();
        encoder.copyBufferToBuffer(buffers[1], 0, out, 0, 64);
        device.queue.submit([encoder.finish()]);
        await out.mapAsync(GPUMapMode.READ);
        new Float32Array(out.getMappedRange()).slice();
        out.unmap();
        times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[50];
})()"""
COUNT = """() => {
    const submit = GPUQueue.prototype.submit;
    globalThis.submits = 0;
    GPUQueue.prototype.submit = function (buffers) {
        globalThis.submits += 1;
        return submit.call(this, buffers);
    };
}"""


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook in a page, its kernel and the worker that holds the page's GPU."""

    tab: Tab
    worker: Tab

    def run(self, code: str) -> str:
        """What code prints in the kernel."""
        return self.tab.evaluate(EXECUTE.replace("CODE", json.dumps(code)))

    def value(self, expression: str) -> Any:
        """The value of a Python expression; long transfers print, too."""
        printed = self.run(f"print('\\nvalue', json.dumps({expression}))")
        return json.loads(printed.rpartition("value ")[2])

    def fetch(self, port: int, options: str) -> float:
        """Seconds of a request to plain HTTP, answered into the page's memory."""
        return self.worker.evaluate(f"""(async () => {{
            globalThis.block ??= new Uint8Array({MB << 20});
            const began = performance.now();
            await (await fetch('http://127.0.0.1:{port}/', {options})).arrayBuffer();
            return (performance.now() - began) / 1000;
        }})()""")


def show(chrome: Chrome, url: str, lab: Lab, cells: list[str], name: str) -> Tab:
    """A notebook, once its kernel is idle."""
    (lab.folder / name).write_text(json.dumps(notebook_of(cells)))
    tab = chrome.open(f"{url}lab/tree/{name}?reset&token={lab.token}")
    tab.wait(f"Boolean(document.querySelector('.jp-Notebook .jp-Cell')) && ({IDLE})()")
    return tab


def join(chrome: Chrome, url: str, lab: Lab, name: str) -> Notebook:
    """A notebook whose page is the device `browser` of its kernel."""
    tab = show(chrome, url, lab, ["1"], name)
    notebook = Notebook(tab, tab)
    notebook.run(LOAD)
    notebook.value("in_kernel.tiny(3)")
    return Notebook(tab, tab.worker())


def rows() -> list[Row]:
    executable = find_chromium()
    if executable is None:
        print("  chromium is not installed")
        return []
    found: list[Row] = []
    with TemporaryDirectory() as folder, running_lab(Path(folder)) as lab:
        with opened(executable) as chrome:
            near = join(chrome, lab.url, lab, "near.ipynb")
            far = join(chrome, lab.url.replace("127.0.0.1", "lab.localhost"), lab, "far.ipynb")
            found += crossing(near)
            found += [
                call(near, "a tiny call", 1.5),
                call(far, "a tiny call through the proxy", 3.0),
                *chain(near),
                *stream(near),
            ]
        with opened(executable, CANVAS_FLAGS) as chrome:
            found += live(chrome, lab)
    return found


def crossing(notebook: Notebook) -> list[Row]:
    """64 MB each way beside plain HTTP and beside the comm."""
    port = notebook.value("in_kernel.serve()")
    ways: dict[str, Callable[[], float]] = {
        "GET": lambda: notebook.fetch(port, "{}"),
        "PUT": lambda: notebook.fetch(port, "{ method: 'PUT', body: block }"),
        "comm down": lambda: notebook.value("await echo.seconds(down=True)"),
        "comm up": lambda: notebook.value("await echo.seconds(down=False)"),
    }
    seconds: dict[str, list[float]] = {}
    for number in range(ROUNDS + 1):
        ours = notebook.value("in_kernel.transfers()")
        for name, value in (ours | {name: way() for name, way in ways.items()}).items():
            if number:
                seconds.setdefault(name, []).append(value)
    rates = {name: MB / median(each) for name, each in seconds.items()}
    return [
        Row(f"64 MB {words}", rates[way], "MB/s", rates[peer], named, want)
        for way, words in (("down", "into a GPU buffer"), ("up", "from a GPU buffer"))
        for peer, named, want in (
            ("GET" if way == "down" else "PUT",
             f"plain HTTP {'GET' if way == 'down' else 'PUT'}", "at least 0.8"),
            (f"comm {way}", "the comm", "at least 2.5"),
        )
    ]  # fmt: skip


def call(notebook: Notebook, words: str, most: float) -> Row:
    """A tiny call beside the same work without Python."""
    bare: list[float] = []
    ours: list[float] = []
    for _ in range(ROUNDS):
        bare.append(notebook.worker.evaluate(BARE))
        ours.append(notebook.value("in_kernel.tiny()"))
    above = median(o - b for o, b in zip(ours, bare, strict=True))
    want = f"at most {most} ms above it"
    return Row(f"{words}, above the bare one", above, "ms", median(bare), "submit and map", want)


def descends(process: int) -> bool:
    """Whether this process, or one that it started, started that one."""
    while process > 1 and process != os.getpid():
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return process > 1


def worker_milliseconds() -> float:
    """What workers of our browsers have computed: all JavaScript there, and what it calls."""
    total = 0
    for thread in Path("/proc").glob("[0-9]*/task/[0-9]*"):
        with suppress(OSError):  # a thread that has ended meanwhile
            worker = (thread / "comm").read_text().startswith("DedicatedWorker")
            if worker and descends(int(thread.parts[2])):
                total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e6


def chain(notebook: Notebook) -> list[Row]:
    """Fifty tiny calls that feed each other: submits, JavaScript, and the time of single ones."""
    worker = notebook.worker
    notebook.value("in_kernel.chain()")
    worker.evaluate(f"({COUNT})()")
    chains: list[tuple[float, float, int]] = []
    for _ in range(2 * ROUNDS):
        worker.evaluate("globalThis.submits = 0")
        before = worker_milliseconds()
        milliseconds = notebook.value("in_kernel.chain()")
        busy = worker_milliseconds() - before
        chains.append((milliseconds, busy, worker.evaluate("globalThis.submits")))
    together, javascript, submits = (median(each) for each in zip(*chains, strict=True))
    single = notebook.value("in_kernel.tiny()")
    return [
        Row("50 tiny calls in a chain", together, "ms", single, "one call and its read"),
        Row("  submits, with that of the read", submits, "", 1, "the aim", "1 x"),
        Row("  CPU time of the worker", javascript, "ms", 3, "the aim", "below 1 x"),
    ]


def stream(notebook: Notebook) -> list[Row]:
    """New inputs in a loop, beside the same loop that waits for each result.

    Where the GPU is software, it computes on the cores that the bytes need, too: what it can show
    is that they came while it did.
    """
    times: dict[bool, list[float]] = {True: [], False: []}
    ahead: dict[bool, list[int]] = {True: [], False: []}
    for number in range(ROUNDS):
        for waiting in (True, False):
            seconds, inputs = notebook.value(f"in_kernel.stream(waiting={waiting})")
            if number:
                times[waiting].append(seconds)
                ahead[waiting].append(inputs)
    free, waited = (1000 * median(times[waiting]) for waiting in (False, True))
    return [
        Row("8 calls with new 16 MB", free, "ms", waited, "each waited for", "below 1"),
        Row("  inputs there before the run before ends", median(ahead[False]), "", 7, "all of them",
            f"1 x; waited for, {median(ahead[True]):g}"),
    ]  # fmt: skip


def live(chrome: Chrome, lab: Lab) -> list[Row]:
    """A live picture: its frames beside the GPU's own time of one, and the JavaScript of each."""
    timed = "k = mandelbrot(480, 640, on='browser'); k.call.wait(); k.call.timing.kernel"
    tab = show(chrome, lab.url, lab, [MANDELBROT, LIVE, timed, timed], "live.ipynb")
    tab.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    shown = "(document.querySelector('.wb-view-live .wb-foot')?.textContent ?? '')"
    text = tab.wait(f"/frame [1-9]\\d\\d/.test({shown}) && {shown}", seconds=120)
    measured = re.search(r"(\d+) frames/s · ([\d.]+) ms", text)
    assert measured is not None
    results = "jupyterapp.shell.currentWidget.content.widgets[3].model.outputs.toJSON()"
    kernel = tab.wait(f"{results}[0]?.data['text/plain']")
    frame = 1000 / float(measured[1])
    return [
        Row("live Mandelbrot 640x480, a frame", frame, "ms", 1000 * float(kernel),
            "its kernel on the GPU", "1, or 16.7 ms"),
        Row("  JavaScript", float(measured[2]), "ms", frame, "a frame", "below 1 ms"),
    ]  # fmt: skip
