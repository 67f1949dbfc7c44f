"""Mistakes: exactly what a person reads, all of them at once, at their own line and column."""

from __future__ import annotations

import pytest

from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.lang import parse

SIGNATURE = "def f(x: f32[N], A: f32[M, K], B: f32[K, M], m: i32[N], n: i32, b: bool) -> f32[N]:"


def mistakes(text: str) -> list[str]:
    """Each mistake of a text as it is shown."""
    with pytest.raises(SourceError) as error:
        parse(Source(text))
    return [m.render() for m in error.value.mistakes]


def messages(*lines: str) -> list[str]:
    """The messages about the lines of a kernel, without their places."""
    body = "".join(f"    {line}\n" for line in lines)
    with pytest.raises(SourceError) as error:
        parse(Source(f"{SIGNATURE}\n{body}    return y\n"))
    return [m.message for m in error.value.mistakes]


def hint(*lines: str) -> str:
    """The line to write instead, of the first mistake."""
    body = "".join(f"    {line}\n" for line in lines)
    with pytest.raises(SourceError) as error:
        parse(Source(f"{SIGNATURE}\n{body}    return y\n"))
    return error.value.mistakes[0].hint


def test_a_syntax_error_is_pythons_own_at_the_users_column() -> None:
    assert mistakes("def f(x: f32[N]) -> f32[N]:\n    y[i] = (x[i]\n    return y\n") == [
        ("syntax error: '(' was never closed\n"
        "    2 |     y[i] = (x[i]\n"
        "                   ^")
    ]  # fmt: skip


def test_a_syntax_error_after_others_than_ascii_keeps_its_column() -> None:
    with pytest.raises(SourceError) as error:
        parse(Source("def f(x: f32[N]) -> f32[N]:\n    ééé[i] = 'üüü' + 3 3\n"))
    span = error.value.mistakes[0].span
    assert span is not None

    assert (span.text, span.position) == ("3", (2, 24))


def test_all_mistakes_of_a_cell_come_in_one_report() -> None:
    text = """\
def f(x: f32[N]) -> f32[N]:
    y[i] = x[i] + foo + exq(x[i])
    return y

def g(x: f32[M]) -> f32[M]:
    y[i] = X[i]
    return z
"""

    assert mistakes(text) == [
        ("name 'foo' is not known\n"
        "    2 |     y[i] = x[i] + foo + exq(x[i])\n"
        "                          ^^^\n"
        "  try: foo: f32 as a parameter"),
        ("function 'exq' is not known; did you mean 'exp'?\n"
        "    2 |     y[i] = x[i] + foo + exq(x[i])\n"
        "                                ^^^\n"
        "  try: y[i] = x[i] + foo + exp(x[i])"),
        ("array 'X' is not known; did you mean 'x'?\n"
        "    6 |     y[i] = X[i]\n"
        "                   ^\n"
        "  try: y[i] = x[i]"),
        ("array 'z' is not known\n"
        "    7 |     return z\n"
        "                   ^\n"
        "  try: return y"),
    ]  # fmt: skip


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_columns_are_characters_also_after_others_than_ascii(line_end: str) -> None:
    text = f"def f(ä: f32[N]) -> f32[N]:{line_end}    ö[i] = ä[i] * 'ü' + ë{line_end}    return ö"
    with pytest.raises(SourceError) as error:
        parse(Source(text))
    spans = [m.span for m in error.value.mistakes]

    assert [(s.text, s.position) for s in spans if s] == [("'ü'", (2, 19)), ("ë", (2, 25))]


def test_a_clash_of_names_shows_both_places() -> None:
    assert mistakes("def f(x: f32[H, W],\n      W: f32[N]) -> f32[N]:\n    return W\n")[0] == (
        "'W' is an array here and a dim at line 1, column 17 (def f(x: f32[H, W],); "
        "a kernel has one namespace\n"
        "    2 |       W: f32[N]) -> f32[N]:\n"
        "              ^^^^^^^^^\n"
        "  try: w: f32[N]) -> f32[N]:"
    )


