"""A compiler you can look inside, in a notebook.

    import workbench as wb
    matmul = wb.kernel('''
    def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
        C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
        return C
    ''')
    C = matmul(a, b)                    # runs on the best device here, gives an Array
    matmul.compile(on="native").stages["wgsl"].text

In a notebook: `%load_ext workbench`, then `%%wgpu_kernel` cells. Names are loaded when used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.base.errors import (
        CallError,
        CodegenError,
        DeviceError,
        InternalError,
        ScheduleError,
        SourceError,
        WorkbenchError,
    )
    from workbench.measure.comparison import Comparison
    from workbench.measure.results import results
    from workbench.pipeline import Compilation
    from workbench.program import Program, load
    from workbench.runtime.arrays import Array, array
    from workbench.runtime.connect import connect
    from workbench.runtime.residency import tidy
    from workbench.schedule.step import Schedule
    from workbench.session.compare import compare
    from workbench.session.devices import devices
    from workbench.session.kernel import Kernel, kernel
    from workbench.session.memory import memory, watch_memory
    from workbench.session.model import Model, from_onnx
    from workbench.session.programs import run
    from workbench.session.roofs import roofs
    from workbench.session.shader import WgslKernel, from_wgsl
    from workbench.session.sweep import sweep

__version__ = "0.1.0"

__all__ = [
    "Array",
    "CallError",
    "CodegenError",
    "Comparison",
    "Compilation",
    "DeviceError",
    "InternalError",
    "Kernel",
    "Model",
    "Program",
    "Schedule",
    "ScheduleError",
    "SourceError",
    "WgslKernel",
    "WorkbenchError",
    "array",
    "compare",
    "connect",
    "devices",
    "from_onnx",
    "from_wgsl",
    "kernel",
    "load",
    "memory",
    "results",
    "roofs",
    "run",
    "sweep",
    "tidy",
    "watch_memory",
]

_HOMES = {
    "Array": "runtime.arrays",
    "CallError": "base.errors",
    "CodegenError": "base.errors",
    "Comparison": "measure.comparison",
    "Compilation": "pipeline",
    "DeviceError": "base.errors",
    "InternalError": "base.errors",
    "Kernel": "session.kernel",
    "Model": "session.model",
    "Program": "program",
    "Schedule": "schedule.step",
    "ScheduleError": "base.errors",
    "SourceError": "base.errors",
    "WorkbenchError": "base.errors",
    "WgslKernel": "session.shader",
    "array": "runtime.arrays",
    "compare": "session.compare",
    "connect": "runtime.connect",
    "devices": "session.devices",
    "from_onnx": "session.model",
    "from_wgsl": "session.shader",
    "kernel": "session.kernel",
    "load": "program",
    "memory": "session.memory",
    "results": "measure.results",
    "roofs": "session.roofs",
    "run": "session.programs",
    "sweep": "session.sweep",
    "tidy": "runtime.residency",
    "watch_memory": "session.memory",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its home at its first use."""
    if name not in _HOMES:
        msg = f"module 'workbench' has no attribute '{name}'"
        raise AttributeError(msg)
    value = getattr(import_module(f"workbench.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def load_ipython_extension(ipython: Any) -> None:
    """Make the magics known: `%load_ext workbench`."""
    import_module("workbench.magics").register(ipython)
