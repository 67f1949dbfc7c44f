"""Edits of what a panel shows: steps, texts and knobs give another subject, or are refused."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from workbench.base.errors import ScheduleError, SourceError, WorkbenchError
from workbench.base.source import Source
from workbench.ir.show import loops_text
from workbench.session.cell import run_cell
from workbench.session.edits import (
    AddStep,
    Edit,
    RefusedStepError,
    Rewrite,
    Turn,
    WriteSchedule,
    edit_of,
    edited,
    rerun,
)
from workbench.session.kernel import Kernel, kernels
from workbench.session.schedules import Turned
from workbench.session.subject import Subject, subject_of
from workbench.session.written import cell_text, fluent, function_text
from workbench.widget.assemble import editing_of

TEXT = """# %%wgpu_kernel matmul --on cpu --schedule tiled --check off
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C

@schedule(matmul)
def tiled(T=4):
    split("k", T)  # by the knob
"""
SHAPES = {"M": 6, "K": 8, "N": 5}


@pytest.fixture(scope="module")
def k() -> Kernel:
    """The matmul of the text."""
    return kernels(Source(TEXT, "cell"))["matmul"]


@pytest.fixture(scope="module")
def plain(k: Kernel) -> Subject:
    """The matmul by the default rule."""
    return Subject(k.compile(dims=SHAPES), k)


@pytest.fixture(scope="module")
def tiled(k: Kernel) -> Subject:
    """The matmul by the schedule of its text."""
    turned = Turned(k.schedules["tiled"])
    return Subject(k.compile(turned, dims=SHAPES), k, turned(), "", None, turned)


def texts(subject: Subject) -> list[str]:
    """The steps of a subject, the rule's included."""
    return fluent("k", subject.compilation.schedule).split(".")[2:]


def test_a_step_becomes_a_line_of_the_function_in_the_text(tiled: Subject) -> None:
    rule = texts(tiled)[1:]
    after = edited(tiled, AddStep('unroll("k_i")'))
    text = after.compilation.source.text

    assert '    split("k", T)  # by the knob\n    parallelize(' in text
    assert text.rstrip().endswith('    unroll("k_i")')
    assert texts(after)[: len(rule) + 2] == ['split("k", 4)', *rule, 'unroll("k_i")']
    assert after.turned is not None
    assert after.turned.name == "tiled"


def test_a_step_on_what_the_rule_chose_brings_its_steps_along(plain: Subject) -> None:
    after = edited(plain, AddStep('split("k", 2)'))

    assert texts(after) == [*texts(plain), 'split("k", 2)']
    assert after.turned is not None
    assert function_text(after.turned).startswith("@schedule(matmul)\ndef mine():\n")
    assert after.compilation.source.text.startswith(TEXT.rstrip())


def test_the_replayed_lines_make_the_same_code(plain: Subject) -> None:
    after = edited(plain, AddStep('split("k", 2)'))
    again = kernels(after.compilation.source)["matmul"]
    calls = fluent("matmul", after.compilation.schedule)
    by_calls = eval(calls, {"matmul": again})  # noqa: S307  (our own line)
    code = [again.compile(s, dims=SHAPES).stages["wgsl"].text for s in (by_calls, "mine")]

    assert code == [after.compilation.stages["wgsl"].text] * 2


def test_a_knob_changes_the_schedule_and_no_text(tiled: Subject) -> None:
    after = edited(tiled, Turn({"T": 2}))

    assert texts(after)[0] == 'split("k", 2)'
    assert after.kernel is tiled.kernel
    assert tiled.turned is not None
    assert tiled.turned.knobs == {"T": 4}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (AddStep('split("q", 8)'), "no loop named 'q'"),
        (AddStep('split("k", 8)'), "'k'"),
        (AddStep("spilt('k', 8)"), "no step 'spilt'"),
        (AddStep("__import__('os')"), "__import__"),
        (AddStep('open("/etc/passwd")'), "no step 'open'"),
        (AddStep('split("k", 2)\nimport os'), "no line of a schedule"),
        (AddStep("k = 3"), "a line of a schedule is the call of one step"),
        (Rewrite("import os"), "import"),
        (Rewrite("def f(:"), "syntax error"),
        (Rewrite(TEXT.replace("A[i, k]", "Z[i, k]")), "'Z' is not known"),
        (WriteSchedule(""), "0 schedules of 'matmul'"),
        (WriteSchedule("@schedule(matmul)\ndef tiled(T=4):\n    split(T)"), "split"),
        (WriteSchedule("@schedule(matmul)\ndef tiled(T=4):\n    spilt('k', T)"), "'spilt'"),
        (Turn({"T": 0}), "the factor is 0"),
        (Turn({"U": 4}), "no knob 'U'"),
    ],
)
def test_a_refused_edit_is_said_in_words(tiled: Subject, edit: Edit, words: str) -> None:
    with pytest.raises(WorkbenchError, match=words):
        edited(tiled, edit)


