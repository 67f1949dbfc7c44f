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
        ("def f(a):\n    return a", "f(b=x[i])", "'f' has no parameter of this name"),
        ("def f(a: i32):\n    return a", "f(x[i])", "'a' is i32, the value is f32"),
        ("def f(a) -> i32:\n    return a", "f(x[i])",
         "a result of 'f' is i32, the value is f32 (called at line 4)"),
        ("def f(a: f32):\n    return a & 1", "x[i]", "'a & 1' wants whole numbers, this is f32"),
        ("def f(a):\n    return b", "f(x[i])",
         "name 'b' is not known (called at line 4)"),
        ("def f(a):\n    if a > 0:\n        return a\n    return 0.0", "f(x[i])",
         "'if' in an inlined function is not part of the language"),
        ("def f(a):\n    c = a", "f(x[i])", "'f' ends without a value"),
        ("def f(a):\n    return a.__class__", "x[i]",
         ("'__class__' is not part of the language: a cell is read, never executed, "
          "and no name starts with two underscores")),
        ("def f(a):\n    return sum(a for k in range(3))", "f(x[i])",
         "a reduction in an inlined function is not there yet"),
        ("def f(a):\n    return x[0] * a", "f(1.0)",
         "'x' in a function without arrays in its signature"),
        ("def f(a: f32[N]) -> f32[N]:\n    b[i] = a[i]\n    return b", "f(x)",
         "'f' is a kernel; it is called on a line of its own"),
    ],
)  # fmt: skip
def test_wrong_functions_are_refused(function: str, value: str, message: str) -> None:
    assert messages(f"{function}\n" + KERNEL.format(value))[0] == message


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
