"""What a program grows from: its inputs, the names in reach, and the choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
Pick = Callable[[list[Any]], Any]
INPUTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "a": ("f32", ("N",)), "b": ("f32", ("M", "N")), "m": ("i32", ("N",)), "u": ("u32", ("N",)),
    "p": ("bool", ("N",)), "w": ("i32", ("M",)), "s": ("i32", ()), "r": ("f32", ()),
}  # fmt: skip
PLACES = {"g": ("i32", ("N",))}
"""An input that holds indices: each stands in every axis, but where it is made to lead outside."""
TURNS = {"h": ("i32", ())}
"""A small whole number: how often something is done."""
AXES = {"i": "N", "j": "M"}
HOLDS_INT = (-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Program:
    """A text, its dims and inputs, and what it is made of."""

    text: str
    dims: dict[str, int]
    inputs: dict[str, Any]
    forms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the text without arrays: the dtypes that it takes and gives."""

    name: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What can be used where something grows.

    `indices` are whole numbers inside a dim; `numbers` others; `private` are arrays of three
    elements. `reduces` says how many reductions may still stand inside one another.
    `steady`: nothing here may lead outside.
    """

    pick: Pick
    forms: set[str]
    arrays: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    indices: dict[str, str] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    locals: dict[str, str] = field(default_factory=dict)
    private: dict[str, str] = field(default_factory=dict)
    functions: tuple[Function, ...] = ()
    reduces: int = 2
    steady: bool = False

    def choose(self, *makers: Callable[[], T]) -> T:
        """What one of the makers makes."""
        return self.pick(list(makers))()

    def rarely(self, one_in: int) -> bool:
        """Whether something happens that happens once in so many times."""
        return self.pick([*[False] * (one_in - 1), True])

    def over(self, axes: tuple[str, ...]) -> Scope:
        """The scope inside an equation or a block over axes."""
        return replace(self, indices={x: AXES[x] for x in axes})


def typed(dtype: str, shape: tuple[str, ...]) -> str:
    """An annotation."""
    return f"{dtype}[{', '.join(shape)}]" if shape else dtype


def indented(lines: list[str]) -> list[str]:
    return [f"    {x}" for x in lines]


def values(
    rng: np.random.Generator, name: str, dims: dict[str, int], *, astray: bool
) -> np.ndarray | float:
    """An input; one of `astray` leads outside somewhere."""
    if name in TURNS:
        return int(rng.integers(0, 4))
    dtype, shape = {**INPUTS, **PLACES}[name]
    size = tuple(dims[d] for d in shape)
    if name in PLACES:
        found = rng.integers(0, min(dims.values()), size).astype(np.int32)
        if astray:
            found[rng.integers(0, size[0])] = rng.choice([-1, *dims.values(), dims["N"] + 3])
        return found
    found = _of_dtype(rng, dtype, size)
    return found if shape else found.item()


def _of_dtype(rng: np.random.Generator, dtype: str, size: tuple[int, ...]) -> np.ndarray:
    match dtype:
        case "f32":
            few, many = rng.integers(-4, 5, size) / 2, rng.integers(-16, 17, size) / 4
            return np.asarray(np.where(rng.random(size) < 0.5, few, many)).astype(np.float32)
        case "i32":
            extremes, middle = rng.integers(*HOLDS_INT, size), rng.integers(-3000, 3000, size)
            small, chance = rng.integers(-9, 10, size), rng.random(size)
            found = np.where(chance < 0.1, extremes, np.where(chance < 0.3, middle, small))
            return np.asarray(found).astype(np.int32)
        case "u32":
            found = rng.integers(0, 2**32, size, dtype=np.uint32) >> rng.choice([0, 0, 28], size)
            return np.asarray(found).astype(np.uint32)
        case _:
            return np.asarray(rng.integers(0, 2, size)).astype(bool)
