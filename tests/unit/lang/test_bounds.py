"""Bounds: proved, refuted with an example, or not proved; blocks write every element once."""

from __future__ import annotations

import pytest

from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.lang import parse
from workbench.lang.bounds import checked

SIGNATURE = "def f(x: f32[N], m: i32[N], img: f32[H, W], s: i32)"


def mistakes(body: str, result: str = "f32[N]") -> list[str]:
    """The messages about a body that defines y; empty where all of it is proved."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    try:
        module = parse(Source(f"{SIGNATURE} -> {result}:\n{lines}    return y\n"))
    except SourceError as error:
        return [m.message for m in error.mistakes]
    return ["checked when it runs"] if checked(module.kernels[0]) else []


@pytest.mark.parametrize(
    "body",
    [
        "y[i] = x[i]",
        "y[i] = x[0]",
        "y[i] = x[max(i - 1, 0)] + x[min(i + 2, N - 1)]",
        "y[i] = x[(i - 1) % N] + x[(i * 7 + 3) % N]",
        "y[i] = x[i - 1] if i > 0 else 0.0",
        "y[i] = x[i + 1] if not i + 1 >= N else 0.0",
        "y[i] = 0.0 if i == 0 or i == N - 1 else x[i - 1] + x[i + 1]",
        "y[i] = x[abs(i - 1)] if N > 1 else 0.0",
        "y[i] = x[i // 2] + x[i % 4 if N >= 4 else 0]",
        "y[i] = x[N - 1 - i]",
        "y[i] = x[i // N]",
        "y[i] = x[clip(m[i], 0, N - 1)]",
        "y[i] = x[m[i]] if 0 <= m[i] < N else 0.0",
        "y[i] = sum(x[k + 1] * x[k] for k in range(N - 1)) + x[i]",
        "y[i] = sum(x[k] for k in range(s) if k < N) + x[i]",
        "assert s >= 0 and s < N\ny[i] = x[s] + x[i]",
        "assert 0 <= s and s < N - 2\ny[i] = x[s + 2] + x[i]",
        "y[i] = x[i + s] if 0 <= i + s and i + s < N else 0.0",
        "assert N == 4 * H\ny[i] = x[i] + x[i // 4 * 4] + sum(img[i // 4, q] for q in range(W))",
    ],
)
def test_proved(body: str) -> None:
    assert mistakes(body) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("y[i] = x[i + 1] + x[i]",
         "x[i + 1] reads 1 past the end: i = 7 gives 8, extent N = 8"),
        ("y[i] = x[i - 3] + x[i]",
         "x[i - 3] reads 3 before the start: i = 0 gives -3, extent N = 8"),
        ("y[i] = x[2 * i] + x[i]",
         "x[2 * i] reads 1 past the end: i = 4 gives 8, extent N = 8"),
        ("y[i] = x[N] + x[i]",
         "x[N] reads 1 past the end: N = 8 gives 8, extent N = 8"),
        ("y[i] = x[3] + x[i]",
         "x[3] reads 3 past the end: the index is 3, extent N = 1"),
        ("y[i] = x[i + 1] if i > 0 else x[i]",
         "x[i + 1] reads 1 past the end: i = 7 gives 8, extent N = 8"),
        ("y[i] = x[s] + x[i]",
         "x[s] reads 1 past the end: s = 8 gives 8, extent N = 8"),
        ("y[i] = sum(x[k] for k in range(N + 1)) + x[i]",
         "x[k] reads 1 past the end: k = 8 gives 8, extent N = 8"),
        ("y[i] = sum(x[k] for k in range(i, N + 1))",
         "x[k] reads 1 past the end: k = 8 gives 8, extent N = 8"),
        ("y[i] = sum(x[k] for k in range(i + 2))",
         "x[k] reads 1 past the end: k = 8 gives 8, extent N = 8"),
        ("y[i] = img[0, 0] * x[i]",
         "img[0, 0] reads 1 past the end: the index is 0, extent H = 0"),
    ],
)  # fmt: skip
def test_refuted_with_the_least_example(body: str, message: str) -> None:
    assert message in mistakes(body)


@pytest.mark.parametrize(
    "body",
    [
        "y[i] = x[m[i]]",
        "y[i] = x[i * i] + x[i]",
        "y[i] = x[max(s - 1, 0)] if s < N else x[i]",
        "y[i] = x[min(i * 1000, N - 1)] + x[i]",
    ],
)
def test_what_is_neither_proved_nor_refuted_is_checked_when_it_runs(body: str) -> None:
    assert mistakes(body) == ["checked when it runs"]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("x[i + 1]", "y[i] = x[min(i + 1, N - 1)] + x[i]"),
        ("x[i - 1]", "y[i] = x[max(i - 1, 0)] + x[i]"),
        ("x[3]", "assert N > 3 as the first line"),
    ],
)
def test_the_hint_can_be_proved(line: str, hint: str) -> None:
    with pytest.raises(SourceError) as error:
        parse(Source(f"{SIGNATURE} -> f32[N]:\n    y[i] = {line} + x[i]\n    return y"))
    said = error.value.mistakes[0].hint
    fact = said.removesuffix(" as the first line")
    better = f"{fact}\ny[i] = {line} + x[i]" if "assert" in said else said

    assert said == hint
    assert mistakes(better) == []


def test_a_locals_value_counts() -> None:
    body = """\
