"""What is said where no page comes, in the front end that a process has the signs of."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.base.errors import DeviceError
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.front_end import COLAB, MARIMO, VS_CODE, FrontEnd, front_end


def marimo(*, runs: bool) -> SimpleNamespace:
    return SimpleNamespace(running_in_notebook=lambda: runs)


@pytest.mark.parametrize(
    ("environment", "modules", "names", "found"),
    [
        ({}, {}, {}, None),
        ({"JPY_SESSION_NAME": "a.ipynb"}, {}, {"In": []}, None),
        ({"JPY_SESSION_NAME": "a.ipynb"}, {}, {"__vsc_ipynb_file__": "a.ipynb"}, VS_CODE),
        # A JupyterLab, or a script, that was started in an editor's terminal.
        ({"TERM_PROGRAM": "vscode", "VSCODE_PID": "7"}, {}, {}, None),
        ({"COLAB_RELEASE_TAG": "r"}, {"google.colab": object()}, {}, COLAB),
        ({"COLAB_RELEASE_TAG": "r"}, {}, {}, None),
        ({}, {"marimo": marimo(runs=True)}, {}, MARIMO),
        # A notebook of Jupyter that has imported it.
        ({}, {"marimo": marimo(runs=False)}, {}, None),
    ],
)
def test_a_front_end_is_told_by_its_own_signs(
    environment: dict[str, str],
    modules: dict[str, Any],
    names: dict[str, object],
    found: FrontEnd | None,
) -> None:
    assert front_end(environment, modules, names) is found


def leave_signs(of: FrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put into this process what a front end leaves in one."""
    if of is VS_CODE:
        monkeypatch.setattr(sys.modules["__main__"], "__vsc_ipynb_file__", "a", raising=False)
    elif of is COLAB:
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
        monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    else:
        monkeypatch.setitem(sys.modules, "marimo", marimo(runs=True))


@pytest.mark.parametrize(
    ("shown_in", "why", "hint"),
    [
        (VS_CODE, "a frame that no socket leads from to here", "workbench.connect()"),
        (COLAB, "on another machine", "on='cpu'"),
        (MARIMO, "neither magics nor a Jupyter kernel", "workbench.connect() in a cell of its own"),
    ],
    ids=lambda each: each.name if isinstance(each, FrontEnd) else "",
)
def test_where_no_page_comes_the_error_says_what_helps_there(
    shown_in: FrontEnd, why: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_signs(shown_in, monkeypatch)
    device = BrowserDevice()
    device.expect_page(0.01)
    with pytest.raises(DeviceError) as caught:
        device.allocate(16)
    (mistake,) = caught.value.mistakes

    assert why in mistake.message
    assert mistake.hint.startswith(hint)
    assert device.describe().remedy == mistake.hint
