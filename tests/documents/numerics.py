"""How far each operation is from the exact value, measured, and the page that says it.

The reference is NumPy at float64, which is exact enough for all of f32. The grids are fixed: a
new measurement on the same machine gives the same numbers. Ints and bools are exact everywhere,
which the tests of the code generators assert; only floats are measured here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import erf, isnan
from typing import Any

import numpy as np
import numpy.typing as npt

import workbench as wb
from workbench.base.dtypes import F16, F32, F64, DType, largest
from workbench.ir.ops import ROWS, Op
from workbench.runtime.device import open_device

Floats = npt.NDArray[np.float64]
TARGETS = ("cpu", "wasm", "native", "browser")
GPUS = ("native", "browser")
COUNT = 1999
"""Points of a grid along one argument."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where an operation is measured: its words, its arguments, and what errors are counted of.

    An error is counted in units in the last place of the result, and of `floor` where the result
    is smaller: the sine of a number near pi is as far from 0 as from 1e-3. `allowed` is what is
    documented where it is not what the row of the operation says of single results.
    """

    words: str
    arguments: tuple[Floats, ...]
    floor: float = 0.0
    allowed: float = 0.0


def _even(low: float, high: float) -> Floats:
    return np.linspace(low, high, COUNT)


def _sizes(low: float, high: float) -> Floats:
    """Both signs, evenly spread in the exponent, in an order that pairs unlike sizes."""
    sizes = np.geomspace(low, high, COUNT)
    return np.where(np.arange(COUNT) % 3 == 0, -sizes, sizes)


def _mixed(x: Floats) -> Floats:
    return np.random.default_rng(7).permutation(x)


def _and_tiny(x: Floats) -> Floats:
    return np.concatenate([x, _sizes(1e-20, 0.9)])


_WIDE = _sizes(1e-15, 1e15)
_TWO = (_WIDE, _mixed(_WIDE))
_SMALL = np.concatenate([_even(-20, 20), _sizes(1e-20, 1)])
_TURNS = np.concatenate([_even(-10, 10), _even(-4096, 4096)])
_POSITIVE = np.geomspace(1e-37, 1e38, COUNT)
_NEAR_ONE = (1 + _sizes(1e-6, 0.5)).astype(np.float32).astype(np.float64)
_POWERS = (
    np.concatenate([np.geomspace(1e-3, 1e3, COUNT), _POSITIVE, _NEAR_ONE]),
    np.concatenate([
        _mixed(_even(-8, 8)), _mixed(_even(-87, 88)) / np.log(_POSITIVE),
        _mixed(_even(-87, 88)) / np.log(_NEAR_ONE),
    ]),
)  # fmt: skip
"""Powers of a moderate size, and those that reach from the least number to the largest."""

GRIDS: dict[str, Grid] = {
    **dict.fromkeys(
        ("add", "sub", "mul", "div", "min", "max"),
        Grid("sizes from 1e-15 to 1e15, both signs", _TWO),
    ),
    **dict.fromkeys(
        ("neg", "abs", "floor", "ceil", "round"),
        Grid("sizes from 1e-15 to 1e15, both signs", (_WIDE,)),
    ),
    "floordiv": Grid("-1000 to 1000 by 0.1 to 50", (_even(-1000, 1000), _mixed(_even(0.1, 50)))),
    "mod": Grid("sizes from 1e-15 to 1e15, both signs", _TWO),
    "pow": Grid("0.001 to 1000, to the power -8 to 8, and others to all of f32", _POWERS),
    "sqrt": Grid("1e-37 to 1e38", (_POSITIVE,)),
    "exp": Grid("-87 to 88", (_even(-87, 88),)),
    "exp2": Grid("-126 to 127", (_even(-126, 127),)),
    "log": Grid("1e-37 to 1e38", (np.concatenate([_POSITIVE, _even(0.5, 2)]),), 1.0),
    "log2": Grid("1e-37 to 1e38", (np.concatenate([_POSITIVE, _even(0.5, 2)]),), 1.0),
    "sin": Grid("-4096 to 4096", (_TURNS,), 1.0, 4.0),
    "cos": Grid("-4096 to 4096", (_TURNS,), 1.0, 4.0),
    "tan": Grid("-1.5 to 1.5", (_even(-1.5, 1.5),), 1.0),
    "tanh": Grid("-20 to 20, and sizes from 1e-20", (_SMALL,), 1.0),
    "erf": Grid("-20 to 20, and sizes from 1e-20", (_SMALL,), 1.0),
    **dict.fromkeys(
        ("trunc", "sign", "reciprocal", "degrees", "radians", "arctan", "cbrt"),
        Grid("sizes from 1e-15 to 1e15, both signs", (_WIDE,)),
    ),
    "square": Grid("sizes from 1e-15 to 1e15, both signs", (_WIDE,)),
    "log10": Grid("1e-37 to 1e38", (np.concatenate([_POSITIVE, _even(0.5, 2)]),), 1.0),
    "log1p": Grid("-0.99 to 20, and sizes from 1e-20", (_and_tiny(_even(-0.99, 20)),)),
    "expm1": Grid("-20 to 20, and sizes from 1e-20", (_SMALL,)),
    "sinh": Grid("-88 to 88, and sizes from 1e-20", (_and_tiny(_even(-88, 88)),)),
    "cosh": Grid("-88 to 88", (_even(-88, 88),)),
    "arcsinh": Grid("sizes from 1e-15 to 1e15, both signs", (_WIDE,)),
    "arccosh": Grid("1 to 1e15", (np.geomspace(1, 1e15, COUNT),)),
    "arctanh": Grid("-0.999 to 0.999, and sizes from 1e-20",
                    (_and_tiny(_even(-0.999, 0.999)),)),
    "arcsin": Grid("-1 to 1", (_even(-1, 1),)),
    "arccos": Grid("-1 to 1", (_even(-1, 1),)),
    "arctan2": Grid("sizes from 1e-15 to 1e15, both signs", _TWO),
    "hypot": Grid("sizes from 1e-15 to 1e15, both signs", _TWO),
    "logaddexp": Grid("-50 to 50", (_even(-50, 50), _mixed(_even(-50, 50))), 1.0),
}  # fmt: skip
"""The grid of every operation on floats that the language can say."""


def measured() -> tuple[Op, ...]:
    """The rows of the operations table that the page shows."""
    return tuple(row for row in ROWS if row.name in GRIDS)


def kernel_of(row: Op, dtype: DType = F32) -> wb.Kernel:
    """A kernel that applies one operation to every element."""
    names = ("x", "y")[: row.arity]
    parameters = ", ".join(f"{name}: {dtype}[N]" for name in names)
    value = row.text.format(*(f"{name}[i]" for name in names))
    return wb.kernel(
        f"def measure({parameters}) -> {dtype}[N]:\n    r[i] = {value}\n    return r\n"
    )


def largest_error(row: Op, target: str, dtype: DType = F32) -> float:
    """The largest error on a target over the grid, in units in the last place of the dtype.

    The reference of f64 is NumPy's long double, but for erf, which it has at float64.
    """
    grid, kind = GRIDS[row.name], dtype.numpy
    wide = np.longdouble if dtype is F64 else np.float64
    with np.errstate(all="ignore"):
        arguments = [x.astype(kind) for x in grid.arguments]
        exact = exactly(row, [x.astype(wide) for x in arguments]).astype(wide)
        found = np.asarray(kernel_of(row, dtype)(*arguments, on=target)).astype(wide)
        least = max(grid.floor, float(np.finfo(str(kind)).tiny))
        inside = np.abs(exact) <= largest(dtype)
        unit = np.spacing(np.maximum(np.abs(exact), least)[inside].astype(kind))
        apart = np.abs(found - exact)
    return float((apart[inside] / unit).max())


def documented(row: Op, dtype: DType = F32) -> float:
    """The largest error that a target may show, in the same units; 0.5 is the nearest number.

    What is computed in f32 and rounded to f16 is off by half a unit and a little.
    """
    if dtype is F16:
        return 1.0 if row.ulp else 0.5
    return GRIDS[row.name].allowed or row.ulp or 0.5


OTHERS = ((F64, "cpu"), (F64, "wasm"), (F16, "cpu"), (F16, "wasm"), (F16, "native"))
"""The other dtypes of floats, and the targets that they are measured on."""


def others_table(before: Mapping[tuple[str, str], str], targets: tuple[str, ...]) -> str:
    """The errors of the other dtypes; `before` has the cells of an earlier page."""
    measures = [(f"{dtype} {target}", dtype, target) for dtype, target in OTHERS]
    promises = ("function", "of at least", "documented f64", "documented f16")
    heads = (*promises, *(head for head, _, _ in measures))
    lines = [_row(heads), _row("---" for _ in heads)]
    for row in measured():
        name, floor = _name(row), GRIDS[row.name].floor
        said = (f"{documented(row, dtype):g}" for dtype in (F64, F16))
        errors = (
            f"{largest_error(row, t, dtype):.2f}" if t in targets else before.get((name, head), "")
            for head, dtype, t in measures
        )
        lines.append(_row((name, f"{floor:g}" if floor else "", *said, *errors)))
    return "\n".join(lines) + "\n"


def exactly(row: Op, arguments: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The operation at the dtype of its arguments, wider than what is measured."""
    if row.name == "erf":
        return np.vectorize(erf, otypes=[np.float64])(arguments[0])
    return np.asarray(row.numpy(*arguments))


