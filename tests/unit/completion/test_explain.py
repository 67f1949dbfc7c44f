"""What is explained at a place of a cell: the cursor is where the text has a bar."""

from __future__ import annotations

import pytest

from workbench.base.dtypes import DTYPES
from workbench.completion.explain import WORDS, explain
from workbench.completion.reading import read_cell
from workbench.completion.surroundings import Surroundings
from workbench.lang.calls import FUNCTIONS
from workbench.magics import options
from workbench.schedule.step import step_classes

HEAD = "%%wgpu_kernel --on cpu --time\n"
KERNEL = """def softmax(x: f32[M, N], a: f32 = 2.0) -> f32[M, N]:
    top[i] = max(x[i, j] for j in range(N))
    y[i, j] = a * exp(x[i, j] - top[i])
    return y
"""
ROWS = '@schedule(softmax)\ndef rows(T=64):\n    parallelize("y.i", "workgroup.x", T)\n'
AROUND = Surroundings(options())


def explained(text: str) -> str | None:
    cell = read_cell(text.replace("|", "", 1))
    assert cell is not None
    return explain(cell, text.index("|"), AROUND)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("exp(x", "e|xp(x", "exp(x)\n\nnumpy.exp"),
        ("exp(x[i, j]", "exp(x[i, j] |", "exp(x)\n\n"),
        ("max(x[", "ma|x(x[", "max(x[i, k] for k in range(K)"),
        ("range(N", "ran|ge(N", "range(stop)"),
        ("return", "re|turn", "return y"),
        ("f32 =", "f3|2 =", "x: f32[N]"),
        ("exp(x", "exp(|x", "x: f32[M, N]\n\nx is an array of softmax."),
        ("a * ", "|a * ", "a: f32 = 2.0\n\na is a scalar of softmax."),
        ("range(N)", "range(|N)", "x: f32[M, N]\n\nN is a dim of softmax."),
        ("- top", "- to|p", "top[i] = max(x[i, j] for j in range(N))\n\ntop is an array"),
        ("j in", "|j in", "top[i] = max(x[i, j] for j in range(N))\n\nj is an index"),
    ],
)
def test_words_and_names_of_a_kernel_are_explained(before: str, after: str, expected: str) -> None:
    assert (explained(HEAD + KERNEL.replace(before, after, 1)) or "").startswith(expected)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("parallel", "para|llel", "parallelize(loop, axis, size=None)\n\nRun the iterations"),
        ('"workgroup.x"', '"work|group.x"', "parallelize(loop, axis, size=None)"),
        (", T)", ", |T)", "T\n\nA knob of the schedule rows"),
        ("(softmax", "(soft|max", "def softmax(x: f32[M, N], a: f32 = 2.0) -> f32[M, N]:"),
    ],
)
def test_steps_and_knobs_are_explained(before: str, after: str, expected: str) -> None:
    found = explained(HEAD + KERNEL + ROWS.replace(before, after, 1))

    assert (found or "").startswith(expected)


@pytest.mark.parametrize("line", ["--o|n cpu", "--on c|pu", "--on=c|pu", "--on| cpu"])
def test_an_option_is_explained_at_its_name_and_at_its_value(line: str) -> None:
    assert (explained(f"%%wgpu_kernel {line}\n") or "").startswith("--on {auto,")


def test_an_option_without_value_says_nothing_of_one() -> None:
    assert explained("%%wgpu_kernel --ti|me") == ("--time\n\nrepeat the run and report the median")


def test_a_name_of_python_is_not_explained_as_if_it_were_of_the_language() -> None:
    assert explained(HEAD + KERNEL.replace("exp(x[i, j] - top[i])", "print|")) is None


def test_every_function_and_every_step_has_an_explanation() -> None:
    assert set(FUNCTIONS) | set(DTYPES) <= set(WORDS)
    for name in step_classes():
        found = explained(f"{HEAD}@schedule(softmax)\ndef rows():\n    |{name}(")

        assert (found or "").startswith(f"{name}(")
        assert len((found or "").splitlines()) > 2


def test_something_or_nothing_is_explained_at_every_place_of_every_beginning() -> None:
    text = HEAD + KERNEL + ROWS
    for end in range(len("%%wgpu_kernel "), len(text) + 1, 5):
        cell = read_cell(text[:end])
        assert cell is not None
        found = explain(cell, end, AROUND)

        assert found is None or found.strip() == found
