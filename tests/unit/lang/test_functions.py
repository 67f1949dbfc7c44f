"""Functions without arrays: what a call stands for, where it comes from, and what is refused."""

from __future__ import annotations

import pytest

from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.ir.expr import Apply
from workbench.ir.graph import Equation
from workbench.ir.show import expr_text
from workbench.lang import parse

KERNEL = "def k(x: f32[N], m: i32[N]) -> f32[N]:\n    y[i] = {}\n    return y\n"


def messages(text: str) -> list[str]:
    with pytest.raises(SourceError) as error:
        parse(Source(text))
    return [m.message for m in error.value.mistakes]


def equation(text: str) -> Equation:
    [kernel] = parse(Source(text)).kernels
    [found] = kernel.definitions
    assert isinstance(found, Equation)
    return found


def test_a_call_stands_for_what_is_returned() -> None:
    text = "def f(a, b=2):\n    c = a * b\n    c += 1.0\n    return c * a\n\n"
    found = equation(text + KERNEL.format("f(x[i])"))

    assert expr_text(found.value) == "(x[i] * 2.0 + 1.0) * x[i]"


def test_an_inlined_expression_leads_to_the_function_and_to_the_call() -> None:
    text = "def f(a):\n    return a * a\n\n" + KERNEL.format("1.0 + f(x[i])")
    value = equation(text).value
    assert isinstance(value, Apply)
    inlined = value.args[1]
    spans = [o.span.text for o in inlined.origin.ancestors() if o.span is not None]

    assert spans == ["a * a", "f(x[i])"]


@pytest.mark.parametrize(
    ("function", "value", "message"),
    [
        ("def f(a):\n    return f(a)", "f(x[i])",
         "'f' calls itself; a function is inlined where it is called"),
        ("def f(a):\n    return g(a)\ndef g(a):\n    return f(a)", "x[i]",
         "'f' calls itself; a function is inlined where it is called"),
        ("def f(a):\n    return a, a", "f(x[i])", "'f(x[i])' returns 2 values, one is used here"),
        ("def f(a):\n    return a", "f(x[i], 1.0)", "'f' takes 1 argument, 2 given"),
        ("def f(a):\n    return a", "f()", "'f' is called without 'a'"),
        ("def f(a):\n    return a", "f(b=x[i])", "'b' is no parameter of 'f'"),
        ("def f(a: i32):\n    return a", "f(x[i])", "'a' is i32, the value is f32"),
        ("def f(a) -> i32:\n    return a", "f(x[i])",
         "a result of 'f' is i32, the value is f32 (called at line 4)"),
        ("def f(a: f32):\n    return a & 1", "x[i]", "'a & 1' wants whole numbers, this is f32"),
        ("def f(a):\n    return b", "f(x[i])",
         "name 'b' is not known (called at line 4)"),
        ("def f(a):\n    if a > 0:\n        if a > 1:\n            return a\n    return 0.0",
         "f(x[i])", "a return here, while both branches of the 'if' around it may go on"),
        ("def f(a):\n    if a > 0:\n        b = a\n    return b", "f(x[i])",
         "name 'b' is not known (called at line 6)"),
        ("def f(a):\n    if a > 0:\n        return a\n    return a, a", "f(x[i])",
         "2 values returned here and 1 at line 3"),
        ("def f(a):\n    return a\n    b = a", "f(x[i])", "this line stands behind a return"),
        ("def f(a):\n    for k in range(a):\n        a += k\n    return a + k", "f(m[i])",
         "'k' may be read here before it has a value (called at line 6)"),
        ("def f(a):\n    k = 0\n    for k in range(a):\n        a += k\n    return a", "f(m[i])",
         ("'k' is a loop here and a local at line 2, column 5 (k = 0); a kernel has one namespace "
          "(called at line 7)")),
        ("def f(a):\n    for k in range(a):\n        a += 0.5\n    return a", "f(m[i])",
         "'a' is i32, the value is f32 (called at line 6)"),
        ("def f(a):\n    for k in range(2):\n        return a\n    return a", "f(x[i])",
         "'return' inside a loop is not there yet"),
        ("def f(a):\n    while a > 0:\n        return a\n    return a", "f(x[i])",
         "'return' inside a loop is not there yet"),
        ("def f(a):\n    while a > 0:\n        a -= 1\n        break\n    return a", "f(x[i])",
         "'break' at this place is not part of the language"),
        ("def f(a):\n    while a:\n        a -= 1\n    return a", "f(m[i])",
         "a condition is a bool, this is i32 (called at line 6)"),
        ("def f(a):\n    while a > 0:\n        b = a\n        a -= 1\n    return b", "f(x[i])",
         "'b' may be read here before it has a value (called at line 7)"),
        ("def f(a):\n    for k in range(9999):\n        a += k\n    return a", "f(x[i])",
         "'f' is too large to be inlined"),
        ("def f(a):\n    for k in range(20):\n        a += a\n    return a", "f(x[i])",
         "an inlined expression of this size is too large (called at line 6)"),
        ("def f(a):\n    for k in range(2):\n        a += sum(k for k in range(3))\n    return a",
         "f(x[i])", ("'k' is an index here and a local at line 2, column 9 "
         "(for k in range(2):); a kernel has one namespace (called at line 6)")),
        ("def f(a):\n    c = a", "f(x[i])", "'f' ends without a value"),
        ("def f(a):\n    return a.__class__", "x[i]",
         ("'__class__' is not part of the language: a cell is read, never executed, "
          "and no name starts with two underscores")),
        ("def f(a):\n    return x[0] * a", "f(1.0)",
         "'x' in a function without arrays in its signature"),
        ("def f(a: f32[N]) -> f32[N]:\n    b[i] = a[i]\n    return b", "f(x)",
         "'f' is a kernel; it is called on a line of its own"),
    ],
)  # fmt: skip
def test_wrong_functions_are_refused(function: str, value: str, message: str) -> None:
    assert messages(f"{function}\n" + KERNEL.format(value))[0] == message


