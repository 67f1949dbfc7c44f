"""`wb.compare`: things checked against each other, timed side by side, and kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.errors import CallError, WorkbenchError
from workbench.base.progress import BOARD, Standing
from workbench.ir.compare import agreement
from workbench.measure.agree import expected
from workbench.measure.checks import random_inputs, random_scalars
from workbench.measure.comparison import Comparison, Earlier, Entry
from workbench.measure.environment import differences, load, machine, of_device
from workbench.measure.intervals import apart_interval
from workbench.measure.results import (
    UnusableResultsError,
    earlier,
    environment_of,
    keep,
    results_file,
)
from workbench.measure.timing import Experiment, experiment
from workbench.passes.graph import specialise
from workbench.runtime.arrays import array
from workbench.runtime.device import open_device
from workbench.session.contenders import (
    HOST,
    Contender,
    FunctionContender,
    KernelContender,
    Ready,
    contenders,
    results,
)
from workbench.session.devices import choose
from workbench.session.kernel import DEFAULT_DIM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.measure.reference import Reference
    from workbench.measure.results import Kept

SECONDS = 1.0
"""The budget of each thing on each device, unless told otherwise."""


def compare(
    *things: Any,
    on: Sequence[str] | str | None = None,
    inputs: Mapping[str, Any] | Sequence[Any] | None = None,
    dims: Mapping[str, int] | None = None,
    seconds: float = SECONDS,
    kept: bool | str | Path = True,
) -> Comparison:
    """Time things side by side, after their answers were compared; a table with verdicts.

    Things are kernels, `(kernel, schedule)`, schedules of a kernel before them, shaders with the
    options of their call `(shader, {"workgroups": (8, 8)})`, functions of the inputs, sessions of
    ONNX Runtime, and modules of PyTorch; `("a name", thing)` names one. `on` are devices ("auto"
    takes the best one here). `inputs` are arrays and scalars by name or in order, random ones
    for `dims` (64 where none is given) without. `seconds` is the budget of each entry. Results
    are appended to a file beside the notebook, or to `kept`; `kept=False` keeps nothing.

    A thing that raises, or whose answer differs from the reference, is not timed: its entry says
    why. Raises `CallError` where nothing can be compared.
    """
    if not seconds > 0:
        raise CallError(
            f"compare: a budget of {seconds} s, in which nothing is measured", hint="seconds=1.0"
        )
    found = contenders(things)
    if not found:
        raise CallError("compare: nothing to compare", hint="compare(kernel, numpy_function)")
    values = {
        n: array(v) if isinstance(v, np.ndarray) else v
        for n, v in _inputs(found, inputs, dims or {}).items()
    }  # one copy for all: where it lies in memory is not to make a difference
    names = [on] if isinstance(on, str) else list(on or ("auto",))
    devices = tuple(dict.fromkeys(choose(name)[0] for name in names))
    entries, ready = _prepared(found, devices, values)
    if not ready:
        raise CallError(
            "compare: nothing can be timed: "
            + "; ".join(f"{e.words}: {e.refused}" for e in entries)
        )
    budget = seconds * len(ready)
    did = experiment([*ready.values()], seconds=budget, words=f"comparing {len(ready)} entries")
    return _kept(_comparison(entries, tuple(ready), did, devices), kept)


def _inputs(
    found: Sequence[Contender],
    given: Mapping[str, Any] | Sequence[Any] | None,
    dims: Mapping[str, int],
) -> dict[str, Any]:
    """The inputs by name, in the order of the first kernel's signature."""
    k = next((c.kernel for c in found if isinstance(c, KernelContender)), None)
    match given:
        case None if k is None:
            raise CallError("compare: nothing says what the inputs are", hint="inputs=(a, b)")
        case None:
            assert k is not None
            known = dict.fromkeys(k.graph.symbols(), DEFAULT_DIM) | dict(dims)
            drawn: dict[str, Any] = {**random_inputs(specialise(k.graph, known))}
            drawn |= random_scalars(k.graph) | known
            return {n: drawn[n] for n in k.graph.parameters}
        case {**by_name}:
            ordered = [] if k is None else [n for n in k.graph.parameters if n in by_name]
            return {n: by_name[n] for n in [*ordered, *(n for n in by_name if n not in ordered)]}
        case _:
            names = (k.graph.parameters if k is not None else ()) or ()
            spare = (f"input {n}" for n in range(len(names), len(given)))
            return dict(zip([*names, *spare], given, strict=False))


