"""Writes of loop blocks: proved apart, refuted with two iterations, or unknown."""

from __future__ import annotations

import pytest

import workbench as wb
from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.ir.graph import Block, Graph, each
from workbench.ir.remarks import remarks
from workbench.ir.stmt import Store, writes
from workbench.lang import parse

SIGNATURE = "def f(x: f32[N], m: i32[N], u: u32[N], p: i32[M], img: i32[H, W], s: i32)"
DEFINED = "    h: i32[256]\n    w: f32[N]\n    h[k] = 0\n    w[k] = 0.0\n"


def graph(block: str, facts: str = "") -> Graph:
    lines = "".join(f"    {line}\n" for line in block.split("\n"))
    text = f"{SIGNATURE} -> (i32[256], f32[N]):\n{facts}{DEFINED}{lines}    return h, w\n"
    return parse(Source(text)).kernels[0]


def stores(g: Graph) -> list[Store]:
    return [s for d in each(g.definitions) if isinstance(d, Block) for s in writes(d.body)]


def mistakes(block: str) -> list[str]:
    with pytest.raises(SourceError) as error:
        graph(block)
    return [m.message for m in error.value.mistakes]


@pytest.mark.parametrize(
    "block",
    [
        "for i in grid(N):\n    h[m[i]] += 1",
        "for i in grid(N):\n    h[m[i]] -= 1",
        "for i in grid(N):\n    h[m[i]] = h[m[i]] + i",
        "for i in grid(N):\n    h[m[i]] = i + h[m[i]]",
        "for i in grid(N):\n    h[m[i]] = max(h[m[i]], i)",
        "for i in grid(N):\n    h[m[i]] = minimum(i, h[m[i]])",
        "for i in grid(N):\n    h[i % 256] += 1",
        "for i in grid(N):\n    h[0] += 1",
        "for y, c in grid(H, W):\n    h[y % 256] += img[y, c]",
        "for i in grid(N):\n    if x[i] > 0:\n        w[0] = max(w[0], x[i])",
        "for i in grid(N):\n    for t in range(3):\n        h[(i + t) % 256] += t",
        "for i in grid(N):\n    h[i % 256] += 1\n    h[(i + 1) % 256] += 1",
        "for j in grid(M):\n    w[clip(p[j], 0, N - 1)] += 1.0",
    ],
)
def test_updates_that_may_clash_are_atomic(block: str) -> None:
    found = stores(graph(block))

    assert all(s.atomic and s.reduce and not s.unproved for s in found)


@pytest.mark.parametrize(
    "block",
    [
        "for i in grid(N):\n    w[i] += 1.0",
        "for i in grid(N):\n    w[N - 1 - i] = max(w[N - 1 - i], x[i])",
        "for i in grid(N // 2):\n    w[2 * i] -= x[i]\n    w[2 * i + 1] += x[i]",
        "for i in grid(N):\n    w[i] += 1.0\n    w[i] = min(w[i], 2.0)",
        "for i in grid(256):\n    for t in range(3):\n        h[i] += t",
        "for a, b in grid(16, 16):\n    h[16 * a + b] += 1",
        "for i in grid(100):\n    h[i + 3] += 1",
    ],
)
def test_updates_that_are_proved_apart_are_plain(block: str) -> None:
    found = stores(graph(block))

    assert not any(s.atomic or s.unproved for s in found)


@pytest.mark.parametrize(
    "block",
    [
        "for i in grid(N):\n    w[clip(m[i], 0, N - 1)] = x[i]",
        "for i in grid(N):\n    if x[i] > 0:\n        h[3] = i",
        "for i in grid(N):\n    w[i] = 0.0\n    w[clip(m[i], 0, N - 1)] = x[i]",
        "for i in grid(N):\n    for t in range(4):\n        h[(m[i] + t) % 256] = t",
    ],
)
def test_plain_writes_that_nothing_decides_are_unproved(block: str) -> None:
    found = stores(graph(block))

    assert all(s.unproved and not s.atomic for s in found)


