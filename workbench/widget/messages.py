"""What a panel shows, as values, and the one place that turns them into JSON for the page.

`PanelState` is the whole model of a panel; the twins draw it as text and HTML, the page draws it
live. `encode` makes the bytes of the widget's `state`, `answer` replies to a request of the page.
Its twin in the page is `js/src/model.ts`; `VERSION` changes when the two must change together.
Nothing here compiles, runs or draws, and nothing here imports a widget library.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = 4
TEXT_BUDGET = 200_000
"""Characters of stage text that travel with the state; the page asks for the stages beyond it."""

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Language: TypeAlias = Literal["python", "wgsl", "llvm", "asm", "wasm", "text"]
CheckState: TypeAlias = Literal["tick", "cross", "pending", "none"]

CODE_STAGES = ("wgsl", "asm", "wasm", "spirv", "llvm-opt", "llvm")
"""Names of the stages that hold code, the one to show first in front."""


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a stage was executed and compared, and the sentence that says how.

    `tick` agrees, `cross` differs, `pending` is being checked, `none` was not asked for.
    """

    state: CheckState = "none"
    words: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One text of the pipeline.

    `marks` is flat: start, end, origin, start, end, origin and so on; offsets count code points of
    `text`. `seconds` is what the pass took, `changed` is false for a pass that did nothing.
    """

    name: str
    text: str
    marks: tuple[int, ...] = ()
    seconds: float = 0.0
    note: str = ""
    language: Language = "python"
    check: Check = field(default_factory=Check)
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the marks come from: for each origin id its parents, its source span and its words.

    A span counts code points of the text of the stage `source`; None when the origin has none.
    """

    parents: tuple[tuple[int, ...], ...] = ()
    spans: tuple[tuple[int, int] | None, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """One device or reference compared with the result shown."""

    device: str
    check: Check


@dataclass(frozen=True, slots=True)
class Output:
    """One result: `shape` as numbers, `numbers` as (name, value) words, a picture when it is 2-D.

    `image` is a PNG data URL for the live panel, `thumbnail` a smaller one that is saved with the
    notebook. `rows` are the values of the corners as words, "…" where something is left out.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    numbers: tuple[tuple[str, str], ...] = ()
    image: str | None = None
    thumbnail: str | None = None
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """What the run strip says: where the program ran and why there, how long, and what came out.

    Times are in seconds; None where a time was not measured. `caution` is said in words beside
    the device, for example that the adapter is software. `remarks` are sentences on the numbers:
    which array may differ from run to run, and why; what crossed, and what was converted.
    """

    device: str
    adapter: str
    reason: str
    compile_seconds: float | None = None
    transfer_seconds: float | None = None
    run_seconds: float | None = None
    caution: str = ""
    remarks: tuple[str, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True)
class Caret:
    """A place in a text: `line` counts from 1, `column` from 0 in code points, and its length."""

    line: int
    column: int
    length: int
    words: str = ""


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text with places underlined: the source of an error, or a stage that it points into."""

    name: str
    text: str
    carets: tuple[Caret, ...]
    language: Language = "python"


@dataclass(frozen=True, slots=True)
class Failure:
    """What the error view shows: the kind ("ScheduleError"), the message, the hint, the places."""

    kind: str
    message: str
    hint: str = ""
    texts: tuple[MarkedText, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was asked for, as its twins: lines of text, and one HTML element."""

    name: str
    title: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Editing:
    """What can be edited: `knobs` as name and value, and the schedule as lines to copy.

    `calls` make the schedule in Python, `function` is the `@schedule` function as it stands in the
    source, "" where there is none, and `draft` one that could be written then. `cell` is the text
    of the cell that shows the same again, None where no cell does; `undo` is how many edits can be
    taken back.
    """

    knobs: tuple[tuple[str, int], ...] = ()
    calls: str = ""
    function: str = ""
    draft: str = ""
    cell: str | None = None
    undo: int = 0


@dataclass(frozen=True, slots=True)
class PanelState:
    """Everything one panel shows; `views` names the views of `js/src/views` in order.

    `offers` are the pictures that the page can ask for, as name and title; `pictures` are the
    twins of those that stand in `views`. `editing` is None where nothing can be edited.
    """

    title: str
    stages: tuple[Stage, ...] = ()
    origins: Origins = field(default_factory=Origins)
    run: Run | None = None
    failure: Failure | None = None
    views: tuple[str, ...] = ("error", "stages", "run")
    offers: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    editing: Editing | None = None

    def stage(self, name: str) -> Stage | None:
        """The stage of that name, or None."""
        return next((stage for stage in self.stages if stage.name == name), None)

    @property
    def code(self) -> Stage | None:
        """The stage to show as the generated code, or None where compilation did not get there."""
        found = (self.stage(name) for name in CODE_STAGES)
        return next((stage for stage in found if stage is not None), None)


def encode(state: PanelState, *, budget: int = TEXT_BUDGET) -> bytes:
    """The state as JSON bytes; texts beyond `budget` characters are left for the page to ask."""
    carried = _carried(state, budget)
    message: dict[str, Json] = {
        "version": VERSION,
        "title": state.title,
        "views": list(state.views),
        "offers": [list(offer) for offer in state.offers],
        "stages": [_stage(stage, whole=stage.name in carried) for stage in state.stages],
        "origins": _origins(state),
        "run": None if state.run is None else _run(state.run),
        "failure": None if state.failure is None else failure_message(state.failure),
        "editing": None if state.editing is None else _editing(state.editing),
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def answer(state: PanelState, request: object) -> dict[str, Json] | None:
    """The reply to a message of the page, None where the message is not one of the panel's.

    The page sends {"kind": "stage", "name": NAME} and gets {"kind": "stage", "stage": {...}}; a
    name that is not in the state gets a stage that is None.
    """
    match request:
        case {"kind": "stage", "name": str(name)}:
            stage = state.stage(name)
            found: Json = None if stage is None else _stage(stage, whole=True)
            return {"kind": "stage", "name": name, "stage": found}
        case _:
            return None


def _carried(state: PanelState, budget: int) -> frozenset[str]:
    """Names of the stages whose texts travel now: source, scheduled and code first."""
    code = state.code
    first = ("source", "scheduled", "" if code is None else code.name)
    order = sorted(state.stages, key=lambda stage: stage.name not in first)
    names: list[str] = []
    used = 0
    for stage in order:
        size = len(stage.text) + 4 * len(stage.marks)
        if used + size <= budget:
            used += size
            names.append(stage.name)
    return frozenset(names)


def _stage(stage: Stage, *, whole: bool) -> dict[str, Json]:
    """One stage; without its text and marks unless `whole`."""
    text: Json = stage.text if whole else None
    marks: Json = list(_utf16_marks(stage.text, stage.marks)) if whole else []
    return {
        "name": stage.name,
        "text": text,
        "marks": marks,
        "lines": stage.text.count("\n") + 1,
        "seconds": stage.seconds,
        "note": stage.note,
        "language": stage.language,
        "check": _check(stage.check),
        "changed": stage.changed,
    }


def _origins(state: PanelState) -> dict[str, Json]:
    """The origins; spans in the offsets of the page."""
    source = state.stage("source")
    text = "" if source is None else source.text
    at = _utf16_offsets(text)
    spans: list[Json] = [
        None if span is None else [_moved(at, span[0]), _moved(at, span[1])]
        for span in state.origins.spans
    ]
    parents: list[Json] = [list(ids) for ids in state.origins.parents]
    return {"parents": parents, "spans": spans, "notes": list(state.origins.notes)}


def _check(check: Check) -> dict[str, Json]:
    return {"state": check.state, "words": check.words}


def _run(run: Run) -> dict[str, Json]:
    return {
        "device": run.device,
        "adapter": run.adapter,
        "reason": run.reason,
        "caution": run.caution,
        "remarks": list(run.remarks),
        "times": {
            "compile": run.compile_seconds,
            "transfer": run.transfer_seconds,
            "run": run.run_seconds,
        },
        "agreements": [
            {"device": each.device, "check": _check(each.check)} for each in run.agreements
        ],
        "outputs": [_output(output) for output in run.outputs],
    }


def _output(output: Output) -> dict[str, Json]:
    numbers: list[Json] = [[name, value] for name, value in output.numbers]
    rows: list[Json] = [list(row) for row in output.rows]
    return {
        "name": output.name,
        "dtype": output.dtype,
        "shape": list(output.shape),
        "numbers": numbers,
        "image": output.image,
        "rows": rows,
    }


def _editing(editing: Editing) -> dict[str, Json]:
    return {
        "knobs": [[name, value] for name, value in editing.knobs],
        "calls": editing.calls,
        "function": editing.function,
        "draft": editing.draft,
        "cell": editing.cell,
        "undo": editing.undo,
    }


def failure_message(failure: Failure) -> dict[str, Json]:
    """An error as the page reads it."""
    return {
        "kind": failure.kind,
        "message": failure.message,
        "hint": failure.hint,
        "texts": [_marked_text(text) for text in failure.texts],
    }


def _marked_text(text: MarkedText) -> dict[str, Json]:
    return {
        "name": text.name,
        "text": text.text,
        "language": text.language,
        "carets": [_caret(caret, text.text) for caret in text.carets],
    }


def _caret(caret: Caret, text: str) -> dict[str, Json]:
    """A caret with column and length in the units of the page."""
    lines = text.split("\n")
    line = lines[caret.line - 1] if 0 < caret.line <= len(lines) else ""
    at = _utf16_offsets(line)
    start, end = _moved(at, caret.column), _moved(at, caret.column + caret.length)
    return {"line": caret.line, "column": start, "length": end - start, "words": caret.words}


def _utf16_offsets(text: str) -> Sequence[int] | None:
    """For each code point its offset in UTF-16 units, or None where the two are the same."""
    if not text or max(text) < "\U00010000":
        return None
    offsets = [0]
    for character in text:
        offsets.append(offsets[-1] + (2 if character >= "\U00010000" else 1))
    return offsets


def _moved(offsets: Sequence[int] | None, at: int) -> int:
    """One offset in code points as an offset in UTF-16 units."""
    return at if offsets is None else offsets[min(at, len(offsets) - 1)]


def _utf16_marks(text: str, marks: tuple[int, ...]) -> Sequence[int]:
    """Flat marks with their offsets in UTF-16 units."""
    offsets = _utf16_offsets(text)
    if offsets is None:
        return marks
    return [
        value if place % 3 == 2 else _moved(offsets, value) for place, value in enumerate(marks)
    ]
