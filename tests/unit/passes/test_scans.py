"""Scans: which reductions are one, in which form they are walked, and how much work that is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import workbench as wb
from workbench.base.errors import CodegenError
from workbench.ir.expr import Var, substitute
from workbench.ir.graph import Graph
from workbench.ir.interpret import run_graph, run_loops
from workbench.ir.loops import Loops
from workbench.ir.stmt import Body, For, LoopKind, bodies, walk_stmts
from workbench.passes.fold import bind_dims, literal_int
from workbench.pipeline import Compilation

RUNNING = "y[i] = sum(x[k] for k in range(i + 1))"


def compiled(line: str, *, dtype: str = "f32", out: str | None = None, **dims: int) -> Compilation:
    """A kernel of one equation of `x`, whose axes are the dims."""
    shape = ", ".join(dims)
    text = f"def f(x: {dtype}[{shape}]) -> {out or dtype}[{shape}]:\n    {line}\n    return y\n"
    return wb.kernel(text).compile(on="null", dims=dims)


def final_graph(c: Compilation) -> Graph:
    return next(s.value for s in reversed(c.stages.all) if isinstance(s.value, Graph))


def turns(body: Body, known: dict[str, int] | None = None) -> int:
    """The iterations of all loops of a body with literal bounds, counted one by one."""
    known, total = known or {}, 0
    for s in body:
        if isinstance(s, For):
            start, stop = (literal_int(bind_dims(e, known)) for e in (s.start, s.stop))
            assert start is not None
            assert stop is not None
            total += max(0, stop - start)
            if any(isinstance(x, For) for x in walk_stmts(s.body)):
                total += sum(turns(s.body, {**known, s.var: n}) for n in range(start, stop))
        else:
            total += sum(turns(b, known) for b in bodies(s))
    return total


def test_a_long_scan_is_made_of_blocks(golden: Callable[..., None]) -> None:
    golden(compiled(RUNNING, N=70000).stages["split_scans"].text)


def test_a_short_scan_is_one_walk(golden: Callable[..., None]) -> None:
    golden(compiled(RUNNING, N=1024).stages["split_scans"].text)


def test_many_rows_are_a_walk_each(golden: Callable[..., None]) -> None:
    line = "y[i, j] = x[i, j] / sum(x[k, j] for k in range(i, M))"
    golden(compiled(line, M=9000, N=1024).stages["split_scans"].text)


def test_an_argmax_is_the_last_record(golden: Callable[..., None]) -> None:
    line = "y[i] = argmax(x[k] for k in range(i + 1) if x[k] < 0.5)"
    golden(compiled(line, out="i32", N=300).stages["split_scans"].text)


def test_a_summed_area_is_two_scans(golden: Callable[..., None]) -> None:
    line = "y[i, j] = sum(x[u, v] for u in range(i + 1) for v in range(j + 1))"
    golden(compiled(line, M=40, N=30).stages["split_scans"].text)


@pytest.mark.parametrize(
    "line",
    [
        RUNNING,
        "y[i] = sum(x[k] for k in range(i))",
        "y[i] = max(x[k] for k in range(i, N))",
        "y[i] = x[i] * sum(x[k] for k in range(i)) / (1 + i) if i > 0 else 0.0",
        "y[i] = sum(x[k] for k in range(min(2 * i + 1, N)))",
    ],
)
def test_the_work_is_linear(line: str) -> None:
    loops = compiled(line, N=3000).stages["loops"].value

    assert isinstance(loops, Loops)
    assert turns(loops.body) < 4 * 3000


@pytest.mark.parametrize(
    "line",
    [
        "y[i] = sum(x[k] * x[i] for k in range(i + 1))",
        "y[i] = sum(x[k] for k in range(max(i - 2, 0), i + 1))",
        "y[i] = sum(x[k] for k in range(i32(x[i])) if k < N)",
        "y[i] = max(sum(x[k] for k in range(j + 1)) for j in range(N))",
        "y[i] = sum(x[k] for k in range((i * 65536) % N))",
    ],
)
def test_what_is_no_scan_stays(line: str) -> None:
    c = compiled(line, N=3000)

    assert "split_scans" not in list(c.stages)


def test_a_branch_that_may_read_outside_stays_where_it_is() -> None:
    line = "y[i] = sum(x[k + 5] for k in range(i + 1)) if i < N - 5 else 0.0"

    assert "split_scans" not in list(compiled(line, N=3000).stages)


@pytest.mark.parametrize("target", ["k", "b"])
def test_nothing_but_the_range_ends_at_the_axis(target: str) -> None:
    loops = compiled(RUNNING, N=70000).stages["loops"].value
    parallel = [s for s in walk_stmts(loops.body) if isinstance(s, For)]
    parallel = [s for s in parallel if s.kind is LoopKind.PARALLEL]

    assert all(substitute(s.stop, {target: Var("n")}) == s.stop for s in parallel)


def test_a_best_of_nothing_is_refused_when_it_is_compiled() -> None:
    with pytest.raises(CodegenError, match="no answer at the first") as error:
        compiled("y[i] = argmax(x[k] for k in range(i))", out="i32", N=9)

    assert error.value.mistakes[0].hint == ("argmax(x[k] for k in range(i)) if i - 1 >= 0 else -1")


FOLDS: dict[str, tuple[Callable[..., np.ndarray], float]] = {
    "sum": (np.add.accumulate, 0), "prod": (np.multiply.accumulate, 1),
    "max": (np.maximum.accumulate, -np.inf), "min": (np.minimum.accumulate, np.inf),
}  # fmt: skip


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 1024, 1025, 1283])
@pytest.mark.parametrize("word", FOLDS)
def test_graph_and_loops_say_what_numpy_says(word: str, size: int) -> None:
    fold, nothing = FOLDS[word]
    x = np.random.default_rng(size).uniform(0.9, 1.1, size).astype(np.float32)
    wide = x.astype(np.float64)
    up, down = fold(wide), fold(wide[::-1])[::-1]
    wanted = {"range(i + 1)": up, "range(i)": np.append(nothing, up)[:size],
              "range(i, N)": down, "range(i + 1, N)": np.append(down, nothing)[1:]}  # fmt: skip
    for over, expected in wanted.items():
        c = compiled(f"y[i] = {word}(x[k] for k in {over})", N=size)
        found = run_graph(final_graph(c), {"x": x})["y"]
        again = run_loops(c.stages["loops"].value, {"x": x})["y"]

        np.testing.assert_allclose(found, expected, rtol=1e-12)
        np.testing.assert_allclose(again, expected, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 257, 1283])
@pytest.mark.parametrize("word", ["argmax", "argmin"])
def test_of_equal_terms_the_first_is_the_best(word: str, size: int) -> None:
    x = np.random.default_rng(size).integers(-3, 4, size).astype(np.int32)
    best = getattr(np, word)
    up = [best(x[: i + 1]) for i in range(size)]
    down = [i + best(x[i:]) for i in range(size)]
    for over, expected in (("range(i + 1)", up), ("range(i, N)", down)):
        c = compiled(f"y[i] = {word}(x[k] for k in {over})", dtype="i32", N=size)

        assert run_loops(c.stages["loops"].value, {"x": x})["y"].tolist() == expected


def test_a_nan_is_the_best_from_where_it_stands() -> None:
    x = np.array([1, -np.inf, np.nan, 5, np.nan, 2], np.float32)
    c = compiled("y[i] = argmax(x[k] for k in range(i + 1))", out="i32", N=6)
    d = compiled("y[i] = argmin(x[k] for k in range(i, N))", out="i32", N=6)

    assert run_loops(c.stages["loops"].value, {"x": x})["y"].tolist() == [0, 0, 2, 2, 2, 2]
    assert run_loops(d.stages["loops"].value, {"x": x})["y"].tolist() == [2, 2, 2, 4, 4, 5]


def test_the_least_number_is_found_where_it_is_the_first() -> None:
    x = np.array([-(2**31), -(2**31), 0], np.int32)
    c = compiled("y[i] = argmax(x[k] for k in range(i + 1))", dtype="i32", N=3)

    assert run_loops(c.stages["loops"].value, {"x": x})["y"].tolist() == [0, 0, 2]