def _prepared(
    found: Sequence[Contender], devices: Sequence[str], inputs: Mapping[str, Any]
) -> tuple[list[Entry], dict[int, Ready]]:
    """Every entry, and by its number those that are ready and right."""
    entries: list[Entry] = []
    ready: dict[int, Ready] = {}
    judge = _Judge(inputs)
    places = [
        (c, d)
        for d in (*devices, HOST)
        for c in found
        if isinstance(c, FunctionContender) == (d == HOST)
    ]
    with BOARD.task("checking what is compared") as task:
        for c, device in places:
            task.at(Standing(len(entries), len(places), f"entries, now {c.label} on {device}"))
            entry, made = _checked(c, device, inputs, judge)
            if made is not None:
                ready[len(entries)] = made
            entries.append(entry)
    return entries, ready


def _checked(
    c: Contender, device: str, inputs: Mapping[str, Any], judge: _Judge
) -> tuple[Entry, Ready | None]:
    """One entry with its answer compared; without anything to time where that went wrong."""
    try:
        made = c.ready(inputs, device)
        if isinstance(c, KernelContender):
            judge.learn(c)
        ok, words = judge.compare(made)
    except WorkbenchError as error:
        return Entry(c.label, device, refused=str(error).partition("\n")[0]), None
    except Exception as error:  # noqa: BLE001  (the reader's own function may raise anything)
        return Entry(c.label, device, refused=f"{type(error).__name__}: {error}"), None
    if not ok:
        return Entry(c.label, device, refused=words), None
    return (
        Entry(
            c.label, device, agreed=words, identity=made.identity,
            compile=made.compile, transfer=made.transfer, made=made.made,
        ),
        made,
    )  # fmt: skip


class _Judge:
    """Says whether answers are right: by the first kernel's meaning at float64, else by the first.

    It learns the meaning when the first kernel was called.
    """

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self._inputs = inputs
        self._reference: Reference | None = None
        self._shapes: tuple[tuple[int, ...], ...] = ()
        self._first: tuple[np.ndarray, ...] | None = None

    def learn(self, c: KernelContender) -> None:
        """Take the meaning of a kernel that was just called with the inputs."""
        last = c.kernel.last
        if self._reference is not None or last is None:
            return
        self._reference = expected(last.compilation, last.inputs)
        self._shapes = tuple(a.shape for a in last.outputs)

    def compare(self, made: Ready) -> tuple[bool, str]:
        """Whether the answer is right, and in words how it compares."""
        found = tuple(np.asarray(x) for x in results(made.call()))
        if self._reference is None:
            if self._first is None:
                self._first = found
                return True, "the others are compared with it"
            return self._like_first(found)
        shapes = tuple(x.shape for x in found)
        if shapes != self._shapes:
            return False, f"gives {_shapes(shapes)}, the reference {_shapes(self._shapes)}"
        outputs = dict(zip(self._reference.values, found, strict=True))
        return self._reference.compare(outputs, "llvm" if made.made is None else made.made.target)

    def _like_first(self, found: tuple[np.ndarray, ...]) -> tuple[bool, str]:
        assert self._first is not None
        if len(found) != len(self._first):
            return False, f"gives {len(found)} results, the first {len(self._first)}"
        for mine, first in zip(found, self._first, strict=True):
            dtype = mine.dtype if mine.dtype.itemsize < first.dtype.itemsize else first.dtype
            one = agreement(mine, first, dtype, terms=max(1, first.size))
            if not one.ok:
                return False, one.words
        return True, "agrees with the first"


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    return " and ".join(str(list(s)) for s in shapes) or "nothing"


def _comparison(
    entries: Sequence[Entry], numbers: Sequence[int], did: Experiment, devices: Sequence[str]
) -> Comparison:
    timed = dict(zip(numbers, did.timed, strict=False))
    return Comparison(
        tuple(replace(e, timed=timed.get(n)) for n, e in enumerate(entries)),
        machine(),
        did.rounds,
        did.seconds,
        did.ended,
        did.error,
        datetime.now(UTC).isoformat(timespec="milliseconds"),
        load(),
        {d: of_device(open_device(d).describe()) for d in devices},
    )


def _kept(found: Comparison, where: bool | str | Path) -> Comparison:  # noqa: FBT001
    """Kept in the results file, with what that knew before; the reason where it could not be."""
    if where is False:
        return found
    path = results_file() if where is True else Path(where)
    try:
        before = earlier(path, found)
        keep(path, found)
    except UnusableResultsError as error:
        return replace(found, kept=str(error))
    old = tuple(_since(found, place, k) for place, k in before.items())
    return replace(found, earlier=old, kept=f"kept in {path.name}")


def _since(found: Comparison, place: tuple[str, str], before: Kept) -> Earlier:
    label, device = place
    now = found.series(found.find(label, device)).interval
    changed = differences(before.environment, environment_of(found, device))
    ratio = apart_interval(now, before.interval)
    return Earlier(label, device, before.at, before.interval, ratio, changed)
