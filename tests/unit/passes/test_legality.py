"""What is refused before any code is emitted, and why each barrier stands where it does.

Races, barriers that some miss and accesses outside, with the step to blame: tests/laws.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

import workbench as wb
from tests.unit.ir.programs import add, buffers, f32, kernel, mul, one_kernel, var, without_barrier
from workbench.base.errors import CodegenError
from workbench.base.limits import GUARANTEED, Limits
from workbench.base.source import Source
from workbench.ir.expr import integer
from workbench.ir.stmt import Store
from workbench.passes.legality import illegal, minimal
from workbench.pipeline import Compilation, compile_graph
from workbench.schedule.step import Schedule

MATMUL = """
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
ROWS = """
def rows(x: f32[M, N]) -> f32[M, N]:
    y[i, j] = 2.0 * x[i, j]
    return y
"""
S = Schedule()
TILED = (
    S.parallelize("i", "workgroup.y", 8).parallelize("j", "workgroup.x", 8)
    .split("k", 8).cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o")
)  # fmt: skip

TILED_BY_16 = (
    S.parallelize("i", "workgroup.y", 16).parallelize("j", "workgroup.x", 16)
    .split("k", 96).cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o")
)  # fmt: skip


def compiled(
    text: str, dims: Mapping[str, int], schedule: Schedule, limits: Limits = GUARANTEED
) -> Compilation:
    return compile_graph(
        wb.kernel(text).graph, Source(text), dims, schedule=schedule, limits=limits
    )


# Limits -------------------------------------------------------------------------------------


def side(n: int) -> dict[str, int]:
    return dict.fromkeys("MNK", n)


