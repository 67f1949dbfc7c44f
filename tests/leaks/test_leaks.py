"""What is made and given back again and again takes no more room than once, here and in the page.

Measured after a garbage collection on both sides, against the same after a few rounds.
JupyterLab (4.6) itself keeps a good deal of every widget that was closed, since the comm of each
listens to its kernel for ever. So panels are compared with bare widgets of nobody's, and a bare
widget that does keep something shows that the comparison would see it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from playwright.sync_api import CDPSession, Page, Worker

from tests.lab import ROOT, Lab, Notebook
from workbench.runtime.connect import bundle

CYCLES = 500
PANELS = 200
AT_ONCE = 20
FIRST = 2 * AT_ONCE
KEPT = 24_000
"""Bytes that a widget keeps which does keep something, and twice what a panel may."""
SET_UP = f"""
import gc, json, sys
sys.path.insert(0, {str(ROOT)!r})
import anywidget, ipywidgets, psutil, traitlets
import numpy as np
from IPython.display import HTML, display
import workbench as wb
from tests.unit.widget import example
from workbench.runtime.residency import live
from workbench.widget.panel import Panel

%load_ext workbench
k = wb.kernel('''
def double(x: f32[N]) -> f32[N]:
    y[i] = 2.0 * x[i]
    return y
''')
ones = np.ones(1000, np.float32)
shown = []

def cycle(count):
    for _ in range(count):
        assert k(wb.array(ones), on="browser").numpy()[-1] == 2

class Bare(anywidget.AnyWidget):
    _esm = "export default {{ render({{ el }}) {{ el.className = 'bare'; }} }};"
    state = traitlets.Bytes(b"{{}}").tag(sync=True)

