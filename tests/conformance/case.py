"""What a kernel of the conformance set is: a text, the sizes it takes, and NumPy's answer.

Inputs follow from the signature: floats in [-1, 1), whole numbers from -9 to 9, any u32, any
bool; `given` makes the others. The reference has the inputs at float64, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

import workbench as wb
from workbench.ir.compare import agreement
from workbench.ir.graph import Graph
from workbench.passes.fold import bind_dims, literal_int

Values = dict[str, Any]


def any_size(usual: int) -> tuple[int, ...]:
    """The sizes of a dim that may be anything: a prime, 1, 0."""
    return usual, 1, 0


def at_least_one(usual: int) -> tuple[int, ...]:
    """The sizes of a dim that must not be empty."""
    return usual, 1


@dataclass(frozen=True, slots=True)
class Case:
    """`sizes`: for each dim, and each i32 parameter that is one, the usual size and others.

    `terms` and `scale` say how much rounding is fair: how many terms an element sums, and the
    size of the terms where they cancel (see `workbench/ir/compare.py`).
    """

    name: str
    text: str
    reference: Callable[..., Any]
    sizes: Mapping[str, tuple[int, ...]]
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    terms: int = 64
    scale: float | None = None

    def every_size(self) -> Iterator[dict[str, int]]:
        """The usual sizes, then each other size of one dim beside the usual ones of the rest."""
        usual = {name: sizes[0] for name, sizes in self.sizes.items()}
        yield usual
        for name, sizes in self.sizes.items():
            for other in sizes[1:]:
                yield {**usual, name: other}

    def values(self, dims: Mapping[str, int]) -> Values:
        """Inputs of these sizes, by name."""
        rng = np.random.default_rng(7)
        graph = _graph(self.text)
        found: Values = {}
        for a in graph.inputs:
            shape = tuple(literal_int(bind_dims(x, dict(dims))) or 0 for x in a.shape)
            found[a.name] = _drawn(rng, a.dtype.kind, shape).astype(a.dtype.numpy)
        found |= {s.name: dims[s.name] for s in graph.scalars if s.name in dims}
        for name, value in self.given.items():
            made = value(rng, **dims) if callable(value) else value
            if isinstance(made, np.ndarray):
                made = made.astype(next(a for a in graph.inputs if a.name == name).dtype.numpy)
            found[name] = made
        return found

    def expected(self, values: Values) -> tuple[np.ndarray, ...]:
        """NumPy's answer at float64, one array for each result."""
        order = [n for n in _graph(self.text).parameters if n in values]
        with np.errstate(all="ignore"):
            answer = self.reference(*(_wide(values[n]) for n in order))
        return tuple(np.asarray(x) for x in (answer if isinstance(answer, tuple) else (answer,)))

    def wrong(self, found: Any, expected: tuple[np.ndarray, ...]) -> str:
        """Where results differ from what was expected; nothing where they agree."""
        results = found if isinstance(found, tuple) else (found,)
        if len(results) != len(expected):
            return f"{len(results)} results instead of {len(expected)}"
        for result, e in zip(results, expected, strict=True):
            a = np.asarray(result)
            one = agreement(a, e, _narrow(a.dtype), terms=self.terms, scale=self.scale)
            if not one.ok:
                return one.words
        return ""


@cache
def _graph(text: str) -> Graph:
    return wb.kernel(text).graph


def _drawn(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    match kind:
        case "f":
            return rng.uniform(-1, 1, shape)
        case "b":
            return rng.integers(0, 2, shape)
        case "u":
            return rng.integers(0, 2**32, shape)
        case _:
            return rng.integers(-9, 10, shape)


def _wide(value: Any) -> Any:
    floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(np.float64) if floats else value


def _narrow(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What a result was computed in: the interpreters hold an f32 in wider floats."""
    return np.dtype(np.float32) if dtype.kind == "f" else dtype
