"""From the compiler's values to the panel's: texts with marks, errors with places, arrays.

Pure functions; what they return is described in `messages.py`. Nothing here compiles or runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.ir.show import loops_text
from workbench.ir.stmt import For
from workbench.schedule.history import loop_names
from workbench.schedule.names import find
from workbench.widget.messages import Caret, Failure, Language, MarkedText, Origins, Output
from workbench.widget.picture import png_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.base.errors import WorkbenchError
    from workbench.base.source import Origin, Source
    from workbench.base.text import Text
    from workbench.schedule.history import Applied

CORNER = 3
"""Rows and columns shown from each corner of a result."""
LIVE_SIDE, SAVED_SIDE = 320, 64
"""Pixels of the longer side of a picture: in the live panel, and saved with the notebook."""
SAVED_LEVELS = 48
"""Colours of a saved picture."""
PICTURE_LEAST = 8
"""Results with a side shorter than this are shown as numbers only."""


def number_origins(
    texts: Sequence[Text], source: Source | None
) -> tuple[Origins, tuple[tuple[int, ...], ...]]:
    """The origins of several texts as numbers, and for each text its flat marks.

    Spans are kept where they lie in `source`.
    """
    found = origins_of(texts)
    ids = {id(each): number for number, each in enumerate(found)}
    marks = tuple(
        tuple(value for m in text.marks for value in (m.start, m.end, ids[id(m.origin)]))
        for text in texts
    )
    origins = Origins(
        parents=tuple(tuple(ids[id(parent)] for parent in each.parents) for each in found),
        spans=tuple(_span(each, source) for each in found),
        notes=tuple(each.note for each in found),
    )
    return origins, marks


def origins_of(texts: Sequence[Text]) -> list[Origin]:
    """The origins that texts are marked with, and those that they came from, each once.

    The number of one is its place here.
    """
    found: dict[int, Origin] = {}
    for text in texts:
        for mark in text.marks:
            queue = [mark.origin]
            for each in queue:
                if id(each) not in found:
                    found[id(each)] = each
                    queue.extend(each.parents)
    return list(found.values())


def failure_of(error: WorkbenchError) -> Failure:
    """What the error view shows for an error: one text per source, a caret per mistake.

    A mistake that stands alone is the message; several stand in words at their carets.
    """
    mistakes = error.mistakes
    alone = len(mistakes) == 1
    unplaced = [mistake.message for mistake in mistakes if alone or mistake.span is None]
    sources: dict[int, Source] = {}
    carets: dict[int, list[Caret]] = {}
    for mistake in mistakes:
        if mistake.span is not None:
            source = mistake.span.source
            line, column = mistake.span.position
            length = min(mistake.span.end - mistake.span.start, len(source.line(line)) - column + 1)
            sources[id(source)] = source
            hint = f"; try: {mistake.hint}".replace("\n", "; ") if mistake.hint else ""
            words = "" if alone else mistake.message + hint
            caret = Caret(line, column - 1, max(1, length), words)
            carets.setdefault(id(source), []).append(caret)
    return Failure(
        kind=type(error).__name__,
        message="\n".join(unplaced if alone else [f"{len(mistakes)} mistakes", *unplaced]),
        hint=mistakes[0].hint if alone else "",
        texts=tuple(
            MarkedText(source.name, source.text, tuple(carets[key]), _language(source))
            for key, source in sources.items()
        ),
    )


def underlined(refused: Applied) -> MarkedText:
    """The loops before a refused step; those it names and what the verdict means underlined."""
    text = loops_text(refused.before)
    named = (find(refused.before, name) for name in loop_names(refused.step))
    meant = {id(x.origin) for x in named if isinstance(x, For)}
    meant |= {id(o) for o in refused.verdict.where}
    carets: list[Caret] = []
    for mark in text.marks:
        if id(mark.origin) in meant:
            before = text.value[: mark.start]
            first = text.value[mark.start : mark.end].partition("\n")[0]
            column = len(before) - before.rfind("\n") - 1
            carets.append(Caret(before.count("\n") + 1, column, max(1, len(first))))
    return MarkedText("loops before the step", text.value, tuple(dict.fromkeys(carets)))


def _language(source: Source) -> Language:
    return "wgsl" if source.name.endswith(".wgsl") else "python"


def output_of(name: str, array: NDArray[np.generic], *, dtype: str = "") -> Output:
    """A result as words, and as a picture when it is 2-D; `dtype` where the name differs."""
    values = np.asarray(array)
    drawn = values.ndim == 2 and min(values.shape) >= PICTURE_LEAST
    return Output(
        name=name,
        dtype=dtype or str(values.dtype),
        shape=values.shape,
        numbers=_numbers(values),
        image=png_url(values, side=LIVE_SIDE) if drawn else None,
        thumbnail=png_url(values, side=SAVED_SIDE, levels=SAVED_LEVELS) if drawn else None,
        rows=_corners(values),
    )


def _span(origin: Origin, source: Source | None) -> tuple[int, int] | None:
    span = origin.span
    if span is None or span.source is not source:
        return None
    return span.start, span.end


def _numbers(values: NDArray[np.generic]) -> tuple[tuple[str, str], ...]:
    """Least, mean and greatest of the finite values, and how many are not finite."""
    if values.size == 0:
        return (("elements", "0"),)
    if values.dtype == np.bool_:
        return (("true", f"{np.count_nonzero(values)} of {values.size}"),)
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    words: list[tuple[str, str]] = []
    if finite.size:
        words += [
            ("min", _word(values.dtype.type(finite.min()))),
            ("mean", f"{finite.mean():.6g}"),
            ("max", _word(values.dtype.type(finite.max()))),
        ]
    for label, count in (
        ("nan", np.count_nonzero(np.isnan(numbers))),
        ("inf", np.count_nonzero(np.isinf(numbers))),
    ):
        if count:
            words.append((label, str(count)))
    return tuple(words)


def _corners(values: NDArray[np.generic]) -> tuple[tuple[str, ...], ...]:
    """Rows of words: the corners of a 2-D result, the ends of a 1-D one, a 0-d one whole.

    Of more dimensions the first plane is shown.
    """
    plane = values
    while plane.ndim > 2:
        if plane.shape[0] == 0:
            return ()
        plane = plane[0]
    if plane.size == 0:
        return ()
    table = np.atleast_2d(plane)
    rows = _ends(table.shape[0])
    columns = _ends(table.shape[1])
    return tuple(
        tuple("…" if r is None or c is None else _word(table[r, c]) for c in columns) for r in rows
    )


def _ends(extent: int) -> tuple[int | None, ...]:
    """The first and last places of an axis, None for those left out between them."""
    if extent <= 2 * CORNER + 1:
        return tuple(range(extent))
    return (*range(CORNER), None, *range(extent - CORNER, extent))


def _word(value: object) -> str:
    """One value, short: five digits of a float, an integer or a truth value whole."""
    return f"{value:.5g}" if np.asarray(value).dtype.kind == "f" else str(value)
