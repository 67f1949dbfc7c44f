"""What a panel adds to a saved notebook, and how long its state takes to make."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row, interleaved
from workbench.base.source import Source
from workbench.demo import TEXT
from workbench.session.cell import run_cell
from workbench.session.kernel import kernels
from workbench.widget.assemble import cell_state
from workbench.widget.messages import encode
from workbench.widget.twins import html_twin, text_twin

LIMIT = 40_000


def rows() -> list[Row]:
    rng = np.random.default_rng(0)
    namespace = {n: rng.standard_normal((256, 256), dtype=np.float32) for n in "ABx"}
    namespace |= {"h": 192, "w": 256}
    found: list[Row] = []
    for name, k in kernels(Source(TEXT, "demo")).items():
        run = run_cell(k, namespace, on="cpu")
        state = cell_state(run)
        saved = len(text_twin(state).encode()) + len(html_twin(state).encode())
        found.append(
            Row(f"{name}: saved in the notebook", saved / 1e3, "kB", LIMIT / 1e3, "the limit",
                "below 40 kB")
        )  # fmt: skip
        encoding, compiling = interleaved(
            lambda r=run: encode(cell_state(r)),
            lambda k=k, r=run: k.compile(on="null", dims=r.compilation.dims, schedule=None),
        )
        del compiling
        found.append(
            Row(f"{name}: state of the panel", encoding * 1e3, "ms",
                run.compilation.seconds * 1e3, "its compilation")
        )  # fmt: skip
    return found
