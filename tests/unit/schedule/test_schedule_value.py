"""A schedule as a value: saved and read, undone, its history, and what it says of wrong steps."""

from __future__ import annotations

import json

import pytest

import workbench as wb
from tests.unit.schedule.programs import matmul, rows
from tests.unit.schedule.test_steps import S
from workbench.base.errors import ScheduleError
from workbench.schedule.step import Schedule, make

TEXT = """
def product(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C

@schedule(product)
def tiled(T=16, axis="workgroup.x"):
    parallelize("i", "workgroup.y", T)
    parallelize("j", axis, T)
    split("k", T)

@schedule(product)
def twice():
    split("k", 8)
    unroll("k")
"""
k = wb.kernel(TEXT)


def test_a_saved_schedule_is_read_again() -> None:
    s = k.schedule().tile("i", 8, "j", 4, tail="peel").split("k", 8).peel("k_o", first=1)
    again = k.saved_schedule(s.to_json())

    assert again == s
    assert again.check() == s.check()


def test_exact_is_saved() -> None:
    s = Schedule((), k.schedule().home, exact=True).split("k", 8)

    assert k.saved_schedule(s.to_json()) == s
    assert repr(s) == "Schedule(exact=True).split('k', 8)"


def _changed(**values: object) -> str:
    return json.dumps(json.loads(k.schedule().split("k", 8).to_json()) | values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_changed(**{"workbench schedule": 0}), "a schedule saved in version 0; this workbench re"),
        (_changed(kernel="softmax"), "a schedule of softmax, not of product"),
        (_changed(identity="0"), "a schedule of another product: its signature or its equations"),
        (_changed(steps=[["slice", [], {}]]), "no step 'slice'"),
        (_changed(steps=[["split", [], {"loop": "k", "size": 8}]]), "unexpected keyword"),
        (_changed(steps=[["split", [], {"loop": "k", "factor": "8"}]]), "factor is '8', of type s"),
        (_changed(steps=["split"]), "'split' is no step of a saved schedule"),
        ("[]", "this JSON is no saved schedule"),
        ("{", "this text is no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_schedule_of_this_kernel_is_refused(text: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        k.saved_schedule(text)

    assert message in str(caught.value)


def test_other_words_of_the_same_kernel_read_its_schedules() -> None:
    other = wb.kernel(TEXT.replace("    return C", "    # the product\n    return C"))

    assert other.saved_schedule(k.schedule().split("k", 8).to_json()) == S.split("k", 8)


def test_a_schedule_for_no_kernel_cannot_be_saved() -> None:
    with pytest.raises(ScheduleError, match="belongs to no kernel"):
        S.split("k", 8).to_json()


def test_steps_are_undone_by_value() -> None:
    s = S.split("k", 8).reorder("i", "j").unroll("k_i")

    assert s.undo() == S.split("k", 8).reorder("i", "j")
    assert s.undo(2) == s[:1] == S.split("k", 8)
    assert s.undo(9) == S
    assert len(s) == 3


def test_the_history_has_every_step_up_to_the_first_refusal() -> None:
    s = k.schedule().split("k", 8).unroll("k_i").vectorize("k_o").split("j", 4)
    first, second, third = s.history

    assert [x.text for x in s.history] == ["split('k', 8)", "unroll('k_i')", "vectorize('k_o')"]
    assert first.before == k.loops({"M": 64, "K": 64, "N": 64})
    assert first.after is second.before
    assert first.verdict
    assert first.seconds > 0
    assert not third.verdict
    assert third.after is third.before


def test_a_step_that_adds_in_another_order_is_noted_and_forbidden_where_sums_are_exact() -> None:
    turned = S.split("k", 4).reorder("k_i", "k_o")

    assert turned.check(matmul()).notes == ("changes the order of the float additions of C",)
    verdict = Schedule(turned.steps, exact=True).check(matmul())
    assert verdict.reason == (
        "it changes the order of the float additions of C, which exact=True forbids"
    )
    with pytest.raises(ScheduleError, match="which exact=True forbids"):
        Schedule(turned.steps, exact=True).apply(matmul())
    assert Schedule(exact=True).reorder("j", "k").check(matmul())


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            S.split("k", 8).unroll("k"),
            "'k' was consumed by step 1, split('k', 8): its loops are k_o, k_i",
        ),
        (
            S.split("j", 5).fuse("i", "j_o").split("j_i", 2).parallelize("i", "workgroup.x"),
            "'i' was consumed by step 2, fuse('i', 'j_o'): its loops are i_j_o",
        ),
        (
            S.tile("i", 4, "j", 5).cache("C", "private", at="j"),
            "'j' was consumed by step 1, tile('i', 4, 'j', 5): its loops are i_o, j_o, i_i, j_i",
        ),
        (S.unroll("kk"), "no loop named 'kk'\n  try: did you mean 'k'?"),
    ],
)
def test_a_loop_that_is_gone_names_the_step_that_consumed_it(
    schedule: Schedule, message: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule.apply(matmul())

    assert message in str(caught.value)


def test_an_ambiguous_name_was_not_consumed() -> None:
    verdict = S.split("top.j", 3).unroll("i").check(rows())

    assert verdict.reason.startswith("'i' is ambiguous")


@pytest.mark.parametrize(
    ("name", "args", "options", "message"),
    [
        ("split", ("k", "8"), {}, "split: factor is '8', of type str; it wants int"),
        ("split", ("k", True), {}, "split: factor is True, of type bool; it wants int"),
        ("split", (3, 8), {}, "split: loop is 3, of type int; it wants str"),
        ("reorder", ("i", 2), {}, "reorder: loops is ('i', 2), of type tuple; it wants tuple[str"),
        ("vectorize", ("j", 4.0), {}, "vectorize: lanes is 4.0, of type float; it wants int | No"),
        ("peel", ("i",), {"first": "1"}, "peel: first is '1', of type str; it wants int"),
        ("spilt", ("k", 8), {}, "no step 'spilt'\n  try: did you mean split(...)?"),
    ],
)  # fmt: skip
def test_arguments_of_the_wrong_type_are_refused_at_the_call(
    name: str, args: tuple[object, ...], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        make(name, *args, **options)

    assert message in str(caught.value)


def test_a_knob_has_the_type_of_its_default() -> None:
    with pytest.raises(ScheduleError, match=r"tiled: knob 'T' is '8'; its default is 16"):
        k.schedules["tiled"](T="8")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ScheduleError, match=r"tiled: knob 'T' is True"):
        k.schedules["tiled"](T=True)


@pytest.mark.parametrize(("factor", "words"), [(0, "is 0"), (-4, "is -4")])
def test_factors_below_one_are_refused_at_the_line_of_the_step(factor: int, words: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        k.compile(schedule=k.schedules["tiled"](T=factor), on="cpu")

    assert words in str(caught.value)
    assert '    parallelize("i", "workgroup.y", T)\n' in str(caught.value)


def test_a_refusal_of_a_schedule_function_stands_at_its_line() -> None:
    with pytest.raises(ScheduleError) as caught:
        k.compile(schedule="twice", on="cpu")

    assert '   15 |     unroll("k")\n' in str(caught.value)
    assert "'k' was consumed by step 1, split('k', 8)" in str(caught.value)


def test_the_next_steps_at_a_loop_are_legal_and_say_what_they_change() -> None:
    s = k.schedule({"M": 8, "K": 4, "N": 16}).split("k", 2)
    found = {x.text: x for x in s.steps_at("k_i")}
    loops = s.apply(k.loops({"M": 8, "K": 4, "N": 16}))

    assert all(x.step.check(loops) for x in found.values())
    assert "unroll('k_i')" in found
    assert not [text for text in found if text.startswith(("vectorize", "parallelize"))]
    assert found["unroll('k_i')"].words == "code 2 -> 3"
    assert found["reorder('k_i', 'k_o')"].verdict.notes == (
        "changes the order of the float additions of C",
    )


def test_a_cache_saves_the_reads_that_are_counted() -> None:
    """Each of 8 x 16 sums of 4 products reads C, A and B; kept in a register, C is not read."""
    (kept,) = (
        x for x in k.schedule({"M": 8, "K": 4, "N": 16}).steps_at("j")
        if x.text == "cache('C', 'private', at='j')"
    )  # fmt: skip

    assert kept.before.reads.value == 8 * 16 * 4 * 3
    assert kept.after.reads.value == 8 * 16 * 4 * 2
    assert kept.after.writes.value == 8 * 16
    assert kept.after.reads.tag == "exact"


def test_lanes_of_a_vector_run_at_once() -> None:
    s = k.schedule({"M": 8, "K": 4, "N": 16}).reorder("k", "j")
    (vector,) = (x for x in s.steps_at("j") if x.text == "vectorize('j')")

    assert vector.before.runs.value == 8 * 16 + 8 * 16 * 4
    assert vector.after.runs.value == 8 * 16 + 8 * 4


def test_next_steps_of_sums_that_stay_exact_leave_reorders_of_sums_out() -> None:
    s = Schedule((), k.schedule().home, exact=True).split("k", 8)

    assert "reorder('k_i', 'k_o')" not in {x.text for x in s.steps_at("k_i")}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("k", "'k' was consumed by step 1, split('k', 8): its loops are k_o, k_i"),
        ("kx_o", "no loop named 'kx_o'\n  try: did you mean 'k_o'?"),
    ],
)
def test_the_next_steps_of_a_loop_that_is_not_there_say_where_it_is(
    name: str, message: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        k.schedule().split("k", 8).steps_at(name)

    assert message in str(caught.value)


def test_a_schedule_of_the_text_belongs_to_its_kernel() -> None:
    k = wb.kernel(
        "def double(x: f32[N]) -> f32[N]:\n    y[i] = 2 * x[i]\n    return y\n\n"
        "@schedule(double)\ndef strips(T=8):\n    split('i', T)\n"
    )
    strips = k.schedules["strips"](T=4)

    assert strips.check()
    assert k.saved_schedule(strips.to_json()) == strips
