"""From what a cell did to what its panel shows: `CellRun` -> `PanelState`."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.errors import WorkbenchError
from workbench.runtime.device import open_device
from workbench.runtime.transfers import transfer_words
from workbench.session.subject import subject_of
from workbench.session.written import (
    cell_text,
    fluent,
    function_text,
    lines_of,
    new_function,
)
from workbench.widget.messages import (
    Agreement,
    Check,
    Editing,
    Output,
    PanelState,
    Picture,
    Run,
    Stage,
)
from workbench.widget.states import failure_of, number_origins, output_of
from workbench.widget.views import view, view_names

if TYPE_CHECKING:
    from workbench.measure.checks import Checks
    from workbench.pipeline import Snapshot
    from workbench.session.cell import CellRun, DeviceAnswer
    from workbench.session.shader_cell import ShaderRun
    from workbench.session.subject import Subject
    from workbench.widget.views import View


def cell_state(run: CellRun, views: tuple[str, ...] = ("stages", "run")) -> PanelState:
    """The panel of a cell that compiled, and ran where its arrays existed."""
    return subject_state(subject_of(run), views)


def subject_state(subject: Subject, views: tuple[str, ...]) -> PanelState:
    """The panel of a subject; a run from before its last edit says so."""
    fresh, run = subject.fresh, subject.run
    state = compilation_state(subject, views, None if fresh is None else fresh.checks)
    if run is None:
        return state
    shown = _run(run) if "run" in views else None
    if shown is not None and fresh is None:
        shown = replace(shown, reason=f"before the last edit: {shown.reason}")
    k = subject.kernel or run.kernel
    return replace(state, title=k.signature(), run=shown)


def compilation_state(
    subject: Subject, views: tuple[str, ...], checks: Checks | None = None
) -> PanelState:
    """The panel of a compilation: its stages, and the pictures among the views."""
    c = subject.compilation
    snapshots = c.stages.all
    texts = [s.marked for s in snapshots]
    origins, marks = number_origins(texts, c.source)
    stages = tuple(
        Stage(
            name=s.name,
            text=text.value,
            marks=numbers,
            seconds=s.seconds,
            note=s.note,
            language=s.language,
            check=_check(s, checks),
            changed=s.changed,
        )
        for s, text, numbers in zip(snapshots, texts, marks, strict=True)
    )
    pictures = (view(n) for n in views if n in view_names())
    return PanelState(
        title=c.name,
        stages=stages,
        origins=origins,
        views=views,
        offers=tuple((n, view(n).title) for n in view_names() if n not in views),
        pictures=tuple(picture(v, subject) for v in pictures),
        editing=editing_of(subject),
    )


def editing_of(subject: Subject) -> Editing:
    """What the page can edit, and the lines that replay the schedule."""
    c, turned = subject.compilation, subject.turned
    knobs = () if turned is None else tuple(turned.knobs.items())
    text, lines = c.source.text, lines_of(c.schedule.steps)
    return Editing(
        knobs=tuple((name, value) for name, value in knobs if type(value) is int),
        calls=fluent(c.name, c.schedule),
        function="" if turned is None else function_text(turned),
        draft=new_function(text, c.name, lines)[0] if turned is None else "",
        cell=cell_text(text, turned),
    )


def picture(v: View, subject: Subject) -> Picture:
    """The twins of a picture, of its refusal where this compilation has none."""
    try:
        value = v.draw(subject, {})
    except WorkbenchError as error:
        return Picture(v.name, v.title, str(error), f"<p>{html.escape(str(error))}</p>")
    return Picture(v.name, v.title, v.text(value), v.html(value))


def shader_state(run: ShaderRun, views: tuple[str, ...] = ("stages", "run")) -> PanelState:
    """The panel of a cell of hand-written WGSL that its driver took."""
    seen = next((a for a in run.answers if a.device == run.device), None)
    check = Check() if seen is None else _agreement(seen).check
    stage = Stage(
        name="wgsl", text=run.kernel.shader.source.text, note="as written", language="wgsl",
        seconds=run.compile_seconds, check=check,
    )  # fmt: skip
    shown = _strip(run, run.reason, run.compile_seconds, _outputs(run)) if "run" in views else None
    return PanelState(title=run.kernel.signature(), stages=(stage,), run=shown, views=views)


def failure_state(error: WorkbenchError, title: str) -> PanelState:
    """The panel of a cell whose text, schedule or call was refused."""
    return PanelState(title=title, failure=failure_of(error), views=("error",))


def _check(s: Snapshot, checks: Checks | None) -> Check:
    if checks is None:
        return Check()
    found = next((c for c in checks.checks if c.stage == s.name), None)
    return Check() if found is None else Check(found.state, found.words)


def _outputs(run: CellRun | ShaderRun) -> tuple[Output, ...]:
    return tuple(
        output_of(name, a.numpy(), dtype=a.dtype.name) for name, a in (run.outputs or {}).items()
    )


def _run(run: CellRun) -> Run:
    reason = run.reason
    if run.outputs is None:
        dims = ", ".join(f"{k} = {v}" for k, v in run.compilation.dims.items())
        missing = ", ".join(a.name for a in run.kernel.graph.inputs)
        reason = f"compiled for {dims or 'its own sizes'}, not run: no arrays named {missing}"
    words = tuple(remark.words for remark in run.compilation.remarks)
    if run.outputs is not None:
        words += transfer_words(run.transfers, run.device)
    return _strip(run, reason, run.compilation.seconds, _outputs(run), remarks=words)


def _strip(
    run: CellRun | ShaderRun,
    reason: str,
    compile_seconds: float,
    outputs: tuple[Output, ...],
    *,
    remarks: tuple[str, ...] = (),
) -> Run:
    d = open_device(run.device).describe()
    timing = run.timing
    if run.repeats:
        reason += f"; time is the median of {run.repeats} runs by {timing and timing.clock} clock"
    return Run(
        device=run.device,
        adapter=d.adapter,
        reason=reason,
        compile_seconds=compile_seconds,
        transfer_seconds=None if timing is None else timing.transfer,
        run_seconds=None if timing is None else (timing.kernel or timing.total),
        caution="" if d.hardware else "software adapter",
        remarks=remarks,
        agreements=tuple(map(_agreement, run.answers)),
        outputs=outputs,
    )


def _agreement(a: DeviceAnswer) -> Agreement:
    return Agreement(a.device, Check(a.state, a.words))  # pyright: ignore[reportArgumentType]
