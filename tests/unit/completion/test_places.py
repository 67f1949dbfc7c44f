"""What is offered at a place of a cell: the cursor is where the text has a bar."""

from __future__ import annotations

import pytest

from workbench.completion.explain import explain
from workbench.completion.places import Offer, offer
from workbench.completion.reading import read_cell
from workbench.completion.surroundings import Option, Surroundings
from workbench.magics import options

SIGNATURE = "def softmax(x: f32[M, N], a: f32 = 2.0) -> f32[M, N]:\n"
KERNEL = (
    SIGNATURE
    + '''    """Rows sum to one"""
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y
'''
)
ROWS = """
@schedule(softmax)
def rows(T=64):
    split("k", 8)
"""
HEAD = "%%wgpu_kernel\n"
AROUND = Surroundings(
    (
        Option("--on", "the device", ("auto", "cpu")),
        Option("--show", "views", ("stages", "run")),
        Option("--schedule", "a schedule"),
        Option("--set", "a knob", several=True),
        Option("--time", "repeat", takes_value=False),
    ),
    {"tile": 8, "_hidden": 1},
)


def offered(text: str) -> Offer:
    cell = read_cell(text.replace("|", "", 1))
    assert cell is not None
    return offer(cell, text.index("|"), AROUND)


def explain_at(text: str) -> str | None:
    cell = read_cell(text.replace("|", "", 1))
    assert cell is not None
    return explain(cell, text.index("|"), AROUND)


def names(text: str) -> list[str]:
    return [c.text for c in offered(text).candidates]


def body(statement: str) -> list[str]:
    """What is offered in a last statement after the first equation of the kernel."""
    return names(HEAD + SIGNATURE + "    top[i] = x[i, 0]\n    " + statement)


def step(line: str) -> list[str]:
    return names(HEAD + KERNEL + ROWS + "    " + line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%%wgpu_kernel --|", ["--on", "--show", "--schedule", "--set", "--time"]),
        ("%%wgpu_kernel --on cpu --s|", ["--show", "--schedule", "--set"]),
        ("%%wgpu_kernel --show run --set T=1 --s|", ["--schedule", "--set"]),
        ("%%wgpu_kernel --on |", ["auto", "cpu"]),
        ("%%wgpu_kernel --on=c|", ["cpu"]),
        ("%%wgpu_kernel --show stages,r|", ["run"]),
        ("%%wgpu_kernel so|", ["softmax"]),
        ("%%wgpu_kernel --time so|", ["softmax"]),
        ("%%wgpu_kernel --schedule |", ["rows"]),
        ("%%wgpu_kernel --set |", ["T="]),
        ("%%wgpu_kernel --on {{t|", ["tile"]),
    ],
)
def test_options_and_their_values_are_offered(line: str, expected: list[str]) -> None:
    assert expected == names(line + "\n" + KERNEL + ROWS)


def test_an_option_is_offered_in_a_cell_without_body() -> None:
    assert names("%%wgpu_kernel --on |") == ["auto", "cpu"]


def test_every_option_of_the_magic_is_known() -> None:
    found = {o.name: o for o in options()}

    assert {"--on", "--schedule", "--show", "--time", "--check", "--set"} <= set(found)
    assert "native" in found["--on"].values
    assert "stages" in found["--show"].values
    assert not found["--time"].takes_value
    assert found["--set"].several


def test_indices_come_first_then_what_the_signature_says_then_arrays_above() -> None:
    assert body("y[i, k] = x[|")[:7] == ["i", "k", "x", "a", "M", "N", "top"]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("y[i] = t|", ["top", "tan", "tanh", "trunc"]),
        ("y[i] = sum(x[i, k] for k in r|", ["range"]),
        ("y[i] = sum(x[i, kk] for kk in range(k|", ["kk"]),
        ("y[i] = x[i, 0] * (N|", ["N"]),
        ("ret|", ["return"]),
        ("to|", ["top"]),
        ("h: i|", ["i32", "i8", "i64"]),
        ("y[i] = 1.5e|", []),
        ("y[i] = x.|", []),
        ("# the t|", []),
        ("y[i] = nowhere|", []),
        ("y[i] = top[i] + {{ti|}}", ["tile"]),
    ],
)
def test_names_are_offered_in_a_body(statement: str, expected: list[str]) -> None:
    assert expected == body(statement)


def test_the_loops_around_give_their_indices() -> None:
    text = (
        "def f(u: f32[H, W]) -> f32[H, W]:\n    v: f32[H, W]\n    for q, p in grid(H, W):\n"
        "        s = u[q, p]\n        for t in range(3):\n            s = s + u[|"
    )

    assert names(HEAD + text)[:3] == ["q", "p", "t"]
    assert "s" in names(HEAD + text)


