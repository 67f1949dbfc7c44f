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
MORE = {
    "half": ("f16", ("N",)), "wide": ("f64", ("N",)), "long": ("i64", ("N",)),
    "tiny": ("i8", ("N",)), "byte": ("u8", ("M", "N")), "soft": ("f16", ()), "deep": ("f64", ()),
    "far": ("i64", ()), "low": ("i8", ()), "high": ("u8", ()),
}  # fmt: skip
"""Inputs of dtypes that some targets cannot hold; a program has those of a few such dtypes."""
FEW = ("f32", "i32", "u32", "bool")
"""The dtypes that every target holds, which every program has."""
WHOLE = frozenset({"i32", "u32", "i8", "u8", "i64"})
FLOATS = frozenset({"f32", "f16", "f64"})
PLACES = {"g": ("i32", ("N",))}
"""An input that holds indices: each stands in every axis, but where it is made to lead outside."""
TURNS = {"h": ("i32", ())}
"""A small whole number: how often something is done."""
AXES = {"i": "N", "j": "M"}
HOLDS_INT = (-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Program:
    """A text, its dims and inputs, what it is made of, and its dtypes beside the usual ones."""

    text: str
    dims: dict[str, int]
    inputs: dict[str, Any]
    forms: frozenset[str]
    more: frozenset[str] = frozenset()


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
    `steady`: nothing here may lead outside. `more` are the dtypes beside the usual ones.
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
    more: tuple[str, ...] = ()

    def choose(self, *makers: Callable[[], T]) -> T:
        """What one of the makers makes."""
        return self.pick(list(makers))()

    def dtype(self, usual: tuple[str, ...] = ("f32", "f32", "i32", "i32", "u32", "bool")) -> str:
        """A dtype: a usual one, or as often one of those that only some programs have."""
        return self.pick([*usual, *self.more * 2])

    def rarely(self, one_in: int) -> bool:
        """Whether something happens that happens once in so many times."""
        return self.pick([*[False] * (one_in - 1), True])

    def over(self, axes: tuple[str, ...]) -> Scope:
        """The scope inside an equation or a block over axes."""
        return replace(self, indices={x: AXES[x] for x in axes})


def typed(dtype: str, shape: tuple[str, ...]) -> str:
    """An annotation."""
    return f"{dtype}[{', '.join(shape)}]" if shape else dtype


def extras(pick: Pick) -> tuple[str, ...]:
    """The dtypes beside the usual ones that a program has: mostly none."""
    return pick([*[()] * 7, ("i8", "u8"), ("f16",), ("f16",), *_SEVERAL])


_SEVERAL = (("i64",), ("f64", "i64"), ("i8", "i64"), ("f16", "u8"), ("f16", "f64"))


def inputs_of(more: tuple[str, ...]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The inputs that a program with those dtypes may have."""
    return INPUTS | {n: kind for n, kind in MORE.items() if kind[0] in more}


def indented(lines: list[str]) -> list[str]:
    return [f"    {x}" for x in lines]


def values(
    rng: np.random.Generator, name: str, dims: dict[str, int], *, astray: bool
) -> np.ndarray | float:
    """An input; one of `astray` leads outside somewhere."""
    if name in TURNS:
        return int(rng.integers(0, 4))
    dtype, shape = {**INPUTS, **MORE, **PLACES}[name]
    size = tuple(dims[d] for d in shape)
    if name in PLACES:
        found = rng.integers(0, max(1, min(dims.values())), size).astype(np.int32)
        if astray:
            found[rng.integers(0, size[0])] = rng.choice(
                [-1, *dims.values(), *dims.values(), dims["N"] + 3]
            )
        return found
    found = _of_dtype(rng, dtype, size)
    return found if shape else found.item()


def resized(program: Program, dims: dict[str, int]) -> Program:
    """The same text with inputs for other dims; none leads outside where every dim is above 0."""
    rng = np.random.default_rng(sum(dims.values()))
    given = {n: values(rng, n, dims, astray=False) for n in program.inputs}
    return replace(program, dims=dims, inputs=given)


def _of_dtype(rng: np.random.Generator, dtype: str, size: tuple[int, ...]) -> np.ndarray:
    match dtype:
        case "f32":
            few, many = rng.integers(-4, 5, size) / 2, rng.integers(-16, 17, size) / 4
            return np.asarray(np.where(rng.random(size) < 0.5, few, many)).astype(np.float32)
        case "f16":
            few, large = rng.integers(-16, 17, size) / 4, rng.integers(-2000, 2000, size)
            return np.asarray(np.where(rng.random(size) < 0.8, few, large)).astype(np.float16)
        case "f64":
            few, many = rng.integers(-16, 17, size) / 4, rng.integers(-(2**28), 2**28, size) / 2**8
            return np.asarray(np.where(rng.random(size) < 0.7, few, many)).astype(np.float64)
        case "i8" | "u8" | "i64":
            return _integers(rng, dtype, size)
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


def _integers(rng: np.random.Generator, dtype: str, size: tuple[int, ...]) -> np.ndarray:
    """Half of them small, half anywhere in the dtype."""
    held = np.dtype({"i8": np.int8, "u8": np.uint8, "i64": np.int64}[dtype])
    least, greatest = int(np.iinfo(held).min), int(np.iinfo(held).max)
    anywhere = rng.integers(least, greatest, size, dtype=held, endpoint=True)
    small = rng.integers(max(least, -9), 10, size, dtype=held)
    return np.asarray(np.where(rng.random(size) < 0.5, anywhere, small)).astype(held)
