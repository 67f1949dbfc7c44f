"""Hints that are a line: the line, in the place of the one refused, is taken as it stands."""

from __future__ import annotations

import ast
import re

import pytest

from tests.documents.examples import Cell
from tests.documents.refusals import GROUPS
from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.lang import parse

SIGNATURE = "def f(x: f32[N], A: f32[M, K], B: f32[K, M], m: i32[N], n: i32, b: bool) -> f32[N]:"
MEANT = re.compile(r"(?P<line>.*) on a line before (it|the block)$")


def refused(text: str) -> SourceError:
    with pytest.raises(SourceError) as error:
        parse(Source(text))
    return error.value


def mended(text: str) -> str:
    """The text with the hint of its first mistake in the place of the line that is wrong.

    A line to write "before it" or "before the block" stands before that line, or before the
    `for` around it.
    """
    mistake = refused(text).mistakes[0]
    assert mistake.span is not None
    lines = text.split("\n")
    at = mistake.span.position[0] - 1
    before = MEANT.match(mistake.hint)
    if before is not None:
        if before[2] == "the block":
            at = next(n for n in range(at, -1, -1) if lines[n].startswith("    for "))
        return "\n".join([*lines[:at], f"    {before['line']}", *lines[at:]])
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    return "\n".join([*lines[:at], indent + mistake.hint, *lines[at + 1 :]])


def kernel(*lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"{SIGNATURE}\n{body}    return y\n"


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        (["m[i] += 0.5"], "m[i] += i32(0.5)"),
        (["m[i] -= x[i]"], "m[i] -= i32(x[i])"),
        (["m[i] *= 1.5"], "m[i] = i32(m[i] * 1.5)"),
        (["m[i] /= n + 2"], "m[i] = i32(m[i] / (n + 2))"),
        (["m[i] = x[i]"], "m[i] = i32(x[i])"),
        (["h: i32[9] = 0", "for i in grid(N):", "    h[m[i]] += 0.5"], "h[m[i]] += i32(0.5)"),
        (["x[i] = x.sum()"], "x[i] = sum(x[j] for j in range(N))"),
        (["x[i] = A.max()"], "x[i] = max(A[j, k] for j in range(M) for k in range(K))"),
        (["x[i] = x.mean()"], "x[i] = sum(x[j] for j in range(N)) / N"),
        (["x[i] = A.mean()"],
         "x[i] = sum(A[j, k] for j in range(M) for k in range(K)) / (M * K)"),
        (["assert M > 0", "assert K > 0", "m[i] = A.argmax()"],
         "m[i] = argmax(A[p // K, p % K] for p in range(M * K))"),
        (["x[i] = sum(A)"], "x[i] = sum(A[j, k] for j in range(M) for k in range(K))"),
        (["for i in grid(N):", "    T[i] = m[i]"], "T: i32[N] on a line before the block"),
        (["for p, q in grid(M, K):", "    T[p, q] = A[p, q]"],
         "T: f32[M, K] on a line before the block"),
        (["for p in grid(M):", "    for q in range(K - 1):", "        T[q, p] = A[p, q]"],
         "T: f32[K - 1, M] on a line before the block"),
        (["for i in grid(N):", "    T[i, 0] = x[i]"], "T: f32[N, M] on a line before the block"),
        (["assert N > 0", "T[0] = m[0]"], "T: i32[N] on a line before it"),
        (["T[i, k] = x[i]"], "T: f32[N, M] on a line before it"),
        (["T[i, j, k, l] = m[i]"], "T: i32[N, M, K, 8] on a line before it"),
        (["x: f32[N] = 1"], "x[i] = 1"),
        (["A: f32[M, K] = 1"], "A[i, j] = 1"),
        (["x[i] = sqrt(x[i], 2)"], "x[i] = sqrt(x[i])"),
        (["x[i] = atan2(x[i])"], "x[i] = atan2(x[i], 1.0)"),
        (["m[i] = argmax(A[p, q] for p in range(M) for q in range(K))"],
         "m[i] = argmax(A[p // K, p % K] for p in range(M * K))"),
        (["x[i] = n + 2147483648"], "x[i] = n + 2147483648.0"),
        (["x[i] = exq(x[i])"], "x[i] = exp(x[i])"),
        (["x[i] = np.exp(x[i])"], "x[i] = exp(x[i])"),
        (["x[i] = X[i]"], "x[i] = x[i]"),
        (["x[i] = x[-1]"], "x[i] = x[N - 1]"),
        (["x[i] = x"], "x[i] = x[i]"),
        (["x[i] = x[i] if n else 0"], "x[i] = x[i] if n != 0 else 0"),
        (["x[i] = sum([x[k] for k in range(N)])"], "x[i] = sum(x[k] for k in range(N))"),
        (["x[i] = m[i] ** n"], "x[i] = f32(m[i]) ** n"),
        (["x[i] = x[i] ** 65"], "x[i] = exp2(65 * log2(x[i]))"),
        (["x[i] = 1e39"], "x[i] = inf"),
        (["x = x + m"], "x[i] = x[i] + m[i]"),
    ],
)  # fmt: skip
def test_the_line_of_a_hint_compiles(lines: list[str], hint: str) -> None:
    text = kernel("assert N > 0", *lines, "y[i] = x[i]")
    assert refused(text).mistakes[0].hint == hint

    new = mended(text)

    if hint.startswith("T:"):
        assert not [m for m in messages(new) if "has no " in m], new
    else:
        parse(Source(new))


