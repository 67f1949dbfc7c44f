"""What is made and given back again and again takes no more room than once, here and in the page.

Measured after a garbage collection on both sides, against the same after a few rounds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from playwright.sync_api import CDPSession, Page, Worker

from tests.lab import ROOT, Lab, Notebook

CYCLES = 500
PANELS = 200
AT_ONCE = 20
SET_UP = f"""
import gc, json, sys
sys.path.insert(0, {str(ROOT)!r})
import numpy as np
import psutil
from IPython.display import display
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

def cycle(count):
    for _ in range(count):
        assert k(wb.array(ones), on="browser").numpy()[-1] == 2

cycle(50)
"""
MEASURE = """
gc.collect()
process = psutil.Process()
counts = {"objects": len(gc.get_objects()), "resident": process.memory_info().rss}
print(json.dumps({**counts, "arrays": len(live()), "threads": process.num_threads()}))
"""
CYCLE, OPEN, CLOSE, MEASURED, NOTHING, NO_MORE = 1, 2, 3, 4, 5, 6
CELLS = (
    SET_UP,
    f"cycle({CYCLES // 2})",
    f"shown = [Panel(example.matmul()) for _ in range({AT_ONCE})]\nfor p in shown:\n    display(p)",
    "for p in shown:\n    p.close()\nshown.clear()",
    MEASURE,
    "pass",
    "pass",
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
DETACHED = """function () {
    let count = 0;
    for (const each of this) {
        try {
            if (!each.isConnected && /(^|\\s)wb-/.test(each.className)) count += 1;
        } catch { continue; } // the prototypes themselves are among them
    }
    return count;
}"""
SHOWN = "(count) => document.querySelectorAll('.wb-panel').length === count"


@dataclass(frozen=True, slots=True)
class Room:
    """What the process and the page take: counts, and bytes."""

    objects: int
    resident: int
    arrays: int
    threads: int
    heap: int
    nodes: int
    listeners: int
    buffers: int
    detached: int


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
        for _ in range(2):
            self.page.send("HeapProfiler.collectGarbage")
        counted = self.page.send("Memory.getDOMCounters")
        return Room(
            **here,
            heap=self.page.send("Runtime.getHeapUsage")["usedSize"],
            nodes=counted["nodes"],
            listeners=counted["jsEventListeners"],
            buffers=self.worker.evaluate("() => globalThis.live.size"),
            detached=self._detached(),
        )

    def _detached(self) -> int:
        """How many elements of panels the page keeps without showing them."""
        asked = {"expression": "HTMLElement.prototype", "objectGroup": "found"}
        prototype = self.page.send("Runtime.evaluate", asked)["result"]["objectId"]
        found = {"prototypeObjectId": prototype, "objectGroup": "found"}
        elements = self.page.send("Runtime.queryObjects", found)["objects"]["objectId"]
        counted = {"objectId": elements, "functionDeclaration": DETACHED, "returnByValue": True}
        value = self.page.send("Runtime.callFunctionOn", counted)["result"]["value"]
        self.page.send("Runtime.releaseObjectGroup", {"objectGroup": "found"})
        return value

    def panels(self, count: int) -> None:
        """Open and close so many panels, some at a time."""
        for _ in range(count // AT_ONCE):
            self.notebook.run_cell(OPEN)
            self.notebook.page.wait_for_function(SHOWN, arg=AT_ONCE)
            self.notebook.run_cell(CLOSE)
            self.notebook.page.wait_for_function(SHOWN, arg=0)

    def cells(self, rounds: int) -> None:
        """Run two cells in turn that do nothing: the notebook itself keeps toolbars of such."""
        for _ in range(rounds):
            self.notebook.run_cell(NOTHING)
            self.notebook.run_cell(NO_MORE)


def watched(lab: Lab, page: Page) -> Watched:
    notebook = lab.open(page, CELLS)
    notebook.run_cell(0)
    assert notebook.errors() == []
    (worker,) = page.workers
    worker.evaluate(COUNT)
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
    assert after.heap - before.heap < 1 << 20

    rounds = PANELS // AT_ONCE
    seen.panels(2 * AT_ONCE)
    before = seen.room()
    seen.panels(PANELS - 2 * AT_ONCE)
    after = seen.room()
    seen.cells(rounds - 2)
    idle = seen.room()
    print(f"\n{PANELS} panels opened and closed, then as many cells:\n{before}\n{after}\n{idle}")

    assert after.detached == before.detached
    assert after.nodes - before.nodes < idle.nodes - after.nodes + 5 * PANELS
    assert after.heap - before.heap < idle.heap - after.heap + PANELS * 10_000
    assert after.objects - before.objects < PANELS
    assert after.resident - before.resident < 16 << 20
    assert seen.notebook.errors() == []
