"""Dtypes that meet: what they become, what gives way, and what is refused with the cast."""

from __future__ import annotations

import pytest

from workbench.base.dtypes import DTYPES, joined
from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.ir.expr import Apply, Cast, Const, Reduce, walk
from workbench.ir.graph import Equation, Graph
from workbench.lang import parse

PARAMETERS = (
    "h: f16[N], x: f32[N], d: f64[N], a: i8[N], b: u8[N], i4: i32[N], u4: u32[N], l: i64[N]"
)


def graph_of(value: str) -> Graph:
    """The graph of `y[i] = value` with an array of every dtype."""
    for dtype in DTYPES:
        text = f"def f({PARAMETERS}) -> {dtype}[N]:\n    y[i] = {value}\n    return y\n"
        try:
            return parse(Source(text)).kernels[0]
        except SourceError as error:
            if not error.mistakes[0].message.startswith("'y' is "):
                raise
    raise AssertionError(value)


def value_of(value: str) -> Equation:
    (equation,) = graph_of(value).definitions
    assert isinstance(equation, Equation)
    return equation


def refusal_of(value: str) -> tuple[str, str]:
    with pytest.raises(SourceError) as error:
        graph_of(value)
    return error.value.mistakes[0].message, error.value.mistakes[0].hint


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ("h[i] + x[i]", "f32"), ("h[i] + d[i]", "f64"), ("x[i] * d[i]", "f64"),
        ("h[i] + a[i]", "f16"), ("h[i] + b[i]", "f16"), ("h[i] + i4[i]", "f32"),
        ("x[i] + u4[i]", "f32"), ("x[i] + l[i]", "f64"), ("d[i] + a[i]", "f64"),
        ("a[i] + b[i]", "i32"), ("a[i] + i4[i]", "i32"), ("b[i] + u4[i]", "u32"),
        ("b[i] + i4[i]", "i32"), ("u4[i] + l[i]", "i64"), ("i4[i] + l[i]", "i64"),
        ("a[i] / b[i]", "f32"), ("i4[i] / u4[i]", "f32"), ("l[i] / i4[i]", "f64"),
        ("h[i] / 2", "f16"), ("sqrt(a[i])", "f32"), ("sqrt(l[i])", "f64"), ("exp(h[i])", "f16"),
        ("2 * a[i] + 1", "i8"), ("a[i] + i", "i8"), ("h[i] * N + 0.5", "f16"),
        ("a[i] * 0.5", "f32"), ("l[i] * 0.5", "f64"), ("d[i] * (1 / 3)", "f64"),
        ("b[i] if i > 0 else 0", "u8"), ("sqrt(2.0) * h[i]", "f16"), ("h[i] ** 2.5", "f16"),
        ("arctan2(h[i], d[i])", "f64"), ("min(a[i], 3)", "i8"), ("min(a[i], i4[i])", "i32"),
        ("sum(b[k] for k in range(N))", "i32"), ("prod(a[k] for k in range(N))", "i32"),
        ("sum(h[k] for k in range(N))", "f16"), ("sum(l[k] for k in range(N))", "i64"),
        ("max(b[k] for k in range(N))", "u8"), ("argmax(l[k] for k in range(N))", "i32"),
        ("x[i % N] + h[i]", "f32"),
    ],
)  # fmt: skip
def test_what_meets_has_one_dtype(value: str, dtype: str) -> None:
    assert value_of(value).dtype.name == dtype


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("i4[i] + u4[i]", "i32 and u32 have no common dtype",
         "y[i] = i4[i] + i32(u4[i])"),
        ("a[i] + u4[i]", "i8 and u32 have no common dtype",
         "y[i] = a[i] + i32(u4[i])"),
        ("b[i] + 300", "300 is outside u8, 0 to 255", "y[i] = i32(b[i]) + 300"),
        ("a[i] - 129", "129 is outside i8, -128 to 127", "y[i] = i32(a[i]) - 129"),
        ("h[i] * 1e5", "100000.0 is beyond the largest f16, 65504.0", "y[i] = h[i] * inf"),
        ("i4[i] + 3000000000", "3000000000 is outside i32, -2147483648 to 2147483647",
         "y[i] = i4[i] + 3000000000.0"),
        ("i4[i] + 5000000000", "5000000000 is outside i32, -2147483648 to 2147483647",
         "y[i] = i4[i] + 5000000000.0"),
        ("b[i] % N", "a dim or an index may not fit u8, which ends at 255",
         "y[i] = i32(b[i]) % N"),
        ("a[i] << i", "a dim or an index may not fit i8, which ends at 127",
         "y[i] = i32(a[i]) << i"),
        ("max(b[i], N)", "a dim or an index may not fit u8, which ends at 255",
         "y[i] = max(i32(b[i]), N)"),
        ("x[l[i]]", "an index is an i32, this is i64", "y[i] = x[i32(l[i])]"),
        ("sum(x[k] for k in range(l[i]))", "a bound of a range is an i32, this is i64",
         "y[i] = sum(x[k] for k in range(i32(l[i])))"),
        ("h[i] & 1", "'h[i] & 1' wants whole numbers, this is f16", "y[i] = i32(h[i]) & 1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(value: str, message: str, hint: str) -> None:
    assert refusal_of(value) == (message, hint)


def test_literals_with_an_f64_lose_nothing() -> None:
    found = list(walk(value_of("d[i] * (1 / 3) + 2 * pi * i / N").value))

    assert not [e for e in found if e.dtype.name == "f32"]


def test_a_dim_is_compared_with_a_u8_as_it_is() -> None:
    (test,) = [e for e in walk(value_of("b[i] == N").value) if isinstance(e, Apply)]

    assert [x.dtype.name for x in test.args] == ["i32", "i32"]


def test_f16_is_summed_in_f32_and_rounded_once() -> None:
    value = value_of("sum(h[k] * h[k] for k in range(N))").value

    assert isinstance(value, Cast)
    assert isinstance(value.arg, Reduce)
    assert (value.dtype.name, value.arg.dtype.name) == ("f16", "f32")


def test_a_literal_in_range_of_i64_is_itself() -> None:
    constants = [e for e in walk(value_of("l[i] + 1099511627776").value) if isinstance(e, Const)]

    assert [(c.value, c.dtype.name) for c in constants] == [(2**40, "i64")]


def test_a_local_of_a_block_does_not_cut_what_it_is_given() -> None:
    text = (
        f"def f({PARAMETERS}) -> f64[N]:\n    for i in grid(N):\n        s = 0.0\n"
        "        for k in range(3):\n            s = s + d[i]\n        y[i] = s\n    return y\n"
    )
    with pytest.raises(SourceError) as error:
        parse(Source(text))

    assert error.value.mistakes[0].message == "'s' is f32 since line 3, the value is f64"
    assert error.value.mistakes[0].hint == "s = f64(0.0) at line 3"
    parse(Source(text.replace("s = 0.0", "s = f64(0.0)")))


@pytest.mark.parametrize("a", [t for t in DTYPES.values() if t.kind != "b"])
@pytest.mark.parametrize("b", [t for t in DTYPES.values() if t.kind != "b"])
def test_what_two_dtypes_become_holds_the_whole_numbers_of_both(a: object, b: object) -> None:
    from workbench.base.dtypes import DType, spread

    assert isinstance(a, DType)
    assert isinstance(b, DType)
    met = joined(a, b)

    assert met == joined(b, a)
    if met is None:
        assert {a.kind, b.kind} == {"i", "u"}
    elif met.kind in "iu":
        (least, greatest), ends = spread(met), [*spread(a), *spread(b)]
        assert least <= min(ends) <= max(ends) <= greatest
