"""Device kernels as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.base.text import Text, Writer
from workbench.ir.show import expr_text, write_body, write_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.ir.device import DeviceKernel, Mapped, Turns


def mapped_text(mapped: Mapped) -> Text:
    """Every device kernel of a function, in order of dispatch."""
    w = Writer()
    for number, kernel in enumerate(mapped.kernels):
        if number:
            w.line()
        _write_kernel(w, kernel)
    if mapped.turns:
        w.line()
        _write_order(w, mapped, mapped.turns)
    return w.text()


def _write_order(w: Writer, mapped: Mapped, order: Sequence[int | Turns]) -> None:
    """The kernels in order of dispatch, as calls."""
    for step in order:
        if isinstance(step, int):
            w.line(f"{mapped.kernels[step].name}()")
        else:
            first = f", {step.var} from {expr_text(step.start)}" if step.var else ""
            w.line(f"repeat {expr_text(step.count)} times{first}:")
            with w.indented():
                _write_order(w, mapped, step.body)


def _write_kernel(w: Writer, kernel: DeviceKernel) -> None:
    size = " x ".join(map(str, kernel.workgroup_size))
    count = " x ".join(map(expr_text, kernel.workgroups))
    w.line(f"# {count} workgroups of {size} invocations")
    with w.mark(kernel.origin):
        w.write(f"def {kernel.name}")
    w.write("(")
    write_parameters(w, kernel.buffers, kernel.scalars)
    w.write("):")
    w.end()
    with w.indented():
        write_body(w, kernel.body)