SMALL = Limits(max_compute_workgroup_storage_size=8192)
TOO_MUCH: dict[str, tuple[str, dict[str, int], Schedule, Limits, int, str]] = {
    "invocations": (
        MATMUL, side(64), S.parallelize("i", "workgroup.y", 32).parallelize("j", "workgroup.x", 32),
        GUARANTEED, 2,
        r"has 1024 invocations per workgroup: max_compute_invocations_per_workgroup is 256 on",
    ),
    "an axis": (
        ROWS, {"M": 4, "N": 999}, S.parallelize("j", "workgroup.z", 128), GUARANTEED, 1,
        r"has 128 invocations along z: max_compute_workgroup_size_z is 64 on",
    ),
    "workgroups": (
        ROWS, {"M": 4, "N": 200_000}, S.split("j", 2).parallelize("j_o", "workgroup.x"), GUARANTEED,
        2, r"has 100000 workgroups along an axis: max_compute_workgroups_per_dimension is 65535 on",
    ),
    "workgroup memory": (
        MATMUL, side(96), TILED_BY_16, SMALL, 5,
        r"needs 12288 bytes of workgroup memory .*'A_workgroup' f32\[16, 96\]: 6144, 'B_.* is 8192",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_schedule_beyond_a_limit_is_refused_with_a_step_that_fits(name: str) -> None:
    """What the refusal says to write instead is then compiled."""
    text, dims, schedule, limits, number, words = TOO_MUCH[name]
    with pytest.raises(CodegenError, match=words) as caught:
        compiled(text, dims, schedule, limits)
    (mistake,) = caught.value.mistakes
    assert mistake.message.startswith(f"step {number}, ")
    fitting, _, instead = mistake.hint.partition(" in place of ")
    calls = re.findall(r"\.(\w+\([^)]*\))", repr(schedule))
    calls[calls.index(instead) if instead else number - 1] = fitting
    fits = eval("Schedule()." + ".".join(calls), {"Schedule": Schedule})  # noqa: S307

    assert compiled(text, dims, fits, limits).program.kernels


def test_what_no_step_can_mend_names_another_device() -> None:
    """Buffers, and how many of them a kernel has, are not the schedule's."""
    with pytest.raises(
        CodegenError, match=r"'x' has 400 bytes: max_buffer_size is 256 on this"
    ) as one:
        compiled(ROWS, {"M": 10, "N": 10}, S, Limits(max_buffer_size=256))
    with pytest.raises(CodegenError, match=r"'rows' has 2 storage buffers: .* is 1 on") as other:
        compiled(ROWS, {"M": 10, "N": 10}, S, Limits(max_storage_buffers_per_shader_stage=1))

    assert {e.value.mistakes[0].hint for e in (one, other)} == {"on='cpu'"}


def test_a_step_that_makes_a_kernel_of_too_many_buffers_is_named() -> None:
    """Two equations of two inputs each, inlined: a kernel of five buffers."""
    text = """
def three(a: f32[N], b: f32[N], c: f32[N], d: f32[N]) -> f32[N]:
    p[i] = a[i] * b[i]
    y[i] = p[i] + c[i] * d[i]
    return y
"""
    limits = Limits(max_storage_buffers_per_shader_stage=4)
    compiled(text, {"N": 8}, S, limits)
    with pytest.raises(CodegenError, match=r"^step 1, inline\('p'\): .* has 5 storage buffers"):
        compiled(text, {"N": 8}, S.inline("p"), limits)


# Barriers -----------------------------------------------------------------------------------


def test_each_barrier_names_two_accesses_that_it_keeps_apart() -> None:
    c = compiled(MATMUL, side(16), TILED)
    reasons = re.findall(r"barrier\(\)(?:  # (.*))?", c.stages["kernel"].text)

    assert reasons == [
        "A_workgroup[0, 0]: read by invocation (1, 0, 0), then written by invocation (0, 0, 0)",
        "A_workgroup[0, 0]: written by invocation (0, 0, 0), then read by invocation (1, 0, 0)",
    ]


def test_what_an_invocation_wrote_itself_is_read_without_a_barrier() -> None:
    """Of the tree's last sum and its use, both by the first invocation."""
    text = "def f(x: f32[N]) -> f32:\n    y = sum(x[k] for k in range(N))\n    return y\n"
    c = compiled(text, {"N": 8}, S.split("k", 4).rfactor("k_i", memory="workgroup"))
    last = c.stages["kernel"].text.partition("range(local_id.index, 1, 4)")[2]

    assert "barrier()" not in last.partition("y = ")[0]
    assert c.stages["kernel"].text.count("barrier()") == 2


def test_a_copy_of_which_each_reads_its_own_element_needs_no_barrier() -> None:
    text = "def f(x: f32[N]) -> f32[N]:\n    y[i] = x[i] + 1.0\n    return y\n"
    steps = S.parallelize("i", "workgroup.x", 8).cache("x", "workgroup", at="i_i")
    c = compiled(text, {"N": 32}, steps)

    assert "x_workgroup[i_i]" in c.stages["kernel"].text
    assert "barrier()" not in c.stages["kernel"].text


def test_a_racing_kernel_keeps_its_barriers() -> None:
    mapped = compiled(MATMUL, side(16), TILED).stages["kernel"].value
    racing = one_kernel(mapped, without_barrier(mapped.kernels[0].body, 0))

    assert minimal(racing) is racing


def test_the_pass_changes_nothing_and_is_not_shown_among_the_stages() -> None:
    c = compiled(MATMUL, side(16), TILED)

    assert "legal" in c.stages
    assert "legal" not in list(c.stages)
    assert c.stages["legal"].value is c.stages["kernel"].value


# What is right ------------------------------------------------------------------------------


def test_what_is_not_evaluated_is_no_access_outside() -> None:
    """The load behind `and` is made for iterations that fit only."""
    text = """
def f(a: f32[N], p: bool[N]) -> f32[N]:
    y[i] = a[i] + max(a[i] for r in range(2) if p[i])
    return y
"""
    c = compiled(text, {"N": 5}, S.split("i", 3, tail="pad"))

    assert "< 5 and p[" in c.stages["kernel"].text


def test_updates_of_a_result_without_axes_by_one_invocation_are_right() -> None:
    c = compiled("def f(x: f32[N]) -> f32:\n    s = sum(x[i] for i in range(N))\n    return s\n",
                 {"N": 5}, S)  # fmt: skip

    assert "legal" in c.stages


def test_what_an_assert_says_of_an_open_dim_is_known() -> None:
    """Without it, `x[0]` is outside where N is 0."""
    text = """
def first(x: f32[N], m: i32[M]) -> f32[M]:
    assert N > 0
    y[i] = x[0] * m[i]
    return y
"""
    c = compile_graph(wb.kernel(text).graph, Source(text), {"N": 3, "M": 4}, left=("N", "M"))

    assert c.open == ("N", "M")


def test_a_turn_that_an_open_dim_may_leave_out_is_no_access_outside() -> None:
    """Where M is 0 no turn runs; the kernel of one turn does not know that."""
    text = """
def turned(w: f32[M], m: f32[N]) -> f32[N]:
    for t in range(M):
        m[i] = m[i] + w[min(i, M - 1)]
    return m
"""
    c = compile_graph(wb.kernel(text).graph, Source(text), {"N": 3, "M": 4}, left=("N", "M"))

    assert sorted(c.open) == ["M", "N"]


@pytest.mark.parametrize("second", [1, 2, -1])
def test_two_stores_of_a_pair_are_apart_unless_pairs_overlap(second: int) -> None:
    """What is added to an id may be less than its factor, and no more."""
    at = add(mul(var("i"), integer(2)), integer(8))
    stores = [Store("y", (add(at, integer(n)),), f32(1.0)) for n in (0, second)]
    found = illegal(kernel(*stores, arrays=buffers(y=("output", (64,)))))

    assert (found is None) == (abs(second) < 2)


def test_the_stores_of_a_tile_written_out_are_told_apart_without_isl(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = (
        S.tile("i", 4, "j", 8).reorder("i_o", "j_o", "k", "i_i", "j_i")
        .cache("C", "private", at="j_o").vectorize("keep_1").unroll("keep_0")
        .parallelize("i_o", "workgroup.y", 2).parallelize("j_o", "workgroup.x", 2)
    )  # fmt: skip
    (tile,) = compiled(MATMUL, side(32), steps).stages["kernel"].value.kernels
    asked: list[object] = []
    monkeypatch.setattr("workbench.passes.legality.touching", lambda *args: asked.append(args))

    assert illegal(tile) is None
    assert asked == []
