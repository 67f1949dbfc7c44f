"""WebAssembly, from the cell to the module: the text shown is the module that runs."""

from __future__ import annotations

import base64

import numpy as np
import pytest

pytest.importorskip("llvmlite")
pytest.importorskip("wasmtime")

import workbench as wb
from tests.end_to_end.kernels import Case
from tests.end_to_end.test_kernels import CASES
from workbench.codegen.wasm_link import sections

TEXT = """
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_the_text_assembled_is_the_module_that_runs(case: Case) -> None:
    import wasmtime

    values = case.inputs(np.random.default_rng(1))
    k = wb.kernel(case.text)
    k(**values, on="wasm")
    assert k.last is not None
    c = k.last.compilation
    texts = c.stages["wasm"].text.split("(module\n")[1:]

    for text, kernel in zip(texts, c.program.kernels, strict=True):
        assembled = bytes(wasmtime.wat2wasm("(module\n" + text))
        assert dict(sections(assembled)) == dict(sections(base64.b64decode(kernel.code)))


def test_instructions_lead_back_to_the_cell() -> None:
    c = wb.kernel(TEXT).compile(on="wasm", dims={"M": 8, "N": 16, "K": 8})
    text = c.stages["wasm"].marked
    said: dict[str, set[str]] = {}
    for m in text.marks:
        span = m.origin.nearest_span()
        assert span is not None
        said.setdefault(text.value[m.start : m.end], set()).add(span.text)

    assert "A[i, k] * B[k, j]" in said["f32x4.mul"]
    assert list(c.stages)[-3:] == ["llvm", "llvm-opt", "wasm"]


def test_a_program_is_saved_and_runs_without_its_text(tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    c = wb.kernel(TEXT).compile(on="wasm", dims={"M": 3, "N": 5, "K": 4})
    program = wb.load(c.program.save(tmp_path / "matmul.json"))
    A = np.arange(12, dtype=np.float32).reshape(3, 4)
    B = np.arange(20, dtype=np.float32).reshape(4, 5)

    assert program.target == "wasm"
    np.testing.assert_array_equal(np.asarray(wb.run(program, A, B)), A @ B)


def test_devices_say_which_engine_runs_wasm() -> None:
    assert "wasmtime" in repr(wb.devices())
