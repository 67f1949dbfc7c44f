"""Arrays at the border of every device here: layouts, conversions, and what never crosses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end import borders
from workbench.runtime.device import open_device
from workbench.runtime.transfers import Transfer
from workbench.session.cell import run_cell
from workbench.session.kernel import Last
from workbench.session.programs import run
from workbench.widget.assemble import cell_state


@pytest.fixture(params=["native", "cpu", "wasm"])
def on(request: pytest.FixtureRequest) -> str:
    """A device that is here."""
    description = open_device(request.param).describe()
    if not description.available:
        pytest.skip(f"{request.param}: {description.cause}")
    return request.param


def test_what_stands_between_two_calls_never_leaves_the_device(
    on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    borders.check_chain(on, monkeypatch)


def test_an_argument_means_its_values_in_every_layout(on: str) -> None:
    borders.check_layouts(on)


def test_conversions_are_made_once_and_said(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    borders.check_conversions(on, monkeypatch)


def test_what_lies_in_panels_is_taken_so_and_converted_once(
    on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    borders.check_panels(on, monkeypatch)


def test_who_does_not_take_panels_has_c_order(on: str) -> None:
    borders.check_panels_elsewhere(on)


def test_a_schedule_that_needs_its_copy_makes_it(on: str) -> None:
    k = wb.kernel(borders.MATMUL)
    x = np.random.default_rng(6).random((8, 8), dtype=np.float32)
    c = k(x, x, on=on, schedule=k.schedule().transform_layout("C", 1, 4))
    take = k.schedule().transform_layout("B", 1, 4).unroll("pack_i")
    found = k(x, c, on=on, schedule=take)

    assert isinstance(k.last, Last)
    assert "B_packed" in k.last.compilation.stages["scheduled"].text
    np.testing.assert_allclose(found.numpy(), x @ (x @ x), rtol=1e-5)


def test_samples_of_a_large_kernel_find_their_elements_in_panels() -> None:
    k = wb.kernel(borders.MATMUL)
    dims = {"M": 1024, "K": 1024, "N": 1024}
    both = k.schedule().transform_layout("C", 1, 8).transform_layout("B", 1, 8, given=True)
    copied = k.schedule().transform_layout("B", 1, 8)
    said = [k.compile(s, on="native", dims=dims).check()["kernel"].words for s in (both, copied)]

    assert said[0].endswith("and 256 elements that they wrote agree")
    assert said[1].endswith("two random workgroups have no race and no stray")


def test_a_saved_program_gives_and_takes_panels(tmp_path: Path) -> None:
    k = wb.kernel(borders.MATMUL)
    make = k.schedule().transform_layout("C", 1, 4).transform_layout("B", 0, 2, given=True)
    c = k.compile(make, on="cpu", dims={"M": 8, "K": 8, "N": 8})
    loaded = wb.load(c.program.save(tmp_path / "panels.json"))
    x = np.random.default_rng(6).random((8, 8), dtype=np.float32)

    assert c.check().ok
    np.testing.assert_allclose(np.asarray(run(loaded, x, x)), x @ x, rtol=1e-5)
    assert c.stages["border"].text.splitlines()[1:] == [
        "B: f32[8, 8] to the device, 256 bytes, 256 there: panels of 2 along axis 0",
        "C: f32[8, 8] from the device, 256 bytes, 256 there: panels of 4 along axis 1",
    ]


@pytest.mark.parametrize("on", ["cpu", "wasm"])
def test_narrow_numbers_cross_padded_to_whole_words(on: str) -> None:
    k = wb.kernel("def copied(x: u8[N]) -> u8[N]:\n    y[i] = x[i]\n    return y\n")
    x = wb.array(np.arange(14, dtype=np.uint8)[::2])
    y = k(x, on=on)

    np.testing.assert_array_equal(y.numpy(), np.arange(14)[::2])
    assert x.transfers[-1] == Transfer("host", on, 7, "padded to whole words")
    assert y.transfers == (Transfer(on, "host", 7, "padding left out"),)


def test_a_result_of_no_dimension_and_one_of_no_element_cross() -> None:
    k = wb.kernel(
        "def total(x: i32[N]) -> i32:\n    s = sum(x[i] for i in range(N))\n    return s\n"
    )
    made = [k(np.ones(n, np.int32), on="cpu") for n in (5, 0)]

    assert [(int(a), a.shape) for a in made] == [(5, ()), (0, ())]
    assert wb.array(np.asarray(2.5, ">f8").astype(">f4")).numpy() == np.float32(2.5)


def test_the_trace_has_the_border_where_something_is_converted() -> None:
    c = wb.kernel(borders.TURNED).compile(on="cpu", dims={"N": 5})

    assert c.stages["border"].text.splitlines() == [
        "m: bool[5] to the device, 5 bytes, 20 there: bool to 32-bit words",
        "x: f32[5] to the device, 20 bytes",
        "n: bool[5] from the device, 5 bytes, 20 there: bool to 32-bit words",
        "y: f32[5] from the device, 20 bytes",
    ]
    assert "border" not in list(wb.kernel(borders.RAMP).compile(on="cpu").stages)


def test_the_run_strip_says_what_crossed_and_what_was_converted() -> None:
    x = np.asfortranarray(borders.BASE)
    namespace = {"x": x, "m": np.ones(3, bool)}
    plain = cell_state(run_cell(wb.kernel(borders.RAMP), namespace, on="cpu", checked=False))
    namespace = {"x": wb.array(np.ones(3, np.float32)), "m": wb.array(np.ones(3, bool))}
    k = wb.kernel(borders.TURNED)
    k(**namespace, on="cpu")
    resident = cell_state(run_cell(k, namespace, on="cpu", checked=False))

    assert plain.run is not None
    assert plain.run.remarks == (
        "sent to cpu: 672 B; read back: 672 B",
        "x: numpy to host 672 B, Fortran order to C order",
    )
    assert resident.run is not None
    assert resident.run.remarks == (
        "read back: 15 B",
        "n: cpu to host 3 B, 32-bit words to bool",
    )


def test_the_table_of_memory_says_what_crossed() -> None:
    x = wb.array(np.ones(4, np.float32))
    for n in range(3):
        x[n] = 2.0
        wb.kernel(borders.RAMP.replace("M, N", "N").replace("[i, j]", "[i]").replace(
            "i * N + j", "i"))(x, on="cpu")  # fmt: skip
    (row,) = [r for r in wb.memory({"x": x}) if "x" in r.names]

    assert row.shown[-1] == "host to cpu 3 x, 24 B"


@pytest.mark.parametrize(
    ("value", "lost"), [([1.5, 2.0], "1.5"), ([2**40], "1099511627776"), ([float("nan")], "nan")]
)
def test_numbers_that_a_whole_dtype_does_not_hold_are_refused(
    value: list[float], lost: str
) -> None:
    k = wb.kernel("def same(x: i32[N]) -> i32[N]:\n    y[i] = x[i]\n    return y\n")

    with pytest.raises(wb.CallError, match=rf"x is a list: i32 does not hold {lost}"):
        k(value, on="cpu")
    assert k([1.0, 2.0, True], on="cpu").numpy().tolist() == [1, 2, 1]


def test_an_array_of_numbers_that_are_too_large_is_refused() -> None:
    with pytest.raises(wb.CallError, match="i32 does not hold 1099511627776"):
        wb.array([1, 2**40])
