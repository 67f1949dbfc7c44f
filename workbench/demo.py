"""Layer 9: the main job without a notebook: compile, run on every device here, report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.source import Source
from workbench.base.units import duration
from workbench.session.cell import CellRun, run_cell
from workbench.session.devices import devices
from workbench.session.kernel import kernels
from workbench.widget.assemble import cell_state
from workbench.widget.report import report_html

if TYPE_CHECKING:
    from pathlib import Path

TEXT = '''
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    """The product of two matrices"""
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C

def softmax(x: f32[M, N]) -> f32[M, N]:
    """Rows sum to one"""
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y

def mandelbrot(h: i32, w: i32, steps: i32 = 200) -> i32[h, w]:
    """How many steps each point of the plane stays near zero"""
    for y, x in grid(h, w):
        cr = 3.0 * f32(x) / f32(w) - 2.2
        ci = 2.4 * f32(y) / f32(h) - 1.2
        zr, zi, n = 0.0, 0.0, 0
        while n < steps and zr * zr + zi * zi < 4.0:
            zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
            n = n + 1
        out[y, x] = n
    return out
'''


def demo(folder: Path) -> int:
    """Run three kernels on every device here; print a table and write `folder/index.html`.

    Gives 0 where every stage and every device agrees with the reference, else 1.
    """
    rng = np.random.default_rng(0)
    namespace: dict[str, Any] = {
        "A": rng.standard_normal((256, 256), dtype=np.float32),
        "B": rng.standard_normal((256, 256), dtype=np.float32),
        "x": rng.standard_normal((256, 256), dtype=np.float32),
        "h": 192,
        "w": 256,
    }
    runs: list[CellRun] = []
    lines = [repr(devices()), ""]
    print(lines[0], flush=True)
    for k in kernels(Source(TEXT.strip() + "\n", "demo")).values():
        for d in devices().rows:
            if d.available:
                run = run_cell(k, namespace, on=d.name, timed=True)
                runs.append(run)
                lines.append(_row(run))
                print(lines[-1], flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "index.html"
    states = [cell_state(r) for r in runs]
    report.write_text(report_html("Workbench", "\n".join(lines), states), encoding="utf-8")
    print(f"report: {report}")
    return 0 if all(_agrees(r) for r in runs) else 1


def _agrees(run: CellRun) -> bool:
    stages = run.checks is None or run.checks.ok
    return stages and all(a.state != "cross" for a in run.answers)


def _row(run: CellRun) -> str:
    timing = run.timing
    seconds = None if timing is None else (timing.kernel or timing.total)
    took = "-" if seconds is None else duration(seconds)
    stages = 0 if run.checks is None else sum(c.state == "tick" for c in run.checks.checks)
    compiled = duration(run.compilation.seconds)
    words = run.answers[0].words if run.answers else ""
    verdict = words if _agrees(run) else f"DISAGREES: {words}"
    return (
        f"{run.kernel.name:10} {run.device:8} compiled in {compiled:>8}, ran in {took:>8}, "
        f"{stages} stages checked, {verdict}"
    )
