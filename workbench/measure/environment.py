"""What a measurement was made on: machine, versions, device, and how busy the machine was."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.runtime.device import Description

PACKAGES = ("wgpu-workbench", "numpy", "llvmlite", "wgpu", "wasmtime", "onnxruntime", "torch")
"""Packages whose versions change what is measured."""


def machine() -> dict[str, str]:
    """Processor, cores, system, and the versions of what is installed; by name."""
    found = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0)
        or str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def load() -> float | None:
    """Processes that ran or waited to, over the last minute, for each core; None where unknown."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (OSError, AttributeError):
        return None


def of_device(d: Description) -> dict[str, str]:
    """The adapter, and what of it changes measurements."""
    found = {"adapter": d.adapter, "kind": "hardware" if d.hardware else "software"}
    if d.features:
        found["features"] = ", ".join(sorted(d.features))
    if d.route:
        found["route"] = d.route
    return found


def differences(first: Mapping[str, str], second: Mapping[str, str]) -> tuple[str, ...]:
    """What differs between two environments, in words."""
    names = sorted({*first, *second})
    return tuple(
        f"{n}: {first.get(n, 'none')} -> {second.get(n, 'none')}"
        for n in names
        if first.get(n) != second.get(n)
    )


def _processor() -> str:
    """The processor's own name, where the system tells it."""
    told = Path("/proc/cpuinfo")
    if told.is_file():
        for line in told.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