def test_an_index_ends_with_its_equation() -> None:
    assert "j" not in body("z[i] = x[i, j]\n    w[n] = |")


def test_an_array_is_offered_below_its_equation_only() -> None:
    text = HEAD + SIGNATURE + "    b[i] = |\n    late[i] = x[i, 0]\n"

    assert "late" not in names(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(x: f|", ["f32", "f16", "f64"]),
        ("def f(x: f32[N], y: f32[|", ["N"]),
        ("def f(x: f32[N]) -> i32|", ["i32"]),
        ("def f(x: f32[N],\n      y: f32[|", ["N"]),
        ("def f(x: f32[N], h: i32) -> (f32[N], i32[|", ["h", "N"]),
        ("def f(|", []),
        ("d|", ["def"]),
        (KERNEL + "\n@s|", ["@schedule(softmax)"]),
        (KERNEL + "\n@schedule(|", ["softmax"]),
    ],
)
def test_signatures_and_margins_are_completed(text: str, expected: list[str]) -> None:
    assert expected == names(HEAD + text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("par|", ["parallelize"]),
        ('split("y.|', ["y.i", "y.j"]),
        ("split('y.|')", ["y.i", "y.j"]),
        ('split("k|', ["k_o", "k_i"]),
        ('split("k_o", |', ["T"]),
        ('set_dtype("y", "f|', ["f32", "f16", "f64"]),
        ('parallelize("y.i", "work|', ["workgroup.x", "workgroup.y", "workgroup.z", "worker"]),
        ('cache("t|', ["top"]),
        ('cache("e", |', ['"private"', '"workgroup"']),
        ('cache("e", "private", |', ["at=", "transposed=", "pad=", "double="]),
        ('cache("e", "private", at="y.|', ["y.i", "y.j"]),
        ("reorder('y.i', 'y.|", ["y.i", "y.j"]),
        ("unheard_of(T|", ["T"]),
        ("# spl|", []),
    ],
)
def test_steps_and_their_arguments_are_completed(line: str, expected: list[str]) -> None:
    assert expected == step(line)


def test_loops_are_named_in_a_kernel_that_cannot_be_read() -> None:
    broken = KERNEL.replace("exp(x", "exp((x")

    assert names(HEAD + broken + ROWS + '    split("e.|') == ["e.i", "e.j"]
    assert names(HEAD + broken + ROWS + '    split("k|') == ["k"]


def test_a_loop_is_offered_with_quotes_where_there_are_none() -> None:
    assert '"y.i"' in step("split(|")


def test_what_is_typed_is_the_fragment() -> None:
    assert offered(HEAD + KERNEL + ROWS + '    split("y.|').fragment == "y."
    assert offered("%%wgpu_kernel --o|").fragment == "--o"
    assert offered("%%wgpu_kernel --show stages,r|").fragment == "r"


def test_a_body_in_another_language_is_left_alone() -> None:
    head = "%%wgpu_kernel --lang wgsl"

    assert names(head + " --o|\nfn main() {}") == ["--on"]
    assert names(head + "\n" + KERNEL.replace("exp(x", "e|xp(x")) == []
    assert explain_at(head + "\n" + KERNEL.replace("exp(x", "e|xp(x")) is None


def test_other_cells_are_not_read() -> None:
    assert read_cell("x = 1") is None
    assert read_cell("%%wgpu_kernels\n") is None
    assert read_cell("\n\n%%wgpu_kernel\ndef f(") is not None


def test_something_is_offered_or_nothing_at_every_place_of_every_beginning() -> None:
    text = "%%wgpu_kernel --on cpu\n" + KERNEL + ROWS
    for end in range(len("%%wgpu_kernel "), len(text) + 1):
        cell = read_cell(text[:end])
        assert cell is not None
        found = offer(cell, end, AROUND)

        assert text[:end].endswith(found.fragment)
        assert all(c.text.startswith(found.fragment) for c in found.candidates)


@pytest.mark.parametrize("junk", ['"""', "'", "((((", "]]]]", "def", "@", "@schedule(", "\\", "é["])
def test_any_text_can_be_read(junk: str) -> None:
    for place in range(0, len(KERNEL), 17):
        cell = read_cell(HEAD + KERNEL[:place] + junk + KERNEL[place:])
        assert cell is not None
        offset = len(HEAD) + place + len(junk)

        assert cell.text[:offset].endswith(offer(cell, offset, AROUND).fragment)