def test_an_if_chooses_what_is_returned_and_what_locals_are() -> None:
    text = (
        "def f(a):\n    if a > 0.5:\n        return 1.0\n    elif a > 0.25:\n        b = a\n"
        "    else:\n        b = -a\n    return b * 2\n\n"
    )
    found = equation(text + KERNEL.format("f(x[i])"))

    assert expr_text(found.value) == (
        "1.0 if x[i] > 0.5 else (x[i] if x[i] > 0.25 else -x[i]) * 2.0"
    )


def test_a_loop_is_written_out() -> None:
    text = (
        "def f(a):\n    s = 0.0\n    for k in range(1, 4):\n        if k == 2:\n"
        "            s += 0.5\n        s = s * a + k\n    return s + k\n\n"
    )
    found = equation(text + KERNEL.format("f(x[i])"))

    assert expr_text(found.value) == ("((0.0 * x[i] + 1.0 + 0.5) * x[i] + 2.0) * x[i] + 3.0 + 3.0")


def test_indices_of_reductions_are_the_functions_own() -> None:
    text = "def f(a):\n    return sum(a * k for k in range(3))\n\n"
    found = equation(text + KERNEL.format("sum(f(f(x[k])) for k in range(N))"))

    assert expr_text(found.value) == (
        "sum(sum(sum(x[k] * f32(f_k) for f_k in range(3)) * f32(f_k_1) for f_k_1 in range(3)) "
        "for k in range(N))"
    )


def test_loops_in_loops_in_calls_end_before_they_are_too_large() -> None:
    tower = "def f0(a):\n    return a\n" + "".join(
        f"def f{n}(a):\n    for k in range(100):\n        a = f{n - 1}(a)\n    return a\n"
        for n in range(1, 9)
    )

    assert "'f8' is too large to be inlined" in messages(tower + KERNEL.format("f8(x[i])"))


def test_calls_of_calls_end_before_they_are_too_large() -> None:
    value = "x[i]"
    for _ in range(30):
        value = f"f({value})"

    assert messages("def f(a):\n    return a * a + a\n" + KERNEL.format(value)) == [
        "an inlined expression of this size is too large (called at line 4)"
    ]


def test_a_tower_of_functions_ends_before_it_is_too_large() -> None:
    tower = "def f0(a):\n    return a + 1.0\n" + "".join(
        f"def f{n}(a):\n    return f{n - 1}(a) * f{n - 1}(a)\n" for n in range(1, 40)
    )

    assert "'f39' is too large to be inlined" in messages(tower + KERNEL.format("f39(x[i])"))


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        ("def f(a):\n    for k in range(a, 0, -1):\n        a += k\n    return a",
         "for k in range(a): with a - k for k"),
        ("def f(a):\n    for k in range(a + 1, a - 3, -2):\n        a += k\n    return a",
         ("for k in range(((a + 1) - (a - 3) + 2 - 1) // 2): with (a + 1) - k * 2 for k")),
        ("def f(a):\n    while (a := a - 1) > 0:\n        a -= 1\n    return a",
         "a = a - 1\nwhile (a) > 0:\n    a = a - 1 as the last line of the loop too"),
        ("def f(a):\n    s = 0\n    for k in range(a):\n        s += 0.5\n    return s",
         "s = 0.0 at line 2"),
        ("def f(a):\n    for k in range(a):\n        a += 0.5\n    return a", "a += i32(0.5)"),
    ],
)  # fmt: skip
def test_hints_in_a_loop_of_a_function_say_its_own_lines(function: str, hint: str) -> None:
    with pytest.raises(SourceError) as refused:
        parse(Source(f"{function}\n\n" + KERNEL.format("f(m[i])")))

    assert refused.value.mistakes[0].hint == hint
