"""`wb.compare` on real devices: what is compared, refused, and said."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.measure.comparison import Comparison, Entry
from workbench.measure.results import NAME
from workbench.measure.timing import Timed
from workbench.runtime.device import open_device
from workbench.schedule.step import step_text
from workbench.session.kernel import Kernel

TEXT = """
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C

@schedule(matmul)
def tiled(T=8):
    parallelize("i", "workgroup.x", T)
"""
SHADER = """
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn twice(@builtin(global_invocation_id) id: vec3u) {
    if (id.x < arrayLength(&x)) { y[id.x] = 2.0 * x[id.x]; }
}
"""
NATIVE = open_device("native").describe()
ROOT = Path(__file__).parent.parent.parent
DIMS = {"M": 24, "K": 24, "N": 24}


@pytest.fixture(scope="module")
def matmul() -> Kernel:
    return wb.kernel(TEXT)


def compare(*things: Any, **options: Any) -> Comparison:
    """A comparison with next to no budget: the numbers are not looked at."""
    return wb.compare(*things, **{"kept": False, "seconds": 0.02, **options})


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a @ b


def test_kernels_schedules_and_functions_are_rows_and_devices_columns(matmul: Kernel) -> None:
    tiled = matmul.schedules["tiled"]
    found = compare(matmul, tiled, ("NumPy", product), on=["cpu", "wasm"], dims=DIMS)

    assert [(e.label, e.device) for e in found] == [
        ("matmul", "cpu"), ("matmul.tiled", "cpu"), ("matmul", "wasm"), ("matmul.tiled", "wasm"),
        ("NumPy", "host"),
    ]  # fmt: skip
    assert all(e.timed is not None and e.agreed.startswith("agrees") for e in found)
    assert found.clock == "wall"
    assert len(found.verdicts) == 4
    assert "NumPy" in repr(found)
    assert "<td" in found._repr_html_()


def test_kernels_alone_are_compared_by_the_time_of_their_kernels(matmul: Kernel) -> None:
    found = compare(matmul, ("again", matmul), on="cpu", dims=DIMS)

    assert found.clock == "kernel"
    assert "kernel time (cpu: wall)" in found.notes[0]
    first = found.find("matmul").timed
    assert first is not None
    assert first.kernel is not None
    assert first.call is not None


def test_inputs_are_taken_by_name_or_in_order(matmul: Kernel) -> None:
    a, b = (np.ones((8, 8), np.float32) for _ in "ab")
    by_name = compare(matmul, product, on="cpu", inputs={"B": b, "A": a})
    in_order = compare(matmul, product, on="cpu", inputs=[a, b])

    assert all(e.timed for e in (*by_name, *in_order))


def test_functions_alone_are_compared_with_the_first() -> None:
    x = np.linspace(0, 1, 50, dtype=np.float32)
    found = compare(("sum", np.sum), ("mean", np.mean), ("add.reduce", np.add.reduce), inputs=[x])

    assert found.find("add.reduce").timed
    assert found.find("mean").refused.startswith("differs")


def raises(_a: np.ndarray, _b: np.ndarray) -> np.ndarray:
    raise ZeroDivisionError("on purpose")


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (raises, r"ZeroDivisionError: on purpose"),
        (lambda a, b: (a @ b)[:3], r"gives \[3, 24\], the reference \[24, 24\]"),
        (lambda a, b: (a @ b, a), r"gives \[24, 24\] and \[24, 24\], the reference \[24, 24\]"),
        (lambda a, b: a @ b + 1, r"differs in 576 of 576 elements"),
        (lambda _a, _b: "text", r"gives \[\], the reference \[24, 24\]"),
    ],
)
def test_a_wrong_function_is_refused_and_not_timed(matmul: Kernel, function: Any, why: str) -> None:
    found = compare(matmul, ("wrong", function), on="cpu", dims=DIMS)
    entry = found.find("wrong")

    assert entry.timed is None
    assert re.search(why, entry.refused)
    assert any(f"wrong on host: not timed: {entry.refused}" in note for note in found.notes)
    assert found.find("matmul").timed is not None


def test_a_schedule_that_does_not_fit_is_an_entry_with_its_reason(matmul: Kernel) -> None:
    found = compare(matmul, (matmul, matmul.schedule().split("z", 4)), on="cpu", dims=DIMS)

    assert "no loop named 'z'" in found.find("matmul in 1 steps").refused


@pytest.mark.parametrize(
    ("things", "options", "why"),
    [
        ((), {}, "nothing to compare"),
        ((3,), {}, "int is nothing that runs"),
        ((product,), {}, "nothing says what the inputs are"),
        ((product, product), {"inputs": [1, 2]}, "two things are called 'product'"),
        ((raises,), {"inputs": [1, 2]}, "nothing can be timed: raises on host: ZeroDivision"),
        ((product,), {"inputs": [1, 2], "seconds": 0}, "a budget of 0 s"),
        ((product,), {"inputs": [1, 2], "on": "gpu"}, "no device 'gpu'"),
        ((wb.Schedule().split("i", 4),), {"inputs": [1]}, "not among the things before"),
    ],
)
def test_what_cannot_be_compared_is_said(things: Any, options: Any, why: str) -> None:
    with pytest.raises(wb.WorkbenchError, match=re.escape(why)):
        compare(*things, **options)


@pytest.mark.skipif(not NATIVE.available, reason=f"native: {NATIVE.cause}")
def test_a_shader_is_compared_with_a_kernel_of_the_language() -> None:
    twice = wb.kernel("def twice(x: f32[N]) -> f32[N]:\n    y[i] = 2.0 * x[i]\n    return y")
    shader = wb.from_wgsl(SHADER)
    options = {"workgroups": 2, "outputs": {"y": (100,)}}
    x = np.arange(100, dtype=np.float32)
    found = compare(twice, ("by hand", (shader, options)), on="native", inputs=[x])

    assert [e.refused for e in found] == ["", ""]
    with pytest.raises(wb.CallError, match="nothing says its workgroups"):
        compare(twice, shader, on="native", inputs=[x])


def test_a_later_comparison_knows_the_earlier_one(matmul: Kernel, tmp_path: Path) -> None:
    path = tmp_path / NAME
    first = compare(matmul, on="cpu", dims=DIMS, kept=path)
    second = compare(matmul, on="cpu", dims=DIMS, kept=path)

    assert first.earlier == ()
    assert first.kept == f"kept in {NAME}"
    (old,) = second.earlier
    assert (old.label, old.device, old.at) == ("matmul", "cpu", first.at)


def test_a_results_file_that_cannot_be_used_costs_no_result(matmul: Kernel, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"this is no database, whatever its name says" * 50)
    found = compare(matmul, on="cpu", dims=DIMS, kept=path)

    assert found.find("matmul").timed is not None
    assert "was not kept" in found.kept


def test_a_comparison_is_plain_values_of_one_form(matmul: Kernel) -> None:
    found = compare(matmul, ("NumPy", product), on="cpu", dims=DIMS)
    again = json.loads(json.dumps(found.to_dict(), allow_nan=False))

    assert again["schema"] == 2
    ours = again["entries"][0]
    assert ours["tag"] == "measured"
    assert len(ours["wall"]["values"]) == again["rounds"]
    assert ours["transfer_bytes"] == 2 * 4 * 24 * 24
    assert ours["compile_seconds"] > 0
    assert again["environment"]["processor"]
    assert again["devices"]["cpu"]["adapter"]
    assert ours["traffic"]["operations"] == 2 * 24**3
    taken = matmul.compile(on="cpu", dims=DIMS).schedule.steps
    assert ours["schedule"] == [step_text(s) for s in taken]
    assert again["entries"][1]["schedule"] is None
    assert found.to_markdown().startswith("| what | where | time |")


def test_plain_values_keep_to_the_schema_that_is_documented(matmul: Kernel, tmp_path: Path) -> None:
    """Of comparisons with everything in them: refused, by too few readings, with an earlier one."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "docs" / "comparison.schema.json").read_text())
    things = (matmul, matmul.schedules["tiled"], ("NumPy", product), ("wrong", lambda a, b: a + b))
    first = compare(*things, on="cpu", dims=DIMS, kept=tmp_path / NAME)
    found = compare(*things, on="cpu", dims=DIMS, kept=tmp_path / NAME)
    jsonschema.validate(first.to_dict(), schema, jsonschema.Draft202012Validator)
    jsonschema.validate(found.to_dict(), schema)
    few = replace(found, entries=tuple(_few(e) for e in found.entries))
    jsonschema.validate(json.loads(json.dumps(few.to_dict(), allow_nan=False)), schema)

    assert found.earlier
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found.to_dict() | {"clock": "sundial"}, schema)


