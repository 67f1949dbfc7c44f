"""Expressions evaluated over lanes mean what plain Python says, lane by lane."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.ir.programs import add, f32, fold, load, span, var
from workbench.base.dtypes import BOOL, F32, I32, U32
from workbench.base.errors import RunError
from workbench.ir.expr import Apply, Cast, Const, Expr, Select, Var, apply, integer
from workbench.ir.interpret import evaluate

LEAST, MOST = -(2**31), 2**31 - 1
EDGES = (LEAST, LEAST + 1, -33, -32, -2, -1, 0, 1, 2, 3, 31, 32, 33, 1 << 16, MOST)
INTS = st.sampled_from(EDGES) | st.integers(LEAST, MOST)
UNARY = ("neg", "abs", "invert")
BINARY = (
    "add", "sub", "mul", "floordiv", "mod", "quotient", "remainder", "min", "max", "bitand",
    "bitor", "bitxor", "shl", "shr",
)  # fmt: skip
COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")


def wrap(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


PLAIN = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b if b else 0,
    "mod": lambda a, b: a % b if b else 0,
    "quotient": lambda a, b: truncated(a, b) if b else a,
    "remainder": lambda a, b: a - truncated(a, b) * b if b else 0,
    "min": min,
    "max": max,
    "bitand": lambda a, b: a & b,
    "bitor": lambda a, b: a | b,
    "bitxor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b if 0 <= b < 32 else 0,
    "shr": lambda a, b: a >> b if 0 <= b < 32 else 0,
    "neg": lambda a: -a,
    "abs": abs,
    "invert": lambda a: ~a,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def plain(e: Expr, env: dict[str, int]) -> int:
    """The value by Python's own arithmetic, wrapped to 32 bits."""
    match e:
        case Const(value):
            return int(value)
        case Var(name):
            return env[name]
        case Apply(op, args):
            values = [plain(a, env) for a in args]
            value = PLAIN[op](*values)
            return value if isinstance(value, bool) else wrap(value)
        case Select(cond, yes, no):
            return plain(yes, env) if plain(cond, env) else plain(no, env)
        case _:
            raise AssertionError(e)


def grown(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    pairs = st.tuples(inner, inner)
    conditions = st.builds(lambda op, p: apply(op, *p), st.sampled_from(COMPARE), pairs)
    return (
        st.builds(apply, st.sampled_from(UNARY), inner)
        | st.builds(lambda op, p: apply(op, *p), st.sampled_from(BINARY), pairs)
        | st.builds(Select, conditions, inner, inner)
    )


EXPRESSIONS = st.recursive(
    st.builds(integer, INTS) | st.sampled_from([var("x"), var("y")]), grown, max_leaves=12
)


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, st.lists(st.tuples(INTS, INTS), min_size=1, max_size=4))
def test_integers_are_plain_python_wrapped(e: Expr, lanes: list[tuple[int, int]]) -> None:
    x, y = (np.array([p[n] for p in lanes], np.int32) for n in (0, 1))

    found = np.broadcast_to(evaluate(e, {"x": x, "y": y}), x.shape)

    assert [plain(e, {"x": a, "y": b}) for a, b in lanes] == found.tolist()


REALS = st.floats(-1e6, 1e6, width=32)
REAL_EXPRESSIONS = st.recursive(
    st.builds(f32, REALS) | st.sampled_from([Var("x", F32), Var("y", F32)]),
    lambda inner: st.builds(apply, st.sampled_from(["add", "sub", "mul"]), inner, inner),
    max_leaves=8,
)


def plain_real(e: Expr, env: dict[str, float]) -> float:
    match e:
        case Const(value):
            return float(value)
        case Var(name):
            return env[name]
        case Apply("add", (a, b)):
            return plain_real(a, env) + plain_real(b, env)
        case Apply("sub", (a, b)):
            return plain_real(a, env) - plain_real(b, env)
        case Apply("mul", (a, b)):
            return plain_real(a, env) * plain_real(b, env)
        case _:
            raise AssertionError(e)


@settings(deadline=None)
@given(REAL_EXPRESSIONS, REALS, REALS)
def test_wide_floats_are_pythons(e: Expr, x: float, y: float) -> None:
    assert plain_real(e, {"x": x, "y": y}) == evaluate(e, {"x": x, "y": y}, wide=True)


def test_narrow_floats_round_to_their_dtype() -> None:
    e = add(Var("x", F32), f32(1.0))

    assert evaluate(e, {"x": 2.0**24}).dtype == np.float32
    assert evaluate(e, {"x": 2.0**24}) == 2.0**24
    assert evaluate(e, {"x": 2.0**24}, wide=True) == 2.0**24 + 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2.9, 2), (-2.9, -2), (3e9, MOST), (-3e9, LEAST), (math.inf, MOST), (-math.inf, LEAST),
     (math.nan, 0), (2147483520.0, 2147483520)],
)  # fmt: skip
def test_floats_saturate_to_ints(value: float, expected: int) -> None:
    assert expected == evaluate(Cast(I32, Var("x", F32)), {"x": value})