SPECIAL = (float("nan"), float("inf"), float("-inf"))


def special_values(row: Op, target: str) -> list[float]:
    """What a target gives for NaN, inf and -inf; of two arguments the second is 2."""
    x = np.array(SPECIAL, np.float32)
    arguments = (x, np.full(3, 2, np.float32))[: row.arity]
    return [float(v) for v in np.asarray(kernel_of(row)(*arguments, on=target))]


def special_exactly(row: Op) -> list[float]:
    """What NumPy gives for the same, rounded to f32."""
    x = np.array(SPECIAL)
    with np.errstate(all="ignore"):
        return [float(np.float32(v)) for v in exactly(row, [x, np.full(3, 2.0)][: row.arity])]


_HEAD = """\
# Numbers, and how exact they are

Numbers mean what they mean in Python and NumPy within their dtype.
The rules are in [language.md](language.md#types).
Whole numbers and bools are exact on every target.
Sums, products and the like of floats are rounded once each, in the order that is written.
Sums of f16 are computed in f32.
A schedule may change the order of a reduction, and with it the last digits of a sum.

This page is measured by `python -m tests.documents`.
The tests measure again and assert that no error is larger than the documented one.

## Functions

An error is counted in units in the last place of the f32 result (ulp).
0.5 is the nearest f32 there is.
Where a result is smaller than the number under *of at least*, units of that number are counted.
The last columns are what was measured.
`cpu` is LLVM's code, `wasm` is WebAssembly, `native` is WGSL on Mesa's software GPU.
`browser` is WGSL in Chromium, on the software GPU that it brings.
A GPU's driver has its own functions, so yours may differ, up to what is documented.

"""

