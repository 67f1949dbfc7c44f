"""ONNX's Backend API: `prepare(model, "CPU").run(inputs)`, for its own tests and for its users.

Devices are those of the workbench by their names, in any case: cpu, wasm, native, browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from onnx.backend.base import Backend, BackendRep

from workbench.base.dtypes import I64
from workbench.base.errors import DeviceError
from workbench.runtime.device import open_device
from workbench.session.model import Model, from_onnx


class WorkbenchRep(BackendRep):
    """A model made ready for a device."""

    def __init__(self, model: Model, device: str) -> None:
        """`device` is a name of the workbench's."""
        self.model = model
        self.device = device

    def run(self, inputs: Any, **_: Any) -> tuple[np.ndarray[Any, Any], ...]:
        """The outputs, for inputs in order (one may stand alone) or by name."""
        if isinstance(inputs, Mapping):
            found = self.model(on=self.device, **inputs)
        else:
            several = isinstance(inputs, Sequence)
            found = self.model(*(inputs if several else (inputs,)), on=self.device)
        arrays: tuple[Any, ...] = (
            cast("tuple[Any, ...]", found) if isinstance(found, tuple) else (found,)
        )
        c = self.model.last
        assert c is not None, "it was just called"
        return tuple(
            np.asarray(a.numpy(), np.int64 if x.dtype is I64 else None)
            for a, x in zip(arrays, c.model.outputs, strict=True)
        )


class WorkbenchBackend(Backend):
    """Runs models of ONNX on the devices of the workbench."""

    @classmethod
    def is_compatible(cls, model: Any, device: str = "CPU", **_: Any) -> bool:
        """Whether every node has an operator."""
        from workbench.ops.tensor import UnsupportedError  # noqa: PLC0415

        try:
            from_onnx(model)
        except UnsupportedError:
            return False
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **_: Any) -> WorkbenchRep:
        """Read a model. Raises `UnsupportedError` where a node has no operator."""
        return WorkbenchRep(from_onnx(model), _name(device))

    @classmethod
    def run_model(cls, model: Any, inputs: Any, device: str = "CPU", **_: Any) -> Any:
        """Read a model and run it once."""
        return cls.prepare(model, device).run(inputs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether the device is here."""
        try:
            return open_device(_name(device)).describe().available
        except DeviceError:
            return False


def _name(device: str) -> str:
    """A device of ONNX's naming, such as "CPU" or "CPU:0", by the workbench's name."""
    return device.partition(":")[0].lower()


prepare = WorkbenchBackend.prepare
run_model = WorkbenchBackend.run_model
supports_device = WorkbenchBackend.supports_device
is_compatible = WorkbenchBackend.is_compatible
