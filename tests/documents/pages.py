"""The pages that are made of the program: errors, and what the language does not say yet.

`python -m tests.documents` writes them, and the tests compare them with what is in `docs`.
The numbers of `docs/numerics.md` are measured by `numerics.py`.
"""

from __future__ import annotations

import inspect
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np

import workbench as wb
from tests.documents.examples import Call, Cell, Group
from tests.documents.refusals import GROUPS, NOT_YET
from tests.documents.sites import Site, traced
from workbench.base import errors
from workbench.base.errors import WorkbenchError

DOCS = Path(__file__).parents[2] / "docs"
LONGEST_LINE = 200
"""Characters of a line of the page."""
BEGIN, END = "<!-- made by python -m tests.documents -->", "<!-- end of what is made -->"

_ERRORS = """\
# Errors

A mistake that you can mend is a `wb.WorkbenchError`; every kind below is one.
It says the thing, the fact and the value, and shows the place.
After `try:` stands what to write instead.
All mistakes of a text come at once.
`error.mistakes` holds them one by one, with message, span and hint.
An `InternalError` is none of yours: it is a mistake of the workbench, with its whole traceback.

Each example is run by the tests, which compare its words with this page.
`python -m tests.documents` writes it anew.
In the examples `k` is the kernel shown, and `np` is NumPy.
"""


@cache
def examined(example: Cell | Call) -> tuple[WorkbenchError | None, frozenset[Site]]:
    """What an example ends in, None where it is accepted, and the sites that it reached."""
    with traced() as reached:
        try:
            match example:
                case Cell(text):
                    wb.kernel(text)
                case Call(text, python):
                    names = {"k": wb.kernel(text), "np": np, "wb": wb}
                    exec(compile(python, "docs/errors.md", "exec"), names)  # noqa: S102
        except WorkbenchError as error:
            return error, frozenset(reached)
    return None, frozenset(reached)


def refusal(example: Cell | Call) -> WorkbenchError | None:
    """What an example ends in; None where it is accepted."""
    return examined(example)[0]


def errors_page() -> str:
    """`docs/errors.md`: the classes with their meaning, and the examples with their words."""
    parts = [_ERRORS]
    for name, groups in groupby(GROUPS, lambda group: group.error):
        parts.append(f"## {name}\n\n{inspect.getdoc(getattr(errors, name))}\n")
        parts += [_group(group) for group in groups]
    return "\n".join(parts)


def _group(group: Group) -> str:
    return f"### {group.title}\n\n" + "\n".join(_example(x) for x in group.examples)


def _example(example: Cell | Call) -> str:
    error = refusal(example)
    words = "nothing: it is accepted" if error is None else _shortened(str(error))
    calls = f"\n```python call\n{example.python}\n```\n" if isinstance(example, Call) else ""
    return f"{_kernel(example.text)}{calls}\n```text\n{words}\n```\n"


def _kernel(text: str) -> str:
    return f"```python kernel\n{_shortened(text)}```\n"


def _shortened(text: str) -> str:
    """The text as the page shows it: the middle of long lines left out."""
    return "".join(
        x if len(x) <= LONGEST_LINE else f"{x[:60]} ... {x[-20:]}"
        for x in text.replace("\0", "\\0").splitlines(keepends=True)
    )


def not_yet() -> str:
    """The section of `docs/language.md` about what is refused today, in the refusals' words."""
    found = [(words, cell, refusal(cell)) for words, cell in NOT_YET]
    return "\n".join(
        f"{words}\n\n{_kernel(cell.text)}\n```text\n{error}\n```\n"
        for words, cell, error in found
        if error is not None
    )


def language_page() -> str:
    """`docs/language.md` with the section between the marks written anew."""
    page = (DOCS / "language.md").read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{not_yet()}\n{END}{after}"
