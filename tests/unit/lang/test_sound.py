"""Laws: what is proved never leaves its array; isl computes what NumPy computes."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings, strategies as st

from workbench.base.dtypes import I32
from workbench.base.errors import RunError, SourceError
from workbench.base.source import Source
from workbench.ir import affine
from workbench.ir.expr import Apply, Expr, Select, Var, apply, integer
from workbench.ir.interpret import evaluate, run_graph
from workbench.lang import parse, prove_literal
from workbench.lang.bounds import checked
from workbench.passes.graph import specialise

NUMBERS = st.integers(-3, 6).map(str)
ATOMS = st.sampled_from(["i", "i", "s", "N", "m[i]"]) | NUMBERS


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
        inner.map(lambda e: f"abs({e})"),
        inner.map(lambda e: f"({e}) % N"),
        inner.map(lambda e: f"min(max({e}, 0), N - 1)"),
        st.tuples(inner, st.sampled_from(["<", "<=", "==", "!=", ">"]), inner, inner).map(
            lambda t: f"({t[3]} if {t[0]} {t[1]} {t[2]} else 0)"
        ),
    )


INDICES = st.recursive(ATOMS, _grown, max_leaves=5)
CONDITIONS = st.tuples(INDICES, st.sampled_from(["<", "<=", "==", ">="]), INDICES).map(" ".join)


def is_proved(text: str) -> bool:
    """Whether nothing is left to check when it runs; products of dims may wait for literals."""
    try:
        module = parse(Source(text))
    except SourceError:
        return False
    return not any(checked(graph) for graph in module.kernels)


def leaves_its_array(text: str, scalar: int) -> bool:
    """Whether a run at some small size reads outside."""
    graph = parse(Source(text)).kernels[0]
    rng = np.random.default_rng(0)
    for size in (0, 1, 2, 7):
        x = np.ones(size, np.float32)
        m = rng.integers(-9, 9, size, np.int32)
        m[: min(size, 2)] = [-(2**31), 2**31 - 1][: min(size, 2)]
        special = specialise(graph, {"N": size})
        try:
            special = prove_literal(graph, special, {"N": size})
            if checked(special):
                continue
            run_graph(special, {"x": x, "m": m}, {"s": scalar}, wide=False)
        except SourceError:
            continue
        except RunError:
            return True
    return False


@settings(max_examples=100, deadline=None)
@given(INDICES, CONDITIONS, CONDITIONS, st.sampled_from([0, 1, 5, -1, 2**31 - 1, -(2**31)]))
def test_what_is_proved_never_reads_outside(
    index: str, first: str, second: str, scalar: int
) -> None:
    text = (
        "def f(x: f32[N], m: i32[N], s: i32) -> f32[N]:\n"
        f"    y[i] = x[i] + (x[{index}] if {first} and not {second} else 0.0)\n"
        "    return y\n"
    )
    assume(is_proved(text))

    assert not leaves_its_array(text, scalar)


def _expressions(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    two = st.tuples(inner, inner)
    literal = st.integers(1, 5).map(integer)
    return st.one_of(
        st.tuples(st.sampled_from(["add", "sub", "min", "max"]), two).map(
            lambda t: Apply(t[0], t[1], I32)
        ),
        st.tuples(st.sampled_from(["neg", "abs"]), inner).map(lambda t: apply(t[0], t[1])),
        st.tuples(inner, st.integers(-4, 4)).map(lambda t: apply("mul", t[0], integer(t[1]))),
        st.tuples(st.sampled_from(["floordiv", "mod", "shr"]), inner, literal).map(
            lambda t: apply(t[0], t[1], t[2])
        ),
        st.tuples(inner, st.sampled_from([0, 1, 3, 7])).map(
            lambda t: apply("bitand", t[0], integer(t[1]))
        ),
        st.tuples(st.sampled_from(["lt", "eq", "ge"]), two, two).map(
            lambda t: Select(apply(t[0], *t[1]), *t[2])
        ),
    )


EXPRESSIONS = st.recursive(
    st.sampled_from([Var("i"), Var("j")]) | st.integers(-9, 9).map(integer), _expressions,
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS, st.integers(-20, 20), st.integers(-20, 20))
def test_isl_computes_what_numpy_computes(e: Expr, i: int, j: int) -> None:
    wanted = [("i", integer(i)), ("j", integer(j)), ("value", e)]
    conditions = [apply("eq", Var(name), x) for name, x in wanted]
    frame = affine.frame(("i", "j", "value"), conditions)
    points = affine.everywhere(frame)
    for c in conditions:
        points = points.intersect(affine.condition(frame, c))
    point = affine.sample(frame, points)

    assert frame.exact
    assert point is not None
    assert point["value"] == int(evaluate(e, {"i": i, "j": j}))
