"""Calls of programs on arrays: enqueued at once, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.base.panels import plain
from workbench.runtime.arrays import Array, array
from workbench.runtime.calls import LONGEST_RECIPE, Call, Recipe
from workbench.runtime.layouts import room
from workbench.runtime.residency import happened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.base.panels import Panels
    from workbench.program import Program
    from workbench.runtime.device import Device


def enqueue(
    program: Program,
    device: Device,
    inputs: Sequence[Array],
    scalars: Sequence[float],
    *,
    words: str,
    line: str = "",
    traced: bool = False,
) -> tuple[Array, ...]:
    """Run a program on arrays after everything enqueued before; returns at once.

    `words` name the call, and `line` where it stands, in errors, which surface when a result is
    read. `traced`, the timing of the call has the stamps of its actions.
    """
    here = device.now()
    here.prepare(program)
    given = _in_one_layout_each(program, inputs)
    buffers = {n: a.on(here, program.buffer(n).panels) for n, a in given.items()}
    results: list[Array] = []
    for number, name in enumerate(program.outputs):
        b = program.buffer(name)
        result = Array(b.dtype, plain(b.shape, b.panels), output=number, made_by=words)
        memory = here.allocate(room(result.nbytes))
        result.made_on(here, memory, b.panels)
        buffers[name] = memory
        results.append(result)
    run = here.enqueue(program, buffers, program.filled(scalars), traced=traced)
    call = Call(f"{words} {line}".strip(), here, run)
    recipe = _recipe(
        inputs, lambda: enqueue(program, device, inputs, scalars, words=words, line=line)
    )
    for result in results:
        result.call, result.recipe = call, recipe
    happened(words, here.name, sum(b.size for b in program.buffers if b.role == "temporary"))
    return tuple(results)


def _in_one_layout_each(program: Program, inputs: Sequence[Array]) -> dict[str, Array]:
    """The inputs by name; a copy of an array whose other parameter lies in storage otherwise.

    For a place holds an array in one layout at a time, and gives the other's memory back.
    """
    given: dict[str, Array] = {}
    layouts: dict[int, Panels | None] = {}
    for name, a in zip(program.inputs, inputs, strict=True):
        wanted = program.buffer(name).panels
        other = layouts.setdefault(id(a), wanted) != wanted
        given[name] = array(a.numpy(), a.dtype) if other else a
    return given


def _recipe(inputs: Sequence[Array], again: Callable[[], tuple[Array, ...]]) -> Recipe | None:
    """How to repeat a call; None where too many calls lead to it, or it can never be repeated."""
    lost = [a for a in inputs if "host" not in a.places]
    if any(a.recipe is None for a in lost):
        return None
    calls = 1 + max((a.recipe.calls for a in lost if a.recipe), default=0)
    if calls > LONGEST_RECIPE:
        return None
    return Recipe(tuple(inputs), tuple(a.version for a in inputs), calls, again)
