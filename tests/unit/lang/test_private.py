"""Private arrays: written before they are read, inside their extents, known in their body only."""

from __future__ import annotations

import pytest

from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.lang import parse
from workbench.lang.bounds import checked


def kernel(*lines: str) -> str:
    body = "".join(f"        {line}\n" for line in lines)
    return f"def k(x: f32[N], m: i32[N]) -> f32[N]:\n    for i in grid(N):\n{body}    return y\n"


def message(text: str) -> str:
    with pytest.raises(SourceError) as error:
        parse(Source(text))
    return error.value.mistakes[0].message


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("p: f32[2]", "y[i] = p[0]"), "'p' is not proved to be written before it is read"),
        (("p: f32[2]", "p[0] = 1.0", "y[i] = p[1]"),
         "'p' is not proved to be written before it is read"),
        (("p: f32[2]", "for t in range(1):", "    p[t] = 1.0", "y[i] = p[1]"),
         "'p' is not proved to be written before it is read"),
        (("p: f32[2]", "for t in range(2):", "    if x[i] > 0.0:", "        break",
          "    p[t] = 1.0", "y[i] = p[1]"),
         "'p' is not proved to be written before it is read"),
        (("p: f32[2] = 0.0", "y[i] = p[2]"),
         "p[2] reads 1 past the end: the index is 2, extent 2"),
        (("p: f32[2] = 0.0", "p[i] = 1.0", "y[i] = p[0]"),
         "p[i] writes 1 past the end: i = 2 gives 2, extent 2"),
        (("p: f32[N] = 0.0", "y[i] = p[0]"),
         "'p' is private to an iteration: its extents are literals"),
        (("p: f32[2000] = 0.0", "y[i] = p[0]"),
         "2000 private elements in one iteration, at most 1024"),
        (("p: i32[2] = x[i]", "y[i] = p[0]"), "'p' is i32, the value is f32"),
        (("x: f32[2] = 0.0", "y[i] = 0.0"),
         ("'x' is an array here and an array at line 1, column 7 (def k(x: f32[N], m: i32[N]) "
          "-> f32[N]:); a kernel has one namespace")),
        (("if x[i] > 0.0:", "    p: f32[2] = 0.0", "p[0] = 1.0", "y[i] = 0.0"),
         "array 'p' is not known"),
        (("p[0] = 1.0", "p: f32[2] = 0.0", "y[i] = p[0]"), "array 'p' is not known"),
    ],
)  # fmt: skip
def test_wrong_private_arrays_are_refused(lines: tuple[str, ...], expected: str) -> None:
    assert message(kernel(*lines)) == expected


def test_what_was_known_of_an_element_is_forgotten_when_it_is_read_again() -> None:
    """The condition held for the element before it was written again."""
    text = kernel(
        "p: i32[1] = m[i]", "y[i] = 0.0", "if 0 <= p[0] and p[0] < N:", "    p[0] = N",
        "    y[i] = x[p[0]]",
    )  # fmt: skip

    assert checked(parse(Source(text)).kernels[0])


def test_a_local_keeps_what_was_known_of_an_element() -> None:
    text = kernel(
        "p: i32[1] = m[i]", "y[i] = 0.0", "v = p[0]", "if 0 <= v and v < N:", "    p[0] = N",
        "    y[i] = x[v]",
    )  # fmt: skip

    assert len(parse(Source(text)).kernels) == 1


def test_a_private_array_is_not_returned() -> None:
    text = (
        "def k(x: f32[N]) -> f32[2]:\n    y: f32[N]\n    for i in grid(N):\n"
        "        p: f32[2] = 0.0\n        y[i] = p[0]\n    return p\n"
    )

    assert message(text).startswith("'p' is")
