"""Whatever the text: a module or one `SourceError`, and never anything executed."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings, strategies as st

from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.lang import Module, parse

SEEDS = (
    """\
def softmax(x: f32[M, N], é: f32 = 1.5) -> (f32[M, N], f32[M], f32):
    assert M > 0
    s: f32 = 3
    top[i] = max(x[i, j] for j in range(N) if x[i, j] > 0)
    e[i, j] = exp(x[i, j] - top[i]) if 0 <= j < 3 else where(i == j, -inf, é ** 3)
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y, top, s
""",
    """\
def f(img: f32[H, W], m: i32[H], n: i32, b: bool = True) -> i32[H, W]:
    for y, x in grid(H, W):
        a, c = 0.0, 1
        n1 = m[y]
        while c < n and not b or a * a < 4:
            a, c = a + img[max(y - 1, 0), x], c + 1
            if a > 3:
                break
            elif c == 4:
                continue
            else:
                n1 += 2
        for t in range(x, W):
            n1 = n1 ^ t
        if n1 > 2:
            C[y, x] = n1
        else:
            C[y, x] = argmax(img[y, q] for q in range(W))
    return C

@schedule(f)
def s(T=8, k="x"):
    split("y", T * 2 + 1)
    parallelize(k, "workgroup.x", size=T)
""",
)
PIECES = [
    "(",
    ")",
    "[",
    "]",
    ":",
    ",",
    "=",
    "+=",
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "@",
    "<<",
    "&",
    "~",
    "not",
    "and",
    "or",
    "if",
    "else",
    "for",
    "in",
    "range",
    "grid",
    "while",
    "break",
    "return",
    "sum",
    "max",
    "argmax",
    "any",
    "where",
    "clip",
    "i",
    "j",
    "x",
    "y",
    "C",
    "N",
    "M",
    "0",
    "-1",
    "2.5",
    "1e400",
    "99999999999",
    "True",
    "None",
    "'s'",
    "f32",
    "i32",
    "u32",
    "bool",
    "f16",
    "x[i]",
    "...",
    "x.T",
    "np.exp",
    "__import__",
    "é",
    "pass",
    "abs(",
    "==",
    "is",
    "yield",
    "await",
    "async",
    "lambda",
    "{",
    "}",
    "\\",
    "#",
    "'''",
    "f'{x}'",
    "def",
    "import",
    ":=",
    "*a",
    "**a",
    "x[x[i]]",
    "\n",
    "\n    ",
    "\n        ",
    " ",
    "\x00",
    "\r",
    "\x0c",
    "\t",
]


def answers(text: str) -> bool:
    """True where parsing ends in a module or in a `SourceError` with mistakes."""
    try:
        return isinstance(parse(Source(text)), Module)
    except SourceError as error:
        return len(error.mistakes) > 0 and str(error) != ""


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_any_text(text: str) -> None:
    assert answers(text)


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_any_change_of_a_kernel(data: st.DataObject) -> None:
    parts = re.findall(r"\w+|\s+|[^\w\s]", data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(parts) - 1))
        piece = data.draw(st.sampled_from((*PIECES, *parts, "")))
        parts[place : place + data.draw(st.integers(0, 2))] = [piece]

    assert answers("".join(parts))


def test_the_seeds_are_kernels() -> None:
    assert [len(parse(Source(text)).kernels) for text in SEEDS] == [1, 1]


def test_nothing_is_executed(tmp_path: Path) -> None:
    path = str(tmp_path / "executed")
    text = (
        f"def f(x: f32[N] = open({path!r}, 'w')) -> f32[N]:\n"
        f"    y[i] = x[open({path!r}, 'w')]\n    return y\n"
        f"open({path!r}, 'w')\n"
    )

    assert answers(text)
    assert list(tmp_path.iterdir()) == []
