"""Which program shows the notebook of this process, and what to do there where no page comes.

Told by what each leaves in the processes that it starts; docs/frontends.md says what is known of
it. JupyterLab and Notebook 7, whose page joins by itself, are not among them, and no terminal is.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_AWAITED = "y = k(x, on='browser') and (await y).numpy() in a cell after %load_ext workbench"


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """A program that shows notebooks: why its page is not there, and what helps."""

    name: str
    cause: str
    remedy: str


VS_CODE = FrontEnd(
    "VS Code",
    "there is no page: VS Code shows a notebook in a frame that no socket leads from to here, and "
    "its comm is heard between cells only",
    f"workbench.connect(), which opens a page in a browser; or {_AWAITED}",
)
COLAB = FrontEnd(
    "Colab",
    "there is no page: Colab shows a notebook on another machine, that no socket leads from to "
    "here, and its comm is heard between cells only",
    f"on='cpu'; or {_AWAITED}",
)
MARIMO = FrontEnd(
    "marimo",
    "there is no page: marimo's own does not join, for it has neither magics nor a Jupyter kernel",
    "workbench.connect() in a cell of its own, which opens a page in a browser",
)


def front_end(
    environment: Mapping[str, str], modules: Mapping[str, Any], names: Mapping[str, object]
) -> FrontEnd | None:
    """The one that these are signs of, None where they are of none: `names` are the notebook's.

    An editor's variables are no sign, for its terminals have them as well, and so has a Jupyter
    server that was started in one.
    """
    marimo = modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        return MARIMO
    if "COLAB_RELEASE_TAG" in environment and "google.colab" in modules:
        return COLAB
    if "__vsc_ipynb_file__" in names:
        return VS_CODE
    return None


def here() -> FrontEnd | None:
    """That of this process."""
    main = sys.modules.get("__main__")
    return front_end(os.environ, sys.modules, {} if main is None else vars(main))