def test_a_mistake_stands_at_its_place_in_the_new_text(tiled: Subject) -> None:
    text = TEXT.replace("A[i, k]", "Z[i, k]")
    with pytest.raises(SourceError) as refused:
        edited(tiled, Rewrite(text))

    span = refused.value.mistakes[0].span
    assert span is not None
    assert span.source.text == text
    assert span.position[0] == 3


def test_a_refused_step_says_which_loops_and_which_iterations() -> None:
    k = kernels(Source("""
def wave(x: f32[M, N]) -> f32[M, N]:
    for i in range(1, M):
        for j in range(N - 1):
            x[i, j] = x[i - 1, j + 1] + 1.0
    return x
""", "cell"))["wave"]  # fmt: skip
    subject = Subject(k.compile(on="cpu", dims={"M": 6, "N": 6}), k)
    with pytest.raises(RefusedStepError) as refused:
        edited(subject, AddStep('reorder("j", "i")'))

    found = refused.value.refused
    assert found.verdict.where
    assert found.verdict.example
    assert "for i in range(1, 6)" in loops_text(found.before).value


def test_knobs_on_a_schedule_without_any_are_refused(plain: Subject) -> None:
    with pytest.raises(ScheduleError, match="no knobs"):
        edited(plain, Turn({"T": 2}))


def test_a_new_text_keeps_the_schedule_and_the_knobs_of_that_name(tiled: Subject) -> None:
    turned = edited(tiled, Turn({"T": 2}))
    after = edited(turned, Rewrite(TEXT.replace("A[i, k] * B", "2.0 * A[i, k] * B")))

    assert texts(after)[0] == 'split("k", 2)'
    assert "2.0" in after.compilation.stages["wgsl"].text


def test_a_text_without_the_schedule_goes_back_to_the_rule(tiled: Subject) -> None:
    after = edited(tiled, Rewrite(TEXT[: TEXT.index("@schedule")]))

    assert after.turned is None
    assert after.schedule is None


def test_a_schedule_is_written_in_place_of_the_old_one_whatever_its_name(tiled: Subject) -> None:
    assert tiled.turned is not None
    old = function_text(tiled.turned)
    new = old.replace("tiled(T=4)", "other(U=2)").replace("T)", "U)")
    after = edited(tiled, WriteSchedule(new))

    assert old.endswith('split("k", T)  # by the knob')
    assert after.compilation.source.text == TEXT.replace(old, new)
    assert after.turned is not None
    assert after.turned.knobs == {"U": 2}
    assert texts(after)[0] == 'split("k", 2)'


def test_a_schedule_is_written_where_there_was_none(plain: Subject) -> None:
    draft = editing_of(plain).draft
    after = edited(plain, WriteSchedule(draft.replace("mine", "hers")))

    assert after.turned is not None
    assert after.turned.name == "hers"
    assert texts(after) == texts(plain)
    assert after.compilation.source.text == f"{TEXT.rstrip()}\n\n{function_text(after.turned)}\n"


def test_a_knob_with_another_default_starts_there(tiled: Subject) -> None:
    turned = edited(tiled, Turn({"T": 2}))
    after = edited(turned, Rewrite(TEXT.replace("T=4", "T=8")))

    assert after.turned is not None
    assert after.turned.knobs == {"T": 8}


def test_what_is_run_again_is_the_edited_code(k: Kernel) -> None:
    rng = np.random.default_rng(0)
    names = {
        "A": rng.random((6, 8), np.float32), "B": rng.random((8, 5), np.float32),
    }  # fmt: skip
    first = subject_of(run_cell(k, names, on="cpu", schedule="tiled", checked=False))
    compiled = edited(first, Rewrite(TEXT.replace("A[i, k] * B", "2.0 * A[i, k] * B")))
    again = rerun(compiled)

    assert first.turned is not None
    assert compiled.fresh is None
    assert again.fresh is not None
    assert again.fresh.outputs is not None
    assert again.fresh.repeats > 0
    found = again.fresh.outputs["C"].numpy()
    np.testing.assert_allclose(found, 2 * names["A"] @ names["B"], rtol=1e-5)


def test_without_arrays_nothing_is_run(plain: Subject) -> None:
    assert rerun(plain) is plain


@pytest.mark.parametrize(
    "message",
    [
        {"step": 3}, {"file": "x"}, {"text": "def", "step": "x"}, {"knobs": {"T": "8"}},
        {"knobs": {"T": True}}, None, "split", {"knobs": {1: 2}},
    ],
)  # fmt: skip
def test_what_is_no_edit_is_refused(message: Mapping[str, object]) -> None:
    with pytest.raises(WorkbenchError, match="no edit"):
        edit_of(message)


def test_the_cell_says_the_schedule_and_the_knobs(tiled: Subject) -> None:
    turned = edited(tiled, Turn({"T": 2}))
    text = cell_text(turned.compilation.source.text, turned.turned)

    assert text is not None
    first, _, rest = text.partition("\n")
    assert first == "%%wgpu_kernel matmul --on cpu --check off --schedule tiled --set T=2"
    assert rest == TEXT.partition("\n")[2]
    assert cell_text("def f(): ...", None) is None