HALF = "def half(a, b=2.0):\n    return a / b\n\n\n"
ADD = """\
def add(u: f32[P], v: f32[P], w: f32) -> f32[P]:
    s[i] = u[i] + w * v[i]
    return s


"""
KERNEL = "def k(x: f32[N], A: f32[M, K], w: f32){}:\n    {}\n    return y\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HALF + KERNEL.format(" -> f32[N]", "y[i] = half(x[i], w, 3)"), "y[i] = half(x[i], w)"),
        (HALF + KERNEL.format(" -> f32[N]", "y[i] = 1 + half()"), "y[i] = 1 + half(1.0)"),
        (HALF + KERNEL.format(" -> f32[N]", "y[i] = half(x[i], c=w)"), "y[i] = half(x[i])"),
        (HALF + KERNEL.format(" -> f32[N]", "y[i] = half(x[i], a=w)"), "y[i] = half(x[i])"),
        (ADD + KERNEL.format(" -> f32[N]", "y = add(x, x, w, w)"), "y = add(x, x, w)"),
        (ADD + KERNEL.format(" -> f32[N]", "y = add(x, x)"), "y = add(x, x, w)"),
        (ADD + KERNEL.format(" -> f32[N]", "y = add(x, v=x, w=w, u=x)"), "y = add(x, x, w)"),
        (KERNEL.format("", "y[i] = x[i]"), "def k(x: f32[N], A: f32[M, K], w: f32) -> f32[N]:"),
        (
            KERNEL.format("", "y[b, c, a] = w * x[a] * A[c, b]"),
            "def k(x: f32[N], A: f32[M, K], w: f32) -> f32[K, M, N]:",
        ),
        (
            KERNEL.format("", "y = sum(x[i] for i in range(N))"),
            "def k(x: f32[N], A: f32[M, K], w: f32) -> f32:",
        ),
        (
            KERNEL.format("", "y: i32[M]\n    y[i] = 1"),
            "def k(x: f32[N], A: f32[M, K], w: f32) -> i32[M]:",
        ),
        ("def k(x: f32[N]):\n    s = 1.0\n    return x, s\n", "def k(x: f32[N]) -> (f32[N], f32):"),
    ],
)
def test_the_line_that_a_signature_asks_for_compiles(text: str, line: str) -> None:
    assert refused(text).mistakes[0].hint == line
    parse(Source(mended(text)))


@pytest.mark.parametrize(
    ("dtype", "given", "meant"),
    [
        ("i32", "1.5", "1"), ("i32", "-1.5", "-1"), ("i32", "1e30", "0"), ("u32", "-1.5", "0"),
        ("bool", "1", "True"), ("bool", "0.0", "False"), ("f32", "True", "1.0"),
        ("i8", "True", "1"), ("i32", "1e999", "0"),
    ],
)  # fmt: skip
def test_a_default_of_another_dtype_is_said_as_one_of_this(
    dtype: str, given: str, meant: str
) -> None:
    text = f"def f(x: f32[N], n: {dtype} = {given}) -> f32[N]:\n    y[i] = x[i]\n    return y\n"

    assert mended(text) == text.replace(given, meant)
    parse(Source(mended(text)))


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("y[i] = sum(x[i] for i in range(N))", "y[i] = sum(x[k] for k in range(N))"),
        ("y[i] = x[i] + sum(i * x[k] for i in range(i) for k in range(i + 1) if i < 3)",
         "y[i] = x[i] + sum(j * x[k] for j in range(i) for k in range(j + 1) if j < 3)"),
        ("y[i] = max(A[N, i] for N in range(M))", "y[i] = max(A[k, i] for k in range(M))"),
    ],
)  # fmt: skip
def test_an_index_whose_name_is_taken_is_said_with_another(line: str, hint: str) -> None:
    assert refused(kernel(line)).mistakes[-1].hint == hint


def messages(text: str) -> list[str]:
    """What is wrong with a text; nothing where it is taken."""
    try:
        parse(Source(text))
    except SourceError as error:
        return [m.message for m in error.mistakes]
    return []


def shown() -> list[str]:
    """Every text that the page of errors shows."""
    return [x.text for g in GROUPS for x in g.examples if isinstance(x, Cell)]


def test_the_lines_that_the_page_of_errors_suggests_mend_what_they_are_about() -> None:
    tried = 0
    for text in shown():
        mistake = refused(text).mistakes[0]
        if mistake.span is None or not _is_line(text, mistake.hint):
            continue
        tried += 1
        assert mistake.message not in messages(mended(text)), mistake.render()
    assert tried >= 20


def _is_line(text: str, hint: str) -> bool:
    """Whether a hint is a whole line for the place of one that stands in the text."""
    if MEANT.match(hint):
        return True
    try:
        parsed = ast.parse(hint).body
    except SyntaxError:
        return False
    starts = {line.strip().split("=")[0].strip() for line in text.split("\n")}
    return (
        len(parsed) == 1
        and isinstance(parsed[0], ast.Assign | ast.AugAssign)
        and "..." not in hint
        and hint.split("=", maxsplit=1)[0].strip() in starts
    )


@pytest.mark.parametrize(
    ("steps", "index", "line"),
    [
        ("N, 0, -1", "k - 1", "y[i] = sum(x[(N - k) - 1] for k in range(N))"),
        ("N - 1, -1, -1", "k", "y[i] = sum(x[N - 1 - k] for k in range(N))"),
        ("N - 2, 0, -1", "k", "y[i] = sum(x[N - 2 - k] for k in range(N - 2))"),
        ("9, 0, -3", "k % N", "y[i] = sum(x[(9 - k * 3) % N] for k in range((9 + 3 - 1) // 3))"),
    ],
)
def test_a_range_downwards_is_said_as_one_upwards(steps: str, index: str, line: str) -> None:
    text = kernel("assert N > 3", f"y[i] = sum(x[{index}] for k in range({steps}))")
    assert refused(text).mistakes[0].hint == line

    parse(Source(mended(text)))
