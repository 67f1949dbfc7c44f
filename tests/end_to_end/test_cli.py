"""`python -m workbench`, and programs that outlive the process that made them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import workbench as wb

TEXT = "def double(x: f32[N]) -> f32[N]:\n    y[i] = 2.0 * x[i]\n    return y\n"
RUN = """
import sys, numpy as np, workbench as wb
program = wb.load(sys.argv[1])
print(wb.run(program, np.arange(4, dtype=np.float32)).numpy().tolist())
assert not [m for m in sys.modules if m.startswith(("workbench.lang", "workbench.passes"))]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "double.txt"
    path.write_text(TEXT)
    return path


def workbench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workbench", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("stage", "words"),
    [("source", "2.0 * x[i]"), ("loops", "for i in range(8)"), ("wgsl", "@compute"),
     ("llvm", "define"), ("asm", "double"), ("wasm", "(module")],
)  # fmt: skip
def test_a_file_is_compiled_to_a_stage(file: Path, stage: str, words: str) -> None:
    done = workbench("compile", str(file), "--emit", stage, "--dim", "N=8")

    assert done.returncode == 0, done.stderr
    assert words in done.stdout


def test_json_has_every_stage_and_the_program(file: Path) -> None:
    values = json.loads(workbench("compile", str(file), "--json").stdout)

    assert [s["name"] for s in values["stages"]][:2] == ["source", "graph"]
    assert values["program"]["target"] == "wgsl"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--emit", "spirv"), "no stage 'spirv'"),
        (("--kernel", "triple"), "no kernel 'triple'"),
        (("--dim", "N=x"), "not a dim and its value"),
        (("--dim", "Q=3"), "no dim 'Q'"),
    ],
)
def test_mistakes_are_said_without_a_traceback(
    file: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = workbench("compile", str(file), *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    done = workbench("compile", str(tmp_path / "none.txt"))

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_folder_to_save_in_that_is_not_there_is_said(file: Path, tmp_path: Path) -> None:
    done = workbench("compile", str(file), "--save", str(tmp_path / "none" / "program.json"))

    assert done.returncode == 2
    assert done.stderr.startswith(str(tmp_path / "none"))


@pytest.mark.parametrize("on", ["cpu", "wasm", "native"])
def test_a_saved_program_runs_in_a_fresh_process(tmp_path: Path, on: str) -> None:
    if not wb.devices()[on].available:
        pytest.skip(f"{on} is not here")
    path = wb.kernel(TEXT).compile(on=on, dims={"N": 4}).program.save(tmp_path / "double.json")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path)], capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == "[0.0, 2.0, 4.0, 6.0]", done.stderr


def test_a_program_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    program = wb.kernel(TEXT).compile(on="null", dims={"N": 4}).program

    assert wb.load(program.save(tmp_path / "p.json")) == program


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', '{"version": 1}'])
def test_what_is_no_program_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(wb.DeviceError):
        wb.load(path)


def test_the_wrong_arrays_for_a_program_are_refused() -> None:
    program = wb.kernel(TEXT).compile(on="cpu", dims={"N": 4}).program
    with pytest.raises(wb.CallError, match=r"compiled for f32\[4\]"):
        wb.run(program, np.zeros(5, np.float32))
