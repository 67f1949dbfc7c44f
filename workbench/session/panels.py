"""Arrays laid out anew on their device: the kernels between C order and panels."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from workbench.base.source import Source
from workbench.pipeline import compile_graph
from workbench.session.kernel import kernels

if TYPE_CHECKING:
    from workbench.base.device_class import DeviceClass
    from workbench.base.dtypes import DType
    from workbench.base.limits import Limits
    from workbench.base.panels import Panels
    from workbench.program import Program
    from workbench.runtime.device import Device

_MOST = 64
"""Programs that are kept."""


def between(
    dtype: DType,
    shape: tuple[int, ...],
    old: Panels | None,
    new: Panels | None,
    device: Device,
) -> Program:
    """The program that lays an array of a shape out: from panels to C order, or into panels."""
    description = device.describe()
    if old is not None:
        assert new is None, "one of the two is C order"
        text = _in_order(dtype, shape, old)
    else:
        assert new is not None, "the two differ"
        text = _in_panels(dtype, shape, new)
    return _compiled(text, description.device_class, description.limits)


@lru_cache(_MOST)
def _compiled(text: str, on: DeviceClass, limits: Limits) -> Program:
    source = Source(text)
    (k,) = kernels(source).values()
    return compile_graph(k.graph, source, {}, on=on, limits=limits).program


def _in_order(dtype: DType, shape: tuple[int, ...], old: Panels) -> str:
    axes = [f"a{d}" for d in range(len(shape))]
    cut = axes[old.dim]
    rest = [a for a in axes if a != cut]
    there = ", ".join([f"{cut} // {old.size}", *rest, f"{cut} % {old.size}"])
    return (
        f"def in_order(x: {dtype}{_extents(old.stored(shape))}) -> {dtype}{_extents(shape)}:\n"
        f"    y[{', '.join(axes)}] = x[{there}]\n"
        "    return y\n"
    )


def _in_panels(dtype: DType, shape: tuple[int, ...], new: Panels) -> str:
    rest = [f"a{d}" for d in range(len(shape)) if d != new.dim]
    there = list(rest)
    there.insert(new.dim, f"panel * {new.size} + place")
    return (
        f"def in_panels(x: {dtype}{_extents(shape)}) -> {dtype}{_extents(new.stored(shape))}:\n"
        f"    y[{', '.join(['panel', *rest, 'place'])}] = x[{', '.join(there)}]\n"
        "    return y\n"
    )


def _extents(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"
