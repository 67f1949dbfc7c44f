"""Completion and explanations through a real kernel, as notebooks ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import start_new_kernel

CELL = """%%wgpu_kernel --on cpu
def scale(x: f32[N], gain: f32 = 2.0) -> f32[N]:
    y[i] = gain * exp(x[i])
    return y

@schedule(scale)
def wide(T=32):
    parallelize("i", "workgroup.x", {{tile}})
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A kernel with the magics loaded, twice, as a person does who runs a cell again."""
    folder = tmp_path_factory.mktemp("kernel")
    with pytest.MonkeyPatch.context() as patched:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
            patched.setenv(name, str(folder))
        manager, found = start_new_kernel(startup_timeout=120)
    try:
        for code in ("%load_ext workbench", "%reload_ext workbench", "tile = 8"):
            reply: Any = found.execute_interactive(code, timeout=120, output_hook=print)
            assert reply["content"]["status"] == "ok"
        yield found
    finally:
        found.stop_channels()
        manager.shutdown_kernel(now=True)


def completed(client: Any, code: str, place: int) -> dict[str, Any]:
    reply = client.complete(code, place, reply=True, timeout=60)
    assert reply["content"]["status"] == "ok"
    return reply["content"]


def inspected(client: Any, code: str, place: int) -> dict[str, Any]:
    reply = client.inspect(code, place, reply=True, timeout=60)
    return reply["content"]


@pytest.mark.parametrize(
    ("text", "fragment", "expected"),
    [
        ("%%wgpu_kernel --o", "--o", ["--on", "--output"]),
        ("%%wgpu_kernel --on c", "c", ["cpu"]),
        (CELL[: CELL.index("gain * exp") + 1], "g", ["gain"]),
        (CELL[: CELL.index("p(x[i])")], "ex", ["exp", "exp2", "expm1"]),
        (CELL[: CELL.index("ize(")], "parallel", ["parallelize"]),
        (CELL[: CELL.index('.x"')], "workgroup", ["workgroup.x", "workgroup.y", "workgroup.z"]),
        (CELL[: CELL.index("le}}")], "ti", ["tile"]),
    ],
)
def test_a_kernel_completes_the_cell_language(
    client: Any, text: str, fragment: str, expected: list[str]
) -> None:
    found = completed(client, text, len(text))

    assert expected == found["matches"]
    assert text[found["cursor_start"] : found["cursor_end"]] == fragment


def test_the_text_below_the_cursor_counts(client: Any) -> None:
    code = CELL.replace("--on cpu", "--schedule ")
    found = completed(client, code, code.index("\n"))

    assert found["matches"] == ["wide"]
    assert found["metadata"]["_jupyter_types_experimental"][0]["type"] == "schedule"


def test_names_of_python_are_not_offered_in_a_cell(client: Any) -> None:
    code = CELL.replace("gain * exp(x[i])", "pri")

    assert completed(client, code, code.index("pri") + 3)["matches"] == []


def test_other_cells_are_completed_as_python(client: Any) -> None:
    assert "tile" in completed(client, "til", 3)["matches"]
    assert "%%wgpu_kernel" in completed(client, "%%wgpu_k", 8)["matches"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("n cpu", "--on {auto,"),
        ("xp(x", "exp(x)"),
        ("ain *", "gain: f32 = 2.0"),
        ("rallelize", "parallelize(loop, axis, size=None)"),
    ],
)
def test_a_kernel_explains_the_cell_language(client: Any, place: str, expected: str) -> None:
    found = inspected(client, CELL, CELL.index(place))

    assert found["found"]
    assert found["data"]["text/plain"].startswith(expected)


def test_a_name_of_python_is_explained_in_double_braces_only(client: Any) -> None:
    code = CELL.replace("gain *", "print *")
    braces = inspected(client, code, code.index("ile}}"))

    assert not inspected(client, code, code.index("print"))["found"]
    assert "int" in braces["data"]["text/plain"]


def test_the_magic_and_other_cells_are_explained_as_ever(client: Any) -> None:
    magic = inspected(client, CELL, CELL.index("kernel"))
    plain = inspected(client, "print", 3)

    assert "Compile a cell in the cell language" in magic["data"]["text/plain"]
    assert "print" in plain["data"]["text/plain"].lower()


def test_a_terminal_completes_with_the_same_names() -> None:
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "workbench")
    code = CELL[: CELL.index("p(x[i])")]
    with provisionalcompleter():
        found = list(shell.Completer.completions(code, len(code)))
    shell.reset()

    assert [(c.text, c.start, c.end) for c in found] == [
        (name, len(code) - 2, len(code)) for name in ("exp", "exp2", "expm1")
    ]