def _few(e: Entry) -> Entry:
    if e.timed is None:
        return e
    return replace(e, timed=Timed(replace(e.timed.wall, values=e.timed.wall.values[:3])))


def test_a_page_of_a_comparison_loads_nothing(matmul: Kernel) -> None:
    found = compare(matmul, matmul.schedules["tiled"], on="cpu", dims=DIMS).to_html()

    assert found.startswith("<!doctype html>")
    assert "color-scheme:light dark" in found
    assert not re.search(r"<script|<link|src=|@import|url\(", found)
    assert found.count("http") == found.count("http://www.w3.org/2000/svg")


def test_a_pair_shows_how_schedule_code_and_traffic_differ(matmul: Kernel) -> None:
    cached = (matmul, matmul.schedule().cache("B", "private", at="i"))
    found = compare(matmul, ("cached", cached), ("NumPy", product), on="cpu", dims=DIMS)
    (p,) = found.pairs
    counts = {a.name: (a.first, a.second, a.tag) for a in p.traffic}

    assert repr(p) == repr(found.pair("matmul", "cached"))
    assert "+ cache('B', 'private', at='i')" in map(str, p.schedule)
    assert any("B_private" in line.text for line in p.code if line.mark == "+")
    assert counts["operations"] == (2 * 24**3, 2 * 24**3, "exact")
    assert counts["B_private in private memory: reads"] == (None, 24**3, "exact")
    assert any(line.mark == "+" for line in found.pair("matmul", "cached", stage="asm").code)
    assert p.said in found.verdicts
    with pytest.raises(wb.CallError, match="NumPy on host has no code to look at"):
        found.pair("matmul", "NumPy")
    with pytest.raises(wb.CallError, match="matmul on cpu has no stage 'wgsl'"):
        found.pair("matmul", "cached", stage="wgsl")


