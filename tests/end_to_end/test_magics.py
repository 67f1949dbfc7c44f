"""The magics in a shell without a page: what they bind, show, fill in and refuse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import workbench as wb
from workbench.magics import ShownError, fill
from workbench.program import Program
from workbench.runtime import device as devices
from workbench.runtime.device import LaterError
from workbench.runtime.null import NullDevice
from workbench.session.cell import run_cell

CELL = """def scale(x: f32[N], a: f32 = 2.0) -> f32[N]:
    y[i] = a * x[i]
    return y

@schedule(scale)
def wide(T=32):
    parallelize("i", "workgroup.x", T)
"""


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    found = InteractiveShell()
    found.run_line_magic("load_ext", "workbench")
    yield found
    found.reset()


def shown(shell: InteractiveShell, line: str, cell: str) -> str:
    with capture_output() as captured:
        shell.run_cell_magic("wgpu_kernel", line, cell)
    return captured.stdout + "".join(o.data.get("text/plain", "") for o in captured.outputs)


def test_kernels_and_schedules_become_python_names(shell: InteractiveShell) -> None:
    shown(shell, "--on cpu", CELL)

    assert isinstance(shell.user_ns["scale"], wb.Kernel)
    assert shell.user_ns["wide"](T=8) == wb.Schedule().parallelize("i", "workgroup.x", 8)


def test_the_panel_has_a_text_twin_with_ticks(shell: InteractiveShell) -> None:
    shell.user_ns["x"] = np.arange(5, dtype=np.float32)
    text = shown(shell, "--on cpu", CELL)

    assert "scheduled" in text
    assert "asm" in text
    assert "cpu" in text


def test_a_kernel_runs_where_its_arrays_exist(shell: InteractiveShell) -> None:
    shell.user_ns["x"] = np.arange(5, dtype=np.float32)
    shown(shell, "--on cpu --check off", CELL)

    last = shell.user_ns["scale"].last
    assert last.outputs[0].numpy().tolist() == [0, 2, 4, 6, 8]


def test_a_schedule_with_knobs_is_used(shell: InteractiveShell) -> None:
    shell.user_ns["x"] = np.arange(5, dtype=np.float32)
    shown(shell, "--on native --check off --schedule wide --set T=16", CELL)

    assert shell.user_ns["scale"].last.compilation.program.kernels[0].workgroup_size == (16, 1, 1)


def test_names_in_double_braces_take_python_values(shell: InteractiveShell) -> None:
    shell.user_ns |= {"place": "cpu", "factor": 3.0, "x": np.ones(3, np.float32)}
    shown(shell, "--on {{place}}", CELL.replace("= 2.0", "= {{ factor }}"))

    assert shell.user_ns["scale"].last.outputs[0].numpy().tolist() == [3, 3, 3]


def test_an_unknown_name_in_double_braces_is_refused() -> None:
    with pytest.raises(UsageError, match="no Python variable 'missing'"):
        fill("--on {{missing}}", {})


@pytest.mark.parametrize(
    "line", ["--onn cpu", "--on gpu", "--lively", "--lang c", "--show everything", "--set T"]
)
def test_unknown_options_are_errors(shell: InteractiveShell, line: str) -> None:
    with capture_output() as captured:
        result = shell.run_cell(f"%%wgpu_kernel {line}\n{CELL}")

    assert not result.success
    assert "UsageError" in captured.stderr + captured.stdout


def test_help_documents_every_option() -> None:
    from workbench.magics import WorkbenchMagics

    text = WorkbenchMagics.wgpu_kernel.__doc__ or ""
    for option in ("--on", "--lang", "--schedule", "--show", "--time", "--check", "--set"):
        assert option in text


def test_mistakes_are_shown_at_the_users_line_and_fail_the_cell(shell: InteractiveShell) -> None:
    with capture_output() as captured:
        result = shell.run_cell("%%wgpu_kernel\n" + CELL.replace("* x[i]", "* z[i]"))
    text = captured.stdout + "".join(o.data.get("text/plain", "") for o in captured.outputs)

    assert not result.success
    assert "y[i] = a * z[i]" in text
    assert "3 |" in text


def test_the_devices_are_listed_with_causes(shell: InteractiveShell) -> None:
    table = shell.run_line_magic("wgpu_devices", "")

    assert {d.name for d in table} == {"browser", "native", "cpu", "wasm", "browser-wasm"}
    assert all(d.cause and d.remedy for d in table if not d.available)


def test_devices_take_no_options(shell: InteractiveShell) -> None:
    with pytest.raises(UsageError):
        shell.run_line_magic("wgpu_devices", "--all")


def test_the_table_of_memory_names_what_the_notebook_names(shell: InteractiveShell) -> None:
    shell.user_ns["samples"] = wb.array(np.zeros(256, np.float32))
    table = shell.run_line_magic("wgpu_memory", "")

    assert any(row.shown[:4] == ("samples", "f32[256]", "host", "1 KiB") for row in table)


def test_things_are_compared_by_their_names(shell: InteractiveShell) -> None:
    cell = "def twice(x: f32[N]) -> f32[N]:\n    y[i] = 2.0 * x[i]\n    return y\n"
    shell.user_ns |= {"x": np.ones(100, np.float32), "double": lambda x: x + x, "np": np}
    with capture_output():
        shell.run_cell_magic("wgpu_kernel", "--on cpu", cell)
    options = "--on cpu --seconds 0.02 --keep off"
    found = shell.run_line_magic("wgpu_compare", f"twice double np.negative {options}")

    assert [(e.device, e.timed is not None) for e in found] == [
        ("cpu", True), ("host", True), ("host", False),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="no Python variable 'thrice'"):
        shell.run_line_magic("wgpu_compare", "twice thrice")
    with pytest.raises(UsageError, match=r"np\.nothing: no 'nothing' there"):
        shell.run_line_magic("wgpu_compare", "twice np.nothing")


def test_a_kernel_is_explained_on_the_arrays_of_its_names(shell: InteractiveShell) -> None:
    cell = "def twice(x: f32[N]) -> f32[N]:\n    y[i] = 2.0 * x[i]\n    return y\n"
    shell.user_ns |= {"x": np.ones(100, np.float32)}
    with capture_output():
        shell.run_cell_magic("wgpu_kernel", "--on cpu", cell)
    found = shell.run_line_magic("wgpu_explain", "twice --on cpu")

    assert found.work.operations == 100
    with pytest.raises(UsageError, match="x is ndarray, not a kernel"):
        shell.run_line_magic("wgpu_explain", "x")


def test_the_table_of_memory_takes_no_options(shell: InteractiveShell) -> None:
    with pytest.raises(UsageError, match="takes no options"):
        shell.run_line_magic("wgpu_memory", "all")


def test_an_error_of_a_cell_s_own_run_names_no_line_of_the_shell(shell: InteractiveShell) -> None:
    shell.user_ns |= {"t": np.zeros(3, np.float32), "at": np.array([7], np.int32)}
    cell = "def pick(t: f32[N], at: i32[M]) -> f32[M]:\n    y[i] = t[at[i]]\n    return y\n"
    with pytest.raises(ShownError) as error, capture_output():
        shell.run_cell_magic("wgpu_kernel", "--on cpu", cell)

    assert str(error.value).startswith("DeviceError: pick(...): 'pick': t[at[i]] in line 3 reads")


class Unheard(NullDevice):
    """A page whose answers come between cells."""

    def prepare(self, program: Program) -> None:
        raise LaterError(f"'{program.name}' would wait for ever")


def test_a_device_that_cannot_answer_within_a_cell_does_not_disagree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(devices._opened, "browser", Unheard(name="browser"))
    k = wb.kernel("def double(x: f32[N]) -> f32[N]:\n    y[i] = 2 * x[i]\n    return y\n")
    run = run_cell(k, {"x": np.ones(4, np.float32)}, on="cpu")
    answers = {a.device: a for a in run.answers}

    assert answers["cpu"].state == "tick"
    assert answers["browser"].state == "none"
    assert answers["browser"].words == "not asked: 'double' would wait for ever"