def test_disagreeing_extents_show_both() -> None:
    assert messages("y[i] = x[i] + A[i, 0]") == [
        "index 'i' runs over M in A[i, 0] and over N in f32[N] (line 1, column 77)"
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("y[i] = x[i:3]", "a slice is not part of the language"),
        ("y[i] = np.exp(x[i])", "'np.exp': functions stand without a module"),
        ("y[i] = x.shape", "'x.shape': attributes are not part of the language"),
        ("y[i] = sum([x[k] for k in range(N)])", "'sum' takes a generator, not a list"),
        ("y[i] = sum(x)", "'sum' reduces a generator expression"),
        ("y[i] = [x[k] for k in range(N)]", "a list is not part of the language"),
        ("y[i] = x[i] * k", "'k' is not known: no index on the left, none of a range"),
        ("y[i, j] = A[i, j]", "'y' is declared f32[N], here it has 2 indices"),
        ("y[i, i] = 1", "index 'i' stands twice on the left"),
        ("y[i] = A[i]", "'A' has 2 dimensions, 1 index given"),
        ("y[i] = n[i]", "'n' is not an array"),
        ("y[i] = x", "'x' is an array with 1 dimension, used here without indices"),
        ("y[i] = x[i] if n else 0", "a condition is a bool, this is i32"),
        ("y[i] = x[i] + b", "a bool and a number (bool and f32) do not mix"),
        ("y[i] = n // 2", "'y' is f32, the value is i32"),
        ("y[i] = x[i] << 2", "'x[i] << 2' wants whole numbers, this is f32"),
        ("y[i] = x[0.5]", "an index is a whole number, this is f32"),
        ("y[i] = x[-1]", "index -1: nothing counts from the end"),
        ("y[i] = 1e39", "1e+39 is beyond the largest f32, 3.4028234663852886e+38"),
        ("y[i] = n + 2147483648", "2147483648 is outside i32, -2147483648 to 2147483647"),
        ("y[i] = 2j", "complex numbers are pairs for now"),
        ("y[i] = 'a'", "a string is not a value of the language"),
        ("y[i] = sqrt(x[i], 2)", "'sqrt' takes 1 argument, 2 given"),
        ("y[i] = n ** n", "a whole number to a power that is no literal is not there"),
        ("y[i] = x[i] ** 65", "whole powers are products and end at 64"),
        ("y[i] = argmax(A[p, q] for p in range(M) for q in range(K))",
         "'argmax' runs over exactly one range, here over 2"),
        ("y[i] = sum(x[i] for i in range(N))",
         ("'i' is an index here and an index at line 2, column 7 "
         "(y[i] = sum(x[i] for i in range(N))); a kernel has one namespace")),
    ],
)  # fmt: skip
def test_a_mistake_says_the_thing_and_the_fact(line: str, message: str) -> None:
    assert messages(line) == [message]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("y[i + 1] = x[i]", ("'i + 1' on the left of an equation is not a new index; an array "
         "written in parts needs a loop block")),
        ("y[i] = sum(x[k] for k in range(N, 0, -2))",
         "the step of a range is a whole literal from 1 on, here -2"),
        ("y[i] = sum(x[k] for k in range(0, N, n))",
         "the step of a range is a whole literal from 1 on, here n"),
        ("y[i] = (v := x[i])", "':=' outside of a loop block is not part of the language"),
    ],
)  # fmt: skip
def test_what_is_not_there_yet_says_so(line: str, message: str) -> None:
    assert messages(line) == [message]


def test_an_update_of_what_has_no_values_is_refused() -> None:
    assert messages("y[i] += x[i]") == ["'y' has no values to update yet"]


def test_an_array_of_a_turn_is_gone_after_the_loop() -> None:
    assert messages("for t in range(3):", "    w[i] = x[i]", "y[i] = w[i]") == [
        ("'w' is new in each turn of the loop at line 2 and gone after it; "
         "an array defined before the loop keeps its values")
    ]  # fmt: skip


def test_an_array_of_a_branch_is_gone_after_the_if() -> None:
    assert messages("if n > 0:", "    w[i] = x[i]", "y[i] = w[i]") == [
        ("'w' is defined in a branch of the 'if' at line 2 and gone after it; "
         "an array defined before the 'if' keeps its values")
    ]  # fmt: skip


@pytest.mark.parametrize("test", ["x[0] > 0", "sum(x[k] for k in range(N)) > 1", "s > 0.5"])
def test_an_if_around_equations_is_decided_before_anything_runs(test: str) -> None:
    start = "def f(x: f32[N], s: f32) -> f32[N]:\n    "
    lines = f"if {test}:\n        x[i] = x[i] * 2\n    return x"
    text = start + f"x[i] = x[i] * 2 if {test} else x[i]\n    return x"
    with pytest.raises(SourceError) as refused:
        parse(Source(start + lines))
    (mistake,) = refused.value.mistakes
    assert mistake.message.startswith(f"'{test}' decides about whole lines, so it is made of dims")
    assert mistake.hint in text
    parse(Source(text))


