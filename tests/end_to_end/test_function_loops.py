"""Loops in inlined functions: run where a value of theirs is asked for, on every path."""

from __future__ import annotations

from math import gcd

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end.test_outside import DEVICES, need
from workbench.base.errors import RunError
from workbench.ir.interpret import run_graph, run_loops
from workbench.ir.simt import run_mapped
from workbench.passes.graph import specialise

FUNCTIONS = """
def collatz(n):
    steps = 0
    while n > 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps

def power(a, n):
    p = 1.0
    for k in range(n):
        p = p * a + k
    return p

def odd(a, n):
    for k in range(1, n, 2):
        a += k
    return a

def gcd(a, b):
    while b != 0:
        a, b = b, a % b
    return a

def inner(n):
    s = 0
    for k in range(n):
        twice = k * 2
        m = k
        while m > 0:
            s += twice
            m -= 2
    return s, n - s

"""
KERNEL = "def f(x: f32[N], m: i32[N]) -> {0}[N]:\n    {1}\n    return y\n"


def collatz(n: int) -> int:
    steps = 0
    while n > 1:
        n, steps = n // 2 if n % 2 == 0 else 3 * n + 1, steps + 1
    return steps


def power(a: float, n: int) -> float:
    p = 1.0
    for k in range(n):
        p = p * a + k
    return p


def inner(n: int) -> tuple[int, int]:
    s = sum(2 * k for k in range(n) for _ in range(k, 0, -2))
    return s, n - s


def odd(a: int, n: int) -> int:
    return a + sum(range(1, n, 2))


def grown(n: int) -> int:
    while collatz(n) < 9:
        n = n * 2 + 1
    return n + collatz(n)


def timed(m: list[int]) -> list[int]:
    for _ in range(3):
        m = [collatz(n) for n in reversed(m)]
    return m


GROWN = """y: i32[N]
    for i in grid(N):
        n = m[i]
        while collatz(n) < 9:
            n = n * 2 + 1
        y[i] = n + collatz(n)"""
BOTH = """y: i32[N]
    for i in grid(N):
        a, b = inner(i)
        y[i] = a * 3 + b"""
TIMED = """y[i] = m[i]
    for t in range(3):
        y[i] = collatz(y[N - 1 - i])"""
X = np.linspace(-1, 1, 11).astype(np.float32)
M = np.array([3, 1, 2, 27, 7, 5, 6, 12, 9, 15, 4], np.int32)
A, B = [float(v) for v in X], [int(v) for v in M]
ALL = range(len(B))
POWERS = [power(a, j % 4) for j, a in enumerate(A)]
CASES: dict[str, tuple[str, str, list[float] | list[int]]] = {
    "while": ("i32", "y[i] = collatz(m[i])", [collatz(n) for n in B]),
    "for": ("f32", "y[i] = power(x[i], m[i] % 7)",
            [power(a, n % 7) for a, n in zip(A, B, strict=True)]),
    "step": ("i32", "y[i] = odd(m[i], i)", [odd(B[i], i) for i in ALL]),
    "all values at once": ("i32", "y[i] = gcd(m[i], i + 1)", [gcd(B[i], i + 1) for i in ALL]),
    "call of a call": ("i32", "y[i] = collatz(collatz(m[i]))", [collatz(collatz(n)) for n in B]),
    "reduction": ("f32", "y[i] = sum(power(x[j], j % 4) for j in range(N)) + x[i]",
                  [sum(POWERS) + a for a in A]),
    "scan": ("f32", "y[i] = sum(power(x[j], j % 4) for j in range(i + 1))",
             [sum(POWERS[: i + 1]) for i in ALL]),
    "filter": ("i32", "y[i] = sum(m[j] for j in range(i) if m[j] > 1 if collatz(m[j]) > 2)",
               [sum(n for n in B[:i] if n > 1 and collatz(n) > 2) for i in ALL]),
    "data range": ("f32", "y[i] = sum(x[j] for j in range(min(collatz(m[i]), N)))",
                   [sum(A[: min(collatz(n), len(A))]) for n in B]),
    "tuple in a block": ("i32", BOTH, [inner(i)[0] * 3 + inner(i)[1] for i in ALL]),
    "condition in a block": ("i32", GROWN, [grown(n) for n in B]),
    "time loop": ("i32", TIMED, timed(B)),
    "best": ("i32", "y[i] = argmax(collatz(m[j] + i) for j in range(N))",
             [int(np.argmax([collatz(n + i) for n in B])) for i in ALL]),
}  # fmt: skip


def kernel(name: str) -> wb.Kernel:
    dtype, lines, _ = CASES[name]
    return wb.kernel(FUNCTIONS + KERNEL.format(dtype, lines))


@pytest.mark.parametrize("on", DEVICES)
@pytest.mark.parametrize("name", CASES)
def test_a_loop_of_a_function_gives_what_python_gives(on: str, name: str) -> None:
    need(on)
    found = kernel(name)(X, M, on=on).numpy()

    np.testing.assert_allclose(found, CASES[name][2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_every_interpreter_runs_it(name: str) -> None:
    compiled = kernel(name).compile(on="native", dims={"N": 11})
    given = {"x": X, "m": M}
    (output,) = compiled.graph.outputs
    simt, faults = run_mapped(compiled.stages["kernel"].value, given)
    found = [
        run_graph(specialise(compiled.graph, compiled.dims), given),
        run_loops(compiled.stages["loops"].value, given),
        run_loops(compiled.stages["scheduled"].value, given),
        simt,
    ]

    assert faults.ok, faults.words
    for values in found:
        (value,) = (v for n, v in values.items() if n == output or len(values) == 1)
        np.testing.assert_allclose(value, CASES[name][2], rtol=1e-5, atol=1e-5)


ENDLESS = (
    "def never(a):\n    while a < 1.0:\n        a = a * 1.0\n    return a\n\n"
    "def f(x: f32[N]) -> f32[N]:\n"
    "    y[i] = never(x[i]) if x[i] >= 1.0 or x[i] != x[i] else 0.0\n    return y\n"
)


@pytest.mark.parametrize("on", DEVICES)
def test_a_loop_is_not_run_where_its_value_is_not_asked_for(on: str) -> None:
    need(on)
    found = wb.kernel(ENDLESS)(np.array([0.5, 2.0, -1.0], np.float32), on=on).numpy()

    assert found.tolist() == [0.0, 2.0, 0.0]


def test_a_loop_without_end_is_given_up_by_the_interpreters() -> None:
    text = ENDLESS.replace(" if x[i] >= 1.0 or x[i] != x[i] else 0.0", "")
    k = wb.kernel(text)
    x = np.array([0.5], np.float32)

    with pytest.raises(RunError, match="a while loop used up its budget"):
        run_graph(specialise(k.graph, {"N": 1}), {"x": x}, budget=1 << 20)


def test_one_loop_computes_all_its_values_of_an_expression() -> None:
    text = (
        "def both(n):\n    s = 0\n    while n > 1:\n        n = n // 2\n        s += 1\n"
        "    return s * 10 + n\n\n"
    )
    compiled = wb.kernel(text + KERNEL.format("i32", "y[i] = both(m[i])")).compile(
        on="native", dims={"N": 4}
    )

    assert compiled.stages["loops"].text.count("while ") == 1
