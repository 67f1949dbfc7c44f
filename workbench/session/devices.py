"""The devices of this session: which are here, why one is not, and which "auto" takes."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from workbench.base.errors import DeviceError
from workbench.base.limits import Limits, lacks
from workbench.runtime.device import NAMES, Description, Target, open_device

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.base.dtypes import DType

SHOWN_FEATURES = ("shader-f16", "subgroup", "subgroups", "timestamp-query")
"""Features that change what code is generated or how it is timed; tables leave out the others."""
LISTED = tuple(n for n in NAMES if n != "null")


@dataclass(frozen=True, slots=True)
class Devices:
    """A table of devices: prints as text, shows as HTML in a notebook."""

    rows: tuple[Description, ...]

    def __iter__(self) -> object:
        return iter(self.rows)

    def __getitem__(self, name: str) -> Description:
        return next(d for d in self.rows if d.name == name)

    def __repr__(self) -> str:
        lines: list[str] = []
        for d in self.rows:
            if d.available:
                kind = " (software)" if _is_software(d) else ""
                lines.append(f"{d.name:12} {d.target:5} {d.adapter}{kind}")
                lines.append(" " * 19 + _limits(d))
                if d.route:
                    lines.append(" " * 19 + f"reached {d.route}")
            else:
                lines.append(f"{d.name:12} not here: {d.cause}")
                lines.append(" " * 13 + f"try: {d.remedy}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells: list[str] = []
        for d in self.rows:
            if d.available:
                kind = " <em>(software)</em>" if _is_software(d) else ""
                route = f"<br><small>reached {escape(d.route)}</small>" if d.route else ""
                what = f"{escape(d.adapter)}{kind}<br><small>{escape(_limits(d))}</small>{route}"
            else:
                what = f"not here: {escape(d.cause)}<br>try: <code>{escape(d.remedy)}</code>"
            cells.append(
                f"<tr><th scope='row' style='text-align:left'>{d.name}</th>"
                f"<td style='text-align:left'>{d.target}</td>"
                f"<td style='text-align:left'>{what}</td></tr>"
            )
        head = "<tr><th>device</th><th>runs</th><th style='text-align:left'>adapter</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{''.join(cells)}</tbody></table>"


def devices() -> Devices:
    """Every device: adapter, limits and features, or the cause and the remedy."""
    return Devices(tuple(open_device(n).describe() for n in LISTED))


def choose(on: str, target: Target | None = None, dtypes: Iterable[DType] = ()) -> tuple[str, str]:
    """The device for `on`, and why it, in words; of a `target`, where there is no choice of it.

    "auto" takes a hardware GPU in the page, a hardware GPU natively, the cpu, then wasm, the first
    that holds all `dtypes`; software adapters only when they are named. Raises `DeviceError` where
    the named one is not here; whether that holds the dtypes is said by compiling.
    """
    if on != "auto":
        d = open_device(on).describe()
        if not d.available:
            raise DeviceError(f"device '{on}' is not here: {d.cause}", hint=d.remedy)
        if target not in {None, d.target}:
            raise DeviceError(
                f"device '{on}' runs {d.target}, this is {target}", hint="on='native'"
            )
        return on, "named"
    passed: list[str] = []
    needed: DType | None = None
    for name in LISTED:
        d = open_device(name).describe()
        if target not in {None, d.target}:
            continue
        missing = _missing(d, dtypes)
        if d.available and d.hardware and not missing:
            because = f" ({'; '.join(passed)})" if passed else ""
            why = f"{needed} needs it" if needed else "the best device here"
            return name, f"auto: {why}{because}"
        unlike = "no WebGPU in the page" if d.target == "wasm" else "software adapter"
        cause = unlike if d.available else d.cause
        if missing:
            needed, cause = missing
        passed.append(f"{name}: {cause}")
    software = next((p.partition(":")[0] for p in passed if "software" in p), None)
    raise DeviceError(
        "no device here: " + "; ".join(passed),
        hint=f"on='{software}'" if software else "pip install llvmlite, for on='cpu'",
    )


def _is_software(d: Description) -> bool:
    """Whether it is a GPU made of software."""
    return d.target == "wgsl" and not d.hardware


def _missing(d: Description, dtypes: Iterable[DType]) -> tuple[DType, str] | None:
    """A dtype that a device cannot hold, and why; what is not here might have every feature."""
    limits = d.limits if d.available else Limits(shader_f16=True)
    causes = ((t, lacks(d.target, limits, t)) for t in dtypes)
    return next(((t, cause) for t, cause in causes if cause), None)


def _limits(d: Description) -> str:
    if d.target != "wgsl":
        return ", ".join(d.features)
    parts = [
        f"{d.limits.max_compute_invocations_per_workgroup} invocations a workgroup",
        f"{d.limits.max_compute_workgroup_storage_size // 1024} KiB workgroup memory",
        f"{d.limits.max_storage_buffer_binding_size // 2**20} MiB a binding",
    ]
    return ", ".join([*parts, *(f for f in d.features if f in SHOWN_FEATURES)])
