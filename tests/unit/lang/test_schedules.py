"""Schedule functions: knobs and steps as values."""

from __future__ import annotations

import pytest

from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.lang import ScheduleText, StepCall, parse

KERNEL = "def double(x: f32[N]) -> f32[N]:\n    y[i] = 2 * x[i]\n    return y\n\n"


def schedule(text: str) -> ScheduleText:
    (found,) = parse(Source(KERNEL + text)).schedules
    return found


def calls(s: ScheduleText, **knobs: int) -> list[tuple[object, ...]]:
    return [(c.name, c.args, c.options) for c in s.resolved(knobs)]


def test_knobs_and_their_arithmetic() -> None:
    s = schedule('''@schedule(double)
def wide(T=64, on_axis="workgroup.x"):
    """Two at a time"""
    split("i", T * 2, tail="guard")
    parallelize("i_o", on_axis, size=-1)
''')

    assert (s.name, s.kernel, s.knobs) == ("wide", "double", {"T": 64, "on_axis": "workgroup.x"})
    assert calls(s, T=8) == [
        ("split", ("i", 16), (("tail", "guard"),)),
        ("parallelize", ("i_o", "workgroup.x"), (("size", -1),)),
    ]


def test_a_step_knows_its_line() -> None:
    call = schedule('@schedule(double)\ndef s():\n    split("i", 4)\n').resolved()[0]

    assert isinstance(call, StepCall)
    assert call.span.text == 'split("i", 4)'


def test_arithmetic_without_an_answer_is_an_error_at_its_place() -> None:
    s = schedule('@schedule(double)\ndef s(T=0):\n    split("i", 8 // T)\n')

    with pytest.raises(SourceError, match=r"8 // 0 has no answer"):
        s.resolved()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@schedule(doubel)\ndef s():\n    pass",
         "kernel 'doubel' is not known; did you mean 'double'?"),
        ("@schedule\ndef s():\n    pass", "a schedule names its kernel"),
        ("@schedule(double)\ndef s(T):\n    pass", "knob 'T' has no default"),
        ("@schedule(double)\ndef s(T=8):\n    split('i', t)",
         "knob 't' is not known; did you mean 'T'?"),
        ("@schedule(double)\ndef s():\n    T = 8",
         "a line of a schedule is the call of one step"),
        ("@schedule(double)\ndef s():\n    split('i', [8])",
         "'[8]' is no argument of a step: literals, knobs and their arithmetic are"),
        ("@schedule(double)\ndef s():\n    __import__('os')",
         ("'__import__' is not part of the language: a cell is read, never executed, and no name "
         "starts with two underscores")),
    ],
)  # fmt: skip
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        parse(Source(KERNEL + text))

    assert error.value.mistakes[0].message == message