def test_a_sweep_compares_at_every_size(matmul: Kernel) -> None:
    found = wb.sweep(matmul, product, over={"M N K": [8, 16]}, on="cpu", seconds=0.02, kept=False)

    assert found.keys == (("matmul", "cpu"), ("product", "host"))
    assert [p.value for p in found] == [8, 16]
    assert all(len(found.curve(key)) == 2 for key in found.keys)
    assert found.to_dict()["points"][1]["value"] == 16


def test_a_sweep_turns_the_knob_of_a_schedule(matmul: Kernel) -> None:
    tiled = matmul.schedules["tiled"]
    found = wb.sweep(
        matmul, ("ours", (matmul, tiled)), over={"T": [4, 8]}, dims=DIMS, on="cpu", seconds=0.02,
        kept=False,
    )  # fmt: skip

    assert found.keys == (("matmul", "cpu"), ("ours", "cpu"))
    first, second = (p.comparison.find("ours").identity for p in found)
    assert first != second


def test_a_sweep_over_nothing_known_is_refused(matmul: Kernel) -> None:
    with pytest.raises(wb.CallError, match="no dim and no knob 'Q'; there are K, M, N"):
        wb.sweep(matmul, over={"Q": [1]}, on="cpu")
    with pytest.raises(wb.CallError, match="over names one"):
        wb.sweep(matmul, over={}, on="cpu")