class Keeping(anywidget.AnyWidget):
    _esm = '''export default {{ render({{ el, model }}) {{
        el.className = "bare";
        (globalThis.kept ??= []).push(new TextDecoder().decode(model.get("state")).split(""));
    }} }};'''
    # An element of an array of strings takes 4 bytes.
    state = traitlets.Bytes(b"x" * {KEPT // 4}).tag(sync=True)

def show(make):
    shown[:] = [make() for _ in range({AT_ONCE})]
    for each in shown:
        display(each)
        if not isinstance(each, Panel):
            display(HTML("as many outputs as a panel"))

def close():
    for each in shown:
        layout = each.layout
        each.close()
        layout.close()
    shown.clear()

def taken():
    gc.collect()
    process = psutil.Process()
    objects = gc.get_objects()
    panels = sum(isinstance(each, Panel) for each in objects)
    return dict(
        objects=len(objects), resident=process.memory_info().rss, panels=panels,
        widgets=len(ipywidgets.widgets.widget._instances), arrays=len(live()),
        threads=process.num_threads(),
    )

cycle(50)
"""
CYCLE, OPEN, BARE, KEEPING, CLOSE, MEASURED = 1, 2, 3, 4, 5, 6
CELLS = (
    SET_UP,
    f"cycle({CYCLES // 2})",
    "show(lambda: Panel(example.matmul()))",
    "show(Bare)",
    "show(Keeping)",
    "close()",
    "print(json.dumps(taken()))",
)
COUNT = """() => {
    const [make, destroy] = [GPUDevice.prototype.createBuffer, GPUBuffer.prototype.destroy];
    globalThis.live = new Set();
    GPUDevice.prototype.createBuffer = function (plan) {
        const made = make.call(this, plan);
        globalThis.live.add(made);
        return made;
    };
    GPUBuffer.prototype.destroy = function () {
        globalThis.live.delete(this);
        return destroy.call(this);
    };
}"""
# anywidget holds a widget by the two seconds that it gives it to start, also when it has started.
WAITING = """() => {
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    globalThis.waiting = 0;
    AbortSignal.timeout = (milliseconds) => {
        const signal = timeout(milliseconds);
        globalThis.waiting += 1;
        signal.addEventListener("abort", () => { globalThis.waiting -= 1; });
        return signal;
    };
}"""
DETACHED = """function () {
    let count = 0;
    for (const each of this) {
        try {
            if (!each.isConnected && /(^|\\s)wb-/.test(each.className)) count += 1;
        } catch { continue; } // the prototypes themselves are among them
    }
    return count;
}"""
# How many functions of a bundle there are, of those that there are ten times or more.
FUNCTIONS = """function (bundle) {
    const counts = new Map();
    for (const each of this) {
        if (typeof each !== "function") continue; // what a class was mixed into by hand
        const text = Function.prototype.toString.call(each);
        counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    let count = 0;
    for (const [text, many] of counts) {
        if (many >= 10 && !text.includes("[native code]") && bundle.includes(text)) count += many;
    }
    return count;
}"""
SHOWN = "([what, count]) => document.querySelectorAll(what).length === count"


@dataclass(frozen=True, slots=True)
class Room:
    """What the process and the page take: counts, and bytes.

    `detached` are elements of panels that the page keeps without showing them, `functions` those
    of our code in the page.
    """

    objects: int
    resident: int
    panels: int
    widgets: int
    arrays: int
    threads: int
    heap: int
    nodes: int
    listeners: int
    buffers: int
    detached: int
    functions: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A notebook, and what its page is measured by."""

    notebook: Notebook
    page: CDPSession
    worker: Worker

    def room(self) -> Room:
        """What is taken now, after a garbage collection on both sides."""
        self.notebook.run_cell(MEASURED)
        here = json.loads(self.notebook.texts()[MEASURED])
        self.notebook.page.wait_for_function("() => globalThis.waiting === 0")
        for _ in range(2):
            self.page.send("HeapProfiler.collectGarbage")
        counted = self.page.send("Memory.getDOMCounters")
        heap = self.page.send("Runtime.getHeapUsage")
        return Room(
            **here,
            heap=heap["usedSize"] + heap["embedderHeapUsedSize"] + heap["backingStorageSize"],
            nodes=counted["nodes"],
            listeners=counted["jsEventListeners"],
            buffers=self.worker.evaluate("() => globalThis.live.size"),
            detached=self._counted("HTMLElement", DETACHED),
            functions=self._counted("Function", FUNCTIONS, bundle().decode()),
        )

    def _counted(self, kind: str, count: str, *arguments: str) -> int:
        """What a function of the page says of all objects of a kind, garbage left out."""
        asked = {"expression": f"{kind}.prototype", "objectGroup": "found"}
        prototype = self.page.send("Runtime.evaluate", asked)["result"]["objectId"]
        found = {"prototypeObjectId": prototype, "objectGroup": "found"}
        objects = self.page.send("Runtime.queryObjects", found)["objects"]["objectId"]
        call = {
            "objectId": objects,
            "functionDeclaration": count,
            "arguments": [{"value": each} for each in arguments],
            "returnByValue": True,
        }
        value = self.page.send("Runtime.callFunctionOn", call)["result"]["value"]
        self.page.send("Runtime.releaseObjectGroup", {"objectGroup": "found"})
        return value

    def open(self, cell: int) -> None:
        """Show some widgets at once, and wait until all are drawn."""
        self.notebook.run_cell(cell)
        drawn = ".wb-panel" if cell == OPEN else ".bare"
        self.notebook.page.wait_for_function(SHOWN, arg=[drawn, AT_ONCE])

    def close(self) -> None:
        """Close them, and wait until none is left."""
        self.notebook.run_cell(CLOSE)
        self.notebook.page.wait_for_function(SHOWN, arg=[".wb-panel, .bare", 0])

    def shown(self, cell: int, count: int) -> tuple[Room, Room]:
        """What is taken after the first widgets of a kind, and after `count` of them."""

        def rounds(widgets: int) -> Room:
            for _ in range(0, widgets, AT_ONCE):
                self.open(cell)
                self.close()
            return self.room()

        return rounds(FIRST), rounds(count - FIRST)


def each(rooms: tuple[Room, Room], what: str, count: int) -> float:
    """How much more of something there is for each of so many widgets after the first."""
    before, after = rooms
    return (getattr(after, what) - getattr(before, what)) / (count - FIRST)


def watched(lab: Lab, page: Page) -> Watched:
    notebook = lab.open(page, CELLS)
    notebook.run_cell(0)
    assert notebook.errors() == []
    (worker,) = page.workers
    worker.evaluate(COUNT)
    page.evaluate(WAITING)
    return Watched(notebook, page.context.new_cdp_session(page), worker)


def test_cycles_and_panels_take_no_more_room_each(lab: Lab, page: Page) -> None:
    """One notebook for both: starting it is what costs."""
    seen = watched(lab, page)
    before = seen.room()
    for _ in range(2):
        seen.notebook.run_cell(CYCLE)
    after = seen.room()
    print(f"\n{CYCLES} arrays made, computed with, read and given back:\n{before}\n{after}")

    assert after.arrays == before.arrays
    assert after.buffers <= before.buffers + 2
    assert after.threads <= before.threads + 1
    assert after.objects - before.objects < CYCLES / 2
    assert after.resident - before.resident < 8 << 20
    # JupyterLab keeps over a megabyte of two runs of a cell; the arrays have twice that.
    assert after.heap - before.heap < CYCLES * 4000

    bare = seen.shown(BARE, PANELS)
    panels = seen.shown(OPEN, PANELS)
    keeping = seen.shown(KEEPING, PANELS)
    for name, rooms in ("bare", bare), ("panels", panels), ("keeping", keeping):
        print(name, *rooms, sep="\n")
    rest, after = panels
    seen.open(OPEN)
    opened = seen.room()
    print("open", opened, sep="\n")
    seen.close()

    assert opened.panels == AT_ONCE
    assert opened.functions - after.functions > 20 * AT_ONCE
    assert (after.panels, after.widgets) == (0, rest.widgets)
    assert (after.detached, after.functions) == (rest.detached, rest.functions)
    for what, more in ("nodes", 1), ("listeners", 1), ("heap", KEPT / 2), ("objects", 0.5):
        assert each(panels, what, PANELS) < each(bare, what, PANELS) + more
    assert each(keeping, "heap", PANELS) > each(bare, "heap", PANELS) + KEPT / 2
    assert after.resident - rest.resident < 16 << 20
    assert seen.notebook.errors() == []
