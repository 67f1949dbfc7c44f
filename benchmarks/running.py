"""Default and scheduled kernels on the devices here, against NumPy in the same run."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row, called, interleaved
from workbench.base.source import Source
from workbench.demo import TEXT
from workbench.schedule.step import Schedule
from workbench.session.devices import devices
from workbench.session.kernel import kernels

SIDE = 256


def rows() -> list[Row]:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((SIDE, SIDE), dtype=np.float32) for _ in "ab")
    found = kernels(Source(TEXT, "demo"))
    tiled = (
        Schedule()
        .parallelize("i", "workgroup.y", 16)
        .parallelize("j", "workgroup.x", 16)
        .cache("C", "private", at="j_i")
        .split("k", 16)
        .cache("A", "workgroup", at="k_o")
        .cache("B", "workgroup", at="k_o")
    )
    result: list[Row] = []
    for d in devices().rows:
        if not d.available:
            continue
        for name, schedule in (("by the rule", None), ("tiled", tiled)):
            if schedule is None or d.target == "wgsl":
                ours, numpy = interleaved(
                    called(found["matmul"], (a, b), d.name, schedule), lambda: a @ b, repeats=5
                )
                result.append(
                    Row(f"matmul {SIDE}, {name}, {d.name}", ours * 1e3, "ms", numpy * 1e3, "NumPy")
                )
        ours, numpy = interleaved(
            called(found["softmax"], (a,), d.name, None), lambda: _softmax(a), repeats=5
        )
        result.append(
            Row(f"softmax {SIDE}, by the rule, {d.name}", ours * 1e3, "ms", numpy * 1e3, "NumPy")
        )
    return result


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
