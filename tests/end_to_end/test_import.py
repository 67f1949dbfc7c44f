"""`import workbench` is light: what a call does not need is not loaded."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("llvmlite", "wgpu", "onnx", "anywidget", "IPython", "islpy", "tornado", "torch")


def loaded_after(statements: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{statements}\nimport sys\nprint(*sys.modules)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_import_loads_nothing_heavy() -> None:
    assert loaded_after("import workbench").isdisjoint(HEAVY)


def test_arrays_need_no_device() -> None:
    loaded = loaded_after("import workbench as wb; wb.array([1.0, 2.0])")

    assert loaded.isdisjoint(HEAVY)


def test_compiling_for_the_gpu_loads_no_llvm() -> None:
    text = "def f(x: f32[N]) -> f32[N]:\\n    y[i] = x[i]\\n    return y\\n"
    loaded = loaded_after(f"import workbench as wb; wb.kernel('{text}').compile(on='null')")

    assert loaded.isdisjoint({"llvmlite", "wgpu", "anywidget", "IPython"})