@pytest.mark.parametrize(
    ("value", "expected"), [(-1.0, 0), (4e9, 4000000000), (1e10, 2**32 - 1), (math.nan, 0)]
)
def test_floats_saturate_to_unsigned(value: float, expected: int) -> None:
    assert expected == evaluate(Cast(U32, Var("x", F32)), {"x": value}, wide=True)


def test_ints_wrap_in_casts() -> None:
    assert evaluate(Cast(U32, integer(-1)), {}) == 2**32 - 1
    assert evaluate(Cast(I32, Const(2**32 - 1, U32)), {}) == -1
    assert evaluate(Cast(BOOL, f32(-0.5)), {}).dtype == np.bool_


X = {"x": np.array([10, 20, 30], np.float32)}
I = np.arange(-1, 4, dtype=np.int32)  # noqa: E741  (the index of mathematics)
INSIDE = apply("and", apply("ge", var("i"), integer(0)), apply("lt", var("i"), integer(3)))


def test_a_branch_reads_only_where_it_is_taken() -> None:
    e = Select(INSIDE, load("x", var("i")), f32(-1.0))

    assert evaluate(e, {"i": I}, X).tolist() == [-1, 10, 20, 30, -1]


def test_and_reads_its_right_side_only_where_needed() -> None:
    e = apply("and", INSIDE, apply("gt", load("x", var("i")), f32(15.0)))

    assert evaluate(e, {"i": I}, X).tolist() == [False, False, True, True, False]


def test_or_reads_its_right_side_only_where_needed() -> None:
    e = apply("or", apply("not", INSIDE), apply("gt", load("x", var("i")), f32(15.0)))

    assert evaluate(e, {"i": I}, X).tolist() == [True, False, True, True, True]


def test_an_index_outside_is_an_error_that_says_where() -> None:
    with pytest.raises(RunError, match=r"index \[-1\] of 'x' is outside its shape \[3\]"):
        evaluate(load("x", var("i")), {"i": I}, X)


def total(op: str, *, n: Expr, cond: Expr | None = None) -> Expr:
    return fold(op, load("x", var("k")), span("k", n), cond=cond)


@pytest.mark.parametrize(
    ("op", "expected"),
    [("add", [0, 10, 60]), ("mul", [1, 10, 6000]), ("max", [-math.inf, 10, 30]),
     ("min", [math.inf, 10, 10])],
)  # fmt: skip
def test_ranges_may_depend_on_the_lane(op: str, expected: list[float]) -> None:
    n = np.array([0, 1, 3], np.int32)

    assert expected == evaluate(total(op, n=var("n")), {"n": n}, X).tolist()


def test_a_condition_leaves_terms_out() -> None:
    e = total("add", n=integer(3), cond=apply("ne", var("k"), integer(1)))

    assert evaluate(e, {}, X) == 40


def test_ranges_nest_and_depend_on_one_another() -> None:
    e = fold("add", mul_of("a", "b"), span("a", 5), span("b", add(var("a"), integer(1))))

    assert sum(a * b for a in range(5) for b in range(a + 1)) == evaluate(e, {})


def mul_of(a: str, b: str) -> Expr:
    return apply("mul", var(a), var(b))


@pytest.mark.parametrize(("op", "expected"), [("argmax", 1), ("argmin", 2)])
def test_the_first_of_equals_is_best(op: str, expected: int) -> None:
    x = {"x": np.array([5, 7, 1, 7, 1], np.float32)}

    assert expected == evaluate(total(op, n=integer(5)), {}, x)


def test_the_best_may_be_infinite() -> None:
    x = {"x": np.full(3, -np.inf, np.float32)}
    e = total("argmax", n=integer(3), cond=apply("gt", var("k"), integer(0)))

    assert evaluate(e, {}, x) == 1


def test_the_best_of_nothing_is_an_error() -> None:
    with pytest.raises(RunError, match="argmax of an empty range"):
        evaluate(total("argmax", n=var("n")), {"n": np.array([1, 0], np.int32)}, X)


def test_the_best_of_nothing_in_a_branch_not_taken_is_none() -> None:
    e = Select(apply("gt", var("n"), integer(0)), total("argmax", n=var("n")), integer(-1))

    assert evaluate(e, {"n": np.array([1, 0], np.int32)}, X).tolist() == [0, -1]


def test_long_reductions_are_computed_in_pieces() -> None:
    n = (1 << 20) + 3
    x = {"x": np.arange(n, dtype=np.float32) % 7}
    best = fold("argmax", load("x", var("k")), span("k", n))

    assert x["x"].astype(np.float64).sum() == evaluate(total("add", n=integer(n)), {}, x, wide=True)
    assert evaluate(best, {}, x) == 6


def test_any_and_all() -> None:
    positive = apply("gt", load("x", var("k")), f32(15.0))

    assert evaluate(fold("or", positive, span("k", 3)), {}, X)
    assert not evaluate(fold("and", positive, span("k", 3)), {}, X)
    assert evaluate(fold("and", positive, span("k", 0)), {}, X)