_OTHERS = """
## f64 and f16

The same points, as far as the dtype holds them, in units in the last place of the dtype.
Functions of f16 are computed in f32 and rounded.

"""

_SPECIAL = """
## NaN and infinities

The first column is what NumPy gives for NaN, inf and -inf, and what `cpu` and `wasm` give, too.
Where there is a second argument it is 2.
Infinities come out right everywhere.
WGSL lets a driver assume that there is no NaN.
So what a GPU gives for one, or in place of one, is unspecified.
A check counts the elements that should be NaN and are numbers there, and says where the first is.
A NaN in place of a number is a cross everywhere.

"""


def numerics_page(earlier: str = "", *, targets: tuple[str, ...] = ()) -> str:
    """`docs/numerics.md`, measured on `targets`; columns of others are those of an earlier page."""
    before = _cells(earlier)
    heads = ("function", "measured over", "of at least", "documented", *TARGETS)
    lines = [_row(heads), _row("---" for _ in heads)]
    for row in measured():
        grid, name = GRIDS[row.name], _name(row)
        promises = (name, grid.words, f"{grid.floor:g}" if grid.floor else "")
        errors = (
            f"{largest_error(row, t):.2f}" if t in targets else before.get((name, t), "")
            for t in TARGETS
        )
        lines.append(_row((*promises, f"{documented(row):g}", *errors)))
    heads = ("function", "NumPy, cpu and wasm", *(f"{t}, inf and -inf" for t in GPUS))
    special = [_row(heads), _row("---" for _ in heads)]
    for row in measured():
        name = _name(row)
        found = (
            _specified(row, t) if t in targets else before.get((name, f"{t}, inf and -inf"), "")
            for t in GPUS
        )
        special.append(_row((name, _shown(special_exactly(row)), *found)))
    others = _OTHERS + others_table(before, targets)
    return _HEAD + "\n".join(lines) + "\n" + others + _SPECIAL + "\n".join(special) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(page: str) -> dict[tuple[str, str], str]:
    """The cells of the tables of a page, by the first of their row and the head of their column."""
    found: dict[tuple[str, str], str] = {}
    heads: list[str] = []
    for line in page.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")] if line[:1] == "|" else []
        heads = (heads or cells) if cells else []
        for head, cell in zip(heads, cells, strict=True):
            found[cells[0], head] = cell
    return found


def promised(page: str) -> str:
    """A page without what was measured: the columns of a machine's targets."""
    return "\n".join(
        "|".join(line.split("|")[: 5 if line.count("|") > 5 else 3]) if line[:1] == "|" else line
        for line in page.splitlines()
    )


def here(target: str) -> bool:
    """Whether this machine has the target."""
    return open_device(target).describe().available


def _name(row: Op) -> str:
    return f"`{row.text.format('x', 'y')}`"


def _shown(values: list[float]) -> str:
    return ", ".join("nan" if isnan(v) else f"{v:g}" for v in values)


def _specified(row: Op, target: str) -> str:
    """What a target gives for inf and -inf, where that is a number."""
    pairs = zip(special_values(row, target)[1:], special_exactly(row)[1:], strict=True)
    return ", ".join("unspecified" if isnan(exact) else f"{found:g}" for found, exact in pairs)
