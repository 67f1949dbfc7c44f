"""What is alive, what a scope frees, and what the table of memory says."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import workbench as wb
from workbench.runtime.null import NullDevice
from workbench.runtime.residency import live


def floats(count: int = 4) -> wb.Array:
    return wb.array(np.zeros(count, np.float32))


def test_a_scope_frees_what_it_made() -> None:
    with wb.tidy():
        a = floats()

    assert a not in live()
    with pytest.raises(wb.CallError, match=r"this array of f32\[4\] was freed"):
        a.numpy()


def test_what_is_kept_stays() -> None:
    with wb.tidy() as scope:
        a, b = scope.keep(floats(), floats())

    assert a.numpy().tolist() == b.numpy().tolist() == [0.0] * 4


def test_what_is_kept_belongs_to_the_scope_around() -> None:
    with wb.tidy() as outer:
        with wb.tidy() as inner:
            a, b = floats(), floats()
            inner.keep(a, b)
        outer.keep(a)

    assert (a.freed, b.freed) == (False, True)


def test_an_error_frees_as_well() -> None:
    made: list[wb.Array] = []

    def fail() -> None:
        with wb.tidy():
            made.append(floats())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert made[0].freed


def test_memory_is_given_back_once() -> None:
    device = NullDevice()
    a = floats()
    a.on(device)
    a.free()
    a.free()
    del a
    gc.collect()

    assert [c.method for c in device.calls] == ["allocate", "write", "free"]


def test_dropped_arrays_are_not_alive() -> None:
    before = len(live())
    a = floats()
    del a
    gc.collect()

    assert len(live()) == before


def test_the_table_names_arrays_and_their_places() -> None:
    weights = floats(1024)
    weights.on(NullDevice())
    weights[0] = 1.0
    (row,) = [r for r in wb.memory() if "weights" in r.names]

    assert row.shown == (
        "weights",
        "f32[1024]",
        "host, null (stale)",
        "2 x 4 KiB",
        "the host",
        "host to null 4 KiB",
    )


def test_the_table_says_what_is_kept_and_counts_it_for_no_array() -> None:
    double = wb.kernel("def double(x: f32[N]) -> f32[N]:\n    y[i] = 2 * x[i]\n    return y\n")
    ones = np.ones(1 << 20, np.float32)
    result = double(ones, on="cpu")
    view = np.asarray(result)
    before = wb.memory({})
    del result
    double.last = None  # what a panel would show
    gc.collect()
    after = wb.memory({})
    double(ones, on="cpu").numpy()

    assert after.kept["cpu"] >= before.kept.get("cpu", 0) + ones.nbytes
    assert after.totals.get("cpu", 0) <= before.totals["cpu"] - ones.nbytes
    kept = repr(after).partition("kept for the next results: ")[2]
    assert "cpu " in kept
    np.testing.assert_array_equal(view, 2.0)


def test_the_owner_of_a_result_is_its_call() -> None:
    double = wb.kernel("def double(x: f32[N]) -> f32[N]:\n    y[i] = 2 * x[i]\n    return y\n")
    result = double(np.ones(4, np.float32), on="cpu")
    (row,) = [r for r in wb.memory({"result": result}) if "result" in r.names]

    assert (row.owner, row.places) == ("double(...)", {"cpu": True})
    assert "result" in repr(wb.memory())
    assert "<td style='text-align:left'>result</td>" in wb.memory()._repr_html_()


def test_a_freed_input_does_not_disturb_a_result() -> None:
    double = wb.kernel("def double(x: f32[N]) -> f32[N]:\n    y[i] = 2 * x[i]\n    return y\n")
    with wb.tidy() as scope:
        h = double(np.ones(4, np.float32), on="cpu")
        y = scope.keep(double(h, on="cpu"))
    assert isinstance(y, wb.Array)

    assert h.freed
    assert y.numpy().tolist() == [4.0] * 4