def test_unproved_writes_name_the_indices_of_their_grid() -> None:
    (store,) = stores(graph("for y, c in grid(H, W):\n    h[img[y, c] % 256] = c"))

    spans = [e.origin.nearest_span() for e in store.unproved]
    assert [s.text for s in spans if s] == ["y", "c"]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            "for i in grid(N):\n    h[i // 2 % 256] = i",
            "the iterations (i = 0) and (i = 1) both write h[0]",
        ),
        (
            "for i in grid(100):\n    h[i] = 1\n    h[i + 1] = 2",
            "the iterations (i = 1) and (i = 0) both write h[1]",
        ),
        (
            "for i in grid(N):\n    h[m[i]] += 1\n    h[m[i]] = max(h[m[i]], 3)",
            "'h' is written by 'max' here and by '+=' at line 7 (h[m[i]]), and two iterations may",
        ),
        (
            "for i in grid(N):\n    h[0] += 1\n    h[0] = 7",
            "'h' is written by '=' here and by '+=' at line 7 (h[0]), and the iterations (i = 0)",
        ),
        (
            "for i in grid(N):\n    h[m[i]] += 1\n    w[i] = f32(h[0])",
            "another iteration of the grid may write this element (h[m[i]] at line 7)",
        ),
        (
            "for i in grid(N):\n    h[h[0]] += 1",
            "another iteration of the grid may write this element (h[h[0]] at line 7)",
        ),
        (
            "for i in grid(N):\n    h[m[i]] += h[0]",
            "another iteration of the grid may write this element (h[m[i]] at line 7)",
        ),
        (
            "for i in grid(N):\n    h[m[i]] = h[m[i]] * 2",
            "another iteration of the grid may write this element (h[m[i]] at line 7)",
        ),
        ("for i in grid(N):\n    h[m[i]] += 1.5", "'h' is i32, the value is f32"),
        ("for i in grid(N):\n    h[m[i]] += u[i]", "i32 and u32 have no common dtype"),
        ("for i in grid(N):\n    h[i, i] += 1", "'h' has 1 dimension, 2 indices given"),
        ("for i in grid(N):\n    h[300] += 1", "h[300] writes 45 past the end"),
        ("for i in grid(N):\n    g[m[i]] += 1", "'g' is written in a block and has no type"),
    ],
)  # fmt: skip
def test_what_is_refused(block: str, message: str) -> None:
    assert any(message in found for found in mistakes(block))


def test_a_mistake_in_an_update_is_said_once() -> None:
    assert len(mistakes("for i in grid(N):\n    h[m[i]] += 1.5")) == 1


def test_an_array_without_values_is_not_updated() -> None:
    text = (
        "def f(m: i32[N]) -> i32[9]:\n    for i in grid(N):\n        h[m[i]] += 1\n    return h\n"
    )

    with pytest.raises(SourceError, match=r"h.m.i..: h.0. is not proved to be written"):
        parse(Source(text))


PRODUCTS = """\
def f(x: f32[M, N], y: f32[K]) -> f32[K]:
    assert K >= M * N
    for i, j in grid(M, N):
        y[i * {width} + j] += x[i, j]
    return y
"""


@pytest.mark.parametrize(("width", "atomic"), [("N", False), ("M", True)])
def test_products_of_dims_are_decided_by_literals(width: str, atomic: bool) -> None:  # noqa: FBT001
    k = wb.kernel(PRODUCTS.format(width=width))
    c = k.compile(on="cpu", dims={"M": 3, "N": 5, "K": 15})
    found = [s for d in each(c.stages["specialise"].value.definitions) if isinstance(d, Block)
             for s in writes(d.body)]  # fmt: skip

    assert [s.atomic for s in found] == [atomic]


def test_facts_prove_writes_apart() -> None:
    text = """\
def f(x: f32[N], y: f32[M]) -> f32[M]:
    assert N <= M
    for i in grid(N):
        y[i % M] += x[i]
    return y
"""

    assert not any(s.atomic for s in stores(parse(Source(text)).kernels[0]))


def test_float_additions_are_marked_nondeterministic() -> None:
    (found,) = remarks(graph("for i in grid(N):\n    w[clip(m[i], 0, N - 1)] += x[i]"))

    assert (found.kind, found.array, found.reaches) == ("nondeterministic", "w", ())
    assert found.words == (
        "w may differ from run to run in its last digits: `w[clip(m[i], 0, N - 1)] += x[i]` "
        "(line 7) adds floats in the order in which iterations come"
    )


@pytest.mark.parametrize(
    "block",
    [
        "for i in grid(N):\n    h[m[i]] += 1",
        "for i in grid(N):\n    w[i] += x[i]",
        "for i in grid(N):\n    w[clip(m[i], 0, N - 1)] = max(w[clip(m[i], 0, N - 1)], x[i])",
    ],
)
def test_whole_numbers_maxima_and_plain_updates_are_deterministic(block: str) -> None:
    assert remarks(graph(block)) == ()


def test_unproved_writes_are_marked_with_what_they_reach() -> None:
    (found,) = remarks(
        graph("for i in grid(N):\n    h[m[i]] = i\nfor i in grid(N):\n    w[i] = f32(h[0])")
    )

    assert (found.kind, found.array, found.reaches) == ("unproved", "h", ("w",))
    assert "so may w, computed from it" in found.words


def test_stages_say_what_is_atomic() -> None:
    text = "def f(m: i32[N], h: f32[9]) -> f32[9]:\n    for i in grid(N):\n        h[m[i]] += 0.5\n"
    c = wb.kernel(text + "    return h\n").compile(on="native", dims={"N": 4})

    for stage in ("graph", "loops", "scheduled", "kernel"):
        assert "+= 0.5  # atomic, floats in no fixed order" in c.stages[stage].text
    assert [r.array for r in c.remarks] == ["h"]
