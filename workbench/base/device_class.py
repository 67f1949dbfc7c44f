"""Classes of devices: what default schedules know of the device that they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Target = Literal["wgsl", "llvm", "wasm"]
"""What a device runs."""

DeviceClass = Literal["cpu 128", "cpu 256", "cpu 512", "wasm", "software gpu", "gpu"]
"""A processor by the bits of its vector registers, WebAssembly, a GPU made of software, a GPU."""


def device_class(
    target: Target, features: Collection[str] = (), *, hardware: bool = True
) -> DeviceClass:
    """The class of a device that runs `target`, by its features; `hardware`: no software GPU."""
    match target:
        case "wgsl":
            return "gpu" if hardware else "software gpu"
        case "wasm":
            return "wasm"
        case "llvm" if "avx512f" in features:
            return "cpu 512"
        case "llvm":
            return "cpu 256" if "avx2" in features else "cpu 128"


TARGETS: Mapping[DeviceClass, Target] = {
    "cpu 128": "llvm",
    "cpu 256": "llvm",
    "cpu 512": "llvm",
    "wasm": "wasm",
    "software gpu": "wgsl",
    "gpu": "wgsl",
}
"""What the devices of a class run."""