@pytest.mark.parametrize(
    ("line", "better"),
    [
        ("y = x + m", "y[i] = x[i] + m[i]"),
        ("C = A @ B", "C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))"),
        ("y[i] = np.exp(x[i])", "y[i] = exp(x[i])"),
        ("y[i] = x[-1] * 2", "y[i] = x[N - 1] * 2"),
        ("y[i] = sum([x[k] for k in range(N)])", "y[i] = sum(x[k] for k in range(N))"),
        ("y[i] = n // 2", "y[i] = f32(n // 2)"),
        ("y[i] = x[i] if n else 0", "y[i] = x[i] if n != 0 else 0"),
        ("y[i] = x[n / 2]", "y[i] = x[i32(n / 2)]"),
    ],
)
def test_the_hint_is_the_line_to_write(line: str, better: str) -> None:
    assert hint(line) == better


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "__import__('os').system('true')",
        f"{SIGNATURE}\n    y[i] = __import__('os')\n    return y",
        f"{SIGNATURE}\n    y[i] = x.__class__\n    return y",
        f"{SIGNATURE}\n    __y[i] = x[i]\n    return __y",
        "def __f(x: f32[N]) -> f32[N]:\n    return x",
        f"@__import__('os').system\n{SIGNATURE}\n    return x",
    ],
)
def test_names_with_two_underscores_are_refused(text: str) -> None:
    assert "no name starts with two underscores" in mistakes(text)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text has no kernel"),
        ("import os", "an import is not part of the language"),
        ("x = 3", "a text consists of functions; an equation stands in a kernel"),
        ("def f(x: f32[N]):\n    return x", "'f' does not say what it returns"),
        ("def f(x):\n    y[i] = x[i]\n    return y", "'f' does not say what it returns"),
        ("def f(x):\n    return x", "the text has no kernel"),
        ("def f(x: f32[N]) -> f32[N]:\n    y[i] = x[i]", "'f' ends without a return"),
        ("def f(x: f32[N]) -> f32[L]:\n    return x", "dim 'L' is no extent of a parameter"),
        ("def f(x: f32[Nx]) -> f32[nx]:\n    return x",
         "dim 'nx' is not known; did you mean 'Nx'?"),
        ("def f(x: float[N]) -> f32[N]:\n    return x",
         "'float' is no dtype; did you mean 'f32'?"),
        ("def f(x: f16[N]) -> f32[N]:\n    return x",
         "'x' is f16[N], the signature returns f32[N]"),
        ("def f(x: f32[N]) -> i32[N]:\n    return x",
         "'x' is f32[N], the signature returns i32[N]"),
        ("def f(x: f32[N]) -> (f32[N], f32[N]):\n    return x",
         "1 array is returned, the signature says 2"),
        ("def f(on: f32[N]) -> f32[N]:\n    return on",
         "'on' is reserved for calls: k(x, on=...)"),
        ("def f(a: f32) -> f32:\n    return a", "the text has no kernel"),
        ("def f(x: f32[N], n: i32 = 1.5) -> f32[N]:\n    return x",
         "the parameter is i32, the value is f32"),
    ],
)  # fmt: skip
def test_mistakes_of_signatures(text: str, message: str) -> None:
    assert mistakes(text)[0].split("\n")[0] == message


def test_a_kernel_is_called_on_a_line_of_its_own() -> None:
    text = """
def g(x: f32[N]) -> f32[N]:
    return x

def f(x: f32[N]) -> f32[N]:
    y[i] = g(x)
    return y
"""

    assert mistakes(text)[0].split("\n")[0] == (
        "'g' is a kernel; it is called on a line of its own"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("if n > 0:\n    v = 1.0\ny[i] = v", "'v' may be read here before it has a value"),
        ("for t in range(n):\n    v = 1.0\ny[i] = v", "'v' may be read here before it has a value"),
        ("v = 0\nv = x[i]\ny[i] = 0", "'v' is i32 since line 3, the value is f32"),
        ("y[i] = 1\nbreak", "'break' leaves a serial loop; a grid has none to leave"),
        ("y[i] += 1", ("y[i]: y[0] is not proved to be written before it is read "
         "(N = 8, M = 8, K = 8, n = 0)")),
        ("y[i] = y[i]", ("y[i]: y[0] is not proved to be written before it is read "
         "(N = 8, M = 8, K = 8, n = 0)")),
        ("y[i] = 1\nif n > 0 or (v := n) > 3:\n    pass",
         "':=' stands where it may not be evaluated, or several times"),
        ("y[i] = 1 if n > 0 else (v := 3)",
         "':=' stands where it may not be evaluated, or several times"),
        ("v = 1.0\ny[i] = v + (v := 2.0)",
         "'v' is read or set earlier on this line, and set here"),
        ("y[i] = sum((v := x[k]) for k in range(N))",
         "':=' stands where it may not be evaluated, or several times"),
        ("a = 1\ny[i] = 0\nfor k in range(a, n, 2):\n    a = 2",
         "the start of a range with a step is made of dims, scalars and indices"),
        ("for j in grid(M):\n    y[i] = 1", "a grid inside a block is not there yet"),
        ("z[i] = 1\ny[i] = 1", "'z' is written in a block and has no type"),
        ("i = 3\ny[i] = 1", ("'i' is a local here and an index at line 2, column 9 "
         "(for i in grid(N):); a kernel has one namespace")),
        ("t = 1\nfor t in range(3):\n    pass\ny[i] = t",
         "'t' is a local here and the variable of a loop elsewhere"),
        ("a, c = 1\ny[i] = 1", "2 targets need 2 values"),
        ("return x", "'return' inside a block is not part of the language"),
    ],
)  # fmt: skip
def test_mistakes_in_blocks(body: str, message: str) -> None:
    lines = ["for i in grid(N):", *(f"    {line}" for line in body.split("\n"))]

    assert message in messages(*lines)


