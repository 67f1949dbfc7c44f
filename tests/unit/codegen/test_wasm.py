"""WebAssembly modules: what the linker makes, refuses, and that another linker makes the same."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llvmlite")
pytest.importorskip("wasmtime")

from tests.unit.codegen.test_llvm import function, matmul
from tests.unit.ir.programs import f32, load, loop, mul, var
from workbench.base.dtypes import F32, I32
from workbench.base.errors import CodegenError, InternalError
from workbench.codegen import wasm
from workbench.codegen.wasm_link import linked
from workbench.codegen.wasm_text import wasm_text
from workbench.ir.expr import Load, Select, apply, integer
from workbench.ir.loops import Loops
from workbench.ir.stmt import Alloc, LoopKind, Memory, Store
from workbench.program import Kernel
from workbench.runtime.llvm import compiled

ENTRY = "define void @k(ptr %buffers, ptr %scalars, ptr %stop, i64 %begin, i64 %end) {{\n{}\n}}\n"


def image(body: str, around: str = "") -> bytes:
    return compiled(around + ENTRY.format(body), "wasm32")


def source(loops: Loops) -> Kernel:
    (kernel,) = wasm.source(loops).kernels
    return kernel


def shuffled() -> Loops:
    """A kernel with a private array that is indexed by data, and so stays in memory."""
    kept = Alloc("t", F32, (64,), Memory.PRIVATE)
    fill = loop("k", 64, Store("t", (var("k"),), mul(load("x", var("k")), load("x", var("k")))))
    back = Store("y", (var("i"),), Load("t", (Load("at", (var("i"),), I32),), F32))
    return function(
        loop("i", 64, kept, fill, back, kind=LoopKind.PARALLEL),
        x=("input", F32, (64,)), at=("input", I32, (64,)), y=("output", F32, (64,)),
    )  # fmt: skip


def test_a_module_exports_its_kernel_and_imports_one_memory() -> None:
    kernel = source(matmul(8, 8, 8))
    import wasmtime

    made = wasmtime.Module(wasmtime.Engine(), linked(compiled(kernel.code, "wasm32"), kernel.name))

    assert [e.name for e in made.exports] == [kernel.name]
    assert [(i.module, i.name) for i in made.imports] == [("workbench", "memory")]


def test_a_call_that_nothing_answers_is_refused_by_name() -> None:
    body = (
        "  %x = load float, ptr %scalars\n  %r = call float @sinf(float %x)\n"
        "  store float %r, ptr %buffers\n  ret void"
    )

    with pytest.raises(CodegenError, match="'k': its code calls sinf, which is not there on wasm"):
        linked(image(body, "declare float @sinf(float)\n"), "k")


def test_constants_in_memory_are_refused() -> None:
    body = (
        "  %p = getelementptr float, ptr @t, i64 %begin\n  %r = load float, ptr %p\n"
        "  store float %r, ptr %buffers\n  ret void"
    )
    table = "@t = internal constant [4 x float] [float 1.0, float 3.0, float 4.0, float 8.0]\n"

    with pytest.raises(CodegenError, match="'k': its code keeps constants in memory"):
        linked(image(body, table), "k")


def test_an_object_without_the_kernel_is_our_own_mistake() -> None:
    with pytest.raises(InternalError, match="no function 'other'"):
        linked(image("  ret void"), "other")


def test_choices_between_constants_stay_in_code() -> None:
    """LLVM would make a table in memory of them, elsewhere."""
    chosen = f32(0.0)
    for n in range(8):
        chosen = Select(apply("eq", var("i"), integer(n)), f32(float(n * n + 1)), chosen)
    made = function(loop("i", 100, Store("y", (var("i"),), chosen)), y=("output", F32, (100,)))

    assert wasm.emit(made).kernels


def wasm_ld() -> str:
    found = shutil.which("wasm-ld") or shutil.which("wasm-ld-14")
    if found is None:
        pytest.skip("wasm-ld is not installed; sudo apt-get install lld")
    return found


def test_another_linker_makes_the_same_code(tmp_path: Path) -> None:
    kernel = source(matmul(24, 20, 28))
    made = compiled(kernel.code, "wasm32")
    (tmp_path / "k.o").write_bytes(made)
    subprocess.run(
        [
            wasm_ld(), "--no-entry", f"--export={kernel.name}", "--import-memory",
            "--shared-memory", "--max-memory=4294967296", "--compress-relocations",
            "--strip-all", "-o", "k.wasm", "k.o",
        ],
        check=True, cwd=tmp_path,
    )  # fmt: skip
    ours, theirs = (
        wat_functions(module)
        for module in (linked(made, kernel.name), (tmp_path / "k.wasm").read_bytes())
    )

    assert ours == theirs


def wat_functions(module: bytes) -> bytes:
    """The code section."""
    from workbench.codegen.wasm_link import sections

    return dict(sections(module))[10]


def test_the_text_shows_what_the_loops_say() -> None:
    text = wasm_text(wasm.source(matmul(4, 8, 4)))
    lines = [line.strip() for line in text.value.splitlines()]

    assert lines[0] == "(module"
    assert {"f32.mul", "f32.add", "loop"} <= set(lines)
    assert '(export "program" (func $program)))' in lines


def test_every_worker_has_a_stack_of_its_own() -> None:
    from workbench.runtime.wasm import WasmDevice

    device = WasmDevice(workers=3)
    program = wasm.emit(shuffled())
    assert '"stack"' in wasm_text(wasm.source(shuffled())).value
    x = np.arange(64, dtype=np.float32)
    at = np.random.default_rng(0).permutation(64).astype(np.int32)
    memories = {b.name: device.allocate(b.size) for b in program.buffers}
    device.write(memories["x"], x.data.cast("B"))
    device.write(memories["at"], at.data.cast("B"))
    for _ in range(20):
        device.enqueue(program, memories, ()).wait(10)
        y = np.frombuffer(device.read(memories["y"], 256), np.float32)

        np.testing.assert_array_equal(y, x[at] ** 2)
