"""Which workgroup of which kernel a picture is of, and the data that it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from workbench.base.errors import CodegenError
from workbench.ir.bound import bound
from workbench.ir.interpret import in_storage

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from workbench.ir.device import DeviceKernel, Mapped
    from workbench.ir.findings import Id
    from workbench.session.subject import Subject
    from workbench.widget.views import Arguments


@dataclass(frozen=True, slots=True)
class Choice:
    """A workgroup of a device kernel, the names of all kernels, and one invocation.

    `arrays` and `scalars` are those of the last run, where it was of this compilation; a scalar
    that is not known is 1.
    """

    names: tuple[str, ...]
    number: int
    kernel: DeviceKernel
    workgroup: Id
    invocation: Id
    arrays: Mapping[str, np.ndarray[Any, Any]]
    scalars: Mapping[str, float]


def choose(subject: Subject, given: Arguments, view: str) -> Choice:
    """What the page asks for; numbers out of range are brought into it.

    Raises `CodegenError` where there are no workgroups.
    """
    c = subject.compilation
    if c.target != "wgsl" or "kernel" not in c.stages:
        raise CodegenError(
            f"{c.name} was compiled for {subject.device or 'a CPU'}, which has no workgroups",
            hint=f'--on native, or k.compile(on="native").show(view="{view}")',
        )
    mapped: Mapped = bound(c.stages["kernel"].value, c.dims)
    number = _within(given.get("kernel"), len(mapped.kernels))
    kernel = mapped.kernels[number]
    if 0 in kernel.counts:
        raise CodegenError(f"{kernel.name} runs no workgroup at these sizes")
    last = None if subject.kernel is None else subject.kernel.last
    inputs: Mapping[str, Any] = {}
    if last is not None and last.compilation is c:
        inputs = last.inputs
    held = [b for b in kernel.buffers if b.role == "input" and b.name in inputs]
    return Choice(
        names=tuple(k.name for k in mapped.kernels),
        number=number,
        kernel=kernel,
        workgroup=_ids(given.get("workgroup"), kernel.counts),
        invocation=_ids(given.get("invocation"), kernel.workgroup_size),
        arrays={b.name: in_storage(b, inputs[b.name].numpy()) for b in held},
        scalars={s.name: inputs.get(s.name, 1) for s in kernel.scalars},
    )


def _ids(asked: object, ends: Id) -> Id:
    places: list[object] = cast("list[object]", asked) if isinstance(asked, list) else []
    x, y, z = (_within(p, n) for p, n in zip([*places, 0, 0, 0][:3], ends, strict=True))
    return x, y, z


def _within(value: object, end: int) -> int:
    """A number from the page, kept from 0 to `end`, left out."""
    return min(max(0, value), end - 1) if isinstance(value, int) else 0