@pytest.mark.parametrize(
    "line",
    [
        "y[i] = " + "+".join(["x[i]"] * 5000),
        "y[i] = " + "-" * 5000 + "x[i]",
        "y[i] = " + "(" * 500 + "x[i]" + ")" * 500,
    ],
)
def test_deep_nesting_is_one_error(line: str) -> None:
    assert "nested" in messages(line)[0]


def test_expressions_do_not_grow_without_end() -> None:
    assert messages("y[i] = (((x[i] ** 8) ** 8) ** 8) ** 8") == [
        "an expression of this size, 8 times over, is too large"
    ]


def test_a_text_of_a_megabyte_is_refused() -> None:
    assert mistakes("# " + "a" * 1_000_000)[0].startswith("the text has 1000002 characters")


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ("9, 0, -3", "range((9 + 3 - 1) // 3): with 9 - k * 3 for k"),
        ("N - 1, -1, -1", "range(N): with N - 1 - k for k"),
    ],
)
def test_the_range_to_write_without_a_step_has_the_same_values(steps: str, words: str) -> None:
    written = hint("for i in grid(N):", f"    for k in range({steps}):", "        y[i] = x[k]")

    assert written == f"for k in {words}"


def test_a_local_whose_value_is_wrong_is_not_reported_again() -> None:
    found = messages("for i in grid(N):", "    a = foo + 1.0", "    y[i] = a * a")

    assert found == ["name 'foo' is not known"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("y[i] = q + q * x[i]", "z[i] = q + y[i]"), "'q' is not known"),
        (("y[i] = Q[i] + Q[i] * x[i]",), "array 'Q' is not known"),
        (("y[i] = (q := x[i]) * q",), "':=' outside of a loop block"),
        (("for i in grid(N):", "    y[i] = q + q * x[i]"), "name 'q' is not known"),
    ],
)
def test_a_name_that_nothing_has_is_said_once(lines: tuple[str, ...], message: str) -> None:
    (said,) = messages(*lines)

    assert said.startswith(message)


def test_a_name_that_nothing_has_is_said_once_in_each_kernel() -> None:
    kernel = "def {}(x: f32[N]) -> f32[N]:\n    y[i] = q + q * x[i]\n    return y\n"

    assert len(mistakes(kernel.format("f") + kernel.format("g"))) == 2


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        (("for k in range(n):", "    s = v + f32(k)", "return s"),
         "s = 0.0 on a line before line 2"),
        (("t = v", "for k in range(n):", "    t += 1.0", "return t + f32(k)"),
         "a local that the loop computes: last = k"),
    ],
)  # fmt: skip
def test_a_local_that_only_a_loop_of_a_function_gives_a_value_wants_one_before_it(
    lines: tuple[str, ...], hint: str
) -> None:
    body = "".join(f"    {line}\n" for line in lines)
    kernel = "def f(x: f32[N], m: i32[N]) -> f32[N]:\n    y[i] = g(x[i], m[i])\n    return y\n"
    text = f"def g(v, n):\n{body}{kernel}"
    with pytest.raises(SourceError) as error:
        parse(Source(text))
    (mistake,) = error.value.mistakes

    assert "may be read here before it has a value" in mistake.message
    assert mistake.hint == hint
    if hint.startswith("s"):
        assert parse(Source(text.replace("    for k", "    s = 0.0\n    for k"))).kernels
