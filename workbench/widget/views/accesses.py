"""One workgroup's way through memory: each load, store and barrier in order, and what it costs."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from workbench.ir.lanes import quoted
from workbench.ir.stmt import Alloc, Memory, walk_stmts
from workbench.ir.tape import Meeting, Tape, Touch, tape_of
from workbench.measure.coalescing import BANK, BANKS, LINE, conflict, lines
from workbench.measure.owners import Owners, owners
from workbench.widget.views import Arguments, View
from workbench.widget.workgroups import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.ir.device import DeviceKernel
    from workbench.session.subject import Subject

ELEMENTS_MOST = 200_000
"""Elements of all moments together: what travels to the page."""
SIDE_MOST = 128
"""Rows and columns of an array that are drawn, from the first that is reached."""
HUES = 8


@dataclass(frozen=True, slots=True)
class Grid:
    """An array folded to rows and columns, and the part of it that the workgroup reaches.

    The part is rows `top` to `bottom` and columns `left` to `right`, ends left out.
    """

    name: str
    memory: str
    shape: tuple[int, ...]
    columns: int
    element_bytes: int
    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Moment:
    """One event: `grid` is the number of the array, -1 for a barrier.

    `elements` has the flat element of each invocation, -1 where it reaches none. `words` say
    what it costs, `slow` whether memory has to do more than it must, `bank` is the busiest bank
    of workgroup memory, -1 where none has to answer twice.
    """

    kind: str
    grid: int
    place: str
    elements: tuple[int, ...]
    words: str
    slow: bool
    bank: int


@dataclass(frozen=True, slots=True)
class Territory:
    """Who writes an array: the number of the workgroup of each element, row by row, -1 for none.

    Its first rows and columns are there; `words` say what the chosen workgroup writes of them.
    """

    name: str
    shape: tuple[int, ...]
    columns: int
    workgroups: tuple[int, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Playback:
    """The moments of one workgroup of one kernel, in order, and what each workgroup writes.

    `line`, `bank` and `banks` are the modelled sizes of memory, in bytes and as a number.
    """

    kernels: tuple[str, ...]
    kernel: int
    workgroups: tuple[int, int, int]
    workgroup: tuple[int, int, int]
    size: tuple[int, int, int]
    grids: tuple[Grid, ...]
    moments: tuple[Moment, ...]
    territories: tuple[Territory, ...]
    whole: bool
    line: int = LINE
    bank: int = BANK
    banks: int = BANKS


def _draw(subject: Subject, given: Arguments) -> Playback:
    chosen = choose(subject, given, "accesses")
    most = ELEMENTS_MOST // math.prod(chosen.kernel.workgroup_size)
    tape = tape_of(chosen.kernel, chosen.workgroup, chosen.arrays, chosen.scalars, most=most)
    return _playback(tape, chosen.names, chosen.number)


def _playback(tape: Tape, names: tuple[str, ...], number: int) -> Playback:
    sizes = _element_bytes(tape.kernel)
    order = list(tape.shapes)
    grids = tuple(_grid(tape, name, sizes[name]) for name in order)
    return Playback(
        kernels=names,
        kernel=number,
        workgroups=tape.kernel.counts,
        workgroup=tape.workgroup,
        size=tape.kernel.workgroup_size,
        grids=grids,
        moments=tuple(_moment(e, order, sizes, tape) for e in tape.events),
        territories=tuple(_territory(o, tape) for o in owners(tape.kernel, side=SIDE_MOST)),
        whole=tape.whole,
    )


def _element_bytes(kernel: DeviceKernel) -> dict[str, int]:
    dtypes = {b.name: b.dtype for b in kernel.buffers}
    dtypes |= {s.name: s.dtype for s in walk_stmts(kernel.body) if isinstance(s, Alloc)}
    return {name: t.bytes for name, t in dtypes.items()}


def _grid(tape: Tape, name: str, element_bytes: int) -> Grid:
    shape = tape.shapes[name]
    columns = max(1, shape[-1]) if shape else 1
    parts = [e.elements for e in tape.events if isinstance(e, Touch) and e.array == name]
    reached = np.unique(np.concatenate(parts))
    reached = reached[reached >= 0]
    rows, cols = reached // columns, reached % columns
    top, left = int(rows.min()), int(cols.min())
    return Grid(
        name, tape.memories[name].value, shape, columns, element_bytes,
        top, min(int(rows.max()) + 1, top + SIDE_MOST),
        left, min(int(cols.max()) + 1, left + SIDE_MOST),
    )  # fmt: skip


def _moment(e: Touch | Meeting, order: Sequence[str], sizes: dict[str, int], tape: Tape) -> Moment:
    if isinstance(e, Meeting):
        missing = int(np.count_nonzero(~e.present))
        words = f"{missing} invocations are missing" if missing else ""
        return Moment("barrier", -1, quoted(e.origin), (), words, missing > 0, -1)
    place, elements = quoted(e.origin), tuple(map(int, e.elements))
    grid = order.index(e.array)
    if tape.memories[e.array] is Memory.STORAGE:
        n = lines(e.elements, sizes[e.array])
        words = f"{n.touched} cache lines" + (f", {n.least} would do" * (n.touched > n.least))
        return Moment(e.kind, grid, place, elements, words, n.touched > n.least, -1)
    found = conflict(e.elements, sizes[e.array])
    slow = found.answers > 1
    words = f"bank {found.bank} answers {found.answers} times" if slow else "no bank conflict"
    return Moment(e.kind, grid, place, elements, words, slow, found.bank if slow else -1)


def _territory(o: Owners, tape: Tape) -> Territory:
    mine = np.argwhere(o.workgroups == _number(tape.workgroup, tape.kernel.counts))
    words = "writes nothing that is drawn"
    if len(mine):
        top, left = map(int, mine.min(axis=0))
        bottom, right = map(int, mine.max(axis=0))
        box = len(mine) == (bottom - top + 1) * (right - left + 1)
        part = "all" if box else f"{len(mine)} elements"
        words = f"writes {part} of rows {top} to {bottom}, columns {left} to {right}"
    if o.several:
        words += "; several workgroups write the same element"
    name = f"workgroup ({', '.join(map(str, tape.workgroup))}) {words}"
    flat = tuple(map(int, o.workgroups.reshape(-1)))
    return Territory(o.array, o.shape, o.workgroups.shape[1], flat, name)


def _number(workgroup: tuple[int, int, int], counts: tuple[int, int, int]) -> int:
    """The number of a workgroup, x fastest."""
    x, y, z = workgroup
    return x + counts[0] * (y + counts[1] * z)


def _summary(value: Playback) -> list[tuple[str, str]]:
    """Each kind of event once, in order, with how often it happens and its worst cost."""
    groups: dict[tuple[str, int, str], list[Moment]] = {}
    for m in value.moments:
        groups.setdefault((m.kind, m.grid, m.place), []).append(m)
    result: list[tuple[str, str]] = []
    for (kind, grid, place), each in groups.items():
        slowest = next((m for m in each if m.slow), each[0])
        name = f"{kind} {value.grids[grid].name}" if grid >= 0 else kind
        slow = sum(m.slow for m in each)
        count = f"{len(each)} times" if len(each) > 1 else "once"
        cost = f"; {slow} of them slow: {slowest.words}" if slow else ""
        result.append((f"{name} {place}", f"{count}{cost}"))
    return result


def _title(value: Playback) -> str:
    group = ", ".join(map(str, value.workgroup))
    size = " x ".join(map(str, value.size))
    cut = "" if value.whole else f", the first {len(value.moments)} events"
    return f"workgroup ({group}) of {value.kernels[value.kernel]}, {size} invocations{cut}"


def _text(value: Playback) -> str:
    owned = [(t.name, t.words) for t in value.territories]
    rows = [*_summary(value), *owned]
    return "\n".join([_title(value), *(f"  {name}: {words}" for name, words in rows)])


def _html(value: Playback) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(words)}</td></tr>"
        for name, words in _summary(value)
    )
    first = {m.grid: m for m in reversed(value.moments) if m.grid >= 0}
    pictures = "".join(_svg(g, first[n], value) for n, g in enumerate(value.grids))
    pictures += "".join(_territory_svg(t, value) for t in value.territories)
    return (
        f"<p>{html.escape(_title(value))}</p><div class='wb-row'>{pictures}</div>"
        f"<table><tbody>{rows}</tbody></table>"
    )


def _svg(g: Grid, m: Moment, value: Playback) -> str:
    """The first access of an array, each part of the invocations in a colour of its own."""
    width, height = g.right - g.left, g.bottom - g.top
    count = math.prod(value.size)
    parts: dict[int, list[str]] = {}
    for invocation, element in enumerate(m.elements):
        row, column = divmod(element, g.columns)
        if element >= 0 and g.top <= row < g.bottom and g.left <= column < g.right:
            hue = invocation * HUES // count
            parts.setdefault(hue, []).append(f"M{column - g.left} {row - g.top}h1v1h-1z")
    paths = "".join(
        f'<path fill="hsl({360 * hue // HUES} 65% 55%)" d="{"".join(cells)}"/>'
        for hue, cells in parts.items()
    )
    return _figure(f"{m.kind} {g.name}: {m.words}", width, height, paths)


def _territory_svg(t: Territory, value: Playback) -> str:
    """The workgroups of an array in colours that neighbours do not share, the chosen one framed."""
    owned = np.asarray(t.workgroups, np.int64).reshape(-1, max(1, t.columns))
    chosen = _number(value.workgroup, value.workgroups)
    parts: dict[int, list[str]] = {}
    for number, row, column, height, width in _boxes(owned):
        box = f"M{column} {row}h{width}v{height}h-{width}z"
        parts.setdefault(number, []).append(box)
    paths = "".join(
        f'<path fill="hsl({_hue(number)} 65% 55%)" d="{"".join(boxes)}"'
        f"{_FRAME if number == chosen else ''}/>"
        for number, boxes in sorted(parts.items(), key=lambda part: part[0] == chosen)
    )
    return _figure(f"{t.name}: {t.words}", t.columns, len(owned), paths)


_FRAME = ' stroke="currentColor" stroke-width="2" vector-effect="non-scaling-stroke"'


def _hue(workgroup: int) -> int:
    """A colour of a workgroup, far from those of its neighbours: by the golden angle."""
    return workgroup * 1375 // 10 % 360


def _boxes(owned: NDArray[np.int64]) -> list[tuple[int, int, int, int, int]]:
    """Boxes of one workgroup each: its number, row, column, height and width."""
    done: list[tuple[int, int, int, int, int]] = []
    growing: dict[tuple[int, int, int], int] = {}
    for row in range(len(owned) + 1):
        runs = _runs(owned[row].tolist()) if row < len(owned) else []
        for run in [r for r in growing if r not in runs]:
            number, column, width = run
            top = growing.pop(run)
            done.append((number, top, column, row - top, width))
        for run in runs:
            growing.setdefault(run, row)
    return done


def _runs(row: list[int]) -> list[tuple[int, int, int]]:
    """Neighbours of one workgroup in a row: its number, the first column, and how many."""
    found: list[tuple[int, int, int]] = []
    column = 0
    for number, same in groupby(row):
        width = len(list(same))
        if number >= 0:
            found.append((number, column, width))
        column += width
    return found


def _figure(words: str, width: int, height: int, paths: str) -> str:
    """A picture of cells in colours, with its words below."""
    words = html.escape(words)
    scale = max(2, min(12, 160 // max(width, height, 1)))
    return (
        f'<figure style="margin:0 12px 4px 0"><svg role="img" aria-label="{words}" '
        f'width="{width * scale}" height="{height * scale}" viewBox="0 0 {width} {height}" '
        f'style="background:rgba(128,128,128,.15)">{paths}</svg>'
        f"<figcaption>{words}</figcaption></figure>"
    )


VIEW = View("accesses", "memory accesses", _draw, _text, _html)