for i in grid(N):
    before = max(i - 1, 0)
    after = i + 1
    if after == N:
        after = 0
    y[i] = x[before] + x[after]"""

    assert mistakes(body) == []


def test_a_local_that_a_loop_changes_is_unknown_after_it() -> None:
    body = """\
for i in grid(N):
    n = 0
    for t in range(3):
        n = n + t
    y[i] = x[n]"""

    assert mistakes(body) == ["checked when it runs"]


def test_the_condition_of_an_early_continue_holds_after_it() -> None:
    body = """\
for i in grid(N):
    total = 0.0
    for t in range(s):
        if i + t >= N or i + t < 0:
            continue
        total += x[i + t]
    y[i] = total"""

    assert mistakes(body) == []


@pytest.mark.parametrize(
    "body",
    [
        "for i in grid(N):\n    y[i] = 1",
        "for i in grid(N):\n    if x[i] > 0:\n        y[i] = 1\n    else:\n        y[i] = 2",
        "for i in grid(N):\n    if i > 0:\n        y[i] = 1\n    if i == 0:\n        y[i] = 2",
        "for i in grid(N):\n    y[N - 1 - i] = 1",
        "for j in grid(1):\n    for i in range(N):\n        y[i] = x[i]",
    ],
)
def test_every_element_is_written(body: str) -> None:
    assert mistakes(body) == []


def test_an_array_may_be_written_in_interleaved_parts() -> None:
    body = "for i in grid(N):\n    y[2 * i] = x[i]\n    y[2 * i + 1] = 0"

    assert mistakes(body, "f32[2 * N]") == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("for i in grid(N):\n    if x[i] > 0:\n        y[i] = 1",
         "y[0] is not proved to be written"),
        ("for i in grid(N):\n    if i > 2:\n        y[i] = 1",
         "y[0] is not proved to be written"),
        ("for i in grid(N - 1):\n    y[i] = 1",
         "y[7] is not proved to be written"),
        ("for i in grid(N):\n    y[i // 2] = 1",
         "the iterations (i = 0) and (i = 1) both write y[0]"),
        ("for i, j in grid(N, H):\n    y[i] = 1",
         "the iterations (i = 0, j = 0) and (i = 0, j = 1) both write y[0]"),
        ("for i in grid(N):\n    y[clip(m[i], 0, N - 1)] = 1",
         "y[0] is not proved to be written"),
        (("for j in grid(1):\n    for i in range(N):\n        if x[i] > 0:\n            break\n"
         "        y[i] = x[i]"), "y[0] is not proved to be written"),
        ("for i in grid(N):\n    n = 0\n    while n < m[i]:\n        n += 1\n        y[i] = f32(n)",
         "y[0] is not proved to be written"),
    ],
)  # fmt: skip
def test_elements_left_out_or_written_twice(body: str, message: str) -> None:
    (found,) = mistakes(body)

    assert found.startswith(message)


def test_a_write_outside_is_refuted_too() -> None:
    assert mistakes("for i in grid(N):\n    y[i + 1] = 1")[0].startswith(
        "y[0] is not proved to be written"
    )
    assert mistakes("for i in grid(N + 1):\n    y[i] = 1") == [
        "y[i] writes 1 past the end: i = 8 gives 8, extent N = 8"
    ]


def test_a_question_too_hard_for_isl_ends() -> None:
    test = " or ".join(f"i % {k + 2} == s % {k + 1}" for k in range(2, 12))

    said = mistakes(f"y[i] = x[i] if {test} else x[max(i - 1, 0)]")

    assert said == ["checked when it runs"]


def test_a_write_at_a_scalar_is_mended_by_a_fact() -> None:
    text = (
        "def f(K: f32[T, D], new: f32[D], t: i32) -> f32[T, D]:\n"
        "    K[t, d] = new[d]\n    return K\n"
    )
    with pytest.raises(SourceError) as error:
        parse(Source(text))

    assert [m.hint for m in error.value.mistakes] == ["assert t < T as the first line"]
    both = "    assert 0 <= t\n    assert t < T\n"
    assert parse(Source(text.replace("    K", both + "    K"))).kernels


def test_a_write_before_the_start_is_mended_from_the_end() -> None:
    with pytest.raises(SourceError) as error:
        parse(Source("def f(x: f32[N]) -> f32[N]:\n    x[-1] = 0\n    return x\n"))

    assert [m.hint for m in error.value.mistakes] == ["x[N - 1] = 0"]
